//! A work item: what is to be done, how urgent it is, and what it waits for.

use crate::adapter::Adapter;
use crate::chosen::ChosenDefinition;
use crate::limits::Limits;
use crate::project::Project;
use crate::resources::Amounts;
use crate::retry::{Backoff, RetryPolicy};
use crate::{ProjectId, Refusal, Timestamp, WorkItemId, problem::Code};
use serde::{Deserialize, Serialize};

/// What carries a run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// Steps in a shell.
    #[default]
    Recipe,
    /// An agent, such as the built-in surveyor.
    Agent,
    /// Nobody of ours: claimed or completed through the API.
    External,
}

impl Executor {
    /// Returns the executor's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recipe => "recipe",
            Self::Agent => "agent",
            Self::External => "external",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Recipe, Self::Agent, Self::External].into_iter().find(|e| e.as_str() == name)
    }
}

/// The state of a work item, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not in the queue.
    Open,
    /// In the queue, waiting for its turn, its time, its dependencies or an approval.
    Queued,
    /// In the queue, and it can't start unless a dependency is mended.
    Blocked,
    /// A run of it is not over.
    Running,
    /// Done.
    Succeeded,
    /// Failed for good: a dead letter.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// Put away.
    Archived,
}

impl Status {
    /// Every status with its name on the wire.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Queued,
        Self::Blocked,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Archived,
    ];

    /// Returns the status's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Queued => "queued",
            Self::Blocked => "blocked",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Archived => "archived",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }
}

/// Which end of the parent a dependency waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The parent succeeded.
    #[default]
    Success,
    /// The parent failed for good.
    Failure,
    /// The parent succeeded, or failed for good without being critical.
    Done,
}

impl When {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Done => "done",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Success, Self::Failure, Self::Done].into_iter().find(|w| w.as_str() == name)
    }
}

/// A dependency of one work item on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The work item that is waited for.
    pub id: WorkItemId,
    /// Which end of it.
    pub when: When,
}

/// What one item says differently from the server's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// How many times a failed run is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// How the delay before a retry grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// The base of the delay before a retry, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_base_ms: Option<i64>,
    /// The jitter of that delay, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_jitter_ms: Option<i64>,
    /// How many tokens one run of it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<u32>,
    /// Whether what a run of it did is to be reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<bool>,
}

impl Policy {
    /// Returns the retry policy in force for the item. A base of its own brings its own jitter: half of it.
    pub fn retries(&self, server: RetryPolicy) -> RetryPolicy {
        let own_jitter = self.backoff_jitter_ms.or(self.backoff_base_ms.map(|base| base / 2));
        RetryPolicy {
            max_retries: self.max_retries.unwrap_or(server.max_retries),
            backoff: self.backoff.unwrap_or(server.backoff),
            backoff_base_ms: self.backoff_base_ms.unwrap_or(server.backoff_base_ms),
            backoff_jitter_ms: own_jitter.unwrap_or(server.backoff_jitter_ms),
        }
    }

    /// Lays the members that `newer` names over this policy.
    #[must_use]
    pub fn overlaid(self, newer: Self) -> Self {
        Self {
            max_retries: newer.max_retries.or(self.max_retries),
            backoff: newer.backoff.or(self.backoff),
            backoff_base_ms: newer.backoff_base_ms.or(self.backoff_base_ms),
            backoff_jitter_ms: newer.backoff_jitter_ms.or(self.backoff_jitter_ms),
            token_budget: newer.token_budget.or(self.token_budget),
            review: newer.review.or(self.review),
        }
    }
}

