//! Agents' definitions as people meet them: converted, checked, tried, shown and exported from the command line.

use crate::process::{Ended, Home, Process, ended};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A project with agents.
struct Project {
    home: Home,
}

const REVIEWER: &str = "---\nname: reviewer\ndescription: Reviews SQL queries.\ntools: Read\ncolor: red\n---\nYou are a reviewer.\n";
const COLON: &str =
    "---\nname: privacy\ndescription: Use it. Triggers on: 'GDPR', 'consent'.\n---\nYou guard privacy.\n";

impl Project {
    fn new() -> Self {
        let project = Self { home: Home::new() };
        project.write("reviewer.md", REVIEWER);
        project.write("legal/privacy.md", COLON);
        project
    }

    fn folder(&self) -> PathBuf {
        self.home.path("project")
    }

    fn write(&self, path: &str, text: &str) {
        let place = self.folder().join(".claude/agents").join(path);
        fs::create_dir_all(place.parent().expect("a folder")).expect("its folder");
        fs::write(place, text).expect("a file");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.current_dir(self.folder()).env_remove("SOURCE_DATE_EPOCH");
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args).output().expect("it runs"))
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(args).good()).expect("JSON")
    }

    fn published(&self, path: &str) -> PathBuf {
        self.folder().join("codex/agents").join(path)
    }
}

#[test]
fn a_project_is_converted_checked_and_converted_again_only_where_it_changed() {
    let project = Project::new();
    let stale = project.run(&["convert", "--check"]);
    assert_eq!(stale.status, Some(1), "{stale:?}");
    assert!(!project.published("index.json").exists());
    let report = project.json(&["convert", "--json"]);
    assert_eq!((&report["ok"], &report["agents"]), (&true.into(), &2.into()), "{report}");
    let place = format!(
        "{}:{}",
        report["problems"][0]["path"].as_str().unwrap_or_default(),
        report["problems"][0]["line"]
    );
    assert_eq!(place, "legal/privacy.md:3");
    project.run(&["convert", "--check"]).good();
    project.write("reviewer.md", &REVIEWER.replace("You are a", "You are a stern"));
    assert_eq!(project.run(&["convert", "--check"]).status, Some(1));
    let report = project.json(&["convert", "--json"]);
    assert!(report["written"].as_array().is_some_and(|written| written.len() == 3), "{report}");
}

#[test]
fn a_bad_file_stops_no_other_and_the_status_tells() {
    let project = Project::new();
    fs::write(project.folder().join(".claude/agents/bad.md"), b"---\nname: \xff\n---\n").expect("a file");
    let told = project.run(&["convert"]);
    assert_eq!(told.status, Some(1));
    assert!(told.stderr.contains("bad.md:2:7: the byte 0xff is not UTF-8"), "{told:?}");
    assert!(
        project.published("data/reviewer.codex.yaml").exists() && project.published("index.json").exists()
    );
}

#[test]
fn what_was_published_of_a_file_stays_while_it_is_broken_and_goes_with_it() {
    let project = Project::new();
    project.run(&["convert"]).good();
    let read = |path: &str| fs::read_to_string(project.published(path)).expect("a published file");
    let (definition, index) = (read("data/reviewer.codex.yaml"), read("index.json"));
    let ids = |index: &str| {
        let index: Value = serde_json::from_str(index).expect("JSON");
        let agents = index["agents"].as_array().expect("agents").clone();
        agents.iter().map(|agent| agent["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let file = project.folder().join(".claude/agents/reviewer.md");
    fs::write(&file, b"---\nname: \xff\n---\n").expect("a file");
    let told = project.run(&["convert"]);
    assert_eq!(told.status, Some(1));
    assert!(told.stderr.contains("what was published of it before stays"), "{told:?}");
    assert_eq!(read("data/reviewer.codex.yaml"), definition);
    assert_eq!(ids(&read("index.json")), ids(&index));
    let checked = project.run(&["convert", "--check", "--json"]);
    assert!(
        checked.stdout.contains("\"removed\": []") || checked.stdout.contains("\"removed\":[]"),
        "{checked:?}"
    );
    project.write("reviewer.md", &REVIEWER.replace("You are a", "You are a stern"));
    project.run(&["convert"]).good();
    assert!(project.published("data/reviewer.md").exists() && ids(&read("index.json")) == ids(&index));
    fs::remove_file(file).expect("the file goes");
    project.run(&["convert"]).good();
    assert!(!project.published("data/reviewer.codex.yaml").exists());
    assert_eq!(ids(&read("index.json")), ["privacy"]);
}

#[test]
fn a_definition_that_fails_its_smoke_test_stays_as_it_was_published() {
    let project = Project::new();
    project.run(&["init"]).good();
    let smoke = |command: &str| REVIEWER.replace("color: red", &format!("testing:\n  smoke: {command}"));
    project.write("reviewer.md", &smoke("test -e no-such-file"));
    let told = project.run(&["convert"]);
    assert_eq!(told.status, Some(1), "{told:?}");
    assert!(told.stderr.contains("the smoke test of reviewer failed"), "{told:?}");
    let raw = project.run(&["agents", "show", "reviewer", "--raw"]).good();
    assert_eq!(raw, fs::read_to_string(project.published("data/reviewer.codex.yaml")).expect("a file"));
    assert!(raw.contains("color") && !raw.contains("no-such-file"));
    // The project can be read, and nothing of it written.
    project.write("reviewer.md", &smoke("test -e .claude/agents/reviewer.md && ! touch escaped"));
    project.run(&["convert"]).good();
    assert!(!project.folder().join("escaped").exists());
    project.run(&["agents", "validate", "--full"]).good();
}

#[test]
fn agents_are_shown_explained_and_exported_as_they_were_written() {
    let project = Project::new();
    project.run(&["init"]).good();
    let listed = project.run(&["agents", "list"]).good();
    assert!(
        listed.contains("reviewer") && listed.contains("codex-codegen") && listed.contains("claude"),
        "{listed}"
    );
    let explained = project.run(&["agents", "explain", "reviewer"]).good();
    assert!(explained.contains("tf-idf") && explained.contains("vocabulary"), "{explained}");
    let report = project.json(&["agents", "export", "--to", "claude", "--out", "back", "--json"]);
    assert_eq!(report["losses"], serde_json::json!([]));
    for (path, text) in [("reviewer.md", REVIEWER), ("legal/privacy.md", COLON)] {
        assert_eq!(fs::read_to_string(project.folder().join("back").join(path)).expect("a file"), text);
    }
    let told = project.run(&["agents", "export", "--to", "codex", "codex-architect"]);
    assert!(told.stderr.contains("is lost: Codex has no place for it"), "{told:?}");
    let unknown = project.run(&["agents", "show", "reviewr"]);
    assert!(unknown.stderr.contains("did you mean `reviewer`?"), "{unknown:?}");
}

#[test]
fn a_change_is_published_while_one_watches() {
    let project = Project::new();
    let (mut watching, first) =
        Process::start(&project.home, "watch", project.command(&["convert", "--watch", "--json"]));
    assert!(first.contains("\"agents\":2"), "{first}");
    project.write("more/third.md", "---\nname: third\ndescription: d\n---\nYou are the third.\n");
    let mut line = watching.next_line();
    while !line.contains("\"agents\":3") {
        line = watching.next_line();
    }
    assert!(project.published("more/third.codex.yaml").exists());
    watching.kill();
}
