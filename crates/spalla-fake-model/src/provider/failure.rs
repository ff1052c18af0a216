//! The errors of each provider: status, headers and body, as their API references and their own clients have them.

use super::Provider;
use crate::reply::Reply;
use crate::script::{Fail, Kind};
use serde_json::{Value, json};

/// An account's allowance resets after so many seconds where the script says nothing: Codex's and Claude's short window.
const USAGE_WINDOW_SECONDS: u64 = 5 * 3600;

/// A failure in the words of one provider.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// What went wrong.
    pub(crate) kind: Kind,
    /// The status.
    pub(crate) status: u16,
    /// What the provider's clients look at: a code, a type or a status in words.
    pub(crate) code: &'static str,
    /// The message.
    pub(crate) message: String,
    /// When it is over, in seconds from now, where the provider says so.
    retry_after: Option<u64>,
    now_ms: i64,
}

impl Failure {
    /// Puts what the script says into the provider's words. A failure that is over at a time announces that time, however
    /// often it is met until then.
    pub(crate) fn of(provider: Provider, fail: &Fail, now_ms: i64, over_at_ms: Option<i64>) -> Self {
        let (status, code, message) = usual(provider, fail.kind);
        let window = (fail.kind == Kind::UsageLimit).then_some(USAGE_WINDOW_SECONDS);
        let left =
            over_at_ms.map(|over_at_ms| u64::try_from(over_at_ms - now_ms).unwrap_or(0).div_ceil(1000));
        let retry_after = fail.retry_after_seconds.or(left).or(window);
        Self {
            kind: fail.kind,
            status: fail.status.unwrap_or(status),
            code,
            message: fail.message.clone().unwrap_or_else(|| message.to_owned()),
            retry_after,
            now_ms,
        }
    }

    /// Returns the error as it is answered instead of an answer.
    pub(crate) fn reply(&self, provider: Provider) -> Reply {
        let reply = Reply::json(self.status, &self.body(provider));
        let mut headers = self.headers(provider);
        if let Some(seconds) = self.retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        headers.into_iter().fold(reply, |reply, (name, value)| reply.with(name, value))
    }

    fn body(&self, provider: Provider) -> Value {
        match provider {
            Provider::Openai if self.kind == Kind::UsageLimit => self.codex_usage_limit(),
            Provider::Openai => openai_body(self.kind, self.code, &self.message),
            Provider::Anthropic => anthropic_body(self.code, &self.message),
            Provider::Gemini => self.gemini_body(),
        }
    }

    fn headers(&self, provider: Provider) -> Vec<(&'static str, String)> {
        match (provider, self.kind) {
            (Provider::Openai, Kind::RateLimit) => vec![
                ("x-ratelimit-limit-requests", "500".to_owned()),
                ("x-ratelimit-remaining-requests", "0".to_owned()),
                ("x-ratelimit-reset-requests", format!("{}s", self.retry_after.unwrap_or(1))),
            ],
            (Provider::Openai, Kind::UsageLimit) => vec![
                ("x-codex-plan-type", "plus".to_owned()),
                ("x-codex-primary-used-percent", "100".to_owned()),
                ("x-codex-primary-window-minutes", "300".to_owned()),
                ("x-codex-primary-reset-at", self.resets_at().to_string()),
                ("x-codex-primary-reset-after-seconds", self.retry_after.unwrap_or_default().to_string()),
            ],
            (Provider::Anthropic, Kind::RateLimit) => vec![
                ("anthropic-ratelimit-requests-limit", "50".to_owned()),
                ("anthropic-ratelimit-requests-remaining", "0".to_owned()),
                ("anthropic-ratelimit-requests-reset", self.resets_at_in_words()),
            ],
            (Provider::Anthropic, Kind::UsageLimit) => vec![
                ("anthropic-ratelimit-unified-status", "rejected".to_owned()),
                ("anthropic-ratelimit-unified-representative-claim", "five_hour".to_owned()),
                ("anthropic-ratelimit-unified-reset", self.resets_at().to_string()),
                ("anthropic-ratelimit-unified-5h-status", "rejected".to_owned()),
                ("anthropic-ratelimit-unified-5h-utilization", "1.0".to_owned()),
                ("anthropic-ratelimit-unified-5h-reset", self.resets_at().to_string()),
            ],
            _ => Vec::new(),
        }
    }

    /// The body that Codex reads the end of a subscription's window from.
    fn codex_usage_limit(&self) -> Value {
        json!({ "error": {
            "type": self.code,
            "message": self.message,
            "plan_type": "plus",
            "resets_at": self.resets_at(),
            "resets_in_seconds": self.retry_after.unwrap_or_default(),
        } })
    }

