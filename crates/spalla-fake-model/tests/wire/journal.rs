//! The journal: who asked what and got which answer.

use crate::world::{ask, post};
use serde_json::{Value, json};
use spalla_fake_model::{FakeModel, Options, Script};

#[tokio::test]
async fn every_request_is_a_line_of_the_file_and_an_entry_in_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let script = Script::from_toml("[[rules]]\nname = 'greet'\nthen = [{ say = 'Hi.' }]").expect("a script");
    let options = Options { port: 0, journal: Some(path.clone()) };
    let model = FakeModel::start_with(script, &options).expect("a server");
    let tools = json!([{ "type": "custom", "name": "apply_patch" }]);
    post(&model, "/v1/responses", "key-1", &json!({ "model": "m", "input": "Go.", "tools": tools })).await;
    ask(&model, "/v1/responses", &json!({})).await;
    ask(&model, "/nowhere", &json!({})).await;
    let entries = model.journal();
    let told: Vec<(u64, &str, u16)> =
        entries.iter().map(|entry| (entry.number, entry.answer.as_str(), entry.status)).collect();
    assert_eq!(told, [(1, "say Hi.", 200), (2, "", 400), (3, "", 404)]);
    assert_eq!((entries[0].key.as_str(), entries[0].rule.as_deref()), ("key-1", Some("greet")));
    assert_eq!((entries[0].user.as_str(), &entries[0].tools[..]), ("Go.", &["apply_patch".to_owned()][..]));
    let lines: Vec<Value> = std::fs::read_to_string(&path)
        .expect("a file")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines,
        entries.iter().map(|entry| serde_json::to_value(entry).expect("JSON")).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn requests_of_one_run_are_told_by_its_header() {
    let model = crate::world::server_of(
        json!([{ "fail": { "kind": "server_error", "times": 1 } }, { "say": "Hi." }]),
    );
    let client = reqwest::Client::new();
    let mut statuses = Vec::new();
    for thread in ["a", "b", "a", "b"] {
        let request = client.post(format!("{}/v1/responses", model.url())).header("thread-id", thread);
        let body = json!({ "model": "m", "input": "Go." }).to_string();
        statuses.push(request.body(body).send().await.expect("a response").status().as_u16());
    }
    assert_eq!(statuses, [500, 500, 200, 200]);
    let runs: Vec<String> = model.journal().into_iter().map(|entry| entry.run).collect();
    assert_eq!(runs, ["a", "b", "a", "b"]);
}
