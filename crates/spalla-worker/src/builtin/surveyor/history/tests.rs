//! What small histories show.

use super::super::inspect::{TreeContext, inspect};
use super::super::role::Attributes;
use super::*;

fn files(tree: &[(&str, &str)]) -> Vec<FileFacts> {
    let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse("") };
    tree.iter().map(|(path, text)| inspect(path, text, &context)).collect()
}

fn log(commits: &[(i64, &str, &str, &[&str])]) -> GitHistory {
    let mut bytes = Vec::new();
    for (at, author, subject, files) in commits {
        bytes.extend(format!("\x1e{at}\x1f{author}\x1f{subject}\0\n").into_bytes());
        for file in *files {
            bytes.extend(format!("1\t1\t{file}\0").into_bytes());
        }
    }
    parse_git_log(&bytes)
}

#[test]
fn hot_spots_are_changes_times_size_and_leave_out_what_is_gone() {
    let files = files(&[("src/a.rs", "fn a() {}\n"), ("src/b.rs", "fn b() {\n}\n"), ("Cargo.lock", "x\n")]);
    let day = 86_400;
    let history = log(&[
        (1_000 * day, "x", "fix a", &["src/a.rs", "Cargo.lock"]),
        (990 * day, "y", "more", &["src/a.rs", "src/b.rs", "gone.rs"]),
        (100 * day, "x", "start", &["src/a.rs", "src/b.rs"]),
    ]);
    let now = Timestamp::from_second(1_001 * day).expect("in range");
    let report = report(&history, &files, &BTreeSet::new(), now);
    let rows: Vec<_> = report
        .hot_spots
        .iter()
        .map(|spot| {
            (spot.file.as_str(), spot.commits, spot.fixes, spot.recent_commits, spot.authors, spot.score)
        })
        .collect();
    assert_eq!(rows, [("src/b.rs", 2, 0, 1, 2, 4), ("src/a.rs", 3, 1, 2, 2, 3)]);
    assert_eq!(
        (report.recent_commits, report.recent_authors, report.authors, report.busiest_author_percent),
        (2, 2, 2, 66)
    );
}

#[test]
fn files_that_change_together_are_named_unlinked_first() {
    let files = files(&[("a.c", "int a;\n"), ("a.h", "int a;\n"), ("b.c", "int b;\n"), ("c.c", "int c;\n")]);
    let commits: Vec<(i64, &str, &str, &[&str])> =
        (0..6).map(|at| (at, "x", "s", &["a.c", "a.h", "b.c", "c.c"][..])).collect();
    let links = BTreeSet::from([(0, 2)]);
    let report = report(&log(&commits), &files, &links, Timestamp::UNIX_EPOCH);
    let pairs: Vec<_> =
        report.coupled.iter().map(|pair| (pair.a.as_str(), pair.b.as_str(), pair.linked)).collect();
    assert_eq!(
        pairs,
        [
            ("a.c", "c.c", false),
            ("a.h", "c.c", false),
            ("b.c", "c.c", false),
            ("a.c", "b.c", true),
            ("a.h", "b.c", true)
        ]
    );
    assert_eq!((report.coupled[0].together, report.coupled[0].percent), (6, 100));
}

#[test]
fn wide_commits_couple_nothing() {
    let names: Vec<String> = (0..30).map(|at| format!("f{at}.rs")).collect();
    let tree: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "fn a() {}\n")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let commits: Vec<(i64, &str, &str, &[&str])> = (0..9).map(|at| (at, "x", "s", &all[..])).collect();
    assert_eq!(report(&log(&commits), &files(&tree), &BTreeSet::new(), Timestamp::UNIX_EPOCH).coupled, []);
}