    /// Google's errors say in their details which quota it was and when to come again: the Gemini CLI tells by them
    /// whether it is worth waiting.
    fn gemini_body(&self) -> Value {
        let quota = |id: &str| {
            json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{
                    "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                    "quotaId": id,
                }],
            })
        };
        let mut details = match self.kind {
            Kind::RateLimit => vec![quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")],
            Kind::UsageLimit | Kind::QuotaExhausted => {
                vec![quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")]
            }
            _ => Vec::new(),
        };
        if let Some(seconds) = self.retry_after {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{seconds}s"),
            }));
        }
        let mut body = gemini_body(self.status, self.code, &self.message);
        if !details.is_empty() {
            body["error"]["details"] = Value::Array(details);
        }
        body
    }

    /// Returns when it is over, in seconds since 1970.
    fn resets_at(&self) -> i64 {
        self.now_ms / 1000 + i64::try_from(self.retry_after.unwrap_or_default()).unwrap_or_default()
    }

    fn resets_at_in_words(&self) -> String {
        jiff::Timestamp::from_second(self.resets_at()).unwrap_or_default().to_string()
    }
}

/// Status, code and message as the provider has them.
fn usual(provider: Provider, kind: Kind) -> (u16, &'static str, &'static str) {
    match provider {
        Provider::Openai => usual_of_openai(kind),
        Provider::Anthropic => usual_of_anthropic(kind),
        Provider::Gemini => usual_of_gemini(kind),
    }
}

fn usual_of_openai(kind: Kind) -> (u16, &'static str, &'static str) {
    match kind {
        Kind::RateLimit => (
            429,
            "rate_limit_exceeded",
            "Rate limit reached for requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.",
        ),
        Kind::UsageLimit => (429, "usage_limit_reached", "The usage limit has been reached"),
        Kind::QuotaExhausted => (
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Kind::Overloaded => {
            (503, "server_is_overloaded", "Our servers are currently overloaded. Please try again later.")
        }
        Kind::ServerError => (500, "server_error", "The server had an error while processing your request."),
        Kind::ContextTooLong => (
            400,
            "context_length_exceeded",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
        ),
        Kind::Unauthorized => (401, "invalid_api_key", "Incorrect API key provided."),
        Kind::BadRequest => (400, "invalid_value", "The request is invalid."),
    }
}

fn usual_of_anthropic(kind: Kind) -> (u16, &'static str, &'static str) {
    match kind {
        Kind::RateLimit => (
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50 requests per minute.",
        ),
        Kind::UsageLimit => (
            429,
            "rate_limit_error",
            "This request would exceed your account's rate limit. Please try again later.",
        ),
        Kind::QuotaExhausted => (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
        ),
        Kind::Overloaded => (529, "overloaded_error", "Overloaded"),
        Kind::ServerError => (500, "api_error", "Internal server error"),
        Kind::ContextTooLong => {
            (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum")
        }
        Kind::Unauthorized => (401, "authentication_error", "invalid x-api-key"),
        Kind::BadRequest => (400, "invalid_request_error", "The request is invalid."),
    }
}

fn usual_of_gemini(kind: Kind) -> (u16, &'static str, &'static str) {
    match kind {
        Kind::RateLimit | Kind::UsageLimit | Kind::QuotaExhausted => (
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Kind::Overloaded => (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        Kind::ServerError => (500, "INTERNAL", "An internal error has occurred. Please retry."),
        Kind::ContextTooLong => (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        ),
        Kind::Unauthorized => (401, "UNAUTHENTICATED", "API keys are not supported or not valid here."),
        Kind::BadRequest => (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    }
}

/// Returns the body of an error that no script asked for.
pub(crate) fn plain_body(provider: Provider, status: u16, message: &str) -> Value {
    match provider {
        Provider::Openai => openai_body(Kind::BadRequest, "invalid_value", message),
        Provider::Anthropic => {
            anthropic_body(if status == 404 { "not_found_error" } else { "invalid_request_error" }, message)
        }
        Provider::Gemini => {
            gemini_body(status, if status == 404 { "NOT_FOUND" } else { "INVALID_ARGUMENT" }, message)
        }
    }
}

fn openai_body(kind: Kind, code: &str, message: &str) -> Value {
    let class = match kind {
        Kind::RateLimit => "requests",
        Kind::UsageLimit | Kind::QuotaExhausted => code,
        Kind::Overloaded | Kind::ServerError => "server_error",
        Kind::ContextTooLong | Kind::Unauthorized | Kind::BadRequest => "invalid_request_error",
    };
    json!({ "error": { "message": message, "type": class, "param": null, "code": code } })
}

fn anthropic_body(class: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": class, "message": message } })
}

fn gemini_body(status: u16, code: &str, message: &str) -> Value {
    json!({ "error": { "code": status, "message": message, "status": code } })
}

#[cfg(test)]
mod tests;
