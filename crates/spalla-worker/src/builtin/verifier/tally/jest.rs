//! jest: `Tests:       1 failed, 1 skipped, 1 todo, 1 passed, 4 total`.

use super::{Counts, FailedTest, Failures, Runner, numbered, pattern};
use regex::Regex;
use std::sync::LazyLock;

static TESTS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^Tests: +(.*\d+ total)$"));
static SUITE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^ ?FAIL (?:\S+ )?(\S+\.[cm]?[jt]sx?)(?: \(.*\))?$"));
static BULLET: LazyLock<Regex> = LazyLock::new(|| pattern(r"^  ● (.+)$"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ +at .*?\(?([^\s(]+):(\d+):\d+\)?$"));

/// What jest says of a file that it can't even begin with.
const NOT_RUN: &str = "Test suite failed to run";

#[derive(Debug, Default)]
pub(super) struct Jest {
    counts: Option<Counts>,
    suite: Option<String>,
    /// The failure that the lines speak of.
    current: Option<String>,
    suites_not_run: u64,
    failures: Failures,
}

impl Runner for Jest {
    fn hear(&mut self, line: &str) {
        if let Some(found) = TESTS.captures(line) {
            self.close(&found[1]);
        } else if let Some(found) = SUITE.captures(line) {
            self.suite = Some(found[1].to_owned());
        } else if let Some(found) = BULLET.captures(line) {
            self.failed(&found[1]);
        } else if let Some(name) = &self.current
            && let Some(failure) = self.failures.of(name)
        {
            match PLACE.captures(line) {
                Some(found) if line.contains("node_modules") => drop(found),
                Some(found) => {
                    let file = failure.file.take().unwrap_or_else(|| found[1].to_owned());
                    if failure.line.is_none() {
                        failure.line = found[2].parse().ok();
                    }
                    failure.file = Some(file);
                }
                None if !line.trim().is_empty() => failure.say(line),
                None => {}
            }
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.counts
    }

    fn failures(&self) -> Vec<FailedTest> {
        self.failures.0.clone()
    }
}

impl Jest {
    /// The failures stand below their file, and once more at the end where there are many files.
    fn failed(&mut self, title: &str) {
        let suite = self.suite.clone().unwrap_or_default();
        let name = format!("{suite} › {title}");
        self.current = Some(name.clone());
        if let Some(failure) = self.failures.add(&name) {
            failure.file = Some(suite).filter(|suite| !suite.is_empty());
            self.suites_not_run += u64::from(title == NOT_RUN);
        } else {
            self.current = None;
        }
    }

    fn close(&mut self, text: &str) {
        let mut counts = self.counts.unwrap_or_default();
        for (number, word) in numbered(text, ", ") {
            match word.as_str() {
                "passed" => counts.passed += number,
                "failed" => counts.failed += number,
                "skipped" | "todo" => counts.skipped += number,
                _ => {}
            }
        }
        counts.failed += std::mem::take(&mut self.suites_not_run);
        self.counts = Some(counts);
        self.current = None;
    }
}
