//! One client's way through the events: first from the store, then live, and from the store again whenever it fell
//! behind. Its own cursor makes the seams exact: no event is missed and none comes twice.

use super::event_stream::{Batch, EventStream, LiveEvent, PAGE};
use super::feed::{Feed, Message, Next};
use super::places::Place;
use spalla_domain::{EventSeq, ProjectId, RunId, WorkItemId};
use spalla_store::view::EventFilter;
use spalla_store::{Store, StoreError};
use std::collections::BTreeSet;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Which events a client wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Of this project.
    pub(crate) project_id: Option<ProjectId>,
    /// Of this work item.
    pub(crate) work_item_id: Option<WorkItemId>,
    /// Of this run.
    pub(crate) run_id: Option<RunId>,
    /// Of one of these projects; none means any.
    pub(crate) projects: Option<BTreeSet<ProjectId>>,
    /// Of one of these types; empty means any. A type that ends in `.*` stands for all that begin so.
    pub(crate) types: Vec<String>,
}

impl Filter {
    fn wants(&self, live: &LiveEvent) -> bool {
        let event = &live.event;
        self.project_id.is_none_or(|id| event.project_id == id)
            && self.work_item_id.is_none_or(|id| event.work_item_id == Some(id))
            && self.run_id.is_none_or(|id| event.run_id == Some(id))
            && self.projects.as_ref().is_none_or(|projects| projects.contains(&event.project_id))
            && (self.types.is_empty() || self.wants_type(live.kind()))
    }

    fn wants_type(&self, kind: &str) -> bool {
        self.types.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => kind == wanted,
        })
    }
}

/// One client's way through the events.
pub(crate) struct Subscription {
    store: Store,
    live: broadcast::Receiver<Batch>,
    filter: Filter,
    /// The number of the last event that was looked at.
    cursor: EventSeq,
    /// Whether the store has events after the cursor that may not come live.
    is_behind: bool,
    /// Holds the client's place among those that the server bears.
    _place: Place,
}

impl Subscription {
    /// Begins after an event, or with what happens from now on.
    pub(crate) async fn begin(
        stream: &EventStream,
        place: Place,
        filter: Filter,
        after: Option<EventSeq>,
    ) -> Result<Self, StoreError> {
        // First listen, then look: what is committed in between comes both ways, and the cursor drops one of them.
        let live = stream.live.subscribe();
        let newest = stream.store.read().newest_event().await?;
        // A number that was never given out is one of another database: everything from now on is new to its owner.
        let cursor = after.map_or(newest, |after| after.min(newest));
        let is_behind = cursor < newest;
        Ok(Self { store: stream.store.clone(), live, filter, cursor, is_behind, _place: place })
    }

    async fn read_on(&mut self) -> Result<Vec<Message>, StoreError> {
        let filter = EventFilter {
            project_id: self.filter.project_id,
            run_id: self.filter.run_id,
            after: Some(self.cursor),
        };
        let events = self.store.read().events(filter, PAGE).await?;
        self.is_behind = events.len() >= PAGE as usize;
        let events: Vec<LiveEvent> = events.into_iter().map(LiveEvent::new).collect();
        Ok(self.take(&events))
    }

    fn take(&mut self, events: &[LiveEvent]) -> Vec<Message> {
        let fresh = events.iter().filter(|live| live.event.seq > self.cursor);
        let wanted = fresh.filter(|live| self.filter.wants(live)).map(LiveEvent::message).cloned().collect();
        self.cursor = events.last().map_or(self.cursor, |last| last.event.seq.max(self.cursor));
        wanted
    }
}

impl Feed for Subscription {
    async fn next(&mut self) -> Result<Next, StoreError> {
        loop {
            let messages = if self.is_behind {
                self.read_on().await?
            } else {
                match self.live.recv().await {
                    Ok(batch) if batch.is_empty() => {
                        self.is_behind = true;
                        continue;
                    }
                    Ok(batch) => self.take(&batch),
                    Err(RecvError::Lagged(_)) => {
                        self.is_behind = true;
                        continue;
                    }
                    Err(RecvError::Closed) => return Ok(Next::Closed),
                }
            };
            if !messages.is_empty() {
                return Ok(Next::Messages(messages));
            }
        }
    }
}
