//! How many requests a client may make.

use crate::world::{Setup, TOKEN, World};
use serde_json::json;
use spalla_server::{Access, Token};

async fn limited(per_minute: u32) -> World {
    let access = Access::Token(Token::new(TOKEN));
    World::with(Setup { access, rate_limit_per_minute: per_minute, ..Setup::default() }).await
}

/// What the document needs is counted too: each world asks for it once at most.
async fn warm(world: &World) {
    crate::answer::document(world).await;
    world.clock.advance(60_000);
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let world = limited(3).await;
    warm(&world).await;
    for remaining in ["2", "1", "0"] {
        let answer = world.get("/projects/").await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, "3"));
        assert_eq!(answer.header("x-ratelimit-remaining"), remaining);
        world.clock.advance(10_000);
    }
    let refused = world.get("/projects/").await;
    refused.problem(429, "rate_limited");
    assert_eq!((refused.header("retry-after"), refused.header("x-ratelimit-remaining")), ("30", "0"));
    // Another client is not held up: who has no token is counted by address.
    assert_eq!(world.send(world.bare("GET", "/health")).await.header("x-ratelimit-remaining"), "2");
    world.clock.advance(30_000);
    assert_eq!(world.get("/projects/").await.header("x-ratelimit-remaining"), "0");
    world.get("/projects/").await.problem(429, "rate_limited");
}

#[tokio::test]
async fn what_a_worker_sends_all_the_time_is_not_counted() {
    let world = limited(5).await;
    warm(&world).await;
    let (run, token) = world.claimed_run(json!({})).await;
    assert_eq!(world.get("/health").await.header("x-ratelimit-remaining"), "0");
    for _ in 0..3 {
        let claim = world.post("/scheduler/claim", json!({"worker_id": "w"})).await;
        assert_eq!((claim.status, claim.header("x-ratelimit-remaining")), (200, "0"));
        world.post("/scheduler/exchange", json!({"worker_id": "w"})).await.json(200);
        let beat = json!({"worker_id": "w1", "fencing_token": token});
        world.post(&format!("/work-items/runs/{run}/heartbeat"), beat).await.json(200);
        let logs = world.request("POST", &format!("/work-items/runs/{run}/logs/"));
        let logs = logs.header("x-fencing-token", token).header("content-type", "text/plain").body("x");
        world.send(logs).await.json(200);
    }
    world.get(&format!("/work-items/runs/{run}/logs")).await.problem(429, "rate_limited");
}

#[tokio::test]
async fn guessing_tokens_is_counted_and_every_answer_says_where_one_stands() {
    let world = limited(2).await;
    warm(&world).await;
    let guess = || world.bare("GET", "/projects/").bearer_auth("wrong");
    for expected in ["1", "0"] {
        let answer = world.send(guess()).await;
        answer.problem(401, "unauthorized");
        assert_eq!(answer.header("x-ratelimit-remaining"), expected);
    }
    world.send(guess()).await.problem(429, "rate_limited");
    let foreign = world.send(world.bare("GET", "/projects/").header("origin", "http://evil.example")).await;
    foreign.problem(403, "foreign_origin");
    assert_eq!(foreign.header("x-ratelimit-limit"), "2");
    assert_eq!(world.get("/nothing").await.header("x-ratelimit-remaining"), "1");
}

#[tokio::test]
async fn without_a_limit_nothing_is_said_of_one() {
    let world = World::start().await;
    let answer = world.get("/projects/").await;
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), ("", ""));
}

/// Shows a token that is like one and opens nothing.
async fn guess(world: &World, client: &reqwest::Client, number: u64) -> (u16, Option<String>) {
    let request = client.get(world.url("/projects/")).bearer_auth(format!("spl_1_{number:064x}"));
    let answer = request.send().await.unwrap();
    let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
    (answer.status().as_u16(), wait)
}

#[tokio::test]
async fn a_flood_of_wrong_tokens_is_told_to_wait_and_holds_nobody_else_up() {
    let world = limited(0).await;
    let made = world.post("/tokens", json!({"name": "ada", "role": "viewer"})).await.json(201);
    let viewer = || world.bare("GET", "/projects/").bearer_auth(made["token"].as_str().unwrap());
    world.send(viewer()).await.json(200);
    let from = |address: &str| {
        let client = reqwest::Client::builder().no_proxy();
        client.local_address(address.parse::<std::net::IpAddr>().unwrap()).build().unwrap()
    };
    let (flood, other) = (from("127.0.0.1"), from("127.0.0.2"));
    for number in 0..100 {
        assert_eq!(guess(&world, &flood, number).await, (401, None));
    }
    assert_eq!(guess(&world, &flood, 100).await, (429, Some("60".to_owned())));
    assert_eq!(guess(&world, &other, 100).await, (401, None));
    world.send(viewer()).await.json(200);
    world.get("/projects/").await.json(200);
    world.send(world.bare("GET", "/projects/").bearer_auth("wrong")).await.problem(401, "unauthorized");
    world.send(world.bare("GET", "/health")).await.json(200);
    world.clock.advance(60_000);
    assert_eq!(guess(&world, &flood, 101).await, (401, None));
}
