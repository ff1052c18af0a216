//! The section on marks of unfinished work.

use std::collections::BTreeMap;

use super::words::{Page, code, count, date, number, place};
use crate::builtin::surveyor::marks::{Mark, MarkWord};
use crate::builtin::surveyor::role::Role;
use crate::builtin::surveyor::survey::Survey;

/// Writes the section.
pub(super) fn write(survey: &Survey, page: &mut Page) {
    page.heading("TODO and FIXME marks");
    if survey.marks.is_empty() {
        page.paragraph("No TODO, FIXME, HACK or XXX was found in a comment.");
        return;
    }
    let mut words: BTreeMap<MarkWord, usize> = BTreeMap::new();
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for mark in &survey.marks {
        *words.entry(mark.word).or_default() += 1;
        *files.entry(&mark.file).or_default() += 1;
    }
    let words: Vec<String> =
        words.into_iter().map(|(word, marks)| format!("{} {}", number(marks), word.as_str())).collect();
    let own = survey.marks.iter().filter(|mark| mark.role == Role::Source).count();
    page.paragraph(&format!(
        "{} ({}), {} of them in the product.",
        count(survey.marks_found, "mark"),
        words.join(", "),
        number(own)
    ));
    let groups = groups(survey);
    for (mark, alike) in groups.iter().take(SHOWN) {
        let more = if *alike > 1 { format!(" ({} alike)", number(*alike)) } else { String::new() };
        let since = mark.since.map_or(String::new(), |at| format!(", since {}", date(at)));
        page.line(&format!("- {}: {}{since}{more}", place(&mark.file, Some(mark.line)), code(&mark.text)));
    }
    page.more(survey.marks_found, groups.iter().take(SHOWN).map(|(_, alike)| alike).sum());
    let dated = || survey.marks.iter().filter_map(|mark| Some((mark.since?, mark)));
    if let Some((since, oldest)) = dated().min_by_key(|(since, _)| *since) {
        page.paragraph(&format!(
            "The oldest of the {} whose age was looked up is of {}: {}.",
            number(dated().count()),
            date(since),
            place(&oldest.file, Some(oldest.line))
        ));
    }
    let mut files: Vec<(&str, usize)> = files.into_iter().filter(|(_, marks)| *marks > 2).collect();
    files.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    if !files.is_empty() {
        let files: Vec<String> =
            files.iter().take(5).map(|(file, marks)| format!("{} ({marks})", code(file))).collect();
        page.paragraph(&format!("Most marks: {}.", files.join(", ")));
    }
}

/// Marks shown.
const SHOWN: usize = 12;

/// The most urgent first, those of the same words as one, and at most three of one file, so that no file
/// crowds out the others.
fn groups(survey: &Survey) -> Vec<(&Mark, usize)> {
    let mut alike: BTreeMap<&str, usize> = BTreeMap::new();
    for mark in &survey.marks {
        *alike.entry(&mark.text).or_default() += 1;
    }
    let mut of_file: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups = Vec::new();
    for mark in &survey.marks {
        let count = of_file.entry(&mark.file).or_default();
        if *count >= 3 {
            continue;
        }
        // The first of its kind takes the whole kind with it.
        if let Some(alike) = alike.remove(mark.text.as_str()) {
            *count += 1;
            groups.push((mark, alike));
        }
    }
    groups
}
