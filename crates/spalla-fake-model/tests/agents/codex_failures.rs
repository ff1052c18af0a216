//! `codex exec` when the model fails: how often it asks again, and what it says in the end.

use crate::codex::{exec, items};
use crate::world::{Ended, World};
use serde_json::{Value, json};

fn reason(ended: &Ended) -> String {
    let failed = ended.of_type("turn.failed");
    let reason = failed.first().and_then(|line| line["error"]["message"].as_str());
    reason.unwrap_or_else(|| panic!("it did not fail: {ended:?}")).to_owned()
}

/// Runs Codex against a model that fails, and checks what it says and how often it asked.
async fn fails(fail: Value, words: &str, requests: usize) {
    let world = World::of_acts(json!([{ "fail": fail }, { "say": "Not said." }]));
    let ended = exec(&world, &["Go."]).await;
    assert_eq!(ended.code, Some(1), "{fail}: {ended:?}");
    assert!(reason(&ended).contains(words), "{fail}: {}", reason(&ended));
    assert_eq!(world.asked().len(), requests, "{fail}");
}

#[tokio::test]
async fn codex_at_its_usage_limit_ends_at_once_and_says_when_to_come_again() {
    fails(json!({ "kind": "usage_limit", "retry_after_seconds": 3600 }), "hit your usage limit", 1).await;
}

#[tokio::test]
async fn codex_with_nothing_left_to_pay_with_ends_at_once() {
    fails(json!({ "kind": "quota_exhausted" }), "Quota exceeded.", 1).await;
    fails(json!({ "kind": "quota_exhausted", "in_stream": true }), "Quota exceeded.", 1).await;
}

#[tokio::test]
async fn codex_says_what_the_server_says_of_a_wrong_key_and_a_wrong_request() {
    fails(json!({ "kind": "unauthorized", "message": "who are you" }), "who are you", 2).await;
    fails(json!({ "kind": "bad_request", "message": "what is that" }), "what is that", 1).await;
}

#[tokio::test]
async fn codex_with_too_long_a_conversation_says_so() {
    fails(json!({ "kind": "context_too_long" }), "ran out of room in the model's context window", 1).await;
    let in_stream = json!({ "kind": "context_too_long", "in_stream": true });
    fails(in_stream, "ran out of room in the model's context window", 1).await;
}

#[tokio::test]
async fn codex_at_a_rate_limit_gives_up_without_an_answer() {
    fails(json!({ "kind": "rate_limit" }), "429 Too Many Requests", 1).await;
    fails(json!({ "kind": "rate_limit", "in_stream": true }), "rate limit exceeded", 2).await;
}

#[tokio::test]
async fn codex_asks_an_overloaded_server_once_more() {
    fails(json!({ "kind": "overloaded" }), "at capacity", 2).await;
}

#[tokio::test]
async fn codex_recovers_from_a_server_that_breaks_down_once() {
    let world = World::of_acts(json!([
        { "fail": { "kind": "server_error", "times": 1 } },
        { "write": { "path": "a.txt", "text": "x\n" } },
        { "say": "Recovered." },
    ]));
    let ended = exec(&world, &["Go."]).await;
    assert_eq!((ended.code, world.file("a.txt").as_deref()), (Some(0), Some("x\n")), "{ended:?}");
    assert_eq!(world.answers(), ["fail: ServerError", "write a.txt", "say Recovered."]);
}

#[tokio::test]
async fn codex_takes_up_a_stream_that_was_cut_or_garbled() {
    for fault in ["cut", "garble"] {
        let world = World::of_acts(json!([{ fault: { "times": 1 } }, { "say": "The whole of it is here." }]));
        let ended = exec(&world, &["Go."]).await;
        assert_eq!(ended.code, Some(0), "{fault}: {ended:?}");
        let said = items(&ended, "agent_message");
        assert_eq!(said.last().expect("words")["text"], "The whole of it is here.");
    }
}

#[tokio::test]
async fn codex_gives_up_on_a_stream_that_is_always_cut() {
    let world = World::of_acts(json!([{ "cut": {} }, { "say": "Not to the end." }]));
    let ended = exec(&world, &["Go."]).await;
    assert!(reason(&ended).contains("stream disconnected before completion"), "{ended:?}");
    assert_eq!(world.asked().len(), 2);
}

#[tokio::test]
async fn codex_reads_an_answer_that_comes_in_drops() {
    let world = World::of_acts(json!([
        { "delay_ms": 50 }, { "drip": { "bytes": 100, "every_ms": 1 } }, { "say": "Slow but sure." },
    ]));
    let ended = exec(&world, &["Go."]).await;
    assert_eq!(items(&ended, "agent_message")[0]["text"], "Slow but sure.", "{ended:?}");
}

#[tokio::test]
async fn codex_ends_well_without_a_word_when_the_model_refuses() {
    let world = World::of_acts(json!([{ "refuse": "I can't help with that." }]));
    let ended = exec(&world, &["Go."]).await;
    assert_eq!((ended.code, items(&ended, "agent_message").len()), (Some(0), 0), "{ended:?}");
}
