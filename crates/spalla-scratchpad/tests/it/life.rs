//! From its making to its pause.

use crate::place::{BEGIN, Place, later, task_of};
use spalla_scratchpad::{Error, Id, New, Quota, State, Step};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_scratchpad_has_its_folders_and_says_what_it_is_for() {
    let place = Place::new();
    let new = New {
        task: "Mend the parser".into(),
        session: Some("orch_1".into()),
        agent: Some("codex".into()),
        template: None,
    };
    let view = place.scratchpads.create(new, BEGIN).unwrap();
    assert_eq!(view.id.as_str(), "Mend-the-parser_1700000000");
    for name in ["", "test", "output", "drafts"] {
        assert_eq!(mode(&view.path.join(name)), 0o755, "{name}");
    }
    assert_eq!(mode(&place.scratchpads.root().join(".records")), 0o700);
    let readme = fs::read_to_string(view.path.join("README.md")).unwrap();
    for said in ["Mend the parser", "orch_1", "codex", "2023-11-14T22:13:20", "2023-11-14T23:13:20"] {
        assert!(readme.contains(said), "{said}: {readme}");
    }
    assert_eq!(place.scratchpads.list(BEGIN).unwrap().0, [view]);
    assert_eq!(place.scratchpads.check().unwrap(), (1, vec![]));
}

#[test]
fn a_data_folder_may_be_a_link() {
    let place = Place::new();
    let real = place.folder.path().join("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, place.folder.path().join("data")).unwrap();
    let (id, _) = place.create("a");
    assert!(real.join("scratchpad").join(id.as_str()).join("README.md").exists());
    assert_eq!(place.scratchpads.check().unwrap(), (1, vec![]));
}

#[test]
fn two_of_one_second_have_names_of_their_own() {
    let place = Place::new();
    let (one, other) = (place.create("a").0, place.create("a").0);
    assert_eq!((one.as_str(), other.as_str()), ("a_1700000000", "a_1700000001"));
}

#[test]
fn what_can_not_be_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let refuse = |new: New| assert!(matches!(place.scratchpads.create(new, BEGIN), Err(Error::Invalid(_))));
    refuse(task_of("  "));
    refuse(task_of(&"x".repeat(1_001)));
    refuse(New { session: Some("../x".into()), ..task_of("a") });
    refuse(New { agent: Some("a\nb".into()), ..task_of("a") });
    refuse(New { template: Some("../default".into()), ..task_of("a") });
    refuse(New { template: Some("none".into()), ..task_of("a") });
    assert!(!place.scratchpads.root().exists());
}

#[test]
fn a_template_is_copied_and_its_readme_follows_ours() {
    let place = Place::new();
    let template = place.folder.path().join("templates/crate");
    fs::create_dir_all(template.join("test/cases")).unwrap();
    fs::write(template.join("test/cases/one.txt"), "1").unwrap();
    fs::write(template.join("README.md"), "Write tests first.").unwrap();
    let view =
        place.scratchpads.create(New { template: Some("crate".into()), ..task_of("a") }, BEGIN).unwrap();
    assert_eq!(fs::read_to_string(view.path.join("test/cases/one.txt")).unwrap(), "1");
    let readme = fs::read_to_string(view.path.join("README.md")).unwrap();
    assert!(readme.starts_with("# a\n") && readme.ends_with("Write tests first."), "{readme}");
    assert!(place.scratchpads.changes(&view.id, BEGIN).unwrap().is_empty());
}

#[test]
fn a_folder_is_copied_and_stays_as_it_is() {
    let place = Place::new();
    let target = place.folder.path().join("target");
    fs::create_dir_all(target.join("src")).unwrap();
    fs::write(target.join("src/a.txt"), "a").unwrap();
    let mut draft = place.scratchpads.begin(task_of("a"), BEGIN).unwrap();
    draft.copy(&target).unwrap();
    let view = draft.finish().unwrap();
    fs::write(view.path.join("work/src/a.txt"), "b").unwrap();
    assert_eq!(fs::read_to_string(target.join("src/a.txt")).unwrap(), "a");
    let changed = place.scratchpads.changes(&view.id, BEGIN).unwrap().changed;
    assert_eq!(changed.len(), 1);
    assert_eq!((changed[0].path.as_str(), changed[0].size), ("work/src/a.txt", 1));
}

#[test]
fn a_folder_with_the_scratchpads_in_it_is_not_copied_into_one() {
    let place = Place::new();
    let mut draft = place.scratchpads.begin(task_of("a"), BEGIN).unwrap();
    assert!(matches!(draft.copy(place.folder.path()), Err(Error::Invalid(_))));
    drop(draft);
    assert!(place.scratchpads.list(BEGIN).unwrap().0.is_empty());
}

