//! Writes all changes of a batch with one statement for each table and kind of change, in an order that no key gets in
//! the way of: what is removed before what is added, events last.

use super::call::{by_rows, once};
use crate::error::StoreError;
use crate::event_chunk::{self, EventChunk};
use crate::sql::driver::Driver;
use crate::sql::row::place::ByTable;
use crate::sql::row::{approval, document, each, project, row, run, work_item};
use crate::sql::statement::{Answer, Call, Row, Statement};
use crate::sql::statements as sql;
use crate::tx::{Changes, KeptReply, LogChunk, Result};
use spalla_domain::event::{Event, NewEvent};
use spalla_domain::{EventSeq, WorkItemId};
use std::collections::BTreeSet;

/// The calls of a batch, each with how many rows it must write.
#[derive(Default)]
struct Calls {
    calls: Vec<Call>,
    wanted: Vec<Option<u64>>,
}

impl Calls {
    /// Adds a statement that must write every row.
    fn all(&mut self, statement: &'static Statement, rows: Vec<Row>) {
        if !rows.is_empty() {
            self.wanted.push(Some(rows.len() as u64));
            self.calls.push(by_rows(statement, rows));
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
    async fn run<D: Driver>(self, driver: &mut D) -> Result<Vec<Answer>> {
        if self.calls.is_empty() {
            return Ok(vec![]);
        }
        let names: Vec<&'static str> = self.calls.iter().map(|call| call.statement.name).collect();
        let answers = driver.run(self.calls).await?;
        for ((answer, wanted), name) in answers.iter().zip(self.wanted).zip(names) {
            if wanted.is_some_and(|wanted| answer.written != wanted) {
                let table = name.split_once('/').map_or(name, |(table, _)| table);
                return Err(StoreError::Conflict { what: table });
            }
        }
        Ok(answers)
    }
}

/// Writes the changes and returns the events with their numbers.
pub(super) async fn write<D: Driver>(driver: &mut D, changes: Changes) -> Result<Vec<Event>> {
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
        used,
        documents,
        documents_gone,
        replies,
        events,
    } = changes;
    let mut calls = Calls::default();
    calls.all(&sql::project::INSERT, projects_made.into_iter().map(project::new).collect());
    calls.all(&sql::project::UPDATE, last_of_each(projects_changed, |project| project.id, project::changed));
    calls.all(&sql::queue::INSERT, results(queues_made, project::new_queue)?);

    let (made, entered_queue): (BTreeSet<_>, BTreeSet<_>) = (
        items_made.iter().map(|(_, item)| item.id).collect(),
        entries_made.iter().map(|(_, entry)| entry.work_item_id).collect(),
    );
    calls.all(&sql::work_item::INSERT, results(items_made, work_item::new)?);
    let changed = last_of_each(items_changed, |(_, item)| item.id, work_item::changed);
    calls.all(&sql::work_item::UPDATE, changed.into_iter().collect::<Result<_>>()?);
    calls.all(&sql::entry::INSERT, entries_made.into_iter().map(work_item::new_entry).collect());
    calls.all(&sql::entry::UPDATE, entries_changed.into_iter().map(work_item::changed_entry).collect());
    calls.all(&sql::open::INSERT, ids(made.difference(&entered_queue)));
    calls.any(&sql::open::DELETE, ids(entered_queue.difference(&made)));

    leave(&mut calls, ByTable::leaving(left)?);
    change(&mut calls, ByTable::changing(moved_within)?);
    enter(&mut calls, ByTable::entering(entered)?);

    calls.all(&sql::run::INSERT, results(runs_ended, run::new)?);
    calls.all(&sql::dep::INSERT, edges_made.into_iter().map(work_item::new_edge).collect());
    calls.all(&sql::approval::INSERT, approvals_made.into_iter().map(approval::new).collect());
    calls.all(&sql::approval::DECIDE, approvals_decided.into_iter().map(approval::decided).collect());
    calls.all(&sql::log_chunk::INSERT, log_chunks.into_iter().map(log_chunk).collect());
    calls.all(&sql::usage::ADD, used.into_iter().map(project::used).collect());
    calls.all(&sql::document::PUT, last_of_each(documents, |d| (d.kind, d.id), document::put));
    calls.any(&sql::document::DELETE, documents_gone.into_iter().map(document::gone).collect());
    calls.all(&sql::reply::INSERT, replies.into_iter().map(reply).collect());
    append(driver, calls, events).await
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
    calls.all(&sql::ready::INSERT, rows.ready);
    calls.all(&sql::delayed::INSERT, rows.delayed);
    calls.all(&sql::blocked::INSERT, rows.blocked);
    calls.all(&sql::leased::INSERT, rows.leased);
    calls.all(&sql::finished::INSERT, rows.finished);
}

/// Adds the events behind everything else, runs the calls, and gives the events their numbers: the newest number is
/// read in the statement that inserts them, under a lock where others write as well.
async fn append<D: Driver>(driver: &mut D, mut calls: Calls, events: Vec<NewEvent>) -> Result<Vec<Event>> {
    if events.is_empty() {
        return calls.run(driver).await.map(|_| vec![]);
    }
    if driver.is_shared() {
        calls.once(&sql::event_chunk::LOCK);
    }
    let mut upto = 0;
    let rows = event_chunk::pack(&events)?.into_iter().map(|EventChunk { events, projects, runs, data }| {
        upto += events;
        row![upto, events, projects, runs, data]
    });
    calls.all(&sql::event_chunk::INSERT, rows.collect());
    let answer = calls.run(driver).await?.pop().unwrap_or_default();
    let ends: Vec<i64> = each("event_chunk", answer.rows, |fields| fields.int("last_seq"))?;
    let last = ends.into_iter().max().unwrap_or_default();
    let first = last - events.len() as i64 + 1;
    Ok(events.into_iter().zip(first..).map(|(new, seq)| new.numbered(EventSeq(seq))).collect())
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

fn ids<'a>(items: impl Iterator<Item = &'a WorkItemId>) -> Vec<Row> {
    items.map(|id| row![*id]).collect()
}

fn log_chunk(chunk: LogChunk) -> Row {
    row![chunk.run_id, chunk.first_seq, chunk.lines, chunk.data]
}

fn reply(kept: KeptReply) -> Row {
    row![kept.key, kept.at, kept.fingerprint.to_vec(), kept.reply]
}

#[cfg(test)]
pub(crate) mod trials;
