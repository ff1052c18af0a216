//! Work items on the wire.

use super::adapter::{Adapter, AdapterBody};
use super::definition::{ChosenDefinition, ChosenDefinitionBody};
use super::limits::Limits;
use super::number::{IdNumber, Priority, Retries, Tokens};
use super::object::object;
use super::resources::{Resources, Wish};
use super::seconds::{Backoff, TimeLimit};
use super::text::{Prose, Title, Word};
use super::{Body, either, nullable, present, words};
use serde::{Deserialize, Serialize};
use spalla_domain::retry;
use spalla_domain::work_item::{
    self, Dependency, LABELS_MAX, NewWorkItem as DomainNew, PRIORITY_DEFAULT, Policy, Spec, SpecPatch,
};
use spalla_domain::{ProjectId, Timestamp, WorkItemId};
use spalla_store::view::WorkItemView;
use utoipa::ToSchema;

words! {
    /// What carries a run out.
    Executor for work_item::Executor {
        /// Steps in a shell.
        Recipe = "recipe",
        /// An agent, such as the built-in surveyor.
        Agent = "agent",
        /// Nobody of ours: claimed or completed through the API.
        External = "external",
    }
}

words! {
    /// The state of a work item.
    WorkItemStatus for work_item::Status {
        /// Not in the queue.
        Open = "open",
        /// In the queue, waiting for its turn, its time, its dependencies or an approval.
        Queued = "queued",
        /// In the queue, and it can't start unless a dependency is mended.
        Blocked = "blocked",
        /// A run of it is not over.
        Running = "running",
        /// Done.
        Succeeded = "succeeded",
        /// Failed for good: a dead letter.
        Failed = "failed",
        /// A person stopped it.
        Cancelled = "cancelled",
        /// Put away.
        Archived = "archived",
    }
}

words! {
    /// Which end of the other item a dependency waits for.
    When for work_item::When {
        /// It succeeded.
        Success = "success",
        /// It failed for good.
        Failure = "failure",
        /// It succeeded, or failed for good without being critical.
        Done = "done",
    }
}

/// A unit of work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkItem {
    /// Its id.
    id: i64,
    /// Whose it is.
    project_id: i64,
    /// What it is called.
    title: String,
    /// What it is about.
    description: Option<String>,
    /// What an agent is told.
    prompt: Option<String>,
    /// What carries it out.
    executor: Executor,
    /// The agent, where the executor is one.
    agent: Option<String>,
    /// A free word to sort by.
    category: Option<String>,
    /// 0 to 9, 9 is the most urgent.
    priority: u8,
    /// Whether its final failure stops what waits for it to be done.
    critical: bool,
    /// Whether it is on a longest chain of dependencies among what it was made with, which makes it more urgent.
    on_critical_path: bool,
    /// How long a run may take; null is the server's default.
    #[schema(value_type = Option<f64>)]
    timeout_seconds: Option<TimeLimit>,
    /// Free words to choose by, sorted.
    labels: Vec<String>,
    /// What a run of it needs; null is nothing in particular.
    #[schema(inline)]
    resources: Option<Resources>,
    /// How its agent is to be called, where that differs from what the adapter says.
    adapter: Option<Adapter>,
    /// The agent's definition that it is carried out by; null where the agent is told the task alone.
    definition: Option<ChosenDefinition>,
    /// How much each command of a run may use; null is as the project and the operator say.
    #[schema(inline)]
    limits: Option<Limits>,
    /// Where it stands.
    status: WorkItemStatus,
    /// Why it does not start; null unless something holds it.
    reason: Option<&'static str>,
    /// What it waits for.
    depends_on: Vec<DependencyView>,
    /// What it says differently from the server's settings.
    policy: PolicyView,
    /// Whether it has a recipe; `GET /work-items/{id}/tool-recipe` shows it.
    has_recipe: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When a client last changed it.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// What a work item waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DependencyView {
    /// The other work item.
    id: i64,
    /// Which end of it.
    when: When,
}

/// How the delay before a retry grows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Growth {
    /// Not at all: each is the base.
    Fixed,
    /// It is base × 2^failures.
    Exponential,
}

impl From<retry::Backoff> for Growth {
    fn from(backoff: retry::Backoff) -> Self {
        match backoff {
            retry::Backoff::Fixed => Self::Fixed,
            retry::Backoff::Exponential => Self::Exponential,
        }
    }
}

impl From<Growth> for retry::Backoff {
    fn from(growth: Growth) -> Self {
        match growth {
            Growth::Fixed => Self::Fixed,
            Growth::Exponential => Self::Exponential,
        }
    }
}

/// What a work item says differently from the server's settings; null is the server's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyView {
    /// How many times a failed run is tried again.
    max_retries: Option<u32>,
    /// How that delay grows.
    #[schema(inline)]
    backoff: Option<Growth>,
    /// The base of the delay before a retry.
    #[schema(value_type = Option<f64>)]
    backoff_base_seconds: Option<Backoff>,
    /// The jitter of that delay.
    #[schema(value_type = Option<f64>)]
    backoff_jitter_seconds: Option<Backoff>,
    /// How many tokens one run may use.
    token_budget: Option<u32>,
    /// Whether what a run did is to be reviewed.
    review: Option<bool>,
}

