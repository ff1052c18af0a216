//! Places as rows: each table begins with the item and what it carries, and goes on with what is its own.

use super::work_item::code;
use super::{Fields, row};
use crate::error::StoreError;
use crate::sql::statement::Row;
use crate::tx::{Candidate, PlaceRow, Placed, Result};
use spalla_domain::lease::Lease;
use spalla_domain::queue::{Broken, Finished, Holds, Place, Standing};
use spalla_domain::run::LiveRun;
use spalla_domain::work_item::Status;

fn read(fields: &mut Fields, place: impl FnOnce(&mut Fields) -> Result<Place>) -> Result<Placed> {
    Ok(Placed {
        id: fields.id("work_item_id")?,
        standing: Standing {
            prio: fields.int("prio")?,
            fence: fields.id("fence")?,
            attempt: fields.number("attempt")?,
            failures: fields.number("failures")?,
        },
        place: place(fields)?,
    })
}

/// Reads a ready item.
pub(crate) fn read_ready(fields: &mut Fields) -> Result<Placed> {
    read(fields, |_| Ok(Place::Ready))
}

/// Reads a ready item that may be claimed.
pub(crate) fn read_ready_candidate(fields: &mut Fields) -> Result<Candidate> {
    read_candidate(fields, read_ready)
}

/// Reads an item whose live run may be claimed.
pub(crate) fn read_leased_candidate(fields: &mut Fields) -> Result<Candidate> {
    read_candidate(fields, read_leased)
}

fn read_candidate(
    fields: &mut Fields,
    place: impl FnOnce(&mut Fields) -> Result<Placed>,
) -> Result<Candidate> {
    Ok(Candidate { queue: fields.id("queue")?, priority: fields.number("priority")?, placed: place(fields)? })
}

/// Reads a delayed item.
pub(crate) fn read_delayed(fields: &mut Fields) -> Result<Placed> {
    read(fields, |fields| Ok(Place::Delayed { due_at: fields.time("due_at")? }))
}

/// Reads a blocked item.
pub(crate) fn read_blocked(fields: &mut Fields) -> Result<Placed> {
    read(fields, |fields| {
        let unmet = fields.number("unmet")?;
        let broken = match (fields.maybe_word("broken_reason", code)?, fields.maybe_id("broken_by")?) {
            (Some(reason), Some(by)) => Some(Broken { reason, by }),
            (None, None) => None,
            _ => return Err(fields.odd("broken_by", "does not go with broken_reason")),
        };
        Ok(Place::Blocked(Holds {
            unmet,
            broken,
            pending: fields.number("pending")?,
            rejected: fields.number("rejected")?,
            due_at: fields.maybe_time("due_at")?,
        }))
    })
}

/// Reads a leased item.
pub(crate) fn read_leased(fields: &mut Fields) -> Result<Placed> {
    read(fields, |fields| {
        Ok(Place::Leased(LiveRun {
            id: fields.id("run_id")?,
            lease: read_lease(fields)?,
            takeovers: fields.number("takeovers")?,
            holds: fields.number("holds")?,
            questions: fields.number("questions")?,
            paused: fields.flag("paused")?,
            created_at: fields.time("created_at")?,
            started_at: fields.maybe_time("started_at")?,
        }))
    })
}

/// Reads a leased item, and how often its row was written.
pub(crate) fn read_leased_with_revision(fields: &mut Fields) -> Result<(Placed, i64)> {
    Ok((read_leased(fields)?, fields.int("revision")?))
}

fn read_lease(fields: &mut Fields) -> Result<Option<Lease>> {
    match (fields.maybe_worker("worker")?, fields.maybe_time("until")?) {
        (Some(worker), Some(until)) => Ok(Some(Lease { worker, until })),
        (None, None) => Ok(None),
        _ => Err(fields.odd("until", "does not go with worker")),
    }
}

/// Reads a finished item.
pub(crate) fn read_finished(fields: &mut Fields) -> Result<Placed> {
    read(fields, |fields| {
        Ok(Place::Finished(Finished {
            status: fields.word("status", Status::parse)?,
            at: fields.time("at")?,
        }))
    })
}

/// The rows of a set of places, by table.
#[derive(Debug, Default)]
pub(crate) struct ByTable {
    /// Of `ready`.
    pub(crate) ready: Vec<Row>,
    /// Of `delayed`.
    pub(crate) delayed: Vec<Row>,
    /// Of `blocked`.
    pub(crate) blocked: Vec<Row>,
    /// Of `leased`.
    pub(crate) leased: Vec<Row>,
    /// Of `finished`.
    pub(crate) finished: Vec<Row>,
}

