//! The verifier's report: what was run to build, test and lint a project, and what came of it. For people as Markdown, for
//! programs as JSON, for CI as JUnit and SARIF.
//!
//! A step that could not be done here, since a program, a package or the network is missing, is unverified and never red.

mod ci;
pub(crate) mod junit_xml;
mod lacks;
mod places;
mod report;
mod tally;
mod wanted;

use serde_json::Value;
use spalla_crash::crash_point;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

pub use lacks::judge;
pub use tally::{Counts, FailedTest, Tally, Tests};
pub use wanted::wanted;

/// One command that was run.
#[derive(Debug, Clone)]
pub struct Step {
    /// The command.
    pub command: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The status it ended with; none where it did not come to that.
    pub exit_code: Option<i32>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The last lines that it printed.
    pub output: Vec<String>,
    /// What its test runners told; none where none was understood.
    pub tests: Option<Tests>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It went well.
    Passed,
    /// It did not, for this reason.
    Failed(String),
    /// It was not run, because one before it failed.
    NotRun,
    /// It could not be done here, for this reason; that says nothing about the project.
    Unverified(String),
}

/// What was verified.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The goal, in the person's words.
    pub goal: String,
    /// The commit.
    pub commit: Option<String>,
    /// The commands, in their order.
    pub steps: Vec<Step>,
    /// What was wanted, and is not known how to do.
    pub unknown: Vec<String>,
    /// Why nothing was run, where nothing was.
    pub unverified: Option<String>,
}

/// Where the report is.
#[derive(Debug, Clone)]
pub struct Paths {
    /// For people.
    pub markdown: PathBuf,
    /// For programs.
    pub json: PathBuf,
    /// For CI: test cases.
    pub junit: PathBuf,
    /// For CI: findings.
    pub sarif: PathBuf,
}

/// The three ends that a verification can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was run went well.
    Green,
    /// Something failed.
    Red,
    /// Nothing could be verified.
    Unverified,
}

impl Verdict {
    /// Returns the word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Red => "red",
            Self::Unverified => "unverified",
        }
    }
}

impl Verification {
    /// Says what came of it as a whole.
    pub fn verdict(&self) -> Verdict {
        let has = |wanted: fn(&Outcome) -> bool| self.steps.iter().any(|step| wanted(&step.outcome));
        match () {
            () if has(|outcome| matches!(outcome, Outcome::Failed(_))) => Verdict::Red,
            () if has(|outcome| *outcome == Outcome::Passed) => Verdict::Green,
            () => Verdict::Unverified,
        }
    }

    /// Says in one line what came of it.
    pub fn summary(&self) -> String {
        let unverified = self.unverified_steps();
        if self.verdict() == Verdict::Unverified {
            let why =
                self.unverified.clone().or_else(|| unverified.first().map(|(_, why)| (*why).to_owned()));
            return format!("nothing could be verified: {}", why.unwrap_or_else(|| "nothing was run".into()));
        }
        let failed: Vec<&str> = self.failed().map(|step| step.command.as_str()).collect();
        let passed = self.steps.iter().filter(|step| step.outcome == Outcome::Passed).count();
        let mut text = match failed.as_slice() {
            [] => format!("all passes: {passed} commands"),
            failed => format!("{passed} passed, {} failed: {}", failed.len(), failed.join(", ")),
        };
        if let Some(counts) = self.counts() {
            let Counts { passed, failed, skipped } = counts;
            let _ = write!(text, "; tests: {passed} passed, {failed} failed, {skipped} skipped");
        }
        if !unverified.is_empty() {
            let names: Vec<&str> = unverified.iter().map(|(command, _)| *command).collect();
            let _ = write!(text, "; unverified: {}", names.join(", "));
        }
        text
    }

    /// Returns the commands that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| matches!(step.outcome, Outcome::Failed(_)))
    }

    /// Returns how many tests there were; none where no runner was understood.
    pub fn counts(&self) -> Option<Counts> {
        let mut tests = self.steps.iter().filter_map(|step| step.tests.as_ref());
        let mut counts = tests.next()?.counts;
        tests.for_each(|more| counts += more.counts);
        Some(counts)
    }

    /// Writes the report into a folder.
    pub fn write(&self, folder: &Path) -> io::Result<Paths> {
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            crash_point!("worker.verifier.report.write", std::fs::write(&path, text)).map(|()| path)
        };
        Ok(Paths {
            markdown: write("report.md", self.as_markdown())?,
            json: write("report.json", pretty(&self.as_json()))?,
            junit: write("junit.xml", self.as_junit())?,
            sarif: write("report.sarif", pretty(&self.as_sarif()))?,
        })
    }

    /// Returns the commands that could not be done here, with the reasons.
    fn unverified_steps(&self) -> Vec<(&str, &str)> {
        let steps = self.steps.iter().filter(|step| matches!(step.outcome, Outcome::Unverified(_)));
        steps.filter_map(|step| Some((step.command.as_str(), step.outcome.reason()?))).collect()
    }
}

impl Outcome {
    /// Returns why it did not go well, or was not done.
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed(why) | Self::Unverified(why) => Some(why),
            Self::Passed | Self::NotRun => None,
        }
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).map(|text| format!("{text}\n")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
