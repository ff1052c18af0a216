//! One of the connections that write: takes a batch, runs it in one transaction, and bears with the database: it tries
//! again after conflicts, connects again after an outage, and says so when it can't know whether a commit happened.

use super::session::{Purpose, Session, Transaction};
use super::target::Target;
use crate::batch::Done;
use crate::error::StoreError;
use crate::sql::combiner::{Batch, Fate, Taker, fate, publish, publish_unknown};
use crate::sql::transact::Transact;
use crate::store::{Committed, Randomness};
use crate::tx::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio::time::{Instant, sleep};

/// Two writers that keep meeting part within a few tries, as each waits a random while; this is far more.
const TRIES_MAX: u32 = 10;
/// A failover or a restart is over within this; then callers are told, and the next batch tries again.
const OUTAGE_PATIENCE: Duration = Duration::from_secs(5);
/// The first wait of a series; each further one doubles it.
const BACKOFF_MS: u64 = 5;
/// No wait of a series is longer.
const BACKOFF_MS_MAX: u64 = 500;

/// A connection that writes, and what it needs for it.
pub(super) struct Flusher<T> {
    pub(super) target: Arc<Target>,
    pub(super) work: Arc<T>,
    pub(super) committed: broadcast::Sender<Committed>,
    pub(super) randomness: Arc<dyn Randomness>,
    /// Rung after every commit that others may want to know of.
    pub(super) bell: Arc<Notify>,
    /// None before the first batch and after an outage; the next batch connects.
    pub(super) session: Option<Session>,
    /// When the outage began that is not over.
    pub(super) down_since: Option<Instant>,
}

impl<T: Transact> Flusher<T> {
    /// Flushes batches until the queue is closed and empty.
    pub(super) async fn run(mut self, taker: Taker) {
        while let Some(batch) = taker.take().await {
            self.flush(batch).await;
        }
        if let Some(session) = self.session {
            session.end().await;
        }
    }

    async fn flush(&mut self, batch: Batch) {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if let Some((first, second)) = self.settle(part).await {
                parts.extend([second, first]);
            }
        }
    }

    /// Answers the batch, or returns it in halves when one of its requests spoils it for the others.
    async fn settle(&mut self, batch: Batch) -> Option<(Batch, Batch)> {
        let (mut tries, mut outage_tries) = (0, 0);
        loop {
            let error = match self.attempt(&batch).await {
                Ok(done) => {
                    self.spread(batch, done);
                    return None;
                }
                Err(error) => error,
            };
            self.work.forget();
            if matches!(error, StoreError::Unknown { .. }) {
                publish_unknown(&self.committed);
            }
            if matches!(error, StoreError::Unavailable { .. }) && self.is_patient() {
                outage_tries += 1;
                self.back_off(outage_tries).await;
                continue;
            }
            tries += 1;
            tracing::warn!(%error, tries, requests = batch.len(), "a batch was rolled back");
            match fate(error, &batch, tries, TRIES_MAX) {
                Fate::Again => self.back_off(tries).await,
                Fate::Apart => return Some(batch.halve()),
                Fate::Fail(error) => {
                    batch.fail(&error);
                    return None;
                }
            }
        }
    }

    fn spread(&self, batch: Batch, done: Done) {
        batch.answer(done.replies);
        if !done.events.is_empty() {
            self.bell.notify_one();
        }
        publish(&self.committed, done.events);
    }

    async fn attempt(&mut self, batch: &Batch) -> Result<Done> {
        let mut session = match self.session.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => Session::connect(&self.target, Purpose::Write).await?,
        };
        let done = execute(&mut session, batch, &*self.work).await;
        let is_usable = match &done {
            Ok(_) => true,
            // The connection is gone, or leads to a server that does not write any more.
            Err(
                StoreError::Unavailable { .. } | StoreError::Unknown { .. } | StoreError::ReadOnly { .. },
            ) => false,
            Err(_) => session.rollback().await.is_ok(),
        };
        if is_usable {
            self.down_since = None;
            self.session = Some(session);
        }
        done
    }

    /// Tells whether the outage is young enough to be waited for.
    fn is_patient(&mut self) -> bool {
        self.down_since.get_or_insert_with(Instant::now).elapsed() < OUTAGE_PATIENCE
    }

    /// Waits before the next try: half of the wait is fixed and half is random, so that two writers part.
    async fn back_off(&self, tries: u32) {
        let most_ms = (BACKOFF_MS << tries.min(16)).min(BACKOFF_MS_MAX);
        let wait_ms = most_ms / 2 + self.randomness.next() % (most_ms / 2);
        sleep(Duration::from_millis(wait_ms)).await;
    }
}

async fn execute<T: Transact>(session: &mut Session, batch: &Batch, work: &T) -> Result<Done> {
    session.begin();
    let done = batch.transact(work, Transaction(&mut *session)).await?;
    work.before_commit()?;
    session.commit().await?;
    work.after_commit(&done)?;
    Ok(done)
}
