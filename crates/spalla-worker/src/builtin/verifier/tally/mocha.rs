//! mocha: `1 passing (15ms)`, `2 pending`, `1 failing`, and a numbered list of the failures.

use super::{Counts, FailedTest, Failures, Runner, pattern};
use regex::Regex;
use std::sync::LazyLock;

static COUNT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^ +(\d+) (passing|pending|failing)(?: \([\d.]+\w+\))?$"));
static ITEM: LazyLock<Regex> = LazyLock::new(|| pattern(r"^  \d+\) (\S.*)$"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ +at .*?\(?([^\s(]+):(\d+):\d+\)?$"));

#[derive(Debug, Default)]
pub(super) struct Mocha {
    counts: Option<Counts>,
    /// Whether the list of failures has begun.
    is_listing: bool,
    /// The parts of a title that have come so far.
    title: Vec<String>,
    current: Option<String>,
    failures: Failures,
}

impl Runner for Mocha {
    fn hear(&mut self, line: &str) {
        if let Some(found) = COUNT.captures(line) {
            self.count(found[1].parse().unwrap_or(0), &found[2]);
        } else if self.is_listing {
            self.listed(line);
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.counts
    }

    fn failures(&self) -> Vec<FailedTest> {
        self.failures.0.clone()
    }
}

impl Mocha {
    fn count(&mut self, number: u64, word: &str) {
        if word == "passing" {
            self.counts.get_or_insert_default().passed += number;
        }
        // Without the first line it is some other program's.
        let Some(counts) = &mut self.counts else { return };
        match word {
            "pending" => counts.skipped += number,
            "failing" => counts.failed += number,
            _ => {}
        }
        self.is_listing = word == "failing";
    }

    fn listed(&mut self, line: &str) {
        if let Some(found) = ITEM.captures(line) {
            self.title = vec![found[1].to_owned()];
            self.current = None;
            self.end_of_title();
        } else if self.current.is_none() && !self.title.is_empty() && !line.trim().is_empty() {
            self.title.push(line.trim().to_owned());
            self.end_of_title();
        } else if let Some(failure) = self.current.as_deref().and_then(|name| self.failures.of(name)) {
            match PLACE.captures(line) {
                Some(found) if line.contains("node_modules") || line.contains("node:") => drop(found),
                Some(found) => failure.at(&found[1], &found[2]),
                None if !line.trim().is_empty() => failure.say(line),
                None => {}
            }
        }
    }

    /// A title goes over several lines, and its last one ends with a colon.
    fn end_of_title(&mut self) {
        let title = self.title.join(" ");
        if let Some(name) = title.strip_suffix(':') {
            self.failures.add(name);
            self.current = Some(name.to_owned());
        }
    }
}
