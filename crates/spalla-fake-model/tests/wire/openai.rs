//! Responses and chat completions, as OpenAI's API reference has them.

use crate::world::{ask, post, read, server, server_of, stream};
use serde_json::{Value, json};

const RESPONSES: &str = "/v1/responses";
const CHAT: &str = "/v1/chat/completions";

fn patch_tools() -> Value {
    json!([{ "type": "custom", "name": "apply_patch" }, {
        "type": "function", "name": "exec_command",
        "parameters": { "type": "object", "properties": { "cmd": { "type": "string" } } },
    }])
}

fn bash() -> Value {
    json!([{ "type": "function", "function": {
        "name": "bash", "parameters": { "type": "object", "properties": { "command": { "type": "string" } } },
    } }])
}

#[tokio::test]
async fn a_response_tells_each_item_from_its_beginning_to_its_end() {
    let model = server_of(
        json!([{ "think": "Hm." }, { "say": "I write." }, { "write": { "path": "a", "text": "x\n" } }]),
    );
    let body = json!({ "model": "m", "input": "Go.", "stream": true, "tools": patch_tools() });
    let events = stream(&model, RESPONSES, &body).await;
    assert!(events.iter().all(|(name, data)| name.as_deref() == data["type"].as_str()));
    let numbers: Vec<u64> = events.iter().filter_map(|(_, data)| data["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
    let told = |index: u64| -> Vec<&str> {
        let own = events.iter().filter(|(_, data)| data["output_index"] == index);
        own.filter_map(|(name, _)| name.as_deref()?.strip_prefix("response.")).collect()
    };
    assert_eq!(told(0).first().zip(told(0).last()), Some((&"output_item.added", &"output_item.done")));
    assert_eq!(
        told(1),
        [
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
        ]
    );
    let calls = [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ];
    assert_eq!(told(2), calls);
    let done = &events.last().expect("an end").1;
    assert_eq!(done["type"], "response.completed");
    let kinds: Vec<&Value> =
        done["response"]["output"].as_array().expect("items").iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["reasoning", "message", "custom_tool_call"]);
}

#[tokio::test]
async fn a_response_that_is_not_streamed_is_the_whole_of_it() {
    let model = server_of(
        json!([{ "usage": { "input": 10, "cached": 4, "output": 3, "reasoning": 1 } }, { "say": "Hi." }]),
    );
    let input =
        json!([{ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "Go." }] }]);
    let (status, response) = ask(&model, RESPONSES, &json!({ "model": "m", "input": input })).await;
    assert_eq!((status, &response["status"]), (200, &json!("completed")));
    assert_eq!(response["output"][0]["content"][0]["text"], "Hi.");
    let usage = json!({
        "input_tokens": 10, "input_tokens_details": { "cached_tokens": 4 },
        "output_tokens": 3, "output_tokens_details": { "reasoning_tokens": 1 }, "total_tokens": 13,
    });
    assert_eq!(response["usage"], usage);
}

#[tokio::test]
async fn a_response_goes_on_by_the_results_that_come_back() {
    let model = server_of(json!([{ "run": "ls" }, { "say": "Seen." }]));
    let mut input = vec![json!({ "role": "user", "content": "Go." })];
    let body = |input: &[Value]| json!({ "model": "m", "input": input, "tools": patch_tools() });
    let (_, first) = ask(&model, RESPONSES, &body(&input)).await;
    let call = first["output"][0].clone();
    assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("exec_command")));
    input.push(call.clone());
    input.push(json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "a.txt" }));
    // Asked twice, it says the same twice: it remembers nothing.
    for _ in 0..2 {
        let (_, second) = ask(&model, RESPONSES, &body(&input)).await;
        assert_eq!(second["output"][0]["content"][0]["text"], "Seen.");
    }
}

#[tokio::test]
async fn a_tool_of_a_namespace_is_called_in_it() {
    let model = server_of(json!([{ "call": { "tool": "find", "arguments": { "a": 1 } } }]));
    let tools =
        json!([{ "type": "namespace", "name": "mcp__x", "tools": [{ "type": "function", "name": "find" }] }]);
    let (_, response) =
        ask(&model, RESPONSES, &json!({ "model": "m", "input": "Go.", "tools": tools })).await;
    let call = &response["output"][0];
    assert_eq!((&call["namespace"], &call["arguments"]), (&json!("mcp__x"), &json!("{\"a\":1}")));
}

