//! The one follower of the store's commits. It hands every event on once and in order, and writes each out once,
//! however many clients follow.
//!
//! ```text
//!  store.committed() ─► follow ─► broadcast of batches ─► Subscription (own cursor) ─► one client
//!        │ empty, late or out of order                        │ fell behind
//!        └────────► store.read().events(after)  ◄─────────────┘
//! ```

use super::feed::Message;
use crate::meters::Meters;
use crate::wire;
use spalla_domain::EventSeq;
use spalla_domain::event::Event;
use spalla_store::view::EventFilter;
use spalla_store::{Committed, Store, StoreError};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// How many batches a client may be behind before it reads on from the store: a burst of commits, at one batch each.
const BACKLOG: usize = 256;
/// How many events are read from the store at once: some hundred KiB, so that a long replay stays small in memory.
pub(super) const PAGE: u32 = 500;
/// How long the follower waits before it asks a store again that could not answer.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often the meters are kept small.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// An event that many clients may want.
#[derive(Debug)]
pub(crate) struct LiveEvent {
    /// The event.
    pub(super) event: Event,
    written: OnceLock<Written>,
}

/// An event written out.
#[derive(Debug)]
struct Written {
    kind: String,
    message: Message,
}

impl LiveEvent {
    /// Wraps an event.
    pub(super) const fn new(event: Event) -> Self {
        Self { event, written: OnceLock::new() }
    }

    /// Returns the event's type.
    pub(super) fn kind(&self) -> &str {
        &self.written().kind
    }

    /// Returns the event as a message.
    pub(super) fn message(&self) -> &Message {
        &self.written().message
    }

    /// Writes the event out at the first call.
    fn written(&self) -> &Written {
        self.written.get_or_init(|| {
            let event = wire::event::Event::from(&self.event);
            let data = serde_json::to_string(&event).unwrap_or_default();
            let message = Message::new(self.event.seq.0, &event.kind, &data);
            Written { kind: event.kind, message }
        })
    }
}

/// Events that became known together.
pub(super) type Batch = Arc<[LiveEvent]>;

/// The events as they happen.
#[derive(Clone)]
pub(crate) struct EventStream {
    pub(super) store: Store,
    pub(super) live: broadcast::Sender<Batch>,
    newest: Arc<AtomicI64>,
}

impl EventStream {
    /// Makes a stream; nothing flows until somebody follows the store.
    pub(crate) fn new(store: Store) -> Self {
        Self { store, live: broadcast::Sender::new(BACKLOG), newest: Arc::new(AtomicI64::new(0)) }
    }

    /// Returns the number of the newest event that was handed on.
    pub(crate) fn newest(&self) -> EventSeq {
        EventSeq(self.newest.load(Ordering::Relaxed))
    }

    /// Follows the store until the shutdown. The first look at the store is taken after subscribing, so that nothing
    /// falls between.
    pub(crate) async fn follow(&self, meters: &Meters, shutdown: CancellationToken) {
        let mut commits = self.store.committed();
        let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
        let Some(()) = shutdown.run_until_cancelled(self.begin()).await else { return };
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = upkeep.tick() => meters.upkeep(),
                commit = commits.recv() => match self.take(commit, meters).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::warn!(%error, "the event stream could not read on; it tries again");
                        tokio::time::sleep(RETRY_AFTER).await;
                        commits = self.resubscribe(meters).await;
                    }
                },
            }
        }
    }

    /// Begins at the newest event there is; what was before is read from the store by whoever wants it. A client that came
    /// before this is told by a batch without events to look: what happened since then is handed on to nobody.
    async fn begin(&self) {
        loop {
            match self.store.read().newest_event().await {
                Ok(newest) => {
                    self.newest.store(newest.0, Ordering::Relaxed);
                    return drop(self.live.send([].into()));
                }
                Err(error) => tracing::warn!(%error, "the event stream could not begin; it tries again"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Starts over after a fault: subscribes first, then catches up as far as the store lets it.
    async fn resubscribe(&self, meters: &Meters) -> broadcast::Receiver<Committed> {
        let commits = self.store.committed();
        if let Err(error) = self.catch_up(meters).await {
            tracing::warn!(%error, "the event stream is still behind");
        }
        commits
    }

    /// Takes note of a commit; false when there will be no further one.
    async fn take(&self, commit: Result<Committed, RecvError>, meters: &Meters) -> Result<bool, StoreError> {
        let next = self.newest().0 + 1;
        match commit {
            Ok(commit) if commit.events.first().is_some_and(|event| event.seq.0 == next) => {
                self.hand_on(commit.events.to_vec(), meters);
            }
            Ok(commit) if commit.events.last().is_some_and(|event| event.seq.0 < next) => {}
            // Nothing named, late, or out of order: the store knows what comes after the last one handed on.
            Ok(_) | Err(RecvError::Lagged(_)) => self.catch_up(meters).await?,
            Err(RecvError::Closed) => return Ok(false),
        }
        Ok(true)
    }

    async fn catch_up(&self, meters: &Meters) -> Result<(), StoreError> {
        loop {
            let filter = EventFilter { after: Some(self.newest()), ..EventFilter::default() };
            let events = self.store.read().events(filter, PAGE).await?;
            let is_last = events.len() < PAGE as usize;
            self.hand_on(events, meters);
            if is_last {
                return Ok(());
            }
        }
    }

    fn hand_on(&self, events: Vec<Event>, meters: &Meters) {
        let Some(last) = events.last() else { return };
        self.newest.store(last.seq.0, Ordering::Relaxed);
        meters.happened(&events);
        // Without a client there is nobody to send to, which is no fault.
        drop(self.live.send(events.into_iter().map(LiveEvent::new).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::feed::{Feed, Next};
    use super::super::places::Places;
    use super::super::subscription::{Filter, Subscription};
    use super::*;
    use crate::auth::Client;
    use spalla_domain::Timestamp;
    use spalla_domain::project::NewProject;
    use spalla_engine::Engine;
    use spalla_store::{Clock, Command, Location, Memory, Options, Randomness, Settings};

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_ms(0)
        }
    }

    impl Randomness for Fixed {
        fn next(&self) -> u64 {
            1
        }
    }

    #[tokio::test]
    async fn whoever_came_before_the_stream_began_is_told_what_happened_meanwhile() {
        let options = Options {
            location: Location::Memory(Memory::default()),
            settings: Settings::default(),
            clock: Arc::new(Fixed),
            randomness: Arc::new(Fixed),
            gate: None,
        };
        let store = Store::open(options).await.unwrap();
        let options = spalla_engine::Options { clock: Arc::new(Fixed), background_interval: None };
        let (handle, _engine) = Engine::start(store.clone(), options);
        let stream = EventStream::new(store);
        let place = Places::default().take(Client::Address([127, 0, 0, 1].into())).unwrap();
        let mut client = Subscription::begin(&stream, place, Filter::default(), None).await.unwrap();
        let new = NewProject { name: "p".into(), description: None, repository: None, limits: None };
        handle.execute(Command::CreateProject(new)).await.unwrap();
        stream.begin().await;
        let Next::Messages(messages) = client.next().await.unwrap() else { panic!("the stream is over") };
        assert_eq!(messages.len(), 1);
    }
}
