//! Writes all changes of a batch with one statement for each table and kind of change, in an order that no key gets in
//! the way of: what is removed before what is added, events last.

use super::call::{by_rows, once};
use super::pipeline::Pipeline;
use super::scribe::{Prepared, Scribe};
use crate::crew::WORKER_KEPT_MS;
use crate::error::StoreError;
use crate::event_chunk::{self, EventChunk};
use crate::sql::driver::Driver;
use crate::sql::row::place::ByTable;
use crate::sql::row::{approval, artifact, audit, document, project, row, run, work_item, worker};
use crate::sql::statement::{Answer, Call, Row, Statement, Value};
use crate::sql::statements as sql;
use crate::tx::{Changes, HeardWorker, KeptReply, LogChunk, Result};
use spalla_domain::EventSeq;
use spalla_domain::event::{Event, NewEvent};
use std::collections::{BTreeMap, BTreeSet};

/// How many rows are made before the database gets the first.
const PART: usize = 128;

/// What takes calls in their order, each with how many rows it must write.
pub(super) trait Sink {
    /// Takes the next one.
    fn take(&mut self, prepared: Prepared);

    /// Tells whether each call is run as soon as it comes; then rows that are dear to make come in small parts.
    fn is_waited_for(&self) -> bool {
        false
    }

    /// Adds a statement that adds rows; it fails where one is in the way.
    fn add(&mut self, statement: &'static Statement, rows: Vec<Row>) {
        if !rows.is_empty() {
            let wanted = Some(rows.len() as u64);
            self.take(Prepared { call: by_rows(statement, rows), wanted });
        }
    }

    /// Adds a statement that adds rows, and hands them on as they are made.
    fn add_each<T>(
        &mut self,
        statement: &'static Statement,
        values: Vec<T>,
        write: impl Fn(T) -> Result<Row>,
    ) -> Result<()> {
        let rows_max = if self.is_waited_for() { PART } else { usize::MAX };
        let mut values = values.into_iter().peekable();
        while values.peek().is_some() {
            let rows = values.by_ref().take(rows_max).map(&write).collect::<Result<_>>()?;
            self.add(statement, rows);
        }
        Ok(())
    }

    /// Adds a statement that must find and write every row.
    fn all(&mut self, statement: &'static Statement, rows: Vec<Row>) {
        if !rows.is_empty() {
            let wanted = Some(rows.len() as u64);
            self.take(Prepared { call: Call { writes_all: true, ..by_rows(statement, rows) }, wanted });
        }
    }

    /// Adds a statement for rows that may be there or not.
    fn any(&mut self, statement: &'static Statement, rows: Vec<Row>) {
        if !rows.is_empty() {
            self.take(Prepared { call: by_rows(statement, rows), wanted: None });
        }
    }

    /// Adds a statement without rows.
    fn once(&mut self, statement: &'static Statement) {
        self.take(Prepared { call: once(statement, vec![]), wanted: None });
    }
}

/// The calls of a batch, kept until they are run together.
#[derive(Default)]
struct Calls {
    calls: Vec<Call>,
    wanted: Vec<Option<u64>>,
}

impl Sink for Calls {
    fn take(&mut self, Prepared { call, wanted }: Prepared) {
        self.calls.push(call);
        self.wanted.push(wanted);
    }
}

impl Calls {
    /// Runs the calls; a row that was not written was moved by somebody else.
    async fn run<D: Driver>(self, driver: &mut D, may_commit: bool) -> Result<Vec<Answer>> {
        let names: Vec<&'static str> = self.calls.iter().map(|call| call.statement.name).collect();
        let answers = match may_commit {
            true => driver.run_last(self.calls).await?,
            false => driver.run(self.calls).await?,
        };
        for ((answer, wanted), name) in answers.iter().zip(self.wanted).zip(names) {
            check_written(name, answer, wanted)?;
        }
        Ok(answers)
    }
}

fn check_written(name: &'static str, answer: &Answer, wanted: Option<u64>) -> Result<()> {
    if wanted.is_some_and(|wanted| answer.written != wanted) {
        let table = name.split_once('/').map_or(name, |(table, _)| table);
        return Err(StoreError::Conflict { what: table });
    }
    Ok(())
}

/// Leaves the changes to be sent along with what is asked next; without events, nobody waits for an answer.
pub(super) fn send_along<D: Driver>(driver: &mut Pipeline<D>, changes: Changes) -> Result<()> {
    let mut calls = Calls::default();
    rows(changes, &mut calls)?;
    driver.send_along(calls.calls);
    Ok(())
}

/// Writes the changes and returns the events with their numbers. Where the database is in this process, it works on what
/// is prepared while the rest still is.
pub(super) async fn write<D: Driver>(
    driver: &mut D,
    scribe: &Scribe,
    changes: Changes,
    may_commit: bool,
) -> Result<Vec<Event>> {
    if !driver.is_shared() && is_much(&changes) {
        return write_meanwhile(driver, scribe, changes).await;
    }
    let mut calls = Calls::default();
    let events = rows(changes, &mut calls)?;
    if !events.is_empty() && driver.is_shared() {
        calls.once(&sql::event_chunk::LOCK);
    }
    append(&events, &mut calls)?;
    let answers = calls.run(driver, may_commit).await?;
    let last = answers.iter().filter_map(newest).max();
    number(events, last)
}