impl From<Policy> for PolicyView {
    fn from(policy: Policy) -> Self {
        Self {
            max_retries: policy.max_retries,
            backoff: policy.backoff.map(Into::into),
            backoff_base_seconds: policy.backoff_base_ms.map(Backoff::of_ms),
            backoff_jitter_seconds: policy.backoff_jitter_ms.map(Backoff::of_ms),
            token_budget: policy.token_budget,
            review: policy.review,
        }
    }
}

impl From<WorkItemView> for WorkItem {
    fn from(view: WorkItemView) -> Self {
        let item = view.item;
        let spec = item.spec;
        let depends_on = view.depends_on.into_iter();
        Self {
            id: item.id.0,
            project_id: item.project_id.0,
            title: spec.title,
            description: spec.description,
            prompt: spec.prompt,
            executor: spec.executor.into(),
            agent: spec.agent,
            category: spec.category,
            priority: spec.priority,
            critical: spec.critical,
            on_critical_path: item.on_critical_path,
            timeout_seconds: spec.timeout_ms.map(TimeLimit::of_ms),
            labels: spec.labels,
            resources: spec.resources.as_ref().map(Resources::from),
            adapter: spec.adapter.map(Into::into),
            definition: spec.definition.map(|chosen| ChosenDefinition::shown(*chosen)),
            limits: spec.limits.map(Limits),
            status: view.status.into(),
            reason: view.reason.map(|code| code.as_str()),
            depends_on: depends_on.map(|d| DependencyView { id: d.id.0, when: d.when.into() }).collect(),
            policy: item.policy.into(),
            has_recipe: spec.recipe.is_some(),
            created_at: item.created_at,
            updated_at: item.updated_at,
        }
    }
}

/// What a new work item waits for: an id, or an id with the end of it that counts.
#[derive(Debug)]
pub(crate) enum DependsOn {
    /// The success of this work item.
    Id(IdNumber),
    /// The named end of this work item.
    Edge(EdgeBody),
}

either! {
    DependsOn = "an id, or {id, when: success|failure|done}",
    Id(IdNumber) by visit_u64(u64) visit_i64(i64) visit_f64(f64),
    Edge(EdgeBody);
}

/// A dependency on a named end of a work item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EdgeBody {
    /// The other work item.
    #[schema(inline)]
    id: IdNumber,
    /// Which end of it; `success` when left out.
    when: Option<When>,
}

impl From<DependsOn> for Dependency {
    fn from(on: DependsOn) -> Self {
        let (id, when) = match on {
            DependsOn::Id(id) => (id, None),
            DependsOn::Edge(edge) => (edge.id, edge.when),
        };
        Self { id: WorkItemId(id.get()), when: when.map(Into::into).unwrap_or_default() }
    }
}

/// A work item to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWorkItem {
    /// Whose it is.
    #[schema(inline)]
    project_id: IdNumber,
    /// What it is called.
    #[schema(inline)]
    title: Title,
    /// What it is about.
    #[schema(inline)]
    description: Option<Prose>,
    /// What an agent is told.
    #[schema(inline)]
    prompt: Option<Prose>,
    /// What carries it out; `recipe` when left out.
    executor: Option<Executor>,
    /// The agent, where the executor is one: a command line, or the id or alias of a definition.
    #[schema(inline)]
    agent: Option<Word>,
    /// A free word to sort by.
    #[schema(inline)]
    category: Option<Word>,
    /// 0 to 9, 9 is the most urgent; 5 when left out.
    #[schema(inline)]
    priority: Option<Priority>,
    /// Whether its final failure stops what waits for it to be done; true when left out.
    critical: Option<bool>,
    /// How long a run may take.
    #[schema(inline)]
    timeout_seconds: Option<TimeLimit>,
    /// What it waits for.
    #[serde(default)]
    depends_on: Vec<DependsOn>,
    /// Tools and steps, as YAML.
    #[schema(inline)]
    recipe: Option<Prose>,
    /// Free words to choose by.
    #[serde(default)]
    #[schema(inline, max_items = 32)]
    labels: Vec<Word>,
    /// What a run of it needs, by name: `cpu`, `memory_mb`, `network`, `storage_mb` and any other.
    #[schema(inline)]
    resources: Option<Wish>,
    /// How its agent is to be called, where that differs from what the adapter says.
    #[serde(default, deserialize_with = "object")]
    adapter: Option<AdapterBody>,
    /// The agent's definition that it is carried out by, where the client chose it; otherwise the one that `agent` names, or, where
    /// nobody is named and agents are published, the one that the task is for.
    #[serde(default, deserialize_with = "object")]
    definition: Option<ChosenDefinitionBody>,
    /// How much each command of a run may use.
    #[schema(inline)]
    limits: Option<Limits>,
}

impl Body for NewWorkItem {}

