//! Queue entries on the wire.

use super::work_item::WorkItemStatus;
use serde::{Deserialize, Serialize};
use spalla_domain::problem::Code;
use spalla_domain::queue::rank::rank;
use spalla_domain::{EntryId, Timestamp};
use spalla_store::view::{EntryView, WorkItemView};
use utoipa::ToSchema;

/// A work item waiting to start.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueEntry {
    /// Its id.
    id: i64,
    /// What waits.
    work_item_id: i64,
    /// Whose it is.
    project_id: i64,
    /// The title of what waits.
    title: String,
    /// `queued`, or `blocked` when it can't start unless a dependency is mended.
    status: WorkItemStatus,
    /// 0 to 9, 9 is the most urgent: what ranks it. It moves by itself, by at most 2, around what a person set.
    priority: u8,
    /// What a person set.
    set_priority: u8,
    /// Its rank at this moment; the highest starts first.
    rank: f64,
    /// How many dependencies are not met.
    unmet_dependencies: u32,
    /// How many approvals hold it.
    pending_approvals: u32,
    /// When it was enqueued.
    #[schema(value_type = String, format = DateTime)]
    enqueued_at: Timestamp,
    /// Not before this moment.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// Why it is not running; null means that it waits for a worker or a tick.
    reason: Option<&'static str>,
}

impl QueueEntry {
    /// Shows an entry as it ranks at a moment.
    pub(crate) fn new(view: EntryView, now: Timestamp) -> Self {
        Self {
            id: view.id.0,
            work_item_id: view.work_item_id.0,
            project_id: view.project_id.0,
            title: view.title,
            status: status(view.reason),
            priority: view.priority,
            set_priority: view.set_priority,
            rank: rank(view.prio, now),
            unmet_dependencies: view.unmet,
            pending_approvals: view.approvals,
            enqueued_at: view.enqueued_at,
            due_at: view.due_at,
            reason: view.reason.map(Code::as_str),
        }
    }
}

fn status(reason: Option<Code>) -> WorkItemStatus {
    match reason {
        Some(Code::DependencyFailed | Code::DependencyCancelled | Code::DependencySucceeded) => {
            WorkItemStatus::Blocked
        }
        _ => WorkItemStatus::Queued,
    }
}

/// What became of a work item that was put into the queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Enqueued {
    /// The queue entry's id; a work item has one, whose wishes are joined.
    id: i64,
    /// What waits.
    work_item_id: i64,
    /// Whose it is.
    project_id: i64,
    /// Where the work item stands now.
    status: WorkItemStatus,
    /// Why it does not start; null when nothing holds it.
    reason: Option<&'static str>,
}

impl Enqueued {
    /// Shows an entry with where its work item stands.
    pub(crate) fn new(id: EntryId, view: &WorkItemView) -> Self {
        Self {
            id: id.0,
            work_item_id: view.item.id.0,
            project_id: view.item.project_id.0,
            status: view.status.into(),
            reason: view.reason.map(Code::as_str),
        }
    }
}

/// Why an entry is not running, to choose by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QueueReason {
    /// Nothing holds it: it waits for a worker or a tick.
    None,
    /// A dependency is not met yet.
    DependenciesUnmet,
    /// A dependency failed for good.
    DependencyFailed,
    /// A dependency was cancelled.
    DependencyCancelled,
    /// A dependency succeeded where its failure was waited for.
    DependencySucceeded,
    /// An approval is pending.
    ApprovalPending,
    /// An approval was rejected.
    ApprovalRejected,
    /// It waits for its time.
    Delayed,
    /// Its project has used up its quota.
    Quota,
    /// What it needs is reserved for others.
    Resources,
    /// As many runs are going on as are allowed at once.
    ConcurrencyLimit,
}

impl QueueReason {
    /// Returns the code; none where nothing holds the entry.
    pub(crate) const fn code(self) -> Option<Code> {
        match self {
            Self::None => None,
            Self::DependenciesUnmet => Some(Code::DependenciesUnmet),
            Self::DependencyFailed => Some(Code::DependencyFailed),
            Self::DependencyCancelled => Some(Code::DependencyCancelled),
            Self::DependencySucceeded => Some(Code::DependencySucceeded),
            Self::ApprovalPending => Some(Code::ApprovalPending),
            Self::ApprovalRejected => Some(Code::ApprovalRejected),
            Self::Delayed => Some(Code::Delayed),
            Self::Quota => Some(Code::Quota),
            Self::Resources => Some(Code::Resources),
            Self::ConcurrencyLimit => Some(Code::ConcurrencyLimit),
        }
    }
}
