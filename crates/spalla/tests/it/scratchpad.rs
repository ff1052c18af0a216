//! Scratchpads by the command line: without a server, beside a repository that nobody touches, and cleaned up after.

use crate::made_session::{ID, Made, change};
use crate::process::{Home, text};
use crate::repository::{git, make, picture};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

fn json(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&home.run(args).good()).expect("JSON")
}

/// Makes a scratchpad, and returns its name and its folder.
fn create(home: &Home, args: &[&str]) -> (String, PathBuf) {
    let made = json(home, &[&["scratchpad", "create", "--json"], args].concat());
    (made["id"].as_str().expect("an id").to_owned(), made["path"].as_str().expect("a path").into())
}

#[test]
fn a_scratchpad_is_made_shown_paused_and_exported_without_a_server() {
    let home = Home::new();
    assert_eq!(home.run(&["scratchpad", "list", "--json"]).good().trim(), "[]");
    assert!(!home.data().exists());
    let (id, path) = create(&home, &["Mend it", "--session", "orch_1", "--agent", "codex"]);
    assert!(id.starts_with("Mend-it_"), "{id}");
    fs::write(path.join("output/tool.sh"), "echo hello\n").expect("a file");
    let stats = json(&home, &["scratchpad", "stats", &id, "--json"]);
    assert_eq!((&stats["total_files"], &stats["workspace_size_kb"]), (&2.into(), &1.into()), "{stats}");
    assert_eq!(stats["folders"]["output"]["files"], 1);
    let page = home.run(&["scratchpad", "diff", &id]).good();
    assert!(page.contains("A") && page.contains("output/tool.sh"), "{page}");
    assert_eq!(json(&home, &["scratchpad", "pause", &id, "--json"])["state"], "paused");
    assert_eq!(json(&home, &["scratchpad", "resume", &id, "--json"])["state"], "active");
    let into = home.path("export");
    home.run(&["scratchpad", "export", &id, text(&into)]).good();
    assert_eq!(fs::read_to_string(into.join("output/tool.sh")).expect("a file"), "echo hello\n");
    let again = home.run(&["scratchpad", "export", &id, text(&into)]);
    assert_eq!((again.status, again.stderr.contains("--force")), (Some(3), true), "{again:?}");
    home.run(&["scratchpad", "export", &id, text(&into), "--force"]).good();
    assert_eq!(json(&home, &["scratchpad", "show", &id, "--json"])["state"], "exported");
    let page = home.run(&["scratchpad", "list"]).good();
    assert!(page.contains("Mend it") && page.contains("exported"), "{page}");
}

#[test]
fn a_scratchpad_ends_as_its_session_did() {
    let made = Made::in_git(change);
    let create = ["scratchpad", "create", "a", "--session", ID];
    for (status, state) in [("running", "active"), ("done", "completed"), ("stopped", "failed")] {
        let mut record = made.read();
        record["status"] = status.into();
        fs::write(made.home.data().join("sessions").join(ID).join("session.json"), record.to_string())
            .expect("a record");
        made.home.run(&create).good();
        assert_eq!(json(&made.home, &["scratchpad", "show", "latest", "--json"])["state"], state);
        made.home.run(&["scratchpad", "clean"]).good();
    }
}

#[test]
fn a_shallow_repository_is_checked_out_and_its_branch_comes_back() {
    let home = Home::new();
    let (deep, shallow) = (home.path("deep"), home.path("sha llow"));
    make(&deep);
    fs::write(deep.join("second"), "2").expect("a file");
    git(&deep, &["add", "second"]);
    git(&deep, &["-c", "user.name=Me", "-c", "user.email=me@localhost", "commit", "--quiet", "-m", "second"]);
    let address = format!("file://{}", deep.display());
    git(&home.path("."), &["clone", "--quiet", "--depth", "1", &address, text(&shallow)]);
    let (_, path) = create(&home, &["a", "--target", text(&shallow)]);
    fs::write(path.join("work/third"), "3").expect("a file");
    home.run(&["scratchpad", "export", "latest", "--branch", "third"]).good();
    assert_eq!(git(&shallow, &["rev-list", "--count", "third"]).trim(), "2");
}

