//! The history checker: reads the event log in order, derives from it alone what every item and run went through, and
//! names each law that is broken on the way. It shares no rule with the store but what an edge means, so that a defect
//! of a rule is seen here.
//!
//! ```text
//!  events ──► History::take ──► standing of each item and run ──► compare with rows ──► violations
//! ```

mod check;
mod law;
mod rows;
mod runs;
mod settle;
mod shelf;
mod standing;
mod waiting;

pub use check::{Report, check};
pub use law::{Law, Violation};

use law::{Findings, Subject};
use shelf::Shelf;
use spalla_domain::approval;
use spalla_domain::event::{Event, Fact};
use spalla_domain::queue::edge::{self, Edge};
use spalla_domain::work_item::Dependency;
use spalla_domain::{ApprovalId, EventSeq, ProjectId, RunId, WorkItemId};
use standing::{Holds, Item, Moment, Place, Run};
use std::collections::BTreeSet;

/// What the checker has to know of the settings under which the history came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether an undecided or refused approval holds its item.
    pub approvals_required: bool,
    /// How often a run may be taken over before it is lost; none where that is not known.
    pub takeovers_max: Option<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { approvals_required: true, takeovers_max: None }
    }
}

/// How much a history holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Events.
    pub events: u64,
    /// Work items.
    pub items: u64,
    /// Runs.
    pub runs: u64,
}

/// A history as far as it was read. Events are taken one by one, in the order of the log.
#[derive(Debug, Clone)]
pub struct History {
    rules: Rules,
    events: u64,
    newest: Option<EventSeq>,
    items: Shelf<WorkItemId, Item>,
    runs: Shelf<RunId, Run>,
    approvals: Shelf<ApprovalId, Asked>,
    archived_projects: BTreeSet<ProjectId>,
    /// Items of which the next events have to tell what became of them.
    touched: Vec<Moment>,
    /// The item that the last event finished: that it is put away belongs to the same change.
    just_finished: Option<WorkItemId>,
    findings: Findings,
}

/// An approval.
#[derive(Debug, Clone, Copy)]
struct Asked {
    item: WorkItemId,
    status: approval::Status,
    /// An agent asked in the middle of its work.
    in_turn: bool,
    /// Found among the store's rows.
    is_kept: bool,
}

