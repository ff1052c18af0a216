//! Node's own test runner: `# pass 2` and its relatives after a TAP stream, and `ℹ pass 2` in its newer report.

use super::{Counts, FailedTest, Failures, Runner, pattern};
use regex::Regex;
use std::sync::LazyLock;

static COUNT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:#|ℹ) (tests|pass|fail|cancelled|skipped|todo) (\d+)$"));
static NOT_OK: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ *not ok \d+ (?:- )?(.+?)$"));
static MEMBER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^ +(location|error|failureType|type): '?(.*?)'?$"));
static CROSS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^✖ (.+?) \([\d.]+ms\)$"));
static TEST_AT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^test at (.+?):(\d+):\d+$"));

#[derive(Debug, Default)]
pub(super) struct Node {
    counts: Counts,
    has_begun: bool,
    is_closed: bool,
    current: Option<String>,
    /// Whether the failures are listed once more, at the end.
    is_listing: bool,
    place: Option<(String, String)>,
    failures: Failures,
}

impl Runner for Node {
    fn hear(&mut self, line: &str) {
        if let Some(found) = COUNT.captures(line) {
            self.count(&found[1], found[2].parse().unwrap_or(0));
        } else if let Some(found) = NOT_OK.captures(line) {
            let name = found[1].split(" # ").next().unwrap_or_default().to_owned();
            let is_excused = found[1].contains(" # TODO") || found[1].contains(" # SKIP");
            if !is_excused {
                self.failures.add(&name);
            }
            self.current = Some(name);
        } else if let Some(found) = MEMBER.captures(line) {
            self.member(&found[1], &found[2]);
        } else if line == "✖ failing tests:" {
            self.is_listing = true;
        } else if self.is_listing {
            self.listed(line);
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.is_closed.then_some(self.counts)
    }

    fn failures(&self) -> Vec<FailedTest> {
        self.failures.0.clone()
    }
}

impl Node {
    fn count(&mut self, word: &str, number: u64) {
        match word {
            "tests" => self.has_begun = true,
            _ if !self.has_begun => {}
            "pass" => (self.counts.passed, self.is_closed) = (self.counts.passed + number, true),
            "fail" | "cancelled" => self.counts.failed += number,
            _ => self.counts.skipped += number,
        }
    }

    fn member(&mut self, key: &str, value: &str) {
        let Some(name) = self.current.clone() else { return };
        let is_group = (key, value) == ("type", "suite") || (key, value) == ("failureType", "subtestsFailed");
        if is_group {
            // A group fails with what is in it; that was told already.
            self.failures.0.retain(|known| known.name != name);
            self.current = None;
        } else if let Some(failure) = self.failures.of(&name) {
            match (key, value.rsplitn(3, ':').collect::<Vec<_>>().as_slice()) {
                ("location", [_, line, file]) => failure.at(file, line),
                ("error", _) => failure.say(value),
                _ => {}
            }
        }
    }

    fn listed(&mut self, line: &str) {
        if let Some(found) = TEST_AT.captures(line) {
            self.place = Some((found[1].to_owned(), found[2].to_owned()));
        } else if let Some(found) = CROSS.captures(line) {
            let place = self.place.take();
            if let (Some(failure), Some((file, line))) = (self.failures.add(&found[1]), place) {
                failure.at(&file, &line);
            }
            self.current = Some(found[1].to_owned());
        } else if let Some(failure) = self.current.as_deref().and_then(|name| self.failures.of(name))
            && !line.trim().is_empty()
        {
            failure.say(line);
        }
    }
}
