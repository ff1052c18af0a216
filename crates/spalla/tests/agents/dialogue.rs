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
