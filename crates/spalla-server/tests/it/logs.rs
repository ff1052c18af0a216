//! The log of a run.

use crate::answer::Answer;
use crate::world::World;
use serde_json::{Value, json};

async fn append(world: &World, run: i64, token: i64, kind: &str, body: impl Into<String>) -> Answer {
    let request = world.request("POST", &format!("/work-items/runs/{run}/logs"));
    let request = request.header("x-fencing-token", token).header("content-type", kind).body(body.into());
    world.send(request).await
}

async fn text(world: &World, run: i64, query: &str) -> String {
    let answer = world.get(&format!("/work-items/runs/{run}/logs?{query}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"));
    answer.text
}

#[tokio::test]
async fn lines_come_back_in_order_after_the_line_that_tells_of_the_start() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let kept = append(&world, run, token, "text/plain", "one\r\ntwo\n\nfour").await.json(200);
    assert_eq!(kept, json!({"run_id": run, "next_seq": 5}));
    let line = json!({"at": "2023-11-14T22:13:21Z", "stream": "stderr", "step": 2, "text": "fünf"});
    append(&world, run, token, "application/x-ndjson", format!("{line}\n{}\n", json!({"text": "six"})))
        .await
        .json(200);
    let expected = "Starting run 1 of work item 1 (attempt 1)\none\ntwo\n\nfour\nfünf\nsix\n";
    assert_eq!(text(&world, run, "").await, expected);
    let lines = world.get(&format!("/work-items/runs/{run}/logs?format=json")).await.json(200);
    let seqs: Vec<_> = lines.as_array().unwrap().iter().map(|line| line["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4, 5, 6]);
    let fifth =
        json!({"seq": 5, "at": "2023-11-14T22:13:21.000Z", "stream": "stderr", "step": 2, "text": "fünf"});
    assert_eq!(lines[5], fifth);
}

#[tokio::test]
async fn lines_are_chosen_by_text_stream_offset_and_limit_in_both_formats() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let line = |n: usize| json!({"text": format!("Line {n}"), "stream": if n.is_multiple_of(2) { "stderr" } else { "stdout" }});
    let body: String = (1..=10).map(|n| format!("{}\n", line(n))).collect();
    append(&world, run, token, "application/x-ndjson", body).await.json(200);
    assert_eq!(text(&world, run, "q=LINE%201").await, "Line 1\nLine 10\n");
    assert_eq!(text(&world, run, "stream=stderr&offset=1&limit=2").await, "Line 4\nLine 6\n");
    assert_eq!(text(&world, run, "q=nothing").await, "");
    let lines = world
        .get(&format!("/work-items/runs/{run}/logs?format=json&q=line&limit=1&offset=9"))
        .await
        .json(200);
    assert_eq!(lines[0]["text"], "Line 10");
    assert_eq!(
        world.get(&format!("/work-items/runs/{run}/logs?format=json&q=nothing")).await.json(200),
        json!([])
    );
    for (query, path) in
        [("limit=0", "limit"), ("format=xml", "format"), ("stream=x", "stream"), ("odd=1", "odd")]
    {
        assert_eq!(world.get(&format!("/work-items/runs/{run}/logs?{query}")).await.invalid(), [path]);
    }
}

#[tokio::test]
async fn a_log_of_many_pages_is_whole_in_both_formats() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let body: String = (1..=5_000).map(|n| format!("line {n}\n")).collect();
    append(&world, run, token, "text/plain", body.clone()).await.json(200);
    assert_eq!(text(&world, run, "offset=1").await, body);
    assert_eq!(text(&world, run, "limit=4000&offset=1").await.lines().count(), 4_000);
    let lines = world.get(&format!("/work-items/runs/{run}/logs?format=json")).await.json(200);
    let texts: String = lines
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|l| format!("{}\n", l["text"].as_str().unwrap()))
        .collect();
    assert_eq!(texts, body);
}

#[tokio::test]
async fn numbered_lines_that_come_again_are_dropped_and_a_gap_is_refused() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let send = async |first: i64, body: &'static str| {
        let request = world.request("POST", &format!("/work-items/runs/{run}/logs"));
        let request = request.header("x-fencing-token", token).header("x-first-seq", first);
        world.send(request.header("content-type", "text/plain").body(body)).await
    };
    assert_eq!(send(1, "a\nb\n").await.json(200)["next_seq"], 3);
    assert_eq!(send(1, "a\nb\nc\n").await.json(200)["next_seq"], 4);
    send(9, "x\n").await.problem(409, "log_gap");
    assert_eq!(text(&world, run, "offset=1").await, "a\nb\nc\n");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_shown_and_a_line_that_is_too_long_is_cut() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let request = world.request("POST", &format!("/work-items/runs/{run}/logs"));
    let request = request.header("x-fencing-token", token).header("content-type", "text/plain");
    world.send(request.body(b"caf\xe9\n".to_vec())).await.json(200);
    append(&world, run, token, "text/plain", "x".repeat(70_000)).await.json(200);
    let log = text(&world, run, "offset=1").await;
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[0], "caf\\xE9");
    assert!(lines[1].len() <= 65_536 && lines[1].ends_with("[cut: the line had 70000 bytes]"));
}

