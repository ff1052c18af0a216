//! What is known of an agent: the format of `<id>.codex.yaml`, whose JSON Schema is `schemas/agent.json`.

mod parts;

pub use parts::{
    Capabilities, Classification, Concurrency, Delegations, Dependencies, Detail, Escalation, Hooks, Memory,
    Metrics, Observability, Pattern, Quality, QueueStrategy, ResourceLimits, Responsibilities, Retention,
    Runtime, SharingPolicy, Testing, Thresholds, Tools, Tracing, Triggers, VerificationPolicy, Workflow,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The version of the format that this program writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// An agent's definition. A section that says nothing is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Definition {
    /// The version of this format.
    pub schema_version: u32,
    /// Who the agent is.
    pub agent: Agent,
    /// How it is run, and within which caps.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub runtime: Runtime,
    /// What it can do, and with which tools.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub capabilities: Capabilities,
    /// What it is there for.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub responsibilities: Responsibilities,
    /// What leads work to it.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub triggers: Triggers,
    /// What is done before and after its work.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub workflow: Workflow,
    /// What it remembers, and for whom.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub memory: Memory,
    /// What is measured of it, and when somebody is told.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub metrics: Metrics,
    /// Commands around each task.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub hooks: Hooks,
    /// How it is tried, and what its runs have to show.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub testing: Testing,
    /// What it tells of itself.
    #[serde(default, skip_serializing_if = "says_nothing")]
    pub observability: Observability,
    /// The rule behind each field that nobody wrote: field → rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub provenance: BTreeMap<String, String>,
    /// Whatever else was said, under names that begin with `x-`.
    #[serde(flatten)]
    #[schemars(skip)]
    pub extra: BTreeMap<String, Value>,
}

/// Who an agent is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Its name for programs: small letters, digits, and `-`, `_` and `.` between them.
    #[schemars(regex(pattern = r"^[a-z0-9]+([._-][a-z0-9]+)*$"), length(min = 1, max = 64))]
    pub id: String,
    /// Its name for people.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// The alias under which this instance of it works; none in the definition itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_alias: Option<String>,
    /// Where it stands among others.
    pub classification: Classification,
    /// When to use it, in a few sentences.
    pub description: String,
    /// The same at length, with examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_description: Option<String>,
}

impl Tools {
    /// Tells whether no tool may be used: none is named, or all are forbidden.
    pub fn has_none(&self) -> bool {
        self.allowed.is_empty() || self.restricted.iter().any(|tool| tool == "*")
    }
}

/// Tells whether a section is as if nobody had written it.
fn says_nothing<T: Default + PartialEq>(section: &T) -> bool {
    *section == T::default()
}

impl Definition {
    /// Makes a definition that says no more than who the agent is.
    pub fn new(agent: Agent) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            agent,
            runtime: Runtime::default(),
            capabilities: Capabilities::default(),
            responsibilities: Responsibilities::default(),
            triggers: Triggers::default(),
            workflow: Workflow::default(),
            memory: Memory::default(),
            metrics: Metrics::default(),
            hooks: Hooks::default(),
            testing: Testing::default(),
            observability: Observability::default(),
            provenance: BTreeMap::new(),
            extra: BTreeMap::new(),
        }
    }

    /// Returns where its file stands in the published folder, without what comes after the id.
    pub fn stem(&self) -> String {
        let Classification { domain, subdomain, .. } = &self.agent.classification;
        match subdomain {
            Some(subdomain) => format!("{domain}/{subdomain}/{}", self.agent.id),
            None => format!("{domain}/{}", self.agent.id),
        }
    }

    /// Returns what was kept of its source.
    pub fn source(&self) -> Option<&serde_json::Map<String, Value>> {
        self.extra.get("x-source").and_then(Value::as_object)
    }
}
