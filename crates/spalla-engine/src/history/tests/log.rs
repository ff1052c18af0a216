//! Short words to write a log with.

use spalla_domain::approval::{Kind, Status as Answer};
use spalla_domain::event::{Event, Fact};
use spalla_domain::problem::Code;
use spalla_domain::retry::ErrorClass;
use spalla_domain::work_item::{Dependency, Status, When};
use spalla_domain::{ApprovalId, EventSeq, Fence, ProjectId, RunId, Timestamp, WorkItemId, WorkerId};

/// A log that grows.
pub(super) struct Log {
    pub(super) events: Vec<Event>,
    at: i64,
    next: i64,
}

fn worker() -> WorkerId {
    WorkerId::new("w").unwrap()
}

/// A moment of the log.
pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

/// A dependency on the success of an item.
pub(super) fn on(id: i64) -> Dependency {
    Dependency { id: WorkItemId(id), when: When::Success }
}

impl Log {
    pub(super) fn new() -> Self {
        Self { events: vec![], at: 1_000, next: 1 }
    }

    /// A log in which items were made and queued, and are ready.
    pub(super) fn ready(ids: &[i64]) -> Self {
        ids.iter()
            .fold(Self::new(), |log, id| log.made(*id, &[]).queued(*id).say(*id, Fact::WorkItemReady {}))
    }

    fn push(mut self, item: Option<i64>, run: Option<i64>, fact: Fact) -> Self {
        self.events.push(Event {
            seq: EventSeq(self.next),
            at: at(self.at),
            project_id: ProjectId(1),
            work_item_id: item.map(WorkItemId),
            run_id: run.map(RunId),
            fact,
        });
        self.next += 1;
        self
    }

    pub(super) fn say(self, item: i64, fact: Fact) -> Self {
        self.push(Some(item), None, fact)
    }

    pub(super) fn say_of_run(self, item: i64, run: i64, fact: Fact) -> Self {
        self.push(Some(item), Some(run), fact)
    }

    pub(super) fn say_of_nothing(self, fact: Fact) -> Self {
        self.push(None, None, fact)
    }

    /// Lets time pass.
    pub(super) fn pass(mut self, ms: i64) -> Self {
        self.at += ms;
        self
    }

    /// Gives the last event another number.
    pub(super) fn numbered(mut self, seq: i64) -> Self {
        if let Some(last) = self.events.last_mut() {
            last.seq = EventSeq(seq);
        }
        self
    }

    pub(super) fn made(self, id: i64, depends_on: &[Dependency]) -> Self {
        let depends_on = depends_on.to_vec();
        self.say(id, Fact::WorkItemCreated { title: "t".into(), critical: true, depends_on })
    }

    pub(super) fn queued(self, id: i64) -> Self {
        self.queued_with(id, 0, 0, None)
    }

    pub(super) fn queued_with(self, id: i64, unmet: u32, approvals: u32, due_at: Option<i64>) -> Self {
        self.say(id, Fact::WorkItemQueued { unmet, approvals, due_at: due_at.map(at) })
    }

    pub(super) fn turns_ready(self, id: i64) -> Self {
        self.say(id, Fact::WorkItemReady {})
    }

    pub(super) fn blocked(self, id: i64, reason: Code, by: i64) -> Self {
        self.say(id, Fact::WorkItemBlocked { reason, by: WorkItemId(by) })
    }

    pub(super) fn requeued(self, id: i64) -> Self {
        self.say(id, Fact::WorkItemRequeued { due_at: None })
    }

    pub(super) fn asked(self, id: i64, approval: i64) -> Self {
        let (approval_id, kind) = (ApprovalId(approval), Kind::Start);
        self.say(id, Fact::ApprovalRequested { approval_id, kind, in_turn: false })
    }

    pub(super) fn asked_in_turn(self, id: i64, approval: i64) -> Self {
        let (approval_id, kind) = (ApprovalId(approval), Kind::Command);
        self.say(id, Fact::ApprovalRequested { approval_id, kind, in_turn: true })
    }

    pub(super) fn answered(self, id: i64, approval: i64, status: Answer) -> Self {
        self.say(id, Fact::ApprovalDecided { approval_id: ApprovalId(approval), status, by: None })
    }

    pub(super) fn begun(self, id: i64, run: i64, attempt: u32) -> Self {
        self.say_of_run(id, run, Fact::RunCreated { attempt })
    }

    /// A first claim of a first run.
    pub(super) fn claimed(self, id: i64, run: i64, fence: i64) -> Self {
        self.claimed_as(id, run, 1, fence, 0)
    }

    pub(super) fn claimed_as(self, id: i64, run: i64, attempt: u32, fence: i64, takeovers: u32) -> Self {
        let fence = Fence(fence);
        self.say_of_run(id, run, Fact::RunClaimed { attempt, worker: worker(), fence, takeovers })
    }

    pub(super) fn expired(self, id: i64, run: i64, fence: i64) -> Self {
        self.say_of_run(id, run, Fact::LeaseExpired { worker: worker(), fence: Fence(fence) })
    }

    pub(super) fn resumed(self, id: i64, run: i64, fence: i64) -> Self {
        self.say_of_run(id, run, Fact::LeaseResumed { worker: worker(), fence: Fence(fence) })
    }

    pub(super) fn handed_back(self, id: i64, run: i64, fence: i64) -> Self {
        self.say_of_run(id, run, Fact::RunHandedBack { fence: Fence(fence) })
    }

    pub(super) fn succeeded(self, id: i64, run: i64, fence: Option<i64>) -> Self {
        self.say_of_run(id, run, Fact::RunSucceeded { fence: fence.map(Fence) })
    }

    pub(super) fn failed(self, id: i64, run: i64, fence: i64, class: ErrorClass) -> Self {
        self.say_of_run(id, run, Fact::RunFailed { fence: Some(Fence(fence)), class })
    }

    pub(super) fn paused(self, id: i64, run: i64) -> Self {
        self.say_of_run(id, run, Fact::RunPaused {})
    }

    pub(super) fn unpaused(self, id: i64, run: i64) -> Self {
        self.say_of_run(id, run, Fact::RunResumed {})
    }

    pub(super) fn cancelled(self, id: i64, run: i64) -> Self {
        self.say_of_run(id, run, Fact::RunCancelled {})
    }

    pub(super) fn lost(self, id: i64, run: i64, takeovers: u32) -> Self {
        self.say_of_run(id, run, Fact::RunLost { takeovers })
    }

    pub(super) fn finished(self, id: i64, status: Status) -> Self {
        self.say(id, Fact::WorkItemFinished { status })
    }

    pub(super) fn retried(self, id: i64, failures: u32, due_at: i64) -> Self {
        self.say(id, Fact::RetryScheduled { failures, due_at: at(due_at) })
    }

    /// An item's first run succeeds under a token.
    pub(super) fn done(self, id: i64, run: i64, fence: i64) -> Self {
        self.claimed(id, run, fence).succeeded(id, run, Some(fence)).finished(id, Status::Succeeded)
    }

    /// An item's first run fails for good.
    pub(super) fn gave_up(self, id: i64, run: i64) -> Self {
        self.claimed(id, run, 1).failed(id, run, 1, ErrorClass::Failed).finished(id, Status::Failed)
    }
}
