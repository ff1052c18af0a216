//! A transaction over either SQL driver: it turns loads, picks and writes into statements, and rows into what the
//! rules know. What belongs together is sent together, so that it costs one round trip.

mod ahead;
pub(super) mod call;
mod foresee;
mod guesses;
mod pipeline;
mod remembered;
mod scribe;
mod spare;
mod warm;
mod write;

#[cfg(test)]
pub(crate) use write::trials;

use super::driver::Driver;
use super::row::{
    Fields, approval, artifact, audit, document, each, place, project, row, run, work_item, worker,
};
use super::statement::{Answer, Call, Row, Statement};
use super::statements as sql;
use crate::document::{Document, Kind};
use crate::error::StoreError;
use crate::tx::{
    Body, Candidate, Changes, EdgeRow, EndedRun, Foreseen, Head, HeardWorker, HeldRuns, Ids, KeptReply,
    KnownQueue, Placed, QueueKey, Queues, Result, Sequence, Tx,
};
use ahead::Ahead;
use call::{by_ids, by_rows, once};
use guesses::Guesses;
use pipeline::Pipeline;
use remembered::{Projects, Remembered};
use scribe::Scribe;
use spalla_domain::approval::Approval;
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};
use spalla_domain::audit::chain::Head as AuditHead;
use spalla_domain::event::Event;
use spalla_domain::project::Project;
use spalla_domain::queue::Place;
use spalla_domain::quota::{Usage, UtcDay};
use spalla_domain::{ApprovalId, ProjectId, QueueId, RunId, Timestamp, WorkItemId, WorkerId};
use spare::Spare;
use std::collections::BTreeSet;
use std::sync::Arc;
use warm::Warm;

/// An open transaction.
pub(crate) struct SqlTx<D> {
    driver: Pipeline<D>,
    ahead: Ahead,
    shared: Arc<Shared>,
    /// It made queues, which nobody else may hear of before the commit.
    has_made_queues: bool,
    /// The first claim, until it picks.
    claim: Option<(WorkerId, u32)>,
}

/// What the transactions of a process share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Ids that they hand on to each other; used where others write as well.
    spare: Spare,
    /// Rows that they hand on to each other.
    warm: Warm,
    /// The queues that they saw.
    queues: Remembered,
    /// The projects that they read; used where others write as well.
    projects: Projects,
    /// From which queues workers were served.
    guesses: Guesses,
    /// Who prepares large changes; used where the database is in this process.
    scribe: Scribe,
}

impl Shared {
    /// Forgets what is about to be written.
    fn forget_changed(&self, changes: &Changes) {
        self.warm.forget_changed(changes);
        if !changes.projects_changed.is_empty() {
            self.projects.forget();
        }
    }

    /// Forgets what was handed on: a transaction that saw it was not committed.
    pub(super) fn forget(&self) {
        self.warm.forget();
        self.projects.forget();
    }
}

impl<D: Driver> SqlTx<D> {
    /// Makes it over a driver whose transaction is open.
    pub(crate) fn new(driver: D, shared: Arc<Shared>) -> Self {
        Self {
            driver: Pipeline::new(driver),
            ahead: Ahead::default(),
            shared,
            has_made_queues: false,
            claim: None,
        }
    }

    /// Runs one call and returns its rows.
    async fn rows(&mut self, call: Call) -> Result<Vec<Row>> {
        Ok(self.driver.run(vec![call]).await?.into_iter().flat_map(|answer| answer.rows).collect())
    }

    /// Runs one call and reads its rows.
    async fn read<T>(
        &mut self,
        table: &'static str,
        call: Call,
        read: impl Fn(&mut Fields) -> Result<T>,
    ) -> Result<Vec<T>> {
        each(table, self.rows(call).await?, read)
    }

    /// Runs one call of a single row with a single integer.
    async fn maybe_number(&mut self, table: &'static str, call: Call) -> Result<Option<i64>> {
        let rows = self.rows(call).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        Fields::new(table, row).maybe_int("number")
    }

