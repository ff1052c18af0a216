//! A client of the API that keeps its connection, as workers and programs do.

use super::server::Server;
use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longer than any call takes here.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// One caller, with a connection of its own.
pub(crate) struct Caller {
    http: Client,
    url: String,
    token: Option<String>,
}

impl Caller {
    /// Makes a caller of a server.
    pub(crate) fn of(server: &Server) -> Result<Self> {
        let http = Client::builder().timeout(ANSWER_WITHIN).tcp_nodelay(true).build()?;
        Ok(Self { http, url: server.url.clone(), token: server.token.clone() })
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// Changes.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Reads, and returns the time that it took, in milliseconds.
    pub(crate) async fn time_get(&self, path: &str) -> Result<f64> {
        let began = Instant::now();
        self.get(path).await?;
        Ok(began.elapsed().as_secs_f64() * 1_000.0)
    }

    /// Changes, and returns the answer and the time that it took, in milliseconds.
    pub(crate) async fn time_post(&self, path: &str, body: &Value) -> Result<(Value, f64)> {
        let began = Instant::now();
        let answer = self.post(path, body).await?;
        Ok((answer, began.elapsed().as_secs_f64() * 1_000.0))
    }

    /// Makes a project.
    pub(crate) async fn make_project(&self) -> Result<i64> {
        id(&self.post("/projects/", &json!({"name": "bench"})).await?)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let (status, text) = self.ask(method.clone(), path, body).await?;
        if !status.is_success() {
            bail!("{method} {path}: {status} {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} answered {text}"))
    }

    /// Sends a text that is said to be JSON; returns the status alone.
    pub(crate) async fn send_text(&self, method: Method, path: &str, body: String) -> Result<StatusCode> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).body(body);
        request = request.header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Ok(request.send().await?.status())
    }

    /// Asks, and returns whatever is answered.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, String)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        Ok((answer.status(), answer.text().await?))
    }
}

/// Returns the id of what was made.
pub(crate) fn id(made: &Value) -> Result<i64> {
    made["id"].as_i64().with_context(|| format!("no id in {made}"))
}
