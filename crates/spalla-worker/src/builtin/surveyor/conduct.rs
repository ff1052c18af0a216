//! Conducts one survey: walks, reads in parallel, and brings the parts together.

use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::coverage::{self, Coverage};
use super::entry_points;
use super::findings::Finding;
use super::goal;
use super::graph;
use super::history::{self, GitHistory};
use super::inspect::{self, FileFacts, TreeContext};
use super::limits::Limits;
use super::links;
use super::manifest;
use super::marks::Mark;
use super::packages::{self, Packages};
use super::paths;
use super::practice::{self, Practice};
use super::priorities;
use super::read::{Content, Reader};
use super::role::{self, Attributes, Role};
use super::rules::{self, PATTERN_RULES, Rule};
use super::secrets;
use super::sizes;
use super::survey::{Error, Project, RuleCount, Survey, SurveyOptions};
use super::test_inventory;
use super::walk::{self, TreeFile};
use super::whole_files;

/// Surveys the tree below `root`. Blocks; tells its progress in short lines.
pub fn survey(
    root: &Path,
    history: Option<&GitHistory>,
    options: &SurveyOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Survey, Error> {
    let open = |source| Error::Open { path: root.to_path_buf(), source };
    if !std::fs::metadata(root).map_err(open)?.is_dir() {
        return Err(Error::NotAFolder { path: root.to_path_buf() });
    }
    let reader = Reader::open(root).map_err(open)?;
    let (listed, left_aside) = walk::walk(root, &options.limits, &options.stop);
    options.stop.check()?;
    progress(&format!("found {} files", listed.len()));
    let (files, mut coverage) = read_all(&reader, &listed, options);
    options.stop.check()?;
    coverage.left_aside = left_aside;
    progress(&format!("read {} text files", files.len()));
    let name =
        root.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let mut survey = assemble(name, files, &listed, coverage, history, options);
    survey.practice = practice::look(&reader, &listed);
    options.stop.check()?;
    progress(&format!(
        "found {} risky places, {} marks, {} internal links",
        survey.findings.len(),
        survey.marks_found,
        survey.internal_dependencies.file_links
    ));
    Ok(survey)
}

/// Reads and inspects every file within the limits, in parallel; the order of the result is that of the
/// paths.
fn read_all(reader: &Reader, listed: &[TreeFile], options: &SurveyOptions) -> (Vec<FileFacts>, Coverage) {
    let limits = &options.limits;
    let mut coverage = Coverage {
        files: listed.len(),
        bytes: listed.iter().map(|file| file.bytes).sum(),
        ..Coverage::default()
    };
    let mut budget = limits.total_bytes_max;
    let within: Vec<&TreeFile> = listed
        .iter()
        .filter(|file| {
            let cost = file.bytes.min(limits.file_bytes_max);
            let fits = cost <= budget;
            budget = budget.saturating_sub(cost);
            fits
        })
        .collect();
    coverage.files_past_total = listed.len() - within.len();
    let context = TreeContext {
        headers_are_cpp: headers_are_cpp(listed),
        attributes: match reader.read(".gitattributes", limits.file_bytes_max) {
            Content::Text(text) => Attributes::parse(&text),
            _ => Attributes::parse(""),
        },
    };
    let looked = in_parallel(within.len(), &|index| match options.stop.is_stopped() {
        // Nobody will see it.
        true => Look { outcome: Outcome::Unreadable, facts: None },
        false => look(reader, within[index], limits, &context),
    });
    let mut files = Vec::new();
    for (file, look) in within.iter().zip(looked) {
        note(&mut coverage, &file.path, &look);
        files.extend(look.facts);
    }
    coverage.languages_without_links = coverage::languages_without_links(&files);
    let broken = files.iter().filter(|file| file.manifest.is_none() && manifest::has_strict_form(&file.path));
    let own = broken.filter(|file| !file.role.is_foreign() && file.role != Role::Fixture);
    coverage.broken_manifests = own.take(PATHS_NAMED_MAX).map(|file| file.path.clone()).collect();
    (files, coverage)
}

/// A header belongs to the language that the tree's own code is mostly written in.
fn headers_are_cpp(listed: &[TreeFile]) -> bool {
    let own = || {
        listed
            .iter()
            .map(|file| file.path.as_str())
            .filter(|path| role::by_path(path, None) != Role::Vendored)
    };
    let cpp = own().filter(|path| matches!(paths::extension(path), "cc" | "cpp" | "cxx" | "hpp")).count();
    cpp > own().filter(|path| paths::extension(path) == "c").count()
}

/// What looking at one file gave.
struct Look {
    outcome: Outcome,
    facts: Option<FileFacts>,
}

#[derive(Clone, Copy)]
enum Outcome {
    Text,
    Binary,
    NotUtf8,
    Oversize,
    Unreadable,
}

fn look(reader: &Reader, file: &TreeFile, limits: &Limits, context: &TreeContext) -> Look {
    let content = if file.bytes > limits.file_bytes_max {
        Content::Oversize
    } else {
        reader.read(&file.path, limits.file_bytes_max)
    };
    let outcome = match content {
        Content::Text(text) => {
            let facts = inspect::inspect(&file.path, &text, context);
            return Look { outcome: Outcome::Text, facts: Some(facts) };
        }
        Content::Binary => Outcome::Binary,
        Content::NotUtf8 => Outcome::NotUtf8,
        Content::Oversize => Outcome::Oversize,
        Content::Unreadable => Outcome::Unreadable,
    };
    // That a lock file is there matters even when it is too large to read.
    Look { outcome, facts: inspect::unread_lock(&file.path, file.bytes) }
}

/// Paths of one kind that are kept by name.
const PATHS_NAMED_MAX: usize = 200;

fn note(coverage: &mut Coverage, path: &str, look: &Look) {
    let list = match look.outcome {
        Outcome::Text => return coverage.text_files += 1,
        Outcome::Binary => return coverage.binary_files += 1,
        Outcome::NotUtf8 => &mut coverage.not_utf8_files,
        Outcome::Oversize => &mut coverage.oversize_files,
        Outcome::Unreadable => &mut coverage.unreadable_files,
    };
    if list.len() < PATHS_NAMED_MAX {
        list.push(path.to_owned());
    }
}

/// More threads than this gain little: the disk is the limit.
const THREADS_MAX: usize = 8;

/// Does work by index on a few threads that end before this returns; results keep the order of the indices.
fn in_parallel<T: Send>(count: usize, work: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let next = AtomicUsize::new(0);
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let take = || {
            let mut own = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return own;
                }
                own.push((index, work(index)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn assemble(
    folder_name: Option<String>,
    mut files: Vec<FileFacts>,
    listed: &[TreeFile],
    coverage: Coverage,
    history: Option<&GitHistory>,
    options: &SurveyOptions,
) -> Survey {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut packages = packages::gather(&files);
    let links = links::resolve(&files, &packages);
    count_imports(&mut packages, &links);
    let history = history.filter(|history| !history.is_empty());
    let history = history.map(|history| history::report(history, &files, &links.files, options.now));
    let (findings, rules) = all_findings(&files, listed, &coverage, &options.limits);
    let (marks, marks_found) = all_marks(&files, options.limits.marks_max);
    let mut survey = Survey {
        format: "spalla.survey/1",
        project: project(folder_name, &files, listed),
        goal: secrets::redact(&options.goal).into_owned(),
        goal_needs_model: goal::goal_needs_model(&options.goal),
        sections: goal::section_order(&options.goal),
        surveyed_at: options.now,
        priorities: Vec::new(),
        rules,
        findings,
        languages: sizes::languages(&files),
        folders: sizes::folders(&files),
        roles: sizes::roles(&files),
        internal_dependencies: graph::build(&files, &packages, &links),
        entry_points: entry_points::find(&files),
        tests: test_inventory::take(&files, &packages),
        lock_files: files.iter().filter_map(|file| file.lock.clone()).collect(),
        practice: Practice::default(),
        packages: packages.own,
        external_dependencies: packages.external,
        history,
        marks,
        marks_found,
        long_functions: sizes::long_functions(&files, options.limits.long_functions_max),
        unsafe_blocks: files.iter().map(|file| file.unsafe_blocks).sum(),
        coverage,
        limits: options.limits.clone(),
        files: sizes::files(&files, options.limits.files_listed_max),
    };
    survey.priorities = priorities::choose(&survey);
    survey
}

fn count_imports(packages: &mut Packages, links: &links::Links) {
    for (index, package) in packages.external.iter_mut().enumerate() {
        if links::COUNTED.contains(&package.ecosystem) {
            package.imported_by_files =
                Some(links.external.get(&index).map_or(0, std::collections::BTreeSet::len));
        }
    }
}

/// Gathers the findings of all files and of the tree, the most severe first, and counts them by rule.
fn all_findings(
    files: &[FileFacts],
    listed: &[TreeFile],
    coverage: &Coverage,
    limits: &Limits,
) -> (Vec<Finding>, Vec<RuleCount>) {
    let mut all: Vec<Finding> = files.iter().flat_map(|file| file.findings.iter().cloned()).collect();
    all.extend(files.iter().flat_map(whole_files::of_size));
    all.extend(listed.iter().filter_map(|file| whole_files::of_name(&file.path)));
    all.extend(whole_files::of_bulk(listed, coverage));
    let rules = all_rules();
    let rank = |id: &str| rules.iter().position(|rule| rule.id == id);
    all.sort_by(|a, b| {
        (a.severity, rank(a.rule), a.role)
            .cmp(&(b.severity, rank(b.rule), b.role))
            .then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line)))
    });
    let counts = rules.iter().map(|rule| {
        let own = || all.iter().filter(|finding| finding.rule == rule.id);
        let in_product = own().filter(|finding| finding.role.is_product()).count();
        RuleCount { rule: *rule, in_product, elsewhere: own().count() - in_product }
    });
    let counts = counts.collect();
    all.truncate(limits.findings_max);
    (all, counts)
}

/// Every rule once, in the order of the tables.
fn all_rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = rules::OTHER_RULES.to_vec();
    for pattern in PATTERN_RULES {
        if !rules.iter().any(|rule| rule.id == pattern.rule.id) {
            rules.push(pattern.rule);
        }
    }
    rules.sort_by_key(|rule| rule.severity);
    rules
}

