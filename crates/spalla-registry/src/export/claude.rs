//! Agents as Claude Code reads them. One that nobody changed since it was converted is the file that it came from, to the
//! byte.

use super::losses::losses;
use super::{Exported, description, markdown};
use crate::definition::Definition;
use crate::source::{self, Reading};
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize)]
struct FrontMatter<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Value>,
    #[serde(rename = "disallowedTools", skip_serializing_if = "Option::is_none")]
    restricted: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

pub(super) fn export(definition: &Definition, brief: &str) -> Result<Exported, String> {
    let path = path(definition);
    if let Some(text) = as_it_was(definition, brief) {
        return Ok(Exported { path, text, losses: Vec::new() });
    }
    let tools = &definition.capabilities.detail.tools;
    let listed = |tools: &[String]| (!tools.is_empty()).then(|| tools.join(", "));
    // Whoever names no tools there has all of them.
    let allowed = match listed(&tools.allowed) {
        _ if tools.has_none() => Some(Value::Array(Vec::new())),
        listed => listed.filter(|_| tools.allowed != ["*"]).map(Value::String),
    };
    let keys = definition.source().and_then(|source| source.get("keys")).and_then(Value::as_object);
    let rest = keys.cloned().unwrap_or_default();
    let front_matter = FrontMatter {
        name: if definition.source().is_some() { &definition.agent.name } else { &definition.agent.id },
        description: description(definition),
        tools: allowed,
        restricted: listed(&tools.restricted).filter(|_| !tools.has_none()),
        rest: rest
            .into_iter()
            .filter(|(key, _)| !["name", "description", "tools"].contains(&key.as_str()))
            .collect(),
    };
    let text = markdown(&front_matter, brief)?;
    let written = [
        "agent.id",
        "agent.name",
        "agent.description",
        "agent.long_description",
        "capabilities.detail.tools",
        "x-source.keys",
    ];
    Ok(Exported { path, text, losses: losses(definition, &written, "Claude Code") })
}

/// Returns the path that it came from, as far as that stays below a folder.
fn path(definition: &Definition) -> String {
    let from = definition.source().and_then(|source| source.get("path")).and_then(Value::as_str);
    let stays = |path: &&str| {
        path.ends_with(".md")
            && path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains('\0'))
    };
    from.filter(stays).map_or_else(|| format!("{}.md", definition.agent.id), str::to_owned)
}

/// Returns the file that it came from, if the definition still says what that says.
fn as_it_was(definition: &Definition, brief: &str) -> Option<String> {
    let source = definition.source()?;
    let text = format!("{}{brief}", source.get("head")?.as_str()?);
    let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
    if source.get("digest")?.as_str()? != digest {
        return None;
    }
    let Reading::Agent(read) = source::read(source.get("path")?.as_str()?, text.as_bytes()) else {
        return None;
    };
    let agent = &definition.agent;
    let tools = &definition.capabilities.detail.tools;
    let is_same = agent.name == read.name
        && agent.description == read.shape.short
        && agent.long_description == read.shape.long
        && crate::derive::tools(&read) == *tools
        && says_the_same(definition, &read);
    is_same.then_some(text)
}

/// Tells whether the sections say what the file says; what is derived is looked at no further.
fn says_the_same(definition: &Definition, read: &source::Source) -> bool {
    let keys = definition.source().and_then(|source| source.get("keys")).and_then(Value::as_object);
    let kept: Map<String, Value> = read.said.kept.clone().into_iter().collect();
    if keys.cloned().unwrap_or_default() != kept {
        return false;
    }
    let lost = losses(definition, &["agent", "capabilities.detail.tools", "x-source"], "");
    let says = |field: &String| {
        let mut parts = field.split('.');
        let section = parts.next().unwrap_or_default();
        if let Some(value) = read.said.extra.get(section) {
            return definition.extra.get(section) == Some(value);
        }
        read.said.sections.contains_key(section)
    };
    lost.iter().all(|loss| says(&loss.field))
}
