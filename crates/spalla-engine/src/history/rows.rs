//! Compares what follows from the log with the rows that the store keeps: nothing is lost, nothing is there that the
//! log does not explain, and what both know is the same.

use super::law::{Findings, Subject};
use super::standing::{End, Holds, Place, Run, Waiting};
use super::{History, Law};
use spalla_domain::approval::Approval;
use spalla_domain::problem::Code;
use spalla_domain::run::Status as RunStatus;
use spalla_domain::{Fence, RunId, WorkItemId};
use spalla_store::view::{EntryView, RunView, WorkItemView};
use std::fmt::Debug;

/// One reading of all rows beside a history.
pub(super) struct Rows<'a> {
    history: &'a mut History,
    findings: Findings,
}

impl<'a> Rows<'a> {
    /// Begins a reading.
    pub(super) fn new(history: &'a mut History) -> Self {
        for item in history.items.values_mut() {
            (item.is_kept, item.has_entry) = (false, false);
        }
        history.runs.values_mut().for_each(|run| run.is_kept = false);
        history.approvals.values_mut().for_each(|asked| asked.is_kept = false);
        Self { history, findings: Findings::default() }
    }

    /// Takes a work item's row.
    pub(super) fn work_item(&mut self, view: &WorkItemView) {
        let id = view.item.id;
        let Some(item) = self.history.items.get_mut(id) else {
            return self.findings.add(Law::ItemKept, of_item(id), format_args!("no event tells of the item"));
        };
        item.is_kept = true;
        let law = Law::ItemAsLogged;
        self.findings.compare(law, of_item(id), "status", view.status, item.status());
        self.findings.compare(law, of_item(id), "project", view.item.project_id, item.project);
        self.findings.compare(law, of_item(id), "critical", view.item.spec.critical, item.critical);
        let same_edges = view.depends_on.len() == item.above.len()
            && view.depends_on.iter().all(|edge| item.above.contains(edge));
        if !same_edges {
            let detail = format_args!(
                "depends_on is {:?} in the row and {:?} by the log",
                view.depends_on, item.above
            );
            self.findings.add(law, of_item(id), detail);
        }
    }

    /// Takes a run's row.
    pub(super) fn run(&mut self, view: &RunView) {
        let about = Subject { seq: None, item: Some(view.work_item_id), run: Some(view.id) };
        let Some(run) = self.history.runs.get_mut(view.id) else {
            return self.findings.add(Law::RunKept, about, format_args!("no event tells of the run"));
        };
        run.is_kept = true;
        let law = Law::RunAsLogged;
        self.findings.compare(law, about, "work_item_id", view.work_item_id, run.item);
        self.findings.compare(law, about, "status", view.status, status(run));
        self.findings.compare(law, about, "attempt", view.attempt, run.attempt);
        self.findings.compare(law, about, "takeovers", view.takeovers, run.takeovers);
        self.findings.compare(law, about, "fencing_token", view.fence, newest_fence(run));
    }

    /// Takes an approval's row.
    pub(super) fn approval(&mut self, approval: &Approval) {
        let (id, about) = (approval.id, of_item(approval.work_item_id));
        let Some(asked) = self.history.approvals.get_mut(id) else {
            let detail = format_args!("no event tells of approval {id}");
            return self.findings.add(Law::ApprovalKept, about, detail);
        };
        asked.is_kept = true;
        let law = Law::ApprovalAsLogged;
        self.findings.compare(law, about, "work_item_id of an approval", approval.work_item_id, asked.item);
        self.findings.compare(law, about, "status of an approval", approval.status, asked.status);
    }

    /// Takes a queue entry's row.
    pub(super) fn entry(&mut self, view: &EntryView) {
        let about = of_item(view.work_item_id);
        let Some(item) = self.history.items.get_mut(view.work_item_id) else {
            return self.findings.add(Law::EntryKept, about, format_args!("the entry's item is in no event"));
        };
        let Place::Waiting(waiting) = item.place else {
            let status = item.status();
            let detail = format_args!("the item has a queue entry, and by the log it is {}", status.as_str());
            return self.findings.add(Law::EntryKept, about, detail);
        };
        item.has_entry = true;
        let (rejected, holds) = (item.rejected, self.history.holds_of(view.work_item_id));
        let law = Law::EntryAsLogged;
        self.findings.compare(law, about, "unmet", view.unmet, holds.unmet);
        self.findings.compare(law, about, "approvals", view.approvals, holds.approvals);
        self.findings.compare(law, about, "due_at", view.due_at, waiting.due_at);
        if !explains(waiting, holds, rejected, view.reason) {
            let detail = format_args!(
                "the reason is {:?} in the row; by the log {} dependencies and {} approvals are missing, due at {:?}",
                view.reason, holds.unmet, holds.approvals, waiting.due_at
            );
            self.findings.add(law, about, detail);
        }
    }

