//! The one writer of a SQLite store: a plain thread that owns the connection, because a commit blocks.

use super::file::DatabaseFile;
use super::readers::Readers;
use super::session::{Session, Transaction};
use crate::batch::Done;
use crate::command::Request;
use crate::error::StoreError;
use crate::sql::combiner::{Batch, Fate, Queue, Taken, Taker, fate, publish, publish_unknown};
use crate::sql::transact::Transact;
use crate::store::{Committed, Outcome, Writer};
use crate::tx::Result;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// The writer is alone, so that a conflict does not go away by itself: once more is once too often.
const TRIES_MAX: u32 = 2;
/// After this long without a request the writer has time to tidy up.
const IDLE: Duration = Duration::from_millis(200);
/// Tidying up costs two waits for the disk; below this many rows the log is too short to be worth them.
const TIDY_ROWS_MIN: u64 = 1_000;

/// The writer as the store holds it.
pub(super) struct SqliteWriter {
    queue: Arc<Queue>,
    readers: Readers,
    ended: CancellationToken,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteWriter {
    /// Starts the thread; `session` is a writing connection to the file.
    pub(super) fn start<T: Transact>(
        file: DatabaseFile,
        session: Session,
        readers: Readers,
        work: T,
        committed: broadcast::Sender<Committed>,
    ) -> Result<Self> {
        let (queue, ended) = (Queue::new(), CancellationToken::new());
        let (taker, ended_with_thread) = (queue.taker(), ended.clone().drop_guard());
        let mut thread = WriterThread { file, session: Some(session), tidied_at_row: 0, work, committed };
        let thread = thread::Builder::new().name("spalla-store".to_owned()).spawn(move || {
            thread.run(&taker);
            drop(ended_with_thread);
        });
        let thread = thread.map_err(|error| StoreError::Unavailable {
            detail: format!("starting the writer's thread: {error}; allow the server more threads"),
        })?;
        Ok(Self { queue, readers, ended, thread: Mutex::new(Some(thread)) })
    }
}

impl Writer for SqliteWriter {
    fn execute(&self, request: Request) -> BoxFuture<'_, Outcome> {
        self.queue.execute(request).boxed()
    }

    fn execute_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Outcome>> {
        self.queue.execute_all(requests).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            self.queue.close();
            self.ended.cancelled().await;
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            // It has ended; a panic in it was reported where it happened.
            let _ = thread.map(JoinHandle::join);
            self.readers.close();
        }
        .boxed()
    }
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// What lives on the thread.
struct WriterThread<T> {
    file: DatabaseFile,
    /// None after a fault that may have left it unusable; the next batch opens a new one.
    session: Option<Session>,
    tidied_at_row: u64,
    work: T,
    committed: broadcast::Sender<Committed>,
}

impl<T: Transact> WriterThread<T> {
    fn run(&mut self, taker: &Taker) {
        let mut patience = None;
        loop {
            match taker.take_on_thread(patience) {
                Taken::Batch(batch) => {
                    self.flush(batch);
                    patience = Some(IDLE);
                }
                Taken::Nothing => {
                    self.tidy();
                    patience = None;
                }
                Taken::Closed => break,
            }
        }
        let tidied = self.session.as_mut().map(Session::checkpoint_wholly);
        if let Some(Err(error)) = tidied {
            tracing::warn!(%error, "the log was left beside the database; the next start reads it");
        }
    }

    fn flush(&mut self, batch: Batch) {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if let Some((first, second)) = self.settle(part) {
                parts.extend([second, first]);
            }
        }
    }

    /// Answers the batch, or returns it in halves when one of its requests spoils it for the others.
    fn settle(&mut self, batch: Batch) -> Option<(Batch, Batch)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.attempt(&batch) {
                Ok(done) => {
                    batch.answer(done.replies);
                    publish(&self.committed, done.events);
                    return None;
                }
                Err(error) => error,
            };
            self.work.forget();
            if matches!(error, StoreError::Unknown { .. }) {
                publish_unknown(&self.committed);
            }
            tracing::warn!(%error, requests = batch.len(), "a batch was rolled back");
            match fate(error, &batch, tries, TRIES_MAX) {
                Fate::Again => {}
                Fate::Apart => return Some(batch.halve()),
                Fate::Fail(error) => {
                    batch.fail(&error);
                    return None;
                }
            }
        }
    }

    fn attempt(&mut self, batch: &Batch) -> Result<Done> {
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::reopen_writer(&self.file)?),
        };
        let done = execute(session, batch, &self.work);
        if let Err(error) = &done {
            let is_unusable = session.rollback().is_err() || matches!(error, StoreError::Unknown { .. });
            if is_unusable {
                self.session = None;
                self.tidied_at_row = 0;
            }
        }
        done
    }

    fn tidy(&mut self) {
        let Some(session) = &mut self.session else { return };
        if session.rows_written() - self.tidied_at_row < TIDY_ROWS_MIN {
            return;
        }
        self.tidied_at_row = session.rows_written();
        if let Err(error) = session.checkpoint() {
            tracing::warn!(%error, "the log was not moved into the database; it goes on growing");
        }
    }
}

fn execute<T: Transact>(session: &mut Session, batch: &Batch, work: &T) -> Result<Done> {
    session.begin()?;
    // Everything that a batch waits for is the connection, which blocks: its future never has to be polled again.
    let done = batch.transact(work, Transaction(&mut *session)).now_or_never();
    let done = done.unwrap_or_else(|| Err(StoreError::Corrupt("a defect: a batch waited".to_owned())))?;
    work.before_commit()?;
    session.commit()?;
    work.after_commit(&done)?;
    Ok(done)
}
