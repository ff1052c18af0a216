//! The report for people, as Markdown, and for programs, as JSON of the form `spalla.verification/1`.

use super::{Counts, Outcome, Step, Verification};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Failed tests that are named on the page; the JSON names more.
const TESTS_SHOWN: usize = 20;
/// Last lines of a failed command on the page; the JSON has more.
const LINES_SHOWN: usize = 60;

impl Verification {
    pub(super) fn as_markdown(&self) -> String {
        let mut text = format!("# Verification: {}\n\n{}\n", self.verdict().as_str(), self.summary());
        if let Some(commit) = &self.commit {
            let _ = writeln!(text, "\nCommit {commit}.");
        }
        if !self.steps.is_empty() {
            text.push_str("\n| command | outcome | tests passed / failed / skipped | seconds |\n| --- | --- | --- | --- |\n");
        }
        for step in &self.steps {
            let _ = writeln!(text, "{}", row(step));
        }
        for (command, why) in self.unverified_steps() {
            let _ = writeln!(text, "\nUnverified, `{}`: {why}.", one_line(command));
        }
        for what in &self.unknown {
            let _ = writeln!(text, "\nNot known how to {what} this project.");
        }
        self.failed_tests(&mut text);
        for step in self.failed() {
            let error = step.outcome.reason().unwrap_or_default();
            let output = &step.output[step.output.len().saturating_sub(LINES_SHOWN)..];
            let fence = fence_for(output);
            let _ = writeln!(
                text,
                "\n## `{}`\n\n{error}\n\n{fence}text\n{}\n{fence}",
                one_line(&step.command),
                output.join("\n")
            );
        }
        text
    }

    fn failed_tests(&self, text: &mut String) {
        let all: Vec<_> =
            self.steps.iter().filter_map(|step| step.tests.as_ref()).flat_map(|t| &t.failures).collect();
        if all.is_empty() {
            return;
        }
        text.push_str("\n## Failed tests\n\n");
        for test in all.iter().take(TESTS_SHOWN) {
            let place = match (&test.file, test.line) {
                (Some(file), Some(line)) => format!(" ({file}:{line})"),
                (Some(file), None) => format!(" ({file})"),
                (None, _) => String::new(),
            };
            let message = if test.message.is_empty() { String::new() } else { format!(": {}", test.message) };
            let _ = writeln!(text, "- `{}`{place}{message}", one_line(&test.name));
        }
        if all.len() > TESTS_SHOWN {
            let _ = writeln!(text, "- {} more", all.len() - TESTS_SHOWN);
        }
    }

    pub(super) fn as_json(&self) -> Value {
        let steps = self.steps.iter().map(|step| {
            json!({
                "command": step.command, "outcome": word(&step.outcome), "passed": step.outcome == Outcome::Passed,
                "skipped": step.outcome == Outcome::NotRun, "exit_code": step.exit_code, "duration_ms": step.duration_ms,
                "error": step.outcome.reason(), "tests": step.tests, "output": step.output,
            })
        });
        json!({
            "format": "spalla.verification/1", "goal": self.goal, "commit": self.commit, "verdict": self.verdict().as_str(),
            "summary": self.summary(), "unverified": self.unverified, "unknown": self.unknown, "tests": self.counts(),
            "steps": steps.collect::<Vec<_>>(),
        })
    }
}

fn row(step: &Step) -> String {
    let outcome = match &step.outcome {
        Outcome::Failed(_) => "**failed**",
        other => word(other),
    };
    let tests = step.tests.as_ref().map_or_else(
        || "–".to_owned(),
        |tests| {
            let Counts { passed, failed, skipped } = tests.counts;
            format!("{passed} / {failed} / {skipped}")
        },
    );
    let command = one_line(&step.command).replace('|', "\\|");
    format!("| `{command}` | {outcome} | {tests} | {:.1} |", step.duration_ms as f64 / 1e3)
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::NotRun => "not run",
        Outcome::Unverified(_) => "unverified",
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r', '`'], " ")
}

/// A fence longer than any in the text, so that what a command prints can't end it.
fn fence_for(output: &[String]) -> String {
    let longest = |line: &String| line.len() - line.trim_start_matches('`').len();
    let ticks = output.iter().map(longest).max().unwrap_or(0);
    "`".repeat(3.max(ticks + 1))
}
