//! The section on packages from outside.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{Page, code, count, number, place, some};
use crate::builtin::surveyor::manifest::{Ecosystem, Scope};
use crate::builtin::surveyor::packages::ExternalPackage;
use crate::builtin::surveyor::survey::Survey;

/// Writes the section.
pub(super) fn write(survey: &Survey, page: &mut Page) {
    page.heading("External dependencies");
    let mut by_ecosystem: BTreeMap<Ecosystem, Vec<&ExternalPackage>> = BTreeMap::new();
    for package in &survey.external_dependencies {
        by_ecosystem.entry(package.ecosystem).or_default().push(package);
    }
    if by_ecosystem.is_empty() {
        page.paragraph("No manifest declares a package from outside.");
    }
    let rows: Vec<Vec<String>> =
        by_ecosystem.iter().map(|(ecosystem, packages)| overview(*ecosystem, packages)).collect();
    if !rows.is_empty() {
        page.table(
            &["Ecosystem", "#For the product", "#Optional", "#For building and work", "#Indirect"],
            &rows,
            20,
        );
    }
    most_used(survey, page);
    locks(survey, page);
    oddities(survey, page);
}

fn overview(ecosystem: Ecosystem, packages: &[&ExternalPackage]) -> Vec<String> {
    let of =
        |scopes: &[Scope]| number(packages.iter().filter(|package| scopes.contains(&package.scope)).count());
    vec![
        ecosystem.as_str().to_owned(),
        of(&[Scope::Normal]),
        of(&[Scope::Optional]),
        of(&[Scope::Build, Scope::Dev]),
        of(&[Scope::Indirect]),
    ]
}

fn is_service(package: &ExternalPackage) -> bool {
    matches!(package.ecosystem, Ecosystem::Actions | Ecosystem::Container)
}

/// Packages of the product, those that most files import first: replacing them costs most.
fn most_used(survey: &Survey, page: &mut Page) {
    let product = survey
        .external_dependencies
        .iter()
        .filter(|package| matches!(package.scope, Scope::Normal | Scope::Optional) && !is_service(package));
    let mut rows: Vec<&ExternalPackage> = product.collect();
    rows.sort_by(|a, b| {
        let key =
            |package: &ExternalPackage| (package.imported_by_files.unwrap_or(0), package.declared_in.len());
        key(b).cmp(&key(a)).then_with(|| a.name.cmp(&b.name))
    });
    let listed: Vec<Vec<String>> = rows
        .iter()
        .map(|package| {
            let imported = package.imported_by_files.map_or_else(|| String::from("–"), number);
            let asked = if package.requirements.is_empty() {
                String::from("–")
            } else {
                some(&package.requirements, 2)
            };
            vec![code(&package.name), asked, imported, number(package.declared_in.len())]
        })
        .collect();
    if !listed.is_empty() {
        page.subheading("Of the product, the most used first");
        page.table(&["Package", "Asked for", "#Imported by files", "#Declared by manifests"], &listed, 12);
    }
}

fn locks(survey: &Survey, page: &mut Page) {
    if survey.lock_files.is_empty() {
        return;
    }
    page.subheading("Locked versions");
    for lock in survey.lock_files.iter().take(6) {
        let packages =
            lock.packages.map_or_else(|| String::from("not read"), |packages| count(packages, "package"));
        let doubled = match lock.duplicates.len() {
            0 => String::new(),
            doubled => {
                let names: Vec<String> = lock
                    .duplicates
                    .iter()
                    .map(|row| format!("{} {}", row.name, row.versions.join(" / ")))
                    .collect();
                format!("; {} of them in several versions: {}", number(doubled), some(&names, 4))
            }
        };
        page.line(&format!("- {}: {packages}{doubled}", code(&lock.path)));
    }
    page.more(survey.lock_files.len(), 6);
}

