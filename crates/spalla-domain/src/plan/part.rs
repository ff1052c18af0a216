//! What a piece is in a pattern of work: one of several tries at the same thing, an opinion, or what brings others together.

use serde::{Deserialize, Serialize};

/// What a piece is in a pattern of work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Part {
    /// The piece at which it is one of several tries; one of them is merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contest: Option<String>,
    /// The keys of the pieces whose answers it is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hears: Vec<String>,
    /// Whether it only says what it thinks, and changes nothing.
    #[serde(skip_serializing_if = "is_false")]
    pub answers: bool,
    /// Whether it may find that there is nothing left to change.
    #[serde(skip_serializing_if = "is_false")]
    pub may_rest: bool,
}

impl Part {
    /// Tells whether it is a piece like any other.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
