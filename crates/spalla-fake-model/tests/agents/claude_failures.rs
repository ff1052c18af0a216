//! `claude --print` when the model fails: how often it asks again, and what it says in the end.

use crate::claude::{print, result};
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Runs Claude Code against a model that fails, and checks what it says and how often it asked.
async fn fails(fail: Value, words: &str, requests: usize) {
    let world = World::of_acts(json!([{ "fail": fail }, { "say": "Not said." }]));
    let ended = print(&world, &["Go."]).await;
    let result = result(&ended);
    assert_eq!((ended.code, &result["is_error"]), (Some(1), &json!(true)), "{fail}: {result}");
    assert!(result["result"].as_str().is_some_and(|said| said.contains(words)), "{fail}: {result}");
    assert_eq!(world.asked().len(), requests, "{fail}: {:?}", world.answers());
}

#[tokio::test]
async fn claude_asks_a_server_in_trouble_once_more() {
    fails(json!({ "kind": "server_error", "message": "it broke" }), "API Error: 500 it broke", 2).await;
    fails(json!({ "kind": "overloaded" }), "API Error: 529 Overloaded", 2).await;
}

#[tokio::test]
async fn claude_waits_out_a_short_rate_limit_and_gives_up_at_a_long_one() {
    let short = json!({ "kind": "rate_limit", "retry_after_seconds": 1, "message": "slow down" });
    fails(short, "Request rejected (429) · slow down", 2).await;
    fails(json!({ "kind": "usage_limit" }), "Request rejected (429)", 1).await;
}

#[tokio::test]
async fn claude_says_what_asking_again_would_not_mend() {
    fails(json!({ "kind": "unauthorized", "message": "who are you" }), "API Error: 401 who are you", 2).await;
    fails(json!({ "kind": "quota_exhausted" }), "Credit balance is too low", 1).await;
    fails(json!({ "kind": "context_too_long" }), "Prompt is too long", 1).await;
}

#[tokio::test]
async fn claude_leaves_out_what_may_be_wrong_with_a_request_before_it_says_so() {
    let world = World::of_acts(json!([{ "fail": { "kind": "bad_request", "message": "what is that" } }]));
    let ended = print(&world, &["Go."]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = result(&ended)["result"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains("API Error: 400 what is that"), "{told}");
    let digests: BTreeSet<String> = world.asked().into_iter().map(|entry| entry.digest).collect();
    assert!(digests.len() > 1, "{:?}", world.asked());
}

#[tokio::test]
async fn claude_recovers_from_a_server_that_breaks_down_once() {
    let world = World::of_acts(json!([
        { "fail": { "kind": "overloaded", "times": 1 } },
        { "write": { "path": "a.txt", "text": "x\n" } },
        { "say": "Recovered." },
    ]));
    let ended = print(&world, &["Go."]).await;
    assert_eq!((ended.code, world.file("a.txt").as_deref()), (Some(0), Some("x\n")), "{ended:?}");
    assert_eq!(world.answers(), ["fail: Overloaded", "write a.txt", "say Recovered."]);
    let retry = ended.lines().into_iter().find(|line| line["subtype"] == "api_retry").expect("a notice");
    assert_eq!((&retry["error_status"], &retry["error"]), (&json!(529), &json!("overloaded")));
}

#[tokio::test]
async fn claude_asks_again_where_a_stream_was_cut_or_ended_in_an_error() {
    let faults = [
        json!({ "cut": { "times": 1 } }),
        json!({ "fail": { "kind": "overloaded", "in_stream": true, "times": 1 } }),
    ];
    for fault in faults {
        let world = World::of_acts(json!([fault, { "say": "The whole of it." }]));
        let ended = print(&world, &["Go."]).await;
        assert_eq!(result(&ended)["result"], "The whole of it.", "{fault}: {ended:?}");
    }
}

#[tokio::test]
async fn claude_says_that_the_model_refused() {
    let world = World::of_acts(json!([{ "refuse": "No." }]));
    let ended = print(&world, &["Go."]).await;
    let result = result(&ended);
    assert_eq!((ended.code, &result["stop_reason"]), (Some(1), &json!("refusal")), "{result}");
}
