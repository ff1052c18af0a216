//! The verifier's report: what was run to build, lint and test a project, and what came of it. For people as Markdown, for
//! programs as JSON, for CI as JUnit and SARIF.

use serde_json::{Value, json};
use spalla_crash::crash_point;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// One command that was run.
#[derive(Debug, Clone)]
pub struct Step {
    /// The command.
    pub command: String,
    /// Why it did not go well; none where it did.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether it was not run, because one before it failed.
    pub skipped: bool,
    /// The last lines that it printed.
    pub output: Vec<String>,
}

/// What was verified.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The goal, in the person's words.
    pub goal: String,
    /// The commit.
    pub commit: Option<String>,
    /// The commands, in their order.
    pub steps: Vec<Step>,
    /// Why nothing was run, where nothing was.
    pub unverified: Option<String>,
}

/// Where the report is.
#[derive(Debug, Clone)]
pub struct Paths {
    /// For people.
    pub markdown: PathBuf,
    /// For programs.
    pub json: PathBuf,
    /// For CI: test cases.
    pub junit: PathBuf,
    /// For CI: findings.
    pub sarif: PathBuf,
}

impl Verification {
    /// Says in one line what came of it.
    pub fn summary(&self) -> String {
        if let Some(why) = &self.unverified {
            return format!("nothing could be verified: {why}");
        }
        let failed: Vec<&str> = self.failed().map(|step| step.command.as_str()).collect();
        let passed = self.steps.iter().filter(|step| step.error.is_none() && !step.skipped).count();
        match failed.as_slice() {
            [] => format!("all passes: {passed} commands"),
            failed => format!("{passed} passed, {} failed: {}", failed.len(), failed.join(", ")),
        }
    }

    /// Returns the commands that did not go well.
    pub fn failed(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.error.is_some())
    }

    /// Writes the report into a folder.
    pub fn write(&self, folder: &Path) -> io::Result<Paths> {
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            crash_point!("worker.verifier.report.write", std::fs::write(&path, text)).map(|()| path)
        };
        Ok(Paths {
            markdown: write("report.md", self.as_markdown())?,
            json: write("report.json", pretty(&self.as_json()))?,
            junit: write("junit.xml", self.as_junit())?,
            sarif: write("report.sarif", pretty(&self.as_sarif()))?,
        })
    }

    fn as_markdown(&self) -> String {
        let mut text = format!("# Verification\n\n{}\n", self.summary());
        if let Some(commit) = &self.commit {
            let _ = writeln!(text, "\nCommit {commit}.");
        }
        if !self.steps.is_empty() {
            text.push_str("\n| command | outcome | seconds |\n| --- | --- | --- |\n");
        }
        for step in &self.steps {
            let outcome = match (&step.error, step.skipped) {
                (Some(_), _) => "**failed**",
                (None, true) => "not run",
                (None, false) => "passed",
            };
            let command = step.command.replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(text, "| `{command}` | {outcome} | {:.1} |", step.duration_ms as f64 / 1e3);
        }
        for step in self.failed() {
            let error = step.error.as_deref().unwrap_or_default();
            let _ = writeln!(
                text,
                "\n## `{}`\n\n{error}\n\n```text\n{}\n```",
                step.command,
                step.output.join("\n")
            );
        }
        text
    }

    fn as_json(&self) -> Value {
        let steps = self.steps.iter().map(|step| {
            json!({
                "command": step.command, "passed": step.error.is_none() && !step.skipped, "skipped": step.skipped,
                "duration_ms": step.duration_ms, "error": step.error, "output": step.output,
            })
        });
        json!({
            "goal": self.goal, "commit": self.commit, "summary": self.summary(), "unverified": self.unverified,
            "steps": steps.collect::<Vec<_>>(),
        })
    }

    /// JUnit's XML as most CI servers read it: a suite with a case for each command.
    fn as_junit(&self) -> String {
        let failures = self.failed().count();
        let skipped = self.steps.iter().filter(|step| step.skipped).count();
        let seconds = |ms: u64| ms as f64 / 1e3;
        let all = seconds(self.steps.iter().map(|step| step.duration_ms).sum());
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"verifier\" tests=\"{}\" \
             failures=\"{failures}\" skipped=\"{skipped}\" time=\"{all:.3}\">\n",
            self.steps.len()
        );
        for step in &self.steps {
            let (name, time) = (xml(&step.command), seconds(step.duration_ms));
            let _ = write!(text, "    <testcase classname=\"verifier\" name=\"{name}\" time=\"{time:.3}\"");
            let inner = match (&step.error, step.skipped) {
                (Some(error), _) => {
                    format!("<failure message=\"{}\">{}</failure>", xml(error), xml(&step.output.join("\n")))
                }
                (None, true) => "<skipped/>".to_owned(),
                (None, false) => String::new(),
            };
            let _ =
                if inner.is_empty() { writeln!(text, "/>") } else { writeln!(text, ">{inner}</testcase>") };
        }
        text.push_str("  </testsuite>\n</testsuites>\n");
        text
    }

    /// SARIF 2.1.0: a result for each command that failed.
    fn as_sarif(&self) -> Value {
        let results = self.failed().map(|step| {
            let error = step.error.as_deref().unwrap_or_default();
            json!({
                "ruleId": "command-failed", "level": "error",
                "message": { "text": format!("{}: {error}\n{}", step.command, step.output.join("\n")) },
            })
        });
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": "spalla verifier", "rules": [{ "id": "command-failed",
                    "shortDescription": { "text": "A command that builds, lints or tests the project failed." } }] } },
                "results": results.collect::<Vec<_>>(),
            }],
        })
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).map(|text| format!("{text}\n")).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn step(command: &str, error: Option<&str>, skipped: bool) -> Step {
        let output = vec!["a <b> & \u{1b}[31m".to_owned()];
        Step { command: command.into(), error: error.map(str::to_owned), duration_ms: 1_500, skipped, output }
    }

    fn verification() -> Verification {
        let steps = vec![
            step("make", None, false),
            step("make test", Some("exit 2"), false),
            step("lint", None, true),
        ];
        Verification { goal: "g".into(), commit: Some("c".into()), steps, unverified: None }
    }

    #[test]
    fn what_failed_stands_in_every_form_with_the_end_of_its_output() {
        let all = verification();
        assert_eq!(all.summary(), "1 passed, 1 failed: make test");
        assert!(all.as_markdown().contains("| `make test` | **failed** | 1.5 |"), "{}", all.as_markdown());
        let junit = all.as_junit();
        assert!(junit.contains("tests=\"3\" failures=\"1\" skipped=\"1\""), "{junit}");
        assert!(junit.contains("<failure message=\"exit 2\">a &lt;b&gt; &amp; [31m</failure>"), "{junit}");
        assert_eq!(all.as_sarif()["runs"][0]["results"].as_array().unwrap().len(), 1);
        assert_eq!(all.as_json()["steps"][2]["skipped"], true);
    }

    #[test]
    fn nothing_to_run_is_said() {
        let none =
            Verification { steps: vec![], unverified: Some("no project file".into()), ..verification() };
        assert_eq!(none.summary(), "nothing could be verified: no project file");
    }
}
