//! Planted bugs: small mistakes in shipped code, of the kinds that people make. Only debug builds contain them, and each
//! does nothing until the proof chooses it by name; the simulator has to find every one. No release has any.

use std::sync::atomic::{AtomicU8, Ordering};

macro_rules! plants {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A planted bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Plant { $($(#[$doc])* $variant,)* }

        impl Plant {
            /// Every planted bug.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

plants! {
    /// A completion is taken whatever its token.
    UnfencedCompletion = "unfenced_completion",
    /// A heartbeat is taken whatever its token.
    UnfencedHeartbeat = "unfenced_heartbeat",
    /// A run is handed back whatever the token.
    UnfencedHandBack = "unfenced_hand_back",
    /// Log lines are taken whatever their token.
    UnfencedLogs = "unfenced_logs",
    /// A completion of a run that is over counts as repeated whatever its token.
    UnfencedRepetition = "unfenced_repetition",
    /// A heartbeat of a cancelled run is told so whatever its token.
    UnfencedCancellation = "unfenced_cancellation",
    /// Whoever comes with an old token after the end hears of the end only.
    StalenessUntold = "staleness_untold",
    /// A token outlives the hand-back: its bearer goes on as if the lease had only run out.
    HandedBackResumed = "handed_back_resumed",
    /// A token outlives the hand-back: log lines are still taken under it.
    HandedBackLogged = "handed_back_logged",
    /// A run that is taken over keeps its token.
    TokenKept = "token_kept",
    /// A lease ends a millisecond early.
    LeaseOffByOne = "lease_off_by_one",
    /// A run is taken over once more than it may be.
    TakeoversOffByOne = "takeovers_off_by_one",
    /// A person completes a run that a worker holds.
    HeldRunCompleted = "held_run_completed",
    /// A dependency that is met is not counted off while others are not.
    LostDecrement = "lost_decrement",
    /// A dependency that is met is counted off twice.
    DoubleUnblock = "double_unblock",
    /// A cancelled item is tried again.
    RetryAfterCancel = "retry_after_cancel",
    /// A failure is not counted.
    FailureNotCounted = "failure_not_counted",
    /// An item that was not in the queue starts although an approval is pending.
    ApprovalIgnoredAtStart = "approval_ignored_at_start",
    /// An approval that was asked for while a run went on does not hold the retry.
    ApprovalIgnoredAtRetry = "approval_ignored_at_retry",
    /// A rejected approval counts as given.
    RejectionReleases = "rejection_releases",
    /// One approval releases two.
    ApprovalCountedTwice = "approval_counted_twice",
    /// A delay is forgotten.
    DelayForgotten = "delay_forgotten",
    /// An item with a live run is requeued.
    LiveRunRequeued = "live_run_requeued",
    /// What waits for an item that is put away is not told.
    ArchiveUntold = "archive_untold",
    /// A reply is not kept under its key.
    ReplyNotKept = "reply_not_kept",
    /// Lines that came before are kept again.
    LinesDoubled = "lines_doubled",
    /// Events outlive the transaction that was rolled back.
    EventOutsideTransaction = "event_outside_transaction",
    /// An event is not written.
    EventForgotten = "event_forgotten",
    /// A request is answered before its commit.
    AcknowledgedBeforeCommit = "acknowledged_before_commit",
    /// Waiting claimers are not told that something became eligible.
    LostWakeUp = "lost_wake_up",
}

/// What is chosen: one more than the number of the plant, 0 for none. A process runs one plant at a time.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// Chooses a plant for the rest of the process; returns whether there is one of that name.
pub fn choose(name: &str) -> bool {
    let plant = Plant::ALL.iter().find(|plant| plant.as_str() == name);
    if let Some(plant) = plant {
        CHOSEN.store(*plant as u8 + 1, Ordering::Relaxed);
    }
    plant.is_some()
}

/// Tells whether a plant is the chosen one.
pub fn is(plant: Plant) -> bool {
    CHOSEN.load(Ordering::Relaxed) == plant as u8 + 1
}
