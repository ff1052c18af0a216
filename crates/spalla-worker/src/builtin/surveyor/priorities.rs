//! Chooses what to look at first, by rules that are stated in the report.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::entry_points::{EntryKind, EntryPoint};
use super::findings::Finding;
use super::manifest::Ecosystem;
use super::marks::MarkWord;
use super::numbers::number;
use super::packages::Package;
use super::paths;
use super::role::Role;
use super::rules::Severity;
use super::survey::{RuleCount, Survey};

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Priority {
    /// The rule that put it on the list.
    pub rule: &'static str,
    /// What it is, in a sentence.
    pub text: String,
    /// Where to look, relative to the root.
    pub file: Option<String>,
    /// The line there.
    pub line: Option<u32>,
}

/// The rules, for the report.
pub(crate) const STATED: &str = "\
High risks in the product; circles between packages; code without any test; the three hottest files (changed in at least 10 of \
the commits looked at, at least 200 lines); the two most frequent medium risks; the closest pair of files that change together \
without an import between them; the largest circle of three or more files; the largest package without a test; a missing lock \
file of a program; the first FIXME in one of the 20 hottest files; a function of 250 lines or more; and where to begin reading. \
In this order, at most twelve.";

/// A longer list is no list of first things.
const PRIORITIES_MAX: usize = 12;

/// Applies the rules in their order.
pub(crate) fn choose(survey: &Survey) -> Vec<Priority> {
    let mut list = Vec::new();
    risks(survey, Severity::High, 4, &mut list);
    package_circles(survey, &mut list);
    no_tests(survey, &mut list);
    hot_spots(survey, &mut list);
    risks(survey, Severity::Medium, 2, &mut list);
    coupling(survey, &mut list);
    file_circles(survey, &mut list);
    untested_package(survey, &mut list);
    missing_lock(survey, &mut list);
    hot_fixme(survey, &mut list);
    long_function(survey, &mut list);
    list.truncate(PRIORITIES_MAX - 1);
    start_reading(survey, &mut list);
    list
}

fn risks(survey: &Survey, severity: Severity, rules_max: usize, list: &mut Vec<Priority>) {
    let mut rules: Vec<&RuleCount> =
        survey.rules.iter().filter(|row| row.rule.severity == severity && row.in_product > 0).collect();
    if severity != Severity::High {
        rules.sort_by_key(|row| Reverse(row.in_product));
    }
    for row in rules.into_iter().take(rules_max) {
        let found =
            survey.findings.iter().filter(|finding| finding.rule == row.rule.id && finding.role.is_product());
        let mut files: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in found {
            files.entry(&finding.file).or_default().push(finding);
        }
        let most = files.iter().max_by_key(|(file, own)| (own.len(), Reverse(**file)));
        let Some((file, own)) = most else { continue };
        let count = match (row.in_product, own.len()) {
            (1, _) => String::from("one place"),
            (all, here) if all == here => format!("{} places in this file", number(all)),
            (all, here) => format!("{} places, {} of them in this file", number(all), number(here)),
        };
        let text = format!("{} ({} risk): {count}.", row.rule.title, severity.as_str());
        list.push(Priority { rule: "risk", text, file: Some((*file).to_owned()), line: own[0].line });
    }
}

fn package_circles(survey: &Survey, list: &mut Vec<Priority>) {
    let graph = &survey.internal_dependencies.packages;
    if let Some(circle) = graph.cycles.first() {
        let text = format!("{} packages need each other in a circle: {}.", circle.len(), names(circle));
        let place = graph.nodes.iter().find(|node| node.name == circle[0]).map(|node| node.place.clone());
        list.push(Priority { rule: "package-circle", text, file: place, line: None });
    }
}

