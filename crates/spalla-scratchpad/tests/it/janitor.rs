//! What the janitor removes, and what it leaves.

use crate::place::{BEGIN, HOUR_MS, Place, later, task_of};
use spalla_scratchpad::{Error, State, Step, Why};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

#[test]
fn what_is_over_goes_and_the_rest_stays() {
    let place = Place::new();
    let (old, path) = place.create("old");
    let (paused, _) = place.create("paused");
    place.scratchpads.step(&paused, Step::Pause, BEGIN).unwrap();
    let young = place.scratchpads.create(task_of("young"), later(HOUR_MS / 2)).unwrap();
    let now = later(HOUR_MS);
    assert_eq!(place.scratchpads.show(&old, now).unwrap().state, State::Expired);
    let looked = place.scratchpads.clean(now, true).unwrap();
    assert_eq!((looked.len(), looked[0].is_removed, path.exists()), (1, false, true));
    let cleaned = place.scratchpads.clean(now, false).unwrap();
    assert_eq!((&cleaned[0].id, cleaned[0].why, cleaned[0].is_removed), (&old, Why::Expired, true));
    assert!(!path.exists());
    let left: Vec<_> = place.scratchpads.list(now).unwrap().0.iter().map(|view| view.id.clone()).collect();
    assert_eq!(left, [young.id.clone(), paused]);
    assert!(matches!(place.scratchpads.show(&old, now), Err(Error::NotFound(_))));
    assert!(place.scratchpads.clean(now, false).unwrap().is_empty());
}

#[test]
fn one_that_is_in_use_stays_until_it_is_not() {
    let place = Place::new();
    let (id, path) = place.create("a");
    let held = place.scratchpads.hold(&id).unwrap();
    let cleaned = place.scratchpads.clean(later(HOUR_MS), false).unwrap();
    assert_eq!((cleaned[0].is_in_use, cleaned[0].is_removed), (true, false));
    assert!(path.exists());
    drop(held);
    assert!(place.scratchpads.clean(later(HOUR_MS), false).unwrap()[0].is_removed);
}

#[test]
fn one_that_a_process_works_in_stays() {
    let place = Place::new();
    let (_, path) = place.create("a");
    // It reads until its input ends.
    let mut reader =
        Command::new("cat").current_dir(path.join("output")).stdin(Stdio::piped()).spawn().unwrap();
    assert!(place.scratchpads.clean(later(HOUR_MS), false).unwrap()[0].is_in_use && path.exists());
    drop(reader.stdin.take());
    reader.wait().unwrap();
    assert!(place.scratchpads.clean(later(HOUR_MS), false).unwrap()[0].is_removed);
}

#[test]
fn going_on_in_time_keeps_it() {
    let place = Place::new();
    let (id, _) = place.create("a");
    place.scratchpads.step(&id, Step::Resume, later(HOUR_MS - 1)).unwrap();
    assert!(place.scratchpads.clean(later(HOUR_MS), false).unwrap().is_empty());
}

#[test]
fn removal_leads_out_of_no_scratchpad() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "x").unwrap();
    let (_, path) = place.create("a");
    symlink(outside.path(), path.join("output/link")).unwrap();
    let (_, replaced) = place.create("b");
    fs::remove_dir_all(&replaced).unwrap();
    symlink(outside.path(), &replaced).unwrap();
    assert_eq!(place.scratchpads.clean(later(HOUR_MS), false).unwrap().len(), 2);
    assert!(outside.path().join("precious").exists() && replaced.symlink_metadata().is_err());
}

#[test]
fn what_was_interrupted_is_gone_on_with() {
    let place = Place::new();
    let (made, _) = place.create("made");
    let (removed, path) = place.create("removed");
    let record =
        |id: &spalla_scratchpad::Id| place.scratchpads.root().join(".records").join(format!("{id}.json"));
    let edit = |id, from: &str, to: &str| {
        let text = fs::read_to_string(record(id)).unwrap();
        fs::write(record(id), text.replace(from, to)).unwrap();
    };
    edit(&made, "\"is_ready\": true", "\"is_ready\": false");
    edit(&removed, "\"active\"", "\"expired\"");
    fs::remove_dir_all(path.join("test")).unwrap();
    assert!(matches!(place.scratchpads.step(&removed, Step::Resume, BEGIN), Err(Error::Conflict(_))));
    assert!(matches!(place.scratchpads.show(&made, BEGIN), Err(Error::NotFound(_))));
    let mut why: Vec<_> = place.scratchpads.clean(BEGIN, false).unwrap().iter().map(|one| one.why).collect();
    why.sort_by_key(|why| format!("{why:?}"));
    assert_eq!(why, [Why::HalfMade, Why::HalfRemoved]);
    let left: Vec<_> =
        fs::read_dir(place.scratchpads.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".records"]);
    let left = fs::read_dir(place.scratchpads.root().join(".records")).unwrap().count();
    assert_eq!(left, 1, "the lock of all records");
}

#[test]
fn one_that_is_being_made_is_nobodys_business() {
    let place = Place::new();
    let draft = place.scratchpads.begin(task_of("a"), BEGIN).unwrap();
    assert!(place.scratchpads.clean(later(HOUR_MS), false).unwrap().is_empty());
    assert!(place.scratchpads.list(BEGIN).unwrap().0.is_empty());
    let view = draft.finish().unwrap();
    assert_eq!(place.scratchpads.list(BEGIN).unwrap().0, [view]);
}
