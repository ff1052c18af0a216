//! The log of a run as it grows.

use crate::raw::{head, status};
use crate::viewer::{Seen, Viewer, Way, web_socket};
use crate::world::{CODE, TOKEN, World};
use serde_json::json;
use spalla_domain::claim::LogBatch;
use spalla_domain::log::{LogLine, Stream};
use spalla_domain::{Fence, RunId, Timestamp};
use spalla_store::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error;

const WAYS: [Way; 2] = [Way::WebSocket, Way::Events];

/// Writes lines as an embedded worker does.
pub(crate) async fn write(world: &World, run: i64, token: i64, texts: impl IntoIterator<Item = String>) {
    let line = |text| LogLine { at: Timestamp::from_ms(0), stream: Stream::Stdout, step: None, text };
    let batch = LogBatch {
        run_id: RunId(run),
        fencing_token: Fence(token),
        first_seq: None,
        lines: texts.into_iter().map(line).collect(),
    };
    world.engine.execute(Command::AppendLogs(batch)).await.unwrap();
}

async fn begin(world: &World, way: Way, run: i64, query: &str) -> Viewer {
    Viewer::begin(world, way, run, query).await.expect("the server answers")
}

#[tokio::test]
async fn lines_are_replayed_from_a_number_and_followed_until_the_run_is_over() {
    let world = World::start().await;
    for way in WAYS {
        let (run, token) = world.claimed_run(json!({})).await;
        write(&world, run, token, ["one".into(), "two".into()]).await;
        let mut all = begin(&world, way, run, "").await;
        let mut some = begin(&world, way, run, "from=2").await;
        assert_eq!(all.numbers(3).await, [0, 1, 2]);
        let two = json!({"seq": 2, "at": "1970-01-01T00:00:00.000Z", "stream": "stdout", "step": null, "text": "two"});
        assert_eq!(some.line().await, two);
        write(&world, run, token, ["three".into()]).await;
        assert_eq!(
            (all.line().await["text"].clone(), some.line().await["seq"].clone()),
            (json!("three"), json!(3))
        );
        write(&world, run, token, ["four".into()]).await;
        world.complete(run, token).await;
        for viewer in [&mut all, &mut some] {
            assert_eq!(viewer.line().await["seq"], 4);
            assert_eq!(viewer.next().await, Seen::End("the run is over: succeeded".into()));
        }
        let mut late = begin(&world, way, run, "from=4").await;
        assert_eq!(late.line().await["text"], "four");
        assert_eq!(late.next().await, Seen::End("the run is over: succeeded".into()));
    }
}

#[tokio::test]
async fn a_viewer_may_stay_when_the_run_is_over_until_the_server_ends() {
    let mut world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let mut viewers = vec![];
    for way in WAYS {
        viewers.push(begin(&world, way, run, "follow=true").await);
    }
    for viewer in &mut viewers {
        assert_eq!(viewer.numbers(1).await, [0]);
    }
    world.complete(run, token).await;
    world.shutdown.cancel();
    for viewer in &mut viewers {
        assert_eq!(viewer.next().await, Seen::Broken);
    }
    assert!(world.server.join_next().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_number_that_nobody_has_written_yet_is_waited_for_and_disturbs_nobody() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    for way in WAYS {
        let mut ahead = begin(&world, way, run, "from=100").await;
        let mut now = begin(&world, way, run, "").await;
        assert_eq!(now.line().await["seq"], 0);
        write(&world, run, token, ["soon".into()]).await;
        loop {
            if now.line().await["text"] == "soon" {
                break;
            }
        }
        drop(ahead);
        ahead = begin(&world, way, run, "from=1").await;
        assert_eq!(ahead.line().await["seq"], 1);
    }
}

#[tokio::test]
async fn a_viewer_that_does_not_read_holds_nobody_up_and_misses_nothing() {
    const LINES: usize = 20_000;
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    for way in WAYS {
        let mut slow = begin(&world, way, run, "").await;
        let mut quick = begin(&world, way, run, "").await;
        let write = async {
            if way == Way::WebSocket {
                for _ in 0..LINES / 200 {
                    write(&world, run, token, (0..200).map(|_| "x".repeat(200))).await;
                }
            }
        };
        let (numbers, ()) = tokio::join!(quick.numbers(LINES + 1), write);
        assert!(numbers.into_iter().eq(0..=LINES as i64));
        assert!(slow.numbers(LINES + 1).await.into_iter().eq(0..=LINES as i64));
    }
}

#[tokio::test]
async fn lines_that_came_another_way_are_found_as_well() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let mut viewer = begin(&world, Way::WebSocket, run, "").await;
    assert_eq!(viewer.numbers(1).await, [0]);
    let line = LogLine { at: Timestamp::from_ms(0), stream: Stream::Stdout, step: None, text: "far".into() };
    let batch =
        LogBatch { run_id: RunId(run), fencing_token: Fence(token), first_seq: None, lines: vec![line] };
    // Past the engine, as another server on the same database would write it.
    world.store.execute(Command::AppendLogs(batch)).await.unwrap();
    assert_eq!(viewer.line().await["text"], "far");
}

