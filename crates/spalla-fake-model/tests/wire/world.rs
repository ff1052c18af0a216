//! A server with a script, and a client that speaks plain HTTP to it.

use reqwest::{Client, Response};
use serde_json::{Value, json};
use spalla_fake_model::{FakeModel, Script};

/// Starts a server that plays these rules.
pub(crate) fn server(rules: Value) -> FakeModel {
    FakeModel::start(Script::from_value(json!({ "rules": rules })).expect("a script")).expect("a server")
}

/// Starts a server that does the same whatever it is asked.
pub(crate) fn server_of(acts: Value) -> FakeModel {
    server(json!([{ "then": acts }]))
}

/// Sends a body with a key.
pub(crate) async fn post(model: &FakeModel, path: &str, key: &str, body: &Value) -> Response {
    let request = Client::new().post(format!("{}{path}", model.url()));
    request.bearer_auth(key).body(body.to_string()).send().await.expect("a response")
}

/// Sends a body and returns status and JSON.
pub(crate) async fn ask(model: &FakeModel, path: &str, body: &Value) -> (u16, Value) {
    let response = post(model, path, "k", body).await;
    (response.status().as_u16(), read(response).await)
}

/// Reads a response of JSON.
pub(crate) async fn read(response: Response) -> Value {
    let text = response.text().await.expect("a body");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Sends a body and returns the events of the stream, each with its name.
pub(crate) async fn stream(model: &FakeModel, path: &str, body: &Value) -> Vec<(Option<String>, Value)> {
    let response = post(model, path, "k", body).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.expect("a body");
    let frames = text.split("\n\n").filter(|frame| !frame.is_empty() && *frame != "data: [DONE]");
    frames.map(event).collect()
}

fn event(frame: &str) -> (Option<String>, Value) {
    let part = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let data = part("data: ").unwrap_or_else(|| panic!("no data in {frame}"));
    (part("event: "), serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error} in {data}")))
}
