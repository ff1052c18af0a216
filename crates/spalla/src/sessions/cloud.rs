//! The strongest planner there is, which `--decomposer cloud` asks: the agent and the model that the settings name as
//! `models.smart`, or an agent of the session whose adapter names its strongest model.

use super::agents::Agents;
use crate::adapters::library;
use crate::config::Settings;
use crate::failure::{Failure, Result};

/// An agent with the model that it is asked to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Smart {
    /// The agent.
    pub(crate) agent: String,
    /// The model.
    pub(crate) model: String,
}

/// Returns the strongest planner; none where neither the settings nor an adapter names one.
pub(crate) fn smartest(settings: &Settings, agents: &Agents) -> Result<Option<Smart>> {
    let library = library(settings)?;
    let definitions = library.definitions();
    let strongest = |name: &str| {
        definitions.iter().find(|known| known.name == name).and_then(|known| known.strongest.clone())
    };
    let Some((agent, model)) = read(&settings.models.smart) else {
        let named = agents.names.iter().find_map(|name| Some((name.clone(), strongest(name)?)));
        return Ok(named.map(|(agent, model)| Smart { agent, model }));
    };
    let smart = |model: String| Smart { agent: agent.clone(), model };
    if !agents.names.contains(&agent) {
        let what = format!("models.smart: {agent} is not among the agents of this session");
        return Err(
            Failure::usage(what).mend(format!("name it with --agents; they are {}", agents.names.join(", ")))
        );
    }
    Ok(model.or_else(|| strongest(&agent)).map(smart))
}

/// Reads `AGENT` or `AGENT:MODEL`; none where nothing is said.
fn read(text: &str) -> Option<(String, Option<String>)> {
    let (agent, model) = text.split_once(':').map_or((text, None), |(agent, model)| (agent, Some(model)));
    let agent = agent.trim().to_lowercase();
    let model = model.map(|model| model.trim().to_owned()).filter(|model| !model.is_empty());
    (!agent.is_empty()).then_some((agent, model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_named_with_its_model_or_without() {
        assert_eq!(read(" "), None);
        assert_eq!(read("Codex"), Some(("codex".into(), None)));
        assert_eq!(read("claude: opus "), Some(("claude".into(), Some("opus".into()))));
        assert_eq!(read("codex:a:b"), Some(("codex".into(), Some("a:b".into()))));
    }
}
