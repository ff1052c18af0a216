//! `spalla up`: the server with its worker and its page.

use super::serve::{ServerFlags, serve};
use crate::cli::Global;
use crate::config::Override;
use crate::exit::Exit;
use crate::failure::Result;
use clap::Args;

/// Runs the server with its worker and its page.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    server: ServerFlags,
    /// Runs no worker inside: others, started with `spalla worker`, do the work
    #[arg(long)]
    no_worker: bool,
    /// How many runs the worker executes at once [default: one per core]
    #[arg(long, value_name = "N")]
    concurrency: Option<String>,
}

impl Up {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let mut flags = self.server.overrides();
        flags.extend(self.concurrency.map(|text| Override {
            name: "worker.concurrency",
            flag: "--concurrency",
            text,
        }));
        serve(global, &global.config(flags)?, !self.no_worker)
    }
}