    /// Takes consecutive numbers and returns the first. Whoever does so right after a pick is about to hand out what it
    /// picked, so that is read along: all of an item at once.
    async fn take(&mut self, name: &'static str, count: usize) -> Result<i64> {
        let mut calls = vec![take(name, count)];
        let picked = self.ahead.take_picked();
        if !picked.is_empty() {
            calls.push(by_ids(&sql::work_item::BODIES, &picked));
        }
        let mut answers = self.driver.run(calls).await?.into_iter();
        let first = rows_of(answers.next()).into_iter().next().unwrap_or_default();
        self.keep_bodies([], rows_of(answers.next()))?;
        Fields::new("sequence", first).int("next")
    }

    /// Reads all of some items ahead.
    async fn read_bodies(&mut self, ids: &[WorkItemId]) -> Result<()> {
        let rows = self.rows(by_ids(&sql::work_item::BODIES, ids)).await?;
        self.keep_bodies(ids.iter().copied(), rows)
    }

    /// Loads the queues, and picks along what is most likely picked next.
    async fn load_queues_and_guess(&mut self) -> Result<Queues> {
        let guess = self.claim.as_ref().and_then(|claim| foresee::guess_of(&self.shared, claim));
        let mut calls = vec![once(&sql::queue::LOAD, vec![])];
        calls.extend(guess.iter().flat_map(foresee::picks));
        let mut answers = self.driver.run(calls).await?.into_iter();
        let queues = project::read_queues(rows_of(answers.next()))?;
        foresee::keep_picks(&mut self.ahead, guess, &mut answers)?;
        Ok(queues)
    }

    /// Loads the places of items by their live runs where nobody else writes: as the last transactions left them, or else
    /// from the table.
    async fn live_runs_here(&mut self, ids: &[RunId]) -> Result<Vec<Placed>> {
        if !self.shared.warm.is_empty() {
            let version = self.maybe_number("meta", once(&sql::meta::VERSION, vec![])).await?;
            self.shared.warm.compare(version.unwrap_or_default());
            if let Some(items) = self.shared.warm.of_runs(ids) {
                let (heads, places): (Vec<_>, Vec<_>) = items.into_iter().unzip();
                self.ahead.heads.keep([], heads, |head: &Head| Some(head.id));
                return Ok(places);
            }
        }
        self.read("leased", by_ids(&sql::leased::LOAD_BY_RUN, ids), place::read_leased).await
    }

    fn keep_bodies(
        &mut self,
        asked: impl IntoIterator<Item = WorkItemId> + Clone,
        rows: Vec<Row>,
    ) -> Result<()> {
        let (bodies, heads) = each("work_item", rows, work_item::read_body)?.into_iter().unzip();
        self.ahead.heads.keep(asked.clone(), heads, |head: &Head| Some(head.id));
        self.ahead.bodies.keep(asked, bodies, |body: &Body| Some(body.item.id));
        Ok(())
    }

    /// Takes note of what was picked, because it is looked at next.
    fn picked(&mut self, picked: Vec<Placed>) -> Vec<Placed> {
        self.ahead.note_picked(&picked);
        picked
    }
}

/// A table of places: its name, the statement that loads it, and what reads its rows.
type PlaceTable = (&'static str, &'static Statement, fn(&mut Fields) -> Result<Placed>);

/// How the tables of places are loaded, in the order in which items mostly go through them: whatever moves forward
/// between two of these statements is found by a later one.
const PLACES: [PlaceTable; 5] = [
    ("blocked", &sql::blocked::LOAD, place::read_blocked),
    ("delayed", &sql::delayed::LOAD, place::read_delayed),
    ("ready", &sql::ready::LOAD, place::read_ready),
    ("leased", &sql::leased::LOAD, place::read_leased),
    ("finished", &sql::finished::LOAD, place::read_finished),
];

fn take(name: &'static str, count: usize) -> Call {
    once(&sql::sequence::TAKE, row![i64::try_from(count).unwrap_or(i64::MAX), name])
}

fn pick(statement: &'static Statement, queues: &[QueueId], limit: u32) -> Call {
    Call { scalars: row![limit], ..by_ids(statement, queues) }
}

fn rows_of(answer: Option<Answer>) -> Vec<Row> {
    answer.unwrap_or_default().rows
}

const fn sequence_name(sequence: Sequence) -> &'static str {
    match sequence {
        Sequence::Project => "project",
        Sequence::WorkItem => "work_item",
        Sequence::Entry => "entry",
        Sequence::Run => "run",
        Sequence::Approval => "approval",
        Sequence::Queue => "queue",
        Sequence::Vision => "vision",
        Sequence::Draft => "draft",
        Sequence::Schedule => "schedule",
        Sequence::InfoRequest => "info_request",
        Sequence::Artifact => "artifact",
        Sequence::Token => "token",
        Sequence::Webhook => "webhook",
        Sequence::Message => "message",
        Sequence::Alias => "alias",
    }
}

