//! The sections on structure: languages, folders, internal dependencies, and the ways in.

use super::words::{Page, code, count, count_of, folder, number, percent, place, prose, some};
use crate::builtin::surveyor::entry_points::EntryKind;
use crate::builtin::surveyor::graph::{Graph, Pictured};
use crate::builtin::surveyor::language::LanguageKind;
use crate::builtin::surveyor::role::Role;
use crate::builtin::surveyor::survey::Survey;

/// Writes the section on structure.
pub(super) fn write(survey: &Survey, page: &mut Page) {
    page.heading("Structure");
    languages(survey, page);
    folders(survey, page);
    packages(survey, page);
    internal(survey, page);
    largest_files(survey, page);
}

fn languages(survey: &Survey, page: &mut Page) {
    let is_code = |kind| matches!(kind, LanguageKind::Programming | LanguageKind::Markup);
    let mut code_rows: Vec<_> = survey.languages.iter().filter(|row| is_code(row.kind)).collect();
    code_rows.sort_by(|a, b| b.code_lines.cmp(&a.code_lines).then_with(|| a.name.cmp(b.name)));
    let total: usize = code_rows.iter().map(|row| row.code_lines).sum();
    if code_rows.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = code_rows
        .iter()
        .map(|row| {
            let share = percent(row.code_lines, total);
            let numbers = [row.files, row.code_lines, row.test_lines, row.comment_lines].map(number);
            let [files, code_lines, test_lines, comments] = numbers;
            vec![row.name.to_owned(), files, code_lines, share, test_lines, comments]
        })
        .collect();
    page.table(
        &["Language", "#Files", "#Lines of code", "#Share", "#Of them tests and examples", "#Comments"],
        &rows,
        8,
    );
    let other = |kind| -> (usize, Vec<&str>) {
        let rows = || survey.languages.iter().filter(move |row| row.kind == kind);
        (rows().map(|row| row.files).sum(), rows().take(4).map(|row| row.name).collect())
    };
    let (data, data_names) = other(LanguageKind::Data);
    let (texts, text_names) = other(LanguageKind::Prose);
    let parts = [("of settings and data", data, data_names), ("of text", texts, text_names)];
    let parts = parts.into_iter().filter(|(_, files, _)| *files > 0);
    let parts: Vec<String> = parts
        .map(|(what, files, names)| format!("{} {what} ({})", count(files, "file"), names.join(", ")))
        .collect();
    if !parts.is_empty() {
        page.paragraph(&format!("Besides: {}.", parts.join(", ")));
    }
}

fn folders(survey: &Survey, page: &mut Page) {
    if survey.folders.len() < 2 {
        return;
    }
    let rows: Vec<Vec<String>> = survey
        .folders
        .iter()
        .map(|row| {
            let numbers = [row.files, row.code_lines, row.test_lines].map(number);
            let [files, code_lines, test_lines] = numbers;
            vec![folder(&row.folder), files, code_lines, test_lines, row.language.unwrap_or("–").to_owned()]
        })
        .collect();
    page.subheading("Folders");
    page.table(&["Folder", "#Files", "#Product code", "#Tests and examples", "Mainly"], &rows, 20);
}

