//! The definitions that a plan may name for its pieces. A piece keeps what its definition said when the plan was read, whatever
//! is published later; which command line carries it out is the session's to choose.

use crate::config::Settings;
use serde_json::Value;
use spalla_domain::agent_policy::{AgentPolicy, Verification};
use spalla_registry::index::INDEX;
use spalla_registry::registry::Registry;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Where definitions are found; the folder is read when a plan names one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Definitions {
    folder: Option<PathBuf>,
    registry: Arc<OnceLock<Result<Registry, String>>>,
    /// Whether the first tool that a definition does not let its agent use fails the run.
    pub(crate) is_strict: bool,
}

impl Definitions {
    /// Takes the folder of the settings.
    pub(super) fn of(settings: &Settings) -> Self {
        let is_strict = settings.policy.strict_tools;
        Self { folder: Some(settings.agents.dir.clone()), is_strict, ..Self::default() }
    }

    /// Returns the definitions that the pieces of a plan name beside the agents of the session.
    pub(super) fn named_in(
        &self,
        text: &str,
        agents: &[String],
    ) -> Result<BTreeMap<String, AgentPolicy>, String> {
        let plan: Value = serde_json::from_str(text).unwrap_or_default();
        let items = plan["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut found = BTreeMap::new();
        for name in items.iter().filter_map(|item| item["agent"].as_str()) {
            if agents.iter().any(|agent| agent == name) || found.contains_key(name) {
                continue;
            }
            if let Some(policy) = self.find(name, agents)? {
                found.insert(name.to_owned(), policy);
            }
        }
        Ok(found)
    }

    /// Returns what a definition says; none where nobody has that name, and the reason where it can't be used.
    fn find(&self, name: &str, agents: &[String]) -> Result<Option<AgentPolicy>, String> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let registry = self.registry.get_or_init(|| match folder.join(INDEX).exists() {
            true => Registry::open(folder).map_err(|error| error.to_string()),
            false => Ok(Registry::built_in(folder)),
        });
        let registry =
            registry.as_ref().map_err(|why| format!("the definition {name:?} can't be used: {why}"))?;
        let is_there = registry.snapshot().entry(name).is_some()
            || registry.aliases().contains_key(name)
            || registry.definition(name).is_ok();
        if !is_there {
            return Ok(None);
        }
        let policy =
            registry.policy(name).map_err(|why| format!("the definition {name:?} can't be used: {why}"))?;
        let peers = agents.iter().filter(|agent| !["surveyor", "verifier"].contains(&agent.as_str())).count();
        if policy.verification == Verification::Peer && peers < 2 {
            return Err(format!(
                "{name} asks for a peer's approval (verification_policy), and this session has no two agents"
            ));
        }
        Ok(Some(AgentPolicy { strict_tools: self.is_strict, ..policy }))
    }
}
