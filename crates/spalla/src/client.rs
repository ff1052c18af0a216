//! The HTTP client of the commands: JSON in and out, and every refusal in the server's own words.

#[cfg(test)]
mod fuzz;
mod locate;
mod log_follow;

pub(crate) use locate::{Place, locate};
pub(crate) use log_follow::LogFollow;

use crate::exit::Exit;
use crate::failure::{Answer, Failure, Result};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use spalla_crash::crash_point;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one call may take; none of the commands' calls waits for work to be done.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it may take to read a file.
const FILE_TIMEOUT: Duration = Duration::from_secs(600);

/// How often a call is made again that came too soon: the server says when, and within a minute there is room again.
const LIMITED_MAX: u32 = 5;
/// How long the client waits before that at most, whatever the server says.
const LIMITED_WAIT_MAX: Duration = Duration::from_secs(60);

/// A connection to one server; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    place: Place,
}

/// The document of a refusal; members that are missing stay empty, whoever answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    title: String,
    detail: String,
    mend: Option<String>,
    errors: Vec<FieldProblem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FieldProblem {
    line: Option<u64>,
    column: Option<u64>,
    path: Option<String>,
    message: String,
    allowed: Vec<String>,
}

impl Client {
    /// Makes a client of the server at a place; does not connect yet.
    pub(crate) fn new(place: Place) -> Result<Self> {
        if place.url.starts_with("https://") {
            return Err(Failure::usage(format!("{}: this program speaks no TLS", place.url))
                .mend("reach the server through a tunnel or a proxy on this machine, by an http:// URL"));
        }
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy();
        let http = http.build().map_err(|error| Failure::failed(format!("preparing HTTP: {error}")))?;
        Ok(Self { http, place })
    }

    /// Returns where the server is.
    pub(crate) fn url(&self) -> &str {
        &self.place.url
    }

    /// Returns the token that is sent, where one is known.
    pub(crate) fn token(&self) -> Option<&str> {
        self.place.token.as_deref()
    }

    /// Reads something.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.get_as(path).await
    }

    /// Reads something of a known form.
    pub(crate) async fn get_as<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let text = self.call(Method::GET, path, None).await?;
        self.read(path, &text)
    }

    /// Reads a file piece by piece; a file that breaks off is an error.
    pub(crate) async fn download(
        &self,
        path: &str,
        mut write: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut response = self.send(Method::GET, path, None, FILE_TIMEOUT).await?;
        while let Some(piece) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            write(&piece)?;
        }
        Ok(())
    }

    /// Sends a wish and reads the answer; an answer without a body is null.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let text = self.call(Method::POST, path, Some(body)).await?;
        if text.is_empty() { Ok(Value::Null) } else { self.read(path, &text) }
    }

    /// Puts something away; some servers answer with what it has become.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.call(Method::DELETE, path, None).await.map(drop)
    }

    fn read<T: DeserializeOwned>(&self, path: &str, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| {
            Failure::failed(format!("the answer of {}{path} can't be read: {error}", self.place.url))
        })
    }

    /// Makes a call, and makes it again where the server has granted this client too many for now.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<String> {
        let response = self.send(method, path, body, CALL_TIMEOUT).await?;
        response.text().await.map_err(|error| self.unreachable(&error))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<Response> {
        let mut limited = 0;
        loop {
            let mut request =
                self.http.request(method.clone(), format!("{}{path}", self.place.url)).timeout(timeout);
            if let Some(token) = &self.place.token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = crash_point!("client.request.send", request.send().await);
            let response = response.map_err(|error| self.unreachable(&error))?;
            let (status, wait) = (response.status(), retry_after(response.headers()));
            if status.is_success() {
                return Ok(response);
            }
            let text = response.text().await.map_err(|error| self.unreachable(&error))?;
            if !is_limited(status, &text) || limited == LIMITED_MAX {
                let refusal = self.refusal(path, status, &text);
                return Err(refusal.answered(Answer::Status(status.as_u16())));
            }
            limited += 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// Says why nobody answered, with the innermost cause: the outer ones repeat the URL.
    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        self.away(&cause.to_string())
    }

    fn away(&self, reason: &str) -> Failure {
        let reason = reason.split(" (os error").next().unwrap_or_default().to_lowercase();
        let reason = reason.strip_prefix("io error: ").unwrap_or(&reason);
        Failure::usage(format!("no server answers at {} ({}): {reason}", self.place.url, self.place.found))
            .mend("start one with `spalla up`, or name another with --server URL")
            .answered(Answer::Unreachable)
    }

    fn refusal(&self, path: &str, status: StatusCode, text: &str) -> Failure {
        let problem: Problem = serde_json::from_str(text).unwrap_or_default();
        let exit = exit_of(status, &problem.code);
        if status == StatusCode::UNAUTHORIZED {
            return Failure::new(exit, format!("the server at {} does not accept the token", self.place.url))
                .mend("name its token with --token-file FILE or ORCH_TOKEN; `spalla token show` prints it where the server's data folder is");
        }
        let mut detail = problem.detail;
        if problem.errors.len() > 1 {
            // Each of them follows, the first as well.
            detail.truncate(detail.find("; the first: ").unwrap_or(detail.len()));
        }
        let says_something = |text: &String| text.contains(char::is_alphanumeric);
        let mut what = [detail, problem.title]
            .into_iter()
            .find(says_something)
            .unwrap_or_else(|| format!("the server answered {status} to {path}"));
        let mut mend = problem.mend;
        if problem.errors.len() > 1 {
            let places = problem.errors.iter().map(FieldProblem::in_words);
            mend.as_mut().unwrap_or(&mut what).extend(places);
        }
        let failure = Failure::new(exit, what);
        match mend {
            Some(mend) => failure.mend(mend),
            None => failure,
        }
    }
}

