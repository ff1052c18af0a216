//! What a database's writer does with a batch, seen from the writer: it hands over an open transaction and commits.

use super::driver::Driver;
use super::tx::{Shared, SqlTx};
use crate::batch::{self, Context, Done};
use crate::command::Request;
use crate::store::{Clock, CommitGate, Options, Randomness, Settings};
use crate::timekeeper::Timekeeper;
use crate::tx::Result;
use spalla_domain::queue::fair_share::Turns;
use std::sync::{Arc, Mutex};

/// What a writer does with a batch inside an open transaction.
pub(crate) trait Transact: Send + Sync + 'static {
    /// Executes the requests; the writer commits, or rolls back on an error.
    fn transact<'t, D: Driver + 't>(
        &'t self,
        driver: D,
        requests: &'t [Request],
    ) -> impl Future<Output = Result<Done>> + Send + 't;

    /// Is asked before a commit; an error is a reason to roll back.
    fn before_commit(&self) -> Result<()> {
        Ok(())
    }

    /// Hears that a batch was committed; an error is all that the callers hear.
    fn after_commit(&self, _done: &Done) -> Result<()> {
        Ok(())
    }

    /// Hears that a batch was not committed, or that nobody knows: what it led one to believe may be wrong.
    fn forget(&self);
}

/// Executes commands; the drivers' tests do something smaller.
pub(crate) struct Commands {
    settings: Settings,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    turns: Mutex<Turns>,
    timekeeper: Arc<Timekeeper>,
    store_id: String,
    gate: Option<Arc<dyn CommitGate>>,
    shared: Arc<Shared>,
}

impl Commands {
    /// Makes it for an open store.
    pub(crate) fn new(options: Options, timekeeper: Arc<Timekeeper>, store_id: String) -> Self {
        let Options { settings, clock, randomness, gate, .. } = options;
        let (turns, shared) = (Mutex::default(), Arc::default());
        Self { settings, clock, randomness, turns, timekeeper, store_id, gate, shared }
    }
}

impl Transact for Commands {
    async fn transact<'t, D: Driver + 't>(&'t self, driver: D, requests: &'t [Request]) -> Result<Done> {
        let context = Context {
            now: self.clock.now(),
            settings: &self.settings,
            randomness: &*self.randomness,
            turns: &self.turns,
            timekeeper: &self.timekeeper,
            store_id: &self.store_id,
            gate: self.gate.as_deref(),
        };
        batch::run(&mut SqlTx::new(driver, Arc::clone(&self.shared)), context, requests).await
    }

    fn before_commit(&self) -> Result<()> {
        self.gate.as_ref().map_or(Ok(()), |gate| gate.before())
    }

    fn after_commit(&self, done: &Done) -> Result<()> {
        if let Some(at) = done.waits_until {
            self.timekeeper.note(at);
        }
        self.gate.as_ref().map_or(Ok(()), |gate| gate.after())
    }

    fn forget(&self) {
        self.timekeeper.forget();
        self.shared.forget();
    }
}
