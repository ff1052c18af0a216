//! Logs as they grow: one follower for each log that somebody looks at, however many look. It reads new lines from the
//! store and hands them on in order; who is behind reads from the store by number and holds nobody up.
//!
//! ```text
//!  engine.logged() ─┐
//!  events: run over ├─► bell of a topic ─► read on ─► broadcast of lines ─► LogSubscription (own cursor)
//!  now and then ────┘                                                        │ fell behind
//!                        store.read().log(from)  ◄───────────────────────────┘
//! ```

use super::event_stream::EventStream;
use super::feed::Message;
use super::page_lines::PageLines;
use crate::problem::Problem;
use crate::wire::log::LogView;
use axum::http::StatusCode;
use futures_util::stream::{FuturesUnordered, StreamExt};
use spalla_domain::RunId;
use spalla_domain::event::{Event, Fact};
use spalla_engine::EngineHandle;
use spalla_store::view::{LogFilter, LogRecord, RunView};
use spalla_store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;

/// How many pages a client may be behind before it reads on from the store; a page is 256 KiB at most in the long run.
const BACKLOG: usize = 16;
/// How many topics may wait to be followed: as many as there are streams, so that there is always room.
const OPENED_MAX: usize = 1_000;
/// How often a log is looked at of which nothing is heard: its lines may come through another server.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a follower waits before it asks a store again that could not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A line that many clients may want.
#[derive(Debug, Clone)]
pub(super) struct LiveLine {
    /// Its number.
    pub(super) seq: i64,
    /// The line, written out.
    pub(super) message: Message,
}

impl LiveLine {
    /// Writes a line out.
    pub(super) fn new(record: LogRecord) -> Self {
        let seq = record.seq;
        let json = serde_json::to_string(&LogView::from(record)).unwrap_or_default();
        Self { seq, message: Message::new(seq, "line", &json) }
    }
}

/// Lines that became known together; none say that the log is complete.
pub(super) type Lines = Arc<[LiveLine]>;

/// A log that somebody looks at.
#[derive(Debug)]
pub(super) struct Topic {
    run_id: RunId,
    pub(super) live: broadcast::Sender<Lines>,
    bell: Notify,
    /// The number of the next line to hand on; below 0 while every client still reads what was before.
    head: AtomicI64,
    /// Whether the run may be over.
    may_be_over: AtomicBool,
}

impl Topic {
    /// Hears from a client that it has all lines before a number.
    pub(super) fn caught_up(&self, next_seq: i64) {
        if self.head.fetch_max(next_seq, Ordering::SeqCst) < next_seq {
            // What came in between was not handed on to anybody.
            self.bell.notify_one();
        }
    }

    fn ring(&self, may_be_over: bool) {
        self.may_be_over.fetch_or(may_be_over, Ordering::SeqCst);
        self.bell.notify_one();
    }
}

/// The logs as they grow; clones share them.
#[derive(Clone)]
pub(crate) struct LogStream {
    pub(super) store: Store,
    topics: Arc<Mutex<HashMap<RunId, Arc<Topic>>>>,
    opened: mpsc::Sender<Arc<Topic>>,
}

/// What follows the logs, once it is told to.
pub(crate) struct LogFollower {
    stream: LogStream,
    opened: mpsc::Receiver<Arc<Topic>>,
}

impl LogStream {
    /// Makes a stream; nothing flows until its follower follows.
    pub(crate) fn new(store: Store) -> (Self, LogFollower) {
        let (sender, opened) = mpsc::channel(OPENED_MAX);
        let stream = Self { store, topics: Arc::default(), opened: sender };
        (stream.clone(), LogFollower { stream, opened })
    }

    /// Joins those who look at a log.
    pub(super) fn join(&self, run_id: RunId) -> Result<(Arc<Topic>, broadcast::Receiver<Lines>), Problem> {
        let mut topics = self.topics();
        if let Some(topic) = topics.get(&run_id) {
            return Ok((Arc::clone(topic), topic.live.subscribe()));
        }
        let topic = Arc::new(Topic {
            run_id,
            live: broadcast::Sender::new(BACKLOG),
            bell: Notify::new(),
            head: AtomicI64::new(-1),
            may_be_over: AtomicBool::new(true),
        });
        let receiver = topic.live.subscribe();
        self.opened.try_send(Arc::clone(&topic)).map_err(|_| crowded())?;
        topics.insert(run_id, Arc::clone(&topic));
        Ok((topic, receiver))
    }