/// Tells whether preparing changes takes longer than handing them to another thread.
const fn is_much(changes: &Changes) -> bool {
    const MUCH: usize = 128;
    changes.events.len() >= MUCH || changes.left.len() >= MUCH || changes.entered.len() >= MUCH
}

/// Runs the calls one after another as they are prepared on another thread.
async fn write_meanwhile<D: Driver>(driver: &mut D, scribe: &Scribe, changes: Changes) -> Result<Vec<Event>> {
    let prepared = scribe.prepare(changes)?;
    let mut last = None;
    while let Some(Prepared { call, wanted }) = prepared.next() {
        let name = call.statement.name;
        for answer in driver.run(vec![call]).await? {
            check_written(name, &answer, wanted)?;
            last = last.max(newest(&answer));
        }
    }
    number(prepared.events()?, last)
}

/// Turns changes into calls, the events last, and returns the events.
pub(super) fn prepare(changes: Changes, calls: &mut impl Sink) -> Result<Vec<NewEvent>> {
    let events = rows(changes, calls)?;
    append(&events, calls)?;
    Ok(events)
}

/// Turns changes into calls; the events are left.
fn rows(changes: Changes, calls: &mut impl Sink) -> Result<Vec<NewEvent>> {
    let Changes {
        projects_made,
        projects_changed,
        queues_made,
        items_made,
        items_changed,
        entries_made,
        entries_changed,
        left,
        entered,
        moved_within,
        runs_ended,
        edges_made,
        approvals_made,
        approvals_decided,
        log_chunks,
        artifacts_made,
        artifacts_replaced,
        artifact_chunks,
        artifact_chunks_gone,
        used,
        documents,
        documents_gone,
        audited,
        workers_heard,
        replies,
        events,
    } = changes;
    calls.add(&sql::project::INSERT, results(projects_made, project::new)?);
    let changed = last_of_each(projects_changed, |project| project.id, |project| project);
    calls.all(&sql::project::UPDATE, results(changed, project::changed)?);
    calls.add(&sql::queue::INSERT, results(queues_made, project::new_queue)?);

    let made: BTreeMap<_, _> = items_made.iter().map(|(_, item)| (item.id, item.project_id)).collect();
    let enqueued: BTreeSet<_> = entries_made.iter().map(|(_, entry)| entry.work_item_id).collect();
    calls.add_each(&sql::work_item::INSERT, items_made, work_item::new)?;
    let changed = last_of_each(items_changed, |(_, item)| item.id, work_item::changed);
    calls.all(&sql::work_item::UPDATE, changed.into_iter().collect::<Result<_>>()?);
    calls.add_each(&sql::entry::INSERT, entries_made, work_item::new_entry)?;
    calls.all(&sql::entry::UPDATE, results(entries_changed, work_item::changed_entry)?);
    let open = made.iter().filter(|(id, _)| !enqueued.contains(id));
    calls.add(&sql::open::INSERT, open.map(|(id, project_id)| row![*id, *project_id]).collect());
    let not_open = enqueued.iter().filter(|id| !made.contains_key(id));
    calls.any(&sql::open::DELETE, not_open.map(|id| row![*id]).collect());

    leave(calls, ByTable::leaving(left)?);
    change(calls, ByTable::changing(moved_within)?);
    enter(calls, ByTable::entering(entered)?);

    calls.add_each(&sql::run::INSERT, runs_ended, run::new)?;
    calls.add(&sql::dep::INSERT, edges_made.into_iter().map(work_item::new_edge).collect());
    calls.add(&sql::approval::INSERT, results(approvals_made, approval::new)?);
    calls.all(&sql::approval::DECIDE, approvals_decided.into_iter().map(approval::decided).collect());
    calls.add(&sql::log_chunk::INSERT, log_chunks.into_iter().map(log_chunk).collect());
    calls.add(&sql::artifact::INSERT, artifacts_made.into_iter().map(artifact::new).collect());
    calls.all(&sql::artifact::REPLACE, artifacts_replaced.into_iter().map(artifact::replaced).collect());
    let gone = artifact_chunks_gone.into_iter().map(|id| row![id]).collect();
    calls.any(&sql::artifact_chunk::DELETE, gone);
    calls.add(&sql::artifact_chunk::INSERT, artifact_chunks.into_iter().map(artifact::chunk).collect());
    calls.add(&sql::document::PUT, last_of_each(documents, |d| (d.kind, d.id), document::put));
    calls.any(&sql::document::DELETE, documents_gone.into_iter().map(document::gone).collect());
    let gone = workers_heard.iter().map(|worker| worker.heard_at.plus_ms(-WORKER_KEPT_MS)).min();
    calls.any(&sql::worker::DELETE, gone.into_iter().map(|before| row![before]).collect());
    let heard = last_of_each(workers_heard, |worker| worker.name.clone(), |worker| worker);
    calls.add(&sql::worker::HEAR, results(in_order(heard), worker::heard)?);
    calls.add(&sql::reply::INSERT, replies.into_iter().map(reply).collect());
    calls.all(&sql::audit_head::MOVE, audit::moved_head(&audited).into_iter().collect());
    calls.add(&sql::audit::INSERT, audited.into_iter().map(audit::new).collect());
    // All who start runs of a project add to one row, so that it is locked as late as possible.
    calls.add(&sql::usage::ADD, used.into_iter().map(project::used).collect());
    Ok(events)
}

