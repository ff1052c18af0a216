//! Connections that read beside the writer, on tokio's threads for blocking work.

use super::file::DatabaseFile;
use super::session::Session;
use crate::error::StoreError;
use crate::sql::driver::Reader;
use crate::sql::statement::{Call, Row};
use crate::tx::Result;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Enough for the cores of a machine that runs on one file; a page that waits for its turn waits shortly.
const CONNECTIONS_MAX: usize = 4;

/// A pool of reading connections, opened as they are needed; cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers {
    file: DatabaseFile,
    room: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Session>>>,
}

impl Readers {
    /// Makes a pool for a file.
    pub(super) fn new(file: DatabaseFile) -> Self {
        Self { file, room: Arc::new(Semaphore::new(CONNECTIONS_MAX)), idle: Arc::default() }
    }

    /// Refuses further reads and closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.room.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Reader for Readers {
    async fn read(&self, call: Call) -> Result<Vec<Row>> {
        let place = Arc::clone(&self.room).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (file, idle) = (self.file.clone(), Arc::clone(&self.idle));
        let reading = tokio::task::spawn_blocking(move || {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut session = kept.map_or_else(|| Session::open_reader(&file), Ok)?;
            let answer = session.run_call(&call)?;
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
            drop(place);
            Ok(answer.rows)
        });
        reading.await.unwrap_or_else(|error| Err(StoreError::Corrupt(format!("a defect in a read: {error}"))))
    }
}