impl ByTable {
    /// Writes rows that enter their places.
    pub(crate) fn entering(rows: Vec<PlaceRow>) -> Result<Self> {
        let mut tables = Self::default();
        for PlaceRow { project_id, queue, priority, placed: Placed { id, standing, place } } in rows {
            let Standing { prio, fence, attempt, failures } = standing;
            match place {
                Place::Open => return Err(open_is_no_place(id)),
                Place::Ready => tables.ready.push(row![queue, prio, id, priority, fence, attempt, failures]),
                Place::Delayed { due_at } => {
                    tables.delayed.push(row![due_at, id, project_id, prio, fence, attempt, failures])
                }
                Place::Blocked(holds) => {
                    let mut row = row![id, project_id, prio, fence, attempt, failures];
                    row.extend(holds_row(&holds));
                    tables.blocked.push(row);
                }
                Place::Leased(run) => {
                    let (worker, until) = parted(run.lease);
                    tables.leased.push(row![
                        id,
                        run.id,
                        queue,
                        prio,
                        priority,
                        fence,
                        attempt,
                        failures,
                        worker,
                        until,
                        run.takeovers,
                        run.holds,
                        run.questions,
                        run.paused,
                        run.created_at,
                        run.started_at,
                    ]);
                }
                Place::Finished(Finished { status, at }) => {
                    tables.finished.push(row![
                        id,
                        project_id,
                        status.as_str(),
                        at,
                        prio,
                        fence,
                        attempt,
                        failures
                    ]);
                }
            }
        }
        Ok(tables)
    }

    /// Writes rows that leave their places: their keys, and the token that says that nobody moved them meanwhile.
    pub(crate) fn leaving(rows: Vec<PlaceRow>) -> Result<Self> {
        let mut tables = Self::default();
        for PlaceRow {
            queue, placed: Placed { id, standing: Standing { prio, fence, .. }, place }, ..
        } in rows
        {
            match place {
                Place::Open => return Err(open_is_no_place(id)),
                Place::Ready => tables.ready.push(row![queue, prio, id, fence]),
                Place::Delayed { due_at } => tables.delayed.push(row![due_at, id, fence]),
                Place::Blocked(_) => tables.blocked.push(row![id, fence]),
                Place::Leased(run) => tables.leased.push(row![id, run.id, fence]),
                Place::Finished(_) => tables.finished.push(row![id, fence]),
            }
        }
        Ok(tables)
    }

    /// Writes rows that change in their places. A place whose key is what it says has no such changes.
    pub(crate) fn changing(rows: Vec<(PlaceRow, PlaceRow)>) -> Result<Self> {
        let mut tables = Self::default();
        for (before, after) in rows {
            let fence_before = before.placed.standing.fence;
            let PlaceRow { queue, priority, placed: Placed { id, standing, place }, .. } = after;
            let Standing { prio, fence, attempt, failures } = standing;
            match place {
                Place::Blocked(holds) => {
                    let mut row = row![id, fence_before, prio, fence, attempt, failures];
                    row.extend(holds_row(&holds));
                    tables.blocked.push(row);
                }
                Place::Leased(run) => {
                    let (worker, until) = parted(run.lease);
                    tables.leased.push(row![
                        id,
                        run.id,
                        fence_before,
                        queue,
                        prio,
                        priority,
                        fence,
                        attempt,
                        failures,
                        worker,
                        until,
                        run.takeovers,
                        run.holds,
                        run.questions,
                        run.paused,
                        run.started_at,
                    ]);
                }
                Place::Finished(Finished { status, at }) => {
                    tables.finished.push(row![
                        id,
                        fence_before,
                        status.as_str(),
                        at,
                        prio,
                        fence,
                        attempt,
                        failures
                    ]);
                }
                Place::Open | Place::Ready | Place::Delayed { .. } => {
                    let why =
                        format!("a defect: work item {id} was to change in a place that it can only leave");
                    return Err(StoreError::Corrupt(why));
                }
            }
        }
        Ok(tables)
    }
}

fn holds_row(holds: &Holds) -> Row {
    let broken = holds.broken;
    row![
        holds.reason().map(|reason| reason.as_str()),
        holds.unmet,
        broken.map(|broken| broken.reason.as_str()),
        broken.map(|broken| broken.by),
        holds.pending,
        holds.rejected,
        holds.due_at,
    ]
}

fn parted(lease: Option<Lease>) -> (Option<spalla_domain::WorkerId>, Option<spalla_domain::Timestamp>) {
    lease.map(|Lease { worker, until }| (worker, until)).unzip()
}

fn open_is_no_place(id: spalla_domain::WorkItemId) -> StoreError {
    StoreError::Corrupt(format!(
        "a defect: work item {id} is open, which is no place that it could enter or leave"
    ))
}