fn leave(calls: &mut impl Sink, rows: ByTable) {
    calls.all(&sql::ready::DELETE, rows.ready);
    calls.all(&sql::delayed::DELETE, rows.delayed);
    calls.all(&sql::blocked::DELETE, rows.blocked);
    calls.all(&sql::leased::DELETE, rows.leased);
    calls.all(&sql::finished::DELETE, rows.finished);
}

fn change(calls: &mut impl Sink, rows: ByTable) {
    calls.all(&sql::blocked::UPDATE, rows.blocked);
    calls.all(&sql::leased::UPDATE, rows.leased);
    calls.all(&sql::finished::UPDATE, rows.finished);
}

fn enter(calls: &mut impl Sink, rows: ByTable) {
    calls.add(&sql::ready::INSERT, rows.ready);
    calls.add(&sql::delayed::INSERT, rows.delayed);
    calls.add(&sql::blocked::INSERT, rows.blocked);
    calls.add(&sql::leased::INSERT, rows.leased);
    calls.add(&sql::finished::INSERT, rows.finished);
}

/// Adds the events behind everything else. They get their numbers when they are inserted: the newest number is read in
/// the statement that does so, under a lock where others write as well.
fn append(events: &[NewEvent], calls: &mut impl Sink) -> Result<()> {
    let (mut upto, mut stretches) = (0, vec![]);
    let mut row_of = |EventChunk { events: count, projects, runs, data }| {
        upto += i64::from(count);
        let behind = events.len() as i64 - upto;
        stretches.extend(event_chunk::marked(&projects).map(|project| row![project, behind]));
        row![upto, count, projects, runs, data]
    };
    let mut rows = vec![];
    for chunk in event_chunk::pack(events) {
        rows.push(row_of(chunk?));
        if calls.is_waited_for() {
            calls.add(&sql::event_chunk::INSERT, std::mem::take(&mut rows));
        }
    }
    calls.add(&sql::event_chunk::INSERT, rows);
    calls.any(&sql::event_stretch::INSERT, stretches);
    Ok(())
}

/// Returns the newest number of those that an answer tells.
fn newest(answer: &Answer) -> Option<i64> {
    // Of all that is written here only the insert of events returns rows.
    let numbers = answer.rows.iter().filter_map(|row| row.first());
    numbers.filter_map(|value| if let Value::Int(number) = value { Some(*number) } else { None }).max()
}

/// Gives the events their numbers, up to the newest.
fn number(events: Vec<NewEvent>, newest: Option<i64>) -> Result<Vec<Event>> {
    if events.is_empty() {
        return Ok(vec![]);
    }
    let odd = || StoreError::Corrupt("a defect: events were inserted and got no number".to_owned());
    let first = newest.ok_or_else(odd)? - events.len() as i64 + 1;
    Ok(events.into_iter().zip(first..).map(|(new, seq)| new.numbered(EventSeq(seq))).collect())
}

/// Sorts workers by name, so that servers that write the same ones wait for each other and not in a circle.
fn in_order(mut workers: Vec<HeardWorker>) -> Vec<HeardWorker> {
    workers.sort_by(|a, b| a.name.cmp(&b.name));
    workers
}

fn results<T>(values: Vec<T>, write: impl Fn(T) -> Result<Row>) -> Result<Vec<Row>> {
    values.into_iter().map(write).collect()
}

/// Writes the last version of each row: one statement can't change the same row twice.
fn last_of_each<T, K: Ord, R>(values: Vec<T>, key: impl Fn(&T) -> K, write: impl Fn(T) -> R) -> Vec<R> {
    let mut seen = BTreeSet::new();
    let last: Vec<T> = values.into_iter().rev().filter(|value| seen.insert(key(value))).collect();
    last.into_iter().rev().map(write).collect()
}

fn log_chunk(chunk: LogChunk) -> Row {
    row![chunk.run_id, chunk.first_seq, chunk.lines, chunk.data]
}

fn reply(kept: KeptReply) -> Row {
    row![kept.key, kept.at, kept.fingerprint.to_vec(), kept.reply]
}

#[cfg(test)]
pub(crate) mod trials;
