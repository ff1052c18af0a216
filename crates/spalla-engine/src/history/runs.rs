//! The laws of runs: one at a time, one holder, growing tokens, one end.

use super::standing::{End, Holds, Moment, Place, Run, Waiting};
use super::{History, Law};
use spalla_domain::event::Fact;
use spalla_domain::{Fence, RunId};

impl History {
    /// Takes an event about a run.
    pub(super) fn take_of_run(&mut self, moment: Moment, fact: &Fact) {
        let Some(id) = moment.run else {
            return self.break_law(Law::SubjectNamed, moment, format_args!("the event names no run"));
        };
        let known = match self.known(moment, id) {
            Ok(known) => known,
            Err(()) => return,
        };
        match (fact, known) {
            (Fact::RunCreated { .. }, Some(_)) => {
                self.break_law(Law::RunMadeFirst, moment, format_args!("the run was made before"));
            }
            (Fact::RunCreated { attempt }, None) => self.begun(moment, id, *attempt, None),
            (Fact::RunClaimed { attempt, fence, takeovers, .. }, None) => {
                self.begun(moment, id, *attempt, Some(*fence));
                if *takeovers != 0 {
                    let detail = format_args!("a new run is said to have been taken over {takeovers} times");
                    self.break_law(Law::TakeoversCount, moment, detail);
                }
            }
            (Fact::RunClaimed { attempt, fence, takeovers, .. }, Some(run)) => {
                if run.paused {
                    self.break_law(
                        Law::PausedRests,
                        moment,
                        format_args!("the run was paused, and was claimed"),
                    );
                }
                let run = self.claimed_again(moment, run, *attempt, *fence, *takeovers);
                self.runs.insert(id, run);
            }
            (_, None) => {
                self.break_law(Law::RunMadeFirst, moment, format_args!("the run was not made yet"));
            }
            (Fact::LeaseExpired { fence, .. }, Some(run)) => self.lease_over(moment, id, run, *fence),
            (Fact::LeaseResumed { fence, .. }, Some(run)) => self.lease_resumed(moment, id, run, *fence),
            (Fact::RunHandedBack { fence }, Some(run)) => {
                self.check_token(moment, run, *fence, "gave the run back");
                self.runs.insert(id, Run { held: false, fence: None, ..run });
            }
            (Fact::RunPaused {} | Fact::RunResumed {}, Some(run)) => {
                let paused = matches!(fact, Fact::RunPaused {});
                self.runs.insert(id, Run { paused, ..run });
            }
            (Fact::RunSucceeded { fence }, Some(run)) => self.completed(moment, run, *fence, End::Succeeded),
            (Fact::RunFailed { fence, class }, Some(run)) => {
                self.completed(moment, run, *fence, End::Failed(*class));
            }
            (Fact::RunCancelled {}, Some(run)) => self.ended(moment, run, End::Cancelled),
            (Fact::RunLost { takeovers }, Some(run)) => self.lost(moment, run, *takeovers),
            _ => {}
        }
    }

    /// Finds the run, unless nothing may happen to it any more.
    fn known(&mut self, moment: Moment, id: RunId) -> Result<Option<Run>, ()> {
        let Some(run) = self.runs.get(id).copied() else { return Ok(None) };
        if run.item != moment.item {
            let detail = format_args!("the run belongs to work item {}", run.item);
            self.break_law(Law::RunMadeFirst, moment, detail);
            return Err(());
        }
        if let Some(end) = run.end {
            let detail = format_args!("the run had ended already: {end:?}");
            self.break_law(Law::OneEnd, moment, detail);
            return Err(());
        }
        Ok(Some(run))
    }

    fn begun(&mut self, moment: Moment, id: RunId, attempt: u32, fence: Option<Fence>) {
        self.check_start(moment);
        let Some(item) = self.items.get_mut(moment.item) else { return };
        let (last, newest) = (item.attempt, item.fence);
        item.attempt = attempt;
        item.place = Place::Live(id);
        item.fence = newest.max(fence.unwrap_or(newest));
        let run = Run {
            item: moment.item,
            attempt,
            takeovers: 0,
            fence,
            fence_at_end: Fence::NONE,
            held: fence.is_some(),
            paused: false,
            end: None,
            is_kept: false,
        };
        self.runs.insert(id, run);
        if attempt != last + 1 {
            let detail = format_args!("the run is attempt {attempt}, and the one before was {last}");
            self.break_law(Law::AttemptsCount, moment, detail);
        }
        self.check_growth(moment, newest, fence);
    }

    fn check_growth(&mut self, moment: Moment, newest: Fence, fence: Option<Fence>) {
        if let Some(fence) = fence
            && fence <= newest
        {
            let detail = format_args!("the lease bears token {fence}, and {newest} was given out before");
            self.break_law(Law::FencesGrow, moment, detail);
        }
    }

