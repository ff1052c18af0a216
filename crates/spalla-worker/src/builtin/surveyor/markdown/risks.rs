//! The section on risky patterns: the heavy ones with their places, the light ones as a table.

use std::collections::BTreeMap;

use super::words::{Page, code, count, number, place};
use crate::builtin::surveyor::findings::Finding;
use crate::builtin::surveyor::rules::Severity;
use crate::builtin::surveyor::survey::{RuleCount, Survey};

/// Places shown of one rule.
const PLACES_SHOWN: usize = 5;
/// Light rules shown.
const LIGHT_SHOWN: usize = 12;
/// Files or functions shown of a light rule.
const FILES_SHOWN: usize = 3;

/// Writes the section.
pub(super) fn write(survey: &Survey, page: &mut Page) {
    page.heading("Risks");
    let (heavy, light): (Vec<&RuleCount>, Vec<&RuleCount>) = survey
        .rules
        .iter()
        .filter(|row| row.in_product > 0)
        .partition(|row| row.rule.severity != Severity::Low);
    if heavy.is_empty() {
        page.paragraph("Nothing of high or medium weight was found in the product.");
    }
    for row in heavy {
        one_rule(survey, row, page);
    }
    if !light.is_empty() {
        page.subheading("Of low weight");
        let rows: Vec<Vec<String>> = light.iter().map(|row| light_row(survey, row)).collect();
        page.table(&["What", "#Places", "Files with most", "Why"], &rows, LIGHT_SHOWN);
    }
    unsafe_blocks(survey, page);
    elsewhere(survey, page);
}

fn in_product<'s>(survey: &'s Survey, row: &RuleCount) -> Vec<&'s Finding> {
    let id = row.rule.id;
    survey.findings.iter().filter(|finding| finding.rule == id && finding.role.is_product()).collect()
}

fn one_rule(survey: &Survey, row: &RuleCount, page: &mut Page) {
    let weight = row.rule.severity.as_str();
    page.subheading(&format!("{} ({weight}, {})", row.rule.title, count(row.in_product, "place")));
    page.paragraph(row.rule.why);
    let mut shown: Vec<&Finding> = Vec::new();
    for finding in in_product(survey, row) {
        // One file must not crowd out the others.
        let of_file = shown.iter().filter(|other| other.file == finding.file).count();
        if of_file < 2 && shown.len() < PLACES_SHOWN {
            shown.push(finding);
        }
    }
    for finding in &shown {
        page.line(&format!("- {}: {}", place(&finding.file, finding.line), code(&finding.excerpt)));
    }
    page.more(row.in_product, shown.len());
}

/// Long lists are told by the files that hold most of them; what was measured by its measure.
fn light_row(survey: &Survey, row: &RuleCount) -> Vec<String> {
    let shown = match row.rule.id {
        "long-function" => longest(survey),
        id => most(&in_product(survey, row), matches!(id, "unwrap-density" | "huge-file" | "large-file")),
    };
    vec![row.rule.title.to_owned(), number(row.in_product), shown.join("<br>"), row.rule.why.to_owned()]
}

fn longest(survey: &Survey) -> Vec<String> {
    let functions = survey.long_functions.iter().take(FILES_SHOWN);
    functions
        .map(|function| {
            let at = place(&function.file, Some(function.line));
            format!("{at} ({}, {} lines)", code(&function.name), number(function.code_lines as usize))
        })
        .collect()
}

fn most(findings: &[&Finding], is_measured: bool) -> Vec<String> {
    let mut files: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        files.entry(&finding.file).or_default().push(finding);
    }
    let mut files: Vec<(&str, Vec<&Finding>)> = files.into_iter().collect();
    let measure = |own: &[&Finding]| {
        own[0].excerpt.split(' ').next().and_then(|text| text.parse::<usize>().ok()).unwrap_or(0)
    };
    files.sort_by_key(|(_, own)| std::cmp::Reverse(if is_measured { measure(own) } else { own.len() }));
    let describe = |(file, own): &(&str, Vec<&Finding>)| {
        let at = place(file, own[0].line);
        match own.len() {
            1 if is_measured => format!("{at} ({})", own[0].excerpt),
            1 => at,
            more => format!("{at} ({more})"),
        }
    };
    files.iter().take(FILES_SHOWN).map(describe).collect()
}

fn unsafe_blocks(survey: &Survey, page: &mut Page) {
    if survey.unsafe_blocks > 0 {
        let bare = survey
            .rules
            .iter()
            .find(|row| row.rule.id == "unsafe-without-reason")
            .map_or(0, |row| row.in_product);
        let text = match bare {
            0 => String::from("each of them with a SAFETY comment beside it."),
            bare => format!("{} of them without a SAFETY comment beside it.", number(bare)),
        };
        page.paragraph(&format!(
            "Rust: {} in the product, {text}",
            count(survey.unsafe_blocks, "unsafe block")
        ));
    }
}

fn elsewhere(survey: &Survey, page: &mut Page) {
    let rows = survey.rules.iter().filter(|row| row.elsewhere > 0);
    let rows: Vec<String> =
        rows.map(|row| format!("{}: {}", row.rule.title, number(row.elsewhere))).collect();
    if !rows.is_empty() {
        page.paragraph(&format!(
            "In tests, examples and texts, where they matter less – {}.",
            rows.join("; ")
        ));
    }
}
