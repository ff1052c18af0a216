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
    /// Whoever names none there has all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

pub(super) fn export(definition: &Definition, brief: &str) -> Result<Exported, String> {
    let id = &definition.agent.id;
    let mut lost = Vec::new();
    let own = &definition.capabilities.detail.tools;
    let is_all = own.allowed.iter().any(|tool| tool == "*") && !own.has_none();
    let mut tools: Vec<String> = Vec::new();
    let all = TOOLS.iter().filter(|_| is_all).map(|(ours, _)| (*ours).to_owned());
    for tool in own.allowed.iter().filter(|_| !own.has_none()).cloned().chain(all) {
        match name(&tool) {
            _ if tool == "*" || own.restricted.contains(&tool) => {}
            Some(name) if !tools.contains(&name) => tools.push(name),
            Some(_) => {}
            None => lost.push(Loss {
                id: id.clone(),
                field: format!("capabilities.detail.tools.allowed: {tool}"),
                why: "Gemini has no tool of that kind".into(),
            }),
        }
    }
    // All of them is said by naming none, as long as none is forbidden.
    let tools = (!is_all || !own.restricted.is_empty()).then_some(tools);
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