/// Names the first few of a list.
fn names(list: &[String]) -> String {
    let shown: Vec<&str> = list.iter().take(4).map(String::as_str).collect();
    let more = if list.len() > shown.len() {
        format!(" and {} more", list.len() - shown.len())
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}

fn no_tests(survey: &Survey, list: &mut Vec<Priority>) {
    let lines = survey.product_lines();
    if survey.tests.files == 0 && lines >= 200 {
        let text = format!("No test was found for {} lines of code.", number(lines));
        list.push(Priority { rule: "no-tests", text, file: None, line: None });
    }
}

fn hot_spots(survey: &Survey, list: &mut Vec<Priority>) {
    let spots = survey.history.iter().flat_map(|history| &history.hot_spots);
    for spot in spots.filter(|spot| spot.commits >= 10 && spot.code_lines >= 200).take(3) {
        let text = format!(
            "Hot spot: changed in {} commits, {} of them fixes, by {} people; {} lines of code. Changes here are the likeliest to break something.",
            number(spot.commits),
            number(spot.fixes),
            number(spot.authors),
            number(spot.code_lines)
        );
        list.push(Priority { rule: "hot-spot", text, file: Some(spot.file.clone()), line: None });
    }
}

fn coupling(survey: &Survey, list: &mut Vec<Priority>) {
    let pairs = survey.history.iter().flat_map(|history| &history.coupled);
    if let Some(pair) = pairs.into_iter().find(|pair| !pair.linked && pair.together >= 8) {
        let text = format!(
            "Changes together with {} ({} times, {} percent of the rarer one's changes) though neither imports the other: find what ties them.",
            pair.b, pair.together, pair.percent
        );
        list.push(Priority { rule: "hidden-coupling", text, file: Some(pair.a.clone()), line: None });
    }
}

fn file_circles(survey: &Survey, list: &mut Vec<Priority>) {
    if let Some(circle) = survey.internal_dependencies.file_cycles.first().filter(|circle| circle.len() >= 3)
    {
        let text = format!(
            "{} files import each other in a circle, this one among them; none can be moved or tested alone.",
            circle.len()
        );
        list.push(Priority { rule: "file-circle", text, file: Some(largest_of(survey, circle)), line: None });
    }
}

/// Returns the file of a circle that holds most code.
fn largest_of(survey: &Survey, circle: &[String]) -> String {
    // The files are listed by their code, the most first.
    let largest = survey.files.iter().map(|row| &row.file).find(|file| circle.contains(file));
    largest.unwrap_or(&circle[0]).clone()
}

fn untested_package(survey: &Survey, list: &mut Vec<Priority>) {
    let bare = &survey.tests.packages_without_tests;
    // A package of a fiftieth of the code is no first thing to look at.
    let counts = |package: &&Package| {
        bare.contains(&package.name) && package.code_lines * 50 >= survey.product_lines()
    };
    let largest = survey.packages.iter().filter(counts).max_by_key(|package| package.code_lines);
    if let Some(package) = largest.filter(|_| survey.tests.files > 0) {
        let text = format!(
            "Package {} has {} lines of code and no test in its folder.",
            package.name,
            number(package.code_lines)
        );
        list.push(Priority {
            rule: "untested-package",
            text,
            file: Some(package.manifest.clone()),
            line: None,
        });
    }
}

fn missing_lock(survey: &Survey, list: &mut Vec<Priority>) {
    let has_program =
        survey.entry_points.iter().any(|entry| matches!(entry.kind, EntryKind::Program | EntryKind::Command));
    let wanted = [Ecosystem::Cargo, Ecosystem::Npm];
    for ecosystem in wanted.into_iter().filter(|_| has_program) {
        let uses = survey.external_dependencies.iter().any(|package| package.ecosystem == ecosystem);
        let locked = survey.lock_files.iter().any(|lock| lock.ecosystem == ecosystem);
        if let Some(package) =
            survey.packages.iter().find(|package| package.ecosystem == ecosystem).filter(|_| uses && !locked)
        {
            let text = format!(
                "No lock file for {}: two builds of the same commit may use different dependencies.",
                ecosystem.as_str()
            );
            list.push(Priority {
                rule: "missing-lock",
                text,
                file: Some(package.manifest.clone()),
                line: None,
            });
        }
    }
}

fn hot_fixme(survey: &Survey, list: &mut Vec<Priority>) {
    let hot: Vec<&str> = survey
        .history
        .iter()
        .flat_map(|history| &history.hot_spots)
        .take(20)
        .map(|spot| spot.file.as_str())
        .collect();
    let is_urgent = |word| matches!(word, MarkWord::Fixme | MarkWord::Hack | MarkWord::Xxx);
    let found = survey
        .marks
        .iter()
        .find(|mark| mark.role == Role::Source && is_urgent(mark.word) && hot.contains(&mark.file.as_str()));
    if let Some(mark) = found {
        let text = format!("Marked in a hot file: {}", mark.text);
        list.push(Priority {
            rule: "marked-hot-spot",
            text,
            file: Some(mark.file.clone()),
            line: Some(mark.line),
        });
    }
}

fn long_function(survey: &Survey, list: &mut Vec<Priority>) {
    if let Some(function) = survey.long_functions.first().filter(|function| function.code_lines >= 250) {
        let text = format!(
            "The longest function, {}, has {} lines of code.",
            function.name,
            number(function.code_lines as usize)
        );
        list.push(Priority {
            rule: "long-function",
            text,
            file: Some(function.file.clone()),
            line: Some(function.line),
        });
    }
}

fn start_reading(survey: &Survey, list: &mut Vec<Priority>) {
    let of_kind = |kind| {
        let entries = survey.entry_points.iter().filter(move |entry| entry.kind == kind);
        entries.min_by_key(|entry| farness(survey, entry))
    };
    let entry = of_kind(EntryKind::Program)
        .or_else(|| of_kind(EntryKind::Library))
        .or_else(|| of_kind(EntryKind::Script));
    if let Some(entry) = entry {
        let text = format!("To get to know the code, begin at the {} {}.", entry.kind.as_str(), entry.name);
        list.push(Priority { rule: "begin-reading", text, file: Some(entry.file.clone()), line: entry.line });
    }
}

/// How unlikely an entry is to be the main one. Side programs come last; before all stand the project's own
/// name, the largest package, the hottest file, and the largest one.
fn farness(survey: &Survey, entry: &EntryPoint) -> (bool, bool, Reverse<usize>, usize, usize) {
    let side = ["utils", "tools", "scripts", "contrib", "misc", "xtask", "hack", "ci", "dev"];
    let is_side = entry.file.contains("src/bin/") || entry.file.split('/').any(|part| side.contains(&part));
    let home = |package: &&Package| paths::is_within(&entry.file, &package.folder);
    let package = survey.packages.iter().filter(home).max_by_key(|package| package.folder.len());
    let spots = survey.history.iter().flat_map(|history| &history.hot_spots);
    let heat = spots.into_iter().position(|spot| spot.file == entry.file).unwrap_or(usize::MAX);
    let size = survey.files.iter().position(|row| row.file == entry.file).unwrap_or(usize::MAX);
    (
        is_side,
        entry.name != survey.project.name,
        Reverse(package.map_or(0, |package| package.code_lines)),
        heat,
        size,
    )
}
