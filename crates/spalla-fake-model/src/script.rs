//! The script: which answer a request gets, as data. It speaks in acts (“write a file”), never in the words of one
//! provider or one CLI. `docs/fake-model.md` shows it whole.

mod check;

use crate::provider::Provider;
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A script: the first rule that fits a request answers it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The rules, in the order in which they are tried.
    pub rules: Vec<Rule>,
}

/// What is answered, and to which requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What the journal calls it; its number otherwise.
    pub name: Option<String>,
    /// The requests that it answers; all where nothing is said.
    #[serde(default)]
    pub when: When,
    /// What the model does, from the person's last words on.
    pub then: Vec<Act>,
}

/// Conditions of a rule; all that are given have to hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// Whose protocol the request speaks.
    pub provider: Option<Provider>,
    /// The key that the request carries.
    pub key: Option<Pattern>,
    /// The model that it names.
    pub model: Option<Pattern>,
    /// The person's last words.
    pub user: Option<Pattern>,
    /// What the CLI told the model beforehand.
    pub system: Option<Pattern>,
    /// Headers by their names in small letters; one that is missing does not fit.
    pub headers: BTreeMap<String, Pattern>,
    /// Only the request with this number, counted from 1.
    pub nth: Option<u64>,
    /// Within what `nth` counts.
    pub per: Scope,
    /// Whether the result of a tool has come since the person's last words.
    pub tool_result: Option<bool>,
}

/// Among which requests something is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One conversation of one CLI with one key.
    #[default]
    Run,
    /// All requests with one key: an account.
    Key,
}

/// One act of the model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Says a text.
    Say(String),
    /// Thinks aloud: a summary of reasoning, where the protocol has one.
    Think(String),
    /// Writes a file with the tool that the CLI offers for it.
    Write {
        /// Relative to the folder in which the CLI works, or absolute.
        path: String,
        /// The whole content.
        text: String,
        /// Whether the file is there already: Claude Code wants it read first.
        #[serde(default)]
        replaces: bool,
    },
    /// Runs a shell command with the tool that the CLI offers for it.
    Run(String),
    /// Calls a tool by its name.
    Call {
        /// The tool's name.
        tool: String,
        /// Its arguments; a string for a tool that takes plain text.
        arguments: serde_json::Value,
    },
    /// Answers with this value, which has to match the schema that the request asks for.
    Json(serde_json::Value),
    /// Declines, as the provider's model would.
    Refuse(String),
    /// Waits before the answer begins.
    DelayMs(u64),
    /// Reports these tokens for the answer instead of an estimate.
    Usage(Tokens),
    /// Fails with an error of the provider.
    Fail(Fail),
    /// Breaks the answer off midway: the connection closes.
    Cut(Spell),
    /// Says nothing more until the client goes.
    Hang(Hang),
    /// Puts an event that is no JSON into the middle.
    Garble(Spell),
    /// Sends the answer in small pieces.
    Drip {
        /// The size of a piece.
        bytes: usize,
        /// The pause between two.
        every_ms: u64,
    },
}

/// Tokens that an answer reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// What was read, with what came from the cache.
    pub input: u64,
    /// What of it came from the cache.
    #[serde(default)]
    pub cached: u64,
    /// What was said, with the reasoning.
    pub output: u64,
    /// What of it was reasoning.
    #[serde(default)]
    pub reasoning: u64,
}

/// How long a fault lasts; for ever where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spell {
    /// The first so many requests.
    pub times: Option<u64>,
    /// Those within so many seconds of the first one.
    pub seconds: Option<u64>,
    /// Among which requests they are counted.
    pub per: Scope,
}

/// A silence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hang {
    /// After half of the answer instead of before its first byte.
    pub midway: bool,
    /// The first so many requests.
    pub times: Option<u64>,
    /// Those within so many seconds of the first one.
    pub seconds: Option<u64>,
    /// Among which requests they are counted.
    pub per: Scope,
}

/// An error of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// Which one; status, headers and body follow from it and from the provider.
    pub kind: Kind,
    /// Another message than the provider's usual one.
    pub message: Option<String>,
    /// Another status than the provider's usual one.
    pub status: Option<u16>,
    /// After how many seconds the provider says that it is over.
    pub retry_after_seconds: Option<u64>,
    /// Whether it is told as an event of a stream that began well.
    #[serde(default)]
    pub in_stream: bool,
    /// The first so many requests.
    pub times: Option<u64>,
    /// Those within so many seconds of the first one.
    pub seconds: Option<u64>,
    /// Among which requests they are counted.
    #[serde(default)]
    pub per: Scope,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Too many requests; goes over within seconds.
    RateLimit,
    /// The account's allowance is used up until it resets.
    UsageLimit,
    /// Nothing is left to pay with.
    QuotaExhausted,
    /// The provider has no room now.
    Overloaded,
    /// The provider broke down.
    ServerError,
    /// The conversation is longer than the model can read.
    ContextTooLong,
    /// The key is not known.
    Unauthorized,
    /// The request is wrong.
    BadRequest,
}

impl Spell {
    /// Returns when a fault that began then is over, in milliseconds since 1970, where the script says so.
    pub(crate) fn end_ms(&self, since_ms: i64) -> Option<i64> {
        let milliseconds = i64::try_from(self.seconds?.saturating_mul(1000)).unwrap_or(i64::MAX);
        Some(since_ms.saturating_add(milliseconds))
    }
}

impl Hang {
    /// Returns how long the fault lasts.
    pub fn spell(&self) -> Spell {
        Spell { times: self.times, seconds: self.seconds, per: self.per }
    }
}

impl Fail {
    /// Returns how long the fault lasts.
    pub fn spell(&self) -> Spell {
        Spell { times: self.times, seconds: self.seconds, per: self.per }
    }
}

/// A regular expression that is searched for.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(Regex);

impl Pattern {
    /// Tells whether the expression is found in the text.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Regex::new(&text).map(Self)
    }
}

/// Why a script can't be played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("reading the script {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file's name says neither JSON nor TOML.
    #[error("the script {} ends neither in .json nor in .toml", .0.display())]
    Ending(PathBuf),
    /// The text is no script in JSON.
    #[error("the script is no JSON of the expected form")]
    Json(#[from] serde_json::Error),
    /// The text is no script in TOML.
    #[error("the script is no TOML of the expected form")]
    Toml(#[from] toml::de::Error),
    /// The script has the form but makes no sense.
    #[error("rule {rule} of the script: {what}")]
    Sense {
        /// The rule's name or number.
        rule: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Script {
    /// Reads a script from a file that ends in `.json` or `.toml`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => Self::from_json(&text),
            Some("toml") => Self::from_toml(&text),
            _ => Err(Error::Ending(path.to_owned())),
        }
    }

    /// Reads a script from JSON.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        check::sensible(serde_json::from_str(text)?)
    }

    /// Reads a script from a JSON value.
    pub fn from_value(value: serde_json::Value) -> Result<Self, Error> {
        check::sensible(serde_json::from_value(value)?)
    }

    /// Reads a script from TOML.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        check::sensible(toml::from_str(text)?)
    }

    /// Returns what the journal calls a rule.
    pub(crate) fn name_of(&self, index: usize) -> String {
        self.rules.get(index).and_then(|rule| rule.name.clone()).unwrap_or_else(|| (index + 1).to_string())
    }
}

#[cfg(test)]
mod tests;
