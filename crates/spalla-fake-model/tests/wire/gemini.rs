//! Generate content, as Gemini's API reference has it.

use crate::world::{ask, server_of, stream};
use serde_json::{Value, json};

const MODEL: &str = "/v1beta/models/gemini-2.5-pro";

fn body(contents: &[Value]) -> Value {
    let parameters = json!({ "type": "object", "properties": { "file_path": {}, "content": {} } });
    json!({
        "contents": contents,
        "tools": [{ "functionDeclarations": [{ "name": "write_file", "parametersJsonSchema": parameters }] }],
    })
}

fn context() -> Value {
    let context = "<session_context>\n- **Workspace Directories:**\n  - /tmp/g\n</session_context>";
    json!({ "role": "user", "parts": [{ "text": context }, { "text": "Go." }] })
}

#[tokio::test]
async fn content_is_streamed_as_events_and_ends_with_a_reason() {
    let model = server_of(
        json!([{ "think": "Hm." }, { "say": "Hi." }, { "usage": { "input": 10, "cached": 4, "output": 5, "reasoning": 2 } }]),
    );
    let events = stream(&model, &format!("{MODEL}:streamGenerateContent?alt=sse"), &body(&[context()])).await;
    let parts: Vec<&Value> =
        events.iter().map(|(_, data)| &data["candidates"][0]["content"]["parts"][0]).collect();
    assert_eq!(parts, [&json!({ "text": "Hm.", "thought": true }), &json!({ "text": "Hi." })]);
    let reasons: Vec<&Value> =
        events.iter().map(|(_, data)| &data["candidates"][0]["finishReason"]).collect();
    assert_eq!(reasons, [&Value::Null, &json!("STOP")]);
    let usage = &events.last().expect("an end").1["usageMetadata"];
    let counted =
        ["promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount", "thoughtsTokenCount"]
            .map(|name| &usage[name]);
    assert_eq!(counted, [10, 4, 3, 2]);
}

#[tokio::test]
async fn a_function_is_called_and_its_response_leads_on() {
    let model = server_of(json!([{ "write": { "path": "a.txt", "text": "x" } }, { "say": "Done." }]));
    let path = format!("{MODEL}:generateContent");
    let mut contents = vec![context()];
    let (_, first) = ask(&model, &path, &body(&contents)).await;
    let answer = first["candidates"][0]["content"].clone();
    let call = answer["parts"][0]["functionCall"].clone();
    assert_eq!(call["args"], json!({ "file_path": "/tmp/g/a.txt", "content": "x" }));
    contents.push(answer);
    let response = json!({ "id": call["id"], "name": call["name"], "response": { "output": "ok" } });
    contents.push(json!({ "role": "user", "parts": [{ "functionResponse": response }] }));
    let (_, second) = ask(&model, &path, &body(&contents)).await;
    assert_eq!(second["candidates"][0]["content"]["parts"][0]["text"], "Done.");
    assert_eq!(model.journal()[1].results, ["ok"]);
}

#[tokio::test]
async fn a_stream_that_is_not_asked_for_as_events_is_a_list() {
    let model = server_of(json!([{ "think": "Hm." }, { "say": "Hi." }]));
    let (status, list) = ask(&model, &format!("{MODEL}:streamGenerateContent"), &body(&[context()])).await;
    assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(2)), "{list}");
}

#[tokio::test]
async fn a_schema_with_types_in_capitals_is_understood() {
    let model = server_of(json!([{ "json": { "ok": true } }]));
    let mut wanted = body(&[context()]);
    let schema =
        json!({ "type": "OBJECT", "properties": { "ok": { "type": "BOOLEAN" } }, "required": ["ok"] });
    wanted["generationConfig"] = json!({ "responseMimeType": "application/json", "responseSchema": schema });
    let (_, answer) = ask(&model, &format!("{MODEL}:generateContent"), &wanted).await;
    assert_eq!(answer["candidates"][0]["content"]["parts"][0]["text"], "{\"ok\":true}", "{answer}");
}

#[tokio::test]
async fn tokens_are_counted_and_models_listed() {
    let model = server_of(json!([{ "say": "Never asked." }]));
    let (_, counted) = ask(&model, &format!("{MODEL}:countTokens"), &body(&[context()])).await;
    assert!(counted["totalTokens"].as_u64() > Some(0), "{counted}");
    let listed = reqwest::get(format!("{}/v1beta/models", model.url())).await.expect("a response");
    let listed = crate::world::read(listed).await;
    assert_eq!(listed["models"][0]["name"], "models/gemini-2.5-pro");
}
