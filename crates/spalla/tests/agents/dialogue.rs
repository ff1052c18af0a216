//! An agent that is spoken with while it works: the Gemini CLI over the Agent Client Protocol, as a file of a person's own says.

use crate::workshop::Workshop;
use serde_json::json;

/// The adapter, as a person writes it.
const ADAPTER: &str = r#"
name = "gemini-acp"
title = "Gemini over ACP"
program = "gemini"
install = "npm install -g @google/gemini-cli"
version = ["--version"]
help = [["--help"]]
output = "acp"
prompt = "dialogue"

[command]
first = ["--acp"]
parts = [
    { flag = "--skip-trust", args = ["--skip-trust"] },
    { when = "model", args = ["--model", "{model}"] },
]

[environment]
prefixes = ["GEMINI_", "GOOGLE_"]
set = { GEMINI_CLI_NO_RELAUNCH = "true", GEMINI_CLI_TRUST_WORKSPACE = "true" }

[home]
variable = "GEMINI_CLI_HOME"
is_parent = true
folder = ".gemini"
files = ["settings.json"]

[network]
base_urls = ["GOOGLE_GEMINI_BASE_URL"]
"#;

#[tokio::test]
async fn an_agent_that_speaks_acp_delivers_the_change_and_goes_when_its_turn_is_over() {
    let workshop = Workshop::new(json!([{ "then": [
        { "write": { "path": "src/hello.txt", "text": "hello\n" } },
        { "say": "It is written." },
    ] }]));
    let adapters = workshop.data().join("adapters");
    std::fs::create_dir_all(&adapters).unwrap();
    std::fs::write(adapters.join("gemini-acp.toml"), ADAPTER).unwrap();
    let done = workshop.orchestrate("gemini-acp", "Add a greeting in src/hello.txt").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let session = workshop.session().await;
    let result = &session["items"][0]["runs"][0]["result"];
    assert_eq!(
        (&session["status"], &result["answer"]),
        (&json!("done"), &json!("It is written.")),
        "{session}"
    );
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(workshop.file("src/hello.txt").as_deref(), Some("hello\n"), "{applied:?}");
    workshop.world.is_deserted().await;
}

#[tokio::test]
async fn each_cli_does_one_run_of_a_session_after_another_with_the_same_process() {
    for name in ["codex", "claude", "gemini"] {
        let workshop = Workshop::new(json!([
            { "when": { "user": "second step" }, "then": [
                { "run": "cat first.txt > second.txt && echo second >> second.txt" },
                { "say": "It is written." },
            ] },
            { "then": [{ "write": { "path": "first.txt", "text": "first\n" } }, { "say": "It is written." }] },
        ]));
        let plan = workshop.world.work().join("plan.json");
        let items = json!({ "items": [
            { "key": "first", "prompt": "Do the first step", "agent": name },
            { "key": "second", "prompt": "Do the second step", "agent": name, "depends_on": ["first"] },
        ] });
        std::fs::write(&plan, items.to_string()).unwrap();
        let mut command = workshop.orchestration(name, "Both");
        command.arg("--plan").arg(&plan).env("SPALLA_POOL_SIZE", "2");
        let done = workshop.end_of(command).await;
        assert_eq!(done.code, Some(0), "{name}: {done:?}");
        assert!(done.stdout.contains("begins with a process that was there"), "{name}: {done:?}");
        workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
        assert_eq!(workshop.file("second.txt").as_deref(), Some("first\nsecond\n"), "{name}");
        workshop.world.is_deserted().await;
    }
}
