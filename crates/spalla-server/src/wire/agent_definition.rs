//! Agents' definitions on the wire.

use super::words;
use serde::Serialize;
use spalla_registry::index::Entry;
use spalla_registry::read::Loaded;
use spalla_registry::registry::Trial;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How a definition came through its own test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It has none.
    None,
    /// This server has not come to it yet.
    Untried,
    /// It passed.
    Passed,
    /// It failed: what serves is the one before.
    Failed,
    /// It failed, and nothing serves in its place.
    Missing,
}

words! {
    /// How a definition came through its smoke test.
    SmokeGate for Gate {
        /// It has no such test.
        None = "none",
        /// It has one, and this server has not come to it yet; `spalla convert` ran it.
        Untried = "untried",
        /// It passed.
        Passed = "passed",
        /// The newest one failed; the one before it serves.
        Failed = "failed",
        /// The newest one failed, and nobody has the id.
        Missing = "missing",
    }
}

/// An agent, as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentEntry {
    /// Its name for programs.
    id: String,
    /// Its name for people.
    name: String,
    /// Where it stands among others.
    classification: AgentClassification,
    /// When to use it; null where its definition can't be read.
    description: Option<String>,
    /// How its definition came through its smoke test.
    smoke_gate: SmokeGate,
    /// How many fields nobody wrote, by the rule that derived them.
    provenance: BTreeMap<String, u32>,
    /// Why its definition can't be used; null where it can.
    problem: Option<String>,
}

/// Where an agent stands among others.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentClassification {
    /// The field of work.
    domain: String,
    /// A part of it; null where there is none.
    subdomain: Option<String>,
    /// How wide its work is.
    tier: String,
}

impl AgentEntry {
    /// Shows an agent of an index, with what its definition says, or why it can't be used.
    pub(crate) fn new(entry: &Entry, loaded: Result<&Loaded, String>, trial: Trial) -> Self {
        let definition = loaded.as_ref().ok().map(|loaded| &loaded.definition);
        let has_test = definition.is_some_and(|definition| definition.testing.smoke.is_some());
        let gate = match trial {
            Trial::Failed { old_serves: true } => Gate::Failed,
            Trial::Failed { old_serves: false } => Gate::Missing,
            _ if !has_test => Gate::None,
            Trial::Passed => Gate::Passed,
            Trial::Untried => Gate::Untried,
        };
        let mut provenance = BTreeMap::<String, u32>::new();
        for rule in definition.iter().flat_map(|definition| definition.provenance.values()) {
            *provenance.entry(rule.clone()).or_default() += 1;
        }
        Self {
            id: entry.id.clone(),
            name: entry.name.clone(),
            classification: AgentClassification {
                domain: entry.domain.clone(),
                subdomain: entry.subdomain.clone(),
                tier: entry.tier.clone(),
            },
            description: definition.map(|definition| definition.agent.description.clone()),
            smoke_gate: gate.into(),
            provenance,
            problem: loaded.err(),
        }
    }
}