impl FieldProblem {
    fn in_words(&self) -> String {
        let place = match (self.line, self.column, self.path.as_deref()) {
            (Some(line), Some(column), _) => format!("line {line}, column {column}: "),
            (_, _, Some(path)) => format!("{path}: "),
            _ => String::new(),
        };
        let allowed =
            if self.allowed.is_empty() { String::new() } else { format!(" ({})", self.allowed.join(", ")) };
        format!("\n  {place}{}{allowed}", self.message)
    }
}

/// Tells whether a call was refused only because it came too soon; nothing was done then.
fn is_limited(status: StatusCode, text: &str) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        && serde_json::from_str::<Problem>(text).is_ok_and(|problem| problem.code == "rate_limited")
}

/// Returns how long the server wants to be left alone.
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).min(LIMITED_WAIT_MAX)
}

/// Returns the query part of a path; parameters without a value are left out.
pub(crate) fn query(parameters: &[(&str, Option<String>)]) -> String {
    let mut url = reqwest::Url::parse("http://query/").ok();
    if let Some(url) = &mut url {
        let given = parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        url.query_pairs_mut().extend_pairs(given);
    }
    let query = url.as_ref().and_then(reqwest::Url::query).filter(|query| !query.is_empty());
    query.map(|query| format!("?{query}")).unwrap_or_default()
}

fn exit_of(status: StatusCode, code: &str) -> Exit {
    match (status, code) {
        (_, "approval_pending") => Exit::Waits,
        (StatusCode::CONFLICT, _) => Exit::Stopped,
        (status, _) if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => Exit::Failed,
        _ => Exit::Usage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client::new(Place { url: "http://127.0.0.1:1".into(), token: None, found: "--server".into() })
            .unwrap()
    }

    #[test]
    fn a_refusal_speaks_the_servers_words_and_says_nothing_twice() {
        let text = r#"{"code": "invalid", "detail": "priority: 12 is not between 0 and 9",
            "errors": [{"line": 1, "column": 14, "path": "priority", "message": "12 is not between 0 and 9"}]}"#;
        let refusal = client().refusal("/x", StatusCode::UNPROCESSABLE_ENTITY, text);
        let expected = "priority: 12 is not between 0 and 9";
        assert_eq!((refusal.to_string().as_str(), refusal.exit), (expected, Exit::Usage));
    }

    #[test]
    fn a_call_that_came_too_soon_is_told_from_one_that_is_too_much() {
        let limited = |code: &str| {
            is_limited(StatusCode::TOO_MANY_REQUESTS, &format!(r#"{{"code": "{code}", "detail": "x"}}"#))
        };
        assert_eq!((limited("rate_limited"), limited("queue_full")), (true, false));
        let after = |value: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]));
        assert_eq!([after("7"), after("9999"), after("soon")].map(|wait| wait.as_secs()), [7, 60, 1]);
    }

    #[test]
    fn several_places_that_are_wrong_are_named_below_each_other() {
        let text = r#"{"code": "invalid_recipe", "mend": "mend the recipe there",
            "detail": "the recipe is not valid in 2 places; the first: line 2, column 3: unknown key `stepz`",
            "errors": [{"line": 2, "column": 3, "message": "unknown key `stepz`", "allowed": ["steps", "tools"]},
                       {"line": 4, "column": 1, "message": "tools is text"}]}"#;
        let refusal = client().refusal("/x", StatusCode::UNPROCESSABLE_ENTITY, text);
        let expected = "the recipe is not valid in 2 places; mend the recipe there\n  \
            line 2, column 3: unknown key `stepz` (steps, tools)\n  line 4, column 1: tools is text";
        assert_eq!(refusal.to_string(), expected);
    }

    #[test]
    fn the_exit_status_follows_the_kind_of_refusal() {
        let exit = |status: u16, code: &str| exit_of(StatusCode::from_u16(status).unwrap(), code);
        assert_eq!(exit(409, "approval_pending"), Exit::Waits);
        assert_eq!(exit(409, "lease_held"), Exit::Stopped);
        assert_eq!([exit(404, "not_found"), exit(422, "invalid"), exit(401, "")], [Exit::Usage; 3]);
        assert_eq!([exit(429, "rate_limited"), exit(503, "")], [Exit::Failed; 2]);
        assert_eq!(
            client().refusal("/x", StatusCode::BAD_GATEWAY, "<html>").to_string(),
            "the server answered 502 Bad Gateway to /x"
        );
        let text = r#"{"errors": [{}, {}], "detail": "; the first: "}"#;
        let refusal = client().refusal("/x", StatusCode::BAD_REQUEST, text).to_string();
        assert!(refusal.starts_with("the server answered 400 Bad Request to /x"), "{refusal}");
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_named_with_how_it_was_found() {
        let failure = client().get("/health").await.unwrap_err();
        let expected = "no server answers at http://127.0.0.1:1 (--server): connection refused; start one";
        assert!(failure.to_string().starts_with(expected), "{failure}");
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn a_query_escapes_what_a_person_types() {
        assert_eq!(
            query(&[("q", Some("a b&c".into())), ("label", None), ("limit", Some("5".into()))]),
            "?q=a+b%26c&limit=5"
        );
        assert_eq!(query(&[("q", None)]), "");
    }
}
