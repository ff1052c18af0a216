//! What goes wrong on the wire, as a client meets it.

use crate::world::{ask, post, server, server_of};
use serde_json::{Value, json};
use spalla_fake_model::FakeModel;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn body() -> Value {
    json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "Go." }] })
}

async fn chunks(model: &FakeModel) -> (Vec<String>, bool) {
    let mut response = post(model, "/v1/chat/completions", "k", &body()).await;
    assert_eq!(response.status().as_u16(), 200);
    let mut chunks = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => chunks.push(String::from_utf8_lossy(&chunk).into_owned()),
            Ok(None) => return (chunks, true),
            Err(_) => return (chunks, false),
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_begins_well_and_breaks_off() {
    let model = server_of(json!([{ "cut": { "times": 1 } }, { "say": "One two three four." }]));
    let (chunks, is_whole) = chunks(&model).await;
    let text = chunks.concat();
    assert!(text.contains("One ") && !text.contains("four.") && !text.contains("[DONE]"), "{text}");
    assert!(!is_whole);
    let (again, is_whole) = self::chunks(&model).await;
    assert!(is_whole && again.concat().contains("[DONE]"));
}

#[tokio::test]
async fn a_garbled_stream_ends_well_and_has_an_event_that_is_no_json() {
    let model = server_of(json!([{ "garble": {} }, { "say": "One two three four." }]));
    let (chunks, is_whole) = chunks(&model).await;
    let text = chunks.concat();
    let events = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let broken =
        events.filter(|data| *data != "[DONE]" && serde_json::from_str::<Value>(data).is_err()).count();
    assert_eq!((broken, is_whole), (1, true), "{text}");
}

#[tokio::test]
async fn a_dripping_stream_comes_in_pieces() {
    let model = server_of(json!([{ "drip": { "bytes": 50, "every_ms": 2 } }, { "say": "One two." }]));
    let (chunks, is_whole) = chunks(&model).await;
    assert!(is_whole && chunks.len() > 2, "{chunks:?}");
    assert!(chunks.concat().ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_silent_server_answers_others_meanwhile_and_its_end_ends_the_silence() {
    let model = server(json!([
        { "when": { "user": "Go" }, "then": [{ "hang": {} }, { "say": "Never said." }] },
        { "then": [{ "say": "Here." }] },
    ]));
    let url = format!("{}/v1/chat/completions", model.url());
    let waiting = tokio::spawn(reqwest::Client::new().post(url).body(body().to_string()).send());
    let seen = tokio::task::spawn_blocking(move || {
        let seen = model.wait_for(LIMIT, |entries| entries.iter().any(|entry| entry.answer.contains("hang")));
        (seen, model)
    });
    let (seen, model) = seen.await.expect("an answer");
    assert!(seen);
    let other = json!({ "model": "m", "messages": [{ "role": "user", "content": "Are you there?" }] });
    let (status, _) = ask(&model, "/v1/chat/completions", &other).await;
    assert_eq!(status, 200);
    assert!(!waiting.is_finished());
    drop(model);
    assert!(waiting.await.expect("an end").is_err());
}

#[tokio::test]
async fn a_stream_that_falls_silent_midway_has_begun() {
    let model = server_of(json!([{ "hang": { "midway": true } }, { "say": "One two three four." }]));
    let mut response = post(&model, "/v1/chat/completions", "k", &body()).await;
    let mut text = String::new();
    while !text.contains("One ") {
        let chunk = tokio::time::timeout(LIMIT, response.chunk()).await.expect("in time").expect("whole");
        text.push_str(&String::from_utf8_lossy(&chunk.expect("more")));
    }
    assert!(!text.contains("four."));
}
