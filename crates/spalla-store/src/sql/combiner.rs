//! Collects requests that arrive together into batches for a database's writer, and hands out the answers. There is
//! no timer: while one batch commits the next one fills, so an idle store adds no delay and a busy one amortises.

use super::driver::Driver;
use super::transact::Transact;
use crate::batch::Done;
use crate::command::{Reply, Request};
use crate::error::{ExecuteError, StoreError};
use crate::store::{Committed, Outcome};
use crate::tx::Result;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use spalla_domain::Refusal;
use spalla_domain::event::Event;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, broadcast, oneshot};

/// Twice a full batch: one fills while another one commits, and whoever comes after that waits at the door.
const WAITING_MAX: usize = 8_192;
/// A transaction of this many requests has amortised its commit; a larger one would only answer later.
const BATCH_MAX: usize = 4_096;

/// Whoever has just been answered often asks again at once, and to wake a thread takes as long as a small batch does: so
/// long a writer that was busy looks for more before it sleeps.
const WATCHES: Duration = Duration::from_micros(60);

/// A lock that is waited for in vain takes seconds each time, and callers wait along.
const BUSY_TRIES_MAX: u32 = 3;

/// Requests that wait for a writer; bounded, so that callers wait when the database is slower than they are.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    room: Semaphore,
    arrived: Notify,
    /// The same signal for a writer that is a thread.
    arrived_for_thread: Condvar,
    /// How often something arrived; seen without the lock.
    arrivals: AtomicU64,
}

struct Waiting {
    tickets: VecDeque<Ticket>,
    is_open: bool,
    takers: usize,
}

struct Ticket {
    request: Request,
    answer: oneshot::Sender<Outcome>,
}

impl Queue {
    /// Makes an open queue.
    pub(crate) fn new() -> Arc<Self> {
        let waiting = Waiting { tickets: VecDeque::new(), is_open: true, takers: 0 };
        Arc::new(Self {
            waiting: Mutex::new(waiting),
            room: Semaphore::new(WAITING_MAX),
            arrived: Notify::new(),
            arrived_for_thread: Condvar::new(),
            arrivals: AtomicU64::new(0),
        })
    }

    /// Waits for room, puts the request in, and waits for its answer.
    pub(crate) async fn execute(&self, request: Request) -> Outcome {
        let lost = || oneshot::channel().1;
        answered(self.enter(vec![request]).await?.pop().unwrap_or_else(lost)).await
    }

    /// Waits for room, puts the requests in side by side, and waits for their answers.
    pub(crate) async fn execute_all(&self, requests: Vec<Request>) -> Vec<Outcome> {
        let count = requests.len();
        match self.enter(requests).await {
            Ok(answers) => join_all(answers.into_iter().map(answered)).await,
            Err(error) => (0..count).map(|_| Err(copy_of(&error).into())).collect(),
        }
    }

    async fn enter(&self, requests: Vec<Request>) -> Result<Vec<oneshot::Receiver<Outcome>>> {
        // More than there is room for would wait for ever; they take it one full queue after another.
        let places = u32::try_from(requests.len().min(WAITING_MAX)).unwrap_or(u32::MAX);
        let room = self.room.acquire_many(places).await.map_err(|_| StoreError::Closed)?;
        let mut answers = Vec::with_capacity(requests.len());
        {
            let mut waiting = self.lock();
            if !waiting.is_open {
                return Err(StoreError::Closed);
            }
            room.forget();
            for request in requests {
                let (answer, answered) = oneshot::channel();
                waiting.tickets.push_back(Ticket { request, answer });
                answers.push(answered);
            }
        }
        self.signal();
        Ok(answers)
    }

    /// Refuses what comes from now on; what is in the queue is still taken.
    pub(crate) fn close(&self) {
        self.lock().is_open = false;
        self.room.close();
        self.signal();
    }

    /// Makes a handle that takes batches. When the last one goes, nobody would answer: the queue is emptied.
    pub(crate) fn taker(self: &Arc<Self>) -> Taker {
        self.lock().takers += 1;
        Taker { queue: Arc::clone(self) }
    }

    fn signal(&self) {
        self.arrivals.fetch_add(1, Ordering::Release);
        self.arrived.notify_one();
        self.arrived_for_thread.notify_one();
    }

