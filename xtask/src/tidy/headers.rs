//! Every Rust file says in its first line what it is for.

use super::finding::Finding;
use super::tree::Tree;

/// Finds Rust files that do not begin with a `//!` sentence.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let says_nothing = |text: &str| text.lines().next().and_then(heading).is_none();
    tree.files()
        .filter(|file| file.path.ends_with(".rs") && says_nothing(&file.text))
        .map(|file| Finding::fault(&file.path, 1, "begin with a `//!` sentence: what is this file for?"))
        .collect()
}

fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("//!").map(str::trim).filter(|sentence| !sentence.is_empty())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    #[test]
    fn a_file_without_its_sentence_is_found() {
        let tree = Tree::of([
            ("a.rs", "//! Says it.\n"),
            ("b.rs", "use std::fs;\n//! Too late.\n"),
            ("c.rs", "//!\n"),
            ("d.rs", ""),
            ("e.md", "no Rust\n"),
        ]);
        let paths: Vec<String> =
            check(&tree).iter().map(|finding| finding.to_string()[..4].to_owned()).collect();
        assert_eq!(paths, ["b.rs", "c.rs", "d.rs"]);
    }
}
