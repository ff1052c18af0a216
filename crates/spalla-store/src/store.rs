//! The store as everything above it sees it: requests in, replies and wake-ups out, reads beside.

use crate::command::{Reply, Request};
use crate::error::{ExecuteError, StoreError};
use crate::memory::Memory;
use crate::read::Read;
use crate::timekeeper::Timekeeper;
use futures_util::future::BoxFuture;
use spalla_domain::Timestamp;
use spalla_domain::approval_policy::Policy;
use spalla_domain::concurrency::Limits;
use spalla_domain::event::Event;
use spalla_domain::limits::Allowed;
use spalla_domain::recovery::Rules;
use spalla_domain::resources::Pools;
use spalla_domain::retry::{ErrorClass, RetryPolicy};
use spalla_domain::run::TAKEOVERS_MAX_DEFAULT;
use spalla_domain::slo::Slos;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Tells the time. Handed in, so that tests and the simulator own it.
pub trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;
}

/// Gives random numbers. Handed in, so that tests and the simulator own them.
pub trait Randomness: Send + Sync {
    /// Returns a number that no one could foresee, or a repeatable one in a test.
    fn next(&self) -> u64;
}

/// After how long without a worker an agent starves, in milliseconds.
pub(crate) const HEARTBEAT_MISS_MS_DEFAULT: i64 = 60_000;

/// What the rules need to know of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How failures are retried where an item does not say.
    pub retry: RetryPolicy,
    /// Which failures are tried again; none is as built in.
    pub recovery: Option<Arc<Rules>>,
    /// How often a run may be taken over before it is lost.
    pub takeovers_max: u32,
    /// Whether items with an undecided or refused approval are held.
    pub require_approval: bool,
    /// Whether claims take eligible entries as well; otherwise only tick and start make runs.
    pub claims_take_eligible: bool,
    /// Whether priorities move by themselves near what a person set.
    pub priority_auto: bool,
    /// How many runs may be going on at once.
    pub limits: Limits,
    /// How much agents have of what their runs need.
    pub pools: Arc<Pools>,
    /// What no project and no work item may ask for more of; what is not in it is not limited.
    pub allowed: Arc<Allowed>,
    /// An agent whose entries wait while no worker that takes them was heard of for so long starves, in milliseconds; 0
    /// means that nobody looks.
    pub heartbeat_miss_ms: i64,
    /// Which work items need whose approval, whether anybody asks for it or not.
    pub approval_policy: Arc<Policy>,
    /// What is promised of agents' runs.
    pub slos: Arc<Slos>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            recovery: None,
            takeovers_max: TAKEOVERS_MAX_DEFAULT,
            require_approval: true,
            claims_take_eligible: true,
            priority_auto: true,
            limits: Limits::default(),
            pools: Arc::default(),
            allowed: Arc::default(),
            heartbeat_miss_ms: HEARTBEAT_MISS_MS_DEFAULT,
            approval_policy: Arc::default(),
            slos: Arc::default(),
        }
    }
}

impl Settings {
    /// Returns how a failure is retried where its item says nothing.
    pub(crate) fn retries(&self, class: ErrorClass) -> RetryPolicy {
        match &self.recovery {
            Some(rules) => rules.retries(class, self.retry),
            None => Rules::built_in(self.retry).retries(class, self.retry),
        }
    }

    /// Returns the rules that are in force.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.recovery.clone().unwrap_or_else(|| Arc::new(Rules::built_in(self.retry)))
    }
}

/// Is asked around every commit. Nobody is in the shipped program; the simulator lets commits fail here.
pub trait CommitGate: Send + Sync {
    /// Is asked before rows are changed, so many of them. The one that it names is written as if somebody else had moved
    /// it since it was loaded: under a token that it does not bear, which no statement may accept.
    fn overtakes(&self, _rows: usize) -> Option<usize> {
        None
    }

    /// Tells whether it may refuse a commit. One that never does need not be asked, so that the commit is sent along with
    /// the last statements, as it is in the shipped program.
    fn may_refuse(&self) -> bool {
        true
    }

