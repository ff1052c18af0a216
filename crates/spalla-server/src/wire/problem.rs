//! The document of every error.

use serde::Serialize;
use utoipa::ToSchema;

/// A problem document: what went wrong, and how to mend it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// Names the kind of problem; one for each `code`.
    #[serde(rename = "type")]
    #[schema(format = "uri")]
    pub(crate) kind: String,
    /// The code in words.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What was wrong, with the values.
    pub(crate) detail: String,
    /// The stable code, for programs.
    pub(crate) code: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(crate) mend: Option<String>,
    /// The path that was asked for.
    pub(crate) instance: String,
    /// The value of the response's X-Request-ID; the server's log knows it.
    pub(crate) request_id: String,
    /// The places of the request that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) errors: Vec<FieldProblem>,
}

/// One place of a request that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// The line of the text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub(crate) line: Option<u64>,
    /// The column of the text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub(crate) column: Option<u64>,
    /// The member, query parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(crate) path: Option<String>,
    /// What is wrong there.
    pub(crate) message: String,
    /// What may stand there, where it is a closed list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) allowed: Vec<String>,
}

impl FieldProblem {
    /// Names a member that is wrong.
    pub(crate) fn at_path(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: Some(path.into()), message: message.into(), ..Self::default() }
    }

    /// Adds what may stand there.
    #[must_use]
    pub(crate) fn allowed(mut self, allowed: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }
}
