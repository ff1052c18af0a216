//! From settings to the options of a worker, embedded or remote.

use crate::clock::SystemClock;
use crate::config::Settings;
use crate::data_folder::{DataFolder, Owned};
use crate::failure::{Failure, Result};
use crate::programs;
use spalla_domain::WorkerId;
use spalla_store::Clock;
use spalla_worker::Options;
use spalla_worker::sandbox::{Supervisor, child_env};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

/// How long the worker inside a server waits for a run before it asks again, in milliseconds: it is always woken, so
/// that asking is only a waste.
const EMBEDDED_WAIT_MS: i64 = 300_000;

/// Returns the options of the worker inside a server: its files lie in the server's data folder.
pub(crate) fn embedded(settings: &Settings, folder: &DataFolder, worker_id: WorkerId) -> Result<Options> {
    let options = options(settings, folder.path().to_owned(), worker_id)?;
    Ok(Options { poll_wait_ms: EMBEDDED_WAIT_MS, ..options })
}

/// How many workers beside each other on one machine find a folder: far more than its cores.
const FOLDERS_MAX: u32 = 1_000;

/// Returns the options of a worker of its own, and the hold on its folder. Workers beside each other never share
/// one, and a worker that comes later takes over what an earlier one has fetched.
pub(crate) fn remote(settings: &Settings, worker_id: WorkerId) -> Result<(Options, Owned)> {
    let workers = DataFolder::at(&settings.data).folder("workers")?;
    let mut free = (1..=FOLDERS_MAX).map(|number| DataFolder::at(workers.join(number.to_string())).own());
    let owned = free.find_map(Result::ok).ok_or_else(|| {
        Failure::usage(format!("no folder in {} can be used by this worker", workers.display()))
            .mend("see that it can be written, or name another folder with --data DIR")
    })?;
    Ok((options(settings, owned.path().to_owned(), worker_id)?, owned))
}

fn options(settings: &Settings, data_dir: PathBuf, worker_id: WorkerId) -> Result<Options> {
    let own = &settings.worker;
    let shell = own.shell.to_str().filter(|shell| programs::find(shell).is_some()).ok_or_else(|| {
        Failure::usage(format!("the shell {} can't be executed", own.shell.display()))
            .mend("name another with AGENT_SHELL")
    })?;
    let supervisor = Supervisor::this_program()
        .map_err(|error| Failure::failed(format!("finding this program's own file: {error}")))?;
    let cores = || u32::try_from(available_parallelism().map_or(1, std::num::NonZero::get)).unwrap_or(1);
    let ms = |seconds: f64| (seconds * 1e3).round() as i64;
    Ok(Options {
        concurrency: if own.concurrency == 0 { cores() } else { own.concurrency },
        ttl_ms: ms(own.claim_ttl_seconds),
        heartbeat_interval_ms: ms(own.heartbeat_interval_seconds),
        poll_wait_ms: ms(own.interval_seconds),
        shell: shell.to_owned(),
        steps_override: own
            .steps
            .lines()
            .map(str::trim)
            .filter(|step| !step.is_empty())
            .map(str::to_owned)
            .collect(),
        drain_grace_ms: ms(settings.shutdown_grace_seconds),
        ..Options::new(
            worker_id,
            data_dir,
            child_env(programs::variables()),
            supervisor,
            Arc::new(|| SystemClock.now()),
        )
    })
}
