//! Maven's Surefire and Failsafe (`Tests run: 4, Failures: 1, Errors: 1, Skipped: 1`), and Gradle, which only counts where
//! something failed (`4 tests completed, 2 failed, 1 skipped`). Where either wrote reports, those say more.

use super::{Counts, FailedTest, Failures, Runner, pattern};
use regex::Regex;
use std::sync::LazyLock;

static RUN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:\[\w+\] )?Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)(?:, Flakes: \d+)?$",
    )
});
static FAILED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\[ERROR\] {3}([\w$.]+(?:\[[^\]]*\])?)(?::(\d+))?(?:->[\w$.:>-]+)? (.+)$"));
static COMPLETED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(\d+) tests? completed(?:, (\d+) failed)?(?:, (\d+) skipped)?$"));
static GRADLE_FAILED: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(\S+ > .+) FAILED$"));

#[derive(Debug, Default)]
pub(super) struct Jvm {
    counts: Option<Counts>,
    is_listing: bool,
    speaks_of: Option<String>,
    failures: Failures,
}

impl Runner for Jvm {
    fn hear(&mut self, line: &str) {
        if let Some(name) = self.speaks_of.take()
            && let Some(failure) = self.failures.of(&name)
        {
            failure.say(line);
        }
        if let Some(found) = RUN.captures(line) {
            let number = |at: usize| found[at].parse::<u64>().unwrap_or(0);
            let (failed, skipped) = (number(2) + number(3), number(4));
            self.add(Counts { passed: number(1).saturating_sub(failed + skipped), failed, skipped });
        } else if let Some(found) = COMPLETED.captures(line) {
            let number = |at: usize| found.get(at).map_or(0, |n| n.as_str().parse::<u64>().unwrap_or(0));
            let (failed, skipped) = (number(2), number(3));
            self.add(Counts { passed: number(1).saturating_sub(failed + skipped), failed, skipped });
        } else if matches!(line, "[ERROR] Failures:" | "[ERROR] Errors:") {
            self.is_listing = true;
        } else if let Some(found) = FAILED.captures(line).filter(|_| self.is_listing) {
            if let Some(failure) = self.failures.add(&found[1]) {
                failure.say(&found[3]);
                failure.line = found.get(2).and_then(|line| line.as_str().parse().ok());
            }
        } else if let Some(found) = GRADLE_FAILED.captures(line) {
            self.failures.add(&found[1]);
            self.speaks_of = Some(found[1].to_owned());
        } else if line.starts_with("[INFO]") {
            self.is_listing = false;
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.counts
    }

    fn failures(&self) -> Vec<FailedTest> {
        self.failures.0.clone()
    }
}

impl Jvm {
    fn add(&mut self, more: Counts) {
        let mut counts = self.counts.unwrap_or_default();
        counts += more;
        self.counts = Some(counts);
    }
}
