//! Files that mean harm give clear problems, and nothing outside of the output folder is touched.

use crate::fixtures::put;
use crate::{AT, Rooms};
use spalla_registry::problem::Severity;
use std::fs;

/// Converts one hostile file beside a good one; returns the code and text of its worst problem.
fn problem(path: &str, bytes: &[u8]) -> (&'static str, String) {
    let rooms = Rooms::new();
    put(&rooms.source(), "good.md", b"---\nname: good\ndescription: d\n---\nYou are good.\n");
    put(&rooms.source(), path, bytes);
    let all = rooms.converted();
    assert!(all.definitions.contains_key("good"));
    let worst = all.problems.iter().max_by_key(|problem| problem.severity).expect("a problem");
    (worst.code, worst.to_string())
}

fn with_description(text: &str) -> Vec<u8> {
    format!("---\nname: x\ndescription: d\n{text}\n---\nYou are x.\n").into_bytes()
}

#[test]
fn a_file_of_ten_megabytes_is_refused_before_it_is_read() {
    let mut bytes = with_description("model: m");
    bytes.resize(10 * 1024 * 1024, b'a');
    let (code, text) = problem("large.md", &bytes);
    assert_eq!(code, "too-large");
    assert!(text.starts_with("large.md:1:1: the file has"), "{text}");
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    assert_eq!(
        problem("a.md", b"---\nname: x\n---\nYou are \xff\xfe\n").1.split(": ").next(),
        Some("a.md:4:9")
    );
    assert_eq!(problem("a.md", b"---\nname: x\0\n---\nYou\n").0, "nul");
    assert_eq!(problem("a.md", b"---\n- a\n- b\n---\nYou\n").0, "no-keys");
    assert_eq!(problem("a.md", b"---\n---\n\n").0, "empty");
}

#[test]
fn deep_trees_and_bombs_of_aliases_are_refused() {
    let deep = with_description(&format!("deep: {}{}", "[".repeat(5_000), "]".repeat(5_000)));
    let told = problem("a.md", &deep);
    assert_eq!(told.0, "limit", "{}", told.1);
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in "bcdefghi".chars().zip("abcdefgh".chars()) {
        bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 9].join(", ")));
    }
    let told = problem("a.md", &with_description(&bomb));
    assert_eq!(told.0, "limit", "{}", told.1);
}

#[test]
fn an_expression_that_takes_forever_is_set_aside() {
    let (code, text) =
        problem("a.md", &with_description("triggers:\n  keywords: [x]\n  regex:\n    - pattern: \"(a+)+$\""));
    assert_eq!(code, "regex");
    assert!(text.contains("exponential"), "{text}");
}

#[test]
fn names_like_paths_stay_in_the_output_folder() {
    let rooms = Rooms::new();
    for (number, name) in
        ["../../escape", "/etc/passwd", "..", "a/../../../b", "C:\\\\x", "x.codex"].iter().enumerate()
    {
        let text = format!(
            "---\nname: \"{name}\"\ndomain: \"../../{name}\"\ndescription: d\n---\nYou are {number}.\n"
        );
        put(&rooms.source(), &format!("{number}.md"), text.as_bytes());
    }
    rooms.publish(AT);
    let mut names: Vec<_> =
        fs::read_dir(rooms.root.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["agents", "codex"]);
    assert_eq!(fs::read_dir(rooms.root.path().join("codex")).unwrap().count(), 1);
    assert_eq!(rooms.converted().definitions.len(), 6);
}

#[test]
fn links_that_lead_out_are_not_followed() {
    let rooms = Rooms::new();
    let outside = rooms.root.path().join("secret.md");
    fs::write(&outside, "---\nname: secret\ndescription: d\n---\nYou are secret.\n").unwrap();
    put(&rooms.source(), "inside.md", b"---\nname: inside\ndescription: d\n---\nYou are in.\n");
    let link =
        |to: &std::path::Path, name: &str| std::os::unix::fs::symlink(to, rooms.source().join(name)).unwrap();
    link(&outside, "out.md");
    link(rooms.root.path(), "loop");
    link(std::path::Path::new("inside.md"), "in.md");
    link(std::path::Path::new("/no/such"), "dangling.md");
    let all = rooms.converted();
    let ids: Vec<_> = all.definitions.keys().map(String::as_str).collect();
    assert_eq!(ids, ["inside", "inside-2"]);
    assert!(!all.definitions.contains_key("secret"));
    let errors: Vec<_> = all
        .problems
        .iter()
        .filter(|one| one.severity == Severity::Error)
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(errors, ["dangling.md", "out.md"]);
}

#[test]
fn a_pipe_does_not_keep_anybody_waiting() {
    let rooms = Rooms::new();
    let place = rooms.source().join("pipe.md");
    rustix::fs::mknodat(rustix::fs::CWD, &place, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(rooms.converted().problems[0].code, "no-file");
}

#[test]
fn a_link_in_the_published_folder_is_not_written_through() {
    let rooms = Rooms::odd();
    let outside = rooms.root.path().join("outside");
    fs::write(&outside, "mine").unwrap();
    rooms.publish(AT);
    let index = rooms.out().join("index.json");
    fs::remove_file(&index).unwrap();
    std::os::unix::fs::symlink(&outside, &index).unwrap();
    rooms.publish(AT);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert!(fs::symlink_metadata(&index).unwrap().is_file());
}
