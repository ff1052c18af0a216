//! Python's unittest: `Ran 6 tests in 0.001s` and `FAILED (failures=2, errors=1, skipped=1)`.

use super::{Counts, FailedTest, Failures, Runner, pattern};
use regex::Regex;
use std::sync::LazyLock;

static RAN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^Ran (\d+) tests? in [\d.]+s$"));
static CLOSING: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:OK|FAILED|NO TESTS RAN)(?: \((.*)\))?$"));
static HEADING: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:FAIL|ERROR): (\w+ \(\S+\).*)$"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"^  File "(.+?)", line (\d+), in "#));

#[derive(Debug, Default)]
pub(super) struct Unittest {
    ran: Option<u64>,
    counts: Option<Counts>,
    place: Option<(String, String)>,
    last: String,
    failures: Failures,
    is_open: bool,
}

impl Runner for Unittest {
    fn hear(&mut self, line: &str) {
        if let Some(found) = HEADING.captures(line) {
            self.end_section();
            self.is_open = self.failures.add(&found[1]).is_some();
        } else if let Some(found) = RAN.captures(line) {
            self.end_section();
            self.ran = found[1].parse().ok();
        } else if let (Some(ran), Some(found)) = (self.ran, CLOSING.captures(line)) {
            self.close(ran, found.get(1).map_or("", |rest| rest.as_str()));
        } else if let Some(found) = PLACE.captures(line).filter(|_| self.is_open) {
            self.place = Some((found[1].to_owned(), found[2].to_owned()));
        } else if self.is_open && !line.is_empty() && !line.starts_with(['-', '=', ' ']) {
            self.last = line.to_owned();
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.counts
    }

    fn failures(&self) -> Vec<FailedTest> {
        self.failures.0.clone()
    }
}

impl Unittest {
    /// What stands last before the next heading is the error itself.
    fn end_section(&mut self) {
        let (place, last) = (self.place.take(), std::mem::take(&mut self.last));
        if let Some(failure) = self.failures.0.last_mut().filter(|_| self.is_open) {
            failure.say(&last);
            if let Some((file, line)) = place {
                failure.at(&file, &line);
            }
        }
        self.is_open = false;
    }

    fn close(&mut self, ran: u64, rest: &str) {
        let of = |name: &str| -> u64 {
            let values = rest.split(", ").filter_map(|part| part.split_once('='));
            values.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse().ok()).unwrap_or(0)
        };
        let failed = of("failures") + of("errors") + of("unexpected successes");
        let skipped = of("skipped") + of("expected failures");
        let mut counts = self.counts.unwrap_or_default();
        // A test with several failed parts counts once for each of them.
        counts += Counts { passed: ran.saturating_sub(failed + skipped), failed, skipped };
        self.counts = Some(counts);
        self.ran = None;
    }
}
