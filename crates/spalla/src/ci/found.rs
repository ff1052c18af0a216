//! Places with what was found there: by the verifier, by the surveyor, and by the checks before a merge.

use super::gathered::{Case, Suite, Verdict};
use super::{TEXT_BYTES_MAX, bounded};
use serde_json::Value;
use std::fs::File;
use std::io::Read as _;

/// The longest report that is read, in bytes.
const REPORT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many lines of a command's output go into a case.
const LINES_MAX: usize = 200;
/// How many findings are taken of one report.
const FINDINGS_MAX: usize = 5_000;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Which rule says so.
    pub(crate) rule: String,
    /// How much it matters.
    pub(crate) level: Level,
    /// What it is.
    pub(crate) message: String,
    /// The file, beneath the top of the repository; none where it has no place.
    pub(crate) file: Option<String>,
    /// The line, from one.
    pub(crate) line: Option<u32>,
    /// The column, from one.
    pub(crate) column: Option<u32>,
}

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It has to be mended.
    Error,
    /// It should be looked at.
    Warning,
    /// It is worth knowing.
    Note,
}

impl Level {
    /// Returns its name in SARIF.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Reads a report that a built-in agent wrote; one that can't be read says nothing.
pub(super) fn read_report(path: &str) -> Option<Value> {
    let mut text = String::new();
    File::open(path).ok()?.take(REPORT_BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Returns the case of a step that was carried out before a merge.
pub(super) fn case_of_step(step: &Value) -> Case {
    let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let verdict = match (step["error"].as_str(), step["skipped"].as_bool()) {
        (Some(error), _) => Verdict::Failed(bounded(error, TEXT_BYTES_MAX)),
        (None, Some(true)) => Verdict::Skipped("it was not reached".to_owned()),
        (None, _) => Verdict::Passed,
    };
    let duration_ms = step["duration_ms"].as_u64().unwrap_or(0);
    Case { class: "spalla.checks".to_owned(), name: text("run"), duration_ms, verdict, place: None }
}

/// Returns the suites of a verifier's report: of its commands, and of the tests of each.
pub(super) fn suites_of_verification(report: &Value, began_at: Option<i64>) -> Vec<Suite> {
    if !report["format"].as_str().is_some_and(|format| format.starts_with("spalla.verification/")) {
        return Vec::new();
    }
    let steps = report["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let commands =
        Suite { name: "verifier".to_owned(), began_at, cases: steps.iter().map(case_of_command).collect() };
    let tests = steps.iter().map(|step| Suite {
        name: text(&step["command"]),
        began_at,
        cases: failures(step).iter().map(|failure| case_of_test(&step["command"], failure)).collect(),
    });
    std::iter::once(commands).chain(tests).collect()
}

fn case_of_command(step: &Value) -> Case {
    let output = step["output"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<&str> = output.iter().filter_map(Value::as_str).collect();
    let lines = lines[lines.len().saturating_sub(LINES_MAX)..].join("\n");
    let error = text(&step["error"]);
    let verdict = match step["outcome"].as_str() {
        Some("passed") => Verdict::Passed,
        Some("failed") => Verdict::Failed(bounded(&format!("{error}\n{lines}"), TEXT_BYTES_MAX)),
        Some("unverified") => Verdict::Skipped(error),
        _ => Verdict::Skipped("it was not reached".to_owned()),
    };
    let duration_ms = step["duration_ms"].as_u64().unwrap_or(0);
    Case {
        class: "spalla.verifier".to_owned(),
        name: text(&step["command"]),
        duration_ms,
        verdict,
        place: None,
    }
}

fn case_of_test(command: &Value, failure: &Value) -> Case {
    let message = text(&failure["message"]);
    let message = if message.is_empty() { "it failed".to_owned() } else { bounded(&message, TEXT_BYTES_MAX) };
    let place = relative(&text(&failure["file"])).zip(number(&failure["line"]));
    let name = text(&failure["name"]);
    Case { class: text(command), name, duration_ms: 0, verdict: Verdict::Failed(message), place }
}

fn failures(step: &Value) -> &[Value] {
    step["tests"]["failures"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Returns the places of a run's result and of its report.
pub(super) fn places_of_result(result: &Value, report: &Value) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let sarif = result["sarif"].as_str().and_then(read_report).unwrap_or(Value::Null);
    let results = sarif["runs"][0]["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    found.extend(results.iter().take(FINDINGS_MAX).map(of_sarif));
    let is_survey = report["format"].as_str().is_some_and(|format| format.starts_with("spalla.survey/"));
    let findings = report["findings"].as_array().filter(|_| is_survey).map(Vec::as_slice).unwrap_or_default();
    found.extend(findings.iter().take(FINDINGS_MAX).map(of_survey));
    let steps = result["red"]["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = steps.iter().filter_map(|step| Some((text(&step["run"]), step["error"].as_str()?)));
    found.extend(failed.map(|(run, error)| Found {
        rule: "command-failed".to_owned(),
        level: Level::Error,
        message: bounded(&format!("{run}: {error}"), TEXT_BYTES_MAX),
        file: None,
        line: None,
        column: None,
    }));
    found
}

fn of_sarif(result: &Value) -> Found {
    let place = &result["locations"][0]["physicalLocation"];
    let level = match result["level"].as_str() {
        Some("note" | "none") => Level::Note,
        Some("warning") => Level::Warning,
        _ => Level::Error,
    };
    Found {
        rule: rule(&text(&result["ruleId"])),
        level,
        message: bounded(&text(&result["message"]["text"]), TEXT_BYTES_MAX),
        file: relative(&text(&place["artifactLocation"]["uri"])),
        line: number(&place["region"]["startLine"]),
        column: number(&place["region"]["startColumn"]),
    }
}

fn of_survey(finding: &Value) -> Found {
    let level = match finding["severity"].as_str() {
        Some("high") => Level::Error,
        Some("medium") => Level::Warning,
        _ => Level::Note,
    };
    // The surveyor looks and does not judge: nothing that it finds fails a pipeline.
    let level = level.max(Level::Warning);
    let rule = rule(&text(&finding["rule"]));
    let message = format!("{rule}: {}", text(&finding["excerpt"]));
    Found {
        message: bounded(&message, TEXT_BYTES_MAX),
        rule,
        level,
        file: relative(&text(&finding["file"])),
        line: number(&finding["line"]),
        column: None,
    }
}

/// Returns the name of a rule as every reader takes it.
fn rule(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_./".contains(c) { c } else { '-' };
    let name: String = name.chars().take(100).map(plain).collect();
    if name.is_empty() { "finding".to_owned() } else { name }
}

/// Returns a path beneath the top of the repository; none for one that leads out of it.
fn relative(path: &str) -> Option<String> {
    let path = path.trim_start_matches("./");
    let leads_out = path.split('/').any(|part| part == "..") || path.starts_with('/') || path.contains("://");
    (!path.is_empty() && !leads_out && !path.contains('\0')).then(|| path.to_owned())
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
