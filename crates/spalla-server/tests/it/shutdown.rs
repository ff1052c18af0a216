//! How the server ends, and why it may not begin.

use crate::raw;
use crate::world::{Setup, World};
use serde_json::json;
use spalla_server::{Access, Cors, Error, HealthOptions, Options, Server};
use std::time::Duration;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_waiting_claim_is_answered_empty_and_an_event_stream_ends() {
    let mut world = World::start().await;
    let mut events = world.request("GET", "/events").send().await.unwrap();
    assert!(events.chunk().await.unwrap().is_some());
    let claim =
        world.request("POST", "/scheduler/claim").json(&json!({"worker_id": "w", "wait_seconds": 60}));
    let mut waiting = tokio::task::JoinSet::new();
    waiting.spawn(async move { claim.send().await.unwrap().json::<serde_json::Value>().await.unwrap() });
    world.until_connections(3).await;

    world.shutdown.cancel();
    assert_eq!(waiting.join_next().await.unwrap().unwrap(), json!({"runs": []}));
    while events.chunk().await.unwrap().is_some() {}
    assert!(world.server.join_next().await.unwrap().is_ok());
    assert!(TcpStream::connect(world.address).await.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn what_is_not_done_within_the_grace_is_cut() {
    let mut world = World::with(Setup { grace: Duration::from_millis(50), ..Setup::default() }).await;
    let head = format!("POST /projects/ HTTP/1.1\r\nHost: {}\r\nContent-Length: 10\r\n\r\n", world.address);
    let stuck = raw::send(&world, head);
    let end = async {
        world.until_connections(2).await;
        world.shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(stuck, end);
    assert_eq!(answer, "");
    assert!(world.server.join_next().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let world = World::start().await;
    let (handle, _engine) = spalla_engine::Engine::start(
        world.store.clone(),
        spalla_engine::Options { clock: world.clock.clone(), background_interval: None },
    );
    let options = Options {
        listen: world.address,
        access: Access::None,
        oidc: None,
        served_hosts: vec![],
        cors: Cors::None,
        rate_limit_per_minute: 0,
        health: HealthOptions::default(),
        start_code: None,
        version: "0".into(),
        clock: world.clock.clone(),
        randomness: world.randomness.clone(),
        vault: world.vault.clone(),
        limits_max: Default::default(),
        scratchpads: world.options.scratchpads.clone(),
        agent_secret: None,
        sessions: std::sync::Arc::new(spalla_server::NoSessions),
        github: None,
        routing: std::sync::Arc::new(spalla_server::NoRouting),
        definitions: spalla_server::Definitions::built_in(),
        queue_limit: 1,
        webhook_networks: spalla_domain::network::Networks::default(),
        webhook_trust: spalla_server::WebhookTrust::default(),
        grace: Duration::ZERO,
    };
    let error = Server::bind(options, handle).await.err().unwrap();
    assert!(matches!(error, Error::PortTaken { listen } if listen == world.address));
    assert!(error.to_string().contains(&world.address.to_string()), "{error}");
}
