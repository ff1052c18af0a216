//! vitest: `      Tests  1 failed | 1 passed | 1 skipped | 1 todo (4)`.

use super::{Counts, FailedTest, Failures, Runner, numbered, pattern};
use regex::Regex;
use std::sync::LazyLock;

static TESTS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ +Tests +(.+?)(?: \(\d+\))?$"));
static FILES: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ +Test Files +\d+ "));
static FAILED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ FAIL  (?:\|[^|]*\| )?(\S.*)$"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ ❯ (?:\S+ )?(\S+?):(\d+):\d+$"));

#[derive(Debug, Default)]
pub(super) struct Vitest {
    counts: Option<Counts>,
    is_closing: bool,
    current: Option<String>,
    files_not_run: u64,
    failures: Failures,
}

impl Runner for Vitest {
    fn hear(&mut self, line: &str) {
        if FILES.is_match(line) {
            self.is_closing = true;
        } else if let Some(found) = TESTS.captures(line).filter(|_| self.is_closing) {
            self.close(&found[1]);
        } else if let Some(found) = FAILED.captures(line) {
            let name = found[1].to_owned();
            if self.failures.add(&name).is_some() {
                self.files_not_run += u64::from(!name.contains(" > "));
            }
            self.current = Some(name);
        } else if let Some(failure) = self.current.as_deref().and_then(|name| self.failures.of(name)) {
            match PLACE.captures(line) {
                Some(found) => failure.at(&found[1], &found[2]),
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

impl Vitest {
    fn close(&mut self, text: &str) {
        let mut counts = self.counts.unwrap_or_default();
        for (number, word) in numbered(text, " | ") {
            match word.as_str() {
                "passed" => counts.passed += number,
                "failed" => counts.failed += number,
                "skipped" | "todo" => counts.skipped += number,
                _ => {}
            }
        }
        counts.failed += std::mem::take(&mut self.files_not_run);
        self.counts = Some(counts);
        (self.is_closing, self.current) = (false, None);
    }
}
