//! SARIF 2.1.0: a result for each place, and for each piece of work that failed.

use super::found::{Found, Level};
use super::gathered::{Gathered, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What the documents of this form are described by.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Returns the whole document.
pub(super) fn document(gathered: &Gathered) -> Value {
    let own = gathered.suites.first().map(|suite| suite.cases.as_slice()).unwrap_or_default();
    let failed = own.iter().filter_map(|case| match &case.verdict {
        Verdict::Failed(why) | Verdict::Broken(why) => Some(Found {
            rule: "work-failed".to_owned(),
            level: Level::Error,
            message: format!("{}: {why}", case.name),
            file: None,
            line: None,
            column: None,
        }),
        Verdict::Passed | Verdict::Skipped(_) => None,
    });
    let all: Vec<Found> = gathered.found.iter().cloned().chain(failed).collect();
    let names: BTreeSet<&str> = all.iter().map(|found| found.rule.as_str()).collect();
    let rules: Vec<Value> =
        names.iter().map(|name| json!({"id": name, "shortDescription": {"text": described(name)}})).collect();
    let index = |name: &str| names.iter().position(|known| *known == name);
    let results: Vec<Value> = all.iter().map(|found| result(found, index(&found.rule))).collect();
    json!({
        "$schema": SCHEMA, "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "spalla", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": gathered.exit == 0, "exitCode": gathered.exit}],
            "results": results,
        }],
    })
}

fn described(rule: &str) -> String {
    match rule {
        "work-failed" => "A piece of work failed.".to_owned(),
        "command-failed" => "A command that builds, lints or tests the project failed.".to_owned(),
        "test-failed" => "A test failed.".to_owned(),
        "complaint" => "A compiler or a linter complained about a place.".to_owned(),
        other => format!("The rule {other}."),
    }
}

fn result(found: &Found, index: Option<usize>) -> Value {
    // A message has to say something.
    let message = if found.message.trim().is_empty() { found.rule.clone() } else { found.message.clone() };
    let mut result = json!({
        "ruleId": found.rule, "ruleIndex": index, "level": found.level.as_str(), "message": {"text": message},
    });
    if let Some(file) = &found.file {
        let mut place = json!({"artifactLocation": {"uri": uri(file), "uriBaseId": "%SRCROOT%"}});
        if let Some(line) = found.line {
            place["region"] = json!({"startLine": line});
            if let Some(column) = found.column {
                place["region"]["startColumn"] = json!(column);
            }
        }
        result["locations"] = json!([{"physicalLocation": place}]);
    }
    result
}

/// Writes a path as a relative reference.
fn uri(path: &str) -> String {
    let mut written = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            written.push(char::from(byte));
        } else {
            let _ = write!(written, "%{byte:02X}");
        }
    }
    written
}
