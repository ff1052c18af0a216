//! Reads reports in JUnit's XML, as Surefire, Gradle, pytest and others write them. What is no report counts nothing; the form
//! is read by its tags alone, so that what stands in a message can't be mistaken for one, and nothing is ever resolved.

use super::tally::{Counts, FailedTest, Tests};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// Failures kept of one report.
const FAILURES_MAX: usize = 500;

static NO_TAGS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<!\[CDATA\[.*?\]\]>|<!--.*?-->"));
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"<(/?)(testcase|failure|error|skipped)((?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(/?)>"#)
});
static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?s)([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')"#));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// Reads one report.
pub(crate) fn read(text: &str) -> Tests {
    let mut tests = Tests { runners: vec!["JUnit".to_owned()], ..Tests::default() };
    let mut case: Option<Case> = None;
    let text = NO_TAGS.replace_all(text, "");
    for tag in TAG.captures_iter(&text) {
        let (closes, is_empty) = (!tag[1].is_empty(), !tag[4].is_empty());
        match (&tag[2], closes) {
            ("testcase", false) => {
                count(&mut tests, case.take());
                case = Some(Case::new(&tag));
                if is_empty {
                    count(&mut tests, case.take());
                }
            }
            ("testcase", true) => count(&mut tests, case.take()),
            (fate, false) => {
                if let Some(case) = &mut case {
                    case.take(fate, &tag);
                }
            }
            (_, true) => {}
        }
    }
    count(&mut tests, case);
    tests
}

/// Puts what several reports say together.
pub(crate) fn sum(reports: impl IntoIterator<Item = Tests>) -> Tests {
    let mut all = Tests { runners: vec!["JUnit".to_owned()], ..Tests::default() };
    for report in reports {
        all.counts += report.counts;
        all.failures.extend(report.failures);
    }
    all.failures.truncate(FAILURES_MAX);
    all
}

/// A test as far as it was read.
struct Case {
    test: FailedTest,
    has_failed: bool,
    is_skipped: bool,
}

impl Case {
    fn new(tag: &Captures<'_>) -> Self {
        let name = attribute(tag, "name").unwrap_or_default();
        let class = attribute(tag, "classname").filter(|class| !class.is_empty());
        let name = class.map_or(name.clone(), |class| format!("{class}.{name}"));
        let (file, line) =
            (attribute(tag, "file"), attribute(tag, "line").and_then(|line| line.parse().ok()));
        let test = FailedTest { name, file, line, message: String::new() };
        Self { test, has_failed: false, is_skipped: false }
    }

    fn take(&mut self, fate: &str, tag: &Captures<'_>) {
        if fate == "skipped" {
            self.is_skipped = true;
            return;
        }
        self.has_failed = true;
        if self.test.message.is_empty() {
            let message = attribute(tag, "message").or_else(|| attribute(tag, "type")).unwrap_or_default();
            self.test.message = message.lines().next().unwrap_or_default().chars().take(300).collect();
        }
    }
}

fn count(tests: &mut Tests, case: Option<Case>) {
    let Some(case) = case else { return };
    let Counts { passed, failed, skipped } = &mut tests.counts;
    match (case.has_failed, case.is_skipped) {
        (true, _) => {
            *failed += 1;
            if tests.failures.len() < FAILURES_MAX {
                tests.failures.push(case.test);
            }
        }
        (false, true) => *skipped += 1,
        (false, false) => *passed += 1,
    }
}

fn attribute(tag: &Captures<'_>, name: &str) -> Option<String> {
    let attributes = ATTRIBUTE.captures_iter(tag.get(3)?.as_str());
    let found = attributes.into_iter().find(|found| &found[1] == name)?;
    Some(plain(found.get(2).or_else(|| found.get(3))?.as_str()))
}

/// Undoes XML's own references, the ampersand last so that nothing is undone twice.
fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    text.replace("&#10;", "\n").replace("&#xA;", "\n").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_of_pytest_is_read() {
        let tests = read(include_str!("tally/samples/pytest.xml"));
        assert_eq!(tests.counts, Counts { passed: 3, failed: 4, skipped: 2 });
        let told: Vec<_> =
            tests.failures.iter().map(|test| format!("{} | {}", test.name, test.message)).collect();
        assert_eq!(
            told,
            [
                "test_a.test_bad | AssertionError: numbers differ",
                "test_a.test_err | failed on setup with \"RuntimeError: no database\"",
                "test_a.test_p[2] | assert 2 < 2",
                "test_a.TestC.test_m | AssertionError: assert 'a' in 'bcd'",
            ]
        );
    }

    #[test]
    fn what_stands_in_a_message_is_no_tag() {
        let text = "<testsuite><testcase name='a' classname='X'><failure message='x'><![CDATA[<testcase name='b'/>]]></failure>\
                    <system-out><![CDATA[<failure/>]]></system-out></testcase><!-- <testcase name='c'/> --><testcase name='d'/></testsuite>";
        assert_eq!(read(text).counts, Counts { passed: 1, failed: 1, skipped: 0 });
    }

    #[test]
    fn what_is_no_report_counts_nothing() {
        for text in
            ["", "<html><p>failure</p></html>", "<testcase", "<!DOCTYPE x [<!ENTITY e \"<testcase/>\">]>&e;"]
        {
            assert!(read(text).counts.passed <= 1 && read(text).failures.is_empty(), "{text}");
        }
    }
}
