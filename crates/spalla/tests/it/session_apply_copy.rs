//! A session's work comes into a folder without git whole or not at all.

use crate::made_session::{Made, change, executable, put};
use crate::process::ended;
use crate::repository::picture;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

#[test]
fn a_copy_gets_the_three_way_difference() {
    let made = Made::in_copy(change);
    put(&made.target, "notes.txt", "mine, and not the session's\n");
    put(&made.target, "src/old/kept.txt", "mine\n");
    let said = made.apply_json(0);
    assert_eq!((&said["outcome"], &said["how"]), (&json!("applied"), &json!("copy")));
    assert_eq!(made.has("src/main.rs").as_deref(), Some("fn main() { println!(); }\n"));
    assert!(made.has("src/new/more.rs").is_some() && made.has("src/old/gone.rs").is_none());
    assert_eq!(made.has("src/old/kept.txt").as_deref(), Some("mine\n"));
    assert_eq!(made.has("notes.txt").as_deref(), Some("mine, and not the session's\n"));
    let record = made.read();
    assert_eq!(
        (record["applied"][0]["commit"].as_str(), record["applied"][0].get("target_commit")),
        (Some(made.commit().as_str()), None)
    );
    assert_eq!(fs::read_dir(&made.target).expect("a folder").count(), 3, "nothing of ours is left");
    assert!(made.apply().good().contains("already"));
}

#[test]
fn an_emptied_folder_goes() {
    let made = Made::in_copy(change);
    made.apply().good();
    assert!(!made.target.join("src/old").exists() && made.target.join("src").exists());
}

#[test]
fn one_file_that_was_changed_meanwhile_stops_all_of_it() {
    let made = Made::in_copy(change);
    put(&made.target, "src/main.rs", "mine\n");
    put(&made.target, "src/new/more.rs", "mine too\n");
    let before = picture(&made.target);
    let said = made.apply_json(3);
    let expected =
        json!([{"path": "src/main.rs", "why": "changed"}, {"path": "src/new/more.rs", "why": "changed"}]);
    assert_eq!(said["in_the_way"], expected);
    let ended = made.apply();
    assert!(
        ended.stdout.contains("src/main.rs") && ended.stderr.contains("nothing was changed"),
        "{ended:?}"
    );
    assert_eq!(picture(&made.target), before);
    // A file that is as the session made it is no obstacle.
    put(&made.target, "src/main.rs", "fn main() { println!(); }\n");
    put(&made.target, "src/new/more.rs", "// new\n");
    made.apply().good();
    assert!(made.has("src/old/gone.rs").is_none());
}

#[test]
fn modes_links_and_odd_names_come_into_a_copy() {
    let odd = ["-x", " a b ", "ü\n\"q\"", "deep/er/-f"];
    let made = Made::in_copy(|folder| {
        odd.iter().for_each(|name| put(folder, name, "odd\n"));
        fs::write(folder.join("bytes"), [0, 255, 13, 10]).expect("a file");
        executable(folder, "run.sh");
        symlink("/nowhere/at all", folder.join("link")).expect("a link");
        fs::remove_file(folder.join("notes.txt")).expect("it goes");
        put(folder, "notes.txt/now", "a folder\n");
        fs::remove_dir_all(folder.join("src/old")).expect("it goes");
        put(folder, "src/old", "a file\n");
    });
    fs::set_permissions(made.target.join("run.sh"), fs::Permissions::from_mode(0o640)).expect("its mode");
    made.apply().good();
    assert!(odd.iter().all(|name| made.has(name).as_deref() == Some("odd\n")));
    assert_eq!(fs::read(made.target.join("bytes")).expect("bytes"), [0, 255, 13, 10]);
    assert_eq!(fs::read_link(made.target.join("link")).expect("a link"), Path::new("/nowhere/at all"));
    let mode = fs::metadata(made.target.join("run.sh")).expect("its mode").permissions().mode();
    assert_eq!(mode & 0o777, 0o750, "who may read may execute, and others still may not");
    assert_eq!(
        (made.has("notes.txt/now").is_some(), made.has("src/old").as_deref()),
        (true, Some("a file\n"))
    );
}

#[test]
fn no_link_in_a_copy_is_followed() {
    let made = Made::in_copy(change);
    let outside = made.home.path("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::rename(made.target.join("src/old"), outside.join("old")).expect("it moves");
    symlink(&outside, made.target.join("src/new")).expect("a link");
    symlink(outside.join("old"), made.target.join("src/old")).expect("a link");
    let said = made.apply_json(3);
    assert_eq!(said["in_the_way"], json!([{"path": "src/new", "why": "changed"}]));
    assert!(outside.join("old/gone.rs").exists());
    fs::remove_file(made.target.join("src/new")).expect("it goes");
    made.apply().good();
    assert!(outside.join("old/gone.rs").exists(), "what lies beyond the link stays");
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 1);
}

#[test]
fn a_copy_without_a_yes_is_not_touched() {
    let made = Made::in_copy(change);
    let before = picture(&made.target);
    let ended = made.home.run(&["session", "apply"]);
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stdout.contains("3 files changed") && ended.stderr.contains("--yes"), "{ended:?}");
    assert_eq!(picture(&made.target), before);
}

#[test]
fn a_large_file_and_many_files_come_into_a_copy() {
    let large = "0123456789abcdef".repeat(200_000);
    let made = Made::in_copy(|folder| {
        put(folder, "large.bin", &large);
        (0..300).for_each(|n| put(folder, &format!("many/{n}"), &format!("{n}\n")));
    });
    made.apply().good();
    assert!(made.has("large.bin").as_deref() == Some(large.as_str()));
    assert_eq!(made.has("many/299").as_deref(), Some("299\n"));
}

#[test]
fn a_killed_one_is_ended_by_the_next_in_a_copy() {
    let points = [
        "staged.create",
        "content.create",
        "content.write",
        "content.sync",
        "file.remove",
        "folder.remove",
        "staged.mode",
        "link.create",
        "link.content",
        "folder.create",
        "file.rename",
    ];
    for point in points {
        for end in ["before", "after"] {
            let made = Made::in_copy(|folder| {
                change(folder);
                symlink("main.rs", folder.join("src/link")).expect("a link");
            });
            let killed =
                ended(made.apply_until(&format!("session.apply.{point}.{end}")).output().expect("it runs"));
            assert_eq!(killed.status, None, "{point} {killed:?}");
            made.apply().good();
            assert!(
                made.has("src/new/more.rs").is_some() && !made.target.join("src/old").exists(),
                "{point} {end}"
            );
            assert!(made.target.join("src/link").is_symlink());
            assert_eq!(fs::read_dir(&made.target).expect("a folder").count(), 3, "{point} {end}");
            assert_eq!(made.read()["applied"].as_array().map(Vec::len), Some(1));
        }
    }
    let made = Made::in_copy(change);
    made.apply_until_nth("session.apply.staged.remove.before", 2).output().expect("it runs");
    assert!(made.apply().good().contains("already"));
    assert_eq!(fs::read_dir(&made.target).expect("a folder").count(), 3, "nothing of ours is left");
}