impl History {
    /// Makes an empty history.
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            events: 0,
            newest: None,
            items: Shelf::new(),
            runs: Shelf::new(),
            approvals: Shelf::new(),
            archived_projects: BTreeSet::new(),
            touched: vec![],
            just_finished: None,
            findings: Findings { kept: vec![], count: 0 },
        }
    }

    /// Takes the next event.
    pub fn take(&mut self, event: &Event) {
        self.events += 1;
        let about = Subject { seq: Some(event.seq), item: event.work_item_id, run: event.run_id };
        if let Some(newest) = self.newest
            && event.seq <= newest
        {
            let detail = format_args!("the event before bears number {newest}");
            self.findings.add(Law::SequenceGrows, about, detail);
        }
        self.newest = self.newest.max(Some(event.seq));
        if !self.goes_on(event) {
            self.settle();
        }
        self.just_finished = None;
        match (&event.fact, event.work_item_id) {
            // What is said of a project alone.
            (
                Fact::ProjectCreated { .. }
                | Fact::ProjectUpdated {}
                | Fact::VisionChanged { .. }
                | Fact::DraftProposed { .. }
                | Fact::DraftEdited { .. }
                | Fact::DraftDecided { .. }
                | Fact::QuotaChanged { .. }
                | Fact::AgentStateChanged { .. }
                | Fact::RegistryReloaded(_)
                | Fact::RegistryRefused(_)
                | Fact::ReceiverUnknown { .. }
                | Fact::AliasSet { .. }
                | Fact::AliasRemoved { .. }
                | Fact::MessageSent { .. }
                | Fact::MessageAcknowledged { .. }
                | Fact::MessageExpired { .. }
                | Fact::SessionBegun(_)
                | Fact::SessionPaused(_)
                | Fact::SessionResumed(_)
                | Fact::SessionWaiting(_)
                | Fact::SessionStopped(_)
                | Fact::SessionEnded(_),
                _,
            ) => {}
            (Fact::ProjectArchived {}, _) => {
                self.archived_projects.insert(event.project_id);
            }
            (_, None) => {
                self.findings.add(Law::SubjectNamed, about, format_args!("the event names no work item"));
            }
            (fact, Some(item)) => {
                let moment = Moment { seq: event.seq, at: event.at, item, run: event.run_id };
                self.take_of_item(moment, event.project_id, fact);
            }
        }
    }

    /// Returns the violations found so far: the first thousand of them, in order.
    pub fn violations(&self) -> &[Violation] {
        &self.findings.kept
    }

    /// Returns how many violations were found so far.
    pub const fn violation_count(&self) -> u64 {
        self.findings.count
    }

    /// Returns how much was read.
    pub fn counts(&self) -> Counts {
        Counts { events: self.events, items: self.items.len() as u64, runs: self.runs.len() as u64 }
    }

    /// Returns the number of the newest event that was taken.
    pub const fn newest(&self) -> Option<EventSeq> {
        self.newest
    }

    fn take_of_item(&mut self, moment: Moment, project: ProjectId, fact: &Fact) {
        if let Fact::WorkItemCreated { critical, depends_on, .. } = fact {
            return self.made(moment, project, *critical, depends_on);
        }
        let Some(item) = self.items.get(moment.item) else {
            return self.break_law(Law::ItemMadeFirst, moment, format_args!("the item was not made yet"));
        };
        let before = item.parent();
        match fact {
            Fact::ProjectCreated { .. } | Fact::ProjectUpdated {} | Fact::ProjectArchived {} => {}
            Fact::WorkItemCreated { .. } => {}
            Fact::WorkItemUpdated { changed } => self.updated(moment, changed),
            Fact::WorkItemQueued { unmet, approvals, due_at } => {
                self.queued(moment, *unmet, *approvals, *due_at);
            }
            Fact::DependencyAdded { depends_on, when } => {
                self.dependency_added(moment, Dependency { id: *depends_on, when: *when });
            }
            Fact::WorkItemBlocked { reason, by } => self.blocked(moment, *reason, *by),
            Fact::WorkItemUnblocked {} => self.unblocked(moment),
            Fact::WorkItemReady {} => self.ready(moment),
            Fact::RetryScheduled { failures, due_at } => self.retry_scheduled(moment, *failures, *due_at),
            Fact::WorkItemFinished { status } => self.finished(moment, *status),
            Fact::WorkItemRequeued { due_at } => self.requeued(moment, *due_at),
            Fact::WorkItemArchived {} => self.archived(moment),
            Fact::ApprovalRequested { approval_id, in_turn, .. } => {
                self.approval_requested(moment, *approval_id, *in_turn);
            }
            Fact::ApprovalDecided { approval_id, status, .. } => {
                self.approval_decided(moment, *approval_id, *status);
            }
            Fact::RunCreated { .. }
            | Fact::RunClaimed { .. }
            | Fact::LeaseExpired { .. }
            | Fact::LeaseResumed { .. }
            | Fact::RunHandedBack { .. }
            | Fact::RunSucceeded { .. }
            | Fact::RunFailed { .. }
            | Fact::RunCancelled {}
            | Fact::RunPaused {}
            | Fact::RunResumed {}
            | Fact::RunLost { .. } => self.take_of_run(moment, fact),
            // They move nothing: no law speaks of them.
            Fact::ApprovalVoted { .. }
            | Fact::CommandFound { .. }
            | Fact::HostRefused { .. }
            | Fact::AgentTold(_)
            | Fact::AgentStateChanged { .. }
            | Fact::AgentMissing { .. }
            | Fact::RegistryReloaded(_)
            | Fact::RegistryRefused(_)
            | Fact::ReceiverUnknown { .. }
            | Fact::AliasSet { .. }
            | Fact::AliasRemoved { .. }
            | Fact::MessageSent { .. }
            | Fact::MessageAcknowledged { .. }
            | Fact::MessageExpired { .. }
            | Fact::SessionBegun(_)
            | Fact::SessionPaused(_)
            | Fact::SessionResumed(_)
            | Fact::SessionWaiting(_)
            | Fact::SessionStopped(_)
            | Fact::SessionEnded(_)
            | Fact::InfoRequested { .. }
            | Fact::InfoAnswered { .. }
            | Fact::InfoCancelled { .. }
            | Fact::ArtifactStored { .. }
            | Fact::VisionChanged { .. }
            | Fact::DraftProposed { .. }
            | Fact::DraftEdited { .. }
            | Fact::DraftDecided { .. }
            | Fact::QuotaChanged { .. }
            | Fact::ScheduleCreated { .. }
            | Fact::ScheduleChanged { .. }
            | Fact::ScheduleRemoved { .. }
            | Fact::ScheduleFired { .. }
            | Fact::ScheduleSkipped { .. }
            | Fact::HeartbeatMiss { .. } => {}
            Fact::PriorityMoved { priority, set, .. } => self.priority_moved(moment, *priority, *set),
        }
        self.touch_children(moment, before);
    }

    /// Adds what waits for an item to what has to be told of, where its edge changed.
    fn touch_children(&mut self, moment: Moment, before: edge::Parent) {
        let Some(item) = self.items.get(moment.item) else { return };
        let after = item.parent();
        if before == after {
            return;
        }
        for Dependency { id: child, when } in &item.below {
            if edge::state(*when, before) != edge::state(*when, after) {
                self.touched.push(Moment { item: *child, run: None, ..moment });
            }
        }
    }

    /// Returns what keeps an item from starting, by its edges and approvals.
    fn holds(&self, item: &Item) -> Holds {
        let mut holds = Holds::default();
        for Dependency { id, when } in &item.above {
            let Some(parent) = self.items.get(*id) else { continue };
            match edge::state(*when, parent.parent()) {
                Edge::Met => {}
                Edge::Waiting => holds.unmet += 1,
                Edge::Broken(reason) => {
                    holds.unmet += 1;
                    holds.broken = holds.broken.or(Some((*id, reason)));
                }
            }
        }
        if self.rules.approvals_required {
            holds.approvals = item.pending + item.rejected;
        }
        holds
    }

    /// Returns what keeps the item from starting.
    fn holds_of(&self, id: WorkItemId) -> Holds {
        self.items.get(id).map(|item| self.holds(item)).unwrap_or_default()
    }

    fn place_of(&self, id: WorkItemId) -> Place {
        self.items.get(id).map_or(Place::Open, |item| item.place)
    }

    fn set_place(&mut self, id: WorkItemId, place: Place) {
        if let Some(item) = self.items.get_mut(id) {
            item.place = place;
        }
    }

    fn break_law(&mut self, law: Law, moment: Moment, detail: std::fmt::Arguments<'_>) {
        self.findings.add(law, moment.subject(), detail);
    }
}

#[cfg(test)]
mod tests;
