//! One request from its bytes to its response, and the entry of the journal that it leaves.

use crate::asked::{Asked, Letterhead};
use crate::clock::now_ms;
use crate::counters::Counters;
use crate::decide::{Decision, decide};
use crate::journal::{Entry, Journal};
use crate::provider::{Dialect, Provider, anthropic, gemini, openai};
use crate::reply::{Body, Reply};
use crate::routes::{Route, Streaming};
use crate::script::Script;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Request, Response};
use serde_json::Value;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The longest body: a whole context of the largest models, with pictures.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// Whoever has not sent a body by then never will.
const BODY_LIMIT: Duration = Duration::from_secs(60);

/// Headers in which the CLIs name their conversation: Codex, then Claude Code. Gemini CLI has none.
const RUN_HEADERS: &[&str] = &["thread-id", "session-id", "x-claude-code-session-id"];

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) script: Script,
    pub(crate) counters: Mutex<Counters>,
    pub(crate) journal: Journal,
}

/// A request, read whole.
struct Letter {
    name: String,
    route: Route,
    headers: BTreeMap<String, String>,
    key: String,
    body: Bytes,
}

/// Serves a request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let reply = match read(request).await {
        Ok(letter) => shared.answer(&letter),
        Err(refusal) => refusal,
    };
    reply.wait_for_head().await;
    Ok(reply.into_response())
}

async fn read(request: Request<Incoming>) -> Result<Letter, Reply> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let is_anthropic = parts.headers.contains_key("anthropic-version");
    let route = Route::of(&parts.method, parts.uri.path(), query, is_anthropic);
    let refuse = |status, message: &str| route.provider().refuse(status, message);
    if parts.headers.contains_key("content-encoding") {
        return Err(refuse(415, "compressed bodies are not read here"));
    }
    let body = tokio::time::timeout(BODY_LIMIT, Limited::new(body, BODY_MAX).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Err(refuse(413, "the body is too large, or it broke off")),
        Err(_) => return Err(refuse(408, "the body did not come in time")),
    };
    Ok(Letter {
        name: format!("{} {}", parts.method, parts.uri.path()),
        key: key(&parts.headers, query),
        headers: readable(&parts.headers),
        route,
        body,
    })
}

fn readable(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Returns the key, wherever the provider's clients put it.
fn key(headers: &HeaderMap, query: &str) -> String {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let in_query = || query.split('&').find_map(|pair| pair.strip_prefix("key="));
    let named = bearer.or_else(|| header("x-api-key")).or_else(|| header("x-goog-api-key"));
    named.or_else(in_query).unwrap_or_default().to_owned()
}

impl Shared {
    /// Answers a request and writes down that it did.
    fn answer(&self, letter: &Letter) -> Reply {
        let mut entry = letter.entry();
        let reply = self.decide(letter, &mut entry);
        entry.status = reply.status;
        match self.journal.write(entry) {
            Ok(()) => reply,
            Err(error) => {
                letter.route.provider().refuse(500, &format!("the journal can't be written: {error}"))
            }
        }
    }

    fn decide(&self, letter: &Letter, entry: &mut Entry) -> Reply {
        let body = &letter.body;
        match &letter.route {
            Route::Answer(dialect) => match letter.asked(*dialect) {
                Ok(asked) => self.play(letter, &asked, entry),
                Err(refusal) => refusal,
            },
            Route::Generate { model, streaming } => {
                let asked = letter.json(Dialect::GenerateContent).and_then(|(head, body)| {
                    gemini::read(head, &body, model, *streaming != Streaming::No)
                        .map_err(|message| Provider::Gemini.refuse(400, message))
                });
                match asked {
                    Ok(asked) if *streaming == Streaming::List => {
                        self.play(letter, &asked, entry).into_list()
                    }
                    Ok(asked) => self.play(letter, &asked, entry),
                    Err(refusal) => refusal,
                }
            }
            Route::Count(Provider::Gemini) => Reply::json(200, &gemini::count_tokens(body.len())),
            Route::Count(_) => Reply::json(200, &anthropic::count_tokens(body.len())),
            Route::Models(provider) => Reply::json(200, &provider.models()),
            Route::Unknown(provider) => provider.refuse(404, "there is nothing at this path"),
        }
    }

    fn play(&self, letter: &Letter, asked: &Asked, entry: &mut Entry) -> Reply {
        let decision = {
            let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
            decide(&self.script, &mut counters, asked, &letter.headers)
        };
        let Decision { rule, summary, reply } = decision;
        entry.tell(asked);
        entry.rule = rule;
        entry.answer = summary;
        reply
    }
}

impl Letter {
    fn entry(&self) -> Entry {
        Entry {
            number: 0,
            at_ms: now_ms(),
            provider: self.route.provider(),
            dialect: None,
            route: self.name.clone(),
            key: self.key.clone(),
            run: String::new(),
            model: String::new(),
            digest: blake3::hash(&self.body).to_hex().to_string(),
            tools: Vec::new(),
            folder: None,
            user: String::new(),
            results: Vec::new(),
            rule: None,
            answer: String::new(),
            status: 0,
        }
    }

    fn asked(&self, dialect: Dialect) -> Result<Asked, Reply> {
        let (head, body) = self.json(dialect)?;
        let asked = match dialect {
            Dialect::Responses => openai::responses::read(head, &body),
            Dialect::Chat => openai::chat::read(head, &body),
            Dialect::Messages => anthropic::read(head, &body),
            Dialect::GenerateContent => gemini::read(head, &body, "", false),
        };
        asked.map_err(|message| dialect.provider().refuse(400, message))
    }

    fn json(&self, dialect: Dialect) -> Result<(Letterhead, Value), Reply> {
        let body = serde_json::from_slice(&self.body)
            .map_err(|error| dialect.provider().refuse(400, &format!("the body is no JSON: {error}")))?;
        let head = Letterhead {
            key: self.key.clone(),
            run: RUN_HEADERS.iter().find_map(|name| self.headers.get(*name)).cloned(),
            digest: blake3::hash(&self.body).to_hex().to_string(),
            bytes: self.body.len(),
            at_ms: now_ms(),
        };
        Ok((head, body))
    }
}

impl Entry {
    fn tell(&mut self, asked: &Asked) {
        self.dialect = Some(asked.dialect);
        self.run.clone_from(&asked.run);
        self.model.clone_from(&asked.model);
        self.tools = asked.tools.iter().map(|tool| tool.name.clone()).collect();
        self.folder.clone_from(&asked.folder);
        self.user.clone_from(&asked.user);
        self.results = asked.results.iter().map(|result| result.text.clone()).collect();
    }
}