#[test]
fn names_that_lead_elsewhere_are_none() {
    let home = Home::new();
    for args in [["show", "../x_1"], ["pause", "none_1"], ["stats", "a/b_1"], ["diff", ""]] {
        let ended = home.run(&[&["scratchpad"], &args[..]].concat());
        assert_eq!((ended.status, ended.stderr.contains("no scratchpad")), (Some(2), true), "{ended:?}");
    }
    let ended = home.run(&["scratchpad", "create", "a", "--template", "../x"]);
    assert_eq!((ended.status, ended.stderr.contains("template")), (Some(2), true), "{ended:?}");
}

#[test]
fn a_repository_is_worked_on_beside_and_what_was_made_comes_back_as_a_patch_or_a_branch() {
    let home = Home::new();
    let repository = home.path("repository");
    make(&repository);
    fs::write(repository.join(".gitignore"), "target/\n").expect("a file");
    git(&repository, &["add", ".gitignore"]);
    git(
        &repository,
        &["-c", "user.name=Me", "-c", "user.email=me@localhost", "commit", "--quiet", "-m", "second"],
    );
    let before = picture(&repository);
    let (id, path) = create(&home, &["Mend it", "--target", text(&repository)]);
    let work = path.join("work");
    assert_eq!(git(&work, &["symbolic-ref", "--short", "HEAD"]).trim(), format!("spalla/{id}"));
    assert!(git(&work, &["status", "--porcelain"]).is_empty() && !work.join("notes.txt").exists());
    fs::write(work.join("src/main.rs"), "fn main() {}\n").expect("a file");
    fs::write(work.join("new \"file\""), "new\n").expect("a file");
    fs::remove_file(work.join("Cargo.toml")).expect("a file");
    fs::create_dir(work.join("target")).expect("a folder");
    fs::write(work.join("target/built"), "built").expect("a file");
    // What an agent leaves in its own repository runs nowhere else.
    let witness = home.path("witness");
    let command = format!("touch {}", witness.display());
    git(&work, &["config", "core.fsmonitor", &command]);
    git(&work, &["config", "filter.x.clean", &command]);
    fs::write(work.join(".gitattributes"), "* filter=x\n").expect("a file");
    let patch = home.path("change.patch");
    home.run(&["scratchpad", "export", &id, "--patch", text(&patch)]).good();
    let said = fs::read_to_string(&patch).expect("a patch");
    assert!(said.contains("src/main.rs") && said.contains("+new") && !said.contains("built"), "{said}");
    assert_eq!(home.run(&["scratchpad", "diff", &id, "--patch"]).good(), said);
    assert_eq!(picture(&repository), before, "the person's repository is only read");
    git(&repository, &["apply", "--check", text(&patch)]);
    let args = ["scratchpad", "export", &id, "--branch", "mended"];
    home.run(&args).good();
    assert!(!witness.exists());
    assert_eq!(git(&repository, &["show", "mended:src/main.rs"]), "fn main() {}\n");
    assert_eq!(git(&repository, &["rev-parse", "mended^"]), git(&repository, &["rev-parse", "main"]));
    let names = git(&repository, &["ls-tree", "--name-only", "-r", "mended"]);
    assert!(!names.contains("Cargo.toml") && !names.contains("target"), "{names}");
    let again = home.run(&args);
    assert_eq!((again.status, again.stderr.contains("already")), (Some(3), true), "{again:?}");
    for bad in ["-x", "a..b", "", "main"] {
        let ended = home.run(&["scratchpad", "export", &id, &format!("--branch={bad}")]);
        assert_ne!(ended.status, Some(0), "{bad}: {ended:?}");
    }
}

