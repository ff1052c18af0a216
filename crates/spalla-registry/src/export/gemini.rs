//! Agents as the Gemini CLI reads them: Markdown, with the names of its own tools.

use super::losses::losses;
use super::{Exported, Loss, description, kept, markdown};
use crate::definition::Definition;
use serde::Serialize;

/// The names of tools here and there.
const TOOLS: &[(&str, &str)] = &[
    ("Read", "read_file"),
    ("Write", "write_file"),
    ("Edit", "replace"),
    ("MultiEdit", "replace"),
    ("Bash", "run_shell_command"),
    ("Glob", "glob"),
    ("Grep", "grep_search"),
    ("LS", "list_directory"),
    ("WebFetch", "web_fetch"),
    ("WebSearch", "google_web_search"),
    ("TodoWrite", "write_todos"),
];

#[derive(Serialize)]
struct FrontMatter<'a> {
    name: &'a str,
    description: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

pub(super) fn export(definition: &Definition, brief: &str) -> Result<Exported, String> {
    let id = &definition.agent.id;
    let mut lost = Vec::new();
    let mut tools: Vec<String> = Vec::new();
    let restricted = &definition.capabilities.detail.tools.restricted;
    for tool in &definition.capabilities.detail.tools.allowed {
        match name(tool) {
            _ if tool == "*" || restricted.contains(tool) => {}
            Some(name) if !tools.contains(&name) => tools.push(name),
            Some(_) => {}
            None => lost.push(Loss {
                id: id.clone(),
                field: format!("capabilities.detail.tools.allowed: {tool}"),
                why: "Gemini has no tool of that kind".into(),
            }),
        }
    }
    let model = kept(definition, "model").filter(|model| model.starts_with("gemini") || *model == "inherit");
    let front_matter =
        FrontMatter { name: id, description: description(definition), kind: "local", tools, model };
    let text = markdown(&front_matter, brief)?;
    let mut written =
        vec!["agent.id", "agent.description", "agent.long_description", "capabilities.detail.tools.allowed"];
    written.extend(model.map(|_| "x-source.keys.model"));
    lost.extend(losses(definition, &written, "Gemini"));
    Ok(Exported { path: format!("{id}.md"), text, losses: lost })
}

/// Returns the name of a tool there. What it is restricted to, such as `Bash(git:*)`, can't be said: then it has none, so
/// that an export never allows more.
fn name(tool: &str) -> Option<String> {
    if let Some(rest) = tool.strip_prefix("mcp__") {
        return Some(format!("mcp_{}", rest.replacen("__", "_", 1)));
    }
    TOOLS.iter().find(|(ours, _)| *ours == tool).map(|(_, theirs)| (*theirs).to_owned())
}
