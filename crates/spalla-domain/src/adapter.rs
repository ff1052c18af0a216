//! How one work item wants its agent's command line called, where that differs from what the adapter says.

use crate::{Refusal, problem::Code};
use serde::{Deserialize, Serialize};

/// The most arguments that are added, or that a command has.
pub const WORDS_MAX: usize = 256;
/// The longest argument, in bytes.
pub const WORD_BYTES_MAX: usize = 8_192;

/// What an item says differently from its agent's adapter; what is none is as the adapter says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adapter {
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The profile of the command line's own configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether the agent may search the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search: Option<bool>,
    /// Whether the command line asks before it acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Arguments that are added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The command instead of the adapter's: a program and its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The agents that go on in the same worktree, in this order, where one meets a limit or can't go on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
}

/// Whether an agent's command line asks before it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// Its own guards stay on.
    Guarded,
    /// They are off, because the sandbox around it is the wall.
    Bypass,
}

impl Adapter {
    /// Refuses what no command line could be built from.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |detail: String| Err(Refusal::new(Code::Invalid, detail));
        for (name, words) in [("args", &self.args), ("command", &self.command), ("fallback", &self.fallback)]
        {
            if words.len() > WORDS_MAX {
                return invalid(format!(
                    "adapter.{name} has {} words; at most {WORDS_MAX} are taken",
                    words.len()
                ));
            }
            if let Some(word) = words.iter().find(|word| word.len() > WORD_BYTES_MAX || word.contains('\0')) {
                let start: String = word.chars().take(20).collect();
                return invalid(format!(
                    "adapter.{name}: the word that begins {start:?} has a NUL or more than {WORD_BYTES_MAX} bytes"
                ));
            }
        }
        if self.command.first().is_some_and(|program| program.trim().is_empty()) {
            return invalid("adapter.command begins with an empty word; it begins with a program".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_no_process_can_be_given_is_refused() {
        for word in ["a\0b".to_owned(), "a".repeat(WORD_BYTES_MAX + 1)] {
            let adapter = Adapter { args: vec!["-v".into(), word], ..Adapter::default() };
            assert_eq!(adapter.check().unwrap_err().code, Code::Invalid);
        }
        assert!(Adapter { command: vec![" ".into(), "x".into()], ..Adapter::default() }.check().is_err());
        assert!(
            Adapter { command: vec!["codex".into(), String::new()], ..Adapter::default() }.check().is_ok()
        );
    }

    #[test]
    fn too_many_words_are_refused() {
        let adapter = Adapter { args: vec![String::new(); WORDS_MAX + 1], ..Adapter::default() };
        assert!(adapter.check().unwrap_err().detail.contains("257 words"));
    }
}
