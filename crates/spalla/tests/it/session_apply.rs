//! A session's branch comes into a repository whole or not at all, and nothing of a person's own is lost.

use crate::made_session::{ID, Made, change, commit, executable, put, sample};
use crate::process::{Ended, text};
use crate::repository::{git, picture};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

pub(crate) fn refused(ended: &Ended, status: i32, wanted: &[&str]) {
    assert_eq!(ended.status, Some(status), "{ended:?}");
    for words in wanted {
        assert!(ended.stderr.contains(words), "{words:?} is missing in {ended:?}");
    }
}

pub(crate) fn is_clean(folder: &Path) -> bool {
    git(folder, &["status", "--porcelain"]).is_empty()
}

/// The names of the files in the way, and why.
pub(crate) fn in_the_way(said: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let files = said["in_the_way"].as_array().expect("files");
    files.iter().map(|file| (text(&file["path"]), text(&file["why"]))).collect()
}

pub(crate) fn pair(path: &str, why: &str) -> (String, String) {
    (path.to_owned(), why.to_owned())
}

#[test]
fn a_target_that_stood_still_goes_forward() {
    let made = Made::in_git(change);
    let said = made.apply_json(0);
    assert_eq!(
        (&said["outcome"], &said["how"], &said["onto"]),
        (&json!("applied"), &json!("fast-forward"), &json!("main"))
    );
    assert_eq!((made.head(), is_clean(&made.target)), (made.commit(), true));
    assert_eq!(made.has("src/main.rs").as_deref(), Some("fn main() { println!(); }\n"));
    assert!(made.has("src/new/more.rs").is_some() && !made.target.join("src/old").exists());
    let record = made.read();
    assert_eq!(record["applied"][0]["commit"], made.commit());
    assert_eq!(record["applied"][0]["target_commit"], made.commit());
    assert!(git(&made.target, &["branch", "--list", "spalla/*"]).is_empty());
}