fn packages(survey: &Survey, page: &mut Page) {
    let mut own: Vec<_> = survey.packages.iter().filter(|package| package.role == Role::Source).collect();
    if own.len() < 2 {
        return;
    }
    own.sort_by(|a, b| b.code_lines.cmp(&a.code_lines).then_with(|| a.name.cmp(&b.name)));
    let graph = &survey.internal_dependencies.packages;
    let used_by = |name: &str| graph.edges.iter().filter(|edge| edge.to == name).count();
    let uses = |name: &str| graph.edges.iter().filter(|edge| edge.from == name).count();
    let rows: Vec<Vec<String>> = own
        .iter()
        .map(|package| {
            let about = prose(package.description.as_deref().unwrap_or("–"));
            let numbers = [package.code_lines, uses(&package.name), used_by(&package.name)].map(number);
            let [lines, uses, used_by] = numbers;
            vec![code(&package.name), folder(&package.folder), lines, uses, used_by, shorten(&about)]
        })
        .collect();
    page.subheading("Packages");
    page.table(&["Package", "Folder", "#Product code", "#Uses", "#Used by", "About"], &rows, 15);
    let others = survey.packages.len() - own.len();
    if others > 0 {
        page.paragraph(&format!("Besides, {} of examples, tests or benchmarks.", count(others, "package")));
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(90) {
        Some((at, _)) => format!("{}…", text[..at].trim_end().trim_end_matches('\\')),
        None => text.to_owned(),
    }
}

fn internal(survey: &Survey, page: &mut Page) {
    let internal = &survey.internal_dependencies;
    page.subheading("Internal dependencies");
    if internal.pictured.is_empty() {
        page.paragraph("No dependency between the parts of this tree was found: each stands alone, or its language's imports are not read.");
        return;
    }
    page.paragraph("![Internal dependencies](dependencies.svg)");
    for pictured in &internal.pictured {
        let graph = internal.graph(*pictured);
        let (what, folded) = match pictured {
            Pictured::Packages => ("Packages", ""),
            Pictured::Modules if internal.modules_folded => {
                ("Modules", ", the small ones folded together by folder")
            }
            Pictured::Modules => ("Modules", ""),
        };
        let line = format!(
            "- {what}{folded}: {}, {}. {}",
            count_of(graph.nodes.len(), "box", "boxes"),
            count_of(graph.edges.len(), "dependency", "dependencies"),
            extremes(graph)
        );
        page.line(line.trim_end());
    }
    circles(survey, page);
}

/// Names what most parts rest on, and what rests on most parts.
fn extremes(graph: &Graph) -> String {
    let most = |count: &dyn Fn(&str) -> usize| {
        let mut names: Vec<(usize, &str)> =
            graph.nodes.iter().map(|node| (count(&node.name), node.name.as_str())).collect();
        names.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        names
            .into_iter()
            .filter(|(count, _)| *count > 1)
            .take(3)
            .map(|(count, name)| format!("{} ({count})", code(name)))
            .collect::<Vec<_>>()
    };
    let needed = most(&|name| graph.edges.iter().filter(|edge| edge.to == name).count());
    let needing = most(&|name| graph.edges.iter().filter(|edge| edge.from == name).count());
    let mut parts = Vec::new();
    if !needed.is_empty() {
        parts.push(format!("Most needed: {}.", needed.join(", ")));
    }
    if !needing.is_empty() {
        parts.push(format!("Needing most: {}.", needing.join(", ")));
    }
    parts.join(" ")
}

fn circles(survey: &Survey, page: &mut Page) {
    let internal = &survey.internal_dependencies;
    for circle in internal.packages.cycles.iter().take(3) {
        page.line(&format!("- Packages in a circle: {}", some(circle, 6)));
    }
    let files = &internal.file_cycles;
    if files.is_empty() {
        page.paragraph("No files of the product import each other in a circle.");
        return;
    }
    for circle in files.iter().take(3) {
        page.line(&format!(
            "- {} import each other in a circle: {}",
            count(circle.len(), "file"),
            some(circle, 4)
        ));
    }
    page.more(files.len(), 3);
}

fn largest_files(survey: &Survey, page: &mut Page) {
    let is_code = |name: Option<&str>| {
        survey.languages.iter().any(|row| row.kind == LanguageKind::Programming && Some(row.name) == name)
    };
    let own = survey.files.iter().filter(|row| row.role == Role::Source && is_code(row.language));
    let mut rows: Vec<_> = own.map(|row| (row, row.code_lines - row.test_lines)).collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.file.cmp(&b.0.file)));
    let listed: Vec<Vec<String>> = rows
        .iter()
        .take(5)
        .map(|(row, code_lines)| vec![code(&row.file), number(*code_lines), number(row.functions)])
        .collect();
    if !listed.is_empty() {
        page.subheading("Largest source files");
        page.table(&["File", "#Product code", "#Functions"], &listed, 5);
    }
}

/// Writes the section on the ways in.
pub(super) fn write_entry_points(survey: &Survey, page: &mut Page) {
    page.heading("Entry points");
    let (automation, entries): (Vec<_>, Vec<_>) =
        survey.entry_points.iter().partition(|entry| entry.kind == EntryKind::Automation);
    if entries.is_empty() {
        page.paragraph("No program, library or command was recognised.");
    } else {
        let rows: Vec<Vec<String>> = entries
            .iter()
            .map(|entry| {
                vec![
                    entry.kind.as_str().to_owned(),
                    shorten(&code_or_list(&entry.name)),
                    place(&entry.file, entry.line),
                    prose(&entry.told_by),
                ]
            })
            .collect();
        page.table(&["What", "Name", "Begin at", "Known by"], &rows, 20);
    }
    if !automation.is_empty() {
        let files: Vec<String> = automation.iter().map(|entry| entry.file.clone()).collect();
        page.paragraph(&format!("Automation: {}.", some(&files, 6)));
    }
}

fn code_or_list(name: &str) -> String {
    if name.is_empty() { String::from("–") } else { prose(name) }
}
