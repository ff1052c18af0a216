//! What a history knows of each item and run: derived from the events, by no rule of the store's.

use super::law::Subject;
use spalla_domain::problem::Code;
use spalla_domain::queue::edge::Parent;
use spalla_domain::retry::ErrorClass;
use spalla_domain::work_item::{Dependency, Status};
use spalla_domain::{EventSeq, Fence, ProjectId, RunId, Timestamp, WorkItemId};

/// Where and when something happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The event.
    pub(super) seq: EventSeq,
    /// When.
    pub(super) at: Timestamp,
    /// The item.
    pub(super) item: WorkItemId,
    /// The run.
    pub(super) run: Option<RunId>,
}

impl Moment {
    /// Returns what a violation at this moment is about.
    pub(super) const fn subject(&self) -> Subject {
        Subject { seq: Some(self.seq), item: Some(self.item), run: self.run }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Succeeded,
    Failed(ErrorClass),
    Cancelled,
    Lost,
}

impl End {
    /// Tells whether another attempt may follow.
    pub(super) const fn may_be_retried(self) -> bool {
        match self {
            Self::Failed(class) => class.is_retryable(),
            Self::Lost => true,
            Self::Succeeded | Self::Cancelled => false,
        }
    }

    /// Returns how an item finishes with it.
    pub(super) const fn finishes_as(self) -> Status {
        match self {
            Self::Succeeded => Status::Succeeded,
            Self::Cancelled => Status::Cancelled,
            Self::Failed(_) | Self::Lost => Status::Failed,
        }
    }
}

/// Where an item stands by the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Not in the queue.
    Open,
    /// In the queue.
    Waiting(Waiting),
    /// A run of it is not over.
    Live(RunId),
    /// Its run is over, and what that means was not said yet.
    Ended(End),
    /// At its end.
    Finished(Status),
}

/// How an item waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Waiting {
    /// It was said to be ready, and nothing has held it since.
    pub(super) ready: bool,
    /// Not before this moment.
    pub(super) due_at: Option<Timestamp>,
    /// It was said to be blocked.
    pub(super) broken: Option<Code>,
}

/// What keeps an item from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Holds {
    /// Dependencies that are not met.
    pub(super) unmet: u32,
    /// The first of them that can't be met any more.
    pub(super) broken: Option<(WorkItemId, Code)>,
    /// Approvals that are pending or rejected.
    pub(super) approvals: u32,
}

impl Holds {
    /// Tells whether an item starts at a moment, as far as its holds and its time go.
    pub(super) fn are_none(&self, due_at: Option<Timestamp>, at: Timestamp) -> bool {
        self.unmet == 0 && self.approvals == 0 && due_at.is_none_or(|due_at| due_at <= at)
    }
}

/// A work item.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) project: ProjectId,
    pub(super) critical: bool,
    pub(super) archived: bool,
    pub(super) place: Place,
    /// What it waits for.
    pub(super) above: Vec<Dependency>,
    /// What waits for it.
    pub(super) below: Vec<Dependency>,
    pub(super) pending: u32,
    pub(super) rejected: u32,
    pub(super) failures: u32,
    pub(super) attempt: u32,
    pub(super) fence: Fence,
    /// Found among the store's rows.
    pub(super) is_kept: bool,
    /// Found among the store's queue entries.
    pub(super) has_entry: bool,
}

impl Item {
    /// Makes an item that waits for nothing.
    pub(super) const fn new(project: ProjectId, critical: bool) -> Self {
        Self {
            project,
            critical,
            archived: false,
            place: Place::Open,
            above: vec![],
            below: vec![],
            pending: 0,
            rejected: 0,
            failures: 0,
            attempt: 0,
            fence: Fence::NONE,
            is_kept: false,
            has_entry: false,
        }
    }

    /// Returns what of the item matters to what waits for it.
    pub(super) fn parent(&self) -> Parent {
        match self.place {
            Place::Finished(Status::Succeeded) => Parent::Succeeded,
            Place::Finished(Status::Failed) => Parent::Failed { critical: self.critical },
            Place::Finished(_) => Parent::Cancelled,
            _ if self.archived => Parent::Cancelled,
            Place::Waiting(Waiting { broken: Some(reason), .. }) => Parent::Blocked(reason),
            Place::Open | Place::Waiting(_) | Place::Live(_) | Place::Ended(_) => Parent::Unfinished,
        }
    }

    /// Returns the item's state as clients see it.
    pub(super) fn status(&self) -> Status {
        match self.place {
            _ if self.archived => Status::Archived,
            Place::Open => Status::Open,
            Place::Waiting(Waiting { broken: Some(_), .. }) => Status::Blocked,
            Place::Waiting(_) => Status::Queued,
            Place::Live(_) | Place::Ended(_) => Status::Running,
            Place::Finished(status) => status,
        }
    }
}

/// A run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) item: WorkItemId,
    pub(super) attempt: u32,
    pub(super) takeovers: u32,
    /// The token of its newest lease; none before the first, and after it was given back.
    pub(super) fence: Option<Fence>,
    /// The newest token of the item when the run ended.
    pub(super) fence_at_end: Fence,
    /// Somebody holds it, as far as the log says.
    pub(super) held: bool,
    /// A person lets it stand still.
    pub(super) paused: bool,
    pub(super) end: Option<End>,
    /// Found among the store's rows.
    pub(super) is_kept: bool,
}
