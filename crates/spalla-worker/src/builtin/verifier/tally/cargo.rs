//! cargo test, which closes each of its programs with `test result: …`, and cargo nextest, which closes once.

use super::{Counts, FailedTest, Failures, Runner, pattern};
use regex::Regex;
use std::sync::LazyLock;

static RESULT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;"));
static NEXTEST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s+Summary \[.*\] +(?:\d+/)?\d+ tests? run: (\d+) passed(.*)$"));
static NEXTEST_PART: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(\d+) (failed|timed out|exec failed|skipped)"));
static NEXTEST_FAILED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^\s+(?:FAIL|TIMEOUT|SIGABRT|SIGSEGV) \[ *[\d.]+s\] (?:\( *\d+/\d+\) )?(\S.*)$")
});
static FAILED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^test (.+?)(?: - should panic)? \.\.\. FAILED$"));
static HEADING: LazyLock<Regex> = LazyLock::new(|| pattern(r"^---- (.+?)(?: - should panic)? stdout ----$"));
static PANICKED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^thread '(.+?)'(?: \(\d+\))? panicked at (.+?):(\d+):\d+:$"));

#[derive(Debug, Default)]
pub(super) struct Cargo {
    counts: Option<Counts>,
    failures: Failures,
    /// Of whom the lines speak.
    current: Option<String>,
}

impl Runner for Cargo {
    fn hear(&mut self, line: &str) {
        if let Some(found) = RESULT.captures(line) {
            let number = |at: usize| found[at].parse().unwrap_or(0);
            self.add(Counts { passed: number(1), failed: number(2), skipped: number(3) });
        } else if let Some(found) = NEXTEST.captures(line) {
            let mut counts = Counts { passed: found[1].parse().unwrap_or(0), ..Counts::default() };
            for part in NEXTEST_PART.captures_iter(&found[2]) {
                let number: u64 = part[1].parse().unwrap_or(0);
                *(if &part[2] == "skipped" { &mut counts.skipped } else { &mut counts.failed }) += number;
            }
            self.add(counts);
        } else if let Some(found) = FAILED.captures(line).or_else(|| NEXTEST_FAILED.captures(line)) {
            self.failures.add(&found[1]);
        } else if let Some(found) = HEADING.captures(line) {
            self.current = Some(found[1].to_owned());
        } else if let Some(found) = PANICKED.captures(line) {
            self.current = Some(found[1].to_owned());
            if let Some(failure) = self.failures.of(&found[1]) {
                failure.at(&found[2], &found[3]);
            }
        } else if !line.is_empty()
            && let Some(failure) = self.current.as_deref().and_then(|name| self.failures.of(name))
        {
            failure.say(line);
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.counts
    }

    fn failures(&self) -> Vec<FailedTest> {
        self.failures.0.clone()
    }
}

impl Cargo {
    fn add(&mut self, more: Counts) {
        let mut counts = self.counts.unwrap_or_default();
        counts += more;
        self.counts = Some(counts);
    }
}
