//! The report for a person: a summary, what to look at first, then the sections in the order the goal asks
//! for.

mod dependencies;
mod history;
mod marks;
mod practice;
mod risks;
mod structure;
mod tests_section;
mod words;

use super::coverage::Coverage;
use super::goal::Section;
use super::language::LanguageKind;
use super::priorities;
use super::role::Role;
use super::rules::Severity;
use super::survey::Survey;
use words::{Page, count, number, percent, place, prose};

/// Writes the report as Markdown.
pub fn to_markdown(survey: &Survey) -> String {
    let mut page = Page::default();
    page.line(&format!("# Survey of {}", words::code(&survey.project.name)));
    if !survey.goal.trim().is_empty() {
        page.paragraph(&format!("Goal: {}", prose(&super::excerpt::of(&survey.goal))));
    }
    page.paragraph(&summary(survey));
    if let Some(reason) = survey.goal_needs_model {
        page.paragraph(&format!(
            "**This goal is beyond a survey:** {reason}. What follows is the groundwork that can be done without one."
        ));
    }
    first_things(survey, &mut page);
    for section in &survey.sections {
        match section {
            Section::Risks => risks::write(survey, &mut page),
            Section::Structure => structure::write(survey, &mut page),
            Section::EntryPoints => structure::write_entry_points(survey, &mut page),
            Section::Dependencies => dependencies::write(survey, &mut page),
            Section::Tests => tests_section::write(survey, &mut page),
            Section::History => history::write(survey, &mut page),
            Section::Marks => marks::write(survey, &mut page),
        }
    }
    practice::write(survey, &mut page);
    coverage(&survey.coverage, survey, &mut page);
    page.finish()
}

