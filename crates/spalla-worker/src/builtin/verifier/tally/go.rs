//! go test: `--- FAIL: TestBad (0.00s)` for each test where it is asked with `-v`, and a line for each package. Without `-v`
//! passed tests are not printed, and a package that passes counts as one.

use super::{Counts, FailedTest, Failures, Runner, pattern};
use regex::Regex;
use std::sync::LazyLock;

static TEST: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ *--- (PASS|FAIL|SKIP): (\S+) \([\d.]+s\)$"));
static RUN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^=== (?:RUN|CONT|NAME) +(\S+)$"));
static PACKAGE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(ok|FAIL|\?) *\t(\S+)(?:\t|\s+\[)(.*)$"));
static PLACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ +(\S+\.go):(\d+): (.*)$"));

/// File, line and words.
type Said = (String, String, String);

#[derive(Debug, Default)]
pub(super) struct Go {
    tests: Counts,
    packages: Counts,
    is_verbose: bool,
    is_closed: bool,
    /// The test that runs.
    current: Option<String>,
    /// What a test said first, before it is known to have failed.
    said: Option<(Option<String>, Said)>,
    failures: Failures,
}

impl Runner for Go {
    fn hear(&mut self, line: &str) {
        if let Some(found) = RUN.captures(line) {
            self.is_verbose = true;
            self.current = Some(found[1].to_owned());
        } else if let Some(found) = TEST.captures(line) {
            self.test(&found[1], &found[2]);
        } else if let Some(found) = PACKAGE.captures(line) {
            self.package(&found[1], &found[2], &found[3]);
        } else if let Some(found) = PLACE.captures(line) {
            let said = (found[1].to_owned(), found[2].to_owned(), found[3].to_owned());
            match self.current.as_deref().and_then(|name| self.failures.of(name)) {
                Some(failure) => Self::tell(failure, &said),
                None if self.said.as_ref().is_none_or(|(by, _)| *by != self.current) => {
                    self.said = Some((self.current.clone(), said));
                }
                None => {}
            }
        }
    }

    fn counts(&self) -> Option<Counts> {
        self.is_closed.then(|| if self.is_verbose { self.tests } else { self.of_packages() })
    }

    fn failures(&self) -> Vec<FailedTest> {
        self.failures.0.clone()
    }
}

impl Go {
    fn tell(failure: &mut FailedTest, (file, line, message): &Said) {
        failure.at(file, line);
        failure.say(message);
    }

    fn test(&mut self, outcome: &str, name: &str) {
        match outcome {
            "PASS" => self.tests.passed += 1,
            "SKIP" => self.tests.skipped += 1,
            _ => {
                self.tests.failed += 1;
                // With `-v` what a test said stands before this line, and otherwise behind it.
                let said = self.said.take_if(|(by, _)| by.as_deref() == Some(name));
                if let (Some(failure), Some((_, said))) = (self.failures.add(name), said) {
                    Self::tell(failure, &said);
                }
                self.current = Some(name.to_owned());
            }
        }
    }

    fn package(&mut self, outcome: &str, name: &str, rest: &str) {
        self.is_closed = true;
        self.current = None;
        match outcome {
            "ok" => self.packages.passed += 1,
            "FAIL" if rest.contains("failed]") => {
                // It never came to its tests.
                self.tests.failed += 1;
                if let Some(failure) = self.failures.add(name) {
                    failure.say(rest.trim_matches(['[', ']', ' ']));
                }
            }
            _ => {}
        }
    }

    fn of_packages(&self) -> Counts {
        Counts { passed: self.packages.passed, ..self.tests }
    }
}
