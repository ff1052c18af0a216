//! A client that outlives its server: it asks again until it is answered, under one key, so that what was executed
//! before a death is not executed twice.

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a question may stay unanswered: a death, a restart, and a crowded machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How long it rests before it asks again.
pub(super) const REST: Duration = Duration::from_millis(25);
/// How long one answer may take; a server that died does not always say so.
const ANSWER: Duration = Duration::from_secs(15);

/// The client of one scenario.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    keys: AtomicU64,
}

impl Client {
    /// Makes a client of the server that is, or will be, at the address.
    pub(super) fn new(url: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(ANSWER).build().context("making a client")?;
        Ok(Self { http, url, keys: AtomicU64::new(0) })
    }

    /// Asks until there is an answer, and returns its status and body.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(u16, Value)> {
        let key = format!("proof-{}", self.keys.fetch_add(1, Ordering::Relaxed));
        let started = Instant::now();
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
            if method != Method::GET {
                request = request.header("idempotency-key", &key);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            if let Some(answer) = answer(request).await {
                return Ok(answer);
            }
            if started.elapsed() > PATIENCE {
                bail!("{method} {path} was not answered within {PATIENCE:?}");
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// Posts until it is accepted, and returns the answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        match self.ask(Method::POST, path, Some(body)).await? {
            (200..300, answer) => Ok(answer),
            (status, answer) => bail!("POST {path} was refused with {status}: {answer}"),
        }
    }

    /// Reads something that has to be there.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        match self.ask(Method::GET, path, None).await? {
            (200..300, answer) => Ok(answer),
            (status, answer) => bail!("GET {path} was refused with {status}: {answer}"),
        }
    }

    /// Looks again and again until it sees what it looks for.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        path: &str,
        see: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        let started = Instant::now();
        loop {
            let (status, answer) = self.ask(Method::GET, path, None).await?;
            if status == 200
                && let Some(seen) = see(&answer)
            {
                return Ok(seen);
            }
            if started.elapsed() > PATIENCE {
                bail!("it never came to this: {what}; {path} says {}", shortened(&answer));
            }
            tokio::time::sleep(REST).await;
        }
    }
}

/// Returns an answer that counts; none where nobody answered, or a server that can't at the moment.
async fn answer(request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    let text = response.text().await.ok()?;
    (status < 500).then(|| (status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(300).collect()
}