/// The fixed part of a work item: what a client says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// What it is called.
    pub title: String,
    /// What it is about.
    pub description: Option<String>,
    /// What an agent is told.
    pub prompt: Option<String>,
    /// What carries it out.
    pub executor: Executor,
    /// The agent, where the executor is one.
    pub agent: Option<String>,
    /// A free word to sort by.
    pub category: Option<String>,
    /// 0 to 9, 9 is the most urgent.
    pub priority: u8,
    /// Whether its final failure stops what waits for it to be done.
    pub critical: bool,
    /// How long a run may take, in milliseconds; none means the default.
    pub timeout_ms: Option<i64>,
    /// Steps and tools, as YAML.
    pub recipe: Option<String>,
    /// Free words to choose by; sorted, without repetition.
    pub labels: Vec<String>,
    /// What a run of it needs; none is nothing in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Amounts>,
    /// How an agent's command line is to be called for it; none is as its adapter says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Adapter>,
    /// The agent's definition that it is carried out by; none where the agent's command line is told the task alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Box<ChosenDefinition>>,
    /// How much each command of a run of it may use; none is as the project and the operator say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// A work item as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkItem {
    /// Its id.
    pub id: WorkItemId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// What a client says of it.
    pub spec: Spec,
    /// What it says differently from the server's settings.
    pub policy: Policy,
    /// Whether it is on the critical path of what it was made with.
    pub on_critical_path: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
}

/// What a client says to make a work item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewWorkItem {
    /// Whose it is.
    pub project_id: ProjectId,
    /// What it is.
    pub spec: Spec,
    /// What it waits for.
    pub depends_on: Vec<Dependency>,
}

/// What a client changes of a work item; what is none stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpecPatch {
    /// The new title.
    pub title: Option<String>,
    /// The new description; an inner none removes it.
    pub description: Option<Option<String>>,
    /// The new prompt; an inner none removes it.
    pub prompt: Option<Option<String>>,
    /// The new executor.
    pub executor: Option<Executor>,
    /// The new agent; an inner none removes it.
    pub agent: Option<Option<String>>,
    /// The new category; an inner none removes it.
    pub category: Option<Option<String>>,
    /// The new priority.
    pub priority: Option<u8>,
    /// Whether it is critical.
    pub critical: Option<bool>,
    /// The new time limit in milliseconds; an inner none removes it.
    pub timeout_ms: Option<Option<i64>>,
    /// The new recipe; an inner none removes it.
    pub recipe: Option<Option<String>>,
    /// The new labels.
    pub labels: Option<Vec<String>>,
    /// What a run needs from now on; an inner none removes it.
    pub resources: Option<Option<Amounts>>,
    /// How an agent is to be called from now on; an inner none removes it.
    pub adapter: Option<Option<Adapter>>,
    /// The definition that it is carried out by from now on; an inner none removes it.
    pub definition: Option<Option<Box<ChosenDefinition>>>,
    /// How much each command may use from now on; an inner none removes it.
    pub limits: Option<Option<Limits>>,
}

impl SpecPatch {
    /// Returns the spec with the change applied.
    pub fn apply(self, old: &Spec) -> Spec {
        Spec {
            title: self.title.unwrap_or_else(|| old.title.clone()),
            description: self.description.unwrap_or_else(|| old.description.clone()),
            prompt: self.prompt.unwrap_or_else(|| old.prompt.clone()),
            executor: self.executor.unwrap_or(old.executor),
            agent: self.agent.unwrap_or_else(|| old.agent.clone()),
            category: self.category.unwrap_or_else(|| old.category.clone()),
            priority: self.priority.unwrap_or(old.priority),
            critical: self.critical.unwrap_or(old.critical),
            timeout_ms: self.timeout_ms.unwrap_or(old.timeout_ms),
            recipe: self.recipe.unwrap_or_else(|| old.recipe.clone()),
            labels: self.labels.unwrap_or_else(|| old.labels.clone()),
            resources: self.resources.unwrap_or_else(|| old.resources.clone()),
            adapter: self.adapter.unwrap_or_else(|| old.adapter.clone()),
            definition: self.definition.unwrap_or_else(|| old.definition.clone()),
            limits: self.limits.unwrap_or_else(|| old.limits.clone()),
        }
    }
}

