//! What goes wrong around an agent's work, and by which words it is known.

use crate::reset::resets_at;
use jiff::Timestamp;
use regex::Regex;
use serde::{Deserialize, Serialize};

/// Why something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Asked too often; it passes soon.
    RateLimit,
    /// What may be used is used up, until a reset or a payment.
    Quota,
    /// The service has too much to do.
    Overloaded,
    /// The service failed.
    ServerError,
    /// The service was not reached, or the connection broke.
    Network,
    /// The key or the login is missing or wrong.
    Auth,
    /// The conversation is longer than the model takes.
    ContextFull,
    /// The service calls the request wrong.
    BadRequest,
    /// The model would not do it.
    Refusal,
    /// The command line does not trust the folder.
    Untrusted,
    /// A path is outside of the folders that the command line allows.
    OutsideWorkspace,
    /// A tool or a path was not allowed.
    Denied,
    /// The command line does not know an argument.
    Usage,
    /// The agent's process broke.
    Crashed,
    /// Nobody knows.
    Unknown,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub cause: Cause,
    /// What was said.
    pub text: String,
    /// Whether the turn ended with it; otherwise the agent tries again by itself.
    pub is_final: bool,
    /// When it is over, where that was said.
    pub resets_at: Option<Timestamp>,
}

/// By which words a cause is known.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// A regular expression, without regard to case.
    #[serde(rename = "match", deserialize_with = "regex")]
    pub words: Regex,
    /// What it means.
    pub cause: Cause,
}

/// Patterns in the order in which they are tried.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Patterns(pub Vec<Pattern>);

impl Patterns {
    /// Returns what a text means by the first pattern that it has.
    pub fn cause_of(&self, text: &str) -> Option<Cause> {
        self.0.iter().find(|pattern| pattern.words.is_match(text)).map(|pattern| pattern.cause)
    }

    /// Makes the trouble of a text, by a status of HTTP where there was one.
    pub fn trouble(&self, text: &str, status: Option<u16>, is_final: bool, now: Timestamp) -> Trouble {
        let known = self.cause_of(text);
        let cause = match (known, status.and_then(Cause::of_status)) {
            // Words say more: that a quota is used up comes with the same status as a limit that passes soon.
            (Some(cause), _) | (None, Some(cause)) => cause,
            (None, None) => Cause::Unknown,
        };
        let limits = matches!(cause, Cause::RateLimit | Cause::Quota | Cause::Overloaded);
        let resets_at = limits.then(|| resets_at(text, now)).flatten();
        Trouble { cause, text: text.to_owned(), is_final, resets_at }
    }
}

impl Cause {
    /// Returns what a status of HTTP means.
    pub const fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            401 | 403 => Self::Auth,
            408 => Self::Network,
            402 => Self::Quota,
            // What is sent is the conversation: nothing else of a request grows.
            413 => Self::ContextFull,
            429 => Self::RateLimit,
            529 => Self::Overloaded,
            400..=499 => Self::BadRequest,
            503 => Self::Overloaded,
            500..=599 => Self::ServerError,
            _ => return None,
        })
    }
}

fn regex<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    let text = String::deserialize(deserializer)?;
    regex::RegexBuilder::new(&text).case_insensitive(true).build().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns() -> Patterns {
        toml::from_str::<std::collections::BTreeMap<String, Patterns>>(
            r#"
            [[trouble]]
            match = "quota exceeded|usage limit"
            cause = "quota"
            [[trouble]]
            match = "429"
            cause = "rate_limit"
            "#,
        )
        .unwrap()
        .remove("trouble")
        .unwrap()
    }

    #[test]
    fn words_say_more_than_a_status_and_a_status_more_than_nothing() {
        let trouble = |text, status| patterns().trouble(text, status, true, Timestamp::UNIX_EPOCH).cause;
        assert_eq!(trouble("Quota exceeded. Check your plan", Some(429)), Cause::Quota);
        assert_eq!(trouble("slow down", Some(429)), Cause::RateLimit);
        assert_eq!(trouble("last status: 429 Too Many Requests", None), Cause::RateLimit);
        assert_eq!(trouble("something", None), Cause::Unknown);
        assert_eq!(trouble("something", Some(200)), Cause::Unknown);
    }
}
