//! Definitions as files of agent command lines, and what those can't say.

mod claude;
mod codex;
mod gemini;
mod losses;

use crate::definition::Definition;
use serde::Serialize;

/// Whose file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Claude Code: Markdown with a front matter.
    Claude,
    /// Codex: TOML.
    Codex,
    /// The Gemini CLI: Markdown with a front matter.
    Gemini,
}

impl Target {
    /// Returns where its agents stand in a project.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Claude => ".claude/agents",
            Self::Codex => ".codex/agents",
            Self::Gemini => ".gemini/agents",
        }
    }
}

/// A file as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Its path below the folder of agents.
    pub path: String,
    /// What stands in it.
    pub text: String,
    /// What it does not say although the definition does.
    pub losses: Vec<Loss>,
}

/// Something that a file does not say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Loss {
    /// The agent.
    pub id: String,
    /// The field of its definition.
    pub field: String,
    /// Why it is not said.
    pub why: String,
}

/// Why an agent is not exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("exporting {id}: {why}")]
pub struct Error {
    /// The agent.
    pub id: String,
    /// What could not be written.
    pub why: String,
}

/// Makes the file of a definition and its brief.
pub fn export(target: Target, definition: &Definition, brief: &str) -> Result<Exported, Error> {
    let made = match target {
        Target::Claude => claude::export(definition, brief),
        Target::Codex => codex::export(definition, brief),
        Target::Gemini => gemini::export(definition, brief),
    };
    made.map_err(|why| Error { id: definition.agent.id.clone(), why })
}

/// Writes a Markdown file with a front matter.
fn markdown<T: Serialize>(front_matter: &T, brief: &str) -> Result<String, String> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let yaml =
        serde_saphyr::to_string_with_options(front_matter, options).map_err(|error| error.to_string())?;
    let between = if brief.starts_with(['\n', '\r']) || brief.is_empty() { "" } else { "\n" };
    Ok(format!("---\n{}\n---\n{between}{brief}", yaml.trim_end()))
}

/// Returns the description at its full length.
fn description(definition: &Definition) -> &str {
    definition.agent.long_description.as_deref().unwrap_or(&definition.agent.description)
}

/// Returns a key of the source that has no place of its own, if it is a text.
fn kept<'a>(definition: &'a Definition, key: &str) -> Option<&'a str> {
    definition.source()?.get("keys")?.get(key)?.as_str()
}

/// Tells whether the agent may use a tool.
fn may_use(definition: &Definition, tool: &str) -> bool {
    let tools = &definition.capabilities.detail.tools;
    let is = |one: &String| {
        one == tool || one == "*" || one.strip_prefix(tool).is_some_and(|rest| rest.starts_with('('))
    };
    !tools.has_none() && tools.allowed.iter().any(is) && !tools.restricted.iter().any(|one| one == tool)
}
