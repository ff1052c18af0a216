//! Whoever looks again gets what they would get by looking for the first time.

use crate::{AT, Rooms, converted};
use proptest::prelude::*;
use spalla_registry::convert::{self, Memory};
use spalla_registry::publish;
use std::fs;
use std::path::Path;

/// Something that a person does to the folder.
#[derive(Debug, Clone)]
enum Act {
    Write(usize, usize, usize),
    Append(usize, usize),
    Remove(usize),
    Rename(usize, usize),
}

const PLACES: [&str; 6] = ["a.md", "b.md", "x/a.md", "x/c.md", "x/y/d.md", "02-z/e.md"];
const NAMES: [&str; 5] = ["alpha", "Alpha", "beta", "docker-expert", "rust engineer"];
const TEXTS: [&str; 6] = [
    "Deploys services with Docker, and rolls deployments back.",
    "Reviews Rust for borrow checker errors.\n\n- borrow checker\n- docker images\n- docker images",
    "Writes pricing pages; prices and pricing.",
    "USE FOR: price lists. DO NOT USE FOR: rust.",
    "",
    "Prices deployments. Plans, planned planning.",
];

fn act() -> impl Strategy<Value = Act> {
    let (place, name, text) = (0..PLACES.len(), 0..NAMES.len(), 0..TEXTS.len());
    prop_oneof![
        4 => (place.clone(), name, text.clone()).prop_map(|(place, name, text)| Act::Write(place, name, text)),
        2 => (place.clone(), text).prop_map(|(place, text)| Act::Append(place, text)),
        1 => place.clone().prop_map(Act::Remove),
        1 => (place.clone(), place).prop_map(|(from, to)| Act::Rename(from, to)),
    ]
}

/// What can't be done, such as removing what is not there, is not done.
fn perform(act: &Act, root: &Path) {
    let place = |number: &usize| root.join(PLACES[*number]);
    match act {
        Act::Write(at, name, text) => {
            let text = format!(
                "---\nname: {}\ndescription: {:?}\n---\n# It\n{}\n",
                NAMES[*name], TEXTS[*text], TEXTS[*text]
            );
            crate::fixtures::put(root, PLACES[*at], text.as_bytes());
        }
        Act::Append(at, text) => {
            let Ok(before) = fs::read_to_string(place(at)) else { return };
            fs::write(place(at), format!("{before}## {}\n", TEXTS[*text])).unwrap();
        }
        Act::Remove(at) => drop(fs::remove_file(place(at))),
        Act::Rename(from, to) => {
            fs::create_dir_all(place(to).parent().unwrap()).unwrap();
            drop(fs::rename(place(from), place(to)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..Default::default() })]
    #[test]
    fn any_sequence_of_changes_publishes_what_a_fresh_conversion_does(steps in prop::collection::vec(prop::collection::vec(act(), 1..4), 1..8)) {
        let rooms = Rooms::new();
        let (mut memory, mut published) = (Memory::default(), publish::Memory::of_a_watch());
        for acts in steps {
            acts.iter().for_each(|act| perform(act, &rooms.source()));
            let sources = convert::read(&rooms.source(), None, 2, &mut memory).unwrap();
            let again = convert::convert(&sources, AT, 2, &mut memory);
            publish::publish_again(&again.files, &rooms.out(), &mut published).unwrap();
            let fresh = converted(&rooms.source(), 1, AT);
            prop_assert_eq!(&again.files, &fresh.files);
            prop_assert_eq!(&again.problems, &fresh.problems);
            let (other, left) = (rooms.root.path().join("fresh/agents"), crate::published::all_files(&rooms.out()));
            publish::publish(&fresh.files, &other).unwrap();
            prop_assert_eq!(left, crate::published::all_files(&other));
            fs::remove_dir_all(other).unwrap();
        }
    }
}

#[test]
fn a_change_of_equal_length_in_the_same_moment_is_seen() {
    let rooms = Rooms::new();
    let mut memory = Memory::default();
    let mut words = std::collections::BTreeSet::new();
    for round in 100..200 {
        let text = format!("---\nname: a\ndescription: The word is word{round}.\n---\nYou are a.\n");
        fs::write(rooms.source().join("a.md"), text).unwrap();
        let sources = convert::read(&rooms.source(), None, 1, &mut memory).unwrap();
        let all = convert::convert(&sources, AT, 1, &mut memory);
        words.insert(all.definitions["a"].agent.description.clone());
    }
    assert_eq!(words.len(), 100);
}

#[test]
fn a_published_file_that_somebody_changed_is_published_again() {
    let rooms = Rooms::odd();
    let files = rooms.converted().files;
    let mut published = publish::Memory::of_a_watch();
    publish::publish_again(&files, &rooms.out(), &mut published).unwrap();
    for round in 0..5 {
        let place = rooms.out().join("data/plain.md");
        let mut bytes = fs::read(&place).unwrap();
        bytes[round] ^= 1;
        fs::write(&place, bytes).unwrap();
        let changes = publish::publish_again(&files, &rooms.out(), &mut published).unwrap();
        assert_eq!(changes.written, ["data/plain.md"]);
        assert_eq!(fs::read(&place).unwrap(), *files["data/plain.md"]);
        assert!(publish::publish_again(&files, &rooms.out(), &mut published).unwrap().is_none());
    }
}

#[test]
fn files_of_somebodys_own_stay_while_it_is_watched() {
    let rooms = Rooms::odd();
    let mut published = publish::Memory::of_a_watch();
    let mut publish = |round: u32| {
        let text = format!("---\nname: a\ndescription: Round {round}.\n---\nYou are a.\n");
        crate::fixtures::put(&rooms.source(), "round.md", text.as_bytes());
        publish::publish_again(&rooms.converted().files, &rooms.out(), &mut published).unwrap();
        let brief = fs::read_to_string(rooms.out().join("index.json")).unwrap();
        assert!(brief.contains(AT));
    };
    (0..3).for_each(&mut publish);
    crate::fixtures::put(&rooms.out(), "data/own.txt", b"mine");
    (3..6).for_each(&mut publish);
    assert_eq!(fs::read(rooms.out().join("data/own.txt")).unwrap(), b"mine");
    fs::remove_file(rooms.out().join("data/own.txt")).unwrap();
    (6..9).for_each(&mut publish);
    assert!(!rooms.out().join("data/own.txt").exists());
}

#[test]
fn a_spare_that_somebody_else_removed_or_made_anew_is_none() {
    let rooms = Rooms::odd();
    let files = rooms.converted().files;
    let mut published = publish::Memory::of_a_watch();
    let spare = rooms.root.path().join("codex/.agents.publishing");
    let mut round = |text: &str| {
        crate::fixtures::put(
            &rooms.source(),
            "round.md",
            format!("---\nname: a\ndescription: {text}\n---\nYou\n").as_bytes(),
        );
        let files = rooms.converted().files;
        publish::publish_again(&files, &rooms.out(), &mut published).unwrap();
        assert!(spare.is_dir());
        for (path, file) in &files {
            assert_eq!(fs::read(rooms.out().join(path)).unwrap(), **file, "{path}");
        }
    };
    publish::publish(&files, &rooms.out()).unwrap();
    round("one");
    fs::remove_dir_all(&spare).unwrap();
    round("two");
    fs::remove_dir_all(&spare).unwrap();
    fs::create_dir(&spare).unwrap();
    round("three");
    rooms.publish("2026-02-02T03:04:05Z");
    assert!(!spare.exists(), "whoever publishes once leaves none");
    round("four");
}
