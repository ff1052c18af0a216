//! A hundred people look at fifty logs while the server is killed again and again: nobody misses a line, and nobody sees
//! one twice. The runs are a worker's of its own, which goes on meanwhile.

use crate::databases::{Database, on_both};
use crate::process::{Home, Server, Setup, until, worker};
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const RUNS: usize = 50;
const VIEWERS: usize = 100;
const LINES: usize = 300;
const KILLS: usize = 2;
/// Each address may have 64 streams open.
const ADDRESSES: usize = 4;

on_both!(
    a_hundred_viewers_see_every_line_once_although_the_server_is_killed_twice,
    a_log_that_is_followed_goes_on_when_the_server_is_back,
);

/// What a viewer is told.
enum Told {
    Line(Value),
    End,
    Broken,
}

/// Somebody who looks at one log, from an address of their own.
struct Viewer {
    server: SocketAddr,
    from: IpAddr,
    run: i64,
    seen: Vec<Value>,
    all: Arc<AtomicUsize>,
}

impl Viewer {
    /// Looks until the log is over, coming back by number whenever the connection breaks.
    async fn look(mut self, by_web_socket: bool) -> (i64, Vec<Value>) {
        loop {
            let ended = if by_web_socket { self.by_web_socket().await } else { self.by_events().await };
            if ended {
                return (self.run, self.seen);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn path(&self, way: &str) -> String {
        let next = self.seen.last().map_or(0, |line| line["seq"].as_i64().expect("a number") + 1);
        format!("/work-items/runs/{}/logs/{way}?from={next}", self.run)
    }

    /// Takes what it is told; returns how that ends the connection, if it does.
    fn take(&mut self, told: Told) -> Option<bool> {
        match told {
            Told::Line(line) => {
                self.seen.push(line);
                self.all.fetch_add(1, Ordering::Relaxed);
                None
            }
            Told::End => Some(true),
            Told::Broken => Some(false),
        }
    }

    async fn by_web_socket(&mut self) -> bool {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((self.from, 0).into()).expect("an address of its own");
        let Ok(stream) = socket.connect(self.server).await else { return false };
        let request =
            format!("ws://{}{}", self.server, self.path("ws")).into_client_request().expect("a request");
        let Ok((mut socket, _)) = tokio_tungstenite::client_async(request, stream).await else {
            return false;
        };
        loop {
            let told = match socket.next().await {
                Some(Ok(Message::Text(text))) => Told::Line(serde_json::from_str(&text).expect("a line")),
                Some(Ok(Message::Close(Some(close)))) if u16::from(close.code) == 1000 => Told::End,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => Told::Broken,
            };
            if let Some(ended) = self.take(told) {
                return ended;
            }
        }
    }

    async fn by_events(&mut self) -> bool {
        let client =
            reqwest::Client::builder().no_proxy().local_address(self.from).build().expect("a client");
        let url = format!("http://{}{}", self.server, self.path("sse"));
        let Ok(mut response) = client.get(url).send().await else { return false };
        assert_eq!(response.status(), 200);
        let mut text = String::new();
        loop {
            while let Some((block, rest)) = text.split_once("\n\n") {
                let (told, rest) = (event(block), rest.to_owned());
                text = rest;
                if let Some(ended) = told.and_then(|told| self.take(told)) {
                    return ended;
                }
            }
            match response.chunk().await {
                Ok(Some(chunk)) => text.push_str(std::str::from_utf8(&chunk).expect("text")),
                _ => return false,
            }
        }
    }
}

fn event(block: &str) -> Option<Told> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ")?;
    match field("event: ")? {
        "line" => Some(Told::Line(serde_json::from_str(data).expect("a line"))),
        "end" => Some(Told::End),
        other => panic!("{other}"),
    }
}

fn serve(home: &Home, database: &Database, listen: &str) -> Server {
    let args = ["serve", "--auth", "none", "--listen", listen];
    // So many viewers ask from one machine for more than one client may.
    Server::start(home, &Setup { database, args: &args, env: &[("ORCH_RATE_LIMIT_PER_MIN", "0")] })
}

fn address(server: &Server) -> SocketAddr {
    server.rest.url.trim_start_matches("http://").parse().expect("an address")
}

/// Waits until so many lines were seen; a slow machine may take its time as long as there are more and more.
async fn seen_by_all(all: &AtomicUsize, enough: usize) {
    loop {
        let seen = all.load(Ordering::Relaxed);
        if seen >= enough {
            return;
        }
        until("a further line is seen", || async { (all.load(Ordering::Relaxed) > seen).then_some(()) })
            .await;
    }
}

/// A step that prints numbered lines, a few at a time.
fn printing(lines: usize) -> String {
    format!(
        "i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo \"line $i\"; [ $((i % 20)) -ne 0 ] || sleep 0.3; done"
    )
}

/// Returns what the step printed.
fn printed(seen: &[Value]) -> Vec<&str> {
    let lines = seen.iter().filter(|line| line["stream"] == "stdout");
    lines.map(|line| line["text"].as_str().expect("a text")).collect()
}

async fn a_hundred_viewers_see_every_line_once_although_the_server_is_killed_twice(database: Database) {
    let home = Home::new();
    let mut server = serve(&home, &database, "127.0.0.1:0");
    let at = address(&server);
    let worker = worker(
        &home,
        &server.rest.url,
        &[("SPALLA_WORKER_CONCURRENCY", "50"), ("CODEX_ERROR_BACKOFF", "0.1")],
    );
    let project = server.rest.project(None).await;
    let mut items = vec![];
    for number in 0..RUNS {
        items.push(server.rest.queued(project, &format!("print {number}"), &[&printing(LINES)], &[]).await);
    }
    let mut runs = vec![];
    for item in items {
        let newest = || async { server.rest.runs(item).await.first().and_then(|run| run["id"].as_i64()) };
        runs.push(until("every item has a run", newest).await);
    }
    let (all, mut viewers) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
    for number in 0..VIEWERS {
        let from = IpAddr::from([127, 0, 0, 2 + (number % ADDRESSES) as u8]);
        let run = runs[number / 2 % RUNS];
        let viewer = Viewer { server: at, from, run, seen: vec![], all: Arc::clone(&all) };
        viewers.spawn(viewer.look(number % 2 == 0));
    }
    for kill in 1..=KILLS {
        let enough = VIEWERS * LINES * kill / (KILLS + 1);
        seen_by_all(&all, enough).await;
        server.process.kill();
        server = serve(&home, &database, &at.to_string());
    }
    let mut logs: BTreeMap<i64, Vec<Vec<Value>>> = BTreeMap::new();
    while let Some(looked) = viewers.join_next().await {
        let (run, seen) = looked.expect("a viewer");
        logs.entry(run).or_default().push(seen);
    }
    drop(worker);
    let expected: Vec<String> = (1..=LINES).map(|number| format!("line {number}")).collect();
    assert_eq!(logs.len(), RUNS);
    for (run, seen) in logs {
        assert_eq!(seen.len(), VIEWERS / RUNS, "run {run}");
        for seen in &seen {
            let numbers: Vec<i64> = seen.iter().filter_map(|line| line["seq"].as_i64()).collect();
            assert_eq!(numbers, (0..seen.len() as i64).collect::<Vec<_>>(), "run {run}");
            assert_eq!(printed(seen), expected, "run {run}");
        }
        assert_eq!(seen[0], seen[1], "run {run}");
    }
}

async fn a_log_that_is_followed_goes_on_when_the_server_is_back(database: Database) {
    let home = Home::new();
    let server = serve(&home, &database, "127.0.0.1:0");
    let at = address(&server).to_string();
    let worker = worker(&home, &server.rest.url, &[("CODEX_ERROR_BACKOFF", "0.1")]);
    let project = server.rest.project(None).await;
    let gate = home.shared("gate");
    let steps = [printing(60), format!("until [ -e {} ]; do sleep 0.05; done", gate.display()), printing(60)];
    let item = server.rest.queued(project, "print", &steps.each_ref().map(String::as_str), &[]).await;
    let newest = || async { server.rest.runs(item).await.first().and_then(|run| run["id"].as_i64()) };
    let run = until("it has a run", newest).await.to_string();
    let mut follow = home.command(&["logs", "-f", &run, "--json", "--server", &server.rest.url]);
    let follow = follow.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
    let mut follow = follow.expect("the binary starts");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(follow.stdout.take().expect("its output")));
    let mut seen = vec![];
    while !seen.iter().any(|line: &Value| line["text"] == "line 60") {
        let line = lines.next().expect("a line").expect("text");
        seen.push(serde_json::from_str(&line).expect("JSON"));
    }
    server.process.kill();
    let _server = serve(&home, &database, &at);
    std::fs::write(&gate, "").expect("the gate is open");
    for line in lines {
        seen.push(serde_json::from_str(&line.expect("text")).expect("JSON"));
    }
    assert!(follow.wait().expect("it ends").success());
    drop(worker);
    let numbers: Vec<i64> = seen.iter().filter_map(|line| line["seq"].as_i64()).collect();
    assert_eq!(numbers, (0..seen.len() as i64).collect::<Vec<_>>());
    let twice: Vec<String> = (1..=60).chain(1..=60).map(|number| format!("line {number}")).collect();
    assert_eq!(printed(&seen), twice);
}
