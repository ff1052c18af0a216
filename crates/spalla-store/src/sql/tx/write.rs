//! Writes all changes of a batch with one statement for each table and kind of change, in an order that no key gets in
//! the way of: what is removed before what is added, events last.

use super::call::{by_rows, once};
use super::pipeline::Pipeline;
use crate::crew::WORKER_KEPT_MS;
use crate::error::StoreError;
use crate::event_chunk::{self, EventChunk};
use crate::sql::driver::Driver;
use crate::sql::row::place::ByTable;
use crate::sql::row::{approval, artifact, audit, document, each, project, row, run, work_item, worker};
use crate::sql::statement::{Answer, Call, Row, Statement};
use crate::sql::statements as sql;
use crate::tx::{Changes, HeardWorker, KeptReply, LogChunk, Result};
use spalla_domain::EventSeq;
use spalla_domain::event::{Event, NewEvent};
use std::collections::{BTreeMap, BTreeSet};

/// The calls of a batch, each with how many rows it must write.
#[derive(Default)]
struct Calls {
    calls: Vec<Call>,
    wanted: Vec<Option<u64>>,
}

impl Calls {
    /// Adds a statement that adds rows; it fails where one is in the way.
    fn add(&mut self, statement: &'static Statement, rows: Vec<Row>) {
        if !rows.is_empty() {
            self.wanted.push(Some(rows.len() as u64));
            self.calls.push(by_rows(statement, rows));
        }
    }

    /// Adds a statement that must find and write every row.
    fn all(&mut self, statement: &'static Statement, rows: Vec<Row>) {
        if !rows.is_empty() {
            self.wanted.push(Some(rows.len() as u64));
            self.calls.push(Call { writes_all: true, ..by_rows(statement, rows) });
        }
    }

    /// Adds a statement for rows that may be there or not.
    fn any(&mut self, statement: &'static Statement, rows: Vec<Row>) {
        if !rows.is_empty() {
            self.calls.push(by_rows(statement, rows));
            self.wanted.push(None);
        }
    }

    /// Adds a statement without rows.
    fn once(&mut self, statement: &'static Statement) {
        self.calls.push(once(statement, vec![]));
        self.wanted.push(None);
    }

    /// Runs the calls; a row that was not written was moved by somebody else.
    async fn run<D: Driver>(self, driver: &mut D, may_commit: bool) -> Result<Vec<Answer>> {
        let names: Vec<&'static str> = self.calls.iter().map(|call| call.statement.name).collect();
        let answers = match may_commit {
            true => driver.run_last(self.calls).await?,
            false => driver.run(self.calls).await?,
        };
        for ((answer, wanted), name) in answers.iter().zip(self.wanted).zip(names) {
            if wanted.is_some_and(|wanted| answer.written != wanted) {
                let table = name.split_once('/').map_or(name, |(table, _)| table);
                return Err(StoreError::Conflict { what: table });
            }
        }
        Ok(answers)
    }
}

/// Leaves the changes to be sent along with what is asked next; without events, nobody waits for an answer.
pub(super) fn send_along<D: Driver>(driver: &mut Pipeline<D>, changes: Changes) -> Result<()> {
    driver.send_along(rows(changes)?.0.calls);
    Ok(())
}

/// Writes the changes and returns the events with their numbers.
pub(super) async fn write<D: Driver>(
    driver: &mut D,
    changes: Changes,
    may_commit: bool,
) -> Result<Vec<Event>> {
    let (calls, events) = rows(changes)?;
    append(driver, calls, events, may_commit).await
}

