//! JUnit's XML, as most servers of CI read it. Whatever bytes come, what is written is well-formed XML 1.0.

use super::gathered::{Case, Gathered, Suite, Verdict};
use spalla_domain::Timestamp;
use std::fmt::Write as _;

/// Returns the whole document.
pub(super) fn document(gathered: &Gathered) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = Counts::of(gathered.cases());
    let _ = writeln!(text, "<testsuites name=\"spalla\" {}>", counts.attributes());
    for suite in &gathered.suites {
        write_suite(&mut text, suite);
    }
    text.push_str("</testsuites>\n");
    text
}

/// How many cases there are of each kind.
#[derive(Debug, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    time_ms: u64,
}

impl Counts {
    fn of<'a>(cases: impl Iterator<Item = &'a Case>) -> Self {
        let mut counts = Self::default();
        for case in cases {
            counts.tests += 1;
            counts.time_ms = counts.time_ms.saturating_add(case.duration_ms);
            match case.verdict {
                Verdict::Passed => {}
                Verdict::Failed(_) => counts.failures += 1,
                Verdict::Broken(_) => counts.errors += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }

    fn attributes(&self) -> String {
        let Self { tests, failures, errors, skipped, time_ms } = self;
        let time = seconds(*time_ms);
        format!(
            "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{time}\""
        )
    }
}

fn write_suite(text: &mut String, suite: &Suite) {
    let counts = Counts::of(suite.cases.iter());
    let began = suite.began_at.map(|ms| Timestamp::from_ms(ms).to_string());
    let began = began.map(|at| format!(" timestamp=\"{}\"", attribute(&at))).unwrap_or_default();
    let _ =
        writeln!(text, "  <testsuite name=\"{}\" {}{began}>", attribute(&suite.name), counts.attributes());
    for case in &suite.cases {
        write_case(text, case);
    }
    text.push_str("  </testsuite>\n");
}

fn write_case(text: &mut String, case: &Case) {
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        attribute(&case.class),
        attribute(&case.name),
        seconds(case.duration_ms)
    );
    if let Some((file, line)) = &case.place {
        let _ = write!(text, " file=\"{}\" line=\"{line}\"", attribute(file));
    }
    let inner = match &case.verdict {
        Verdict::Passed => {
            text.push_str("/>\n");
            return;
        }
        Verdict::Failed(why) => element("failure", why),
        Verdict::Broken(why) => element("error", why),
        Verdict::Skipped(why) => format!("<skipped message=\"{}\"/>", attribute(first_line(why))),
    };
    let _ = writeln!(text, ">{inner}</testcase>");
}

fn element(name: &str, why: &str) -> String {
    format!("<{name} message=\"{}\" type=\"{name}\">{}</{name}>", attribute(first_line(why)), content(why))
}

fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

fn seconds(ms: u64) -> String {
    format!("{:.3}", ms as f64 / 1e3)
}

/// Writes a text as the content of an element.
fn content(text: &str) -> String {
    escaped(text, false)
}

/// Writes a text as the value of an attribute, in which ends of lines would become blanks.
fn attribute(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, is_attribute: bool) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            // Else a text could hold the end of a section of characters, which is not allowed.
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\r' => written.push_str("&#13;"),
            '\n' | '\t' if is_attribute => {
                let _ = write!(written, "&#{};", u32::from(c));
            }
            c if is_character(c) => written.push(c),
            // What XML can't hold is shown as unreadable, so that nobody takes the text for whole.
            _ => written.push('\u{fffd}'),
        }
    }
    written
}

/// Tells whether XML 1.0 knows a character.
const fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
