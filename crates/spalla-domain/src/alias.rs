//! Aliases: agents under another name, with some fields of their definitions said otherwise. The definition itself stays as it
//! is; who reads definitions looks whether what is said otherwise fits.

use crate::problem::Code;
use crate::work_item::check_word;
use crate::{AliasId, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most aliases that are kept: each is looked through when one is named.
pub const ALIASES_MAX: usize = 1_000;
/// The longest overrides, in bytes of JSON.
pub const OVERRIDES_BYTES_MAX: usize = 64 * 1024;
/// What the label begins with by which the work items of an alias are found, and wait in a queue of their own.
pub const ALIAS_LABEL: &str = "alias:";
/// How many entries may wait for an alias for each task that it has at a time.
pub const WAITING_PER_TASK: u64 = 10;

/// A wish for an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlias {
    /// Its name.
    pub name: String,
    /// The id of the agent.
    pub agent: String,
    /// The domain of that agent when this was said: its generalist takes the work should the agent go.
    pub domain: Option<String>,
    /// What is said otherwise, in the form of a definition.
    pub overrides: Value,
}

/// An alias as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Its number.
    pub id: AliasId,
    /// Its name.
    pub name: String,
    /// The id of the agent.
    pub agent: String,
    /// The domain of that agent when this was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// What is said otherwise.
    pub overrides: Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last said what it is.
    pub updated_at: Timestamp,
}

impl NewAlias {
    /// Checks what a client asked for, and makes the alias of it.
    pub fn make(&self, id: AliasId, created_at: Timestamp, now: Timestamp) -> Result<Alias, Refusal> {
        let invalid = |detail: String| Refusal::new(Code::Invalid, detail);
        for word in [&self.name, &self.agent] {
            check_word(word).map_err(invalid)?;
        }
        let bytes = self.overrides.to_string().len();
        if bytes > OVERRIDES_BYTES_MAX {
            return Err(invalid(format!(
                "overrides has {bytes} bytes; at most {OVERRIDES_BYTES_MAX} are kept"
            )));
        }
        let Self { name, agent, domain, overrides } = self.clone();
        Ok(Alias { id, name, agent, domain, overrides, created_at, updated_at: now })
    }
}

/// Returns the label of an alias's work items.
pub fn label_of(name: &str) -> String {
    format!("{ALIAS_LABEL}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused() {
        let new = |name: &str, overrides| NewAlias {
            name: name.into(),
            agent: "a".into(),
            domain: None,
            overrides,
        };
        let make = |new: NewAlias| new.make(AliasId(1), Timestamp::from_ms(1), Timestamp::from_ms(2));
        assert!(make(new("careful", Value::Null)).is_ok());
        assert!(make(new("", Value::Null)).is_err());
        assert!(make(new("careful", "x".repeat(OVERRIDES_BYTES_MAX).into())).is_err());
    }
}
