//! A `session apply` that was killed is ended by the next one, and nothing is lost meanwhile.

use crate::made_session::{Made, change, commit, put};
use crate::process::ended;
use crate::repository::git;
use crate::session_apply::{in_the_way, is_clean, pair, refused};
use std::fs;

#[test]
fn a_killed_one_is_ended_by_the_next() {
    for goes_on in [false, true] {
        for point in [
            "lock.create",
            "fetch.run",
            "note.rename",
            "merge.run",
            "merge.commit",
            "tree.write",
            "note.remove",
        ] {
            for end in ["before", "after"] {
                let made = Made::in_git(change);
                if goes_on {
                    put(&made.target, "other.txt", "other\n");
                    commit(&made.target, "mine");
                }
                let killed = ended(
                    made.apply_until(&format!("session.apply.{point}.{end}")).output().expect("it runs"),
                );
                let is_passed = goes_on || !["merge.commit", "tree.write"].contains(&point);
                assert_eq!(killed.status.is_none(), is_passed, "{point} {killed:?}");
                made.apply().good();
                assert_eq!(
                    (made.read()["applied"].as_array().map(Vec::len), is_clean(&made.target)),
                    (Some(1), true),
                    "{point}"
                );
                assert_eq!(git(&made.target, &["merge-base", "HEAD", &made.commit()]).trim(), made.commit());
                let commits = if goes_on { "4" } else { "2" };
                assert_eq!(git(&made.target, &["rev-list", "--count", "HEAD"]).trim(), commits, "{point}");
                assert!(!made.folder().join("apply.json").exists());
            }
        }
    }
    let made = Made::in_git(change);
    made.apply_until("session.record.rename.before").output().expect("it runs");
    assert!(made.apply().good().contains("already"));
    assert_eq!(made.read()["applied"][0]["commit"], made.commit());
}

#[test]
fn what_a_killed_git_left_half_written_is_written_again_and_nothing_else_is_lost() {
    let made = Made::in_git(change);
    made.apply_until("session.apply.merge.run.before").output().expect("it runs");
    // As git leaves it when it is killed in the middle: one file new, one gone, one half-written.
    put(&made.target, "src/main.rs", "fn main() { pri");
    fs::remove_file(made.target.join("src/old/gone.rs")).expect("it goes");
    put(&made.target, "src/new/more.rs", "// new\n");
    put(&made.target, "notes.txt", "mine\n");
    made.apply().good();
    assert_eq!(made.head(), made.commit());
    assert_eq!(git(&made.target, &["status", "--porcelain"]), " M notes.txt\n");
    // Where nothing was begun, half a file is a person's own.
    let made = Made::in_git(change);
    put(&made.target, "src/main.rs", "fn main() { pri");
    fs::remove_file(made.target.join("run.sh")).expect("it goes");
    assert_eq!(in_the_way(&made.apply_json(3)), [pair("src/main.rs", "modified")]);
    // And a person's own words are never taken for half a file.
    let made = Made::in_git(change);
    made.apply_until("session.apply.merge.run.before").output().expect("it runs");
    put(&made.target, "src/main.rs", "mine\n");
    refused(&made.apply(), 3, &["was killed", "git restore"]);
    assert_eq!(made.has("src/main.rs").as_deref(), Some("mine\n"));
}
