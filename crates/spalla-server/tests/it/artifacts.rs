//! Artifacts: files in from the holder of a run or a person, and out again as they were.

use crate::answer::Answer;
use crate::world::World;
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};
use spalla_domain::artifact::ARTIFACT_BYTES_MAX;

const SECRET: &str = "hunter2-very-secret";

fn put(world: &World, run: i64, path: &str, token: Option<i64>) -> RequestBuilder {
    let request = world.request("PUT", &format!("/work-items/runs/{run}/artifacts/{path}"));
    match token {
        Some(token) => request.header("x-fencing-token", token),
        None => request,
    }
}

async fn get(world: &World, run: i64, path: &str) -> Answer {
    world.get(&format!("/work-items/runs/{run}/artifacts/{path}")).await
}

/// Returns bytes that no compression would hide a mistake in.
fn noise(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_large_file_comes_out_as_it_went_in() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        let bytes = noise(3 * 1024 * 1024 + 17);
        // Sent piece by piece, without saying how much it is.
        let pieces: Vec<_> =
            bytes.chunks(100_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
        let body = Body::wrap_stream(futures_util::stream::iter(pieces));
        let request = put(&world, run, "dist/app.tar.gz", Some(token)).body(body);
        let kept = world.send(request).await.json(201);
        let expected = json!({
            "id": 1, "run_id": run, "path": "dist/app.tar.gz", "media_type": "application/gzip",
            "bytes": bytes.len(), "sha256": sha256(&bytes), "stored_at": "2023-11-14T22:13:20.000Z",
        });
        assert_eq!(kept, expected);
        let request = world.request("GET", &format!("/work-items/runs/{run}/artifacts/dist/app.tar.gz"));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-length"], bytes.len().to_string().as_str());
        assert_eq!(response.bytes().await.unwrap(), bytes);
        let listed = world.get(&format!("/work-items/runs/{run}/artifacts?count=true")).await;
        assert_eq!((listed.header("x-total-count"), listed.json(200)), ("1", json!([expected])));
    }
}

#[tokio::test]
async fn a_file_is_served_to_be_saved_and_never_as_a_page() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let page = "<script>alert(1)</script>";
    let request = put(&world, run, "a%2Fpage.html", Some(token)).header("content-type", "text/html; x=1");
    let kept = world.send(request.body(page)).await.json(201);
    assert_eq!((&kept["path"], &kept["media_type"]), (&json!("a/page.html"), &json!("text/html; x=1")));
    for path in ["a/page.html", "a/page.html/"] {
        let answer = get(&world, run, path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, page));
        assert_eq!(answer.header("content-type"), "text/html; x=1");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
        let disposition = "attachment; filename=\"page.html\"; filename*=UTF-8''page.html";
        assert_eq!(answer.header("content-disposition"), disposition);
        assert_eq!(answer.header("etag"), format!("\"{}\"", sha256(page.as_bytes())));
    }
    let path = format!("/work-items/runs/{run}/artifacts/a/page.html");
    let asked = world.request("GET", &path).header("if-none-match", kept["sha256"].to_string());
    assert_eq!(world.send(asked).await.status, 304);
    let head = world.send(world.request("HEAD", &path)).await;
    assert_eq!((head.status, head.header("content-length")), (200, page.len().to_string().as_str()));
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let long = "x".repeat(256);
    for path in ["..%2Fa", "a%2F..", "a//b", "%2Fa", "a%5Cb", "a%0Ab", "a%00", "a%2F.", "a%FF", &long] {
        let answer = world.send(put(&world, run, path, Some(token)).body("x")).await;
        assert_eq!(answer.invalid(), ["path"], "{path}");
        assert_eq!(get(&world, run, path).await.invalid(), ["path"], "{path}");
    }
    get(&world, run, "none").await.problem(404, "not_found");
    get(&world, 99, "none").await.problem(404, "not_found");
    world.get("/work-items/runs/99/artifacts").await.problem(404, "not_found");
    world.send(put(&world, 99, "a", None).body("x")).await.problem(404, "not_found");
}

