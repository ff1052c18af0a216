//! Rules are pure: the crates of the lowest level reach for no file, clock, environment or process,
//! not even through the standard library.

use super::finding::Finding;
use super::rooms::ROOMS;
use super::rust_source::PathUse;
use super::tree::Tree;

const IMPURE: &[(&str, &str)] = &[
    ("std", "env"),
    ("std", "fs"),
    ("std", "io"),
    ("std", "net"),
    ("std", "os"),
    ("std", "process"),
    ("std", "thread"),
    ("time", "Instant"),
    ("time", "SystemTime"),
    ("Timestamp", "now"),
    ("Zoned", "now"),
];

/// Finds what is impure in crates that are to be pure; their tests may do as they like.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in ROOMS.iter().filter(|room| room.is_pure) {
        let folder = format!("crates/{}/", room.name);
        let files = tree.rust_files().filter(|(file, _)| file.path.starts_with(&folder) && !file.is_test);
        for (file, rust) in files {
            for path in rust.paths.iter().filter(|path| !path.in_test && is_impure(path)) {
                let name = path.segments.join("::");
                let message = format!("`{name}` in a pure crate: take what it gives as an argument");
                findings.push(Finding::fault(&file.path, path.line, message));
            }
        }
    }
    findings
}

fn is_impure(path: &PathUse) -> bool {
    IMPURE.iter().any(|(module, name)| path.contains(module, name))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    #[test]
    fn clock_files_and_environment_are_found_in_a_pure_crate_only() {
        let text =
            "use std::{fmt, fs};\nuse std::time::Duration;\nfn f() { std::time::SystemTime::now(); }\n";
        let tree = Tree::of([
            ("crates/spalla-domain/src/a.rs", text),
            ("crates/spalla-store/src/a.rs", text),
            ("crates/spalla-domain/tests/it/main.rs", text),
        ]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/spalla-domain/src/a.rs:1: `std::fs` in a pure crate"));
        assert!(found[1].starts_with("crates/spalla-domain/src/a.rs:3: "));
    }
}
