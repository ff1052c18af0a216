//! The store in memory, for tests and simulation: the same operations over maps that can be rolled back.

mod database;
mod reads;
mod table;
mod transaction;

use crate::batch::{self, Context};
use crate::command::{Reply, Request};
use crate::error::{ExecuteError, StoreError};
use crate::sql::combiner::{copy_of, publish, publish_unknown};
use crate::store::{COMMITTED_BACKLOG, CommitGate, Committed, Options, Outcome, Store, Writer};
use crate::supply::Bounds;
use crate::timekeeper::Timekeeper;
use database::Database;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spalla_domain::Refusal;
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::queue::fair_share::Turns;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::broadcast;
use transaction::MemoryTx;

/// The id of every store in memory: trace ids repeat from run to run, as a simulation needs.
pub(crate) const STORE_ID: &str = "memory";

/// The rows of a store in memory; clones are the same rows.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Database>>);

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Memory").finish_non_exhaustive()
    }
}

/// Opens a store in memory: one server's way to rows that others may share.
pub(crate) fn open(memory: &Memory, options: Options) -> Store {
    let timekeeper = Arc::new(Timekeeper::new());
    let committed = broadcast::Sender::new(COMMITTED_BACKLOG);
    let (bounds, rules) = (Bounds::from(&options.settings), options.settings.rules());
    let writer = MemoryWriter {
        database: Mutex::new(Some(Arc::clone(&memory.0))),
        options,
        turns: Mutex::default(),
        timekeeper: Arc::clone(&timekeeper),
        committed: committed.clone(),
    };
    let reads = Arc::new(reads::MemoryReads { database: Arc::clone(&memory.0), bounds });
    Store { writer: Arc::new(writer), reads, committed, timekeeper, rules }
}

/// There is one writer, so nobody moves rows meanwhile: what conflicts twice always will.
const TRIES_MAX: u32 = 2;

/// Locks a mutex; a panic elsewhere leaves the data as the last commit or rollback left it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct MemoryWriter {
    /// None once the store is closed.
    database: Mutex<Option<Arc<Mutex<Database>>>>,
    options: Options,
    turns: Mutex<Turns>,
    timekeeper: Arc<Timekeeper>,
    committed: broadcast::Sender<Committed>,
}

impl MemoryWriter {
    /// Executes the requests in one transaction, or, where one of them spoils it, one half after the other.
    fn execute_now(&self, requests: &[Request]) -> Vec<Outcome> {
        let mut attempt = self.attempt(requests);
        for _ in 1..TRIES_MAX {
            if !attempt.as_ref().is_err_and(StoreError::is_conflict) {
                break;
            }
            attempt = self.attempt(requests);
        }
        match attempt {
            Ok(replies) => replies.into_iter().map(|reply| reply.map_err(ExecuteError::Refused)).collect(),
            Err(StoreError::Corrupt(_) | StoreError::Conflict { .. }) if requests.len() > 1 => {
                let (first, second) = requests.split_at(requests.len() / 2);
                [first, second].into_iter().flat_map(|half| self.execute_now(half)).collect()
            }
            Err(error) => requests.iter().map(|_| Err(copy_of(&error).into())).collect(),
        }
    }

    fn attempt(&self, requests: &[Request]) -> Result<Vec<Result<Reply, Refusal>>, StoreError> {
        let Some(database) = lock(&self.database).clone() else { return Err(StoreError::Closed) };
        let mut database = lock(&database);
        let context = Context {
            now: self.options.clock.now(),
            settings: &self.options.settings,
            randomness: &*self.options.randomness,
            turns: &self.turns,
            timekeeper: &self.timekeeper,
            store_id: STORE_ID,
            gate: self.options.gate.as_deref(),
        };
        let mut tx = MemoryTx { database: &mut database };
        let waited = || Err(StoreError::Corrupt("an operation waited inside its transaction".to_owned()));
        let done = batch::run(&mut tx, context, requests).now_or_never().unwrap_or_else(waited);
        let gate = self.options.gate.as_deref();
        #[cfg(debug_assertions)]
        if plant::is(Plant::AcknowledgedBeforeCommit)
            && let Ok(done) = &done
            && gate.is_some_and(|gate| gate.before().is_err())
        {
            database.roll_back();
            return Ok(done.replies.clone());
        }
        let done = done.and_then(|done| gate.map_or(Ok(()), CommitGate::before).map(|()| done));
        let done = done.inspect_err(|_| {
            database.roll_back();
            self.timekeeper.forget();
        })?;
        database.commit();
        gate.map_or(Ok(()), CommitGate::after).inspect_err(|_| {
            self.timekeeper.forget();
            publish_unknown(&self.committed);
        })?;
        publish(&self.committed, done.events);
        Ok(done.replies)
    }
}

impl Writer for MemoryWriter {
    fn execute(&self, request: Request) -> BoxFuture<'_, Outcome> {
        async move {
            let none = || Err(StoreError::Corrupt("a defect: no answer came".to_owned()).into());
            self.execute_now(&[request]).pop().unwrap_or_else(none)
        }
        .boxed()
    }

    fn execute_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Outcome>> {
        async move { self.execute_now(&requests) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        lock(&self.database).take();
        std::future::ready(()).boxed()
    }
}
