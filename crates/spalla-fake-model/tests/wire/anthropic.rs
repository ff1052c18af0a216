//! Messages, as Anthropic's API reference has them.

use crate::world::{ask, server_of, stream};
use serde_json::{Value, json};

const MESSAGES: &str = "/v1/messages";

fn tools() -> Value {
    let schema = |names: &[&str]| {
        let properties: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
        json!({ "type": "object", "properties": properties })
    };
    json!([
        { "name": "Read", "input_schema": schema(&["file_path"]) },
        { "name": "Write", "input_schema": schema(&["file_path", "content"]) },
    ])
}

fn body(messages: &[Value]) -> Value {
    json!({
        "model": "m", "max_tokens": 100, "messages": messages, "tools": tools(),
        "system": [{ "type": "text", "text": "# Environment\n - Primary working directory: /tmp/w\n" }],
    })
}

#[tokio::test]
async fn a_message_tells_each_block_from_its_start_to_its_stop() {
    let model = server_of(json!([
        { "think": "Hm." }, { "say": "I write." }, { "usage": { "input": 10, "cached": 4, "output": 3 } },
        { "write": { "path": "a.txt", "text": "x" } },
    ]));
    let mut wanted = body(&[json!({ "role": "user", "content": "Go." })]);
    wanted["stream"] = json!(true);
    let events = stream(&model, MESSAGES, &wanted).await;
    assert!(events.iter().all(|(name, data)| name.as_deref() == data["type"].as_str()));
    let names: Vec<&str> = events.iter().filter_map(|(name, _)| name.as_deref()).collect();
    assert_eq!(
        [&names[..2], &names[names.len() - 2..]].concat(),
        ["message_start", "ping", "message_delta", "message_stop"]
    );
    let kinds: Vec<&Value> = events
        .iter()
        .filter(|(name, _)| name.as_deref() == Some("content_block_start"))
        .map(|(_, data)| &data["content_block"]["type"])
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use"]);
    let partial =
        events.iter().find_map(|(_, data)| data["delta"]["partial_json"].as_str()).expect("arguments");
    let arguments: Value = serde_json::from_str(partial).expect("JSON");
    assert_eq!(arguments, json!({ "file_path": "/tmp/w/a.txt", "content": "x" }));
    let end = &events[events.len() - 2].1;
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
    let counted = [&end["usage"]["input_tokens"], &end["usage"]["cache_read_input_tokens"]];
    assert_eq!(counted, [6, 4]);
}

#[tokio::test]
async fn a_message_goes_on_by_the_answers_that_came_back_not_by_their_calls() {
    let model = server_of(json!([
        { "write": { "path": "a", "text": "x", "replaces": true } }, { "write": { "path": "b", "text": "y" } },
    ]));
    let mut messages = vec![json!({ "role": "user", "content": [{ "type": "text", "text": "Go." }] })];
    let mut answers = Vec::new();
    for _ in 0..3 {
        let (status, answer) = ask(&model, MESSAGES, &body(&messages)).await;
        assert_eq!(status, 200, "{answer}");
        let calls: Vec<Value> = answer["content"]
            .as_array()
            .expect("blocks")
            .iter()
            .filter(|block| block["type"] == "tool_use")
            .cloned()
            .collect();
        let results: Vec<Value> = calls
            .iter()
            .map(|call| json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "done" }))
            .collect();
        answers.push((calls.len(), answer["stop_reason"].clone(), answer["id"].clone()));
        messages.push(json!({ "role": "assistant", "content": answer["content"] }));
        messages.push(json!({ "role": "user", "content": results }));
    }
    let shape: Vec<(usize, &str)> =
        answers.iter().map(|(calls, reason, _)| (*calls, reason.as_str().expect("text"))).collect();
    assert_eq!(shape, [(2, "tool_use"), (1, "tool_use"), (0, "end_turn")]);
    // A client that finds one id twice takes two messages for one.
    assert!(answers[0].2 != answers[1].2 && answers[1].2 != answers[2].2);
}

#[tokio::test]
async fn a_refusal_is_a_reason_to_stop() {
    let model = server_of(json!([{ "refuse": "No." }]));
    let (_, answer) = ask(&model, MESSAGES, &body(&[json!({ "role": "user", "content": "Go." })])).await;
    assert_eq!((&answer["stop_reason"], &answer["content"]), (&json!("refusal"), &json!([])));
}

#[tokio::test]
async fn tokens_are_counted_without_a_rule() {
    let model = server_of(json!([{ "say": "Never asked." }]));
    let (status, counted) = ask(&model, "/v1/messages/count_tokens", &body(&[])).await;
    assert_eq!(status, 200);
    assert!(counted["input_tokens"].as_u64() > Some(0), "{counted}");
}

#[tokio::test]
async fn an_overload_is_told_with_its_own_status_or_within_the_stream() {
    let model = server_of(json!([
        { "fail": { "kind": "overloaded", "times": 1 } },
        { "fail": { "kind": "overloaded", "in_stream": true } },
        { "say": "No." },
    ]));
    let mut wanted = body(&[json!({ "role": "user", "content": "Go." })]);
    wanted["stream"] = json!(true);
    let (status, refused) = ask(&model, MESSAGES, &wanted).await;
    assert_eq!((status, &refused["error"]["type"]), (529, &json!("overloaded_error")));
    let events = stream(&model, MESSAGES, &wanted).await;
    let (name, data) = events.last().expect("an end");
    assert_eq!((name.as_deref(), &data["error"]["type"]), (Some("error"), &json!("overloaded_error")));
}