#[test]
fn more_than_the_quota_is_refused_and_leaves_nothing() {
    let place = Place::with(Quota { bytes: 10_000, files: 3 });
    let target = place.folder.path().join("target");
    fs::create_dir_all(&target).unwrap();
    fs::write(target.join("large"), vec![7; 20_000]).unwrap();
    let mut draft = place.scratchpads.begin(task_of("a"), BEGIN).unwrap();
    assert!(matches!(draft.copy(&target), Err(Error::TooLarge(_))));
    let path = draft.work();
    drop(draft);
    assert!(!path.parent().unwrap().exists());
    let (id, path) = place.create("b");
    for name in ["1", "2", "3"] {
        fs::write(path.join("output").join(name), name).unwrap();
    }
    let stats = place.scratchpads.stats(&id, BEGIN).unwrap();
    assert!(stats.is_over_quota);
    assert_eq!((stats.total_files, stats.folders["output"].files), (4, 3));
}

#[test]
fn pausing_twice_is_pausing_once_and_resuming_goes_on() {
    let place = Place::new();
    let (id, _) = place.create("a");
    let step = |step, ms| place.scratchpads.step(&id, step, later(ms));
    assert_eq!(step(Step::Pause, 1).unwrap().state, State::Paused);
    let again = step(Step::Pause, 2).unwrap();
    assert_eq!((again.updated_at, again.expires_at), (later(1), None));
    assert_eq!(step(Step::Resume, 3).unwrap().state, State::Active);
    assert_eq!(step(Step::Complete, 4).unwrap().state, State::Completed);
    assert!(matches!(step(Step::Pause, 5), Err(Error::Conflict(_))));
    let none = Id::parse("none_1").unwrap();
    assert!(matches!(place.scratchpads.step(&none, Step::Pause, BEGIN), Err(Error::NotFound(_))));
}

#[test]
fn what_stands_in_a_scratchpad_says_nothing_of_its_state() {
    let place = Place::new();
    let (id, path) = place.create("a");
    let record =
        fs::read_to_string(place.scratchpads.root().join(".records").join(format!("{id}.json"))).unwrap();
    fs::write(path.join("record.json"), record.replace("active", "completed")).unwrap();
    fs::write(path.join("README.md"), "# completed").unwrap();
    assert_eq!(place.scratchpads.show(&id, BEGIN).unwrap().state, State::Active);
}

#[test]
fn a_record_that_can_not_be_read_is_told_and_hides_no_other() {
    let place = Place::new();
    let (id, _) = place.create("a");
    place.create("b");
    fs::write(place.scratchpads.root().join(".records").join(format!("{id}.json")), "{").unwrap();
    let (views, errors) = place.scratchpads.list(BEGIN).unwrap();
    assert_eq!((views.len(), errors.len()), (1, 1));
    assert!(matches!(place.scratchpads.show(&id, BEGIN), Err(Error::Corrupt { .. })));
    assert!(place.scratchpads.clean(later(1 << 40), false).unwrap().len() == 1);
}

#[test]
fn folders_with_another_mode_are_found() {
    let place = Place::new();
    let (_, path) = place.create("a");
    fs::set_permissions(path.join("output"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::remove_dir(path.join("test")).unwrap();
    symlink("/", path.join("test")).unwrap();
    let (count, faults) = place.scratchpads.check().unwrap();
    assert_eq!(count, 1);
    let found: Vec<_> = faults.iter().map(|fault| (fault.path.clone(), fault.what.as_str())).collect();
    let expected =
        [(path.join("test"), "is no folder"), (path.join("output"), "has the mode 0777, not 0755")];
    assert_eq!(found, expected);
}

#[test]
fn figures_are_those_of_what_is_there_and_no_link_is_followed() {
    let place = Place::new();
    let (id, path) = place.create("a");
    fs::write(path.join("output/one"), vec![1; 3_000]).unwrap();
    fs::File::create(path.join("drafts/sparse")).unwrap().set_len(1 << 40).unwrap();
    symlink("/", path.join("drafts/link")).unwrap();
    let stats = place.scratchpads.stats(&id, BEGIN).unwrap();
    assert_eq!((stats.total_files, stats.total_folders, stats.total_others), (3, 3, 1));
    assert_eq!((stats.folders["output"].bytes, stats.folders["output"].size_kb), (3_000, 3));
    assert!(stats.folders["drafts"].bytes <= 4_096 && stats.is_whole);
    assert!(stats.workspace_size_kb < 20, "{stats:?}");
}