#[tokio::test]
async fn a_failure_within_a_response_is_an_event() {
    let model =
        server_of(json!([{ "fail": { "kind": "context_too_long", "in_stream": true } }, { "say": "No." }]));
    let events = stream(&model, RESPONSES, &json!({ "model": "m", "input": "Go.", "stream": true })).await;
    let (name, data) = events.last().expect("an end");
    assert_eq!(name.as_deref(), Some("response.failed"));
    assert_eq!(data["response"]["error"]["code"], "context_length_exceeded");
}

#[tokio::test]
async fn a_chat_completion_calls_a_tool_and_then_says_it_is_done() {
    let model = server_of(json!([{ "say": "I look." }, { "run": "ls" }, { "say": "Seen." }]));
    let mut messages = vec![
        json!({ "role": "system", "content": "Be brief." }),
        json!({ "role": "user", "content": "Go." }),
    ];
    let body = |messages: &[Value]| json!({ "model": "m", "messages": messages, "tools": bash() });
    let (_, first) = ask(&model, CHAT, &body(&messages)).await;
    let choice = &first["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &json!("I look."))
    );
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(call["function"], json!({ "name": "bash", "arguments": "{\"command\":\"ls\"}" }));
    messages.push(choice["message"].clone());
    messages.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": "a.txt" }));
    let (_, second) = ask(&model, CHAT, &body(&messages)).await;
    assert_eq!(second["choices"][0]["message"]["content"], "Seen.");
    assert_eq!(second["choices"][0]["finish_reason"], "stop");
    assert!(second["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64() > Some(0));
}

#[tokio::test]
async fn a_chat_completion_streams_its_words_and_its_tokens_if_asked() {
    let model = server_of(json!([{ "usage": { "input": 10, "output": 3 } }, { "say": "Two words." }]));
    let body = json!({
        "model": "m", "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": "Go." }],
    });
    let text = post(&model, CHAT, "k", &body).await.text().await.expect("a body");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let chunks: Vec<Value> = stream(&model, CHAT, &body).await.into_iter().map(|(_, data)| data).collect();
    let said: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "Two words.");
    let last = chunks.last().expect("an end");
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(13)));
}

#[tokio::test]
async fn a_structured_answer_matches_the_schema_or_is_refused() {
    let model = server_of(json!([{ "json": { "ok": true } }]));
    let ask_for = async |required: &str| {
        let schema = json!({ "type": "object", "required": [required] });
        let format = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": schema } });
        let messages = json!([{ "role": "user", "content": "Go." }]);
        ask(&model, CHAT, &json!({ "model": "m", "messages": messages, "response_format": format })).await
    };
    let (status, fitting) = ask_for("ok").await;
    assert_eq!((status, &fitting["choices"][0]["message"]["content"]), (200, &json!("{\"ok\":true}")));
    let (status, other) = ask_for("verdict").await;
    assert_eq!(status, 400);
    assert!(other["error"]["message"].as_str().is_some_and(|text| text.contains("verdict")), "{other}");
}

#[tokio::test]
async fn an_account_at_its_limit_fails_until_it_resets_and_another_one_answers() {
    let model = server(json!([
        { "when": { "key": "^first$" }, "then": [{ "fail": { "kind": "usage_limit", "seconds": 3600, "per": "key" } }, { "say": "1" }] },
        { "then": [{ "say": "2" }] },
    ]));
    let body = json!({ "model": "m", "input": "Go." });
    let refused = post(&model, RESPONSES, "first", &body).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (429, &b"3600"[..]));
    let error = read(refused).await["error"].clone();
    assert_eq!(error["type"], "usage_limit_reached");
    let journal = model.journal();
    assert_eq!(error["resets_at"].as_i64(), Some(journal[0].at_ms / 1000 + 3600));
    let answered = read(post(&model, RESPONSES, "second", &body).await).await;
    assert_eq!(answered["output"][0]["content"][0]["text"], "2");
    assert_eq!(post(&model, RESPONSES, "first", &body).await.status().as_u16(), 429);
}
