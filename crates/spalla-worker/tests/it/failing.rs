//! A server that is too busy, broken or in the middle of a restart: the worker waits as long as it is asked to, sends
//! everything again, and loses nothing.

use crate::site::Site;
use serde_json::{Value, json};
use spalla_worker::{HttpCoordinator, Worker};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A server of one run, which fails as often as it is told to.
#[derive(Default)]
struct Failing {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// What is answered first at the path that ends so.
    failures: BTreeMap<&'static str, VecDeque<&'static str>>,
    /// When each path was called, by its last part.
    calls: BTreeMap<String, Vec<Instant>>,
    is_claimed: bool,
    lines: Vec<String>,
    kept: BTreeMap<String, Vec<u8>>,
    completed: Option<Value>,
}

const BUSY: &str = "429 Too Many Requests\r\nretry-after: 1";
const LATER: &str = "503 Service Unavailable\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:38 GMT";
const AWAY: &str = "503 Service Unavailable";
const BROKEN: &str = "500 Internal Server Error";
const GATEWAY: &str = "502 Bad Gateway";

impl Failing {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let server = Arc::clone(&self);
            connections.spawn(async move { server.connection(stream).await });
        }
    }

    async fn connection(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(&mut stream);
        let (mut head, mut length, mut is_chunked) = (String::new(), 0, false);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
            let line = head[start..].to_lowercase();
            length =
                line.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
            is_chunked |= line.starts_with("transfer-encoding: chunked");
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await.unwrap();
        while is_chunked {
            let mut size = String::new();
            reader.read_line(&mut size).await.unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).await.unwrap();
            body.extend_from_slice(&chunk[..size]);
            is_chunked = size > 0;
        }
        let (status, answer) = self.answer(head.split(' ').nth(1).unwrap(), &body);
        let length = answer.len();
        let answer =
            format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{answer}");
        // A worker that is told to go may be gone.
        let _ = stream.write_all(answer.as_bytes()).await;
        self.changed.notify_waiters();
    }

    fn answer(&self, path: &str, body: &[u8]) -> (String, String) {
        let mut state = self.state.lock().unwrap();
        let name =
            path.split(['?', '/']).find(|part| ["exchange", "logs", "artifacts", "tick"].contains(part));
        let name = name.unwrap_or(path).to_owned();
        state.calls.entry(name.clone()).or_default().push(Instant::now());
        let failure = state.failures.get_mut(name.as_str()).and_then(VecDeque::pop_front);
        if let Some(failure) = failure {
            return (failure.to_owned(), json!({"code": "unavailable", "detail": "not now"}).to_string());
        }
        let answer = match name.as_str() {
            "exchange" => state.exchange(&serde_json::from_slice(body).unwrap()),
            "logs" => state.log(std::str::from_utf8(body).unwrap()),
            "artifacts" => {
                state.kept.insert(path.to_owned(), body.to_vec());
                json!({})
            }
            _ => json!({}),
        };
        ("200 OK".to_owned(), answer.to_string())
    }

    async fn until<T>(&self, mut found: impl FnMut(&State) -> Option<T>) -> T {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if let Some(found) = found(&self.state.lock().unwrap()) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it comes to this")
    }
}

impl State {
    fn exchange(&mut self, wish: &Value) -> Value {
        let completed = wish["completed"].as_array().unwrap();
        self.completed = completed.first().cloned().or(self.completed.take());
        let run = json!({"run_id": 1, "work_item_id": 1, "project_id": 1, "fencing_token": 1,
            "expires_at": "2023-11-14T22:13:20Z", "attempt": 1, "trace_id": "0".repeat(32), "next_log_seq": 2,
            "executor": "recipe", "title": "t", "timeout_ms": 60_000,
            "recipe": "steps: [{run: 'seq 1 2000; printf abc > out', artifacts: [out]}]"});
        let is_first = wish["max"].as_i64() > Some(0) && !std::mem::replace(&mut self.is_claimed, true);
        let ended: Vec<&Value> = completed.iter().map(|end| &end["run_id"]).collect();
        json!({"completed": ended, "refused": [], "heartbeats": [], "runs": if is_first { vec![run] } else { vec![] }})
    }

    fn log(&mut self, batch: &str) -> Value {
        let lines = batch.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let printed = lines.filter(|line| line["stream"] == "stdout");
        self.lines.extend(printed.map(|line| line["text"].as_str().unwrap().to_owned()));
        json!({})
    }
}

#[tokio::test]
async fn a_server_that_fails_is_left_alone_as_long_as_it_asks_and_gets_everything_once() {
    let server = Arc::new(Failing::default());
    server.state.lock().unwrap().failures = BTreeMap::from([
        ("exchange", [BUSY, AWAY, BROKEN, GATEWAY].into()),
        ("logs", [BROKEN, BUSY, AWAY].into()),
        ("artifacts", [AWAY, LATER].into()),
    ]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&server).serve(listener));
    let site = Site::new();
    let mut options = site.options();
    options.error_backoff_ms = 100;
    let coordinator = Arc::new(HttpCoordinator::new(&url, None).unwrap());
    let (worker, handle) = Worker::new(options, coordinator).unwrap();
    let mut working = JoinSet::new();
    working.spawn(worker.run());
    let end = server.until(|state| state.completed.clone()).await;
    handle.stop();
    working.join_next().await.unwrap().unwrap().unwrap();

    assert_eq!(end["success"], true, "{end}");
    let state = server.state.lock().unwrap();
    assert_eq!(state.lines, (1..=2_000).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    assert_eq!(state.kept["/work-items/runs/1/artifacts/out"], b"abc");
    let pauses = |name: &str| -> Vec<Duration> {
        state.calls[name].windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    let asked = Duration::from_secs(1);
    let (exchanges, logs, files) = (pauses("exchange"), pauses("logs"), pauses("artifacts"));
    // Each next wait is about twice as long, moved at random.
    let least = [asked, Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(400)];
    for (pause, least) in exchanges.iter().zip(least) {
        assert!(*pause >= least, "{exchanges:?}");
    }
    assert!(logs[1] >= asked && files[1] >= asked, "{logs:?} {files:?}");
}

#[tokio::test]
async fn a_worker_ticks_while_its_step_goes_on_and_after_a_failure_too() {
    let server = Arc::new(Failing::default());
    server.state.lock().unwrap().failures = BTreeMap::from([("tick", [BROKEN].into())]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&server).serve(listener));
    let site = Site::new();
    let mut options = site.options();
    (options.tick_interval_ms, options.error_backoff_ms) = (20, 20);
    let step = format!("until [ -e {} ]; do sleep 0.01; done", site.shared("go").display());
    options.steps_override = vec![step];
    let coordinator = Arc::new(HttpCoordinator::new(&url, None).unwrap());
    let (worker, handle) = Worker::new(options, coordinator).unwrap();
    let mut working = JoinSet::new();
    working.spawn(worker.run());
    server.until(|state| state.is_claimed.then_some(())).await;
    let ticks = |state: &State| state.calls.get("tick").map_or(0, Vec::len);
    let before = server.until(|state| Some(ticks(state))).await;
    server.until(|state| (ticks(state) >= before + 5).then_some(())).await;
    assert!(server.state.lock().unwrap().completed.is_none(), "the step goes on");
    std::fs::write(site.shared("go"), "").unwrap();
    server.until(|state| state.completed.clone()).await;
    handle.stop();
    working.join_next().await.unwrap().unwrap().unwrap();
}
