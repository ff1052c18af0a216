//! A name says what is inside: no `mod.rs`, and none of the names that say nothing.

use super::finding::Finding;
use super::tree::Tree;
use std::collections::BTreeSet;

const SAYS_NOTHING: &[&str] =
    &["common", "core", "helper", "helpers", "impl", "manager", "misc", "types", "util", "utils"];

/// Finds files and folders whose names say nothing; a folder is named once.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    for file in tree.files() {
        if file.path.ends_with("/mod.rs") {
            let message = "write `name.rs` beside the folder `name/` instead of a mod.rs in it";
            found.insert(Finding::fault(&file.path, 1, message));
        }
        for (end, part) in parts(&file.path) {
            let stem = part.split('.').next().unwrap_or(part);
            if SAYS_NOTHING.contains(&stem) {
                let message = format!("the name `{stem}` does not say what is inside");
                found.insert(Finding::fault(&file.path[..end], 1, message));
            }
        }
    }
    found.into_iter().collect()
}

/// Returns each part of a path with the place where it ends.
fn parts(path: &str) -> impl Iterator<Item = (usize, &str)> {
    path.split('/').scan(0, |end, part| {
        *end += part.len();
        let place = *end;
        *end += 1;
        Some((place, part))
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    #[test]
    fn names_that_say_nothing_are_found_as_file_and_as_folder() {
        let tree = Tree::of([
            ("crates/a/src/util.rs", ""),
            ("crates/a/src/helpers/one.rs", ""),
            ("crates/a/src/helpers/two.rs", ""),
            ("web/src/types.d.ts", ""),
            ("crates/a/src/utility_bill.rs", ""),
        ]);
        let places: Vec<String> = check(&tree)
            .iter()
            .map(|finding| finding.to_string().split(':').next().unwrap_or("").to_owned())
            .collect();
        assert_eq!(places, ["crates/a/src/helpers", "crates/a/src/util.rs", "web/src/types.d.ts"]);
    }

    #[test]
    fn mod_rs_is_found() {
        let found = check(&Tree::of([("crates/a/src/run/mod.rs", "")]));
        assert!(found[0].to_string().starts_with("crates/a/src/run/mod.rs:1: write `name.rs` beside"));
    }
}
