//! Agents as Codex reads them: one TOML file each.

use super::losses::losses;
use super::{Exported, description, kept, may_use};
use crate::definition::Definition;
use serde::Serialize;

#[derive(Serialize)]
struct Role<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox_mode: Option<&'static str>,
    developer_instructions: &'a str,
}

pub(super) fn export(definition: &Definition, brief: &str) -> Result<Exported, String> {
    let is_known =
        |model: &&str| ["gpt", "codex", "o1", "o3", "o4"].iter().any(|start| model.starts_with(start));
    let model = kept(definition, "model").filter(is_known);
    let changes =
        ["Write", "Edit", "MultiEdit", "NotebookEdit", "Bash"].iter().any(|tool| may_use(definition, tool));
    let role = Role {
        name: &definition.agent.id,
        description: description(definition),
        model,
        sandbox_mode: (!changes).then_some("read-only"),
        developer_instructions: if brief.trim().is_empty() { description(definition) } else { brief },
    };
    let text = toml::to_string(&role).map_err(|error| error.to_string())?;
    let mut written = vec!["agent.id", "agent.description", "agent.long_description"];
    written.extend(model.map(|_| "x-source.keys.model"));
    let losses = losses(definition, &written, "Codex");
    Ok(Exported { path: format!("{}.toml", definition.agent.id), text, losses })
}
