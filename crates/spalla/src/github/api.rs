//! GitHub's REST API: paths in, JSON out. Limits are waited for and told, pages are followed, and every refusal is said in words
//! with what helps.

use super::exchange::{Got, Sent, check, exchange};
use super::token;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::failure::{Failure, Result};
use hyper::header::{self, HeaderMap};
use hyper::{Method, StatusCode};
use serde_json::Value;
use spalla_domain::secret::Secret;
use spalla_server::WebhookTrust;
use spalla_store::Clock as _;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How often a call that broke off, or that GitHub could not answer, is made again where that does no harm.
const TRIES: u32 = 3;
/// How long is waited before that.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long is waited at a limit of which GitHub does not say when it ends: as its documentation asks.
const LIMIT_UNSAID: Duration = Duration::from_secs(60);
/// How many pages are followed.
const PAGES_MAX: usize = 10;
/// The longest of GitHub's own words that is shown, in bytes.
const WORDS_MAX: usize = 500;

/// A way to the API; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    base: Url,
    token: Secret,
    trust: WebhookTrust,
    wait_max: Duration,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) etag: Option<String>,
    pub(super) next: Option<String>,
    pub(super) body: Value,
}

impl Api {
    /// Finds the token and makes a way; nothing is sent yet.
    pub(crate) async fn of(settings: &Settings) -> Result<Self> {
        let github = &settings.github;
        let wrong = |why: String| Failure::usage(format!("github.api_url {}: {why}", github.api_url));
        let base = Url::parse(&github.api_url).map_err(|error| wrong(error.to_string()))?;
        check(&base).map_err(wrong)?;
        let token = token::find(github, &base).await?;
        let trust = settings.github_trust()?;
        let wait_max = Duration::from_secs_f64(github.wait_seconds);
        Ok(Self(Arc::new(Inner { base, token, trust, wait_max })))
    }

    /// Returns what is shown to GitHub.
    pub(super) fn token(&self) -> &Secret {
        &self.0.token
    }

    /// Returns where the API is.
    pub(super) fn base(&self) -> &Url {
        &self.0.base
    }

    /// Reads something.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        Ok(self.call(Method::GET, path, None, None).await?.body)
    }

    /// Reads something; none where it is not there.
    pub(super) async fn find(&self, path: &str) -> Result<Option<Value>> {
        let answer = self.ask(Method::GET, path, None, None).await?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status if status.is_success() => Ok(Some(answer.body)),
            _ => Err(self.refused(&Method::GET, path, &answer)),
        }
    }

    /// Reads a list that may have several pages, from the first on.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut next = Some(path.to_owned());
        for _ in 0..PAGES_MAX {
            let Some(path) = next.take() else { break };
            let answer = self.call(Method::GET, &path, None, None).await?;
            next = answer.next;
            // A list within an object has its own name there.
            let list = answer.body.as_array().or_else(|| answer.body["check_runs"].as_array());
            all.extend(list.into_iter().flatten().cloned());
        }
        if next.is_some() {
            tracing::warn!("{path} has more than {PAGES_MAX} pages; the rest is left out");
        }
        Ok(all)
    }

    /// Makes something.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.call(Method::POST, path, Some(body), None).await?.body)
    }

    /// Changes something.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.call(Method::PATCH, path, Some(body), None).await?.body)
    }

    /// Makes a call that has to go well; `304` is an answer where an etag was given.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Answer> {
        let answer = self.ask(method.clone(), path, body, etag).await?;
        let is_same = etag.is_some() && answer.status == StatusCode::NOT_MODIFIED;
        if answer.status.is_success() || is_same {
            Ok(answer)
        } else {
            Err(self.refused(&method, path, &answer))
        }
    }

    /// Makes a call; limits are waited for, and what broke off is tried again where nothing could be done twice.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Answer> {
        let url = self.url(path)?;
        let mut waited = Duration::ZERO;
        let mut tries = 0;
        loop {
            tries += 1;
            let body = body.map(|body| body.to_string().into_bytes());
            let sent = Sent { method: method.clone(), url: &url, token: Some(&self.0.token), etag, body };
            let may_again = method != Method::POST && tries < TRIES;
            let got = match exchange(&self.0.trust, sent).await {
                Err(_) if may_again => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                    continue;
                }
                Err(why) => return Err(Failure::failed(format!("{method} {url}: {why}"))),
                Ok(got) if got.status.is_server_error() && may_again => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                    continue;
                }
                Ok(got) => got,
            };
            let answer = self.read(&got);
            let Some(limit) = limit_of(&got.headers, &answer, SystemClock.now().ms()) else {
                return Ok(answer);
            };
            waited += limit;
            if waited > self.0.wait_max {
                return Err(limited(limit, &answer));
            }
            tracing::warn!("GitHub takes no more calls for {} seconds; waiting", limit.as_secs());
            tokio::time::sleep(limit).await;
        }
    }

    fn url(&self, path: &str) -> Result<Url> {
        let base = self.0.base.as_str().trim_end_matches('/');
        let whole = if path.starts_with('/') { format!("{base}{path}") } else { path.to_owned() };
        let url = Url::parse(&whole).map_err(|error| Failure::failed(format!("{whole}: {error}")))?;
        // A page that leads elsewhere would be shown the token there.
        if url.origin() != self.0.base.origin() {
            return Err(Failure::failed(format!("GitHub's answer leads to {url}, which is another server")));
        }
        Ok(url)
    }

    fn read(&self, got: &Got) -> Answer {
        let text = |name: header::HeaderName| got.headers.get(name).and_then(|value| value.to_str().ok());
        Answer {
            status: got.status,
            etag: text(header::ETAG).map(str::to_owned),
            next: text(header::LINK).and_then(next_of),
            body: serde_json::from_slice(&got.body).unwrap_or(Value::Null),
        }
    }

    fn refused(&self, method: &Method, path: &str, answer: &Answer) -> Failure {
        let status = answer.status;
        let what = format!("GitHub answers {method} {path} with {status}{}", words(&answer.body));
        let failure = Failure::failed(what);
        match status {
            StatusCode::UNAUTHORIZED => failure.mend("the token is wrong or has expired; make a new one"),
            StatusCode::FORBIDDEN => failure.mend("let the token do that: contents, pull requests, issues and checks, each to write"),
            StatusCode::NOT_FOUND => failure.mend("it is not there, or the token does not reach it; look at github.repo and at the token's repositories"),
            status if status.is_redirection() => failure.mend("the repository was moved or renamed; set github.repo to its new name"),
            _ => failure,
        }
    }
}

