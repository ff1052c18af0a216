//! An info request: a question to a person whose answer is values, often secret, for which a run waits. Here are the
//! rules for the question and for the answer; no message of theirs repeats a value.

mod schema;
#[cfg(test)]
mod tests;

use crate::problem::Code;
use crate::{InfoRequestId, Refusal, RunId, Timestamp, WorkItemId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is asked for where a person decides how an agent goes on: no value that has to be kept from anybody.
pub const DECISION: &str = "decision";
/// The most fields of one request: a form that a person still fills in.
pub const FIELDS_MAX: usize = 64;
/// The longest name of a field, in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// The longest value, in bytes: a certificate or a service account fits well.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// The longest reason, description or example, in bytes.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;
/// The largest schema of one field, in bytes as JSON.
pub const SCHEMA_BYTES_MAX: usize = 16 * 1024;

/// One value that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoField {
    /// The name of the variable under which the run gets it.
    pub name: String,
    /// Whether it is hidden while it is typed, and masked in whatever the run says from then on.
    #[serde(default)]
    pub secret: bool,
    /// What it is and where to find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What one looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// A JSON Schema that the value keeps: as text, or read as JSON where the schema's `type` names no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
}

impl InfoField {
    /// Makes a field that says its name and whether it is secret.
    pub fn new(name: impl Into<String>, secret: bool) -> Self {
        Self { name: name.into(), secret, description: None, example: None, schema: None }
    }
}

/// The state of an info request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody has answered.
    Pending,
    /// Somebody answered.
    Answered,
    /// Nobody needs the answer any more.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Answered, Self::Cancelled];

    /// Returns the status's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Answered => "answered",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// An info request as it is kept, without its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfoRequest {
    /// Its id.
    pub id: InfoRequestId,
    /// The run that waits.
    pub run_id: RunId,
    /// The item of the run.
    pub work_item_id: WorkItemId,
    /// Why it is asked.
    pub reason: String,
    /// What is asked for.
    pub fields: Vec<InfoField>,
    /// The agent that asked by itself: it reads the answer. None is the run's worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it was answered or cancelled.
    pub closed_at: Option<Timestamp>,
    /// Who answered.
    pub answered_by: Option<String>,
}

/// What may happen to an info request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// A person gives the values.
    Answer,
    /// Its run ended, or a person withdraws it.
    Cancel,
}

/// Returns the state after a command; a request is closed once.
pub fn transition(request: &InfoRequest, command: Command) -> Result<Status, Refusal> {
    match (request.status, command) {
        (Status::Pending, Command::Answer) => Ok(Status::Answered),
        (Status::Pending, Command::Cancel) => Ok(Status::Cancelled),
        (Status::Answered | Status::Cancelled, Command::Answer | Command::Cancel) => {
            let detail = format!("info request {} was already {}", request.id, request.status.as_str());
            Err(Refusal::new(Code::InfoRequestClosed, detail))
        }
    }
}

/// Something in a request or an answer that breaks a rule. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The name of the field, as it was given; none when it is the request as a whole.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    fn of(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), message: message.into() }
    }

    fn whole(message: impl Into<String>) -> Self {
        Self { field: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Checks a question: its reason, its names, and that every schema can be used without asking for anything else.
pub fn check_request(reason: &str, fields: &[InfoField]) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    if reason.trim().is_empty() || reason.len() > TEXT_BYTES_MAX {
        problems
            .push(Problem::whole(format!("reason has {} bytes; it has 1 to {TEXT_BYTES_MAX}", reason.len())));
    }
    if !(1..=FIELDS_MAX).contains(&fields.len()) {
        problems.push(Problem::whole(format!("fields has {}; it has 1 to {FIELDS_MAX}", fields.len())));
        return Err(problems);
    }
    let mut seen = BTreeSet::new();
    for field in fields {
        let name = field.name.as_str();
        if !is_variable(name) {
            let message =
                format!("a field is named by 1 to {NAME_CHARS_MAX} letters, digits and _, no digit first");
            problems.push(Problem::of(&name.chars().take(NAME_CHARS_MAX).collect::<String>(), message));
        } else if !seen.insert(name) {
            problems.push(Problem::of(name, "the name stands here a second time"));
        }
        for (what, text) in [("description", &field.description), ("example", &field.example)] {
            if text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
                problems.push(Problem::of(name, format!("{what} has more than {TEXT_BYTES_MAX} bytes")));
            }
        }
        if let Some(Err(message)) = field.schema.as_ref().map(schema::check) {
            problems.push(Problem::of(name, message));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn is_variable(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Checks an answer: every field once, nothing else, and each value as its field wants it.
pub fn check_answer(fields: &[InfoField], values: &BTreeMap<String, String>) -> Result<(), Vec<Problem>> {
    let mut problems: Vec<Problem> = Vec::new();
    for field in fields {
        match values.get(&field.name) {
            None => problems.push(Problem::of(&field.name, "is missing")),
            Some(value) => {
                problems.extend(wrong(field, value).map(|message| Problem::of(&field.name, message)))
            }
        }
    }
    let unknown: Vec<&String> =
        values.keys().filter(|name| !fields.iter().any(|field| field.name == **name)).collect();
    // What is no name may be a value in the wrong place, so it is not repeated.
    problems.extend(
        unknown.iter().filter(|name| is_variable(name)).map(|name| Problem::of(name, "was not asked for")),
    );
    let nameless = unknown.iter().filter(|name| !is_variable(name)).count();
    if nameless > 0 {
        problems.push(Problem::whole(format!("{nameless} values stand under what is no name of a field")));
    }
    problems.truncate(FIELDS_MAX);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Tells what is wrong with a value, in words that do not repeat it.
fn wrong(field: &InfoField, value: &str) -> Option<String> {
    if value.is_empty() {
        return Some("is empty".into());
    }
    if value.len() > VALUE_BYTES_MAX {
        return Some(format!("has more than {VALUE_BYTES_MAX} bytes"));
    }
    if value.contains('\0') {
        return Some("has a NUL character in it, which can't be handed to a process".into());
    }
    field.schema.as_ref().and_then(|schema| schema::wrong(schema, value))
}