#[tokio::test]
async fn who_comes_back_to_a_complete_log_by_events_is_told_to_stay_away() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    write(&world, run, token, ["one".into()]).await;
    world.complete(run, token).await;
    let path = format!("/work-items/runs/{run}/logs/sse");
    let back = |last: &str| world.request("GET", &path).header("last-event-id", last);
    assert_eq!(world.send(back("1")).await.status, 204);
    let rest = back("0").send().await.unwrap().text().await.unwrap();
    assert!(rest.contains("id: 1\nevent: line\n") && rest.contains("event: end\n"), "{rest}");
    assert_eq!(world.send(back("x")).await.invalid(), ["Last-Event-ID"]);
}

fn refused(opened: Result<impl Sized, Error>) -> u16 {
    match opened {
        Err(Error::Http(response)) => response.status().as_u16(),
        _ => 0,
    }
}

#[tokio::test]
async fn a_web_socket_has_the_same_guard_as_everything_else() {
    let world = World::start_with_token().await;
    let (run, _) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/logs/ws");
    let bearer = format!("Bearer {TOKEN}");
    let own = format!("http://{}", world.address);
    let cases: [(&[(&'static str, &str)], u16); 6] = [
        (&[], 401),
        (&[("authorization", "Bearer wrong")], 401),
        (&[("authorization", &bearer), ("origin", "http://evil.example")], 403),
        (&[("authorization", &bearer), ("host", "evil.example")], 421),
        (&[("authorization", &bearer)], 0),
        (&[("authorization", &bearer), ("origin", &own)], 0),
    ];
    for (headers, expected) in cases {
        assert_eq!(refused(web_socket(world.address, &path, headers).await), expected, "{headers:?}");
    }
    let opened = world.send(world.bare("GET", &format!("/?code={CODE}"))).await;
    let cookie = opened.header("set-cookie").split(';').next().unwrap().to_owned();
    let browser = [("cookie", cookie.as_str()), ("origin", &own)];
    assert_eq!(refused(web_socket(world.address, &path, &browser).await), 0);
    let foreign = [("cookie", cookie.as_str()), ("origin", "http://evil.example")];
    assert_eq!(refused(web_socket(world.address, &path, &foreign).await), 403);
    let token = [("authorization", bearer.as_str())];
    let nothing = web_socket(world.address, "/work-items/runs/99/logs/ws", &token).await;
    assert_eq!(refused(nothing), 404);
}

#[tokio::test]
async fn what_is_no_handshake_is_told_so_and_a_refused_one_ends_the_connection() {
    let world = World::start().await;
    let (run, _) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/logs/ws");
    world.get(&path).await.problem(426, "upgrade_required");
    assert_eq!(world.get(&format!("{path}?from=-1")).await.invalid(), ["from"]);
    // What follows a refused change of protocol is not read any more.
    let text = format!(
        "GET /health HTTP/1.1\r\nHost: {0}\r\nUpgrade: websocket\r\n\r\nGET /metrics HTTP/1.1\r\nHost: {0}\r\n\r\n",
        world.address
    );
    let answer = crate::raw::send(&world, text).await;
    assert_eq!((status(&answer), answer.matches("HTTP/1.1 ").count()), (200, 1), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    let plain = head(&world, &["GET /health HTTP/1.1", "Host: {host}"]).await;
    assert_eq!(status(&plain), 200);
}

async fn shake_hands(world: &World, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        world.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(start_paused = true)]
async fn a_viewer_is_asked_whether_it_lives_and_let_go_when_it_says_nothing() {
    let world = World::in_memory().await;
    let (run, _) = world.claimed_run(json!({})).await;
    let begin = Instant::now();
    let mut stream = shake_hands(&world, &format!("/work-items/runs/{run}/logs/ws")).await;
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    // Pings without a text, each two bytes.
    let pings = answer.windows(2).filter(|bytes| *bytes == [0x89, 0]).count();
    assert_eq!((pings, begin.elapsed().as_secs()), (4, 60));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_answers_stays_and_is_counted_as_a_connection() {
    let world = World::in_memory().await;
    let (run, _) = world.claimed_run(json!({})).await;
    let mut viewer = begin(&world, Way::WebSocket, run, "").await;
    assert_eq!(viewer.numbers(1).await, [0]);
    world.until_metrics("spalla_streams 1").await;
    // It answers while it waits.
    assert!(tokio::time::timeout(Duration::from_secs(600), viewer.next()).await.is_err());
    assert_eq!(world.get("/health").await.json(200)["details"]["streams"], 1);
    drop(viewer);
    world.until_metrics("spalla_streams 0").await;
}
