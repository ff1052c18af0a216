//! The database that the servers of a schedule share: fresh for each, in memory, in a SQLite file or in Postgres.

use crate::postgres::{Postgres, Room, free_port};
use anyhow::Context as _;
use clap::ValueEnum;
use futures_util::FutureExt as _;
use spalla_store::{Location, Memory};
use std::cell::RefCell;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};

/// What rows are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Kind {
    /// Memory.
    #[default]
    Memory,
    /// A SQLite file.
    Sqlite,
    /// A Postgres database, with one connection at work at a time.
    Postgres,
}

impl Kind {
    /// Returns its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// Returns how many servers can share it.
    pub(crate) const fn servers_max(self) -> usize {
        match self {
            Self::Memory | Self::Postgres => 2,
            Self::Sqlite => 1,
        }
    }
}

/// Makes fresh databases for the schedules of one thread.
pub(crate) enum Databases {
    /// Nothing is needed.
    Memory,
    /// The folder of the newest file, and a runtime for the stores' own threads and tasks, which live outside of the
    /// schedule.
    Sqlite(RefCell<TempDir>, Runtime),
    /// A server of this thread's own, its folder, and such a runtime.
    Postgres(Box<OwnPostgres>),
}

/// A Postgres server of one thread, its folder, which goes with it, and such a runtime.
pub(crate) struct OwnPostgres {
    server: Postgres,
    _folder: TempDir,
    outside: Runtime,
}

/// Where files cost no disk: what is simulated here is not the disk.
const IN_MEMORY: &str = "/dev/shm";

impl Databases {
    /// Prepares what is needed.
    pub(crate) fn prepare(kind: Kind) -> anyhow::Result<Self> {
        Ok(match kind {
            Kind::Memory => Self::Memory,
            Kind::Sqlite => Self::Sqlite(RefCell::new(folder()?), outside()?),
            Kind::Postgres => {
                let (folder, outside) = (folder()?, outside()?);
                let log = folder.path().join("log");
                let server =
                    outside.block_on(Postgres::start(folder.path(), log, free_port()?, Room::Small))?;
                Self::Postgres(Box::new(OwnPostgres { server, _folder: folder, outside }))
            }
        })
    }

    /// Makes a database without rows; the one before is gone.
    pub(crate) fn fresh(&self) -> anyhow::Result<Database> {
        match self {
            Self::Memory => Ok(Database { location: Location::Memory(Memory::default()), outside: None }),
            Self::Sqlite(folder, outside) => {
                // A folder for each: a writer of the schedule before may still be closing, by the name of its file.
                let mut folder = folder.borrow_mut();
                *folder = self::folder()?;
                let location = Location::Sqlite(folder.path().join("spalla.db"));
                Ok(Database { location, outside: Some(outside.handle().clone()) })
            }
            Self::Postgres(own) => {
                let OwnPostgres { server, outside, .. } = &**own;
                outside.block_on(server.run("drop schema public cascade; create schema public"))?;
                let location = Location::Postgres(server.url());
                Ok(Database { location, outside: Some(outside.handle().clone()) })
            }
        }
    }
}

fn folder() -> anyhow::Result<TempDir> {
    let made = tempfile::tempdir_in(IN_MEMORY).or_else(|_| tempfile::tempdir());
    made.context("making a folder for the database")
}

fn outside() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().context("a runtime for the stores")
}

/// What one schedule runs on.
#[derive(Clone)]
pub(crate) struct Database {
    /// Where the rows are.
    pub(crate) location: Location,
    /// Where the store's own tasks live, if it has any.
    outside: Option<Handle>,
}

impl Database {
    /// Waits on this very thread, so that no time passes in the schedule: a store in memory is done at once, the others
    /// work on threads of their own.
    pub(crate) fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        let _outside = self.outside.as_ref().map(Handle::enter);
        // Tokio's budget for a task is renewed between its turns, and there is none here.
        let mut future = std::pin::pin!(tokio::task::unconstrained(future));
        match future.as_mut().now_or_never() {
            Some(done) => done,
            None => futures_executor::block_on(future),
        }
    }
}
