//! The desk: the rows that one batch works on. Loads them in sets, hands them to the operations one command after
//! another, remembers how they were, and writes the differences back in sets. It decides nothing.

mod documents;
mod item;
mod queues;

use crate::batch::Context;
use crate::command::Scope;
use crate::document::{Document, Kind};
use crate::error::{ExecuteError, StoreError};
use crate::operations::scorecards::Note;
use crate::tx::{Changes, EdgeRow, EndedRun, Foreseen, Head, Ids, PlaceRow, Placed, Result, Sequence, Tx};
pub(crate) use item::{FRESH, Item};
use item::{compare, waits_until};
use queues::KnownQueues;
pub(crate) use queues::{Caps, Need};
use spalla_domain::approval::Approval;
use spalla_domain::audit::NewEntry;
use spalla_domain::event::{Event, Fact, NewEvent};
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::project::Project;
use spalla_domain::queue::{Place, Standing, Step};
use spalla_domain::quota::{Usage, Used, UtcDay};
use spalla_domain::{ProjectId, Refusal, RunId, Timestamp, WorkItemId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The answer of an operation.
pub(crate) type Answer<T> = std::result::Result<T, ExecuteError>;

/// A run, live or over.
pub(crate) enum Run {
    /// Not over; it is the live run of this item.
    Live(WorkItemId),
    /// Over.
    Ended(Box<EndedRun>),
}

/// What there was before something that may be undone.
pub(crate) struct Before {
    facts: usize,
    used: BTreeMap<ProjectId, Used>,
}

/// The rows of one batch.
pub(crate) struct Desk<'t, T> {
    pub(crate) tx: &'t mut T,
    pub(crate) context: Context<'t>,
    /// Within what the request that is applied has to stay.
    pub(crate) scope: Option<Arc<Scope>>,
    /// What operations want in the audit besides the requests themselves.
    pub(crate) noted: Vec<NewEntry>,
    /// What operations want in the records of agents.
    pub(crate) scored: Vec<(ProjectId, Note)>,
    projects: BTreeMap<ProjectId, Option<Project>>,
    items: BTreeMap<WorkItemId, Option<Item>>,
    live: BTreeMap<RunId, WorkItemId>,
    ended: BTreeMap<RunId, Option<EndedRun>>,
    above: BTreeMap<WorkItemId, Vec<EdgeRow>>,
    below: BTreeMap<WorkItemId, Vec<EdgeRow>>,
    log_ends: BTreeMap<RunId, i64>,
    queues: Option<KnownQueues>,
    used: BTreeMap<ProjectId, Used>,
    approvals: BTreeMap<WorkItemId, Vec<Approval>>,
    documents: BTreeMap<(Kind, i64), Option<Document>>,
    reserved: BTreeMap<Sequence, Ids>,
    /// The earliest moment at which the clock moves something that was written here.
    pub(crate) waits_until: Option<Timestamp>,
    /// New and changed rows other than places and entries, which are found by comparing.
    pub(crate) staged: Changes,
}

impl<'t, T: Tx> Desk<'t, T> {
    /// Makes an empty desk in an open transaction.
    pub(crate) fn new(tx: &'t mut T, context: Context<'t>) -> Self {
        Self {
            tx,
            context,
            scope: None,
            noted: vec![],
            scored: vec![],
            projects: BTreeMap::new(),
            items: BTreeMap::new(),
            live: BTreeMap::new(),
            ended: BTreeMap::new(),
            above: BTreeMap::new(),
            below: BTreeMap::new(),
            log_ends: BTreeMap::new(),
            queues: None,
            used: BTreeMap::new(),
            approvals: BTreeMap::new(),
            documents: BTreeMap::new(),
            reserved: BTreeMap::new(),
            waits_until: None,
            staged: Changes::default(),
        }
    }

    /// Lets everything be loaded at once that the batch is sure to ask for.
    pub(crate) async fn foresee(&mut self, foreseen: &Foreseen) -> Result<()> {
        self.reserved.extend(self.tx.foresee(foreseen).await?);
        Ok(())
    }

    /// Takes ids of a sequence so that the next ones need no round trip each.
    pub(crate) async fn reserve(&mut self, sequence: Sequence, count: usize) -> Result<()> {
        let known = self.reserved.get(&sequence).cloned().unwrap_or_default();
        if ((known.end - known.start) as usize) < count {
            self.tx.give_back(sequence, known);
            let first = self.tx.allocate(sequence, count).await?;
            self.reserved.insert(sequence, first..first + count as i64);
        }
        Ok(())
    }

