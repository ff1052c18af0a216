//! A review: another agent looks at a change that it can't touch, and says what it thinks in a form that is read strictly, with
//! one more try.

use super::turn::Turn;
use crate::executors::agent::change;
use crate::run::{End, Failure, Run};
use crate::scratchpad::Scratchpad;
use serde_json::json;
use spalla_adapter::definition::Definition;
use spalla_domain::retry::ErrorClass;
use spalla_domain::review::{SCHEMA, Verdict};
use spalla_domain::session::{CHANGES_PREFIX, REVIEWS_LABEL};
use std::path::{Path, PathBuf};

/// A review under way.
#[derive(Debug, Default)]
pub(super) struct Review {
    was_asked_again: bool,
}

/// Returns the work item whose change is reviewed; none where the run is no review.
pub(super) fn subject(run: &Run<'_>) -> Option<u64> {
    run.assignment.labels.iter().find_map(|label| label.strip_prefix(REVIEWS_LABEL)?.parse().ok())
}

/// Lets the worktree hold the change that is reviewed.
pub(super) async fn show(run: &Run<'_>, scratchpad: &mut Scratchpad, item: u64) -> Result<(), End> {
    let missing = || {
        let message =
            format!("the change of work item {item} is not in the repository of this run's session");
        End::from(Failure::new(ErrorClass::Validation, message))
    };
    let repository = run.session_repository().ok_or_else(missing)?;
    let commit = change::resolve(run, &repository, &format!("{CHANGES_PREFIX}{item}")).await?;
    let commit = commit.ok_or_else(missing)?;
    change::check_out(run, scratchpad, vec![repository.join("objects")], &commit).await
}

/// Writes the shape of a verdict beside the reviewer's notes; returns the shape and its file.
pub(super) fn schema(scratch: &Path) -> Option<(String, PathBuf)> {
    let file = scratch.join("verdict.schema.json");
    let written = spalla_crash::crash_point!("worker.review.schema.write", std::fs::write(&file, SCHEMA));
    written.ok().map(|()| (SCHEMA.to_owned(), file))
}

impl Review {
    /// Returns what is said to a reviewer whose answer can't be read; none where it can, or was asked again already.
    pub(super) fn ask_again(&mut self, turn: &Turn) -> Option<String> {
        let words = turn.words.as_deref().unwrap_or_default();
        let why = Verdict::read(words).err().filter(|_| !self.was_asked_again)?;
        self.was_asked_again = true;
        Some(format!("Your answer can't be read: {why}. Answer again, with that object and nothing else."))
    }
}

/// Returns the end of a review.
pub(super) fn end(definition: &Definition, turn: &Turn, events: &Path, turns: u32) -> End {
    let words = turn.words.as_deref().unwrap_or_default();
    let mut result = json!({ "agent": definition.name, "events": events, "turns": turns });
    match Verdict::read(words) {
        Ok(verdict) => {
            let opinion = format!("{:?}", verdict.verdict).to_lowercase();
            result["summary"] = format!("{}: {opinion}", definition.title).into();
            result["verdict"] = json!(verdict);
            End::Succeeded { result }
        }
        Err(why) => {
            let message = format!("{} gave no verdict: {why}", definition.title);
            Failure { result: Some(result), ..Failure::new(ErrorClass::Validation, message) }.into()
        }
    }
}