fn summary(survey: &Survey) -> String {
    let parts =
        [what_it_is(survey), sizes(survey), needs(survey), tested(survey), changed(survey), risky(survey)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn what_it_is(survey: &Survey) -> String {
    match &survey.project.description {
        Some(text) => format!("The project says of itself: “{}”.", prose(text.trim_end_matches('.'))),
        None => String::new(),
    }
}

fn sizes(survey: &Survey) -> String {
    let code = survey.languages.iter().filter(|row| row.kind == LanguageKind::Programming);
    let total: usize = code.clone().map(|row| row.code_lines).sum();
    if total == 0 {
        let unread = survey.coverage.oversize_files.len() + survey.coverage.not_utf8_files.len();
        return match unread {
            0 => String::from("No source code in a known programming language was found."),
            unread => format!(
                "No source code in a known programming language was found; {} could not be read as text.",
                count(unread, "file")
            ),
        };
    }
    let mut rows: Vec<_> = code.collect();
    rows.sort_by(|a, b| b.code_lines.cmp(&a.code_lines).then_with(|| a.name.cmp(b.name)));
    let main: Vec<String> = rows
        .iter()
        .take(3)
        .filter(|row| row.code_lines * 100 >= total * 3)
        .map(|row| format!("{} ({})", row.name, percent(row.code_lines, total)))
        .collect();
    let packages = survey.packages.iter().filter(|package| package.role == Role::Source).count();
    let packages = if packages > 1 { format!("{} and ", count(packages, "package")) } else { String::new() };
    let is_code = |name: Option<&str>| rows.iter().any(|row| Some(row.name) == name);
    let files = survey.files.iter().filter(|row| row.role == Role::Source && is_code(row.language)).count();
    format!(
        "It holds {} of product code in {packages}{}, written in {}.",
        count(survey.product_lines(), "line"),
        count(files, "source file"),
        main.join(", ")
    )
}

fn needs(survey: &Survey) -> String {
    use super::manifest::{Ecosystem, Scope};
    let direct = survey.external_dependencies.iter().filter(|package| {
        !matches!(package.scope, Scope::Indirect)
            && !matches!(package.ecosystem, Ecosystem::Actions | Ecosystem::Container)
    });
    let product =
        direct.clone().filter(|package| matches!(package.scope, Scope::Normal | Scope::Optional)).count();
    let declared = match (direct.count(), product) {
        (0, _) => String::from("It declares no dependency on packages from outside."),
        (all, product) => format!(
            "It declares {} from outside, {product} of them for the product itself.",
            count(all, "package")
        ),
    };
    match survey.coverage.broken_manifests.as_slice() {
        [] => declared,
        broken => {
            format!("{declared} That is without {} whose form is broken.", count(broken.len(), "manifest"))
        }
    }
}

fn tested(survey: &Survey) -> String {
    let tests = &survey.tests;
    if tests.files == 0 {
        return String::from("No tests were found.");
    }
    let found = match tests.cases {
        0 => count(tests.files, "test file"),
        cases => format!("{} in {}", count(cases, "test case"), count(tests.files, "file")),
    };
    format!(
        "It has {found}, {} of test code for every 100 of product code.",
        count(tests.lines_per_hundred, "line")
    )
}

fn changed(survey: &Survey) -> String {
    let Some(history) = &survey.history else {
        return String::from("No history of changes was given.");
    };
    let since = history.first_at.map_or(String::new(), |at| format!(" since {}", words::date(at)));
    let last = if history.cut { "The last " } else { "" };
    format!(
        "{last}{}{since}, from {}; {} in the 90 days before this survey.",
        count(history.commits, "commit"),
        count_people(history.authors),
        count(history.recent_commits, "commit")
    )
}

fn count_people(people: usize) -> String {
    if people == 1 { String::from("one person") } else { format!("{} people", number(people)) }
}

fn risky(survey: &Survey) -> String {
    let places = |severity| {
        survey.rules.iter().filter(|row| row.rule.severity == severity).map(|row| row.in_product).sum()
    };
    let (high, medium): (usize, usize) = (places(Severity::High), places(Severity::Medium));
    match (high, medium) {
        (0, 0) => String::from("The rules of risk found nothing of high or medium weight in the product."),
        (high, medium) => format!(
            "The rules of risk hold in the product at {} of high and {} of medium weight.",
            count(high, "place"),
            number(medium)
        ),
    }
}

fn first_things(survey: &Survey, page: &mut Page) {
    page.heading("What to look at first");
    if survey.priorities.is_empty() {
        page.paragraph("None of the rules found anything.");
    }
    for (index, priority) in survey.priorities.iter().enumerate() {
        let place = priority.file.as_ref().map(|file| format!("{}: ", place(file, priority.line)));
        page.line(&format!("{}. {}{}", index + 1, place.unwrap_or_default(), prose(&priority.text)));
    }
    page.paragraph(&format!("The rules of this list: {}", priorities::STATED));
}

fn coverage(coverage: &Coverage, survey: &Survey, page: &mut Page) {
    page.heading("What was read, and how");
    let aside = &coverage.left_aside;
    page.paragraph(&format!(
        "Of {} ({}), {} were read as text; {} are binary.",
        count(coverage.files, "file"),
        words::bytes(coverage.bytes),
        number(coverage.text_files),
        number(coverage.binary_files)
    ));
    let (generated, vendored) = (survey.of_role(Role::Generated), survey.of_role(Role::Vendored));
    let (fixtures, locks) = (survey.of_role(Role::Fixture), survey.of_role(Role::Lock));
    let rows = [
        ("generated or minified, counted but not judged", generated.0),
        ("copied from other projects, counted but not judged", vendored.0),
        ("inputs and expected outputs of tests", fixtures.0),
        ("lock files", locks.0),
        ("symbolic links, not followed", aside.symbolic_links),
        ("sockets, pipes and devices", aside.special_files),
        ("names that are not UTF-8", aside.odd_names),
        ("entries that could not be listed", aside.unreadable),
        ("files past the limit on the whole", coverage.files_past_total),
    ];
    for (what, how_many) in rows.into_iter().filter(|(_, how_many)| *how_many > 0) {
        page.line(&format!("- {}: {what}", number(how_many)));
    }
    let lists = [
        ("too large to read", &coverage.oversize_files),
        ("not valid UTF-8", &coverage.not_utf8_files),
        ("could not be opened", &coverage.unreadable_files),
        ("manifests whose form is broken", &coverage.broken_manifests),
        ("folders of installed packages, caches or build output, left aside", &aside.folders),
        ("folders left aside for their odd `.gitignore`", &aside.odd_ignore_files),
        ("folders too deep to enter", &aside.too_deep),
    ];
    for (what, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        page.line(&format!("- {}: {what}: {}", number(list.len()), words::some(list, 5)));
    }
    if aside.cut {
        page.paragraph(&format!(
            "**The tree holds more than {} files; the rest was not looked at.**",
            number(survey.limits.files_max)
        ));
    }
    how(coverage, page);
}

fn how(coverage: &Coverage, page: &mut Page) {
    let unknown = match coverage.languages_without_links.as_slice() {
        [] => String::new(),
        names => {
            format!(" Imports of {} are not read, so their files show no dependencies.", names.join(", "))
        }
    };
    page.paragraph(&format!(
        "Files ignored by `.gitignore` were left out. Code, comments and strings are told apart by the forms of each language, not by \
         a compiler: functions, imports and tests are found by their shape, and macros, reflection or generated code hide from it. \
         A risk is a place where a pattern holds, not a proven fault; secrets are shown without their value.{unknown} \
         `report.json` holds everything, also what the tables cut; `dependencies.svg` is the picture."
    ));
}
