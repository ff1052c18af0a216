//! The settings of the agents' command lines: `codex.*`, `claude.*` and `gemini.*`.

use super::keys::{Key, Kind, key};
use serde::Deserialize;
use spalla_domain::adapter::Adapter;

/// What is said of one agent's command line; a work item's own `adapter` comes first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentSettings {
    /// The model; empty means its own choice.
    pub(crate) model: String,
    /// The profile of its own configuration; empty means none.
    pub(crate) profile: String,
    /// The program with its first arguments, in the place of the adapter's; none means the adapter's.
    pub(crate) command: Vec<String>,
    /// Whether it may search the web.
    pub(crate) enable_web_search: bool,
    /// Whether a prompt that was answered before is not asked again.
    pub(crate) enable_caching: bool,
    /// Whether its process serves one run after another.
    pub(crate) enable_process_reuse: bool,
    /// Whether small work items are given to it together.
    pub(crate) enable_task_batching: bool,
    /// Whether budgets follow what earlier runs used.
    pub(crate) enable_adaptive_budgeting: bool,
}

impl AgentSettings {
    /// Returns what they say of a call.
    pub(crate) fn wishes(&self) -> Adapter {
        let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Adapter {
            model: said(&self.model),
            profile: said(&self.profile),
            web_search: Some(self.enable_web_search),
            command: self.command.clone(),
            ..Adapter::default()
        }
    }
}

/// The keys of one agent: its table, its prefix in variables, and its name for people.
macro_rules! keys_of {
    ($table:literal, $prefix:literal, $title:literal) => {
        [
            key(
                concat!($table, ".model"),
                Kind::Word,
                "",
                concat!("the model of ", $title, ", where a work item names none; empty is its own choice"),
            )
            .env(&[concat!($prefix, "__MODEL")]),
            key(
                concat!($table, ".profile"),
                Kind::Word,
                "",
                concat!("the profile of its own configuration that ", $title, " uses; empty is none"),
            )
            .env(&[concat!($prefix, "__PROFILE")]),
            key(
                concat!($table, ".command"),
                Kind::Command,
                "[]",
                concat!(
                    "the program that is called as ",
                    $title,
                    ", with its first arguments; in a variable as a JSON array; empty is the adapter's own"
                ),
            )
            .env(&[concat!($prefix, "__COMMAND")]),
            key(
                concat!($table, ".enable_web_search"),
                Kind::Flag,
                "false",
                concat!($title, " may search the web, as far as it has a switch for that"),
            )
            .env(&[concat!($prefix, "__ENABLE_WEB_SEARCH")]),
            key(
                concat!($table, ".enable_caching"),
                Kind::Flag,
                "true",
                "a prompt that was answered before is not asked again",
            )
            .env(&[concat!($prefix, "__ENABLE_CACHING")])
            .idle("this version keeps no answers of models"),
            key(
                concat!($table, ".enable_process_reuse"),
                Kind::Flag,
                "true",
                "its process serves one run of a project after another",
            )
            .env(&[concat!($prefix, "__ENABLE_PROCESS_REUSE")]),
            key(
                concat!($table, ".enable_task_batching"),
                Kind::Flag,
                "true",
                "small work items are given to it together",
            )
            .env(&[concat!($prefix, "__ENABLE_TASK_BATCHING")])
            .idle("this version gives each work item to an agent by itself"),
            key(
                concat!($table, ".enable_adaptive_budgeting"),
                Kind::Flag,
                "true",
                "budgets follow what earlier runs used",
            )
            .env(&[concat!($prefix, "__ENABLE_ADAPTIVE_BUDGETING")])
            .idle("in this version nothing is granted or refused by tokens"),
        ]
    };
}

/// The settings of all agents.
pub(super) const KEYS: [[Key; 8]; 3] = [
    keys_of!("codex", "CODEX", "Codex"),
    keys_of!("claude", "CLAUDE", "Claude Code"),
    keys_of!("gemini", "GEMINI", "the Gemini CLI"),
];
