//! Connections that read beside the writer.

use super::session::{Purpose, Session};
use super::target::Target;
use crate::error::StoreError;
use crate::sql::driver::Reader;
use crate::sql::statement::{Call, Row};
use crate::tx::Result;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Enough for the pages and streams of one server; each costs the database a process.
const CONNECTIONS_MAX: usize = 4;

/// A pool of reading connections, opened as they are needed; cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers {
    target: Arc<Target>,
    room: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Session>>>,
}

impl Readers {
    /// Makes a pool for a database.
    pub(super) fn new(target: Arc<Target>) -> Self {
        Self { target, room: Arc::new(Semaphore::new(CONNECTIONS_MAX)), idle: Arc::default() }
    }

    /// Refuses further reads and closes the connections that nobody uses.
    pub(super) async fn close(&self) {
        self.room.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for session in idle {
            session.end().await;
        }
    }

    fn take_idle(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn read_with(&self, mut session: Session, call: &Call) -> Result<Vec<Row>> {
        let answers = session.run_calls(std::slice::from_ref(call)).await;
        if !matches!(answers, Err(StoreError::Unavailable { .. })) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
        Ok(answers?.into_iter().flat_map(|answer| answer.rows).collect())
    }
}

impl Reader for Readers {
    async fn read(&self, call: Call) -> Result<Vec<Row>> {
        let _place = self.room.acquire().await.map_err(|_| StoreError::Closed)?;
        // A connection that was kept may have broken unnoticed; then the read is made once more on a new one.
        while let Some(session) = self.take_idle() {
            match self.read_with(session, &call).await {
                Err(StoreError::Unavailable { .. }) => {}
                answer => return answer,
            }
        }
        let session = Session::connect(&self.target, Purpose::Read).await?;
        self.read_with(session, &call).await
    }
}