    /// Says that all rows were read; returns what was found.
    pub(super) fn end(mut self) -> Findings {
        for (id, item) in self.history.items.iter() {
            if !item.is_kept {
                self.findings.add(Law::ItemKept, of_item(id), format_args!("the store has lost the item"));
            } else if matches!(item.place, Place::Waiting(_)) && !item.has_entry {
                let detail = format_args!("the item waits by the log, and has no queue entry");
                self.findings.add(Law::EntryKept, of_item(id), detail);
            }
        }
        for (id, run) in self.history.runs.iter() {
            if !run.is_kept {
                let about = of_run(id, run);
                self.findings.add(Law::RunKept, about, format_args!("the store has lost the run"));
            }
        }
        for (id, asked) in self.history.approvals.iter().filter(|(_, asked)| !asked.is_kept) {
            let detail = format_args!("the store has lost approval {id}");
            self.findings.add(Law::ApprovalKept, of_item(asked.item), detail);
        }
        self.findings
    }
}

impl Findings {
    fn compare<T: PartialEq + Debug>(&mut self, law: Law, about: Subject, what: &str, row: T, log: T) {
        if row != log {
            self.add(law, about, format_args!("{what} is {row:?} in the row and {log:?} by the log"));
        }
    }
}

impl History {
    /// Checks that all has drained: nothing is ready, waits for its time alone, or has a run that is not over. What
    /// waits for a dependency or an approval that the log leaves open stays justified, and so does what an archived
    /// project keeps.
    pub fn check_drained(&mut self) {
        self.settle();
        for (id, item) in self.items.iter() {
            let detail = match item.place {
                _ if self.archived_projects.contains(&item.project) => continue,
                Place::Waiting(waiting) => match waits_for(waiting, self.holds(item)) {
                    Some(what) => what,
                    None => continue,
                },
                Place::Live(_) | Place::Ended(_) => "has a run that is not over",
                Place::Open | Place::Finished(_) => continue,
            };
            self.findings.add(
                Law::Drained,
                of_item(id),
                format_args!("all has drained, and the item {detail}"),
            );
        }
    }
}

/// Says what an item waits for that a drained store can't lack; none where its wait is justified.
fn waits_for(waiting: Waiting, holds: Holds) -> Option<&'static str> {
    match (waiting.ready, holds) {
        (true, _) => Some("is ready"),
        (false, Holds { unmet: 0, approvals: 0, .. }) => Some("waits for its time alone"),
        (false, _) => None,
    }
}

fn of_item(id: WorkItemId) -> Subject {
    Subject { item: Some(id), ..Subject::default() }
}

fn of_run(id: RunId, run: &Run) -> Subject {
    Subject { seq: None, item: Some(run.item), run: Some(id) }
}

fn status(run: &Run) -> RunStatus {
    match (run.end, run.held) {
        (Some(End::Succeeded), _) => RunStatus::Succeeded,
        (Some(End::Failed(_)), _) => RunStatus::Failed,
        (Some(End::Cancelled), _) => RunStatus::Cancelled,
        (Some(End::Lost), _) => RunStatus::Lost,
        (None, true) => RunStatus::Running,
        (None, false) => RunStatus::Pending,
    }
}

fn newest_fence(run: &Run) -> Option<Fence> {
    match run.end {
        Some(_) => Some(run.fence_at_end).filter(|fence| *fence != Fence::NONE),
        None => run.fence,
    }
}

/// Tells whether the log explains why an entry does not start.
fn explains(waiting: Waiting, holds: Holds, rejected: u32, reason: Option<Code>) -> bool {
    if holds.broken.is_some() {
        let reasons = [Code::DependencyFailed, Code::DependencyCancelled, Code::DependencySucceeded];
        return reason.is_some_and(|reason| reasons.contains(&reason));
    }
    reason
        == match holds {
            Holds { approvals: 1.., .. } if rejected > 0 => Some(Code::ApprovalRejected),
            Holds { unmet: 1.., .. } => Some(Code::DependenciesUnmet),
            Holds { approvals: 1.., .. } => Some(Code::ApprovalPending),
            _ if waiting.ready => None,
            _ => Some(Code::Delayed),
        }
}
