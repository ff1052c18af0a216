//! The section on the history of changes.

use super::words::{Page, code, count, date, folder, number, prose};
use crate::builtin::surveyor::survey::Survey;

/// Writes the section.
pub(super) fn write(survey: &Survey, page: &mut Page) {
    page.heading("History");
    let Some(history) = &survey.history else {
        page.paragraph(
            "No history was given: the tree is not under git, has no commits, or git could not be run.",
        );
        return;
    };
    let span = match (history.first_at, history.last_at) {
        (Some(first), Some(last)) => format!(" from {} to {}", date(first), date(last)),
        _ => String::new(),
    };
    let cut = if history.cut { "The history is longer; only its newest part was looked at. " } else { "" };
    page.paragraph(&format!(
        "{}{span}, merges left out. {cut}The busiest of {} made {} % of them. In the 90 days before the survey: {} by {}.",
        count(history.commits, "commit"),
        super::count_people(history.authors),
        history.busiest_author_percent,
        count(history.recent_commits, "commit"),
        super::count_people(history.recent_authors)
    ));
    if history.hot_spots.is_empty() {
        page.paragraph("None of these commits changed a source file that exists today.");
        return;
    }
    page.subheading("Hot spots");
    page.paragraph("Source files by commits times lines of product code: large files that change often.");
    let rows: Vec<Vec<String>> = history
        .hot_spots
        .iter()
        .map(|spot| {
            let numbers =
                [spot.commits, spot.fixes, spot.recent_commits, spot.authors, spot.code_lines].map(number);
            std::iter::once(code(&spot.file)).chain(numbers).collect()
        })
        .collect();
    page.table(&["File", "#Commits", "#Fixes", "#Last 90 days", "#People", "#Lines"], &rows, 12);
    areas(survey, page);
    coupled(survey, page);
}

/// Whom to ask about which part.
fn areas(survey: &Survey, page: &mut Page) {
    let rows: Vec<Vec<String>> = survey
        .history
        .iter()
        .flat_map(|history| &history.areas)
        .map(|area| {
            let people: Vec<String> = area
                .people
                .iter()
                .take(3)
                .map(|one| {
                    let last = one.last_at.map_or(String::new(), |at| format!(", last {}", date(at)));
                    format!("{} ({} %{last})", prose(&one.name), one.percent)
                })
                .collect();
            vec![
                folder(&area.folder),
                number(area.commits),
                number(area.authors),
                number(area.half_by),
                people.join("; "),
            ]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.subheading("Who knows what");
    page.paragraph("Folders with code of the product, by the commits looked at. Where half of them are by one person, ask that one.");
    page.table(&["Folder", "#Commits", "#People", "#Half are by", "Most by"], &rows, 8);
}

fn coupled(survey: &Survey, page: &mut Page) {
    let pairs = survey.history.iter().flat_map(|history| &history.coupled);
    let rows: Vec<Vec<String>> = pairs
        .map(|pair| {
            let linked = if pair.linked { "yes" } else { "no" };
            vec![
                code(&pair.a),
                code(&pair.b),
                number(pair.together),
                format!("{} %", pair.percent),
                linked.to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    page.subheading("Files that change together");
    page.paragraph(
        "In commits of at most 20 files. Pairs whose modules no import ties come first: what ties them is not in the code.",
    );
    page.table(&["File", "And", "#Together", "#Of the rarer one's changes", "Tied"], &rows, 6);
}
