//! The report for CI: JUnit's XML as most servers read it, and SARIF 2.1.0.

use super::{FailedTest, Outcome, Step, Tests, Verification, places};
use serde_json::{Value, json};
use std::fmt::Write as _;

impl Verification {
    /// A suite with a case for each command, and one for each command's tests: its attributes have the true counts, its cases
    /// are the tests that failed, since runners name no others.
    pub(super) fn as_junit(&self) -> String {
        let suites = self.steps.iter().filter_map(|step| Some((step, step.tests.as_ref()?)));
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        text.push_str(&self.commands_suite());
        for (step, tests) in suites {
            text.push_str(&tests_suite(step, tests));
        }
        text.push_str("</testsuites>\n");
        text
    }

    fn commands_suite(&self) -> String {
        let failures = self.failed().count();
        let skipped = self
            .steps
            .iter()
            .filter(|step| matches!(step.outcome, Outcome::NotRun | Outcome::Unverified(_)))
            .count();
        let all = seconds(self.steps.iter().map(|step| step.duration_ms).sum());
        let mut text = format!(
            "  <testsuite name=\"verifier\" tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{all:.3}\">\n",
            self.steps.len()
        );
        for step in &self.steps {
            let (name, time) = (xml(&step.command), seconds(step.duration_ms));
            let _ = write!(text, "    <testcase classname=\"verifier\" name=\"{name}\" time=\"{time:.3}\"");
            let inner = match &step.outcome {
                Outcome::Failed(error) => {
                    format!("<failure message=\"{}\">{}</failure>", xml(error), xml(&step.output.join("\n")))
                }
                Outcome::NotRun => "<skipped/>".to_owned(),
                Outcome::Unverified(why) => format!("<skipped message=\"{}\"/>", xml(why)),
                Outcome::Passed => String::new(),
            };
            let _ =
                if inner.is_empty() { writeln!(text, "/>") } else { writeln!(text, ">{inner}</testcase>") };
        }
        text.push_str("  </testsuite>\n");
        text
    }

    /// A result for each test that failed, each place that a compiler or a linter named, and each command that failed.
    pub(super) fn as_sarif(&self) -> Value {
        let mut results = Vec::new();
        for step in self.failed() {
            let error = step.outcome.reason().unwrap_or_default();
            let tests = step.tests.iter().flat_map(|tests| &tests.failures);
            results.push(json!({
                "ruleId": "command-failed", "level": "error",
                "message": { "text": format!("{}: {error}\n{}", step.command, step.output.join("\n")) },
            }));
            results.extend(tests.map(of_test));
            if step.tests.is_none() {
                results.extend(places::find(&step.output).iter().map(of_place));
            }
        }
        let rule = |id: &str, text: &str| json!({ "id": id, "shortDescription": { "text": text } });
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": "spalla verifier", "rules": [
                    rule("command-failed", "A command that builds, lints or tests the project failed."),
                    rule("test-failed", "A test failed."),
                    rule("complaint", "A compiler or a linter complained about a place."),
                ] } },
                "results": results,
            }],
        })
    }
}

fn tests_suite(step: &Step, tests: &Tests) -> String {
    let counts = tests.counts;
    let mut text = format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
        xml(&step.command),
        counts.passed + counts.failed + counts.skipped,
        counts.failed,
        counts.skipped,
        seconds(step.duration_ms)
    );
    for FailedTest { name, message, file, line } in &tests.failures {
        let place = file.iter().map(|file| format!(" file=\"{}\"", xml(file)));
        let place: String = place.chain(line.iter().map(|line| format!(" line=\"{line}\""))).collect();
        let _ = writeln!(
            text,
            "    <testcase classname=\"{}\" name=\"{}\"{place}><failure message=\"{}\"/></testcase>",
            xml(&tests.runners.join(", ")),
            xml(name),
            xml(message)
        );
    }
    text.push_str("  </testsuite>\n");
    text
}

fn of_test(test: &FailedTest) -> Value {
    let text =
        if test.message.is_empty() { test.name.clone() } else { format!("{}: {}", test.name, test.message) };
    let mut result = json!({ "ruleId": "test-failed", "level": "error", "message": { "text": text } });
    // A path from elsewhere than the project's folder leads nowhere.
    if let Some(file) = test.file.as_deref().filter(|file| !file.starts_with('/')) {
        result["locations"] = location(file, test.line, None);
    }
    result
}

fn of_place(place: &places::Place) -> Value {
    let mut result = json!({ "ruleId": "complaint", "level": "error", "message": { "text": place.message } });
    if !place.file.starts_with('/') {
        result["locations"] = location(&place.file, Some(place.line), place.column);
    }
    result
}

fn location(file: &str, line: Option<u32>, column: Option<u32>) -> Value {
    let mut place = json!({ "artifactLocation": { "uri": file.trim_start_matches("./") } });
    if let Some(line) = line.filter(|line| *line > 0) {
        place["region"] = json!({ "startLine": line });
        if let Some(column) = column.filter(|column| *column > 0) {
            place["region"]["startColumn"] = json!(column);
        }
    }
    json!([{ "physicalLocation": place }])
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

/// Writes a text so that XML reads it back; what XML can't hold is left out.
fn xml(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\n' | '\t' => written.push(c),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => written.push(c),
        }
    }
    written
}