/// Returns GitHub's own words about a refusal, on one line.
fn words(body: &Value) -> String {
    let errors = body["errors"].as_array().into_iter().flatten().filter_map(|error| {
        error["message"].as_str().or_else(|| error.as_str()).or_else(|| error["code"].as_str())
    });
    let all: Vec<&str> = body["message"].as_str().into_iter().chain(errors).collect();
    let all = all.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
    if all.is_empty() { all } else { format!(": {}", &all[..all.floor_char_boundary(WORDS_MAX)]) }
}

/// Returns how long a limit lasts that an answer tells of; none where it tells of none.
fn limit_of(headers: &HeaderMap, answer: &Answer, now_ms: i64) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let is_limit = matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    if !is_limit {
        return None;
    }
    let is_said =
        answer.body["message"].as_str().is_some_and(|text| text.to_lowercase().contains("rate limit"));
    let seconds = match (number("retry-after"), number("x-ratelimit-remaining"), number("x-ratelimit-reset"))
    {
        (Some(seconds), ..) => seconds,
        (None, Some(0), Some(reset)) => reset.saturating_sub(now_ms.div_euclid(1_000)).saturating_add(1),
        _ if is_said || answer.status == StatusCode::TOO_MANY_REQUESTS => return Some(LIMIT_UNSAID),
        // Forbidden for another reason.
        _ => return None,
    };
    // Whoever is told to come back at once, again and again, asks without end.
    Some(Duration::from_secs(u64::try_from(seconds.max(1)).unwrap_or(1)))
}

fn limited(limit: Duration, answer: &Answer) -> Failure {
    let seconds = limit.as_secs();
    Failure::failed(format!("GitHub takes no more calls for {seconds} seconds{}", words(&answer.body)))
        .mend("try again then, or let it wait longer with github.wait_seconds")
}

/// Returns where the next page is, of a header as `<URL>; rel="next", <URL>; rel="last"`.
fn next_of(link: &str) -> Option<String> {
    let parts = link.split(',').filter_map(|part| part.trim().strip_prefix('<')?.split_once('>'));
    let mut next = parts.filter(|(_, rest)| rest.split(';').any(|word| word.trim() == "rel=\"next\""));
    next.next().map(|(url, _)| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: Value) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), etag: None, next: None, body }
    }

    fn limit(status: u16, body: Value, headers: &[(&'static str, &str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), header::HeaderValue::from_str(value).unwrap())
        });
        limit_of(&headers.collect(), &answer(status, body), 1_000_000).map(|limit| limit.as_secs())
    }

    #[test]
    fn a_limit_lasts_as_long_as_github_says() {
        assert_eq!(limit(403, json!({}), &[("retry-after", "7")]), Some(7));
        assert_eq!(limit(429, json!({}), &[("retry-after", "0")]), Some(1));
        let reset = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")];
        assert_eq!(limit(403, json!({}), &reset), Some(31));
        assert_eq!(
            limit(403, json!({"message": "You have exceeded a secondary rate limit."}), &[]),
            Some(60)
        );
        assert_eq!(limit(429, json!({}), &[]), Some(60));
    }

    #[test]
    fn what_is_forbidden_for_good_is_no_limit() {
        assert_eq!(
            limit(
                403,
                json!({"message": "Resource not accessible by integration"}),
                &[("x-ratelimit-remaining", "4999")]
            ),
            None
        );
        assert_eq!(
            limit(200, json!({}), &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")]),
            None
        );
    }

    #[test]
    fn the_next_page_is_found_among_others() {
        let link = "<https://api.github.com/x?page=1>; rel=\"prev\", <https://api.github.com/x?page=3>; rel=\"next\"";
        assert_eq!(next_of(link).as_deref(), Some("https://api.github.com/x?page=3"));
        assert_eq!((next_of("<https://a>; rel=\"last\""), next_of("nonsense")), (None, None));
    }

    #[test]
    fn a_refusal_has_githubs_own_words() {
        let body = json!({"message": "Validation Failed", "errors": [{"message": "No commits between main and x"}, {"code": "custom"}]});
        assert_eq!(words(&body), ": Validation Failed; No commits between main and x; custom");
        assert_eq!(words(&Value::Null), "");
    }
}