/// Turns changes into calls; the events are left.
fn rows(changes: Changes) -> Result<(Calls, Vec<NewEvent>)> {
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
    let mut calls = Calls::default();
    calls.add(&sql::project::INSERT, results(projects_made, project::new)?);
    let changed = last_of_each(projects_changed, |project| project.id, |project| project);
    calls.all(&sql::project::UPDATE, results(changed, project::changed)?);
    calls.add(&sql::queue::INSERT, results(queues_made, project::new_queue)?);

    let made: BTreeMap<_, _> = items_made.iter().map(|(_, item)| (item.id, item.project_id)).collect();
    let enqueued: BTreeSet<_> = entries_made.iter().map(|(_, entry)| entry.work_item_id).collect();
    calls.add(&sql::work_item::INSERT, results(items_made, work_item::new)?);
    let changed = last_of_each(items_changed, |(_, item)| item.id, work_item::changed);
    calls.all(&sql::work_item::UPDATE, changed.into_iter().collect::<Result<_>>()?);
    calls.add(&sql::entry::INSERT, results(entries_made, work_item::new_entry)?);
    calls.all(&sql::entry::UPDATE, results(entries_changed, work_item::changed_entry)?);
    let open = made.iter().filter(|(id, _)| !enqueued.contains(id));
    calls.add(&sql::open::INSERT, open.map(|(id, project_id)| row![*id, *project_id]).collect());
    let not_open = enqueued.iter().filter(|id| !made.contains_key(id));
    calls.any(&sql::open::DELETE, not_open.map(|id| row![*id]).collect());

    leave(&mut calls, ByTable::leaving(left)?);
    change(&mut calls, ByTable::changing(moved_within)?);
    enter(&mut calls, ByTable::entering(entered)?);

    calls.add(&sql::run::INSERT, results(runs_ended, run::new)?);
    calls.add(&sql::dep::INSERT, edges_made.into_iter().map(work_item::new_edge).collect());
    calls.add(&sql::approval::INSERT, results(approvals_made, approval::new)?);
    calls.all(&sql::approval::DECIDE, approvals_decided.into_iter().map(approval::decided).collect());
    calls.add(&sql::log_chunk::INSERT, log_chunks.into_iter().map(log_chunk).collect());
    calls.add(&sql::artifact::INSERT, artifacts_made.into_iter().map(artifact::new).collect());
    calls.all(&sql::artifact::REPLACE, artifacts_replaced.into_iter().map(artifact::replaced).collect());
    let gone = artifact_chunks_gone.into_iter().map(|id| row![id]).collect();
    calls.any(&sql::artifact_chunk::DELETE, gone);
    calls.add(&sql::artifact_chunk::INSERT, artifact_chunks.into_iter().map(artifact::chunk).collect());
    calls.add(&sql::usage::ADD, used.into_iter().map(project::used).collect());
    calls.add(&sql::document::PUT, last_of_each(documents, |d| (d.kind, d.id), document::put));
    calls.any(&sql::document::DELETE, documents_gone.into_iter().map(document::gone).collect());
    let gone = workers_heard.iter().map(|worker| worker.heard_at.plus_ms(-WORKER_KEPT_MS)).min();
    calls.any(&sql::worker::DELETE, gone.into_iter().map(|before| row![before]).collect());
    let heard = last_of_each(workers_heard, |worker| worker.name.clone(), |worker| worker);
    calls.add(&sql::worker::HEAR, results(in_order(heard), worker::heard)?);
    calls.add(&sql::reply::INSERT, replies.into_iter().map(reply).collect());
    calls.all(&sql::audit_head::MOVE, audit::moved_head(&audited).into_iter().collect());
    calls.add(&sql::audit::INSERT, audited.into_iter().map(audit::new).collect());
    Ok((calls, events))
}

fn leave(calls: &mut Calls, rows: ByTable) {
    calls.all(&sql::ready::DELETE, rows.ready);
    calls.all(&sql::delayed::DELETE, rows.delayed);
    calls.all(&sql::blocked::DELETE, rows.blocked);
    calls.all(&sql::leased::DELETE, rows.leased);
    calls.all(&sql::finished::DELETE, rows.finished);
}

fn change(calls: &mut Calls, rows: ByTable) {
    calls.all(&sql::blocked::UPDATE, rows.blocked);
    calls.all(&sql::leased::UPDATE, rows.leased);
    calls.all(&sql::finished::UPDATE, rows.finished);
}

fn enter(calls: &mut Calls, rows: ByTable) {
    calls.add(&sql::ready::INSERT, rows.ready);
    calls.add(&sql::delayed::INSERT, rows.delayed);
    calls.add(&sql::blocked::INSERT, rows.blocked);
    calls.add(&sql::leased::INSERT, rows.leased);
    calls.add(&sql::finished::INSERT, rows.finished);
}

/// Adds the events behind everything else, runs the calls, and gives the events their numbers: the newest number is
/// read in the statement that inserts them, under a lock where others write as well.
async fn append<D: Driver>(
    driver: &mut D,
    mut calls: Calls,
    events: Vec<NewEvent>,
    may_commit: bool,
) -> Result<Vec<Event>> {
    if events.is_empty() {
        return calls.run(driver, may_commit).await.map(|_| vec![]);
    }
    if driver.is_shared() {
        calls.once(&sql::event_chunk::LOCK);
    }
    let chunks = event_chunk::pack(&events)?;
    let (mut upto, mut rows, mut stretches) = (0, vec![], vec![]);
    for EventChunk { events: count, projects, runs, data } in chunks {
        upto += i64::from(count);
        let behind = events.len() as i64 - upto;
        stretches.extend(event_chunk::marked(&projects).map(|project| row![project, behind]));
        rows.push(row![upto, count, projects, runs, data]);
    }
    let place = calls.calls.len();
    calls.add(&sql::event_chunk::INSERT, rows);
    calls.any(&sql::event_stretch::INSERT, stretches);
    let answer = calls.run(driver, may_commit).await?.into_iter().nth(place).unwrap_or_default();
    let ends: Vec<i64> = each("event_chunk", answer.rows, |fields| fields.int("last_seq"))?;
    let last = ends.into_iter().max().unwrap_or_default();
    let first = last - events.len() as i64 + 1;
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
