//! Refusals: why a wish was not granted, with a stable code, what was wrong and how to mend it.

use serde::{Deserialize, Serialize};

/// The tone of a refusal; it fixes the HTTP status and the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was named does not exist.
    NotFound,
    /// The request itself can't be granted, whatever the state.
    Invalid,
    /// The state forbids it now.
    Conflict,
    /// What was sent is larger than what is kept.
    TooLarge,
    /// Too much at once; later it may be granted.
    Overloaded,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident;)*) => {
        /// The stable code of a refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Returns the code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns the tone of the refusal.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            /// Every code, for the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

codes! {
    /// No such project, work item, run, approval or entry.
    NotFound = "not_found", NotFound;
    /// A value does not fit.
    Invalid = "invalid", Invalid;
    /// A recipe does not parse or breaks a rule.
    InvalidRecipe = "invalid_recipe", Invalid;
    /// Dependencies would go round in a circle.
    DependencyCycle = "dependency_cycle", Invalid;
    /// What is asked for is more than there is at all.
    InsufficientResources = "insufficient_resources", Invalid;
    /// An idempotency key came again with a different request.
    IdempotencyKeyReused = "idempotency_key_reused", Invalid;
    /// The project is archived.
    ProjectArchived = "project_archived", Conflict;
    /// The project has runs that are not over.
    ProjectActive = "project_active", Conflict;
    /// The work item is archived.
    WorkItemArchived = "work_item_archived", Conflict;
    /// The work item has come to its end; requeue reopens it.
    WorkItemFinished = "work_item_finished", Conflict;
    /// The work item is not in the queue.
    NotQueued = "not_queued", Conflict;
    /// A run of the work item is not over.
    RunActive = "run_active", Conflict;
    /// The run is over.
    RunEnded = "run_ended", Conflict;
    /// A person paused the run.
    RunPaused = "run_paused", Conflict;
    /// Nobody holds the run.
    RunNotHeld = "run_not_held", Conflict;
    /// Somebody else holds an unexpired lease.
    LeaseHeld = "lease_held", Conflict;
    /// The fencing token is not the newest.
    StaleToken = "stale_token", Conflict;
    /// An approval is pending.
    ApprovalPending = "approval_pending", Conflict;
    /// An approval was rejected.
    ApprovalRejected = "approval_rejected", Conflict;
    /// The approval was decided before.
    AlreadyDecided = "already_decided", Conflict;
    /// Only somebody with another role may decide.
    RoleRequired = "role_required", Conflict;
    /// The info request was answered or cancelled before.
    InfoRequestClosed = "info_request_closed", Conflict;
    /// As many runs are going on as are allowed at once.
    ConcurrencyLimit = "concurrency_limit", Conflict;
    /// What it needs is reserved for others.
    Resources = "resources", Conflict;
    /// The project has no vision.
    NoVision = "no_vision", Conflict;
    /// The project has used up its quota.
    Quota = "quota", Conflict;
    /// A dependency is not met yet.
    DependenciesUnmet = "dependencies_unmet", Conflict;
    /// A dependency failed for good.
    DependencyFailed = "dependency_failed", Conflict;
    /// A dependency was cancelled.
    DependencyCancelled = "dependency_cancelled", Conflict;
    /// A dependency succeeded where its failure was waited for.
    DependencySucceeded = "dependency_succeeded", Conflict;
    /// The entry waits for its time.
    Delayed = "delayed", Conflict;
    /// As many webhooks are kept as there may be.
    TooManyWebhooks = "too_many_webhooks", Conflict;
    /// As many aliases are kept as there may be.
    TooManyAliases = "too_many_aliases", Conflict;
    /// The alias stands in the settings, which a request changes nothing of.
    AliasConfigured = "alias_configured", Conflict;
    /// Log lines are missing between what is kept and what was sent.
    LogGap = "log_gap", Conflict;
    /// What was answered to the run can't be read, so that nobody can tell whether a text holds it.
    SecretsUnreadable = "secrets_unreadable", Conflict;
    /// An artifact is too large by itself.
    ArtifactTooLarge = "artifact_too_large", TooLarge;
    /// The run has left as many or as large artifacts as are kept.
    ArtifactsFull = "artifacts_full", TooLarge;
    /// The run has sent as many messages as it may.
    MessagesFull = "messages_full", TooLarge;
    /// As many messages wait for their receiver as may.
    MailboxFull = "mailbox_full", Overloaded;
    /// The queue is full.
    QueueFull = "queue_full", Overloaded;
    /// As many entries wait for an alias as may.
    AliasQueueFull = "alias_queue_full", Overloaded;
}

/// A wish that was not granted. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What was wrong, with the values.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Refusal {
    /// Makes a refusal without advice.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), mend: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// Says that something does not exist.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("{what} {id} does not exist"))
    }
}
