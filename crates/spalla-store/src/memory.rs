//! The store in memory, for tests and simulation: the same operations over maps that can be rolled back.

mod database;
mod reads;
mod table;
mod transaction;

use crate::batch::{self, Context};
use crate::command::Request;
use crate::error::{ExecuteError, StoreError};
use crate::store::{COMMITTED_BACKLOG, Committed, Options, Outcome, Store, Writer};
use crate::timekeeper::Timekeeper;
use database::Database;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::broadcast;
use transaction::MemoryTx;

/// The id of every store in memory: trace ids repeat from run to run, as a simulation needs.
pub(crate) const STORE_ID: &str = "memory";

/// Opens an empty store in memory.
pub(crate) fn open(options: Options) -> Store {
    let database = Arc::new(Mutex::new(Database::default()));
    let timekeeper = Arc::new(Timekeeper::new());
    let committed = broadcast::Sender::new(COMMITTED_BACKLOG);
    let writer = MemoryWriter {
        database: Mutex::new(Some(Arc::clone(&database))),
        options,
        timekeeper: Arc::clone(&timekeeper),
        committed: committed.clone(),
    };
    let reads = Arc::new(reads::MemoryReads { database });
    Store { writer: Arc::new(writer), reads, committed, timekeeper }
}

/// Locks a mutex; a panic elsewhere leaves the data as the last commit or rollback left it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct MemoryWriter {
    /// None once the store is closed.
    database: Mutex<Option<Arc<Mutex<Database>>>>,
    options: Options,
    timekeeper: Arc<Timekeeper>,
    committed: broadcast::Sender<Committed>,
}

impl MemoryWriter {
    fn execute_now(&self, request: &Request) -> Outcome {
        let Some(database) = lock(&self.database).clone() else { return Err(StoreError::Closed.into()) };
        let mut database = lock(&database);
        let context = Context {
            now: self.options.clock.now(),
            settings: &self.options.settings,
            randomness: &*self.options.randomness,
            timekeeper: &self.timekeeper,
            store_id: STORE_ID,
        };
        let mut tx = MemoryTx { database: &mut database };
        let done = batch::run(&mut tx, context, std::slice::from_ref(request)).now_or_never();
        match done {
            Some(Ok(done)) => {
                database.commit();
                if !done.events.is_empty() {
                    // Nobody listening is no fault.
                    let _ = self.committed.send(Committed { events: done.events.into() });
                }
                let reply = done.replies.into_iter().next();
                reply.unwrap_or(Ok(crate::Reply::Done)).map_err(ExecuteError::Refused)
            }
            failed => {
                database.roll_back();
                self.timekeeper.forget();
                let waited = || StoreError::Corrupt("an operation waited inside its transaction".to_owned());
                Err(failed.map_or_else(waited, |done| done.err().unwrap_or_else(waited)).into())
            }
        }
    }
}

impl Writer for MemoryWriter {
    fn execute(&self, request: Request) -> BoxFuture<'_, Outcome> {
        async move { self.execute_now(&request) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        lock(&self.database).take();
        std::future::ready(()).boxed()
    }
}
