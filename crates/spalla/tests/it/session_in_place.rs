//! Sessions that work in the target itself, with agents that are played by scripts.

use crate::process::{Ended, ended, text};
use crate::scripted::Place;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Two pieces, each of which writes a line.
const GOAL: &str = "- Write one line\n- Write another line";

fn in_place(place: &Place, target: &Path, flags: &[&str]) -> Ended {
    let usual =
        ["orchestrate", "--no-dashboard", "--in-place", "--agents", "codex", "--target", text(target)];
    ended(place.command(&[&usual[..], flags, &[GOAL]].concat()).output().expect("the binary runs"))
}

fn shown(place: &Place) -> Value {
    let shown = place.home.run(&["session", "show", "latest", "--json"]).good();
    serde_json::from_str(&shown).expect("JSON")
}

/// Returns when the run of a piece began.
fn began(session: &Value, key: &str) -> String {
    let items = session["items"].as_array().expect("items");
    let item = items.iter().find(|item| item["key"] == key).expect("the piece");
    item["runs"][0]["started_at"].as_str().expect("a moment").to_owned()
}

#[test]
fn what_is_merged_is_in_the_target_before_the_next_piece_begins() {
    let place = Place::make();
    place.let_go();
    let done = in_place(&place, &place.target, &["--yes"]);
    assert_eq!(done.status, Some(0), "{done:?}");
    assert!(!done.stdout.contains("spalla session apply"), "nothing is left to be applied: {done:?}");
    let written = fs::read_to_string(place.target.join("hello.txt")).expect("the file");
    assert_eq!(written, "hello\nhello\n");
    let session = shown(&place);
    let applied = session["applied"].as_array().expect("what was brought");
    assert_eq!(applied.len(), 2, "{session}");
    let first = applied[0]["at"].as_str().expect("a moment");
    assert!(first <= began(&session, "2").as_str(), "{session}");
    let again = place.home.run(&["session", "apply", "latest", "--yes"]).good();
    assert!(again.contains("already"), "{again}");
}

#[test]
fn a_target_without_git_gets_each_piece_as_well() {
    let place = Place::make();
    place.let_go();
    let target = place.home.path("plain");
    fs::create_dir(&target).expect("a folder");
    fs::write(target.join("notes.txt"), "mine\n").expect("a file");
    let done = in_place(&place, &target, &["--yes"]);
    assert_eq!(done.status, Some(0), "{done:?}");
    let written = fs::read_to_string(target.join("hello.txt")).expect("the file");
    assert_eq!((written.as_str(), target.join(".git").exists()), ("hello\nhello\n", false));
}

#[test]
fn a_file_of_a_person_that_stands_in_the_way_stops_it_and_it_goes_on_when_that_is_gone() {
    let place = Place::make();
    place.let_go();
    fs::write(place.target.join("hello.txt"), "mine\n").expect("a file");
    let stopped = in_place(&place, &place.target, &["--yes"]);
    assert_eq!(stopped.status, Some(3), "{stopped:?}");
    assert!(stopped.stdout.contains("does not go into"), "{stopped:?}");
    assert_eq!(fs::read_to_string(place.target.join("hello.txt")).expect("the file"), "mine\n");
    assert_eq!(shown(&place)["items"].as_array().map(Vec::len), Some(3), "the second piece has not begun");
    fs::remove_file(place.target.join("hello.txt")).expect("it goes");
    place.resume().good();
    let written = fs::read_to_string(place.target.join("hello.txt")).expect("the file");
    assert_eq!(written, "hello\nhello\n");
}

#[test]
fn nothing_begins_in_place_that_nobody_agreed_to_or_that_has_writers_beside_each_other() {
    let place = Place::make();
    let unasked = in_place(&place, &place.target, &[]);
    assert_eq!((unasked.status, unasked.stderr.contains("say --yes")), (Some(2), true), "{unasked:?}");
    let beside = in_place(&place, &place.target, &["--yes", "--pattern", "tournament:2"]);
    assert_eq!((beside.status, beside.stderr.contains("sequential")), (Some(2), true), "{beside:?}");
    assert_eq!(place.home.run(&["session", "list", "--json"]).good().trim(), "[]");
}

#[tokio::test]
async fn two_sessions_do_not_work_in_one_target() {
    let place = Place::make();
    let usual = ["orchestrate", "--no-dashboard", "--in-place", "--yes", "--agents", "codex"];
    let mut first = place.command(&[&usual[..], &["--target", text(&place.target), GOAL]].concat());
    let first = std::thread::spawn(move || ended(first.output().expect("the binary runs")));
    place.until_begun().await;
    let second = in_place(&place, &place.target, &["--yes"]);
    assert_eq!((second.status, second.stderr.contains("already")), (Some(2), true), "{second:?}");
    place.let_go();
    first.join().expect("it ends").good();
}