#[test]
fn what_is_applied_already_is_said_and_nothing_is_done() {
    let made = Made::in_git(change);
    made.apply().good();
    let before = picture(&made.target);
    let said = made.apply().good();
    assert!(said.contains("already"), "{said}");
    assert_eq!(picture(&made.target), before);
    assert_eq!(made.read()["applied"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_session_that_changed_nothing_says_so() {
    let made = Made::in_git(|_| {});
    assert!(made.apply().good().contains("changed nothing"));
    assert_eq!(made.apply_json(0)["outcome"], "nothing_changed");
    made.set("base", Value::Null);
    assert!(made.home.run(&["session", "apply"]).good().contains("changed nothing"));
}

#[test]
fn a_session_that_goes_on_is_not_applied() {
    let made = Made::in_git(change);
    let before = picture(&made.target);
    for status in ["running", "paused", "waiting"] {
        made.set("status", status.into());
        refused(&made.apply(), 3, &["session show", ID]);
    }
    assert_eq!(picture(&made.target), before);
}

#[test]
fn what_a_failed_session_merged_is_applied_and_called_a_part() {
    let made = Made::in_git(change);
    made.set("status", "failed".into());
    let said = made.apply().good();
    assert!(said.contains("not all") && said.contains("applied"), "{said}");
    assert_eq!(made.head(), made.commit());
    assert_eq!(made.apply_json(0)["is_complete"], false);
}

#[test]
fn without_a_person_to_ask_it_wants_a_yes() {
    let made = Made::in_git(change);
    let before = picture(&made.target);
    let ended = made.home.run(&["session", "apply"]);
    refused(&ended, 2, &["--yes"]);
    assert!(ended.stdout.contains("3 files changed"), "{ended:?}");
    assert_eq!(picture(&made.target), before, "not even git's store has changed");
}

#[test]
fn a_target_that_went_on_is_merged_as_the_person_or_as_spalla() {
    for person in [None, Some("Ada")] {
        let made = Made::in_git(change);
        put(&made.target, "notes.txt", "mine\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n");
        commit(&made.target, "mine");
        if let Some(name) = person {
            let config =
                format!("[user]\n\tname = {name}\n\temail = ada@localhost\n[commit]\n\tgpgSign = true\n");
            fs::write(made.home.path("home/.gitconfig"), config).expect("a file");
        }
        let said = made.apply_json(0);
        assert_eq!(said["how"], "merge");
        let who = person.unwrap_or("Spalla");
        let log = git(&made.target, &["log", "-1", "--format=%an %cn %P|%B"]);
        assert!(log.starts_with(&format!("{who} {who} ")) && log.contains(&made.commit()), "{log}");
        assert!(log.contains(ID) && log.contains("Mend it") && !log.contains('\u{1b}'), "{log}");
        assert_eq!(
            (said["target_commit"].as_str(), is_clean(&made.target)),
            (Some(made.head().as_str()), true)
        );
        assert!(made.has("notes.txt").is_some_and(|text| text.starts_with("mine")));
        assert!(made.has("src/new/more.rs").is_some());
        assert!(made.apply().good().contains("already"));
    }
}

#[test]
fn a_conflict_leaves_the_working_tree_and_brings_the_branch_for_a_merge_by_hand() {
    let made = Made::in_git(change);
    put(&made.target, "src/main.rs", "fn main() { mine(); }\n");
    commit(&made.target, "mine");
    let head = made.head();
    let ended = made.apply();
    refused(&ended, 3, &["a file", &format!("git merge spalla/{ID}")]);
    assert!(ended.stdout.contains("src/main.rs"), "{ended:?}");
    assert_eq!((made.head(), is_clean(&made.target)), (head, true));
    assert_eq!(git(&made.target, &["rev-parse", &made.branch_ref()]).trim(), made.commit());
    let said = made.apply_json(3);
    assert_eq!(
        (&said["outcome"], in_the_way(&said)),
        (&json!("conflict"), vec![pair("src/main.rs", "conflict")])
    );
    assert!(made.read().get("applied").is_none());
    // The person merges by hand, and the record hears of it.
    git(
        &made.target,
        &[
            "-c",
            "user.name=Me",
            "-c",
            "user.email=me@localhost",
            "merge",
            "-q",
            "-X",
            "theirs",
            &format!("spalla/{ID}"),
        ],
    );
    assert!(made.apply().good().contains("already"));
    assert_eq!(made.read()["applied"][0]["target_commit"], made.head());
}

#[test]
fn a_branch_of_that_name_with_a_persons_work_is_not_moved() {
    let made = Made::in_git(change);
    git(&made.target, &["checkout", "-q", "-b", &format!("spalla/{ID}")]);
    put(&made.target, "own.txt", "own\n");
    commit(&made.target, "own");
    let own = made.head();
    git(&made.target, &["checkout", "-q", "main"]);
    put(&made.target, "src/main.rs", "fn main() { mine(); }\n");
    commit(&made.target, "mine");
    assert_eq!(made.apply_json(3)["is_branch_in_target"], false);
    assert_eq!(git(&made.target, &["rev-parse", &made.branch_ref()]).trim(), own);
}

#[test]
fn dirty_files_that_are_not_touched_stay_exactly_as_they_are() {
    for goes_on in [false, true] {
        let made = Made::in_git(change);
        if goes_on {
            put(&made.target, "other.txt", "other\n");
            commit(&made.target, "mine");
        }
        put(&made.target, "notes.txt", "staged\n");
        git(&made.target, &["add", "notes.txt"]);
        put(&made.target, "notes.txt", "modified\n");
        executable(&made.target, "run.sh");
        put(&made.target, "untracked.txt", "untracked\n");
        let before = git(&made.target, &["status", "--porcelain"]);
        made.apply().good();
        assert_eq!(git(&made.target, &["status", "--porcelain"]), before);
        assert_eq!(git(&made.target, &["show", ":notes.txt"]), "staged\n");
        assert_eq!(made.has("notes.txt").as_deref(), Some("modified\n"));
        assert_eq!(made.read()["applied"][0]["target_commit"], made.head());
    }
}

#[test]
fn files_of_the_person_in_the_way_are_listed_and_nothing_is_changed() {
    let made = Made::in_git(change);
    put(&made.target, ".git/info/exclude", "more.rs\n");
    put(&made.target, "src/main.rs", "modified\n");
    put(&made.target, "src/old/gone.rs", "staged\n");
    git(&made.target, &["add", "src/old/gone.rs"]);
    put(&made.target, "src/new/more.rs", "untracked and ignored\n");
    let before = git(&made.target, &["status", "--porcelain", "--ignored"]);
    let said = made.apply_json(3);
    let mut files = in_the_way(&said);
    files.sort();
    let expected = [
        pair("src/main.rs", "modified"),
        pair("src/new/more.rs", "untracked"),
        pair("src/old/gone.rs", "staged"),
    ];
    assert_eq!(files, expected);
    assert_eq!(git(&made.target, &["status", "--porcelain", "--ignored"]), before);
    assert_eq!(made.has("src/new/more.rs").as_deref(), Some("untracked and ignored\n"));
    refused(&made.apply(), 3, &["there are 3 files", "commit or stash", &format!("spalla/{ID}")]);
    git(&made.target, &["rev-parse", &made.branch_ref()]);
    assert!(!made.folder().join("apply.index").exists());
}

#[test]
fn a_folder_or_a_file_of_the_person_where_a_new_path_goes_is_in_the_way() {
    let made = Made::in_git(|folder| {
        put(folder, "a/b", "new\n");
        put(folder, "c", "new\n");
        fs::remove_file(folder.join("run.sh")).expect("it goes");
        put(folder, "run.sh/now", "a folder\n");
    });
    put(&made.target, "a", "mine\n");
    put(&made.target, "c/mine", "mine\n");
    let outside = made.home.path("outside");
    fs::create_dir(&outside).expect("a folder");
    let said = made.apply_json(3);
    assert_eq!(in_the_way(&said), [pair("a", "untracked"), pair("c/mine", "untracked")]);
    fs::remove_file(made.target.join("a")).expect("it goes");
    fs::remove_dir_all(made.target.join("c")).expect("it goes");
    symlink(&outside, made.target.join("a")).expect("a link");
    assert_eq!(in_the_way(&made.apply_json(3)), [pair("a", "untracked")]);
    fs::remove_file(made.target.join("a")).expect("it goes");
    made.apply().good();
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
    assert_eq!((made.has("run.sh/now").is_some(), is_clean(&made.target)), (true, true));
}

#[test]
fn a_file_that_is_already_as_the_session_made_it_is_in_nobodys_way() {
    let made = Made::in_git(change);
    put(&made.target, "src/main.rs", "fn main() { println!(); }\n");
    put(&made.target, "src/new/more.rs", "// new\n");
    made.apply().good();
    assert_eq!((made.head(), is_clean(&made.target)), (made.commit(), true));
}

#[test]
fn something_under_way_in_the_target_is_ended_first() {
    let made = Made::in_git(change);
    git(&made.target, &["checkout", "-q", "-b", "other"]);
    put(&made.target, "notes.txt", "other\n");
    commit(&made.target, "other");
    git(&made.target, &["checkout", "-q", "main"]);
    put(&made.target, "notes.txt", "main\n");
    commit(&made.target, "main");
    let merge =
        std::process::Command::new("git").current_dir(&made.target).args(["merge", "-q", "other"]).output();
    assert_eq!(merge.expect("git runs").status.code(), Some(1));
    refused(&made.apply(), 3, &["a merge is under way"]);
    git(&made.target, &["merge", "--abort"]);
    put(&made.target, ".git/index.lock", "");
    refused(&made.apply(), 3, &["index.lock"]);
    fs::remove_file(made.target.join(".git/index.lock")).expect("it goes");
    fs::create_dir(made.target.join(".git/rebase-merge")).expect("a folder");
    refused(&made.apply(), 3, &["a rebase is under way"]);
}

#[test]
fn another_branch_or_none_may_be_checked_out() {
    let made = Made::in_git(change);
    git(&made.target, &["checkout", "-q", "-b", "feature"]);
    let said = made.apply().good();
    assert!(said.contains("began on branch main") && said.contains("onto feature"), "{said}");
    assert_eq!(git(&made.target, &["rev-parse", "feature"]).trim(), made.commit());
    assert_ne!(git(&made.target, &["rev-parse", "main"]).trim(), made.commit());
    let made = Made::in_git(change);
    git(&made.target, &["checkout", "-q", "--detach"]);
    let said = made.apply().good();
    assert!(said.contains("no branch is checked out"), "{said}");
    assert_eq!(made.head(), made.commit());
    assert_eq!(git(&made.target, &["rev-parse", "--abbrev-ref", "HEAD"]).trim(), "HEAD");
}

#[test]
fn a_history_with_nothing_in_common_is_refused() {
    let made = Made::in_git(change);
    git(&made.target, &["checkout", "-q", "--orphan", "fresh"]);
    commit(&made.target, "fresh");
    assert_eq!(made.apply_json(3)["outcome"], "unrelated");
    refused(&made.apply(), 3, &["no history in common"]);
    assert!(is_clean(&made.target));
}

#[test]
fn a_target_without_a_commit_gets_its_first() {
    let made = Made::in_git(change);
    git(&made.target, &["checkout", "-q", "--orphan", "fresh"]);
    git(&made.target, &["rm", "-r", "-q", "--cached", "."]);
    put(&made.target, "untracked.txt", "mine\n");
    let said = made.apply_json(3);
    assert_eq!(in_the_way(&said), [pair("src/main.rs", "untracked")], "what is as the session has it is not");
    fs::remove_file(made.target.join("src/main.rs")).expect("it goes");
    made.apply().good();
    assert_eq!(made.head(), made.commit());
    assert_eq!(git(&made.target, &["status", "--porcelain"]), "?? src/old/\n?? untracked.txt\n");
}

#[test]
fn a_target_that_is_gone_bare_or_a_part_is_a_matter_of_the_environment() {
    let made = Made::in_git(change);
    let moved = made.home.path("moved");
    fs::rename(&made.target, &moved).expect("it moves");
    refused(&made.apply(), 2, &["is not there any more"]);
    fs::write(&made.target, "").expect("a file");
    refused(&made.apply(), 2, &["is no folder"]);
    fs::remove_file(&made.target).expect("it goes");
    fs::create_dir(&made.target).expect("a folder");
    refused(&made.apply(), 2, &["not a git repository"]);
    made.set("target", text(&moved.join("src")).into());
    refused(&made.apply(), 2, &["a folder in the repository", text(&moved)]);
    git(&moved, &["clone", "-q", "--bare", ".", text(&made.home.path("bare"))]);
    made.set("target", text(&made.home.path("bare")).into());
    refused(&made.apply(), 2, &["without a working tree"]);
    fs::remove_dir_all(made.repository()).expect("it goes");
    refused(&made.apply(), 2, &["the repository of session", "is gone"]);
}

#[test]
fn odd_names_modes_links_and_bytes_come_over_right() {
    let odd = ["-x", " a b ", "ü\n\"q\"\\", "sub dir/-f\tx", "[a]*?", ":(top)x", "#c"];
    let made = Made::in_git(|folder| {
        odd.iter().for_each(|name| put(folder, name, "odd\n"));
        fs::write(folder.join("bytes"), [0, 255, 13, 10, 0]).expect("a file");
        executable(folder, "run.sh");
        symlink("../somewhere else", folder.join("link")).expect("a link");
        fs::remove_file(folder.join("notes.txt")).expect("it goes");
        symlink("run.sh", folder.join("notes.txt")).expect("a link");
    });
    put(&made.target, odd[2], "mine\n");
    assert_eq!(in_the_way(&made.apply_json(3)), [pair(odd[2], "untracked")]);
    let ended = made.apply();
    assert!(ended.stdout.contains("\\n\\\"q\\\""), "{ended:?}");
    fs::remove_file(made.target.join(odd[2])).expect("it goes");
    made.apply().good();
    assert!(odd.iter().all(|name| made.has(name).as_deref() == Some("odd\n")) && is_clean(&made.target));
    assert_eq!(fs::read(made.target.join("bytes")).expect("bytes"), [0, 255, 13, 10, 0]);
    assert_eq!(fs::read_link(made.target.join("link")).expect("a link"), Path::new("../somewhere else"));
    assert_eq!(fs::read_link(made.target.join("notes.txt")).expect("a link"), Path::new("run.sh"));
    let mode = fs::metadata(made.target.join("run.sh")).expect("its mode").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o111, 0o111);
}

#[test]
fn a_submodule_goes_to_the_commit_that_the_session_chose() {
    let made = Made::in_git(change);
    let (inner, commit_of) =
        (made.home.path("inner"), |folder: &Path| git(folder, &["rev-parse", "HEAD"]).trim().to_owned());
    fs::create_dir(&inner).expect("a folder");
    git(&inner, &["init", "-q", "--initial-branch=main"]);
    sample(&inner);
    commit(&inner, "inner");
    let first = commit_of(&inner);
    made.work(|folder| {
        let add = format!("160000,{first},lib");
        put(folder, ".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = ../inner\n");
        git(folder, &["update-index", "--add", "--cacheinfo", &add]);
        fs::create_dir(folder.join("lib")).expect("a folder");
        git(folder, &["clone", "-q", text(&inner), "lib"]);
    });
    made.apply().good();
    assert!(git(&made.target, &["ls-tree", "HEAD", "lib"]).starts_with(&format!("160000 commit {first}")));
    assert!(is_clean(&made.target));
}

#[test]
fn nothing_of_either_repository_is_run() {
    let made = Made::in_git(change);
    put(&made.target, "other.txt", "other\n");
    commit(&made.target, "mine");
    let marker = made.home.path("marker");
    let script = format!("#!/bin/sh\ntouch '{}'\n", text(&marker));
    for repository in [made.target.join(".git"), made.repository()] {
        for hook in [
            "post-merge",
            "pre-merge-commit",
            "post-checkout",
            "reference-transaction",
            "pre-commit",
            "post-index-change",
            "fsmonitor-watchman",
            "post-update",
            "pre-auto-gc",
        ] {
            put(&repository, &format!("hooks/{hook}"), &script);
            executable(&repository, &format!("hooks/{hook}"));
        }
        git(&repository, &["config", "core.fsmonitor", text(&repository.join("hooks/post-merge"))]);
        git(&repository, &["config", "core.hooksPath", text(&repository.join("hooks"))]);
        git(
            &repository,
            &["config", "uploadpack.packObjectsHook", text(&repository.join("hooks/post-merge"))],
        );
        git(&repository, &["config", "diff.external", text(&repository.join("hooks/post-merge"))]);
    }
    let _ = fs::remove_file(&marker);
    made.home.run(&["session", "apply"]);
    assert_eq!(made.apply_json(0)["how"], "merge");
    assert!(!marker.exists());
}

#[test]
fn two_at_once_are_told_of_each_other() {
    let made = Made::in_git(change);
    let lock = fs::File::create(made.folder().join("apply.lock")).expect("a lock");
    let lock =
        nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock).expect("it is ours");
    refused(&made.apply(), 3, &["another `spalla session apply`"]);
    drop(lock);
    made.apply().good();
}

#[test]
fn a_linked_working_tree_and_a_data_folder_with_odd_letters_do_as_well() {
    let mut made = Made::in_git(change);
    let linked = made.home.path("linked tree");
    git(&made.target, &["worktree", "add", "-q", "-b", "side", text(&linked)]);
    made.set("target", text(&linked).into());
    let odd = made.home.path("da:ta \"x\"");
    fs::rename(made.home.data(), &odd).expect("it moves");
    let ended = made.home.run(&["session", "apply", "--yes", "--data", text(&odd)]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    made.target = linked;
    assert!(made.has("src/new/more.rs").is_some() && is_clean(&made.target));
}
