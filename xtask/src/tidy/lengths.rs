//! A file can be read at one sitting.

use super::finding::Finding;
use super::tree::Tree;

/// Past this a file is split, tests too.
const LINES_MAX: usize = 800;
/// Past this it is worth a look.
const LINES_AIM: usize = 500;
/// A program's entrance only shows the way in.
const MAIN_LINES_MAX: usize = 30;

/// Finds files that have grown too long.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let rust_files = tree.files().filter(|file| file.path.ends_with(".rs"));
    rust_files.filter_map(|file| judge(&file.path, file.text.lines().count())).collect()
}

fn judge(path: &str, lines: usize) -> Option<Finding> {
    if path.ends_with("src/main.rs") && lines > MAIN_LINES_MAX {
        let message =
            format!("{lines} lines: a main.rs has at most {MAIN_LINES_MAX} and no logic of its own");
        Some(Finding::fault(path, 1, message))
    } else if lines > LINES_MAX {
        Some(Finding::fault(path, 1, format!("{lines} lines, at most {LINES_MAX}: split it by idea")))
    } else if lines > LINES_AIM {
        Some(Finding::note(path, 1, format!("{lines} lines, the aim is {LINES_AIM}")))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    fn found(path: &str, lines: usize) -> Option<bool> {
        check(&Tree::of([(path, "//! x\n".repeat(lines))])).first().map(|finding| finding.is_fault())
    }

    #[test]
    fn eight_hundred_lines_are_the_end_and_five_hundred_the_aim() {
        assert_eq!(found("crates/a/src/long.rs", 801), Some(true));
        assert_eq!(found("crates/a/tests/it/long.rs", 801), Some(true));
        assert_eq!(found("crates/a/src/long.rs", 800), Some(false));
        assert_eq!(found("crates/a/src/long.rs", 501), Some(false));
        assert_eq!(found("crates/a/src/long.rs", 500), None);
    }

    #[test]
    fn a_main_has_thirty_lines() {
        assert_eq!(found("crates/spalla/src/main.rs", 31), Some(true));
        assert_eq!(found("crates/spalla/src/main.rs", 30), None);
        assert_eq!(found("crates/spalla/tests/it/main.rs", 31), None);
    }
}