impl<D: Driver> Tx for SqlTx<D> {
    async fn foresee(&mut self, foreseen: &Foreseen) -> Result<Vec<(Sequence, Ids)>> {
        if !self.driver.is_shared() {
            return Ok(vec![]);
        }
        self.claim.clone_from(&foreseen.claim);
        foresee::foresee(&mut self.driver, &mut self.ahead, &self.shared, foreseen).await
    }

    fn give_back(&mut self, sequence: Sequence, ids: Ids) {
        if self.driver.is_shared() {
            self.shared.spare.put(sequence, ids);
        }
    }

    async fn allocate(&mut self, sequence: Sequence, count: usize) -> Result<i64> {
        if let Some(ids) = self.shared.spare.take(sequence, count) {
            return Ok(ids.start);
        }
        let first = self.take(sequence_name(sequence), count).await?;
        if !self.driver.is_shared() {
            return Ok(first);
        }
        Ok(self.shared.spare.receive(sequence, count, first..first + count as i64).start)
    }

    async fn projects(&mut self, ids: &[ProjectId]) -> Result<Vec<Project>> {
        if let Some(projects) = self.ahead.projects.answer(ids) {
            return Ok(projects);
        }
        self.read("project", by_ids(&sql::project::LOAD, ids), project::read).await
    }

    async fn project_is_active(&mut self, id: ProjectId) -> Result<bool> {
        let live = self.maybe_number("leased", once(&sql::project::IS_ACTIVE, row![id])).await?;
        Ok(live.is_some_and(|live| live > 0))
    }

    async fn heads(&mut self, ids: &[WorkItemId]) -> Result<Vec<Head>> {
        let were_picked = self.ahead.look_at(ids);
        if let Some(heads) = self.ahead.heads.answer(ids) {
            return Ok(heads);
        }
        if were_picked && self.driver.is_shared() {
            // Whoever picked them hands them out next, and needs all of them for it.
            self.read_bodies(ids).await?;
            return Ok(self.ahead.heads.answer(ids).unwrap_or_default());
        }
        self.read("work_item", by_ids(&sql::work_item::HEADS, ids), work_item::read_head).await
    }

    async fn items(&mut self, ids: &[WorkItemId]) -> Result<(Vec<Head>, Vec<Placed>)> {
        if let Some(places) = self.ahead.places.answer(ids)
            && let Some(heads) = self.ahead.heads.answer(ids)
        {
            return Ok((heads, places));
        }
        let mut calls = vec![];
        if self.driver.is_shared() {
            calls.push(by_ids(&sql::work_item::LOCK, ids));
        }
        let locks = calls.len();
        calls.extend(PLACES.map(|(_, statement, _)| by_ids(statement, ids)));
        // The heads come last: what is said of an item changes only under the locks that were taken by then.
        calls.push(by_ids(&sql::work_item::HEADS, ids));
        let mut answers = self.driver.run(calls).await?.into_iter().skip(locks);
        let mut places = Vec::with_capacity(ids.len());
        for ((table, _, read), answer) in PLACES.into_iter().zip(answers.by_ref()) {
            places.extend(each(table, answer.rows, read)?);
        }
        let heads = each("work_item", rows_of(answers.next()), work_item::read_head)?;
        Ok((heads, places))
    }

    async fn bodies(&mut self, ids: &[WorkItemId]) -> Result<Vec<Body>> {
        if let Some(bodies) = self.ahead.bodies.answer(ids) {
            return Ok(bodies);
        }
        let read = self.read("work_item", by_ids(&sql::work_item::BODIES, ids), work_item::read_body).await?;
        Ok(read.into_iter().map(|(body, _)| body).collect())
    }

    async fn live_runs(&mut self, ids: &[RunId]) -> Result<Vec<Placed>> {
        if !self.driver.is_shared() {
            return self.live_runs_here(ids).await;
        }
        if let Some(places) = self.ahead.live.answer(ids) {
            return Ok(places);
        }
        let runs = Foreseen { runs: ids.to_vec(), ..Foreseen::default() };
        foresee::foresee(&mut self.driver, &mut self.ahead, &self.shared, &runs).await?;
        Ok(self.ahead.live.answer(ids).unwrap_or_default())
    }

