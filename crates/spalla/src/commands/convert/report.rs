//! What a conversion tells: every problem, and what was published.

use crate::definitions::Outcome;
use crate::failure::Result;
use crate::output;
use serde::Serialize;
use serde_json::json;
use spalla_registry::problem::{Problem, Severity};
use std::collections::BTreeMap;
use std::path::Path;

/// How many stale files are named.
const STALE_MAX: usize = 20;

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    stale: bool,
    #[serde(rename = "generatedAt")]
    generated_at: &'a str,
    agents: usize,
    documents: usize,
    broken: usize,
    written: &'a [String],
    removed: &'a [String],
    unchanged: usize,
    problems: &'a [Problem],
}

/// Prints it as JSON; on one line where more of them follow.
pub(crate) fn json(outcome: &Outcome, is_check: bool, more_follow: bool) -> Result<()> {
    let (converted, changes) = (&outcome.converted, &outcome.changes);
    let stale = is_check && !changes.is_none();
    let report = Report {
        ok: !converted.has_errors() && !stale,
        stale,
        generated_at: &outcome.generated_at,
        agents: converted.definitions.len(),
        documents: converted.documents,
        broken: converted.broken,
        written: &changes.written,
        removed: &changes.removed,
        unchanged: changes.unchanged,
        problems: &converted.problems,
    };
    if more_follow { output::line(json!(report)) } else { output::json(&report) }
}

/// Prints it for people: problems on standard error, the sum on standard output.
pub(crate) fn text(outcome: &Outcome, out: &Path, is_check: bool, is_quiet: bool) -> Result<()> {
    let problems = &outcome.converted.problems;
    let shown = problems.iter().filter(|problem| {
        problem.severity > Severity::Note && !is_quiet || problem.severity == Severity::Error
    });
    for problem in shown {
        let word = match problem.severity {
            Severity::Error => output::bad("error:").to_string(),
            Severity::Warning | Severity::Note => output::notable("warning:").to_string(),
        };
        anstream::eprintln!("{word} {}", output::plain(&problem.to_string()));
    }
    if is_quiet {
        return Ok(());
    }
    for note in notes(problems) {
        anstream::eprintln!("{} {}", output::quiet("note:"), output::plain(&note));
    }
    sum(outcome, out, is_check)
}

/// Says once what many files have in common.
fn notes(problems: &[Problem]) -> Vec<String> {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Note) {
        files.entry(&problem.message).or_default().push(&problem.path);
    }
    let note = |(message, files): (&str, Vec<&str>)| match files.as_slice() {
        [one] => format!("{one}: {message}"),
        [first, ..] => format!("{first} and {} more: {message}", files.len() - 1),
        [] => message.to_owned(),
    };
    files.into_iter().map(note).collect()
}

fn sum(outcome: &Outcome, out: &Path, is_check: bool) -> Result<()> {
    let (converted, changes) = (&outcome.converted, &outcome.changes);
    let agents = converted.definitions.len();
    let warnings = converted.problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
    let told = format!(
        "{agents} agents, {} documents passed over, {} files not converted, {warnings} warnings",
        converted.documents, converted.broken
    );
    output::line(&told)?;
    let (written, removed) = (changes.written.len(), changes.removed.len());
    let place = out.display();
    match (is_check, changes.is_none()) {
        (true, true) => output::line(format!("{place} is up to date")),
        (true, false) => {
            for path in changes.written.iter().chain(&changes.removed).take(STALE_MAX) {
                output::line(format!("stale: {path}"))?;
            }
            output::line(format!(
                "{place} is stale: {written} files to write, {removed} to remove; run `spalla convert`"
            ))
        }
        (false, true) => output::line(format!("{place} is as it was")),
        (false, false) => output::line(format!(
            "{place}: {written} files written, {removed} removed, {} as they were",
            changes.unchanged
        )),
    }
}
