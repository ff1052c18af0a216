//! What was made is taken out, and nothing else.

use crate::place::{BEGIN, Place, task_of};
use spalla_scratchpad::{Error, Once, State};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn what_was_made_is_copied_to_its_own_paths() {
    let place = Place::new();
    let (id, path) = place.create("a");
    fs::create_dir_all(path.join("output/deep")).unwrap();
    fs::write(path.join("output/deep/tool"), "run").unwrap();
    fs::set_permissions(path.join("output/deep/tool"), fs::Permissions::from_mode(0o700)).unwrap();
    let into = place.folder.path().join("new/export");
    let exported = place.scratchpads.export(&id, &into, false, BEGIN).unwrap();
    assert_eq!((exported.files, exported.bytes, exported.is_whole), (1, 3, true));
    assert_eq!(read(&into.join("output/deep/tool")), "run");
    let mode = fs::metadata(into.join("output/deep/tool")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    assert!(!into.join("README.md").exists());
    let view = place.scratchpads.show(&id, BEGIN).unwrap();
    assert_eq!(view.state, State::Exported);
    assert!(view.exported_to.as_deref().is_some_and(|to| to.ends_with("new/export")));
}

#[test]
fn what_stands_there_stays_unless_somebody_says_otherwise() {
    let place = Place::new();
    let (id, path) = place.create("a");
    fs::write(path.join("output/a"), "new").unwrap();
    fs::write(path.join("output/b"), "new").unwrap();
    let into = place.folder.path().join("export");
    fs::create_dir_all(into.join("output")).unwrap();
    fs::write(into.join("output/b"), "old").unwrap();
    let refused = place.scratchpads.export(&id, &into, false, BEGIN);
    assert!(matches!(refused, Err(Error::Conflict(why)) if why.contains("output/b")));
    assert!(!into.join("output/a").exists() && read(&into.join("output/b")) == "old");
    assert_eq!(place.scratchpads.show(&id, BEGIN).unwrap().state, State::Active);
    place.scratchpads.export(&id, &into, true, BEGIN).unwrap();
    assert_eq!((read(&into.join("output/a")), read(&into.join("output/b"))), ("new".into(), "new".into()));
}

#[test]
fn no_link_is_followed_on_either_side() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let (id, path) = place.create("a");
    fs::write(path.join("output/a"), "a").unwrap();
    symlink(outside.path().join("secret"), path.join("output/link")).unwrap();
    symlink(outside.path(), path.join("output/folder")).unwrap();
    let into = place.folder.path().join("export");
    let exported = place.scratchpads.export(&id, &into, false, BEGIN).unwrap();
    assert_eq!(exported.left_out, ["output/folder", "output/link"]);
    assert_eq!(fs::read_dir(into.join("output")).unwrap().count(), 1);
    for (place_of_link, other) in [("output", "x"), ("output/a", "y")] {
        let into = place.folder.path().join(other);
        fs::create_dir_all(into.join("output")).unwrap();
        if place_of_link == "output" {
            fs::remove_dir(into.join("output")).unwrap();
        }
        symlink(outside.path(), into.join(place_of_link)).unwrap();
        let refused = place.scratchpads.export(&id, &into, true, BEGIN);
        assert!(matches!(refused, Err(Error::Conflict(_))), "{place_of_link}");
    }
    let link = place.folder.path().join("link");
    symlink(outside.path(), &link).unwrap();
    assert!(place.scratchpads.export(&id, &link, true, BEGIN).is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn an_export_goes_into_no_scratchpad_and_one_over_the_network_beneath_exports() {
    let place = Place::new();
    let (id, path) = place.create("a");
    fs::write(path.join("output/a"), "a").unwrap();
    let inside = place.scratchpads.export(&id, &path.join("output"), true, BEGIN);
    assert!(matches!(inside, Err(Error::Invalid(_))));
    for bad in ["", "..", "a/b", ".hidden", "/etc"] {
        assert!(place.scratchpads.export_beneath(&id, (bad, true), None, BEGIN).is_err(), "{bad}");
    }
    let exported = place.scratchpads.export_beneath(&id, ("mine", false), None, BEGIN).unwrap();
    assert_eq!(exported.folder, place.folder.path().join("data/exports/mine"));
    assert_eq!(read(&exported.folder.join("output/a")), "a");
}

#[test]
fn names_that_are_no_text_are_exported_too() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new();
    let (id, path) = place.create("a");
    let name = std::ffi::OsStr::from_bytes(b"a\\\xff\n");
    fs::write(path.join("output").join(name), "odd").unwrap();
    let into = place.folder.path().join("export");
    place.scratchpads.export(&id, &into, false, BEGIN).unwrap();
    assert_eq!(read(&into.join("output").join(name)), "odd");
}

#[test]
fn the_same_wish_twice_is_carried_out_once_and_another_under_its_key_is_refused() {
    let place = Place::new();
    let once = |fingerprint: &str| Once { key: "k".into(), fingerprint: fingerprint.into() };
    let create = |fingerprint| place.scratchpads.create_once(task_of("a"), once(fingerprint), BEGIN);
    let made = create("1").unwrap();
    assert_eq!(create("1").unwrap().id, made.id);
    assert!(matches!(create("2"), Err(Error::KeyReused)));
    fs::write(made.path.join("output/a"), "a").unwrap();
    let export = |fingerprint| {
        place.scratchpads.export_beneath(&made.id, ("e", false), Some(once(fingerprint)), BEGIN)
    };
    let exported = export("1").unwrap();
    assert_eq!(export("1").unwrap(), exported);
    assert!(matches!(export("2"), Err(Error::KeyReused)));
    assert_eq!(place.scratchpads.list(BEGIN).unwrap().0.len(), 1);
}
