//! Which agent's definition a work item is carried out by, and why that one. It is settled when the item is made and kept with
//! it: whatever is published later, the item's runs keep what they began with.

use crate::problem::Code;
use crate::{Refusal, work_item};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most of an agent's instructions that a run is given, in bytes: some command lines take them as one argument.
pub const INSTRUCTIONS_BYTES_MAX: usize = 64 * 1024;
/// The longest explanation that is kept, in bytes.
pub const EXPLANATION_BYTES_MAX: usize = 256 * 1024;

/// An agent's definition, as a work item is carried out by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenDefinition {
    /// The agent's id.
    pub id: String,
    /// The alias under which it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The digest of the definition, with what the alias says otherwise, and of the instructions: BLAKE3 in hexadecimal digits.
    pub digest: String,
    /// The digest of the publication that it is of; empty for an agent that comes with the program.
    pub publication: String,
    /// Who chose it.
    pub by: ChosenBy,
    /// Whether another one was nearly as good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous: bool,
    /// For whom it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_in: Option<StandsIn>,
    /// The router's answer: stage, candidates, their terms, and what was found where. None where nobody had to choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Value>,
    /// What the agent is told before its task.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instructions: String,
}

/// Who chose a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChosenBy {
    /// Whoever made the work item, by name.
    Pinned,
    /// The router.
    Routed,
}

/// That the agent that was meant is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandsIn {
    /// Who was meant.
    pub wanted: String,
    /// Who is to be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
}

impl ChosenDefinition {
    /// Refuses what can't be kept.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |detail: String| Err(Refusal::new(Code::Invalid, detail));
        for word in [Some(&self.id), self.alias.as_ref()].into_iter().flatten() {
            work_item::check_word(word)
                .map_err(|wrong| Refusal::new(Code::Invalid, format!("definition: {wrong}")))?;
        }
        if self.instructions.len() > INSTRUCTIONS_BYTES_MAX {
            return invalid(format!(
                "definition: the instructions have {} bytes; at most {INSTRUCTIONS_BYTES_MAX} are kept",
                self.instructions.len()
            ));
        }
        let length = self.explanation.as_ref().map_or(0, |value| value.to_string().len());
        if length > EXPLANATION_BYTES_MAX {
            return invalid(format!(
                "definition: the explanation has {length} bytes; at most {EXPLANATION_BYTES_MAX} are kept"
            ));
        }
        Ok(())
    }

    /// Returns the task as the agent is told it: its instructions before it.
    pub fn told(&self, task: &str) -> String {
        match self.instructions.trim() {
            "" => task.to_owned(),
            instructions => format!("{instructions}\n\n---\n\nThe task:\n\n{task}"),
        }
    }
}

/// Takes as much of an agent's instructions as a run is given.
pub fn instructions(text: &str) -> String {
    text[..text.floor_char_boundary(INSTRUCTIONS_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(instructions: &str) -> ChosenDefinition {
        ChosenDefinition {
            id: "a".into(),
            alias: None,
            digest: "d".into(),
            publication: "p".into(),
            by: ChosenBy::Routed,
            ambiguous: false,
            stands_in: None,
            explanation: None,
            instructions: instructions.into(),
        }
    }

    #[test]
    fn instructions_stand_before_the_task() {
        assert_eq!(chosen("You mend.\n").told("Mend it"), "You mend.\n\n---\n\nThe task:\n\nMend it");
        assert_eq!(chosen(" \n").told("Mend it"), "Mend it");
    }

    #[test]
    fn what_is_too_long_is_cut_where_it_is_taken_and_refused_where_it_is_kept() {
        let long = "ä".repeat(INSTRUCTIONS_BYTES_MAX);
        assert!(chosen(&instructions(&long)).check().is_ok());
        assert!(chosen(&long).check().unwrap_err().detail.contains("instructions"));
        let explanation = Some("x".repeat(EXPLANATION_BYTES_MAX).into());
        assert!(ChosenDefinition { explanation, ..chosen("") }.check().is_err());
        assert!(ChosenDefinition { id: "\n".into(), ..chosen("") }.check().is_err());
    }
}
