//! Where the plan of a session comes from, and how its pieces are carried out: agents are played by scripts.

use crate::process::{Ended, ended, text};
use crate::repository::git;
use crate::scripted::Place;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

fn shown(place: &Place) -> Value {
    let shown = place.home.run(&["session", "show", "latest", "--json"]).good();
    serde_json::from_str(&shown).expect("JSON")
}

fn keys(session: &Value, kind: &str) -> Vec<String> {
    let items = session["items"].as_array().expect("items").iter().filter(|item| item["kind"] == kind);
    items.map(|item| item["key"].as_str().expect("a key").to_owned()).collect()
}

/// Pursues a goal by a plan file.
fn by_plan(place: &Place, plan: &Value, flags: &[&str]) -> Ended {
    let path = place.home.path("plan.json");
    fs::write(&path, plan.to_string()).expect("a file");
    let usual = ["--agents", "codex", "--yes", "--plan", text(&path)];
    place.orchestrate("Write it", &[&usual[..], flags].concat(), &[])
}

/// Makes an editor that does this to the plan, whose path is `$1`.
fn editor(place: &Place, script: &str) -> String {
    let path = place.home.path("editor");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    text(&path).to_owned()
}

#[test]
fn an_agent_plans_and_what_builds_on_a_piece_begins_when_that_is_merged() {
    let place = Place::make();
    place.let_go();
    let flags = ["--agents", "codex", "--decomposer", "llm", "--yes"];
    let said = place.orchestrate("Write it", &flags, &[]).good();
    assert!(said.contains("plan: made by codex first") && said.contains("1. second (codex)"), "{said}");
    let session = shown(&place);
    assert_eq!(
        (keys(&session, "plan"), keys(&session, "work")),
        (vec!["plan".into()], vec!["b".into(), "a".into()])
    );
    assert_eq!(place.applied(), "hello\nhello\n", "the second saw what the first wrote");
}

#[test]
fn without_a_plan_from_the_agent_the_goal_is_split_as_it_is_written() {
    let place = Place::make();
    place.let_go();
    fs::write(place.home.shared("no-plan"), "").expect("a file");
    let flags = ["--agents", "codex", "--decomposer", "llm", "--yes"];
    let said = place.orchestrate("Write it", &flags, &[]).good();
    assert!(said.contains("no plan came of it"), "{said}");
    let session = shown(&place);
    assert_eq!(keys(&session, "work"), ["1"]);
    let planning = &session["items"][0]["runs"];
    assert_eq!(planning[0]["result"]["turns"], 2, "it was asked once more: {planning}");
}

#[test]
fn a_person_changes_the_plan_before_anything_begins() {
    let place = Place::make();
    place.let_go();
    let change = editor(&place, "sed -i 's/Write it/Write something else/' \"$1\"");
    let flags = ["--agents", "codex", "--revise-plan"];
    place.orchestrate("Write it", &flags, &[("EDITOR", &change)]).good();
    let session = shown(&place);
    assert_eq!(
        (&session["goal"], &session["items"][0]["prompt"]),
        (&json!("Write it"), &json!("Write something else"))
    );
    for (script, status, why) in [
        (": >\"$1\"", 3, "nothing was started"),
        ("exit 1", 3, "nothing was started"),
        ("echo '{}' >\"$1\"", 2, "can't be used"),
    ] {
        let script = editor(&place, script);
        let ended = place.orchestrate("Write it", &flags, &[("EDITOR", &script)]);
        assert_eq!((ended.status, ended.stderr.contains(why)), (Some(status), true), "{ended:?}");
    }
    let ended = place.orchestrate("Write it", &flags, &[]);
    assert_eq!((ended.status, ended.stderr.contains("set EDITOR")), (Some(2), true), "{ended:?}");
    assert_eq!(place.home.run(&["session", "list", "--json"]).good().matches("\"id\"").count(), 1);
}