impl From<NewWorkItem> for DomainNew {
    fn from(new: NewWorkItem) -> Self {
        Self {
            project_id: ProjectId(new.project_id.get()),
            spec: Spec {
                title: new.title.into(),
                description: new.description.map(Into::into),
                prompt: new.prompt.map(Into::into),
                executor: new.executor.map(Into::into).unwrap_or_default(),
                agent: new.agent.map(Into::into),
                category: new.category.map(Into::into),
                priority: new.priority.map_or(PRIORITY_DEFAULT, |p| p.small() as u8),
                critical: new.critical.unwrap_or(true),
                timeout_ms: new.timeout_seconds.map(TimeLimit::ms),
                recipe: new.recipe.map(Into::into),
                labels: new.labels.into_iter().map(Into::into).collect(),
                resources: new.resources.map(|wish| wish.0),
                adapter: new.adapter.map(Into::into),
                definition: new.definition.map(|chosen| Box::new(chosen.into())),
                limits: new.limits.map(|limits| limits.0),
            },
            depends_on: new.depends_on.into_iter().map(Into::into).collect(),
        }
    }
}

/// A change of a work item; what is left out stays, null removes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkItemChange {
    /// The new title.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Title, inline, required = false)]
    title: Option<Title>,
    /// The new description.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Prose>, inline, required = false)]
    description: Option<Option<Prose>>,
    /// The new prompt.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Prose>, inline, required = false)]
    prompt: Option<Option<Prose>>,
    /// The new executor.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Executor, required = false)]
    executor: Option<Executor>,
    /// The new agent.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Word>, inline, required = false)]
    agent: Option<Option<Word>>,
    /// The new category.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Word>, inline, required = false)]
    category: Option<Option<Word>>,
    /// The new priority.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Priority, inline, required = false)]
    priority: Option<Priority>,
    /// Whether it is critical.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    critical: Option<bool>,
    /// The new time limit.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<TimeLimit>, inline, required = false)]
    timeout_seconds: Option<Option<TimeLimit>>,
    /// The new recipe, as YAML.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Prose>, inline, required = false)]
    recipe: Option<Option<Prose>>,
    /// The new labels, all of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<Word>, inline, required = false, max_items = 32)]
    labels: Option<Vec<Word>>,
    /// What a run of it needs from now on.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Wish>, inline, required = false)]
    resources: Option<Option<Wish>>,
    /// How its agent is to be called from now on.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<AdapterBody>, required = false)]
    adapter: Option<Option<AdapterBody>>,
    /// How much each command of a run may use from now on.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Limits>, inline, required = false)]
    limits: Option<Option<Limits>>,
}

impl Body for WorkItemChange {}

impl From<WorkItemChange> for SpecPatch {
    fn from(change: WorkItemChange) -> Self {
        let text = |text: Option<Option<Prose>>| text.map(|text| text.map(String::from));
        let word = |word: Option<Option<Word>>| word.map(|word| word.map(String::from));
        Self {
            title: change.title.map(Into::into),
            description: text(change.description),
            prompt: text(change.prompt),
            executor: change.executor.map(Into::into),
            agent: word(change.agent),
            category: word(change.category),
            priority: change.priority.map(|p| p.small() as u8),
            critical: change.critical,
            timeout_ms: change.timeout_seconds.map(|limit| limit.map(TimeLimit::ms)),
            recipe: text(change.recipe),
            labels: change.labels.map(|labels| labels.into_iter().map(Into::into).collect()),
            resources: change.resources.map(|wish| wish.map(|wish| wish.0)),
            adapter: change.adapter.map(|adapter| adapter.map(Into::into)),
            definition: None,
            limits: change.limits.map(|limits| limits.map(|limits| limits.0)),
        }
    }
}

/// What one item says differently from the server's settings; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyChange {
    /// How many times a failed run is tried again.
    #[schema(inline)]
    max_retries: Option<Retries>,
    /// Whether the delay before a retry doubles with each failure, or is always the base.
    #[schema(inline)]
    backoff: Option<Growth>,
    /// The base of the delay before a retry: base × 2^failures, or the base alone where it is fixed.
    #[schema(inline)]
    backoff_base_seconds: Option<Backoff>,
    /// The delay is moved by at most this much either way.
    #[schema(inline)]
    backoff_jitter_seconds: Option<Backoff>,
    /// How many tokens one run may use.
    #[schema(inline)]
    token_budget: Option<Tokens>,
    /// Whether what a run did is to be reviewed.
    review: Option<bool>,
}

impl Body for PolicyChange {}

impl From<PolicyChange> for Policy {
    fn from(change: PolicyChange) -> Self {
        Self {
            max_retries: change.max_retries.map(Retries::small),
            backoff: change.backoff.map(Into::into),
            backoff_base_ms: change.backoff_base_seconds.map(Backoff::ms),
            backoff_jitter_ms: change.backoff_jitter_seconds.map(Backoff::ms),
            token_budget: change.token_budget.map(Tokens::small),
            review: change.review,
        }
    }
}

/// The number that the schemas above write out has to be the domain's.
const _: () = assert!(LABELS_MAX == 32);