    /// Checks that a run may begin now.
    fn check_start(&mut self, moment: Moment) {
        let Some(item) = self.items.get(moment.item) else { return };
        let rests = item.archived || self.archived_projects.contains(&item.project);
        let Holds { unmet, approvals, .. } = self.holds(item);
        match item.place {
            _ if rests => {
                let detail = format_args!("a run began, and the item or its project is archived");
                self.break_law(Law::ArchivedRests, moment, detail);
            }
            Place::Live(other) => {
                let detail = format_args!("a run began while run {other} was not over");
                self.break_law(Law::OneRunAtATime, moment, detail);
            }
            Place::Open => {
                self.break_law(Law::QueuedFirst, moment, format_args!("the item was not in the queue"));
            }
            Place::Finished(status) => {
                let detail = format_args!("the item was finished: {}", status.as_str());
                self.break_law(Law::QueuedFirst, moment, detail);
            }
            Place::Ended(_) => {
                self.break_law(Law::QueuedFirst, moment, format_args!("the run before had just ended"));
            }
            Place::Waiting(_) if approvals > 0 => {
                let detail = format_args!("a run began while {approvals} approvals were not given");
                self.break_law(Law::ApprovalsFirst, moment, detail);
            }
            Place::Waiting(_) if unmet > 0 => {
                let detail = format_args!("a run began while {unmet} dependencies were not met");
                self.break_law(Law::DependenciesFirst, moment, detail);
            }
            Place::Waiting(Waiting { ready: false, due_at, .. }) => {
                let due_at = due_at.map(|at| format!("; it was to wait until {at}")).unwrap_or_default();
                let detail = format_args!("a run began before the item was said to be ready{due_at}");
                self.break_law(Law::ReadyFirst, moment, detail);
            }
            Place::Waiting(_) => {}
        }
    }

    fn claimed_again(&mut self, moment: Moment, run: Run, attempt: u32, fence: Fence, takeovers: u32) -> Run {
        if run.held {
            let token = run.fence.unwrap_or(Fence::NONE);
            let detail = format_args!("the run was claimed while token {token} held it");
            self.break_law(Law::OneHolder, moment, detail);
        }
        let approvals = self.holds_of(moment.item).approvals;
        if approvals > 0 {
            let detail = format_args!("the run was claimed while {approvals} approvals were not given");
            self.break_law(Law::ApprovalsFirst, moment, detail);
        }
        if attempt != run.attempt {
            let detail = format_args!("the run was attempt {} and is said to be {attempt}", run.attempt);
            self.break_law(Law::AttemptsCount, moment, detail);
        }
        if let Some(item) = self.items.get_mut(moment.item) {
            let newest = item.fence;
            item.fence = newest.max(fence);
            self.check_growth(moment, newest, Some(fence));
        }
        let expected = run.takeovers + u32::from(run.fence.is_some());
        if takeovers != expected {
            let detail = format_args!("the claim counts {takeovers} takeovers, and there were {expected}");
            self.break_law(Law::TakeoversCount, moment, detail);
        } else if let Some(max) = self.rules.takeovers_max
            && takeovers > max
        {
            let detail = format_args!("takeover {takeovers} of a run that is lost after {max}");
            self.break_law(Law::LostAfterTakeovers, moment, detail);
        }
        Run { takeovers, fence: Some(fence), held: true, ..run }
    }

    fn check_token(&mut self, moment: Moment, run: Run, token: Fence, did: &str) {
        let newest = self.items.get(moment.item).map_or(Fence::NONE, |item| item.fence);
        if run.fence != Some(token) || token != newest {
            let own = run.fence.map_or("none".to_owned(), |fence| fence.to_string());
            let detail = format_args!(
                "token {token} {did}; the newest token of the item is {newest}, that of the run {own}"
            );
            self.break_law(Law::NewestFence, moment, detail);
        }
    }

    fn lease_over(&mut self, moment: Moment, id: RunId, run: Run, fence: Fence) {
        if run.held {
            self.check_token(moment, run, fence, "expired");
        } else {
            self.break_law(Law::OneHolder, moment, format_args!("a lease expired that nobody held"));
        }
        self.runs.insert(id, Run { held: false, ..run });
    }

    fn lease_resumed(&mut self, moment: Moment, id: RunId, run: Run, fence: Fence) {
        if run.held {
            self.break_law(Law::OneHolder, moment, format_args!("a lease resumed that was in force"));
        } else {
            self.check_token(moment, run, fence, "resumed its lease");
        }
        self.runs.insert(id, Run { held: true, ..run });
    }

    fn completed(&mut self, moment: Moment, run: Run, fence: Option<Fence>, end: End) {
        let approvals = self.holds_of(moment.item).approvals;
        match fence {
            Some(token) => self.check_token(moment, run, token, "completed the run"),
            None if run.held => {
                let token = run.fence.unwrap_or(Fence::NONE);
                let detail = format_args!("a person completed the run while token {token} held it");
                self.break_law(Law::ByHandWhileFree, moment, detail);
            }
            None if approvals > 0 => {
                let detail =
                    format_args!("a person completed the run while {approvals} approvals were not given");
                self.break_law(Law::ApprovalsFirst, moment, detail);
            }
            None => {}
        }
        self.ended(moment, run, end);
    }

    fn lost(&mut self, moment: Moment, run: Run, takeovers: u32) {
        if takeovers != run.takeovers {
            let detail =
                format_args!("the run is lost after {takeovers} takeovers, and there were {}", run.takeovers);
            self.break_law(Law::TakeoversCount, moment, detail);
        } else if run.held || run.fence.is_none() {
            let detail = format_args!("the run is lost, and no lease of it had expired");
            self.break_law(Law::LostAfterTakeovers, moment, detail);
        } else if let Some(max) = self.rules.takeovers_max
            && takeovers < max
        {
            let detail = format_args!("the run is lost after {takeovers} takeovers, and {max} are allowed");
            self.break_law(Law::LostAfterTakeovers, moment, detail);
        }
        self.ended(moment, run, End::Lost);
    }

    fn ended(&mut self, moment: Moment, run: Run, end: End) {
        let Some(id) = moment.run else { return };
        let Some(item) = self.items.get_mut(moment.item) else { return };
        let run = Run { held: false, end: Some(end), fence_at_end: item.fence, ..run };
        self.runs.insert(id, run);
        if item.place == Place::Live(id) {
            item.place = Place::Ended(end);
            self.touched.push(moment);
        }
    }
}