#[test]
fn a_folder_without_git_is_copied_and_its_export_is_no_patch() {
    let home = Home::new();
    let folder = home.path("folder");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("a"), "a").expect("a file");
    let (id, path) = create(&home, &["Mend it", "--target", text(&folder)]);
    assert_eq!(fs::read_to_string(path.join("work/a")).expect("a copy"), "a");
    let ended = home.run(&["scratchpad", "export", &id, "--patch", text(&home.path("p"))]);
    assert_eq!((ended.status, home.path("p").exists()), (Some(2), false), "{ended:?}");
    let inside = folder.join("inside");
    fs::create_dir(&inside).expect("a folder");
    git(&folder, &["init", "--quiet"]);
    let ended = home.run(&["scratchpad", "create", "b", "--target", text(&inside)]);
    assert_eq!(
        (ended.status, ended.stderr.contains("inside the git repository")),
        (Some(2), true),
        "{ended:?}"
    );
    let listed = json(&home, &["scratchpad", "list", "--json"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
}

#[test]
fn the_retention_is_a_setting_and_cleaning_says_first_what_goes() {
    let home = Home::new();
    let (id, path) = create(&home, &["old"]);
    let (paused, kept) = create(&home, &["paused"]);
    home.run(&["scratchpad", "pause", &paused]).good();
    assert!(home.run(&["config", "get", "scratchpad.retention_hours"]).good().starts_with("24"));
    assert_eq!(home.run(&["scratchpad", "clean", "--json"]).good().trim(), "[]");
    let clean = |args: &[&str]| {
        let output =
            home.command(args).env("SCRATCHPAD_RETENTION_HOURS", "0").output().expect("the binary runs");
        crate::process::ended(output).good()
    };
    let looked: Value =
        serde_json::from_str(&clean(&["scratchpad", "clean", "--dry-run", "--json"])).expect("JSON");
    assert_eq!((&looked[0]["id"], &looked[0]["is_removed"]), (&id.as_str().into(), &false.into()));
    assert!(path.exists());
    clean(&["scratchpad", "clean"]);
    assert!(!path.exists() && kept.exists());
}

#[test]
fn a_cleanup_says_what_and_how_much_before_it_removes_it() {
    let home = Home::new();
    let outside = home.path("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("precious"), "x").expect("a file");
    let run = home.data().join(".runs/20260101/outputs");
    fs::create_dir_all(&run).expect("a folder");
    fs::write(run.join("plan.json"), "{}").expect("a file");
    symlink(&outside, run.join("link")).expect("a link");
    symlink(&outside, home.data().join(".runs/link")).expect("a link");
    let young = json(&home, &["cleanup", "--dry-run", "--json"]);
    assert_eq!(young["items"], serde_json::json!([]), "{young}");
    let looked = json(&home, &["cleanup", "--dry-run", "--older-than", "0", "--json"]);
    assert_eq!((&looked["items"][0]["kind"], &looked["files"]), (&"run".into(), &1.into()), "{looked}");
    assert!(run.exists());
    let page = home.run(&["cleanup", "--older-than", "0"]).good();
    assert!(page.contains("1 files") && page.contains("20260101"), "{page}");
    assert!(!home.data().join(".runs/20260101").exists() && outside.join("precious").exists());
    assert!(home.data().join(".runs/link").symlink_metadata().is_ok());
}

#[test]
fn the_doctor_says_which_folder_of_a_scratchpad_lets_in_too_many() {
    let home = Home::new();
    let (_, path) = create(&home, &["a"]);
    let check = |home: &Home| {
        let ended = home.run(&["doctor", "--json"]);
        let checks: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let all = checks.as_array().expect("a list").clone();
        all.into_iter().find(|check| check["name"] == "scratchpads").expect("the check")
    };
    assert_eq!(check(&home)["status"], "ok");
    fs::set_permissions(path.join("output"), fs::Permissions::from_mode(0o777)).expect("a mode");
    let found = check(&home);
    assert_eq!(found["status"], "warn");
    assert!(found["mend"].as_str().is_some_and(|mend| mend.contains("chmod 0755")), "{found}");
}