/// A work item's priority when the client does not say.
pub const PRIORITY_DEFAULT: u8 = 5;
/// The highest priority.
pub const PRIORITY_MAX: u8 = 9;
/// How long a run may take when nobody says, in milliseconds: one hour.
pub const TIMEOUT_MS_DEFAULT: i64 = 3_600_000;
/// The longest time limit, in milliseconds: 30 days.
pub const TIMEOUT_MS_MAX: i64 = 30 * 86_400_000;
/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 500;
/// The most labels of an item.
pub const LABELS_MAX: usize = 32;
/// The longest label, agent name or category, in characters.
pub const WORD_CHARS_MAX: usize = 100;

impl Spec {
    /// Makes a spec that says a title and leaves the rest to its defaults.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            description: None,
            prompt: None,
            executor: Executor::default(),
            agent: None,
            category: None,
            priority: PRIORITY_DEFAULT,
            critical: true,
            timeout_ms: None,
            recipe: None,
            labels: Vec::new(),
            resources: None,
            adapter: None,
            definition: None,
            limits: None,
        }
    }

    /// Checks what a client said and brings it into its normal form.
    pub fn checked(mut self) -> Result<Self, Refusal> {
        let invalid = |detail: String| Refusal::new(Code::Invalid, detail);
        match self.title.trim().chars().count() {
            0 => return Err(invalid("title is empty".into()).mend("say in a few words what is to be done")),
            n if n > TITLE_CHARS_MAX => {
                return Err(invalid(format!("title has {n} characters; at most {TITLE_CHARS_MAX} are kept"))
                    .mend("put the rest into description or prompt"));
            }
            _ => {}
        }
        if self.priority > PRIORITY_MAX {
            return Err(invalid(format!("priority is {}; it goes from 0 to {PRIORITY_MAX}", self.priority)));
        }
        if let Some(ms) = self.timeout_ms
            && !(1..=TIMEOUT_MS_MAX).contains(&ms)
        {
            return Err(invalid(format!(
                "timeout_seconds is {}; it is above 0 and at most 30 days",
                ms as f64 / 1e3
            )));
        }
        if self.executor == Executor::Agent && self.agent.is_none() {
            return Err(
                invalid("executor is agent, and no agent is named".into()).mend("name one, such as surveyor")
            );
        }
        self.resources = self.resources.filter(|wish| !wish.is_nothing());
        if let Some(wish) = &self.resources {
            wish.check()?;
        }
        self.adapter = self.adapter.filter(|adapter| *adapter != Adapter::default());
        if let Some(adapter) = &self.adapter {
            adapter.check()?;
        }
        if let Some(definition) = &self.definition {
            definition.check()?;
        }
        self.limits = self.limits.filter(|limits| !limits.is_empty());
        if let Some(limits) = &self.limits {
            limits.check()?;
        }
        self.labels.sort();
        self.labels.dedup();
        if self.labels.len() > LABELS_MAX {
            return Err(invalid(format!("{} labels; at most {LABELS_MAX} are kept", self.labels.len())));
        }
        for word in self.labels.iter().chain(&self.agent).chain(&self.category) {
            check_word(word).map_err(invalid)?;
        }
        Ok(self)
    }
}

/// Refuses what can't be a label, a category or the name of an agent.
pub fn check_word(word: &str) -> Result<(), String> {
    let fits = (1..=WORD_CHARS_MAX).contains(&word.trim().chars().count());
    if fits && !word.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(format!(
            "{word:?}: a label, agent or category has 1 to {WORD_CHARS_MAX} characters, none of control"
        ))
    }
}

/// Refuses work on what is put away.
pub fn check_not_archived(project: &Project, item: Option<&WorkItem>) -> Result<(), Refusal> {
    if project.archived_at.is_some() {
        return Err(Refusal::new(Code::ProjectArchived, format!("project {} is archived", project.id)));
    }
    match item {
        Some(item) if item.archived_at.is_some() => {
            Err(Refusal::new(Code::WorkItemArchived, format!("work item {} is archived", item.id)))
        }
        _ => Ok(()),
    }
}
