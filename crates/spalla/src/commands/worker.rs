//! `spalla worker`: takes runs from a server over HTTP and executes them, until a signal comes.

use super::{ServerArgs, block_on_all_cores};
use crate::app::work;
use crate::cli::Global;
use crate::client::Client;
use crate::config::{Override, Settings};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::no_core;
use crate::output;
use crate::signals::Signals;
use crate::supervisor::{Part, Supervisor};
use crate::worker_options;
use clap::Args;
use spalla_domain::secret::Secret;
use spalla_worker::HttpCoordinator;
use std::sync::Arc;
use std::time::Duration;

/// Runs a worker that takes its work from a server.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    #[command(flatten)]
    server: ServerArgs,
    /// How many runs it executes at once [default: one per core]
    #[arg(long, value_name = "N")]
    concurrency: Option<String>,
}

impl Worker {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let mut flags = self.server.overrides();
        flags.extend(self.concurrency.clone().map(|text| Override {
            name: "worker.concurrency",
            flag: "--concurrency",
            text,
        }));
        let config = global.config(flags)?;
        // An agent that has little context left reads only what went wrong.
        let is_terse = spalla_worker::is_context_low(&config.settings.worker.context_remaining);
        global.listen(&config, if is_terse { "warn" } else { "info" })?;
        config.tell_idle();
        let client = self.server.client(&config)?;
        block_on_all_cores(execute(&config.settings, client))
    }
}

async fn execute(settings: &Settings, client: Client) -> Result<Exit> {
    no_core::leave_none();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let mut signals = Signals::listen()?;
    let coordinator = HttpCoordinator::new(client.url(), client.token().map(str::to_owned))
        .map_err(|error| Failure::usage(error.to_string()))?;
    let secret = Some(settings.worker.secret_key.as_str()).filter(|secret| !secret.is_empty());
    let coordinator = coordinator.with_agent_secret(secret.map(Secret::from));
    let (options, _folder) = worker_options::remote(settings)?;
    let id = options.worker_id.clone();
    let mut supervisor = Supervisor::default();
    supervisor.start(Part::Worker, work(settings, options, Arc::new(coordinator), supervisor.steps())?);
    output::line(format_args!("worker {id} takes runs from {}", client.url()))?;
    let ended = tokio::select! {
        name = signals.next() => {
            tracing::info!("{name}: claiming no more, letting runs end");
            Ok(Exit::Done)
        }
        failure = supervisor.broken() => Err(failure),
    };
    let grace = Duration::from_secs_f64(settings.shutdown_grace_seconds);
    supervisor.stop(grace, signals.wait()).await;
    ended
}