#[tokio::test]
async fn the_holder_replaces_what_it_kept_and_an_old_token_keeps_nothing() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        world.send(put(&world, run, "a", None).body("x")).await.problem(409, "lease_held");
        world.send(put(&world, run, "a", Some(token + 1)).body("x")).await.problem(409, "stale_token");
        world.send(put(&world, run, "a", Some(token)).body("one")).await.json(201);
        let replaced = world.send(put(&world, run, "a", Some(token)).body(noise(700_000))).await.json(200);
        assert_eq!(replaced["bytes"], 700_000);
        let late = put(&world, run, "a", Some(token + 1)).body(noise(7_000_000));
        world.send(late).await.problem(409, "stale_token");
        world.complete(run, token).await;
        world.send(put(&world, run, "a", Some(token)).body("x")).await.problem(409, "run_ended");
        world.send(put(&world, run, "b", None).body("by hand")).await.json(201);
        assert_eq!(get(&world, run, "b").await.text, "by hand");
        let paths = world.get(&format!("/work-items/runs/{run}/artifacts")).await.json(200);
        assert_eq!(
            [&paths[0]["path"], &paths[1]["path"], &paths[2]],
            [&json!("b"), &json!("a"), &Value::Null]
        );
        let events = world.store.read().events(Default::default(), 1_000).await.unwrap();
        let kept = events.iter().filter(|event| event.run_id.is_some_and(|id| id.0 == run));
        let kept = kept.filter(|event| format!("{:?}", event.fact).starts_with("ArtifactStored"));
        assert_eq!(kept.count(), 3);
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_and_nothing_of_it_stays() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let piece = vec![0_u8; 1024 * 1024];
    let count = ARTIFACT_BYTES_MAX / piece.len() as u64 + 1;
    let pieces = futures_util::stream::iter((0..count).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let request = put(&world, run, "a", Some(token)).body(Body::wrap_stream(pieces));
    world.send(request).await.problem(413, "artifact_too_large");
    assert_eq!(world.get(&format!("/work-items/runs/{run}/artifacts")).await.json(200), json!([]));
    assert!(world.store.read().artifact_chunk(spalla_domain::ArtifactId(1), 0).await.unwrap().is_none());
    let line = format!("PUT /work-items/runs/{run}/artifacts/a HTTP/1.1");
    let length = format!("content-length: {}", ARTIFACT_BYTES_MAX + 1);
    let token = format!("x-fencing-token: {token}");
    let spoken =
        crate::raw::head(&world, &[&line, "host: {host}", &token, &length, "expect: 100-continue"]).await;
    assert_eq!(crate::raw::status(&spoken), 413, "{spoken}");
}

#[tokio::test]
async fn what_was_answered_is_masked_in_texts_and_other_files_are_kept_as_they_are() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        let ask =
            json!({"reason": "r", "fields": [{"name": "PASSWORD", "secret": true}], "fencing_token": token});
        world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
        let answer = json!({"values": {"PASSWORD": SECRET}});
        world.post("/work-items/runs/info-requests/1/respond", answer).await.json(200);
        // The secret lies across the border between two parts.
        let text = format!("{}{SECRET}\n", "x".repeat(256 * 1024 - 5));
        let kept = world.send(put(&world, run, "report.txt", Some(token)).body(text)).await.json(201);
        let shown = get(&world, run, "report.txt").await.text;
        assert!(shown.ends_with("x[redacted:PASSWORD]\n") && !shown.contains("hunter2"));
        assert_eq!(kept["sha256"], sha256(shown.as_bytes()));
        let binary = [&[0xff, 0xfe], SECRET.as_bytes()].concat();
        world.send(put(&world, run, "core", Some(token)).body(binary.clone())).await.json(201);
        let request = world.request("GET", &format!("/work-items/runs/{run}/artifacts/core"));
        assert_eq!(request.send().await.unwrap().bytes().await.unwrap(), binary);
    }
}

#[tokio::test]
async fn a_file_that_is_sent_twice_under_one_key_is_kept_once() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        let send = |bytes: Vec<u8>| {
            world.send(put(&world, run, "a", Some(token)).header("idempotency-key", "k").body(bytes))
        };
        let first = send(noise(600_000)).await.json(201);
        assert_eq!(send(noise(600_000)).await.json(200), first);
        send(noise(600_001)).await.problem(422, "idempotency_key_reused");
        let request = world.request("GET", &format!("/work-items/runs/{run}/artifacts/a"));
        assert_eq!(request.send().await.unwrap().bytes().await.unwrap(), noise(600_000));
        for upload in 2..5 {
            let left = world.store.read().artifact_chunk(spalla_domain::ArtifactId(upload), 0);
            assert_eq!(left.await.unwrap(), None);
        }
    }
}
