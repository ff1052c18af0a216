//! How long a connection may take for what: the clock of these tests jumps to the next moment that anybody waits for.

use crate::raw;
use crate::world::World;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n";

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.address).await.unwrap()
}

/// Asks once more over an open connection and returns whether it was answered.
async fn is_answered(world: &World, stream: &mut TcpStream) -> bool {
    let request = HEALTH.replace("{host}", &world.address.to_string());
    let mut answer = [0; 4_096];
    stream.write_all(request.as_bytes()).await.is_ok()
        && stream.read(&mut answer).await.is_ok_and(|read| answer[..read].starts_with(b"HTTP/1.1 200"))
}

#[tokio::test(start_paused = true)]
async fn a_head_has_ten_seconds_to_arrive() {
    let world = World::in_memory().await;
    for begun in ["", "GET /health HT"] {
        let begin = Instant::now();
        assert_eq!(raw::send(&world, begun).await, "");
        assert_eq!(begin.elapsed().as_secs(), 10, "{begun:?}");
    }
    let mut stream = connect(&world).await;
    assert!(is_answered(&world, &mut stream).await);
    sleep(Duration::from_secs(30)).await;
    let begin = Instant::now();
    stream.write_all(b"GET").await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_be_idle_longer_than_a_head_may_take() {
    let world = World::in_memory().await;
    let mut stream = connect(&world).await;
    for _ in 0..3 {
        assert!(is_answered(&world, &mut stream).await);
        sleep(Duration::from_secs(60)).await;
    }
    sleep(Duration::from_secs(20)).await;
    assert!(!is_answered(&world, &mut stream).await);
}

#[tokio::test(start_paused = true)]
async fn a_body_has_thirty_seconds_to_arrive() {
    let world = World::in_memory().await;
    let head =
        "POST /projects/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{\"name\"";
    let begin = Instant::now();
    let answer = raw::send(&world, head.replace("{host}", &world.address.to_string())).await;
    assert_eq!((raw::status(&answer), begin.elapsed().as_secs()), (408, 30), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_claim_waits_as_long_as_it_is_told_and_a_stream_says_that_it_lives() {
    let world = World::in_memory().await;
    let begin = Instant::now();
    let body = serde_json::json!({"worker_id": "w", "wait_seconds": 42.5});
    let claimed = world.post("/scheduler/claim", body).await.json(200);
    assert_eq!((claimed, begin.elapsed().as_secs()), (serde_json::json!({"runs": []}), 42));
    let mut events = world.request("GET", "/events").send().await.unwrap();
    for expected in ["retry: 1000\n: the stream is open\n\n", ": still here\n\n", ": still here\n\n"] {
        assert_eq!(events.chunk().await.unwrap().unwrap(), expected);
    }
}