    async fn ended_runs(&mut self, ids: &[RunId]) -> Result<Vec<EndedRun>> {
        self.read("run", by_ids(&sql::run::LOAD, ids), run::read).await
    }

    async fn edges_above(&mut self, children: &[WorkItemId]) -> Result<Vec<EdgeRow>> {
        if let Some(edges) = self.ahead.above.answer(children) {
            return Ok(edges);
        }
        let mut edges = self.read("dep", by_ids(&sql::dep::ABOVE, children), work_item::read_edge).await?;
        edges.sort_unstable_by_key(|edge| (edge.child, edge.parent));
        Ok(edges)
    }

    async fn edges_below(&mut self, parents: &[WorkItemId]) -> Result<Vec<EdgeRow>> {
        if let Some(edges) = self.ahead.below.answer(parents) {
            return Ok(edges);
        }
        let mut edges = self.read("dep", by_ids(&sql::dep::BELOW, parents), work_item::read_edge).await?;
        edges.sort_unstable_by_key(|edge| (edge.parent, edge.child));
        Ok(edges)
    }

    async fn ancestry(&mut self, of: WorkItemId) -> Result<Vec<(WorkItemId, WorkItemId)>> {
        let mut calls = vec![];
        if self.driver.is_shared() {
            calls.push(once(&sql::dep::LOCK, vec![]));
        }
        calls.push(once(&sql::dep::ANCESTRY, row![of]));
        let answer = self.driver.run(calls).await?.pop();
        each("dep", rows_of(answer), |fields| Ok((fields.id("child")?, fields.id("parent")?)))
    }

    async fn approvals(&mut self, ids: &[ApprovalId]) -> Result<Vec<Approval>> {
        self.read("approval", by_ids(&sql::approval::LOAD, ids), approval::read).await
    }

    async fn approvals_of(&mut self, items: &[WorkItemId]) -> Result<Vec<Approval>> {
        if let Some(approvals) = self.ahead.approvals.answer(items) {
            return Ok(approvals);
        }
        self.read("approval", by_ids(&sql::approval::LOAD_OF, items), approval::read).await
    }

    async fn documents(&mut self, kind: Kind, ids: &[i64]) -> Result<Vec<Document>> {
        let call = Call { scalars: row![kind.as_str()], ..by_ids(&sql::document::LOAD, ids) };
        self.read("document", call, document::read).await
    }

    async fn documents_of(&mut self, kind: Kind, owner: i64) -> Result<Vec<Document>> {
        let call = Call { scalars: row![kind.as_str()], ..by_ids(&sql::document::LOAD_OF, &[owner]) };
        self.read("document", call, document::read).await
    }

    async fn document_count(&mut self, kind: Kind) -> Result<u64> {
        let mut calls = vec![];
        if self.driver.is_shared() {
            calls.push(once(&sql::document::LOCK, vec![]));
        }
        calls.push(once(&sql::document::COUNT, row![kind.as_str(), None::<i64>, None::<&str>]));
        let answer = self.driver.run(calls).await?.pop();
        let row = rows_of(answer).into_iter().next().unwrap_or_default();
        Fields::new("document", row).number("count")
    }

    async fn artifact_at(&mut self, run: RunId, path: &ArtifactPath) -> Result<(Option<Artifact>, Totals)> {
        let load = once(&sql::artifact::LOAD, row![run, path.as_str()]);
        let mut answers =
            self.driver.run(vec![load, once(&sql::artifact::TOTALS, row![run])]).await?.into_iter();
        let known = each("artifact", rows_of(answers.next()), artifact::read)?.pop();
        let totals = each("artifact", rows_of(answers.next()), artifact::read_totals)?.pop();
        Ok((known, totals.unwrap_or_default()))
    }

    async fn audit_head(&mut self) -> Result<AuditHead> {
        let found = self.read("audit_head", once(&sql::audit_head::LOAD, vec![]), audit::read_head).await?;
        found.into_iter().next().ok_or_else(|| StoreError::Corrupt("the end of the audit is gone".into()))
    }

