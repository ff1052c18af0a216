//! A publication stands there whole, keeps what is somebody's own, and removes what is gone.

use crate::fixtures::put;
use crate::{AT, Rooms, converted};
use spalla_registry::publish;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Every file below a folder with its content.
pub(crate) fn all_files(folder: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let mut files = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                files.insert((name, fs::read(&path).unwrap()));
            }
        }
    }
    files
}

#[test]
fn publishing_twice_changes_nothing_and_in_another_place_makes_the_same_bytes() {
    let (one, other) = (Rooms::odd(), Rooms::odd());
    let first = one.publish(AT);
    assert!(first.removed.is_empty() && first.written.len() > 20);
    assert!(one.publish(AT).is_none());
    other.publish(AT);
    assert_eq!(all_files(&one.out()), all_files(&other.out()));
}

#[test]
fn one_change_writes_what_follows_from_it_and_no_more() {
    let rooms = Rooms::odd();
    rooms.publish(AT);
    put(&rooms.source(), "plain.md", b"---\nname: plain\ndescription: Reviews SQL queries.\ntools: Read, Grep\nmodel: sonnet\n---\n\nYou are a stern reviewer.\n");
    let changes = rooms.publish(AT);
    assert_eq!(changes.written, ["data/plain.codex.yaml", "data/plain.md", "index.json"]);
    assert!(changes.unchanged > 20);
}

#[test]
fn what_is_gone_is_removed_and_what_is_somebodys_own_stays() {
    let rooms = Rooms::odd();
    rooms.publish(AT);
    put(&rooms.out(), "notes/own.txt", b"mine");
    put(&rooms.out(), "data/own.codex.yaml", b"mine too");
    std::os::unix::fs::symlink("notes", rooms.out().join("link")).unwrap();
    fs::remove_file(rooms.source().join("plain.md")).unwrap();
    let changes = rooms.publish(AT);
    assert_eq!(changes.removed, ["data/plain.codex.yaml", "data/plain.md"]);
    assert!(!rooms.out().join("data/plain.md").exists());
    for (path, wanted) in
        [("notes/own.txt", "mine"), ("data/own.codex.yaml", "mine too"), ("link/own.txt", "mine")]
    {
        assert_eq!(fs::read_to_string(rooms.out().join(path)).unwrap(), wanted, "{path}");
    }
}

#[test]
fn a_file_that_nobody_published_is_not_written_over() {
    let rooms = Rooms::odd();
    put(&rooms.out(), "data/plain.md", b"mine");
    let refused = publish::publish(&converted(&rooms.source(), 1, AT).files, &rooms.out()).unwrap_err();
    assert!(refused.to_string().contains("data/plain.md is not a file that was published"), "{refused}");
    assert_eq!(all_files(&rooms.out()).len(), 1);
    assert_eq!(fs::read_dir(rooms.root.path().join("codex")).unwrap().count(), 1);
}

#[test]
fn what_a_killed_publication_left_goes_with_the_next() {
    let rooms = Rooms::odd();
    put(&rooms.root.path().join("codex/.agents.publishing"), "data/half.md", b"half");
    rooms.publish(AT);
    let left: Vec<_> =
        fs::read_dir(rooms.root.path().join("codex")).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(left, ["agents"]);
    assert!(!rooms.out().join("data/half.md").exists());
}

#[test]
fn a_check_changes_nothing_and_tells_what_is_stale() {
    let rooms = Rooms::odd();
    let files = rooms.converted().files;
    let stale = publish::changes(&files, &rooms.out(), |_, old, new| old != new).unwrap();
    assert_eq!((stale.written.len(), stale.unchanged), (files.len(), 0));
    assert!(!rooms.out().exists());
    rooms.publish(AT);
    assert!(publish::changes(&files, &rooms.out(), |_, old, new| old != new).unwrap().is_none());
}

/// A reader that opens the folder and reads the index finds every definition of that index, however often it is published
/// meanwhile.
#[test]
fn a_reader_never_sees_half_of_a_publication() {
    let rooms = Rooms::odd();
    rooms.publish(AT);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20 {
                let text =
                    format!("---\nname: round-{round}\ndescription: round {round}\n---\nYou are {round}.\n");
                put(&rooms.source(), "round.md", text.as_bytes());
                rooms.publish(&format!("2026-01-02T03:05:{round:02}Z"));
            }
            is_over.store(true, Ordering::Release);
        });
        let mut reads = 0;
        while !is_over.load(Ordering::Acquire) || reads == 0 {
            let index = fs::read(rooms.out().join("index.json"));
            let index: serde_json::Value =
                serde_json::from_slice(&index.expect("an index, at every time")).expect("whole");
            assert!(index["agents"].as_array().is_some_and(|agents| agents.len() >= crate::fixtures::AGENTS));
            reads += 1;
        }
    });
}
