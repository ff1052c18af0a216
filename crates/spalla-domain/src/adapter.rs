//! How one work item wants its agent's command line called, where that differs from what the adapter says.

use crate::agent_policy::AgentPolicy;
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
    /// What the agent's definition says of its runs, whichever command line carries them out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<AgentPolicy>>,
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
    /// Returns what is said of another agent that goes on: what was said of the first one's own command line is not.
    #[must_use]
    pub fn of_another(self) -> Self {
        Self { model: None, profile: None, args: Vec::new(), command: Vec::new(), ..self }
    }

    /// Fills what is not said with what somebody else says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let first = |own: Vec<String>, other| if own.is_empty() { other } else { own };
        Self {
            model: self.model.or(other.model),
            profile: self.profile.or(other.profile),
            web_search: self.web_search.or(other.web_search),
            approval: self.approval.or(other.approval),
            args: first(self.args, other.args),
            command: first(self.command, other.command),
            fallback: first(self.fallback, other.fallback),
            policy: self.policy.or(other.policy),
        }
    }

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
        self.policy.as_ref().map_or(Ok(()), |policy| policy.check())
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
    fn what_is_said_comes_before_what_somebody_else_says() {
        let said = |word: &str, web_search| Adapter {
            model: Some(word.into()),
            web_search,
            command: vec![word.into()],
            ..Adapter::default()
        };
        assert_eq!(said("a", Some(false)).or(said("b", Some(true))), said("a", Some(false)));
        assert_eq!(Adapter::default().or(said("b", Some(true))), said("b", Some(true)));
        let of_another = said("a", Some(true)).of_another().or(said("b", None));
        assert_eq!(of_another, said("b", Some(true)));
    }

    #[test]
    fn too_many_words_are_refused() {
        let adapter = Adapter { args: vec![String::new(); WORDS_MAX + 1], ..Adapter::default() };
        assert!(adapter.check().unwrap_err().detail.contains("257 words"));
    }
}
