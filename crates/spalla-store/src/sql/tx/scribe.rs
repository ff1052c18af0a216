//! The scribe: a thread that turns changes into rows and packs events while the database works on what is ready. Where the
//! database is in this process both take about as long, and a batch would otherwise wait for one after the other.

use super::write::{Sink, prepare};
use crate::error::StoreError;
use crate::sql::statement::Call;
use crate::tx::{Changes, Result};
use spalla_domain::event::NewEvent;
use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many calls may be ready ahead of the database.
const AHEAD: usize = 16;

/// A call that is ready to be run.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The call.
    pub(super) call: Call,
    /// How many rows it must write.
    pub(super) wanted: Option<u64>,
}

/// What the scribe is asked for, and where its answers go.
struct Order {
    changes: Changes,
    calls: SyncSender<Prepared>,
    events: SyncSender<Result<Vec<NewEvent>>>,
}

/// Hands changes to the thread, which begins with the first ones and ends with this.
#[derive(Debug, Default)]
pub(crate) struct Scribe(Mutex<Option<SyncSender<Order>>>);

impl Scribe {
    /// Has calls made of changes, in their order.
    pub(super) fn prepare(&self, changes: Changes) -> Result<Preparing> {
        let (calls, ready) = sync_channel(AHEAD);
        let (events, told) = sync_channel(1);
        let order = Order { changes, calls, events };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match &*known {
            Some(thread) => thread.send(order),
            None => Err(SendError(order)),
        };
        if let Err(SendError(order)) = refused {
            // None was needed yet, or a defect in an earlier batch took it along.
            let thread = start()?;
            let _ = known.insert(thread).send(order);
        }
        Ok(Preparing { ready, told })
    }
}

/// The calls of one batch, as they come.
pub(super) struct Preparing {
    ready: Receiver<Prepared>,
    told: Receiver<Result<Vec<NewEvent>>>,
}

impl Preparing {
    /// Waits for the next call; none after the last.
    pub(super) fn next(&self) -> Option<Prepared> {
        self.ready.recv().ok()
    }

    /// Returns the events behind the last call, or why there is none.
    pub(super) fn events(self) -> Result<Vec<NewEvent>> {
        let died = |_| Err(StoreError::Corrupt("a defect: changes were not turned into rows".to_owned()));
        self.told.recv().unwrap_or_else(died)
    }
}

fn start() -> Result<SyncSender<Order>> {
    let (orders, ordered) = sync_channel::<Order>(1);
    let thread = thread::Builder::new().name("spalla-scribe".to_owned());
    let started = thread.spawn(move || {
        for Order { changes, calls, events } in ordered {
            let outcome = prepare(changes, &mut Handing(calls));
            // Whoever has gone has rolled back.
            let _ = events.send(outcome);
        }
    });
    let detail = |error| format!("starting the scribe's thread: {error}; allow the server more threads");
    started.map(|_| orders).map_err(|error| StoreError::Unavailable { detail: detail(error) })
}

/// Hands calls over.
struct Handing(SyncSender<Prepared>);

impl Sink for Handing {
    fn take(&mut self, prepared: Prepared) {
        // Whoever has gone has rolled back.
        let _ = self.0.send(prepared);
    }

    fn is_waited_for(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    //! What becomes of changes on the other thread.

    use super::*;
    use crate::sql::statement::{Row, Value};
    use crate::sql::statements as sql;
    use crate::tx::EdgeRow;
    use spalla_domain::event::Fact;
    use spalla_domain::work_item::When;
    use spalla_domain::{ProjectId, Timestamp, WorkItemId};

    fn changes(edges: i64, events: i64) -> Changes {
        let edge = |child| EdgeRow { parent: WorkItemId(0), child: WorkItemId(child), when: When::Success };
        let event = |number| NewEvent {
            at: Timestamp::from_ms(number),
            project_id: ProjectId(1),
            work_item_id: None,
            run_id: None,
            fact: Fact::ProjectUpdated {},
        };
        Changes {
            edges_made: (1..=edges).map(edge).collect(),
            events: (1..=events).map(event).collect(),
            ..Changes::default()
        }
    }

    fn rows_of(preparing: &Preparing, name: &str) -> Vec<Row> {
        let calls: Vec<_> = std::iter::from_fn(|| preparing.next()).collect();
        let of = calls.into_iter().map(|prepared| prepared.call).filter(|call| call.statement.name == name);
        of.flat_map(|call| call.rows).collect()
    }

    #[test]
    fn rows_come_in_their_order_and_the_events_behind_them() {
        let scribe = Scribe::default();
        for edges in [1, 256, 257, 1_000] {
            let preparing = scribe.prepare(changes(edges, 3)).unwrap();
            let rows = rows_of(&preparing, sql::dep::INSERT.name);
            let children: Vec<_> = rows.iter().map(|row| row[1].clone()).collect();
            assert_eq!(children, (1..=edges).map(Value::Int).collect::<Vec<_>>());
            assert_eq!(preparing.events().unwrap(), changes(0, 3).events);
        }
    }

    #[test]
    fn a_batch_that_is_given_up_half_way_does_not_stop_the_next() {
        let scribe = Scribe::default();
        drop(scribe.prepare(changes(10_000, 10_000)).unwrap());
        let preparing = scribe.prepare(changes(2, 1)).unwrap();
        assert_eq!(rows_of(&preparing, sql::dep::INSERT.name).len(), 2);
        assert_eq!(preparing.events().unwrap().len(), 1);
    }
}
