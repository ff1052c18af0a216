//! The section on tests.

use super::words::{Page, code, count, folder, number, prose, some};
use crate::builtin::surveyor::survey::Survey;

/// Writes the section.
pub(super) fn write(survey: &Survey, page: &mut Page) {
    page.heading("Tests");
    let tests = &survey.tests;
    if tests.files == 0 {
        page.paragraph("No tests were found.");
    } else {
        page.paragraph(&format!(
            "{} in {}, {} of test code: {} for every 100 lines of product code.",
            count(tests.cases, "test case"),
            count(tests.files, "file"),
            count(tests.code_lines, "line"),
            number(tests.lines_per_hundred)
        ));
    }
    if !tests.commands.is_empty() {
        page.paragraph("How to run them, as the tree says (nothing was run):");
        for row in tests.commands.iter().take(8) {
            let place =
                if row.folder.is_empty() { String::new() } else { format!(" in {}", folder(&row.folder)) };
            page.line(&format!("- {}{place} – told by {}", code(&row.command), prose(&row.told_by)));
        }
        page.more(tests.commands.len(), 8);
    }
    if !tests.folders.is_empty() {
        let rows: Vec<Vec<String>> = tests
            .folders
            .iter()
            .map(|row| vec![folder(&row.folder), number(row.files), number(row.cases)])
            .collect();
        page.table(&["Folder", "#Files with tests", "#Test cases"], &rows, 10);
    }
    if !tests.packages_without_tests.is_empty() && tests.files > 0 {
        page.paragraph(&format!(
            "Packages with code and no test in their folder: {}.",
            some(&tests.packages_without_tests, 8)
        ));
    }
}
