//! Wake-ups between servers that share a database: each tells the others that it committed, and hears them. What is
//! missed is caught by a poll, so that a wake-up may get lost but never has to be waited for without end.

use super::readers::Readers;
use super::session::{Purpose, Session};
use super::target::Target;
use crate::sql::combiner::publish_unknown;
use crate::sql::driver::Reader as _;
use crate::sql::statement::{Call, Value};
use crate::sql::statements as sql;
use crate::store::{Committed, Randomness};
use futures_util::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// At most one notice in this time; it speaks for all commits before it. Notices take turns at one lock of the
/// database, which is also why they are never sent inside of a transaction.
const NOTICE_INTERVAL: Duration = Duration::from_millis(5);
/// The safety net is cast every two to four seconds: rarely enough to cost nothing, at no common moment.
const POLL_MS_MIN: u64 = 2_000;
const POLL_MS_SPREAD: u64 = 2_001;
/// Until the next try after the connection broke.
const RECONNECT_MS_MIN: u64 = 100;
const RECONNECT_MS_SPREAD: u64 = 400;

/// What tells and hears.
pub(super) struct Wakeup {
    pub(super) target: Arc<Target>,
    pub(super) readers: Readers,
    pub(super) committed: broadcast::Sender<Committed>,
    pub(super) randomness: Arc<dyn Randomness>,
    /// Rung after every commit of this server.
    pub(super) bell: Arc<Notify>,
    /// This server's name in its notices: it needs none of its own.
    pub(super) node: String,
}

impl Wakeup {
    /// Tells and hears until it is stopped; what the bell rang for before that is still told.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let connecting = Session::connect_listening(&self.target, Purpose::Listen);
            let connected = tokio::select! {
                connected = connecting => connected,
                () = stop.cancelled() => return,
            };
            match connected {
                Ok((session, notices)) => {
                    // Whatever happened while nobody listened.
                    self.wake();
                    let session = self.serve(session, notices, &stop).await;
                    session.end().await;
                }
                Err(error) => tracing::warn!(%error, "other servers can't be heard; polling instead"),
            }
            let wait_ms = RECONNECT_MS_MIN + self.randomness.next() % RECONNECT_MS_SPREAD;
            tokio::select! {
                () = sleep(Duration::from_millis(wait_ms)) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Casts the safety net until it is stopped. It asks one small question, so that an idle server is hardly heard of.
    pub(super) async fn poll(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = None;
        loop {
            let wait_ms = POLL_MS_MIN + self.randomness.next() % POLL_MS_SPREAD;
            tokio::select! {
                () = sleep(Duration::from_millis(wait_ms)) => {}
                () = stop.cancelled() => return,
            }
            if is_news(&mut seen, self.newest().await) {
                self.wake();
            }
        }
    }

    /// Returns the number of the newest event, where it can be had. Whatever others change leaves one.
    async fn newest(&self) -> Option<i64> {
        let call =
            Call { statement: &sql::event_chunk::NEWEST, scalars: vec![], rows: vec![], writes_all: false };
        match self.readers.read(call).await.ok()?.first()?.first()? {
            Value::Int(seq) => Some(*seq),
            _ => None,
        }
    }

    /// Serves until the connection breaks or it is stopped.
    async fn serve(
        &self,
        mut session: Session,
        mut notices: mpsc::Receiver<String>,
        stop: &CancellationToken,
    ) -> Session {
        let mut quiet_until = Instant::now();
        loop {
            let rung = async {
                sleep_until(quiet_until).await;
                self.bell.notified().await;
            };
            tokio::select! {
                biased;
                () = rung => {
                    if let Err(error) = session.notify(&self.node).await {
                        tracing::debug!(%error, "a wake-up for other servers was lost");
                        // It is sent on the next connection.
                        self.bell.notify_one();
                        return session;
                    }
                    quiet_until = Instant::now() + NOTICE_INTERVAL;
                }
                notice = notices.recv() => match notice {
                    Some(node) if node == self.node => {}
                    Some(_) => self.wake(),
                    None => return session,
                },
                () = stop.cancelled() => {
                    if self.bell.notified().now_or_never().is_some() {
                        // The last one: others find it out by themselves if it is lost.
                        let _ = session.notify(&self.node).await;
                    }
                    return session;
                }
            }
        }
    }

    fn wake(&self) {
        publish_unknown(&self.committed);
    }
}

/// Tells whether something may have been committed since the last look: also where nobody knows.
fn is_news(seen: &mut Option<i64>, newest: Option<i64>) -> bool {
    std::mem::replace(seen, newest) != newest || newest.is_none()
}

#[cfg(test)]
mod tests {
    use super::is_news;

    #[test]
    fn a_poll_wakes_for_what_is_new_and_for_what_nobody_knows_and_for_nothing_else() {
        let mut seen = None;
        let looks = [Some(7), Some(7), Some(8), None, None, Some(8), Some(8)];
        let woken = looks.map(|newest| is_news(&mut seen, newest));
        assert_eq!(woken, [true, false, true, true, true, true, false]);
    }
}
