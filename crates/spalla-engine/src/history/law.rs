//! The laws that a history keeps, by name, and what is said of a history that breaks one.

use serde::Serialize;
use spalla_domain::{EventSeq, RunId, WorkItemId};
use std::fmt;

macro_rules! laws {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A law of the event log and of what the store keeps beside it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Law {
            $($(#[$doc])* $name,)*
        }

        impl Law {
            /// Every law.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the law's name in reports.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

laws! {
    /// The numbers of events strictly grow.
    SequenceGrows = "sequence_grows",
    /// An event names the item and the run that it is about.
    SubjectNamed = "subject_named",
    /// Nothing happens to an item before it was made, and it is made once.
    ItemMadeFirst = "item_made_first",
    /// Nothing happens to a run before it was made, it is made once, and it belongs to one item.
    RunMadeFirst = "run_made_first",
    /// An item has at most one run that is not over.
    OneRunAtATime = "one_run_at_a_time",
    /// A new run's attempt is the one after the last, and stays when the run is claimed again.
    AttemptsCount = "attempts_count",
    /// Each lease of an item bears a greater token than all before.
    FencesGrow = "fences_grow",
    /// A run has at most one holder: it is claimed only while nobody holds it, and only a holder's lease ends.
    OneHolder = "one_holder",
    /// What a worker says bears the newest token of the item, from a claim of this very run.
    NewestFence = "newest_fence",
    /// A person completes a run only while nobody holds it.
    ByHandWhileFree = "by_hand_while_free",
    /// A run that a person paused is given to nobody until it is resumed.
    PausedRests = "paused_rests",
    /// A run ends once, and nothing happens to it afterwards.
    OneEnd = "one_end",
    /// While an approval is pending or rejected, nothing of its item starts or is completed by hand.
    ApprovalsFirst = "approvals_first",
    /// A run begins when every dependency of its item is met.
    DependenciesFirst = "dependencies_first",
    /// A run begins for an item that waits in the queue.
    QueuedFirst = "queued_first",
    /// A run begins after its item was said to be ready.
    ReadyFirst = "ready_first",
    /// An item is said to be ready once, and only when nothing holds it.
    ReadyWhenFree = "ready_when_free",
    /// A priority that moves by itself stays near what a person set.
    PriorityNear = "priority_near",
    /// An item is not ready before its time.
    NotBeforeDue = "not_before_due",
    /// What nothing holds any more is made ready at once.
    FreedAtOnce = "freed_at_once",
    /// The dependencies and approvals that an item waits for are counted right.
    HoldsCount = "holds_count",
    /// An item is queued only while no run of it is live; one that is finished comes back by a requeue.
    QueuedWhileIdle = "queued_while_idle",
    /// An item is blocked and unblocked exactly as the ends of its dependencies say.
    BlockedByParents = "blocked_by_parents",
    /// A dependency is added once, on an item that exists, and closes no circle.
    EdgesSound = "edges_sound",
    /// The end of a run at once finishes its item or schedules another attempt.
    EndHasConsequence = "end_has_consequence",
    /// An item finishes as its newest run ended, or is cancelled where it waits.
    FinishFollowsEnd = "finish_follows_end",
    /// An item finishes once for each time that it was queued or requeued.
    FinishedOnce = "finished_once",
    /// Another attempt follows only on a run that failed in a way that trying again can help, or was lost.
    RetryAfterFailure = "retry_after_failure",
    /// Failures since the item was queued or requeued are counted right.
    FailuresCount = "failures_count",
    /// Takeovers of a run are counted right.
    TakeoversCount = "takeovers_count",
    /// A run is lost when the lease of its last allowed holder has expired, and only then.
    LostAfterTakeovers = "lost_after_takeovers",
    /// An approval is asked for once and decided once, about the item that it holds.
    ApprovalDecidedOnce = "approval_decided_once",
    /// What is put away rests: it is not live, and nothing of it is queued or starts.
    ArchivedRests = "archived_rests",
    /// Every item of the log is kept, and every item that is kept is in the log.
    ItemKept = "item_kept",
    /// An item's row says what follows from the log.
    ItemAsLogged = "item_as_logged",
    /// Every run of the log is kept, and every run that is kept is in the log.
    RunKept = "run_kept",
    /// A run's row says what follows from the log.
    RunAsLogged = "run_as_logged",
    /// Every approval of the log is kept, and every approval that is kept is in the log.
    ApprovalKept = "approval_kept",
    /// An approval's row says what follows from the log.
    ApprovalAsLogged = "approval_as_logged",
    /// What waits has its entry in the queue, and nothing else has one.
    EntryKept = "entry_kept",
    /// A queue entry says what follows from the log.
    EntryAsLogged = "entry_as_logged",
    /// When all has drained, no item is ready, delayed or live.
    Drained = "drained",
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Law {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a violation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Subject {
    /// The event; none where a row is the witness.
    pub(super) seq: Option<EventSeq>,
    /// The work item.
    pub(super) item: Option<WorkItemId>,
    /// The run.
    pub(super) run: Option<RunId>,
}

/// A law that a history breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The law.
    pub law: Law,
    /// The event that breaks it; none where the store's rows do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<EventSeq>,
    /// The work item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_item_id: Option<WorkItemId>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// What is wrong, in a sentence.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.law)?;
        if let Some(seq) = self.seq {
            write!(f, ", event {seq}")?;
        }
        if let Some(id) = self.work_item_id {
            write!(f, ", work item {id}")?;
        }
        if let Some(id) = self.run_id {
            write!(f, ", run {id}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// The most violations that are kept in words; further ones are only counted, so that a hopeless log is bounded.
const KEPT_MAX: usize = 1_000;

/// The violations found so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    /// The first ones, in order.
    pub(super) kept: Vec<Violation>,
    /// How many there are in all.
    pub(super) count: u64,
}

impl Findings {
    /// Adds what was found elsewhere.
    pub(super) fn append(&mut self, other: Self) {
        self.count += other.count;
        let room = KEPT_MAX.saturating_sub(self.kept.len());
        self.kept.extend(other.kept.into_iter().take(room));
    }

    /// Adds one.
    pub(super) fn add(&mut self, law: Law, about: Subject, detail: fmt::Arguments<'_>) {
        self.count += 1;
        if self.kept.len() < KEPT_MAX {
            let Subject { seq, item, run } = about;
            let detail = detail.to_string();
            self.kept.push(Violation { law, seq, work_item_id: item, run_id: run, detail });
        }
    }
}