    /// Reads lines from a number on.
    pub(super) async fn lines(
        &self,
        run_id: RunId,
        from: i64,
        page: PageLines,
    ) -> Result<Vec<LogRecord>, StoreError> {
        let filter = LogFilter { from_seq: from, limit: Some(page.get()), ..LogFilter::default() };
        Ok(self.store.read().log(run_id, filter).await?.unwrap_or_default())
    }

    /// Returns the run, if it is over.
    pub(super) async fn ended(&self, run_id: RunId) -> Result<Option<RunView>, StoreError> {
        Ok(self.store.read().run(run_id).await?.filter(|run| run.ended_at.is_some()))
    }

    /// Follows one log until nobody looks any more or the run is over.
    async fn follow(self, topic: Arc<Topic>) {
        let mut page = PageLines::new();
        loop {
            tokio::select! {
                () = topic.bell.notified() => {}
                () = topic.live.closed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => topic.ring(true),
            }
            if self.is_left(&topic) {
                return;
            }
            match self.hand_on(&topic, &mut page).await {
                Ok(false) => {}
                Ok(true) => break,
                Err(error) => {
                    tracing::warn!(%error, run_id = topic.run_id.0, "a log could not be read on; it is tried again");
                    tokio::time::sleep(RETRY_AFTER).await;
                    topic.ring(true);
                }
            }
        }
        self.topics().remove(&topic.run_id);
    }

    /// Takes a topic away that nobody looks at. Whoever comes later opens a new one.
    fn is_left(&self, topic: &Topic) -> bool {
        let mut topics = self.topics();
        let is_left = topic.live.receiver_count() == 0;
        if is_left {
            topics.remove(&topic.run_id);
        }
        is_left
    }

    /// Hands new lines on; tells whether there will be no more.
    async fn hand_on(&self, topic: &Topic, page: &mut PageLines) -> Result<bool, StoreError> {
        // The end of the run is looked for before its lines: what is read afterwards is then all of them.
        let is_over =
            topic.may_be_over.swap(false, Ordering::SeqCst) && self.ended(topic.run_id).await?.is_some();
        loop {
            let head = topic.head.load(Ordering::SeqCst);
            if head < 0 {
                break;
            }
            let records = self.lines(topic.run_id, head, *page).await?;
            let Some(last) = records.last() else { break };
            topic.head.fetch_max(last.seq + 1, Ordering::SeqCst);
            page.learn(records.iter().map(|record| record.text.len() as u64).sum());
            drop(topic.live.send(records.into_iter().map(LiveLine::new).collect()));
        }
        if is_over {
            drop(topic.live.send(Arc::new([])));
        }
        Ok(is_over)
    }

    fn ring(&self, run_id: RunId, may_be_over: bool) {
        if let Some(topic) = self.topics().get(&run_id) {
            topic.ring(may_be_over);
        }
    }

    fn ring_all(&self) {
        self.topics().values().for_each(|topic| topic.ring(true));
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Topic>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogFollower {
    /// Follows every log that somebody looks at, until the shutdown.
    pub(crate) async fn follow(
        mut self,
        engine: &EngineHandle,
        events: &EventStream,
        shutdown: CancellationToken,
    ) {
        let (mut logged, mut happened) = (engine.logged(), events.live.subscribe());
        let mut topics = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(topic) = self.opened.recv() => topics.push(self.stream.clone().follow(topic)),
                Some(()) = topics.next(), if !topics.is_empty() => {}
                run_id = logged.recv() => match run_id {
                    Ok(run_id) => self.stream.ring(run_id, false),
                    Err(RecvError::Lagged(_)) => self.stream.ring_all(),
                    Err(RecvError::Closed) => return,
                },
                batch = happened.recv() => match batch {
                    Ok(batch) => {
                        let over = batch.iter().filter_map(|live| over(&live.event));
                        over.for_each(|run_id| self.stream.ring(run_id, true));
                    }
                    Err(RecvError::Lagged(_)) => self.stream.ring_all(),
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }
}

/// Returns the run that an event tells to be over.
const fn over(event: &Event) -> Option<RunId> {
    match event.fact {
        Fact::RunSucceeded { .. } | Fact::RunFailed { .. } | Fact::RunCancelled {} | Fact::RunLost { .. } => {
            event.run_id
        }
        _ => None,
    }
}

fn crowded() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "too many logs are opened at once")
        .mend("try again later")
        .retry_after(1)
}