    /// Takes what waits; nothing while there is nothing, and that there never will be once it is closed.
    fn take_now(&self, waiting: &mut Waiting) -> Option<Taken> {
        if waiting.tickets.is_empty() {
            if waiting.is_open {
                return None;
            }
            // The next taker learns it from this one.
            self.signal();
            return Some(Taken::Closed);
        }
        let count = waiting.tickets.len().min(BATCH_MAX);
        let batch: Batch = waiting.tickets.drain(..count).collect();
        if !self.room.is_closed() {
            self.room.add_permits(count);
        }
        if !waiting.tickets.is_empty() {
            self.signal();
        }
        Some(Taken::Batch(batch))
    }

    /// Looks for a moment whether something arrives after what had.
    fn watch(&self, arrived: u64) {
        let began = Instant::now();
        while self.arrivals.load(Ordering::Acquire) == arrived && began.elapsed() < WATCHES {
            std::hint::spin_loop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answered(answer: oneshot::Receiver<Outcome>) -> Outcome {
    let lost =
        |_| Err(StoreError::Unknown { detail: "the writer ended before it answered".to_owned() }.into());
    answer.await.unwrap_or_else(lost)
}

/// What a writer found in the queue.
pub(crate) enum Taken {
    /// Requests to execute.
    Batch(Batch),
    /// None, for as long as the writer was patient.
    Nothing,
    /// None, and there will be none.
    Closed,
}

/// The writer's end of a queue.
pub(crate) struct Taker {
    queue: Arc<Queue>,
}

impl Taker {
    /// Waits for requests and takes all that fit into a batch; none once the queue is closed and empty.
    pub(crate) async fn take(&self) -> Option<Batch> {
        loop {
            let taken = self.queue.take_now(&mut self.queue.lock());
            match taken {
                Some(Taken::Batch(batch)) => return Some(batch),
                Some(Taken::Nothing | Taken::Closed) => return None,
                None => self.queue.arrived.notified().await,
            }
        }
    }

    /// Does the same on a thread of its own, without end or for as long as it is patient.
    pub(crate) fn take_on_thread(&self, patience: Option<Duration>) -> Taken {
        let mut waiting = self.queue.lock();
        let mut is_awake = patience.is_some();
        loop {
            let arrived = self.queue.arrivals.load(Ordering::Acquire);
            if let Some(taken) = self.queue.take_now(&mut waiting) {
                return taken;
            }
            if std::mem::take(&mut is_awake) {
                drop(waiting);
                self.queue.watch(arrived);
                waiting = self.queue.lock();
                continue;
            }
            let signal = &self.queue.arrived_for_thread;
            let is_over;
            (waiting, is_over) = match patience {
                None => (signal.wait(waiting).unwrap_or_else(PoisonError::into_inner), false),
                Some(patience) => {
                    let (waiting, waited) =
                        signal.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
                    (waiting, waited.timed_out())
                }
            };
            if is_over {
                return self.queue.take_now(&mut waiting).unwrap_or(Taken::Nothing);
            }
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let left: Batch = {
            let mut waiting = self.queue.lock();
            waiting.takers -= 1;
            if waiting.takers > 0 {
                return;
            }
            waiting.is_open = false;
            waiting.tickets.drain(..).collect()
        };
        self.queue.room.close();
        left.fail(&StoreError::Closed);
    }
}

/// Requests that share a transaction, with those who wait for the answers.
pub(crate) struct Batch {
    requests: Vec<Request>,
    answers: Vec<oneshot::Sender<Outcome>>,
}

impl FromIterator<Ticket> for Batch {
    fn from_iter<I: IntoIterator<Item = Ticket>>(tickets: I) -> Self {
        let (requests, answers) = tickets.into_iter().map(|ticket| (ticket.request, ticket.answer)).unzip();
        Self { requests, answers }
    }
}

impl Batch {
    /// Returns how many requests there are.
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    /// Executes the requests in an open transaction. A defect that panics is an error like any other: it must not
    /// take the writer with it.
    pub(crate) async fn transact<T: Transact, D: Driver>(&self, work: &T, driver: D) -> Result<Done> {
        let done = AssertUnwindSafe(work.transact(driver, &self.requests)).catch_unwind().await;
        let done =
            done.map_err(|panic| StoreError::Corrupt(format!("a defect: {}", words_of(&*panic))))??;
        if done.replies.len() == self.len() {
            return Ok(done);
        }
        let (replies, requests) = (done.replies.len(), self.len());
        Err(StoreError::Corrupt(format!("a defect: {replies} answers to {requests} requests")))
    }

    /// Answers every caller with what was committed.
    pub(crate) fn answer(self, replies: Vec<std::result::Result<Reply, Refusal>>) {
        for (answer, reply) in self.answers.into_iter().zip(replies) {
            // A caller that has gone does not want its answer.
            let _ = answer.send(reply.map_err(ExecuteError::Refused));
        }
    }

    /// Answers every caller that the store could not.
    pub(crate) fn fail(self, error: &StoreError) {
        for answer in self.answers {
            let _ = answer.send(Err(ExecuteError::Store(copy_of(error))));
        }
    }

    /// Parts the batch in two halves, in order.
    pub(crate) fn halve(mut self) -> (Self, Self) {
        let middle = self.len() / 2;
        let (requests, answers) = (self.requests.split_off(middle), self.answers.split_off(middle));
        (self, Self { requests, answers })
    }
}

/// What becomes of a batch whose transaction was rolled back.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is tried again.
    Again,
    /// Its halves are tried one after the other, down to the request that is to blame.
    Apart,
    /// Its callers get the error.
    Fail(StoreError),
}

/// Decides what becomes of a batch after an error that was met `tries` times of at most `tries_max`.
pub(crate) fn fate(error: StoreError, batch: &Batch, tries: u32, tries_max: u32) -> Fate {
    match error {
        StoreError::Conflict { .. } if tries < tries_max => Fate::Again,
        StoreError::Conflict { .. } | StoreError::Corrupt(_) if batch.len() > 1 => Fate::Apart,
        StoreError::Conflict { what } => {
            let detail = format!("other writers moved {what} {tries} times in a row; try again later");
            Fate::Fail(StoreError::Unavailable { detail })
        }
        StoreError::Busy { .. } if tries < BUSY_TRIES_MAX.min(tries_max) => Fate::Again,
        // Its halves would wait as long for the same locks, and all that is behind them in the queue as well.
        StoreError::Busy { detail } => {
            let detail = format!("it kept a transaction waiting {tries} times in a row: {detail}");
            Fate::Fail(StoreError::Unavailable { detail })
        }
        error => Fate::Fail(error),
    }
}

/// Tells subscribers what was committed, where that is anything.
pub(crate) fn publish(committed: &broadcast::Sender<Committed>, events: Vec<Event>) {
    if !events.is_empty() {
        // Without subscribers nobody waits for it.
        let _ = committed.send(Committed { events: events.into() });
    }
}

/// Tells subscribers that something may have been committed: an outcome that nobody knows, or another server's commit.
pub(crate) fn publish_unknown(committed: &broadcast::Sender<Committed>) {
    // Without subscribers nobody waits for it.
    let _ = committed.send(Committed { events: Arc::new([]) });
}

/// Returns the error once more: each caller of a batch gets its own.
pub(crate) fn copy_of(error: &StoreError) -> StoreError {
    match error {
        StoreError::Conflict { what } => StoreError::Conflict { what },
        StoreError::Busy { detail } => StoreError::Busy { detail: detail.clone() },
        StoreError::Unavailable { detail } => StoreError::Unavailable { detail: detail.clone() },
        StoreError::Unknown { detail } => StoreError::Unknown { detail: detail.clone() },
        StoreError::Full { detail } => StoreError::Full { detail: detail.clone() },
        StoreError::ReadOnly { detail } => StoreError::ReadOnly { detail: detail.clone() },
        StoreError::NewerSchema { found, known } => StoreError::NewerSchema { found: *found, known: *known },
        StoreError::Configuration(detail) => StoreError::Configuration(detail.clone()),
        StoreError::Corrupt(detail) => StoreError::Corrupt(detail.clone()),
        StoreError::Closed => StoreError::Closed,
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}

#[cfg(test)]
mod tests;
