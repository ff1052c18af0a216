//! What a client says to the scheduler: enqueue, tick, requeue; and what it sees of dead letters.

use super::Body;
use super::number::{IdNumber, Priority};
use super::run::Run;
use super::seconds::Delay;
use super::work_item::WorkItem;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use spalla_domain::WorkItemId;
use spalla_store::Command;
use spalla_store::command::{self, EnqueueWish, Held, Requeued, Started};
use utoipa::ToSchema;

/// A wish to have a work item done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnqueueBody {
    /// Which.
    #[schema(inline)]
    work_item_id: IdNumber,
    /// What it waits for in addition.
    #[schema(inline)]
    depends_on_work_item_id: Option<IdNumber>,
    /// Instead of the item's own.
    #[schema(inline)]
    priority: Option<Priority>,
    /// Not before this time from now.
    #[schema(inline)]
    delay_seconds: Option<Delay>,
}

impl Body for EnqueueBody {}

impl EnqueueBody {
    /// Returns which work item is meant.
    pub(crate) fn work_item_id(&self) -> WorkItemId {
        WorkItemId(self.work_item_id.get())
    }
}

impl From<EnqueueBody> for EnqueueWish {
    fn from(body: EnqueueBody) -> Self {
        Self {
            work_item_id: WorkItemId(body.work_item_id.get()),
            depends_on: body.depends_on_work_item_id.map(|id| WorkItemId(id.get())),
            priority: body.priority.map(|p| p.small() as u8),
            delay_ms: body.delay_seconds.map_or(0, Delay::ms),
        }
    }
}

impl From<EnqueueBody> for Command {
    fn from(body: EnqueueBody) -> Self {
        let EnqueueWish { work_item_id, depends_on, priority, delay_ms } = body.into();
        Self::Enqueue { work_item_id, depends_on, priority, delay_ms }
    }
}

/// A wish to have a work item done again, whatever became of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequeueItemBody {
    /// Which.
    #[schema(inline)]
    pub(crate) work_item_id: IdNumber,
    /// Not before this time from now.
    #[schema(inline)]
    delay_seconds: Option<Delay>,
    /// Instead of the item's own.
    #[schema(inline)]
    priority: Option<Priority>,
    /// Waits as long as the retry policy would.
    backoff: Option<bool>,
}

impl Body for RequeueItemBody {}

/// A wish to have the work item of a run done again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequeueRunBody {
    /// Not before this time from now.
    #[schema(inline)]
    delay_seconds: Option<Delay>,
    /// Instead of the item's own.
    #[schema(inline)]
    priority: Option<Priority>,
    /// Waits as long as the retry policy would.
    backoff: Option<bool>,
}

impl Body for RequeueRunBody {}

impl RequeueItemBody {
    /// Returns the command.
    pub(crate) fn into_command(self) -> Result<Command, Problem> {
        let target = Requeued::WorkItem(WorkItemId(self.work_item_id.get()));
        requeue(target, self.delay_seconds, self.priority, self.backoff)
    }
}

impl RequeueRunBody {
    /// Returns the command.
    pub(crate) fn into_command(self, target: Requeued) -> Result<Command, Problem> {
        requeue(target, self.delay_seconds, self.priority, self.backoff)
    }
}

fn requeue(
    target: Requeued,
    delay: Option<Delay>,
    priority: Option<Priority>,
    backoff: Option<bool>,
) -> Result<Command, Problem> {
    let delay = match (delay, backoff.unwrap_or_default()) {
        (Some(_), true) => {
            return Err(
                Problem::invalid("delay_seconds", "backoff: true gives a delay of its own").mend("say one")
            );
        }
        (None, true) => command::Delay::Backoff,
        (delay, false) => command::Delay::Ms(delay.map_or(0, Delay::ms)),
    };
    Ok(Command::Requeue { target, priority: priority.map(|p| p.small() as u8), delay })
}

/// What a tick did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TickAnswer {
    /// The new runs.
    started: Vec<StartedRun>,
    /// What could not start, and why.
    blocked: Vec<BlockedItem>,
}

/// A run made by a tick.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StartedRun {
    /// The run.
    run_id: i64,
    /// What it is to do.
    work_item_id: i64,
}

/// A work item that could not start.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BlockedItem {
    /// What waits.
    work_item_id: i64,
    /// Why.
    reason: &'static str,
}

impl TickAnswer {
    /// Shows what a tick did.
    pub(crate) fn new(started: Vec<Started>, blocked: Vec<Held>) -> Self {
        let started = started.into_iter();
        let blocked = blocked.into_iter();
        Self {
            started: started
                .map(|s| StartedRun { run_id: s.run_id.0, work_item_id: s.work_item_id.0 })
                .collect(),
            blocked: blocked
                .map(|h| BlockedItem { work_item_id: h.work_item_id.0, reason: h.reason.as_str() })
                .collect(),
        }
    }
}

/// A work item that failed for good, with its runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    /// The work item.
    #[serde(flatten)]
    pub(crate) work_item: WorkItem,
    /// Its runs, newest first.
    pub(crate) runs: Vec<Run>,
}
