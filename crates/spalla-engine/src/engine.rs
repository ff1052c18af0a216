//! The engine's loop: takes one input, calls one stage.

use crate::handle::{EngineHandle, LOGGED_BACKLOG};
use crate::input::Input;
use crate::stages::{claim, keep_time, tick};
use crate::waiting_room::WaitingRoom;
use spalla_domain::event::Event;
use spalla_store::{Clock, Committed, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// How many inputs may wait for the loop: claimers that found nothing. More than that wait outside.
const INPUTS_MAX: usize = 4_096;

/// The loop looks at the clock at least so often, so that a stepped clock is noticed.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);

/// How long the loop waits before it asks a store again that was away.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What an engine is started with.
#[derive(Clone)]
pub struct Options {
    /// The clock that the store uses as well.
    pub clock: Arc<dyn Clock>,
    /// How often eligible external items are given runs at most; none turns the background tick off.
    pub background_interval: Option<Duration>,
}

/// A running engine.
pub struct Engine {
    inputs: mpsc::Sender<Input>,
    /// The loop, and nothing else.
    tasks: JoinSet<()>,
    hand_offs: TaskTracker,
}

impl Engine {
    /// Starts the loop.
    pub fn start(store: Store, options: Options) -> (EngineHandle, Self) {
        let (inputs, inbox) = mpsc::channel(INPUTS_MAX);
        let (waiting, hand_offs) = (WaitingRoom::default(), TaskTracker::new());
        let handle = EngineHandle {
            store: store.clone(),
            inputs: inputs.clone(),
            waiting: waiting.clone(),
            hand_offs: hand_offs.clone(),
            logged: broadcast::Sender::new(LOGGED_BACKLOG),
            worker_calls: Arc::default(),
            ticks: options.background_interval.is_some(),
        };
        let commits = store.committed();
        let engine_loop = Loop { store, options, waiting, tick_due: true, last_tick: None, retry: None };
        let mut tasks = JoinSet::new();
        tasks.spawn(engine_loop.run(inbox, commits));
        (handle, Self { inputs, tasks, hand_offs })
    }

    /// Ends the loop: whoever waits is answered with nothing, and later claims do not wait.
    pub async fn stop(self) {
        // Where the loop is gone already there is nothing to end.
        let _ = self.inputs.send(Input::Stop).await;
        self.tasks.join_all().await;
        self.hand_offs.close();
        self.hand_offs.wait().await;
    }
}

struct Loop {
    store: Store,
    options: Options,
    waiting: WaitingRoom,
    /// Something became eligible since the last background tick.
    tick_due: bool,
    last_tick: Option<Instant>,
    /// When to ask a store again that was away.
    retry: Option<Instant>,
}

impl Loop {
    async fn run(mut self, mut inbox: mpsc::Receiver<Input>, mut commits: broadcast::Receiver<Committed>) {
        loop {
            let wake = self.next_wake();
            let input = tokio::select! {
                // In one order, so that a simulation repeats itself. Claimers are bounded, so none of the rest starves.
                biased;
                input = inbox.recv() => input.unwrap_or(Input::Stop),
                commit = commits.recv() => match commit {
                    Ok(commit) => Input::Committed(commit),
                    Err(broadcast::error::RecvError::Lagged(_)) => Input::Lagged,
                    Err(broadcast::error::RecvError::Closed) => Input::Stop,
                },
                () = tokio::time::sleep_until(wake) => Input::Time,
            };
            if !self.take(input).await {
                return;
            }
        }
    }

    /// Takes one input; returns whether the loop goes on.
    async fn take(&mut self, input: Input) -> bool {
        match input {
            Input::Park(parked) => {
                let has_missed_a_round = parked.rounds != self.waiting.rounds();
                self.waiting.enter(parked);
                if has_missed_a_round {
                    self.serve().await;
                }
            }
            Input::Committed(commit) if commit.events.is_empty() => self.look_at_everything().await,
            Input::Committed(commit) => self.committed(&commit.events).await,
            Input::Lagged => self.look_at_everything().await,
            Input::Time => self.time().await,
            Input::Stop => {
                claim::answer_otherwise(self.waiting.take(usize::MAX));
                return false;
            }
        }
        true
    }

    async fn committed(&mut self, events: &[Event]) {
        if claim::are_claimable(events) {
            self.tick_due = true;
            self.serve().await;
        }
    }

    /// Another server changed something, or commits went by unseen. Who waits is served first: mostly there is something
    /// new to claim, and what the clock makes eligible is heard of as any other commit is.
    async fn look_at_everything(&mut self) {
        self.tick_due = true;
        self.serve().await;
        self.keep_time().await;
    }

    async fn serve(&mut self) {
        self.waiting.begin_round();
        claim::serve(&self.store, &self.waiting).await;
    }

    async fn keep_time(&mut self) {
        let done = keep_time::keep_time(&self.store).await;
        self.retry = (!done).then(|| Instant::now() + RETRY_AFTER);
    }

    async fn time(&mut self) {
        let now = Instant::now();
        claim::answer_otherwise(self.waiting.take_overdue(now));
        let may_ask = self.retry.is_none_or(|retry| retry <= now);
        if may_ask && self.store.next_moment().is_some_and(|at| at <= self.options.clock.now()) {
            self.keep_time().await;
        }
        if self.next_tick(now).is_some_and(|at| at <= now) {
            (self.tick_due, self.last_tick) = (false, Some(now));
            tick::tick_external(&self.store).await;
        }
    }

    /// Returns when the next background tick is due: the first one at once.
    fn next_tick(&self, now: Instant) -> Option<Instant> {
        let interval = self.options.background_interval.filter(|_| self.tick_due)?;
        Some(self.last_tick.map_or(now, |last| last + interval))
    }

    fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let due = self.store.next_moment().map(|at| {
            let wait_ms = at.ms().saturating_sub(self.options.clock.now().ms()).max(0);
            let due = now + Duration::from_millis(wait_ms.unsigned_abs()).min(LOOK_AT_LEAST);
            self.retry.map_or(due, |retry| due.max(retry))
        });
        self.waiting
            .next_deadline()
            .into_iter()
            .chain(due)
            .chain(self.next_tick(now))
            .fold(now + LOOK_AT_LEAST, Instant::min)
    }
}
