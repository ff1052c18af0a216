//! The section on how a project is worked on.

use std::collections::BTreeMap;

use super::words::{Page, code, count, some};
use crate::builtin::surveyor::practice::Document;
use crate::builtin::surveyor::survey::Survey;

/// Writes the section.
pub(super) fn write(survey: &Survey, page: &mut Page) {
    let practice = &survey.practice;
    page.heading("How it is worked on");
    let commands: Vec<String> =
        practice.commands.iter().map(|one| format!("{} ({})", code(&one.command), one.purpose)).collect();
    page.line(&match commands.as_slice() {
        [] => "- Commands: the root does not say how to build, test or lint it.".to_owned(),
        commands => format!("- Commands, in the root (none was run): {}.", commands.join(", ")),
    });
    page.line(&match practice.checks.as_slice() {
        [] => "- Checks by machines: none were found.".to_owned(),
        checks => format!("- Checks by machines: {}.", by_kind(checks)),
    });
    let licences: Vec<String> = practice
        .licences
        .iter()
        .map(|one| format!("{} ({})", one.name.unwrap_or("of words that are not known"), code(&one.path)))
        .collect();
    page.line(&match licences.as_slice() {
        [] => "- Licence: no file in the root says.".to_owned(),
        licences => format!("- Licence: {}.", licences.join(", ")),
    });
    let pages = if practice.pages > 0 {
        format!("; {} of documentation", count(practice.pages, "page"))
    } else {
        String::new()
    };
    page.line(&match practice.documents.as_slice() {
        [] => format!("- Documents: none of the usual ones{pages}."),
        documents => format!("- Documents: {}{pages}.", by_kind(documents)),
    });
}

fn by_kind(documents: &[Document]) -> String {
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in documents {
        kinds.entry(one.kind).or_default().push(one.path.clone());
    }
    let kinds: Vec<String> =
        kinds.iter().map(|(kind, paths)| format!("{kind} ({})", some(paths, 4))).collect();
    kinds.join(", ")
}
