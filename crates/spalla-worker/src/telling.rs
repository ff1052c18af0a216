//! Events of a run's agent on their way to the server while the run goes on: in batches, and never so that the agent waits.
//! Where the server is slow the batches grow; where they grow too large the newest events are dropped, and that is told.

use crate::questions::{heartbeat, insist};
use crate::run::{End, Run};
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::run_event::{EVENTS_AT_ONCE, RunEvent};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long an event waits for others to go with it: not long enough for a person to notice.
const BATCH_MS: u64 = 100;
/// The most bytes of a batch: half of what the server reads at once.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// The most events that wait: a minute of an agent that says thirty things a second.
const WAITING_MAX: usize = 2_048;
/// The most bytes of these.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What an agent told and the server does not know yet; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    untold: Mutex<Untold>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Untold {
    waiting: VecDeque<(RunEvent, usize)>,
    bytes: usize,
    /// How many were dropped since the last one that was told of.
    dropped: u64,
    /// How often that was told.
    notices: u64,
}

impl Telling {
    /// Takes note of an event. What there is no room for is counted.
    pub(crate) fn add(&self, event: RunEvent) {
        self.untold().push(event);
        self.0.more.notify_one();
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.0.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Untold {
    fn push(&mut self, event: RunEvent) {
        let bytes = event.bytes();
        if self.waiting.len() >= WAITING_MAX || self.bytes.saturating_add(bytes) > WAITING_BYTES_MAX {
            self.dropped += 1;
            return;
        }
        self.bytes += bytes;
        self.waiting.push_back((event, bytes));
    }

    /// Returns the events that go next; they wait until the server has them.
    fn batch(&self) -> Vec<RunEvent> {
        let mut all = 0;
        let fitting = self.waiting.iter().take(EVENTS_AT_ONCE).take_while(|(_, bytes)| {
            all += bytes;
            all <= BATCH_BYTES
        });
        fitting.map(|(event, _)| event.clone()).collect()
    }

    /// Takes away what the server has, and tells of what was dropped now that there is room.
    fn told(&mut self, count: usize, run: &str) {
        for (_, bytes) in self.waiting.drain(..count.min(self.waiting.len())) {
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            self.notices += 1;
            let text = format!("{dropped} events were dropped: the server took them too slowly");
            let notice = AgentEvent::new(AgentEventType::Error, text).with("dropped", dropped);
            let id = Some(format!("{run}-dropped-{}", self.notices));
            self.push(RunEvent { id, ..RunEvent::of(&notice) });
        }
    }
}

/// Carries a run on, and tells meanwhile what its agent says. What nobody was told is told before this returns.
pub(crate) async fn tell_while(run: &Run<'_>, going_on: impl Future<Output = End>) -> End {
    let telling = async {
        loop {
            run.telling.0.more.notified().await;
            tokio::time::sleep(Duration::from_millis(BATCH_MS)).await;
            tell(run).await;
        }
    };
    let end = tokio::select! {
        end = going_on => end,
        end = telling => end,
    };
    tell(run).await;
    end
}

/// Tells everything that waits.
async fn tell(run: &Run<'_>) {
    loop {
        let events = run.telling.untold().batch();
        if events.is_empty() {
            return;
        }
        // Each event has a name, so that a batch may be cut off and told again.
        let call = || run.coordinator.tell_events(heartbeat(run), events.clone());
        if insist(run, "telling the agent's events", call).await.is_err() {
            let run_id = run.assignment.run_id;
            tracing::warn!(run = %run_id, "events of an agent could not be told; they are in the run's file");
            let mut untold = run.telling.untold();
            let count = untold.waiting.len();
            (untold.bytes, untold.dropped) = (0, untold.dropped + count as u64);
            untold.waiting.clear();
            return;
        }
        run.telling.untold().told(events.len(), &run.label());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> RunEvent {
        RunEvent::of(&AgentEvent::new(AgentEventType::Status, text))
    }

    #[test]
    fn what_waits_goes_in_batches_within_both_bounds() {
        let mut untold = Untold::default();
        (0..EVENTS_AT_ONCE + 1).for_each(|_| untold.push(event("x")));
        assert_eq!(untold.batch().len(), EVENTS_AT_ONCE);
        untold.told(EVENTS_AT_ONCE, "run-1-1");
        assert_eq!((untold.batch().len(), untold.bytes), (1, event("x").bytes()));
        let mut untold = Untold::default();
        let large = event(&"x".repeat(60_000));
        (0..100).for_each(|_| untold.push(large.clone()));
        assert_eq!(untold.batch().len(), BATCH_BYTES / large.bytes());
    }

    #[test]
    fn the_newest_are_dropped_where_there_is_no_room_and_that_is_told_once() {
        let mut untold = Untold::default();
        (0..WAITING_MAX + 3).for_each(|n| untold.push(event(&n.to_string())));
        assert_eq!((untold.waiting.len(), untold.dropped), (WAITING_MAX, 3));
        assert_eq!(untold.batch()[0], event("0"));
        untold.told(10, "run-1-1");
        untold.told(10, "run-1-1");
        let notices: Vec<_> =
            untold.waiting.iter().filter(|(event, _)| event.payload.contains_key("dropped")).collect();
        assert_eq!((notices.len(), &notices[0].0.payload["dropped"]), (1, &3.into()));
        assert_eq!(notices[0].0.id.as_deref(), Some("run-1-1-dropped-1"));
    }
}
