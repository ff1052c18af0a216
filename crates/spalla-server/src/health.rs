//! Whether the parts that the server needs work: checks as data, each looked at in its own rhythm, all side by side.
//! What they found last is kept for whoever asks.

mod builtin;
mod probe;

pub use probe::Runner;

use crate::state::App;
use futures_util::future::join_all;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Its name; it stands once in the list.
    pub name: String,
    /// How long from one look to the next.
    pub interval: Duration,
    /// How long a look may take before it counts as failed.
    pub timeout: Duration,
    /// What is looked at.
    pub check: Check,
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Whether a GET of this `http://` URL is answered with 2xx. Redirects are not followed.
    Http(String),
    /// Whether a connection to HOST:PORT can be opened.
    Tcp(String),
    /// Whether this program, with these arguments, leaves with status 0.
    Command(Vec<String>),
    /// Something of the server's own.
    Builtin(Builtin),
}

/// What the server knows how to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// Whether the store can be read.
    Store,
    /// Whether somebody carries out what waits.
    Worker,
    /// Whether the data folder's disk has room.
    Disk,
    /// Whether the newest publication of agents serves.
    Agents,
}

/// What the checks are made with.
#[derive(Clone, Default)]
pub struct HealthOptions {
    /// The checks, beside those that every server makes; one of the same name replaces it.
    pub checks: Vec<HealthCheck>,
    /// The folder whose disk is looked at.
    pub data: Option<PathBuf>,
    /// Starts the programs of checks; without one they fail.
    pub runner: Option<Arc<dyn Runner>>,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// The check's name.
    pub(crate) name: String,
    /// How long the look took.
    pub(crate) took: Duration,
    /// What is wrong; none where it is well.
    pub(crate) error: Option<String>,
}

/// The checks with what they found last.
pub(crate) struct Health {
    options: HealthOptions,
    checks: Vec<HealthCheck>,
    /// One for each check that has been looked at, in the checks' order.
    found: Mutex<Vec<Option<Report>>>,
}

impl Health {
    /// Makes the list of the checks; nothing is looked at yet.
    pub(crate) fn new(options: HealthOptions) -> Self {
        let mut checks = own_checks(options.data.is_some());
        checks.retain(|own| options.checks.iter().all(|check| check.name != own.name));
        checks.extend(options.checks.iter().cloned());
        let found = Mutex::new(vec![None; checks.len()]);
        Self { options, checks, found }
    }

    /// Looks at everything in its rhythm until the shutdown.
    pub(crate) async fn watch(&self, app: &App, shutdown: CancellationToken) {
        let looks = self.checks.iter().enumerate().map(|(place, check)| self.watch_one(app, place, check));
        shutdown.run_until_cancelled(join_all(looks)).await;
    }

    /// Returns what was found last, in the checks' order.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.lock().iter().flatten().cloned().collect()
    }

    async fn watch_one(&self, app: &App, place: usize, check: &HealthCheck) {
        let mut rhythm = tokio::time::interval(check.interval);
        rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut worker = builtin::WorkerWatch::default();
        loop {
            rhythm.tick().await;
            let begun = Instant::now();
            let looked = tokio::time::timeout(check.timeout, self.look(app, check, &mut worker)).await;
            let late = || Err(format!("no answer within {} s", check.timeout.as_secs_f64()));
            let error = looked.unwrap_or_else(|_| late()).err();
            self.note(place, Report { name: check.name.clone(), took: begun.elapsed(), error });
        }
    }

    async fn look(
        &self,
        app: &App,
        check: &HealthCheck,
        worker: &mut builtin::WorkerWatch,
    ) -> Result<(), String> {
        match &check.check {
            Check::Http(url) => probe::http(url).await,
            Check::Tcp(address) => probe::tcp(address).await,
            Check::Command(words) => match &self.options.runner {
                Some(runner) => runner.run(words.clone(), check.timeout).await,
                None => Err("this server starts no programs".into()),
            },
            Check::Builtin(Builtin::Store) => builtin::store(app).await,
            Check::Builtin(Builtin::Worker) => worker.look(app).await,
            Check::Builtin(Builtin::Agents) => builtin::agents(app),
            Check::Builtin(Builtin::Disk) => builtin::disk(self.options.data.as_deref()),
        }
    }

    /// Keeps what was found, and says so where it is news.
    fn note(&self, place: usize, report: Report) {
        let before = self.lock()[place].replace(report.clone());
        let was_well = before.is_none_or(|before| before.error.is_none());
        match &report.error {
            Some(error) if was_well => tracing::warn!(check = report.name, error, "a health check fails"),
            None if !was_well => tracing::info!(check = report.name, "a health check is well again"),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Report>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The checks that every server makes.
fn own_checks(has_folder: bool) -> Vec<HealthCheck> {
    let own = |name: &str, interval: u64, builtin| HealthCheck {
        name: name.into(),
        interval: Duration::from_secs(interval),
        timeout: Duration::from_secs(2),
        check: Check::Builtin(builtin),
    };
    let mut checks = vec![own("store", 10, Builtin::Store), own("worker", 60, Builtin::Worker)];
    checks.push(own("agents", 5, Builtin::Agents));
    if has_folder {
        checks.push(own("disk", 30, Builtin::Disk));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_of_the_same_name_replaces_the_servers_own() {
        let check = HealthCheck {
            name: "worker".into(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            check: Check::Tcp("127.0.0.1:1".into()),
        };
        let options = HealthOptions { checks: vec![check.clone()], data: Some("/".into()), runner: None };
        let health = Health::new(options);
        let names: Vec<&str> = health.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["store", "agents", "disk", "worker"]);
        assert_eq!((health.checks.last(), health.reports()), (Some(&check), vec![]));
    }
}
