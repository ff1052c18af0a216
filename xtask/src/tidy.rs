//! `cargo xtask tidy`: what holds the house together and no compiler checks, one check per file.
//!
//! A check takes the whole [`Tree`] and returns its findings; it neither prints nor stops at the first.

use finding::Finding;
use std::path::Path;
use std::process::ExitCode;
use tree::Tree;

mod arrows;
mod attributes;
mod births;
mod component_names;
mod crash_points;
mod doc_paths;
mod exceptions;
mod file_names;
mod finding;
mod foreign_words;
mod headers;
mod lengths;
mod marks;
mod purity;
mod rooms;
mod rust_source;
mod sql_files;
mod sql_strings;
mod tree;

/// Every check that reads files; the arrows between crates come from cargo's metadata instead.
const FILE_CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    attributes::check,
    births::check,
    component_names::check,
    crash_points::check,
    doc_paths::check,
    exceptions::check,
    file_names::check,
    foreign_words::check,
    headers::check,
    lengths::check,
    marks::check,
    purity::check,
    sql_files::check,
    sql_strings::check,
];

/// Returns every crash point of the source.
pub(crate) fn crash_points() -> anyhow::Result<Vec<crash_points::Point>> {
    Ok(crash_points::points(&Tree::load(root())?))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Runs every check over the repository, prints what was found, and fails if any of it is a fault.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let tree = Tree::load(root())?;
    let mut findings = arrows::check(&arrows::crates_of(root())?);
    findings.extend(tree.unreadable());
    findings.extend(FILE_CHECKS.iter().flat_map(|check| check(&tree)));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let faults = findings.iter().filter(|finding| finding.is_fault()).count();
    eprintln!("tidy: {} files read, {faults} to mend", tree.files().count());
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
