//! One goal, one agent.

use crate::workshop::Workshop;
use serde_json::json;

const CLIS: [&str; 3] = ["codex", "claude", "gemini"];

#[tokio::test]
async fn each_cli_alone_delivers_the_change_and_the_target_is_untouched_until_it_is_applied() {
    for name in CLIS {
        let workshop = Workshop::new(json!([{ "then": [
            { "write": { "path": "src/hello.txt", "text": "hello\n" } },
            { "usage": { "input": 1_000, "cached": 600, "output": 50 } },
            { "say": "It is written." },
        ] }]));
        let before = workshop.state();
        let done = workshop.orchestrate(name, "Add a greeting in src/hello.txt").await;
        assert_eq!(done.code, Some(0), "{name}: {done:?}");
        assert!(done.stdout.starts_with("tier 4: "), "{name}: {done:?}");
        assert_eq!(workshop.state(), before, "{name}: the target was touched");

        let session = workshop.session().await;
        assert!(session["usage"]["total_tokens"].as_u64().unwrap() >= 1_050, "{name}: {session}");
        let walls = session["sandbox"]["layers"].as_array().unwrap();
        assert!(walls.iter().any(|wall| wall["state"] == "enforced"), "{name}: {session}");
        assert_eq!(session["status"], "done", "{name}: {session}");

        let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
        assert_eq!(applied.code, Some(0), "{name}: {applied:?}");
        assert_eq!(workshop.file("src/hello.txt").as_deref(), Some("hello\n"), "{name}: {applied:?}");
        assert_eq!(workshop.git(&["status", "--porcelain"]), "", "{name}: something else came along");
        assert_eq!(workshop.git(&["diff", "--name-only", "HEAD~1"]).trim(), "src/hello.txt", "{name}");
        workshop.world.is_deserted().await;
    }
}

#[tokio::test]
async fn an_agent_that_ends_well_and_changed_nothing_has_failed() {
    for name in CLIS {
        let workshop = Workshop::new(json!([{ "then": [{ "say": "I added the greeting. All done!" }] }]));
        let done = workshop.orchestrate(name, "Add a greeting in src/hello.txt").await;
        assert_eq!(done.code, Some(1), "{name}: {done:?}");
        assert!(done.stdout.contains("changed nothing"), "{name}: {done:?}");
        let session = workshop.session().await;
        assert_eq!(session["status"], "failed", "{name}: {session}");
    }
}

#[tokio::test]
async fn a_goal_that_asks_for_an_answer_gets_it_in_the_report() {
    let workshop = Workshop::new(json!([{ "then": [{ "say": "It has two files." }] }]));
    let done = workshop.orchestrate("codex", "Explain what is in this repository").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let report = done.stdout.lines().find_map(|line| line.strip_prefix("report: ")).unwrap();
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains("> It has two files."), "{report}");
    let session = workshop.session().await;
    let answer = &session["items"][0]["runs"][0]["result"]["answer"];
    assert_eq!(answer, "It has two files.", "{session}");
}

#[tokio::test]
async fn an_agent_sees_neither_other_variables_nor_the_persons_files() {
    let workshop = Workshop::new(json!([{ "then": [
        { "run": "env > seen.txt; ls -a $HOME >> seen.txt; cat /etc/shadow >> seen.txt 2>&1; true" },
        { "say": "Seen." },
    ] }]));
    let secret = workshop.world.home().join("secret.txt");
    std::fs::write(&secret, "canary-of-the-person").unwrap();
    let mut command = workshop.orchestration("codex", "Write what you see");
    command.env("AWS_SECRET_ACCESS_KEY", "canary-of-the-cloud").env("ANTHROPIC_API_KEY", "canary-of-another");
    let done = workshop.end_of(command).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let diff = workshop.spalla(&["session", "diff", "latest"]).await;
    assert!(diff.stdout.contains("HOME="), "{diff:?}");
    for canary in ["canary-of-the-person", "secret.txt", "canary-of-the-cloud", "canary-of-another", "root:"]
    {
        assert!(!diff.stdout.contains(canary), "{canary}: {diff:?}");
    }
}

#[tokio::test]
async fn a_folder_without_git_is_worked_on_as_a_copy() {
    let workshop = Workshop::new(json!([{ "then": [
        { "write": { "path": "new.txt", "text": "new\n" } },
        { "say": "It is written." },
    ] }]));
    std::fs::remove_dir_all(workshop.target().join(".git")).unwrap();
    let done = workshop.orchestrate("claude", "Add new.txt").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(workshop.file("new.txt"), None);
    let applied = workshop.spalla(&["session", "apply", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert_eq!(workshop.file("new.txt").as_deref(), Some("new\n"));
    assert_eq!(workshop.file("notes.txt").as_deref(), Some("one\ntwo\nthree\n"));
}