    /// Is asked when everything is written and nothing committed; an error rolls it back.
    fn before(&self) -> Result<(), StoreError>;

    /// Is asked when it is committed and nobody knows; an error is all that the callers hear.
    fn after(&self) -> Result<(), StoreError>;
}

/// Where the store keeps its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In memory, which several servers may share and which outlives each of them: for tests and simulation.
    Memory(Memory),
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// In a Postgres database, by its URL.
    Postgres(String),
}

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// Where.
    pub location: Location,
    /// What the rules need to know.
    pub settings: Settings,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random numbers.
    pub randomness: Arc<dyn Randomness>,
    /// Who is asked around commits.
    pub gate: Option<Arc<dyn CommitGate>>,
}

/// What a commit changed, for whoever waits for it.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The events, with their numbers. Empty when another server's commit became known: read on from the last number.
    pub events: Arc<[Event]>,
}

/// The answer to one request of a batch.
pub type Outcome = Result<Reply, ExecuteError>;

/// What takes requests: collects what arrives together into one transaction.
pub trait Writer: Send + Sync {
    /// Executes one request together with whatever else is waiting; answers after the commit.
    fn execute(&self, request: Request) -> BoxFuture<'_, Outcome>;

    /// Executes requests that came together, side by side in the queue; answers each, in order.
    fn execute_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Outcome>>;

    /// Stops taking requests and waits until what was taken is answered.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A handle to an open store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) writer: Arc<dyn Writer>,
    pub(crate) reads: Arc<dyn Read>,
    pub(crate) committed: broadcast::Sender<Committed>,
    pub(crate) timekeeper: Arc<Timekeeper>,
    pub(crate) rules: Arc<Rules>,
}

impl Store {
    /// Opens the store: migrates it where needed, and starts its writer.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        match options.location.clone() {
            Location::Memory(memory) => Ok(crate::memory::open(&memory, options)),
            Location::Sqlite(path) => crate::sql::sqlite::open(&path, options).await,
            Location::Postgres(url) => crate::sql::postgres::open(&url, options).await,
        }
    }

    /// Executes one request; the answer is on disk when it arrives.
    pub async fn execute(&self, request: impl Into<Request>) -> Result<Reply, ExecuteError> {
        self.writer.execute(request.into()).await
    }

    /// Executes requests that came together, in one transaction as long as there is room; answers each, in order.
    pub async fn execute_all(&self, requests: Vec<Request>) -> Vec<Outcome> {
        self.writer.execute_all(requests).await
    }

    /// Returns the same store behind another writer that is made from its own, with subscribers of its own: the
    /// simulator's way to delay, to batch and to lose what goes in and out.
    #[must_use]
    pub fn behind(self, wrap: impl FnOnce(Arc<dyn Writer>) -> Arc<dyn Writer>) -> Self {
        let committed = broadcast::Sender::new(COMMITTED_BACKLOG);
        Self { writer: wrap(self.writer), committed, ..self }
    }

    /// Tells subscribers what was committed; nothing means that another server may have committed something.
    pub fn publish(&self, events: Arc<[Event]>) {
        // Without subscribers nobody waits for it.
        let _ = self.committed.send(Committed { events });
    }

    /// Returns the rules that say what is done about failures.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Returns the reads.
    pub fn read(&self) -> &dyn Read {
        &*self.reads
    }

    /// Subscribes to commits. Whoever falls behind is told so and reads on from the last number it saw.
    pub fn committed(&self) -> broadcast::Receiver<Committed> {
        self.committed.subscribe()
    }

    /// Returns the earliest moment at which a lease ends or a delayed item is due, as far as this process knows; it
    /// may be in the past. None means that nothing waits for the clock.
    pub fn next_moment(&self) -> Option<Timestamp> {
        self.timekeeper.next()
    }

    /// Stops taking requests and waits until what was taken is answered.
    pub async fn close(&self) {
        self.writer.close().await;
    }
}

/// How many commits a subscriber may be behind before it has to read on from the store.
pub(crate) const COMMITTED_BACKLOG: usize = 1_024;