#[tokio::test]
async fn a_reader_goes_on_from_the_number_where_it_stopped() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    append(&world, run, token, "text/plain", "a1\nb2\na3\nb4\n").await.json(200);
    assert_eq!(text(&world, run, "from=3").await, "a3\nb4\n");
    assert_eq!(text(&world, run, "from=2&q=a").await, "a3\n");
    assert_eq!(text(&world, run, "from=9").await, "");
    assert_eq!(text(&world, run, "from=1&offset=2&limit=1").await, "a3\n");
}

#[tokio::test]
async fn a_log_of_many_pages_comes_whole_and_in_order() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let short: String = (1..=5_000).map(|n| format!("{n}\n")).collect();
    let long: String = (1..=60).map(|n| format!("{n}{}\n", "x".repeat(60_000))).collect();
    append(&world, run, token, "text/plain", short.clone()).await.json(200);
    append(&world, run, token, "text/plain", long.clone()).await.json(200);
    assert!(text(&world, run, "from=1").await == format!("{short}{long}"));
    let lines: Value = world.get(&format!("/work-items/runs/{run}/logs?format=json")).await.json(200);
    let numbers: Vec<i64> =
        lines.as_array().unwrap().iter().filter_map(|line| line["seq"].as_i64()).collect();
    assert_eq!(numbers, (0..=5_060).collect::<Vec<_>>());
}

#[tokio::test]
async fn lines_under_a_stale_token_are_refused() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    world.clock.advance(300_000);
    world.post(&format!("/work-items/runs/{run}/claim"), json!({"worker_id": "w2"})).await.json(200);
    append(&world, run, token, "text/plain", "late").await.problem(409, "stale_token");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_place() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/logs");
    let no_token = world.request("POST", &path).header("content-type", "text/plain").body("x");
    assert_eq!(world.send(no_token).await.invalid(), ["X-Fencing-Token"]);
    let bad_token =
        world.request("POST", &path).header("x-fencing-token", "x").header("content-type", "text/plain");
    assert_eq!(world.send(bad_token.body("x")).await.invalid(), ["X-Fencing-Token"]);
    append(&world, run, token, "application/json", "{}").await.problem(415, "unsupported_media_type");
    append(&world, run, token, "application/x-ndjson", "{\"text\": 1}").await.problem(422, "invalid");
    let broken = append(&world, run, token, "application/x-ndjson", "{\"text\":\"a\"}\n{\"text\"").await;
    assert_eq!(broken.problem(400, "malformed_json")["errors"][0]["line"], 2);
    assert_eq!(text(&world, run, "offset=1").await, "", "a batch is kept as a whole or not at all");
}

#[tokio::test]
async fn a_batch_may_have_eight_mebibytes() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let line = format!("{}\n", "x".repeat(1_023));
    append(&world, run, token, "text/plain", line.repeat(8 * 1_024)).await.json(200);
    append(&world, run, token, "text/plain", line.repeat(8 * 1_024 + 1))
        .await
        .problem(413, "payload_too_large");
}

#[tokio::test]
async fn the_log_of_a_run_without_lines_tells_of_its_start() {
    let world = World::start().await;
    let run = world.pending_run(json!({})).await;
    assert_eq!(text(&world, run, "").await, "Starting run 1 of work item 1 (attempt 1)\n");
    let lines: Value = world.get(&format!("/work-items/runs/{run}/logs?format=json")).await.json(200);
    assert_eq!((&lines[0]["seq"], &lines[0]["stream"]), (&json!(0), &json!("system")));
}

#[tokio::test]
async fn a_batch_may_have_eight_mebibytes_and_says_what_it_is() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let line = format!("{}\n", "x".repeat(1_023));
    let kept =
        append(&world, run, token, "text/plain; charset=utf-8", line.repeat(8 * 1_024)).await.json(200);
    assert_eq!(kept["next_seq"], 8 * 1_024 + 1);
    let over = append(&world, run, token, "text/plain", line.repeat(8 * 1_024) + "x").await;
    over.problem(413, "payload_too_large");
    for kind in ["application/json", "application/octet-stream", "text/html", "text/plain; charset=latin1"] {
        append(&world, run, token, kind, "x").await.problem(415, "unsupported_media_type");
    }
    let unnamed =
        world.request("POST", &format!("/work-items/runs/{run}/logs")).header("x-fencing-token", token);
    world.send(unnamed.body("x")).await.problem(415, "unsupported_media_type");
}
