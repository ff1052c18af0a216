//! Requirements: a project's vision in prose, the draft of work items that is derived from it, and what a person may
//! do with a draft. `propose` derives one without asking a model; `check` holds what a person edited to the rules.

mod check;
mod propose;
#[cfg(test)]
mod tests;

pub use check::{ItemProblem, check};
pub use propose::propose;

use crate::problem::Code;
use crate::work_item::{Executor, PRIORITY_DEFAULT, Spec};
use crate::{DraftId, ProjectId, Refusal, Timestamp};
use serde::{Deserialize, Serialize};

/// The longest vision, in bytes: a long document, little enough to take apart in a request.
pub const VISION_BYTES_MAX: usize = 256 * 1024;
/// The most items of a draft: more than a person reads through before approving them.
pub const ITEMS_MAX: usize = 200;
/// The longest description of an item, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 64 * 1024;
/// Proposed titles are at most this long, in characters, to be read in a row of a table.
pub const PROPOSED_TITLE_CHARS: usize = 120;
/// The most problems reported of one draft: nobody mends more at a time.
pub const PROBLEMS_MAX: usize = 50;

/// A project's intent in prose. Every version is kept, and the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vision {
    /// Whose it is.
    pub project_id: ProjectId,
    /// Its ordinal among the visions of the project, from 1.
    pub version: u32,
    /// The person's words, unchanged.
    pub text: String,
    /// When it was written.
    pub created_at: Timestamp,
}

impl Vision {
    /// Makes the version that follows `newest`, which is none for the first.
    pub fn next(
        project_id: ProjectId,
        newest: Option<u32>,
        text: String,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        check_text(&text)?;
        Ok(Self { project_id, version: newest.unwrap_or(0).saturating_add(1), text, created_at: now })
    }
}

/// Checks the text of a vision.
pub fn check_text(text: &str) -> Result<(), Refusal> {
    if says_nothing(text) {
        return Err(
            Refusal::new(Code::Invalid, "the vision is empty").mend("say what the project is to become")
        );
    }
    if text.len() > VISION_BYTES_MAX {
        let detail = format!("the vision has {} bytes; at most {VISION_BYTES_MAX} are kept", text.len());
        return Err(
            Refusal::new(Code::Invalid, detail).mend("keep long material in the repository and name it")
        );
    }
    Ok(())
}

/// Tells whether nothing in a text would show.
fn says_nothing(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control())
}

/// The state of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody has decided.
    Proposed,
    /// A person approved it; its work items may have been made.
    Approved,
    /// A person rejected it.
    Rejected,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Proposed, Self::Approved, Self::Rejected];

    /// Returns the status's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// What a person does with a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Puts other items into it.
    Edit,
    /// Says yes.
    Approve,
    /// Says no.
    Reject,
}

/// A draft of requirements as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementsDraft {
    /// Its id.
    pub id: DraftId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// The version of the vision that it was derived from.
    pub vision_version: u32,
    /// Where it stands.
    pub status: Status,
    /// What is to be done.
    pub items: Vec<Item>,
    /// When it was proposed.
    pub created_at: Timestamp,
    /// When a person last edited it.
    pub updated_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

/// One requirement: what a work item will be made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What it is called.
    pub title: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A free word to sort by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What carries it out; none means the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<Executor>,
    /// The agent, where the executor is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Free words to choose by.
    #[serde(default)]
    pub labels: Vec<String>,
    /// 0 to 9, 9 is the most urgent.
    #[serde(default = "priority_default")]
    pub priority: u8,
    /// Which items of the same draft come first, by their place from 0.
    #[serde(default)]
    pub depends_on: Vec<usize>,
}

const fn priority_default() -> u8 {
    PRIORITY_DEFAULT
}

impl Item {
    /// Makes an item that says a title and leaves the rest to its defaults.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            description: None,
            category: None,
            executor: None,
            agent: None,
            labels: Vec::new(),
            priority: PRIORITY_DEFAULT,
            depends_on: Vec::new(),
        }
    }

    /// Returns what the work item of this requirement will say.
    pub fn spec(&self) -> Spec {
        Spec {
            description: self.description.clone(),
            executor: self.executor.unwrap_or_default(),
            agent: self.agent.clone(),
            category: self.category.clone(),
            priority: self.priority,
            labels: self.labels.clone(),
            ..Spec::new(self.title.clone())
        }
    }
}

/// Returns the state after a command; a draft is decided once and stays as it was decided.
pub fn transition(draft: &RequirementsDraft, command: Command) -> Result<Status, Refusal> {
    match (draft.status, command) {
        (Status::Proposed, Command::Edit) => Ok(Status::Proposed),
        (Status::Proposed, Command::Approve) => Ok(Status::Approved),
        (Status::Proposed, Command::Reject) => Ok(Status::Rejected),
        (Status::Approved | Status::Rejected, Command::Edit | Command::Approve | Command::Reject) => {
            let detail = format!("requirements draft {} was already {}", draft.id, draft.status.as_str());
            Err(Refusal::new(Code::AlreadyDecided, detail).mend("propose a new draft"))
        }
    }
}