    /// Gives back what was reserved and is not used.
    pub(crate) fn give_back(&mut self) {
        for (sequence, ids) in std::mem::take(&mut self.reserved) {
            self.tx.give_back(sequence, ids);
        }
    }

    /// Returns the next id of a sequence.
    pub(crate) async fn next_id(&mut self, sequence: Sequence) -> Result<i64> {
        self.reserve(sequence, 1).await?;
        self.reserved
            .get_mut(&sequence)
            .and_then(Iterator::next)
            .ok_or_else(|| StoreError::Corrupt(format!("sequence {sequence:?} is exhausted")))
    }

    /// Loads projects that are not on the desk yet.
    pub(crate) async fn load_projects(&mut self, ids: impl IntoIterator<Item = ProjectId>) -> Result<()> {
        let wanted: BTreeSet<_> = ids.into_iter().filter(|id| !self.projects.contains_key(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let found = self.tx.projects(&wanted).await?;
        self.projects.extend(wanted.into_iter().map(|id| (id, None)));
        self.projects.extend(found.into_iter().map(|project| (project.id, Some(project))));
        Ok(())
    }

    /// Returns a project.
    pub(crate) async fn project(&mut self, id: ProjectId) -> Answer<Project> {
        self.load_projects([id]).await?;
        let project = self.projects.get(&id).cloned().flatten();
        Ok(project.ok_or_else(|| Refusal::not_found("project", id))?)
    }

    /// Keeps a new or changed project on the desk.
    pub(crate) fn keep_project(&mut self, project: Project) {
        self.projects.insert(project.id, Some(project));
    }

    /// Loads and locks items that are not on the desk yet.
    pub(crate) async fn load_items(&mut self, ids: impl IntoIterator<Item = WorkItemId>) -> Result<()> {
        let wanted: BTreeSet<_> = ids.into_iter().filter(|id| !self.items.contains_key(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let (heads, places) = self.tx.items(&wanted).await?;
        self.items.extend(wanted.into_iter().map(|id| (id, None)));
        self.lay_out(heads, places, true)
    }

    /// Lays picked items on the desk; returns their ids in the order given.
    pub(crate) async fn adopt(&mut self, places: Vec<Placed>) -> Result<Vec<WorkItemId>> {
        let order: Vec<_> = places.iter().map(|placed| placed.id).collect();
        let new: Vec<_> = places.into_iter().filter(|placed| !self.is_here(placed.id)).collect();
        if !new.is_empty() {
            let ids: Vec<_> = new.iter().map(|placed| placed.id).collect();
            let heads = self.tx.heads(&ids).await?;
            self.lay_out(heads, new, false)?;
        }
        Ok(order)
    }

    fn is_here(&self, id: WorkItemId) -> bool {
        matches!(self.items.get(&id), Some(Some(_)))
    }

    fn lay_out(&mut self, heads: Vec<Head>, places: Vec<Placed>, may_be_open: bool) -> Result<()> {
        let mut places: BTreeMap<_, _> = places.into_iter().map(|placed| (placed.id, placed)).collect();
        for head in heads {
            let (standing, place) = match places.remove(&head.id) {
                Some(placed) => (placed.standing, placed.place),
                None if may_be_open && head.entry.is_none() => (FRESH, Place::Open),
                // It has an entry, so it stands somewhere: another writer moved it between two loads.
                None => return Err(StoreError::Conflict { what: "a queue entry" }),
            };
            if let Place::Leased(run) = &place {
                self.live.insert(run.id, head.id);
            }
            self.items.insert(head.id, Some(Item::loaded(head, standing, place)));
        }
        match places.into_keys().next() {
            None => Ok(()),
            Some(id) => Err(StoreError::Corrupt(format!(
                "work item {id} has a place in the queue and does not exist"
            ))),
        }
    }

    /// Puts a new item on the desk.
    pub(crate) fn make_item(&mut self, head: Head) {
        self.below.insert(head.id, vec![]);
        self.approvals.insert(head.id, vec![]);
        self.items.insert(head.id, Some(Item::loaded(head, FRESH, Place::Open)));
    }

    /// Returns an item, locked.
    pub(crate) async fn item(&mut self, id: WorkItemId) -> Answer<&mut Item> {
        self.load_items([id]).await?;
        let item = self.items.get_mut(&id).and_then(Option::as_mut);
        Ok(item.ok_or_else(|| Refusal::not_found("work item", id))?)
    }

    /// Loads the items whose live run is named, and the runs that are over.
    pub(crate) async fn load_runs(&mut self, ids: impl IntoIterator<Item = RunId>) -> Result<()> {
        let known = |id: &RunId| self.live.contains_key(id) || self.ended.contains_key(id);
        let wanted: BTreeSet<_> = ids.into_iter().filter(|id| !known(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let live = self.tx.live_runs(&wanted).await?;
        self.adopt(live).await?;
        let over: Vec<_> = wanted.into_iter().filter(|id| !self.live.contains_key(id)).collect();
        if !over.is_empty() {
            let found = self.tx.ended_runs(&over).await?;
            self.ended.extend(over.into_iter().map(|id| (id, None)));
            self.ended.extend(found.into_iter().map(|run| (run.id, Some(run))));
        }
        Ok(())
    }

    /// Returns a run, live or over.
    pub(crate) async fn run(&mut self, id: RunId) -> Answer<Run> {
        self.load_runs([id]).await?;
        if let Some(Some(run)) = self.ended.get(&id) {
            return Ok(Run::Ended(Box::new(run.clone())));
        }
        match self.live.get(&id) {
            Some(item) => Ok(Run::Live(*item)),
            None => Err(Refusal::not_found("run", id).into()),
        }
    }

    /// Records that a run is over.
    pub(crate) fn end_run(&mut self, run: EndedRun) {
        self.live.remove(&run.id);
        self.ended.insert(run.id, Some(run.clone()));
        self.staged.runs_ended.push(run);
    }

    /// Loads what items wait for, in one go.
    pub(crate) async fn load_edges_above(&mut self, ids: impl IntoIterator<Item = WorkItemId>) -> Result<()> {
        let wanted: BTreeSet<_> = ids.into_iter().filter(|id| !self.above.contains_key(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let edges = self.tx.edges_above(&wanted).await?;
        self.above.extend(wanted.into_iter().map(|id| (id, vec![])));
        for edge in edges {
            self.above.entry(edge.child).or_default().push(edge);
        }
        Ok(())
    }

    /// Returns what an item waits for.
    pub(crate) async fn edges_above(&mut self, id: WorkItemId) -> Result<Vec<EdgeRow>> {
        self.load_edges_above([id]).await?;
        Ok(self.above[&id].clone())
    }

    /// Loads the approvals of items, in one go.
    pub(crate) async fn load_approvals(&mut self, ids: impl IntoIterator<Item = WorkItemId>) -> Result<()> {
        let wanted: BTreeSet<_> = ids.into_iter().filter(|id| !self.approvals.contains_key(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let found = self.tx.approvals_of(&wanted).await?;
        self.approvals.extend(wanted.into_iter().map(|id| (id, vec![])));
        for approval in found {
            self.approvals.entry(approval.work_item_id).or_default().push(approval);
        }
        Ok(())
    }

    /// Returns an item's approvals as they are written.
    pub(crate) async fn approvals(&mut self, id: WorkItemId) -> Result<Vec<Approval>> {
        self.load_approvals([id]).await?;
        Ok(self.approvals[&id].clone())
    }

    /// Loads what waits for items, in one go.
    pub(crate) async fn load_edges_below(&mut self, ids: impl IntoIterator<Item = WorkItemId>) -> Result<()> {
        let wanted: BTreeSet<_> = ids.into_iter().filter(|id| !self.below.contains_key(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let edges = self.tx.edges_below(&wanted).await?;
        self.below.extend(wanted.into_iter().map(|id| (id, vec![])));
        for edge in edges {
            self.below.entry(edge.parent).or_default().push(edge);
        }
        Ok(())
    }

    /// Loads what waits for the items of runs that are on the desk and not over.
    pub(crate) async fn load_edges_below_runs(&mut self, runs: &[RunId]) -> Result<()> {
        let items: Vec<_> = runs.iter().filter_map(|run| self.live.get(run).copied()).collect();
        self.load_edges_below(items).await
    }

    /// Returns what waits for an item.
    pub(crate) async fn edges_below(&mut self, id: WorkItemId) -> Result<Vec<EdgeRow>> {
        self.load_edges_below([id]).await?;
        Ok(self.below[&id].clone())
    }

    /// Adds a dependency edge between items that are on the desk.
    pub(crate) async fn add_edge(&mut self, edge: EdgeRow) -> Result<()> {
        self.edges_above(edge.child).await?;
        self.edges_below(edge.parent).await?;
        self.above.entry(edge.child).or_default().push(edge);
        self.below.entry(edge.parent).or_default().push(edge);
        self.staged.edges_made.push(edge);
        Ok(())
    }

    /// Tells the desk that a new item waits for nothing yet.
    pub(crate) fn make_edges(&mut self, id: WorkItemId) {
        self.above.insert(id, vec![]);
    }

    /// Returns the number of a run's next log line; the first kept line is 1.
    pub(crate) async fn log_end(&mut self, run: RunId) -> Result<i64> {
        self.load_log_ends([run]).await?;
        Ok(self.log_ends[&run])
    }

    /// Loads the numbers of next log lines.
    pub(crate) async fn load_log_ends(&mut self, runs: impl IntoIterator<Item = RunId>) -> Result<()> {
        let wanted: BTreeSet<_> = runs.into_iter().filter(|id| !self.log_ends.contains_key(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let found = self.tx.log_ends(&wanted).await?;
        self.log_ends.extend(wanted.into_iter().map(|id| (id, 1)));
        self.log_ends.extend(found);
        Ok(())
    }

    /// Remembers the number of a run's next log line.
    pub(crate) fn set_log_end(&mut self, run: RunId, next_seq: i64) {
        self.log_ends.insert(run, next_seq);
    }

    /// Counts what a project used.
    pub(crate) fn use_up(&mut self, project_id: ProjectId, used: Used) {
        let known = self.used.entry(project_id).or_default();
        *known = known.plus(used);
    }

    /// Moves an item on the desk to where a rule says, with the facts.
    pub(crate) fn step(&mut self, id: WorkItemId, step: Step) {
        let Some(Some(item)) = self.items.get_mut(&id) else { return };
        let before = item.live_run().map(|run| run.id);
        item.place = step.place;
        item.standing = Standing { prio: item.standing.prio, ..step.standing };
        let run = item.live_run().map(|run| run.id);
        if let Some(run) = run {
            self.live.insert(run, id);
        }
        self.facts(id, run.or(before), step.facts);
    }

    /// Records facts about an item and its run.
    pub(crate) fn facts(&mut self, id: WorkItemId, run_id: Option<RunId>, facts: Vec<Fact>) {
        let Some(Some(item)) = self.items.get(&id) else { return };
        let project_id = item.head.project_id;
        for fact in facts {
            let about_run = matches!(
                fact,
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
                    | Fact::CommandFound { .. }
                    | Fact::HostRefused { .. }
                    | Fact::AgentTold(_)
                    | Fact::MessageSent { .. }
                    | Fact::MessageAcknowledged { .. }
                    | Fact::InfoRequested { .. }
                    | Fact::InfoAnswered { .. }
                    | Fact::InfoCancelled { .. }
                    | Fact::ArtifactStored { .. }
                    | Fact::RunLost { .. }
            );
            let run_id = run_id.filter(|_| about_run);
            self.fact(project_id, Some(id), run_id, fact);
        }
    }

    /// Records one fact.
    pub(crate) fn fact(
        &mut self,
        project_id: ProjectId,
        work_item_id: Option<WorkItemId>,
        run_id: Option<RunId>,
        fact: Fact,
    ) {
        let at = self.context.now;
        #[cfg(debug_assertions)]
        if plant::is(Plant::EventForgotten) && matches!(fact, Fact::RunHandedBack { .. }) {
            return;
        }
        self.staged.events.push(NewEvent { at, project_id, work_item_id, run_id, fact });
    }

    /// Takes note that the clock moves something at a moment.
    fn wait_until(&mut self, at: Timestamp) {
        self.context.timekeeper.note(at);
        self.waits_until = Some(self.waits_until.map_or(at, |known| known.min(at)));
    }

    /// Returns what a project used on the day of the batch, with what the batch adds.
    pub(crate) async fn usage(&mut self, project_id: ProjectId) -> Result<Usage> {
        let now = self.context.now;
        let usage = self.tx.usage(project_id, UtcDay::of(now)).await?;
        Ok(self.used.get(&project_id).map_or(usage, |used| usage.plus(*used, now)))
    }

    /// Begins something that happens as a whole or not at all: what was done before is written, or kept to be added at the
    /// end.
    pub(crate) async fn begin_whole(&mut self) -> Result<Before> {
        self.write_rows().await?;
        Ok(Before { facts: self.staged.events.len(), used: self.used.clone() })
    }

    /// Undoes what was done since: nothing of it was written, so that what is on the desk is just forgotten.
    pub(crate) fn abandon(&mut self, before: Before) {
        let mut events = std::mem::take(&mut self.staged).events;
        events.truncate(before.facts);
        self.staged.events = events;
        self.context.timekeeper.crew.forget();
        self.projects.clear();
        self.items.clear();
        self.live.clear();
        self.ended.clear();
        self.above.clear();
        self.below.clear();
        self.log_ends.clear();
        self.queues = None;
        self.used = before.used;
        self.approvals.clear();
        self.documents.clear();
    }

    /// Writes everything but the events, so that picks see it.
    pub(crate) async fn write_rows(&mut self) -> Result<()> {
        let events = std::mem::take(&mut self.staged.events);
        self.write(false).await?;
        self.staged.events = events;
        Ok(())
    }

    /// Writes everything as the last act of the transaction; returns the events with their numbers.
    pub(crate) async fn write_all(&mut self) -> Result<Vec<Event>> {
        let events = self.write(true).await?;
        let hands_on = self.tx.hands_on();
        let going_on = |item: &&Item| hands_on && item.live_run().is_some();
        for item in self.items.values().flatten().filter(going_on) {
            let (head, placed) = item.written();
            self.tx.hand_on(head, placed);
        }
        Ok(events)
    }

    async fn write(&mut self, is_last: bool) -> Result<Vec<Event>> {
        let mut changes = std::mem::take(&mut self.staged);
        for approval in changes.approvals_made.iter().chain(&changes.approvals_decided) {
            self.approvals.remove(&approval.work_item_id);
        }
        let rewritten: BTreeSet<_> = changes.items_changed.iter().map(|(_, item)| item.id).collect();
        for item in self.items.values_mut().flatten() {
            compare(item, rewritten.contains(&item.head.id), &mut changes);
        }
        if is_last {
            // Whoever else adds to the same day waits from here to the commit, so that this comes at the end.
            let today = UtcDay::of(self.context.now);
            let used = std::mem::take(&mut self.used).into_iter();
            changes.used.extend(used.map(|(id, used)| (id, today, used)));
        }
        for row in changes.entered.iter().chain(changes.moved_within.iter().map(|(_, after)| after)) {
            if let Some(at) = waits_until(&row.placed.place) {
                self.wait_until(at);
            }
        }
        if changes.is_empty() && !is_last {
            return Ok(vec![]);
        }
        let overtaken = self.overtake(&mut changes);
        // A row that only seems moved has to be refused at once: sent along, it would be refused later.
        let events = match is_last || overtaken.is_some() {
            // Whoever is asked before the commit may say no.
            true => {
                let may_commit = self.context.gate.is_none_or(|gate| !gate.may_refuse());
                self.tx.write_last(changes, may_commit).await?
            }
            false => self.tx.write(changes).await?,
        };
        match overtaken {
            None => Ok(events),
            Some(id) => {
                Err(StoreError::Corrupt(format!("a defect: work item {id} was moved under another token")))
            }
        }
    }

    /// Lets one row seem moved by somebody else since it was loaded, where the gate wants it: one that does not come back
    /// into its table, where a key would be in the way before the token is looked at.
    fn overtake(&self, changes: &mut Changes) -> Option<WorkItemId> {
        let gate = self.context.gate.filter(|gate| gate.may_refuse())?;
        let table = |row: &PlaceRow| (row.placed.id, std::mem::discriminant(&row.placed.place));
        let entered: Vec<_> = changes.entered.iter().map(table).collect();
        let left = changes.left.iter_mut().filter(|row| !entered.contains(&table(row)));
        let mut rows: Vec<_> =
            left.chain(changes.moved_within.iter_mut().map(|(before, _)| before)).collect();
        let chosen = if rows.is_empty() { None } else { gate.overtakes(rows.len()) };
        let row = rows.swap_remove(chosen?);
        row.placed.standing.fence = row.placed.standing.fence.next();
        Some(row.placed.id)
    }
}