fn all_marks(files: &[FileFacts], kept_max: usize) -> (Vec<Mark>, usize) {
    let mut marks: Vec<Mark> = files.iter().flat_map(|file| file.marks.iter().cloned()).collect();
    marks.sort_by(|a, b| (a.role, a.word, &a.file, a.line).cmp(&(b.role, b.word, &b.file, b.line)));
    let found = marks.len();
    marks.truncate(kept_max);
    (marks, found)
}

fn project(folder_name: Option<String>, files: &[FileFacts], listed: &[TreeFile]) -> Project {
    let at_root = files
        .iter()
        .filter_map(|file| file.manifest.as_ref())
        .filter(|manifest| manifest.folder().is_empty());
    let named = at_root.clone().find(|manifest| manifest.package.is_some());
    let name = named
        .and_then(|manifest| manifest.package.clone())
        .or(folder_name)
        .unwrap_or_else(|| String::from("project"));
    // The root of a workspace often leaves it to the package of its name.
    let namesake = files
        .iter()
        .filter_map(|file| file.manifest.as_ref())
        .filter(|manifest| manifest.package.as_ref() == Some(&name));
    let mut descriptions = at_root.chain(namesake).filter_map(|manifest| manifest.description.clone());
    let description = descriptions.find(|text| !text.is_empty());
    let in_root = |start: &str| {
        let mut names = listed.iter().map(|file| file.path.as_str()).filter(|path| !path.contains('/'));
        names.find(|name| name.to_ascii_lowercase().starts_with(start)).map(str::to_owned)
    };
    Project {
        name,
        description: description.map(|text| super::excerpt::long(&text)),
        license_file: in_root("license").or_else(|| in_root("licence")).or_else(|| in_root("copying")),
        readme: in_root("readme"),
    }
}

#[cfg(test)]
mod tests;