/// Declarations worth a second look.
fn oddities(survey: &Survey, page: &mut Page) {
    let own = || survey.external_dependencies.iter().filter(|package| !is_service(package));
    let loose: Vec<String> = own()
        .filter(|package| package.requirements.iter().any(|text| is_loose(text)))
        .map(|package| package.name.clone())
        .collect();
    let from_git: Vec<String> = own()
        .filter(|package| {
            package
                .requirements
                .iter()
                .any(|text| text.contains("git ") || text.starts_with("git") || text.contains("github:"))
        })
        .map(|package| package.name.clone())
        .collect();
    let unused: Vec<String> =
        own().filter(|package| seems_unused(package)).map(|package| package.name.clone()).collect();
    let split: Vec<String> = own()
        .filter(|package| differ(package.ecosystem, &package.requirements))
        .map(|package| format!("{} ({})", package.name, package.requirements.join(", ")))
        .collect();
    let rows = [
        ("any version is taken", loose),
        ("taken from a git repository, not from a release", from_git),
        ("asked for in versions that do not fit together by different manifests", split),
        (
            "declared for the product, but no import was seen (macros, features and tools may use them unseen)",
            unused,
        ),
    ];
    let rows: Vec<(&str, Vec<String>)> = rows.into_iter().filter(|(_, names)| !names.is_empty()).collect();
    if !rows.is_empty() {
        page.subheading("Worth a second look");
    }
    for (what, names) in rows {
        page.line(&format!("- {}: {what}: {}", number(names.len()), some(&names, 8)));
    }
    let images: Vec<String> = survey
        .external_dependencies
        .iter()
        .filter(|package| package.ecosystem == Ecosystem::Container)
        .map(|package| package.name.clone())
        .collect();
    if !images.is_empty() {
        page.paragraph(&format!("Container images built upon: {}.", some(&images, 6)));
    }
    unpinned_actions(survey, page);
}

/// Says whether requirements name versions that one package cannot satisfy; what cannot be compared is let
/// pass.
fn differ(ecosystem: Ecosystem, requirements: &[String]) -> bool {
    let by_compatible_version = matches!(ecosystem, Ecosystem::Cargo | Ecosystem::Npm);
    let lines: Option<BTreeSet<String>> = requirements.iter().map(|text| compatible_line(text)).collect();
    by_compatible_version && lines.is_some_and(|lines| lines.len() > 1)
}

/// Returns the part of a plain version that decides what it is compatible with: the first part that is not
/// zero.
fn compatible_line(requirement: &str) -> Option<String> {
    let plain = requirement.trim_start_matches(['^', '~', '=', 'v']);
    if plain.is_empty() || plain.contains(|c: char| c.is_whitespace() || "<>|,*x:".contains(c)) {
        return None;
    }
    let mut parts = plain.split(['.', '-', '+']);
    let (major, minor) = (parts.next()?, parts.next().unwrap_or("0"));
    major.parse::<u64>().ok()?;
    Some(if major == "0" { format!("0.{minor}") } else { major.to_owned() })
}

fn is_loose(requirement: &str) -> bool {
    matches!(requirement, "*" | "latest" | "x" | ">=0")
}

fn seems_unused(package: &ExternalPackage) -> bool {
    let judged = matches!(package.ecosystem, Ecosystem::Cargo | Ecosystem::Npm);
    judged
        && package.scope == Scope::Normal
        && package.imported_by_files == Some(0)
        && !package.name.starts_with("@types/")
}

/// A tag of a foreign action can be moved; a commit cannot.
fn unpinned_actions(survey: &Survey, page: &mut Page) {
    let is_commit = |text: &String| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let foreign = survey.external_dependencies.iter().filter(|package| {
        package.ecosystem == Ecosystem::Actions
            && !package.name.starts_with("actions/")
            && !package.name.starts_with("github/")
    });
    let loose: Vec<&ExternalPackage> =
        foreign.filter(|package| !package.requirements.iter().all(is_commit)).collect();
    if let Some(first) = loose.first() {
        let names: Vec<String> = loose
            .iter()
            .map(|package| format!("{}@{}", package.name, package.requirements.join(", ")))
            .collect();
        page.paragraph(&format!(
            "Actions of others in CI that follow a tag or branch their owners can move ({}), as in {}: {}.",
            number(loose.len()),
            place(&first.declared_in[0], None),
            some(&names, 5)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_differ_only_when_one_package_cannot_satisfy_them() {
        let table: [(&[&str], bool); 5] = [
            (&["1.0.75", "^1.2"], false),
            (&["0.3", "0.3.31"], false),
            (&["0.2.1", "0.3"], true),
            (&["^3.4.19", "^4.3.3"], true),
            (&[">=1, <3", "2"], false),
        ];
        for (requirements, expected) in table {
            let requirements: Vec<String> = requirements.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(differ(Ecosystem::Cargo, &requirements), expected, "{requirements:?}");
        }
    }
}
