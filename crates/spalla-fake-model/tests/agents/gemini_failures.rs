//! `gemini` when the model fails: how often it asks again, and what it says in the end.

use crate::gemini::prompt;
use crate::world::World;
use serde_json::{Value, json};

/// Runs the Gemini CLI against a model that fails, and checks what it says, how it ends and how often it asked.
async fn fails(fail: Value, words: &str, code: i32, requests: usize) {
    let world = World::of_acts(json!([{ "fail": fail }, { "say": "Not said." }]));
    let ended = prompt(&world, &["-p", "Go."]).await;
    let result = ended.of_type("result");
    let told = result.first().map(|line| line["error"].to_string()).unwrap_or_default();
    assert_eq!(ended.code, Some(code), "{fail}: {ended:?}");
    assert!(told.contains(words), "{fail}: {told} {}", ended.stderr);
    assert_eq!(world.asked().len(), requests, "{fail}: {:?}", world.answers());
}

#[tokio::test]
async fn gemini_ends_with_the_status_of_what_asking_again_would_not_mend() {
    fails(json!({ "kind": "bad_request", "message": "what is that" }), "what is that", 144, 1).await;
    fails(json!({ "kind": "unauthorized", "message": "who are you" }), "who are you", 145, 1).await;
}

#[tokio::test]
async fn gemini_asks_a_server_in_trouble_once_more() {
    fails(json!({ "kind": "server_error", "message": "it broke" }), "it broke", 244, 2).await;
}

#[tokio::test]
async fn gemini_waits_out_a_rate_limit_of_a_minute_window() {
    let world = World::of_acts(json!([
        { "fail": { "kind": "rate_limit", "retry_after_seconds": 1, "times": 1 } },
        { "write": { "path": "a.txt", "text": "x\n" } },
        { "say": "Recovered." },
    ]));
    let ended = prompt(&world, &["-p", "Go."]).await;
    assert_eq!((ended.code, world.file("a.txt").as_deref()), (Some(0), Some("x\n")), "{ended:?}");
    let asked = world.asked();
    assert_eq!(world.answers(), ["fail: RateLimit", "write a.txt", "say Recovered."]);
    assert!(asked[1].at_ms - asked[0].at_ms >= 1000, "{asked:?}");
}

#[tokio::test]
async fn gemini_does_not_wait_for_the_next_day() {
    fails(json!({ "kind": "quota_exhausted" }), "daily quota", 173, 1).await;
}

#[tokio::test]
async fn gemini_ends_with_an_error_where_a_stream_was_cut() {
    let world = World::of_acts(json!([{ "cut": {} }, { "say": "Not to the end." }]));
    let ended = prompt(&world, &["-p", "Go."]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.of_type("result")[0]["status"], "error");
}
