//! A session as its server leaves it: a target, a repository with what was merged, and a record. No server is needed.

use crate::process::{Ended, Home, text};
use crate::repository::git;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the session.
pub(crate) const ID: &str = "orch_20260101_120000";
/// Who the person is, as git is told.
const PERSON: [&str; 4] = ["-c", "user.name=Me", "-c", "user.email=me@localhost"];

/// A home with one session in its data folder.
pub(crate) struct Made {
    pub(crate) home: Home,
    pub(crate) target: PathBuf,
}

impl Made {
    /// Makes a target that is a repository, and a session that changed it.
    pub(crate) fn in_git(change: impl FnOnce(&Path)) -> Self {
        Self::in_git_with(sample, change)
    }

    /// The same with files of its own.
    pub(crate) fn in_git_with(fill: impl FnOnce(&Path), change: impl FnOnce(&Path)) -> Self {
        let made = Self::empty();
        git(&made.target, &["init", "--quiet", "--initial-branch=main"]);
        fill(&made.target);
        commit(&made.target, "first");
        made.begin(&made.target, Some("main"), change);
        made
    }

    /// Makes a target without git, and a session that changed its copy.
    pub(crate) fn in_copy(change: impl FnOnce(&Path)) -> Self {
        let made = Self::empty();
        sample(&made.target);
        let copy = made.home.path("copy");
        fs::create_dir(&copy).expect("a folder");
        git(&copy, &["init", "--quiet", "--initial-branch=main"]);
        sample(&copy);
        commit(&copy, "copied");
        made.begin(&copy, None, change);
        made
    }

    fn empty() -> Self {
        let home = Home::new();
        let target = home.path("target");
        fs::create_dir(&target).expect("a folder");
        Self { home, target }
    }

    fn begin(&self, base: &Path, branch: Option<&str>, change: impl FnOnce(&Path)) {
        let repository = self.repository();
        fs::create_dir_all(repository.parent().expect("its folder")).expect("a folder");
        git(base, &["clone", "--quiet", "--bare", ".", text(&repository)]);
        git(&repository, &["update-ref", "refs/spalla/base", "HEAD"]);
        git(&repository, &["update-ref", &self.branch_ref(), "HEAD"]);
        git(&repository, &["symbolic-ref", "HEAD", &self.branch_ref()]);
        git(&repository, &["update-ref", "-d", "refs/heads/main"]);
        let commit = git(&repository, &["rev-parse", "HEAD"]).trim().to_owned();
        let base = json!({"is_git": branch.is_some(), "commit": commit, "branch": branch});
        self.write(&self.record("done", &base));
        self.work(change);
    }

    /// Adds a commit to the session's branch.
    pub(crate) fn work(&self, change: impl FnOnce(&Path)) {
        let work = self.home.path("work");
        git(&self.repository(), &["clone", "--quiet", ".", text(&work)]);
        change(&work);
        if !git(&work, &["status", "--porcelain"]).is_empty() {
            commit(&work, "the session's work");
            git(&work, &["push", "--quiet", "origin", &format!("HEAD:{}", self.branch_ref())]);
        }
        fs::remove_dir_all(&work).expect("it goes");
    }

    fn record(&self, status: &str, base: &Value) -> Value {
        let usage = json!({"input_tokens": 200, "output_tokens": 14});
        let run = json!({"run_id": 7, "attempt": 1, "ended_at": "2026-01-01T12:00:30.000Z", "usage": usage,
            "sandbox": {"preset": "agent", "policy_hash": "aa", "layers": [
                {"layer": "landlock", "state": "enforced", "detail": "ABI 6"}]}});
        let item = json!({"key": "one", "kind": "work", "title": "Mend\u{1b}[2J it", "prompt": "p", "agent": "codex",
            "status": "succeeded", "runs": [run]});
        json!({"id": ID, "goal": "Mend it\u{1b}]0;owned\u{7}\nand more", "target": self.target, "workspace": self.home.path("ws"),
            "tier": 4, "agents": ["codex"], "status": status, "created_at": "2026-01-01T12:00:00.000Z",
            "base": base, "items": [item]})
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.data().join("sessions").join(ID)
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder().join("repo.git")
    }

    pub(crate) fn branch_ref(&self) -> String {
        format!("refs/heads/spalla/{ID}")
    }

    pub(crate) fn commit(&self) -> String {
        git(&self.repository(), &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Reads the record.
    pub(crate) fn read(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder().join("session.json")).expect("the record"))
            .expect("JSON")
    }

    /// Writes the record.
    pub(crate) fn write(&self, record: &Value) {
        fs::write(self.folder().join("session.json"), record.to_string()).expect("a record");
    }

    /// Changes a member of the record.
    pub(crate) fn set(&self, member: &str, value: Value) {
        let mut record = self.read();
        record[member] = value;
        self.write(&record);
    }

    pub(crate) fn apply(&self) -> Ended {
        self.home.run(&["session", "apply", "--yes"])
    }

    /// Applies it and returns what a program is told.
    pub(crate) fn apply_json(&self, status: i32) -> Value {
        let ended = self.home.run(&["session", "apply", ID, "--yes", "--json"]);
        assert_eq!(ended.status, Some(status), "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("no JSON: {ended:?}"))
    }

    /// Prepares a call that dies at the first passage of a point.
    pub(crate) fn apply_until(&self, point: &str) -> Command {
        self.apply_until_nth(point, 1)
    }

    /// Prepares a call that dies at a passage of a point.
    pub(crate) fn apply_until_nth(&self, point: &str, nth: u32) -> Command {
        let mut command = self.home.command(&["session", "apply", "--yes"]);
        command.env("SPALLA_CRASH_AT", format!("{point}:{nth}"));
        command
    }

    pub(crate) fn head(&self) -> String {
        git(&self.target, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub(crate) fn has(&self, name: &str) -> Option<String> {
        fs::read(self.target.join(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The files that a target has at the beginning.
pub(crate) fn sample(folder: &Path) {
    put(folder, "src/main.rs", "fn main() {}\n");
    put(folder, "src/old/gone.rs", "// old\n");
    put(folder, "notes.txt", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n");
    put(folder, "run.sh", "#!/bin/sh\n");
}

/// Changes, adds and removes some of them.
pub(crate) fn change(folder: &Path) {
    put(folder, "src/main.rs", "fn main() { println!(); }\n");
    put(folder, "src/new/more.rs", "// new\n");
    fs::remove_dir_all(folder.join("src/old")).expect("it goes");
}

pub(crate) fn put(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("its folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

pub(crate) fn executable(folder: &Path, name: &str) {
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// Commits everything as the person.
pub(crate) fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "--all"]);
    let args: Vec<&str> = PERSON.iter().copied().chain(["commit", "--quiet", "-m", message]).collect();
    git(folder, &args);
}
