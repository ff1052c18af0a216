//! The summary of a step, as Markdown that people read on the page of a pipeline.

use super::found::Level;
use super::gathered::{Gathered, Verdict};
use spalla_domain::github::{code_block, inline};
use std::fmt::Write as _;

/// How many cases and places are shown; the files beside it have all.
const SHOWN: usize = 50;
/// The longest reason that is shown in a row, in bytes.
const REASON_BYTES_MAX: usize = 300;
/// The longest summary, in bytes: GitHub takes 1 MiB of a step.
const SUMMARY_BYTES_MAX: usize = 256 * 1024;
/// The longest goal that is shown, in bytes.
const GOAL_BYTES_MAX: usize = 4 * 1024;

/// Returns the summary.
pub(super) fn document(gathered: &Gathered) -> String {
    let mut text = String::new();
    let sign = if gathered.exit == 0 { "✅" } else { "❌" };
    let _ = writeln!(text, "## {sign} Spalla: {}\n", inline(&gathered.status));
    text.push_str(&code_block(&super::bounded(&gathered.goal, GOAL_BYTES_MAX)));
    text.push('\n');
    if !gathered.session.is_empty() {
        let _ = writeln!(text, "- session: `{}`", gathered.session);
    }
    if let Some(branch) = &gathered.branch {
        let _ = writeln!(text, "- branch: `{branch}`");
    }
    if let Some(tokens) = gathered.tokens {
        let _ = writeln!(text, "- tokens: {tokens}");
    }
    let _ = writeln!(text, "- exit status: {}\n", gathered.exit);
    write_cases(&mut text, gathered);
    write_places(&mut text, gathered);
    text.truncate(text.floor_char_boundary(SUMMARY_BYTES_MAX));
    text
}

fn write_cases(text: &mut String, gathered: &Gathered) {
    text.push_str("| what | who | outcome | seconds |\n| --- | --- | --- | --- |\n");
    // What failed is looked for first.
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Failed(_) | Verdict::Broken(_) => 0,
        Verdict::Passed => 1,
        Verdict::Skipped(_) => 2,
    };
    let mut cases: Vec<_> = gathered.cases().collect();
    cases.sort_by_key(|case| rank(&case.verdict));
    for case in cases.iter().take(SHOWN) {
        let (word, why) = match &case.verdict {
            Verdict::Passed => ("passed", ""),
            Verdict::Failed(why) => ("**failed**", why.as_str()),
            Verdict::Broken(why) => ("**not done**", why.as_str()),
            Verdict::Skipped(why) => ("left out", why.as_str()),
        };
        let why = shortened(why);
        let why = if why.is_empty() { why } else { format!(": {}", inline(&why)) };
        let seconds = case.duration_ms as f64 / 1e3;
        let (name, class) = (inline(&shortened(&case.name)), inline(&case.class));
        let _ = writeln!(text, "| {name} | {class} | {word}{why} | {seconds:.1} |");
    }
    if cases.len() > SHOWN {
        let _ = writeln!(text, "\n{} more stand in junit.xml.", cases.len() - SHOWN);
    }
}

fn write_places(text: &mut String, gathered: &Gathered) {
    let mut placed: Vec<_> = gathered.found.iter().filter(|found| found.level <= Level::Warning).collect();
    if placed.is_empty() {
        return;
    }
    placed.sort_by_key(|found| found.level);
    let _ = writeln!(text, "\n### Places to look at: {}\n", placed.len());
    for found in placed.iter().take(SHOWN) {
        let place = match (&found.file, found.line) {
            (Some(file), Some(line)) => format!("`{}:{line}` ", file.replace(['`', '\n', '\r'], " ")),
            (Some(file), None) => format!("`{}` ", file.replace(['`', '\n', '\r'], " ")),
            (None, _) => String::new(),
        };
        let _ = writeln!(text, "- {place}{}", inline(&shortened(&found.message)));
    }
    if placed.len() > SHOWN {
        let _ = writeln!(text, "- {} more stand in report.sarif", placed.len() - SHOWN);
    }
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.floor_char_boundary(REASON_BYTES_MAX) {
        end if end < line.len() => format!("{}…", &line[..end]),
        _ => line,
    }
}
