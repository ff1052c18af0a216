//! Holds what is under way of a session while a person wants it held, and lets it go on.

use super::advance::is_over;
use super::folder::Wish;
use super::pursuit::{LOOK, Pursuit};
use crate::control::Control;
use crate::failure::Result;
use crate::signals::Signals;
use spalla_domain::session::SessionStatus;
use spalla_domain::session_event::SessionChange;
use std::collections::BTreeSet;

impl Pursuit {
    /// Holds everything until a person lets it go on; tells whether that was so, and not a signal.
    pub(super) async fn pause(&mut self, control: &Control, signals: &mut Signals) -> Result<bool> {
        self.session.status = SessionStatus::Paused;
        self.folder.write(&self.session)?;
        let id = &self.session.id;
        self.screen.say(format_args!("paused; `spalla session resume {id}` lets it go on"))?;
        self.tell(control, SessionChange::Paused, None).await;
        let released = async {
            let mut held = BTreeSet::new();
            while self.folder.wish() == Some(Wish::Pause) {
                // What waited in the queue may have begun meanwhile.
                self.hold_new_runs(control, &mut held).await;
                tokio::time::sleep(LOOK).await;
            }
        };
        let goes_on = tokio::select! {
            () = released => true,
            _ = signals.next() => false,
        };
        self.let_runs_go_on(control).await;
        self.session.status = SessionStatus::Running;
        self.folder.write(&self.session)?;
        // Who wants it stopped does not want it to go on.
        if goes_on && self.folder.wish().is_none() {
            self.tell(control, SessionChange::Resumed, None).await;
        }
        Ok(goes_on)
    }

    /// Holds the runs that are under way and were not before.
    async fn hold_new_runs(&self, control: &Control, held: &mut BTreeSet<i64>) {
        for id in self.under_way() {
            match live_run(control, id).await {
                Ok(Some(run)) if held.insert(run) => said(id, control.hold_run(run, true).await),
                Ok(_) => {}
                Err(failure) => said(id, Err(failure)),
            }
        }
    }

    /// Lets all runs go on that are held.
    pub(super) async fn let_runs_go_on(&self, control: &Control) {
        for id in self.under_way() {
            said(id, hold(control, id, false).await);
        }
    }

    /// Returns the work items that have not come to their ends.
    fn under_way(&self) -> impl Iterator<Item = i64> {
        let items = self.session.items.iter().filter(|item| !is_over(item));
        items.filter_map(|item| item.work_item_id)
    }
}

/// Holds the run of a work item that is under way, or lets it go on.
pub(super) async fn hold(control: &Control, item: i64, held: bool) -> Result<()> {
    match live_run(control, item).await? {
        Some(run) => control.hold_run(run, held).await,
        None => Ok(()),
    }
}

async fn live_run(control: &Control, item: i64) -> Result<Option<i64>> {
    let run = control.newest_run(item).await?;
    Ok(run.filter(|run| run.ended_at.is_none()).map(|run| run.id))
}

/// What ended meanwhile needs nothing any more.
pub(super) fn said(item: i64, done: Result<()>) {
    if let Err(failure) = done {
        tracing::debug!("work item {item}: {failure}");
    }
}
