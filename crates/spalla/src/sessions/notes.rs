//! What is seen of a session's work items, written down: where each stands, and what each of its runs came to.

use super::advance::is_over;
use super::follow::Followed;
use super::mirror;
use super::pursuit::Pursuit;
use super::workspace::Workspace;
use crate::control::{ItemState, RunState};
use crate::failure::Result;
use spalla_domain::session::{SessionItem, SessionRun};

impl Pursuit {
    /// Returns the work items that were made, to be followed.
    pub(super) fn followed(&self) -> Vec<Followed> {
        let follow = |item: &SessionItem| {
            Some(Followed::new(item.work_item_id?, item.title.clone()).that_was_over(is_over(item)))
        };
        self.session.items.iter().filter(|item| !self.is_late(item)).filter_map(follow).collect()
    }

    /// Writes down where the items stand and what their runs came to.
    pub(super) fn take_note(&mut self, items: &[Followed]) -> Result<()> {
        for followed in items {
            let item = self.session.items.iter_mut().find(|item| item.work_item_id == Some(followed.id));
            let Some(item) = item else { continue };
            item.status = followed.state.as_ref().map(|state: &ItemState| state.status.as_str().to_owned());
            for run in followed.earlier.iter().rev().chain(&followed.run).map(as_recorded) {
                match item.runs.iter_mut().find(|known| known.run_id == run.run_id) {
                    Some(known) => *known = run,
                    None => item.runs.push(run),
                }
            }
            // Whoever asks for the last one means the newest.
            item.runs.sort_by_key(|run| run.run_id);
        }
        self.folder.write(&self.session)
    }

    /// Keeps what agents told by now where people look for it, also if this process does not live to the end. What can't be written
    /// is told then.
    pub(super) fn mirror(&self) {
        if let Err(failure) = mirror::write(&Workspace::of(&self.session), &self.session) {
            tracing::warn!("{failure}");
        }
    }
}

fn as_recorded(run: &RunState) -> SessionRun {
    SessionRun {
        run_id: run.id,
        attempt: run.attempt,
        started_at: run.started_at,
        ended_at: run.ended_at,
        usage: run.usage.clone().and_then(|usage| serde_json::from_value(usage).ok()),
        sandbox: run.sandbox.clone().and_then(|walls| serde_json::from_value(walls).ok()),
        result: run.result.clone(),
        error: run.error.clone(),
    }
}
