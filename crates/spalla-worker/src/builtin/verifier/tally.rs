//! How many tests passed, failed and were skipped, by what their runners print. It hears a command's lines as they come, keeps
//! no more than the failures, and says nothing where no runner is known: a count that is not printed is never made up.

mod cargo;
mod go;
mod jest;
mod jvm;
mod mocha;
mod node;
mod pytest;
#[cfg(test)]
mod tests;
mod unittest;
mod vitest;

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;
use std::sync::LazyLock;

use regex::Regex;

/// Failures kept by name; the counts stay exact.
const FAILURES_MAX: usize = 500;
/// The longest line that is looked at, in bytes; none of a runner's own is longer.
const LINE_BYTES_MAX: usize = 4_096;
/// The longest message kept of a failure, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// How many tests there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tests that did what they should.
    pub passed: u64,
    /// Tests that failed or broke, and what kept tests from being run.
    pub failed: u64,
    /// Tests that were left out, are still to be written, or were expected to fail and did.
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// A test that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTest {
    /// Its name, as its runner writes it.
    pub name: String,
    /// What the runner says of it, one line; empty where it says nothing.
    pub message: String,
    /// Where it failed, as the runner writes the path.
    pub file: Option<String>,
    /// The line there, from one.
    pub line: Option<u32>,
}

/// What the runners of one command told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tests {
    /// Which runners were understood.
    pub runners: Vec<String>,
    /// How many tests there were.
    #[serde(flatten)]
    pub counts: Counts,
    /// The failures, the first ones where there are many.
    pub failures: Vec<FailedTest>,
}

/// Understands what one runner prints.
trait Runner: Send {
    /// Hears the next line, without colours and without blanks at its end.
    fn hear(&mut self, line: &str);

    /// Returns what it counted; none where the runner's closing lines did not come.
    fn counts(&self) -> Option<Counts>;

    /// Returns the failures that it heard.
    fn failures(&self) -> Vec<FailedTest>;
}

/// Hears the output of one command.
pub struct Tally {
    runners: Vec<(&'static str, Box<dyn Runner>)>,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tally").field(&self.tests()).finish()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            runners: vec![
                ("pytest", Box::<pytest::Pytest>::default()),
                ("unittest", Box::<unittest::Unittest>::default()),
                ("cargo test", Box::<cargo::Cargo>::default()),
                ("go test", Box::<go::Go>::default()),
                ("jest", Box::<jest::Jest>::default()),
                ("vitest", Box::<vitest::Vitest>::default()),
                ("mocha", Box::<mocha::Mocha>::default()),
                ("node --test", Box::<node::Node>::default()),
                ("JUnit", Box::<jvm::Jvm>::default()),
            ],
        }
    }
}

impl Tally {
    /// Hears a line.
    pub fn hear(&mut self, line: &str) {
        if line.len() > LINE_BYTES_MAX {
            return;
        }
        let line = without_colours(line);
        for (_, runner) in &mut self.runners {
            runner.hear(&line);
        }
    }

    /// Returns what was understood; none where no runner was.
    pub fn tests(&self) -> Option<Tests> {
        let mut tests = Tests::default();
        for (name, runner) in &self.runners {
            if let Some(counts) = runner.counts() {
                tests.runners.push((*name).to_owned());
                tests.counts += counts;
                tests.failures.extend(runner.failures());
            }
        }
        tests.failures.truncate(FAILURES_MAX);
        (!tests.runners.is_empty()).then_some(tests)
    }
}

static COLOUR: LazyLock<Regex> = LazyLock::new(|| pattern(r"\x1b\[[0-9;?]*[A-Za-z]"));

fn without_colours(line: &str) -> String {
    COLOUR.replace_all(line, "").trim_end().to_owned()
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// The failures of one runner, each once.
#[derive(Debug, Default)]
struct Failures(Vec<FailedTest>);

impl Failures {
    /// Takes a failure, and returns it where it is new.
    fn add(&mut self, name: &str) -> Option<&mut FailedTest> {
        if self.0.len() >= FAILURES_MAX || self.0.iter().any(|known| known.name == name) {
            return None;
        }
        self.0.push(FailedTest { name: name.to_owned(), ..FailedTest::default() });
        self.0.last_mut()
    }

    /// Returns the failure of a name.
    fn of(&mut self, name: &str) -> Option<&mut FailedTest> {
        self.0.iter_mut().find(|known| known.name == name)
    }
}

impl FailedTest {
    /// Takes the first thing that is said of it.
    fn say(&mut self, message: &str) {
        if self.message.is_empty() {
            self.message = message.trim().chars().take(MESSAGE_CHARS_MAX).collect();
        }
    }

    /// Takes the first place that is named.
    fn at(&mut self, file: &str, line: &str) {
        if self.file.is_none() {
            self.file = Some(file.to_owned());
            self.line = line.parse().ok();
        }
    }
}

/// Reads `3 failed, 2 passed` and the like: each number with the word behind it.
fn numbered(text: &str, between: &str) -> Vec<(u64, String)> {
    let part = |part: &str| {
        let (number, word) = part.trim().split_once(' ')?;
        Some((number.parse().ok()?, word.trim().to_owned()))
    };
    text.split(between).filter_map(part).collect()
}
