//! A goal in plain words, from its plan to its report.

use crate::databases::Database;
use crate::process::{Ended, Home, Process, Server, Setup, text, until};
use crate::repository;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn report_of(ended: &Ended) -> PathBuf {
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let [.., session, report] = lines.as_slice() else { panic!("too few lines: {ended:?}") };
    assert!(session.starts_with("session: orch_"), "{ended:?}");
    PathBuf::from(report.strip_prefix("report: ").unwrap_or_else(|| panic!("no report: {ended:?}")))
}

#[test]
fn a_goal_that_can_be_measured_is_reported_and_its_target_left_alone() {
    let home = Home::new();
    let target = home.path("target");
    repository::make(&target);
    let before = repository::picture(&target);
    let ended =
        home.run(&["orchestrate", "--target", text(&target), "--yes", "Analyze the codebase structure"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with("tier 5: "), "{ended:?}");
    let report = report_of(&ended);
    assert!(report.is_absolute() && fs::read_to_string(&report).expect("the report").contains("Rust"));
    let json: Value =
        serde_json::from_slice(&fs::read(report.with_extension("json")).expect("JSON")).expect("JSON");
    assert!(json.is_object());
    assert!(report.with_file_name("dependencies.svg").is_file());
    assert!(fs::metadata(report.with_file_name("orchestrator.log")).expect("the log").len() > 0);
    assert_eq!(repository::picture(&target), before);
    assert!(!home.data().join("server.json").exists(), "its own server is gone");
}

#[test]
fn a_list_becomes_items_and_prose_does_not() {
    let home = Home::new();
    let target = home.path("target");
    repository::make(&target);
    let workspace = home.path("ws");
    let goal = "1. List the dependencies.\n2. Find TODO marks; and count {\"them\": \"1. 2.\"}\n";
    let args = [
        "orchestrate",
        "--target",
        text(&target),
        "--workspace",
        text(&workspace),
        "--no-dashboard",
        "--json",
        goal,
    ];
    let ended = home.run(&args);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let said: Value = serde_json::from_str(&ended.stdout).expect("nothing but JSON");
    assert_eq!((said["items"].as_array().map(Vec::len), &said["tier"]), (Some(2), &json!(5)));
    assert_eq!(said["workspace"], text(&workspace));
    assert!(said["session"].as_str().is_some_and(|id| id.starts_with("orch_")), "{said}");
    for item in said["items"].as_array().expect("items") {
        assert_eq!(item["status"], "succeeded");
        assert!(Path::new(item["report"].as_str().expect("a report")).is_file());
    }
    let report = fs::read_to_string(workspace.join("report.md")).expect("the report");
    assert!(report.contains("item-1/report.md") && report.contains("item-2/report.md"), "{report}");
}

#[test]
fn a_goal_that_needs_a_model_says_so_and_starts_nothing() {
    let home = Home::new();
    let ended = home.run(&["orchestrate", "--yes", "Implement a login with OAuth"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stdout.starts_with("tier 5: ") && ended.stderr.contains("needs a model"), "{ended:?}");
    for program in ["@openai/codex", "@anthropic-ai/claude-code", "@google/gemini-cli"] {
        assert!(ended.stderr.contains(program), "it names what to install: {ended:?}");
    }
    assert!(!home.data().exists());
}

#[test]
fn checks_are_carried_out_and_reported_without_a_model_and_without_a_trace_in_the_target() {
    let home = Home::new();
    let target = home.path("target");
    repository::make(&target);
    fs::write(
        target.join("Makefile"),
        "build:\n\ttrue\ntest:\n\t@echo 'one <test> fails'; touch trace; exit 3\n",
    )
    .expect("a file");
    repository::git(&target, &["add", "Makefile"]);
    let me = ["-c", "user.name=Me", "-c", "user.email=me@localhost"];
    repository::git(&target, &[&me[..], &["commit", "--quiet", "-m", "checks"]].concat());
    let ended = home.run(&["orchestrate", "--target", text(&target), "Run the tests and report"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("(verifier)"), "{ended:?}");
    let report = report_of(&ended);
    let words = fs::read_to_string(&report).expect("the report");
    assert!(words.contains("1 passed, 1 failed: make test") && words.contains("one <test> fails"), "{words}");
    let beside = |name: &str| fs::read_to_string(Path::new(&report).with_file_name(name)).expect(name);
    assert!(beside("junit.xml").contains("failures=\"1\""), "{}", beside("junit.xml"));
    let sarif: Value = serde_json::from_str(&beside("report.sarif")).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"][0]["level"], "error");
    assert!(!target.join("trace").exists());
}

#[test]
fn a_goal_that_is_measured_and_checked_gets_both_and_scripts_with_tests_are_tested() {
    let home = Home::new();
    let target = home.path("target");
    fs::create_dir(&target).expect("a folder");
    let test = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertTrue(True)\n";
    fs::write(target.join("test_a.py"), test).expect("a file");
    let goal = "Analyze the codebase structure and run the tests";
    let ended = home.run(&["orchestrate", "--target", text(&target), "--no-dashboard", "--json", goal]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let said: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let of = |agent: &str| {
        let items = said["items"].as_array().expect("items").iter();
        items.filter(|item| item["agent"] == agent && item["status"] == "succeeded").count()
    };
    assert_eq!((of("surveyor"), of("verifier")), (1, 1), "{said}");
}

#[test]
fn a_project_that_does_not_say_how_it_is_tested_is_told_what_would() {
    let home = Home::new();
    let target = home.path("target");
    fs::create_dir(&target).expect("a folder");
    fs::write(target.join("notes.txt"), "notes\n").expect("a file");
    let ended = home.run(&["orchestrate", "--target", text(&target), "Run the tests and report"]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let said = "the project's top folder does not say how to build, test it (it holds no project file that is known)";
    assert!(ended.stdout.contains(said) && !ended.stdout.contains("recipe"), "{ended:?}");
}

#[test]
fn a_plan_that_cannot_be_used_is_told_whole_and_starts_nothing() {
    let home = Home::new();
    let target = home.path("target");
    repository::make(&target);
    let plan = home.path("plan.json");
    fs::write(
        &plan,
        r#"{"items": [{"key": "a", "prompt": "x", "depends_on": ["b"]}, {"key": "a", "prompt": " "}]}"#,
    )
    .expect("a file");
    let args = ["orchestrate", "--target", text(&target), "--plan", text(&plan), "Analyze"];
    let ended = home.run(&args);
    assert_eq!(ended.status, Some(2), "{ended:?}");
    for part in ["depends_on names \"b\"", "there twice", "prompt is empty"] {
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
    assert!(!home.data().exists());
}

#[test]
fn what_needs_a_model_is_left_out_and_the_rest_is_done() {
    let home = Home::new();
    let target = home.path("target");
    repository::make(&target);
    let goal = "- Analyze the codebase structure\n- Implement a login with OAuth\n";
    let ended = home.run(&["orchestrate", "--target", text(&target), goal]);
    assert_eq!(ended.status, Some(1), "half is not done: {ended:?}");
    let report = fs::read_to_string(report_of(&ended)).expect("the report");
    assert!(report.contains("succeeded") && report.contains("left out: "), "{report}");
}

#[tokio::test]
async fn a_running_server_of_the_data_folder_is_joined() {
    let home = Home::new();
    let target = home.path("target");
    repository::make(&target);
    let server = Server::start(&home, &Setup { database: &Database::Sqlite, args: &["up"], env: &[] });
    for _ in 0..2 {
        let ended = home.run(&["orchestrate", "--target", text(&target), "Analyze the codebase structure"]);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        assert!(
            ended.stdout.contains(&format!("server: {} (already running)", server.rest.url)),
            "{ended:?}"
        );
        assert!(report_of(&ended).is_file());
    }
    let projects = server.rest.get("/projects/").await;
    assert_eq!(projects.as_array().map(Vec::len), Some(1), "the project of a target is used again");
    assert_eq!(projects[0]["repository"], text(&target.canonicalize().expect("the target")));
    assert_eq!(server.rest.get("/work-items/").await.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_interruption_stops_what_was_begun() {
    let home = Home::new();
    let target = home.path("target");
    repository::make(&target);
    // Without a worker nothing is done, so that the session waits.
    let server = Server::start(&home, &Setup { database: &Database::Sqlite, args: &["serve"], env: &[] });
    let command = home.command(&["orchestrate", "--target", text(&target), "Analyze the codebase structure"]);
    let (session, first) = Process::start(&home, "session.log", command);
    assert!(first.starts_with("tier 5: "), "{first}");
    until("the goal is in the queue", || async {
        let queue = server.rest.get("/scheduler/queue").await;
        queue.as_array().is_some_and(|entries| !entries.is_empty()).then_some(())
    })
    .await;
    session.signal("INT");
    assert_eq!(session.wait().code(), Some(130));
    assert_eq!(server.rest.get("/scheduler/queue").await, json!([]));
}

#[test]
fn wrong_targets_and_empty_goals_are_usage_errors() {
    let home = Home::new();
    for (args, wanted) in [
        (&["orchestrate", "--target", "nowhere", "Analyze it"][..], "nowhere"),
        (&["orchestrate", "  "][..], "the goal is empty"),
        (&["orchestrate"][..], "<GOAL>"),
    ] {
        let ended = home.run(args);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(wanted), "{ended:?}");
    }
}
