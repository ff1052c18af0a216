//! Whether an agent did what it was asked: by what is different afterwards, and by what it was denied. How its program ended
//! says nothing.

use super::super::change::Change;
use super::turn::Turn;
use super::{Recovery, note};
use crate::builtin::surveyor::wants_change;
use crate::run::Run;
use serde_json::{Value, json};
use spalla_adapter::definition::Definition;
use spalla_adapter::heard::TurnEnd;
use spalla_adapter::recovery::{Action, Diagnosis};
use spalla_crash::crash_point;
use spalla_domain::claim::RunError;
use spalla_domain::retry::ErrorClass;
use spalla_domain::session::RESTS_LABEL;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What is judged.
pub(super) struct Judged<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) definition: &'a Definition,
    pub(super) turn: &'a Turn,
    pub(super) diagnosis: &'a Diagnosis,
    pub(super) change: Option<&'a Change>,
}

/// Returns why it is not done; none where it is.
pub(super) fn judge(judged: &Judged<'_>) -> Option<RunError> {
    let Judged { turn, diagnosis, definition, .. } = judged;
    let title = &definition.title;
    let failed = |class, message: String| Some(RunError::new(class, message));
    if let Some(act) = &turn.loops {
        let message =
            format!("{title} was stopped: it did the same again and again, with nothing new ({act})");
        return failed(ErrorClass::Failed, message);
    }
    match &diagnosis.action {
        Action::Ask { suggestions } => {
            let reason = format!("{title} can't go on without a person: {}", diagnosis.reason);
            let mends = suggestions.join("; or ");
            return failed(ErrorClass::Denied, [reason, mends].join("; ").trim_end_matches("; ").to_owned());
        }
        Action::Fail { class } => return failed(*class, format!("{title}: {}", diagnosis.reason)),
        _ => {}
    }
    if let Some(limit) = turn.ended.as_ref().and_then(|ended| ended.exceeded.as_ref()) {
        return failed(ErrorClass::Failed, format!("{title} reached its limit of {limit}"));
    }
    if turn.end != Some(TurnEnd::Completed) && !ends_silently(judged) {
        return failed(
            ErrorClass::Failed,
            format!("{title} did not come to an end of its own ({})", turn.how()),
        );
    }
    if judged.change.is_some() {
        let denied = diagnosis.reason.as_str();
        return match diagnosis.may_succeed {
            true => None,
            false => failed(ErrorClass::Denied, format!("{title} was denied what it needed: {denied}")),
        };
    }
    // Where others did the work before, there may be nothing left to change.
    let may_rest = judged.run.assignment.labels.iter().any(|label| label == RESTS_LABEL);
    let wants_change = !may_rest && wants_change(&note::own_words(judged.run));
    match (wants_change, &turn.words, turn.denied.is_empty()) {
        (false, Some(_), true) => None,
        (false, None, _) => failed(ErrorClass::Failed, format!("{title} ended without an answer")),
        (_, _, false) => {
            failed(ErrorClass::Denied, format!("{title} was denied what it needed, and changed nothing"))
        }
        (true, _, true) => failed(ErrorClass::Failed, format!("{title} ended, but changed nothing")),
    }
}

/// A command line that prints words has no way to say that a turn is over but to end well.
fn ends_silently(judged: &Judged<'_>) -> bool {
    use spalla_adapter::listen::Format;
    let says_nothing = matches!(judged.turn.output, Format::Text | Format::JsonlEvents);
    says_nothing && judged.turn.exit_code() == Some(0)
}

/// Says in one line what came of it.
pub(super) fn summary(judged: &Judged<'_>) -> String {
    let title = &judged.definition.title;
    match judged.change {
        None => format!("{title} answered"),
        Some(Change { file_count, insertions, deletions, .. }) => {
            let files = if *file_count == 1 { "1 file".to_owned() } else { format!("{file_count} files") };
            format!("{title} changed {files} (+{insertions} −{deletions})")
        }
    }
}

/// Returns what the run's record keeps of it.
pub(super) fn result(
    judged: &Judged<'_>,
    events: &Path,
    recoveries: &[Recovery],
    turns: u32,
    report: &Path,
) -> Value {
    let markdown = write_report(judged, report);
    json!({
        "agent": judged.definition.name,
        "summary": summary(judged),
        "answer": judged.turn.words,
        "change": judged.change,
        "turns": turns,
        "thread": judged.turn.thread,
        "recoveries": recoveries,
        "denied": judged.turn.denied.iter().map(|denied| &denied.reason).collect::<Vec<_>>(),
        "events": events,
        "report": markdown,
        "workspace": judged.run.label(),
    })
}

/// Writes the report for people; none where that can't be done.
fn write_report(judged: &Judged<'_>, folder: &Path) -> Option<PathBuf> {
    let mut text = format!("# {}\n\n{}\n", judged.run.assignment.title, summary(judged));
    if let Some(change) = judged.change {
        text.push('\n');
        for file in &change.files {
            let _ = writeln!(text, "- {} `{}`", file.status, file.path.replace('`', "'"));
        }
    }
    if let Some(words) = &judged.turn.words {
        let _ = writeln!(text, "\n## What {} says\n\n{}", judged.definition.title, words.trim_end());
    }
    let path = folder.join("report.md");
    let text = judged.run.log.masked(text);
    match crash_point!("worker.agent.report.write", std::fs::write(&path, text)) {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "the report of an agent's run is not written");
            None
        }
    }
}
