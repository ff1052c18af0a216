//! The store in a SQLite file: one thread writes, a few connections read beside it.

mod fault;
mod file;
mod log_room;
mod readers;
mod session;
mod writer;

use super::migrate;
use super::reads::SqlReads;
use super::statement::{Answer, Call};
use super::transact::Commands;
use crate::error::StoreError;
use crate::store::{COMMITTED_BACKLOG, Options, Store};
use crate::supply::Bounds;
use crate::timekeeper::Timekeeper;
use crate::tx::Result;
use file::DatabaseFile;
use futures_util::FutureExt as _;
use readers::Readers;
use session::Session;
use spalla_crash::crash_point;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::broadcast;
use writer::SqliteWriter;

/// Opens the store in a file: makes the file where there is none, migrates it where needed, and starts its writer.
pub(crate) async fn open(path: &Path, options: Options) -> Result<Store> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || open_now(&path, options));
    opening
        .await
        .unwrap_or_else(|error| Err(StoreError::Corrupt(format!("a defect in opening the store: {error}"))))
}

fn open_now(path: &Path, options: Options) -> Result<Store> {
    let file = DatabaseFile::find_or_make(path)?;
    let mut session = Session::open_writer(&file)?;
    at_once(migrate::run(&mut session, migrate::SQLITE, options.clock.now()))?;
    let store_id = at_once(migrate::store_id(&mut session, &*options.randomness))?;

    let committed = broadcast::Sender::new(COMMITTED_BACKLOG);
    let readers = Readers::new(file.clone());
    let timekeeper = Arc::new(Timekeeper::new());
    let (bounds, rules) = (Bounds::from(&options.settings), options.settings.rules());
    let work = Commands::new(options, Arc::clone(&timekeeper), store_id.clone());
    let writer = SqliteWriter::start(file, session, readers.clone(), work, committed.clone())?;
    let reads = SqlReads::new(readers, store_id, bounds);
    Ok(Store { writer: Arc::new(writer), reads: Arc::new(reads), committed, timekeeper, rules })
}

/// Runs what is asynchronous for Postgres' sake: here every step blocks and is done when it returns.
fn at_once<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    future
        .now_or_never()
        .unwrap_or_else(|| Err(StoreError::Corrupt("a defect: a blocking step waited".to_owned())))
}

impl migrate::Migrated for Session {
    async fn begin_alone(&mut self) -> Result<()> {
        self.begin()
    }

    async fn call(&mut self, call: Call) -> Result<Answer> {
        crash_point!("store.sqlite.migration.statement", self.run_call(&call))
    }

    async fn script(&mut self, script: &str, doing: &str) -> Result<()> {
        crash_point!("store.sqlite.migration.script", self.run_script(script, doing))
    }

    async fn commit(&mut self) -> Result<()> {
        Self::commit(self)
    }

    async fn rollback(&mut self) -> Result<()> {
        Self::rollback(self)
    }
}

#[cfg(test)]
mod tests;
