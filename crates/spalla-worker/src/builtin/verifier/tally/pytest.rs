//! pytest: `= 3 failed, 2 passed, 1 skipped in 0.06s =`, and the short summary before it.

use super::{Counts, FailedTest, Failures, Runner, numbered, pattern};
use regex::Regex;
use std::collections::HashMap;
use std::sync::LazyLock;

static CLOSING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+|no tests ran) in [\d.]+s(?: \([\d:]+\))?(?: =+)?$")
});
static HEADING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^_+ (?:ERROR (?:at \w+ of|collecting) )?(.+?) _+$"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(\S+\.py):(\d+): (?:\w|in )"));
static SUMMARY: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(FAILED|ERROR) (\S.*?)(?: - (.*))?$"));

/// Headings whose places are kept; a run with more failures has other troubles.
const HEADINGS_MAX: usize = 500;

#[derive(Debug, Default)]
pub(super) struct Pytest {
    counts: Option<Counts>,
    heading: Option<String>,
    places: HashMap<String, (String, String)>,
    in_summary: bool,
    failures: Failures,
}

impl Runner for Pytest {
    fn hear(&mut self, line: &str) {
        if let Some(found) = CLOSING.captures(line) {
            self.close(&found[1]);
        } else if line.starts_with("=") {
            self.in_summary = line.contains("short test summary info");
        } else if self.in_summary {
            self.summary(line);
        } else if let Some(found) = HEADING.captures(line) {
            self.heading = Some(found[1].to_owned());
        } else if let (Some(heading), Some(found)) = (&self.heading, PLACE.captures(line))
            && self.places.len() < HEADINGS_MAX
        {
            // The last place of a section is where it went wrong.
            self.places.insert(heading.clone(), (found[1].to_owned(), found[2].to_owned()));
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.counts
    }

    fn failures(&self) -> Vec<FailedTest> {
        self.failures.0.clone()
    }
}

impl Pytest {
    fn close(&mut self, text: &str) {
        let mut counts = self.counts.unwrap_or_default();
        for (number, word) in numbered(text, ", ") {
            match word.as_str() {
                "passed" | "xpassed" => counts.passed += number,
                "failed" | "error" | "errors" => counts.failed += number,
                "skipped" | "xfailed" => counts.skipped += number,
                _ => {}
            }
        }
        self.counts = Some(counts);
        self.in_summary = false;
    }

    fn summary(&mut self, line: &str) {
        let Some(found) = SUMMARY.captures(line) else { return };
        // `test_a.py::TestC::test_m` stands beneath the heading `TestC.test_m`.
        let inner =
            found[2].split_once("::").map_or(found[2].to_owned(), |(_, inner)| inner.replace("::", "."));
        let place = self.places.get(&inner).cloned();
        let Some(failure) = self.failures.add(&found[2]) else { return };
        failure.say(found.get(3).map_or("", |message| message.as_str()));
        match place {
            Some((file, line)) => failure.at(&file, &line),
            None => failure.file = Some(found[2].split("::").next().unwrap_or_default().to_owned()),
        }
    }
}
