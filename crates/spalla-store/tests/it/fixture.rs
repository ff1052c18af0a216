//! What every claim works with: an empty store of one kind, a clock that stands still until it is moved, and random
//! numbers that repeat from run to run.

pub(crate) mod snapshot;
pub(crate) mod verbs;

use crate::postgres_fixture::Cluster;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use spalla_domain::Timestamp;
use spalla_store::{Clock, Location, Options, Randomness, Settings, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use tempfile::TempDir;

/// The moment at which every test begins.
pub(crate) const START: Timestamp = Timestamp::from_ms(1_700_000_000_000);

/// Turns claims, each an async function that takes a [`Fixture`], into one test for each store.
macro_rules! claims {
    ($($claim:ident),+ $(,)?) => {
        mod memory { $(
            #[test]
            fn $claim() {
                $crate::fixture::prove($crate::fixture::Kind::Memory, |f| Box::pin(super::$claim(f)));
            }
        )+ }
        mod sqlite { $(
            #[test]
            fn $claim() {
                $crate::fixture::prove($crate::fixture::Kind::Sqlite, |f| Box::pin(super::$claim(f)));
            }
        )+ }
        mod postgres { $(
            #[test]
            fn $claim() {
                $crate::fixture::prove($crate::fixture::Kind::Postgres, |f| Box::pin(super::$claim(f)));
            }
        )+ }
    };
}
pub(crate) use claims;

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Maps in memory.
    Memory,
    /// A file in a folder of its own.
    Sqlite,
    /// A database of its own in a cluster that the test process shares.
    Postgres,
}

/// Checks one claim on an empty store of one kind.
pub(crate) fn prove(kind: Kind, claim: fn(Fixture) -> LocalBoxFuture<'static, ()>) {
    run(async move { claim(Fixture::open(kind).await).await }.boxed_local());
}

/// Runs a test on two threads, so that what can meet does.
pub(crate) fn run(test: LocalBoxFuture<'static, ()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().expect("starting a runtime").block_on(test);
}

/// An empty store, and what it was opened with.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dice: Arc<Dice>,
    options: Options,
    /// Goes with the fixture.
    _folder: Option<TempDir>,
}

impl Fixture {
    /// Opens an empty store with the settings that nobody changed.
    pub(crate) async fn open(kind: Kind) -> Self {
        let folder = (kind == Kind::Sqlite).then(|| TempDir::new().expect("making a folder"));
        let location = match (kind, &folder) {
            (Kind::Memory, _) | (_, None) if kind != Kind::Postgres => {
                Location::Memory(spalla_store::Memory::default())
            }
            (_, Some(folder)) => Location::Sqlite(folder.path().join("spalla.db")),
            (_, None) => Location::Postgres(Cluster::shared().create_database()),
        };
        let (clock, dice) = (Arc::new(ManualClock::new()), Arc::new(Dice::new()));
        let options = Options {
            location,
            settings: Settings::default(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            randomness: Arc::clone(&dice) as Arc<dyn Randomness>,
            gate: None,
        };
        let store = open(&options).await;
        Self { store, clock, dice, options, _folder: folder }
    }

    /// Opens the store again with other settings. One in memory is a new one, so this comes first in a claim.
    pub(crate) async fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.options.settings);
        self.store.close().await;
        self.store = open(&self.options).await;
        self
    }

    /// Closes the store and opens it again, as a restart of the server does.
    pub(crate) async fn restart(&mut self) {
        self.store.close().await;
        self.store = open(&self.options).await;
    }

    /// Returns where the store keeps its rows.
    pub(crate) const fn location(&self) -> &Location {
        &self.options.location
    }

    /// Opens what the store keeps once more, as the command line does while a server runs; one in memory is only itself.
    pub(crate) async fn opened_beside(&self) -> Store {
        match self.options.location {
            Location::Postgres(_) | Location::Sqlite(_) => open(&self.options).await,
            Location::Memory(_) => self.store.clone(),
        }
    }

    /// Returns a second server's handle where several can share a store, and the only one elsewhere.
    pub(crate) async fn second_server(&self) -> Store {
        match self.options.location {
            Location::Postgres(_) | Location::Memory(_) => open(&self.options).await,
            Location::Sqlite(_) => self.store.clone(),
        }
    }
}

async fn open(options: &Options) -> Store {
    match Store::open(options.clone()).await {
        Ok(store) => store,
        Err(error) => panic!("opening the store at {:?}: {error}", options.location),
    }
}

/// A clock that is moved by hand.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    fn new() -> Self {
        Self(AtomicI64::new(START.ms()))
    }

    /// Moves the clock on.
    pub(crate) fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sets the clock.
    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.ms(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

/// Random numbers that repeat from run to run. Held, they show one number however often somebody looks, so that
/// stores that look more or less often still see the same.
#[derive(Debug)]
pub(crate) struct Dice {
    next: AtomicU64,
    is_held: AtomicBool,
}

impl Dice {
    fn new() -> Self {
        Self { next: AtomicU64::new(0), is_held: AtomicBool::new(false) }
    }

    /// Shows the number of a throw until the next one.
    pub(crate) fn hold(&self, throw: u64) {
        self.is_held.store(true, Ordering::SeqCst);
        self.next.store(throw, Ordering::SeqCst);
    }
}

impl Randomness for Dice {
    fn next(&self) -> u64 {
        let step = u64::from(!self.is_held.load(Ordering::SeqCst));
        scatter(self.next.fetch_add(step, Ordering::SeqCst))
    }
}

/// Returns a number that looks random and is always the same for the same seed (splitmix64).
pub(crate) fn scatter(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