    async fn usage(&mut self, project_id: ProjectId, day: UtcDay) -> Result<Usage> {
        let call = once(&sql::usage::LOAD, row![project_id, day.0]);
        let found = self.read("usage", call, project::read_usage).await?.pop();
        Ok(found.map_or(Usage::none(day), |(_, usage)| usage))
    }

    async fn active_runs(&mut self, project_id: Option<ProjectId>, agent: Option<&str>) -> Result<u32> {
        let count = self.maybe_number("leased", once(&sql::usage::ACTIVE, row![project_id, agent])).await?;
        Ok(u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX))
    }

    async fn reserved(&mut self) -> Result<Vec<HeldRuns>> {
        self.read("leased", once(&sql::leased::BY_WORKER, row![0]), worker::read_held).await
    }

    async fn workers(&mut self, since: Timestamp) -> Result<Vec<HeardWorker>> {
        self.read("worker", once(&sql::worker::LIST, row![since]), worker::read).await
    }

    async fn first_ready(&mut self, queues: &[QueueId]) -> Result<Vec<(QueueId, WorkItemId)>> {
        let call = by_ids(&sql::ready::FIRST_OF, queues);
        self.read("ready", call, |fields| Ok((fields.id("queue")?, fields.id("work_item_id")?))).await
    }

    async fn pick_due_documents(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Document>> {
        self.read("document", once(&sql::document::PICK_DUE, row![now, limit]), document::read).await
    }

    async fn log_ends(&mut self, runs: &[RunId]) -> Result<Vec<(RunId, i64)>> {
        if let Some(ends) = self.ahead.log_ends.answer(runs) {
            return Ok(ends);
        }
        read_log_ends(self.rows(by_ids(&sql::log_chunk::ENDS, runs)).await?)
    }

    async fn queues(&mut self) -> Result<Queues> {
        let queues = match self.ahead.queues.take() {
            Some(queues) => queues,
            None => self.load_queues_and_guess().await?,
        };
        if !self.has_made_queues {
            self.shared.queues.keep(&queues.found);
        }
        Ok(queues)
    }

    fn remembered_queues(&mut self, keys: &BTreeSet<QueueKey>) -> Option<Vec<KnownQueue>> {
        // Where they are loaded already, more is known of them than is remembered.
        if self.ahead.queues.is_some() { None } else { self.shared.queues.find(keys) }
    }

    async fn find_queues(&mut self, keys: &[QueueKey]) -> Result<Vec<KnownQueue>> {
        let keys = keys.iter().map(|key| project::queue_key(key.clone())).collect::<Result<_>>()?;
        self.read("queue", by_rows(&sql::queue::FIND, keys), project::read_queue).await
    }

    async fn load_queues(&mut self, ids: &[QueueId]) -> Result<Vec<KnownQueue>> {
        self.read("queue", by_ids(&sql::queue::LOAD_BY_ID, ids), project::read_queue).await
    }

    async fn replies(&mut self, keys: &[String]) -> Result<Vec<KeptReply>> {
        let keys: Vec<Row> = keys.iter().map(|key| row![key.as_str()]).collect();
        let mut calls = vec![];
        if self.driver.is_shared() {
            calls.push(by_rows(&sql::reply::LOCK, keys.clone()));
        }
        calls.push(by_rows(&sql::reply::LOAD, keys));
        let answer = self.driver.run(calls).await?.pop();
        each("reply", rows_of(answer), read_reply)
    }

    async fn pick_ready(&mut self, queues: &[QueueId], limit: u32) -> Result<Vec<Candidate>> {
        let known = self.ahead.ready.take().filter(|(asked, _)| asked == queues);
        match known {
            Some((_, best)) => Ok(best),
            None => {
                self.read("ready", pick(&sql::ready::PICK, queues, limit), place::read_ready_candidate).await
            }
        }
    }

    async fn pick_pending(
        &mut self,
        queues: &[QueueId],
        limit: u32,
        then_ready: bool,
    ) -> Result<Vec<Candidate>> {
        let then_ready = then_ready && self.driver.is_shared();
        if let Some((worker, _)) = self.claim.take()
            && then_ready
        {
            self.shared.guesses.note(&worker, queues);
        }
        if let Some((asked, most, pending)) = self.ahead.pending.take()
            && then_ready
            && asked == queues
            && most == limit
        {
            return Ok(pending);
        }
        let mut calls = vec![pick(&sql::leased::PICK_PENDING, queues, limit)];
        calls.extend(then_ready.then(|| pick(&sql::ready::PICK, queues, limit)));
        let mut answers = self.driver.run(calls).await?.into_iter();
        let pending = each("leased", rows_of(answers.next()), place::read_leased_candidate)?;
        if then_ready {
            let ready = each("ready", rows_of(answers.next()), place::read_ready_candidate)?;
            self.ahead.ready = Some((queues.to_vec(), ready));
        }
        Ok(pending)
    }

    fn note_chosen(&mut self, chosen: &[Placed]) {
        self.ahead.note_picked(chosen);
    }

    async fn pick_due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Placed>> {
        let call = once(&sql::delayed::PICK, row![now, limit]);
        let picked = self.read("delayed", call, place::read_delayed).await?;
        Ok(self.picked(picked))
    }

    async fn pick_overdue(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Placed>> {
        let call = once(&sql::leased::PICK_OVERDUE, row![now, limit]);
        let picked = self.read("leased", call, place::read_leased).await?;
        Ok(self.picked(picked))
    }

    async fn pick_held_by(&mut self, worker: &WorkerId) -> Result<Vec<Placed>> {
        let call = once(&sql::leased::PICK_HELD_BY, row![worker.as_str()]);
        let picked = self.read("leased", call, place::read_leased).await?;
        Ok(self.picked(picked))
    }

    async fn held_back(&mut self, limit: u32) -> Result<Vec<Placed>> {
        let calls = [&sql::blocked::FIRST, &sql::delayed::FIRST].map(|first| once(first, row![limit]));
        let mut answers = self.driver.run(calls.into()).await?.into_iter();
        let mut held = each("blocked", rows_of(answers.next()), place::read_blocked)?;
        held.extend(each("delayed", rows_of(answers.next()), place::read_delayed)?);
        held.sort_unstable_by_key(|placed| placed.id);
        held.truncate(limit as usize);
        Ok(held)
    }

    async fn next_moment(&mut self) -> Result<Option<Timestamp>> {
        let moment = self.maybe_number("leased", once(&sql::leased::NEXT_MOMENT, vec![])).await?;
        Ok(moment.map(Timestamp::from_ms))
    }

    fn hands_on(&self) -> bool {
        true
    }

    fn hand_on(&mut self, head: Head, placed: Placed) {
        let revision = match &placed.place {
            _ if !self.driver.is_shared() => Some(0),
            Place::Leased(run) => self.ahead.revisions.get(&run.id).copied(),
            _ => None,
        };
        // Of a run that was not loaded by its id nobody knows how often its row was written.
        if let Some(revision) = revision {
            self.shared.warm.keep(head, placed, revision);
        }
    }

    async fn write(&mut self, changes: Changes) -> Result<Vec<Event>> {
        self.ahead.forget();
        self.ahead.note_written(&changes);
        self.has_made_queues |= !changes.queues_made.is_empty();
        self.shared.forget_changed(&changes);
        if self.driver.is_shared() && changes.events.is_empty() {
            return write::send_along(&mut self.driver, changes).map(|()| vec![]);
        }
        write::write(&mut self.driver, &self.shared.scribe, changes, false).await
    }

    async fn write_last(&mut self, changes: Changes, may_commit: bool) -> Result<Vec<Event>> {
        self.ahead.note_written(&changes);
        self.shared.forget_changed(&changes);
        write::write(&mut self.driver, &self.shared.scribe, changes, may_commit).await
    }
}

fn read_log_ends(rows: Vec<Row>) -> Result<Vec<(RunId, i64)>> {
    let ends = each("log_chunk", rows, |fields| Ok((fields.id("run_id")?, fields.maybe_int("end")?)))?;
    Ok(ends.into_iter().filter_map(|(run, end)| Some((run, end?))).collect())
}

fn read_reply(fields: &mut Fields) -> Result<KeptReply> {
    let (key, at) = (fields.text("key")?, fields.time("at")?);
    let fingerprint = fields.blob("fingerprint")?;
    let length = fingerprint.len();
    let fingerprint =
        fingerprint.try_into().map_err(|_| fields.odd("fingerprint", format!("has {length} bytes")))?;
    Ok(KeptReply { key, fingerprint, reply: fields.text("reply")?, at })
}
