//! What is measured: a store and an engine as the server starts them, on an empty database.

use crate::postgres::{Postgres, Room, free_port};
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use spalla_domain::Timestamp;
use spalla_engine::{Engine, EngineHandle};
use spalla_store::{Clock, CommitGate, Location, Options, Randomness, Settings, StoreError};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Names a Postgres to measure on, by its URL; its schema `public` is emptied. Without it one of our own is started.
const POSTGRES_URL: &str = "PGURL";
/// Names the SQLite file, whose folder is on the disk to measure. Without it a temporary folder is used.
const SQLITE_FILE: &str = "SQLITE_FILE";

/// Where the rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A SQLite file, with every commit on the disk.
    Sqlite,
    /// A Postgres database.
    Postgres,
}

impl Kind {
    /// Returns the name in the figures, which says how durable a commit is.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite-FULL",
            Self::Postgres => "postgres",
        }
    }
}

/// Makes empty databases.
pub(crate) struct Ground {
    place: Place,
    /// Goes with the ground.
    _folder: Option<TempDir>,
}

enum Place {
    /// This file.
    Sqlite(PathBuf),
    /// A database of somebody else's server.
    Foreign(String),
    /// A server of our own.
    Own(Box<Postgres>),
}

impl Ground {
    /// Prepares what the environment names, or something temporary.
    pub(crate) async fn prepare(kind: Kind) -> Result<Self> {
        let named = match kind {
            Kind::Sqlite => std::env::var_os(SQLITE_FILE).map(|file| Place::Sqlite(file.into())),
            Kind::Postgres => std::env::var(POSTGRES_URL).ok().map(Place::Foreign),
        };
        match named {
            Some(place) => Ok(Self { place, _folder: None }),
            None => Self::prepare_own(kind).await,
        }
    }

    /// Prepares something temporary, whatever the environment names.
    pub(crate) async fn prepare_own(kind: Kind) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let place = match kind {
            Kind::Sqlite => Place::Sqlite(folder.path().join("bench.db")),
            Kind::Postgres => {
                let log = folder.path().join("log");
                let server = Postgres::start(folder.path(), log, free_port()?, Room::Ample).await?;
                Place::Own(Box::new(server))
            }
        };
        Ok(Self { place, _folder: Some(folder) })
    }

    /// Empties the database and returns where it is.
    pub(crate) async fn fresh(&self) -> Result<Location> {
        const EMPTY: &str = "drop schema if exists public cascade; create schema public";
        match &self.place {
            Place::Sqlite(file) => {
                for suffix in ["", "-wal", "-shm"] {
                    let mut name = file.clone().into_os_string();
                    name.push(suffix);
                    match std::fs::remove_file(&name) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(error).with_context(|| format!("removing {}", name.display()));
                        }
                        _ => {}
                    }
                }
                Ok(Location::Sqlite(file.clone()))
            }
            Place::Foreign(url) => {
                Postgres::run_at(url, EMPTY).await?;
                Ok(Location::Postgres(url.clone()))
            }
            Place::Own(server) => {
                server.run(EMPTY).await?;
                Ok(Location::Postgres(server.url()))
            }
        }
    }
}

/// A running engine.
pub(crate) struct Node {
    /// The way in.
    pub(crate) engine: EngineHandle,
    running: Engine,
    commits: Arc<Commits>,
}

impl Node {
    /// Opens the store and starts the engine.
    pub(crate) async fn start(location: Location) -> Result<Self> {
        let commits = Arc::new(Commits::default());
        let options = Options {
            location,
            settings: Settings::default(),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            gate: Some(Arc::clone(&commits) as Arc<dyn CommitGate>),
        };
        let store = spalla_store::Store::open(options).await?;
        let options = spalla_engine::Options {
            clock: Arc::new(SystemClock),
            background_interval: Some(Duration::from_secs(10)),
        };
        let (engine, running) = Engine::start(store, options);
        Ok(Self { engine, running, commits })
    }

    /// Returns how many transactions were committed so far.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.0.load(Ordering::Relaxed)
    }

    /// Ends the engine and closes the store.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
        self.engine.store().close().await;
    }
}

/// Counts commits.
#[derive(Debug, Default)]
struct Commits(AtomicU64);

impl CommitGate for Commits {
    fn may_refuse(&self) -> bool {
        false
    }

    fn before(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn after(&self) -> Result<(), StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a bench measures against the real clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn next(&self) -> u64 {
        rand::random()
    }
}
