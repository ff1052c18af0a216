//! Quotas, checked by the events alone: no run starts in a project that has as many as it may, at once or on a day.

use spalla_domain::event::{Event, Fact};
use spalla_domain::quota::{Quota, UtcDay};
use spalla_domain::{ProjectId, RunId};
use std::collections::{BTreeMap, BTreeSet};

/// How many runs may start beyond a cap: what two servers reserve at the same moment.
const SLACK: u32 = 1;

/// What is known of projects with their runs.
#[derive(Debug, Default)]
pub(crate) struct Caps {
    quotas: BTreeMap<ProjectId, Quota>,
    started: BTreeMap<(ProjectId, UtcDay), u64>,
    live: BTreeMap<ProjectId, BTreeSet<RunId>>,
}

impl Caps {
    /// Takes the next event; returns how it breaks a quota.
    pub(crate) fn take(&mut self, event: &Event) -> Option<String> {
        let project = event.project_id;
        match (&event.fact, event.run_id) {
            (Fact::QuotaChanged { quota }, _) => {
                self.quotas.insert(project, *quota);
                None
            }
            (Fact::RunCreated { .. } | Fact::RunClaimed { .. }, Some(run)) => self.begun(event, project, run),
            (
                Fact::RunSucceeded { .. }
                | Fact::RunFailed { .. }
                | Fact::RunCancelled {}
                | Fact::RunLost { .. },
                Some(run),
            ) => {
                self.live.entry(project).or_default().remove(&run);
                None
            }
            _ => None,
        }
    }

    /// A run that is claimed again did not begin anew.
    fn begun(&mut self, event: &Event, project: ProjectId, run: RunId) -> Option<String> {
        let live = self.live.entry(project).or_default();
        if !live.insert(run) {
            return None;
        }
        let started = self.started.entry((project, UtcDay::of(event.at))).or_default();
        *started += 1;
        let quota = self.quotas.get(&project)?;
        let (live, started) = (live.len() as u32, *started);
        let too_many = quota.max_concurrent_runs.filter(|cap| live > cap + SLACK);
        let too_often = quota.daily_runs.filter(|cap| started > cap + u64::from(SLACK));
        match (too_many, too_often) {
            (Some(cap), _) => {
                Some(format!("run {run} of project {project} began as the {live}th at once, and {cap} may"))
            }
            (None, Some(cap)) => Some(format!(
                "run {run} of project {project} began as the {started}th of its day, and {cap} may"
            )),
            (None, None) => None,
        }
    }
}