#[test]
fn what_an_earlier_attempt_used_and_told_is_in_the_record() {
    let place = Place::make();
    let ended = place.orchestrate("Write once it may", &["--agents", "codex", "--yes"], &[]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let session = shown(&place);
    let runs = session["items"][0]["runs"].as_array().expect("runs");
    let attempts: Vec<_> = runs.iter().map(|run| run["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 2], "{session}");
    assert_eq!(session["usage"]["total_tokens"], 24, "both were paid for: {session}");
    let told = place.home.run(&["replay", "--speed", "0"]).good();
    assert_eq!(told.matches("Codex CLI begins").count(), 2, "{told}");
}

#[test]
fn sessions_that_share_a_workspace_are_told_apart_and_what_goes_on_is_logged_as_well() {
    let place = Place::make();
    place.let_go();
    let workspace = place.home.path("shared-workspace");
    let flags = ["--agents", "codex", "--yes", "--workspace", text(&workspace)];
    place.orchestrate("Write one", &flags, &[]).good();
    let first = shown(&place)["id"].as_str().expect("an id").to_owned();
    place.orchestrate("Write two", &flags, &[]).good();
    for id in [first.as_str(), "latest"] {
        let told = place.home.run(&["replay", id, "--speed", "0"]).good();
        assert_eq!(told.matches("Codex CLI begins").count(), 1, "{told}");
    }
    place.home.run(&["session", "review"]).good();
    let log = fs::read_to_string(workspace.join("orchestrator.log")).expect("the log");
    assert_eq!(log.matches("the session begins").count(), 3, "{log}");
}

#[tokio::test]
async fn what_can_t_begin_leaves_no_session_behind() {
    let place = Place::make();
    let usual = ["orchestrate", "--no-dashboard", "--yes", "--agents", "codex", "--target"];
    let refused = |target: &std::path::Path, more: &[&str], why: &str| {
        let args = [&usual[..], &[text(target)], more, &["Write hello.txt"]].concat();
        let ended = ended(place.command(&args).output().expect("the binary runs"));
        assert_eq!((ended.status, ended.stderr.contains(why)), (Some(2), true), "{ended:?}");
        let sessions = fs::read_dir(place.home.data().join("sessions"));
        sessions.map_or(0, |all| all.count())
    };
    let bare = place.home.path("bare.git");
    git(&place.target, &["clone", "--quiet", "--bare", ".", text(&bare)]);
    assert_eq!(refused(&bare, &[], "without files"), 0);
    assert_eq!(refused(&place.target.join(".git"), &[], "without files"), 0);
    fs::create_dir(place.target.join("below")).expect("a folder");
    assert_eq!(refused(&place.target.join("below"), &[], "inside the git repository"), 0);
    assert_eq!(refused(&place.target, &["--workspace", "/proc/none"], "making the workspace"), 0);
    assert_eq!(refused(&place.target, &["--revise-plan=page"], "there is no page"), 0);
    // Another process works on the data folder, and listens nowhere.
    let args = [&usual[..], &[text(&place.target), "Write hello.txt"]].concat();
    let mut first = place.command(&args).spawn().expect("the binary runs");
    place.until_begun().await;
    assert_eq!(refused(&place.target, &[], "in use by process"), 1);
    place.let_go();
    assert!(first.wait().expect("its end").success());
}

#[test]
fn one_after_another_each_piece_sees_what_was_merged_before_it() {
    let place = Place::make();
    place.let_go();
    let flags = ["--agents", "codex", "--pattern", "sequential", "--yes"];
    place.orchestrate("1. Write it.\n2. Write it again.\n3. And again.", &flags, &[]).good();
    assert_eq!(place.applied(), "hello\nhello\nhello\n");
}

#[test]
fn what_the_plans_validator_refuses_is_given_back_and_never_merged() {
    let place = Place::make();
    place.let_go();
    let plan =
        json!({"items": [{"key": "a", "prompt": "Write hello.txt", "validator": "grep -q good hello.txt"}]});
    let ended = by_plan(&place, &plan, &[]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let session = shown(&place);
    assert_eq!(keys(&session, "work"), ["a", "a.again-2", "a.again-3"]);
    assert!(session["items"].to_string().contains("does not pass the plan's validator"), "{session}");
    let plan =
        json!({"items": [{"key": "a", "prompt": "Write hello.txt", "validator": "grep -q hello hello.txt"}]});
    by_plan(&place, &plan, &[]).good();
}

#[test]
fn a_recipe_in_a_plan_is_carried_out_and_may_fail_where_the_plan_says_so() {
    let place = Place::make();
    place.let_go();
    let plan = |critical: bool| {
        json!({"items": [
            {"key": "a", "prompt": "steps: [\"exit 3\"]", "executor": "recipe", "critical": critical,
             "retry": {"attempts": 1}, "category": "build"},
            {"key": "b", "prompt": "Write hello.txt", "depends_on": ["a"], "parameters": {"port": 8080}},
        ]})
    };
    let ended = by_plan(&place, &plan(true), &[]);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert_eq!(shown(&place)["items"][1]["work_item_id"], Value::Null, "what builds on it never began");
    by_plan(&place, &plan(false), &[]).good();
    let session = shown(&place);
    assert_eq!(
        (&session["items"][0]["status"], &session["items"][1]["status"]),
        (&json!("failed"), &json!("succeeded"))
    );
}

#[test]
fn what_was_told_of_a_session_is_not_told_again_when_it_goes_on() {
    let place = Place::make();
    place.let_go();
    let flags = ["--agents", "codex", "--yes"];
    let first = place.orchestrate("Write it", &flags, &[]).good();
    assert!(first.contains("the run succeeded"), "{first}");
    let again = place.home.run(&["session", "review"]).good();
    assert!(
        again.contains("review of \"Write it\": CONTINUE") && !again.contains("the run succeeded"),
        "{again}"
    );
}

#[test]
fn of_several_tries_the_one_that_did_it_is_merged() {
    let place = Place::make();
    place.let_go();
    let flags = ["--agents", "codex,claude", "--pattern", "tournament:2", "--yes"];
    place.orchestrate("Write hello.txt", &flags, &[]).good();
    let session = shown(&place);
    assert_eq!((keys(&session, "work").len(), keys(&session, "merge")), (2, vec!["1.try-1.merge".into()]));
    assert_eq!(place.applied(), "hello\n");
}

#[test]
fn in_a_debate_an_agent_hears_what_all_think_before_it_does_the_work() {
    let place = Place::make();
    place.let_go();
    let flags = ["--agents", "codex,claude", "--pattern", "debate", "--yes"];
    place.orchestrate("Write hello.txt", &flags, &[]).good();
    assert_eq!(place.applied(), "heard\n");
    let two = ["--agents", "codex", "--pattern", "debate", "--yes"];
    let alone = place.orchestrate("Write hello.txt", &two, &[]);
    assert_eq!((alone.status, alone.stderr.contains("two agent CLIs")), (Some(1), true), "{alone:?}");
}

#[test]
fn the_static_model_splits_prose_and_lets_what_comes_later_wait() {
    let place = Place::make();
    place.let_go();
    let goal = "Design a schema for invoices. Then implement an export of reports to PDF.";
    let flags = ["--agents", "codex", "--decomposer", "tiny", "--yes"];
    place.orchestrate(goal, &flags, &[]).good();
    let session = shown(&place);
    assert_eq!(keys(&session, "work"), ["1", "2"]);
    let second = &session["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|item| item["key"] == "2")
        .expect("it")["depends_on"];
    assert_eq!(second, &json!(["1"]));
    assert_eq!(place.applied(), "hello\nhello\n", "the second saw what the first wrote");
}

#[test]
fn the_static_model_gives_a_piece_to_whoever_is_good_at_it_and_says_why() {
    let place = Place::make();
    place.let_go();
    let flags = ["--agents", "claude,codex", "--selector", "tiny", "--yes"];
    place.orchestrate("Find out why the upload crashes, and fix the bug", &flags, &[]).good();
    let item = &shown(&place)["items"][0];
    assert_eq!(item["agent"], "codex", "{item}");
    assert!(item["why"].as_str().is_some_and(|why| why.starts_with("tiny: it is ")), "{item}");
    let ended = place.orchestrate("Write it", &["--selector", "large", "--yes"], &[]);
    assert_eq!((ended.status, ended.stderr.contains("heuristic or tiny")), (Some(2), true), "{ended:?}");
}

#[test]
fn the_strongest_model_plans_where_it_is_named_and_else_the_goal_is_split_as_it_is_written() {
    let place = Place::make();
    place.let_go();
    let flags = ["--agents", "codex", "--decomposer", "cloud", "--yes"];
    let said = place.orchestrate("Write it", &flags, &[("SPALLA_MODELS_SMART", "codex:best")]).good();
    assert!(said.contains("plan: made by codex (best) first"), "{said}");
    let session = shown(&place);
    assert_eq!((keys(&session, "work").len(), &session["items"][0]["model"]), (2, &json!("best")));
    let said = place.orchestrate("Write it", &flags, &[]).good();
    assert!(said.contains("name one with models.smart"), "{said}");
    assert_eq!(keys(&shown(&place), "work"), ["1"]);
    let ended = place.orchestrate("Write it", &flags, &[("SPALLA_MODELS_SMART", "claude:opus")]);
    assert_eq!((ended.status, ended.stderr.contains("not among the agents")), (Some(2), true), "{ended:?}");
}

#[test]
fn what_stopped_a_session_is_tried_anew_when_it_goes_on() {
    let place = Place::make();
    let plan = json!({"items": [
        {"key": "a", "prompt": "Write once it may", "on_error": "stop", "retry": {"attempts": 1, "backoff": "fixed"}}]});
    let ended = by_plan(&place, &plan, &[]);
    assert_eq!(ended.status, Some(3), "{ended:?}");
    assert!(ended.stdout.contains("to try it anew: spalla session resume"), "{ended:?}");
    let ended = place.resume();
    assert_eq!(ended.status, Some(3), "{ended:?}");
    assert_eq!(shown(&place)["items"][0]["runs"].as_array().map(Vec::len), Some(2), "it was tried anew");
    fs::write(place.home.shared("mended"), "").expect("a file");
    place.resume().good();
    assert_eq!(place.applied(), "hello\n");
}

/// Publishes one definition, and returns the folder.
fn published(place: &Place, name: &str, sections: &str) -> std::path::PathBuf {
    let (source, out) = (place.home.path("agents"), place.home.path("published"));
    fs::create_dir_all(&source).expect("a folder");
    let definition = format!("---\nname: {name}\ndescription: Writes files.\n{sections}---\nYou write.\n");
    fs::write(source.join(format!("{name}.md")), definition).expect("a file");
    place.home.run(&["convert", "--source", text(&source), "--out", text(&out)]).good();
    out
}

#[test]
fn a_piece_is_done_by_the_definition_that_the_plan_names() {
    let place = Place::make();
    place.let_go();
    let sections = "tools: Read, Write\nhooks:\n  pre_task: [echo made ready]\nruntime:\n  resource_limits:\n    memory_mb: 700\n";
    let folder = published(&place, "writer", sections);
    let path = place.home.path("plan.json");
    let plan = json!({"items": [{"key": "a", "prompt": "Write hello.txt", "agent": "writer"}]});
    fs::write(&path, plan.to_string()).expect("a file");
    let flags = ["--agents", "codex", "--yes", "--strict-tools", "--plan", text(&path)];
    let env = [("SPALLA_AGENTS_DIR", text(&folder))];
    let said = place.orchestrate("Write it", &flags, &env).good();
    assert!(said.contains("(codex as writer)"), "{said}");
    let session = shown(&place);
    let item = session["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|item| item["key"] == "a")
        .expect("the piece");
    let result = &item["runs"][0]["result"];
    assert_eq!(
        (&result["agent"], &result["definition"]["id"]),
        (&json!("codex"), &json!("writer")),
        "{item}"
    );
    assert_eq!(result["limits"]["memory_mb"], json!({"value": 700, "source": "definition"}));
    assert_eq!(item["wishes"]["policy"]["strict_tools"], true, "{item}");
}

#[test]
fn a_definition_that_can_t_be_used_is_refused_before_anything_begins() {
    let place = Place::make();
    let hooks = "  - 'true'\n".repeat(10_000);
    let folder = published(&place, "hooked", &format!("hooks:\n  pre_task:\n{hooks}"));
    let path = place.home.path("plan.json");
    let env = [("SPALLA_AGENTS_DIR", text(&folder))];
    for (agent, why) in
        [("hooked", "hooks.pre_task has 10000 entries"), ("nobody", "there is no agent \"nobody\"")]
    {
        let plan = json!({"items": [{"key": "a", "prompt": "Write hello.txt", "agent": agent}]});
        fs::write(&path, plan.to_string()).expect("a file");
        let flags = ["--agents", "codex", "--yes", "--plan", text(&path)];
        let ended = place.orchestrate("Write it", &flags, &env);
        assert_eq!((ended.status, ended.stderr.contains(why)), (Some(2), true), "{ended:?}");
    }
}
