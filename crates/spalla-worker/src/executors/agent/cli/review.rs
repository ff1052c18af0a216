//! An answer in place of a change: a reviewer looks at what another agent did, or a planner at what there is, can touch neither,
//! and says what it thinks in a form that is read strictly, with one more try.

use super::home::write_file;
use super::look::Look;
use super::turn::Turn;
use crate::executors::agent::change::{self, Change};
use crate::run::{End, Failure, Run};
use crate::scratchpad::Scratchpad;
use serde_json::{Value, json};
use spalla_adapter::definition::Definition;
use spalla_domain::plan;
use spalla_domain::retry::ErrorClass;
use spalla_domain::review::{SCHEMA, Verdict, unfenced};
use spalla_domain::session::{ANSWERS_LABEL, CHANGES_PREFIX, PLANS_LABEL, REVIEWS_LABEL};
use std::path::{Path, PathBuf};

/// What an agent is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// What it thinks of the change of this work item.
    Change(u64),
    /// What it thinks of work that goes on.
    Look(Look),
    /// In which pieces the goal is pursued.
    Plan,
    /// What it thinks, in its own words.
    Opinion,
}

/// An answer under way.
#[derive(Debug)]
pub(super) struct Review {
    subject: Subject,
    /// What work that goes on had changed by then.
    looked_at: Option<Change>,
    was_asked_again: bool,
}

/// Returns what is to be answered; none where the run is to change something.
pub(super) fn subject(run: &Run<'_>) -> Option<Subject> {
    let change = |label: &String| label.strip_prefix(REVIEWS_LABEL)?.parse().ok().map(Subject::Change);
    let labels = &run.assignment.labels;
    labels
        .iter()
        .find_map(change)
        .or_else(|| labels.iter().find_map(|label| Look::of_label(label)).map(Subject::Look))
        .or_else(|| labels.iter().any(|label| label == PLANS_LABEL).then_some(Subject::Plan))
        .or_else(|| labels.iter().any(|label| label == ANSWERS_LABEL).then_some(Subject::Opinion))
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

impl Review {
    /// Begins.
    pub(super) const fn of(subject: Subject, looked_at: Option<Change>) -> Self {
        Self { subject, looked_at, was_asked_again: false }
    }

    /// Writes the shape of the answer beside the agent's notes; returns the shape and its file.
    pub(super) fn schema(&self, scratch: &Path) -> Option<(String, PathBuf)> {
        let shape = match self.subject {
            Subject::Change(_) | Subject::Look(_) => SCHEMA,
            Subject::Plan => plan::SCHEMA,
            Subject::Opinion => return None,
        };
        let file = scratch.join("answer.schema.json");
        let written =
            spalla_crash::crash_point!("worker.review.schema.write", write_file(&file, shape.as_bytes()));
        written.ok().map(|()| (shape.to_owned(), file))
    }

    /// Returns what is said to an agent whose answer can't be read; none where it can, or was asked again already.
    pub(super) fn ask_again(&mut self, turn: &Turn) -> Option<String> {
        let words = turn.words.as_deref().unwrap_or_default();
        let why = self.read(words).err().filter(|_| !self.was_asked_again)?;
        self.was_asked_again = true;
        let how =
            if self.subject == Subject::Opinion { "in words" } else { "with that object and nothing else" };
        Some(format!("Your answer can't be read: {why}. Answer again, {how}."))
    }

    /// Reads an answer; returns its name in the result, itself, and what it comes to in a few words.
    fn read(&self, words: &str) -> Result<(&'static str, Value, String), String> {
        match self.subject {
            Subject::Change(_) | Subject::Look(_) => {
                let verdict = Verdict::read(words)?;
                let opinion = format!("{:?}", verdict.verdict).to_lowercase();
                Ok(("verdict", json!(verdict), opinion))
            }
            Subject::Plan => {
                let text = unfenced(words.trim());
                let plan = plan::read(text, &[]).map_err(|wrong| wrong.join("; "))?;
                let value = serde_json::from_str(text).map_err(|error| error.to_string())?;
                Ok(("plan", value, format!("a plan of {} pieces", plan.items.len())))
            }
            Subject::Opinion if words.trim().is_empty() => Err("it says nothing".to_owned()),
            Subject::Opinion => Ok(("answer", words.into(), "an opinion".to_owned())),
        }
    }

    /// Returns the end of the run.
    pub(super) fn end(&self, definition: &Definition, turn: &Turn, events: &Path, turns: u32) -> End {
        if let Some(act) = &turn.loops {
            let message = format!(
                "{} was stopped: it did the same again and again, with nothing new ({act})",
                definition.title
            );
            let result = Some(json!({ "agent": definition.name, "events": events, "turns": turns }));
            return Failure { result, ..Failure::new(ErrorClass::Failed, message) }.into();
        }
        let words = turn.words.as_deref().unwrap_or_default();
        let mut result = json!({ "agent": definition.name, "events": events, "turns": turns });
        if let Some(change) = &self.looked_at {
            result["looked_at"] = json!(change);
        }
        match self.read(words) {
            Ok((name, answer, summary)) => {
                result["summary"] = format!("{}: {summary}", definition.title).into();
                result[name] = answer;
                End::Succeeded { result }
            }
            Err(why) => {
                let what = match self.subject {
                    Subject::Plan => "plan",
                    Subject::Opinion => "opinion",
                    Subject::Change(_) | Subject::Look(_) => "verdict",
                };
                let message = format!("{} gave no {what}: {why}", definition.title);
                Failure { result: Some(result), ..Failure::new(ErrorClass::Validation, message) }.into()
            }
        }
    }
}
