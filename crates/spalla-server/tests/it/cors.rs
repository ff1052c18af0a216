//! Foreign pages that may call this server.

use crate::world::{CODE, Setup, TOKEN, World};
use serde_json::json;
use spalla_server::{Access, Cors, Token};

const PAGE: &str = "https://app.example";

async fn world(cors: &str) -> World {
    let access = Access::Token(Token::new(TOKEN));
    let cors = Cors::parse(cors).unwrap();
    World::with(Setup { access, cors, ..Setup::default() }).await
}

#[tokio::test]
async fn a_listed_page_may_call_with_a_token_and_read_the_answer() {
    let world = world(&format!("http://localhost:5173,{PAGE}")).await;
    let ask = world.bare("OPTIONS", "/projects/").header("origin", PAGE);
    let ask = ask.header("access-control-request-method", "POST");
    let ask = ask.header("access-control-request-headers", "authorization,content-type,idempotency-key");
    let allowed = world.send(ask).await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, PAGE));
    assert!(allowed.header("access-control-allow-headers").contains("idempotency-key"));
    assert!(allowed.header("access-control-allow-methods").contains("DELETE"));
    assert_eq!(allowed.header("access-control-allow-credentials"), "");

    let post =
        world.request("POST", "/projects/").header("origin", PAGE).header("sec-fetch-site", "cross-site");
    let made = world.send(post.json(&json!({"name": "a"}))).await;
    made.json(201);
    assert_eq!(made.header("access-control-allow-origin"), PAGE);
    assert!(made.header("access-control-expose-headers").contains("x-request-id"));
    assert!(made.header("vary").to_lowercase().contains("origin"));

    let shut = world.send(world.bare("GET", "/projects/").header("origin", PAGE)).await;
    shut.problem(401, "unauthorized");
    assert_eq!(shut.header("access-control-allow-origin"), PAGE);
}

#[tokio::test]
async fn any_other_page_stays_out_and_so_does_a_page_that_hides_behind_the_cookie() {
    let world = world(PAGE).await;
    for origin in ["http://app.example", "https://app.example:8443", "null", "https://evil.example"] {
        let answer = world.send(world.request("GET", "/projects/").header("origin", origin)).await;
        answer.problem(403, "foreign_origin");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
    }
    let opened = world.send(world.bare("GET", &format!("/?code={CODE}"))).await;
    let cookie = opened.header("set-cookie").split(';').next().unwrap().to_owned();
    let own = format!("http://{}", world.address);
    let tick = |origin: &str| {
        world.bare("POST", "/scheduler/tick").header("cookie", &cookie).header("origin", origin.to_owned())
    };
    world.send(tick(&own)).await.json(200);
    world.send(tick(PAGE)).await.problem(401, "unauthorized");
    let foreign = world.request("POST", "/scheduler/tick").header("sec-fetch-site", "cross-site");
    world.send(foreign).await.problem(403, "cross_site");
    let host = world.request("GET", "/projects/").header("origin", PAGE).header("host", "evil.example");
    world.send(host).await.problem(421, "unknown_host");
}

#[tokio::test]
async fn a_star_lets_every_page_call_with_a_token() {
    let world = world("*").await;
    let answer = world.send(world.request("GET", "/projects/").header("origin", "https://any.example")).await;
    answer.json(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let file = world.send(world.request("GET", "/projects/").header("origin", "null")).await;
    file.problem(403, "foreign_origin");
}
