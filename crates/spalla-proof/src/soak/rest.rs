//! Calls of the API, and patience: whoever submits something asks again until it is acknowledged.

use anyhow::{Context as _, Result, bail};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Longer than a call waits for work.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Who connects anew each time asks again soon.
const NEW_ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long somebody asks again before the soak has failed.
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// What is asked of a server.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    method: Method,
    path: String,
    body: Option<Value>,
    lines: Option<(i64, String)>,
    key: Option<String>,
}

impl Wish {
    /// Asks to read.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, lines: None, key: None }
    }

    /// Asks for a change.
    pub(crate) fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: Some(body), lines: None, key: None }
    }

    /// Asks to keep log lines under a token.
    pub(crate) fn log(run: i64, token: i64, text: impl Into<String>) -> Self {
        let path = format!("/work-items/runs/{run}/logs");
        Self { method: Method::POST, path, body: None, lines: Some((token, text.into())), key: None }
    }

    /// Adds the key that makes it safe to ask twice.
    pub(crate) fn key(mut self, key: String) -> Self {
        self.key = Some(key);
        self
    }
}

/// What a server said.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The body; a string where it is no JSON.
    pub(crate) body: Value,
    /// How long the whole list is, where that was asked.
    pub(crate) total: Option<u64>,
}

impl Answer {
    /// Tells whether it was done.
    pub(crate) const fn is_good(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// Tells whether asking again may help.
    const fn is_for_now(&self) -> bool {
        self.status >= 500 || self.status == 429 || self.status == 408
    }

    /// Returns a number of the body.
    pub(crate) fn number(&self, name: &str) -> Result<i64> {
        self.body[name].as_i64().with_context(|| format!("no {name} in {}", self.body))
    }
}

/// A client of one or more servers of the same database.
pub(crate) struct Rest {
    http: Client,
    bases: Vec<String>,
    turn: AtomicUsize,
}

impl Rest {
    /// Makes a client with connections of its own.
    pub(crate) fn new(bases: Vec<String>) -> Result<Self> {
        let http = Client::builder().timeout(ANSWER_WITHIN).build().context("making an HTTP client")?;
        Ok(Self { http, bases, turn: AtomicUsize::new(0) })
    }

    /// Makes a client that connects anew for every call, and so finds out whether a server still lets anybody in.
    pub(crate) fn without_pool(base: String) -> Result<Self> {
        let http = Client::builder().timeout(NEW_ANSWER_WITHIN).pool_max_idle_per_host(0).build();
        Ok(Self {
            http: http.context("making an HTTP client")?,
            bases: vec![base],
            turn: AtomicUsize::new(0),
        })
    }

    /// Asks once; none when no whole answer came.
    pub(crate) async fn ask(&self, wish: &Wish) -> Option<Answer> {
        let turn = self.turn.load(Ordering::Relaxed) % self.bases.len();
        let url = format!("{}{}", self.bases[turn], wish.path);
        let mut request = self.http.request(wish.method.clone(), url);
        if let Some(body) = &wish.body {
            request = request.json(body);
        }
        if let Some((token, text)) = &wish.lines {
            request = request.header(CONTENT_TYPE, "text/plain").header("X-Fencing-Token", *token);
            request = request.body(text.clone());
        }
        if let Some(key) = &wish.key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let total = response.headers().get("x-total-count").and_then(|n| n.to_str().ok()?.parse().ok());
        let text = response.text().await.ok()?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some(Answer { status, body, total })
    }

    /// Asks until somebody answers for good, of whichever server.
    pub(crate) async fn insist(&self, wish: &Wish) -> Result<Answer> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = self.ask(wish).await;
            match answer {
                Some(answer) if !answer.is_for_now() => return Ok(answer),
                _ if begun.elapsed() > PATIENCE => {
                    bail!("nobody answers {} {} for good: {answer:?}", wish.method, wish.path)
                }
                _ => {}
            }
            self.turn.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Insists, and fails unless it was done.
    pub(crate) async fn obtain(&self, wish: &Wish) -> Result<Answer> {
        let answer = self.insist(wish).await?;
        anyhow::ensure!(answer.is_good(), "{} {}: {} {}", wish.method, wish.path, answer.status, answer.body);
        Ok(answer)
    }

    /// Opens a stream of events from their beginning.
    pub(crate) async fn events(&self) -> Result<reqwest::Response> {
        let url = format!("{}/events?after=0", self.bases[0]);
        let http = Client::builder().build().context("making an HTTP client")?;
        http.get(url).send().await.context("following the events")
    }
}
