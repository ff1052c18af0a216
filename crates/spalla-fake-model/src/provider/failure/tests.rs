//! Tests of errors: what each provider's clients look at stands where they look.

use super::Failure;
use crate::provider::Provider;
use crate::reply::Reply;
use crate::script::{Fail, Kind, Scope};
use serde_json::Value;

fn failing(provider: Provider, kind: Kind, retry_after_seconds: Option<u64>) -> Reply {
    let fail = Fail {
        kind,
        message: None,
        status: None,
        retry_after_seconds,
        in_stream: false,
        times: None,
        seconds: None,
        per: Scope::Run,
    };
    Failure::of(provider, &fail, 1_000_000_000_000, None).reply(provider)
}

fn body(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.frames.concat()).expect("JSON")
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

#[test]
fn codex_finds_the_end_of_its_window_in_body_and_headers() {
    let reply = failing(Provider::Openai, Kind::UsageLimit, Some(60));
    let error = &body(&reply)["error"];
    assert_eq!((reply.status, &error["type"]), (429, &Value::from("usage_limit_reached")));
    assert_eq!(error["resets_at"], 1_000_000_060);
    assert_eq!(header(&reply, "x-codex-primary-reset-at"), Some("1000000060"));
    assert_eq!(header(&reply, "retry-after"), Some("60"));
}

#[test]
fn claude_finds_the_end_of_its_window_in_headers() {
    let reply = failing(Provider::Anthropic, Kind::UsageLimit, None);
    assert_eq!((reply.status, &body(&reply)["error"]["type"]), (429, &Value::from("rate_limit_error")));
    assert_eq!(header(&reply, "anthropic-ratelimit-unified-status"), Some("rejected"));
    assert_eq!(header(&reply, "anthropic-ratelimit-unified-reset"), Some("1000018000"));
}

#[test]
fn anthropic_says_in_words_when_a_rate_limit_is_over() {
    let reply = failing(Provider::Anthropic, Kind::RateLimit, Some(5));
    assert_eq!(header(&reply, "anthropic-ratelimit-requests-reset"), Some("2001-09-09T01:46:45Z"));
}

#[test]
fn gemini_finds_quota_and_delay_in_the_details() {
    let reply = failing(Provider::Gemini, Kind::RateLimit, Some(3));
    let error = body(&reply)["error"].clone();
    assert_eq!(error["status"], "RESOURCE_EXHAUSTED");
    let quota = error["details"][0]["violations"][0]["quotaId"].as_str().expect("a quota");
    assert!(quota.contains("PerMinute"), "{quota}");
    assert_eq!(error["details"][1]["retryDelay"], "3s");
    let daily = body(&failing(Provider::Gemini, Kind::QuotaExhausted, None));
    assert!(daily.to_string().contains("PerDay"), "{daily}");
}

#[test]
fn overload_has_each_providers_own_status() {
    let status = |provider| failing(provider, Kind::Overloaded, None).status;
    assert_eq!([Provider::Openai, Provider::Anthropic, Provider::Gemini].map(status), [503, 529, 503]);
}
