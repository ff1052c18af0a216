//! How one piece of a plan is carried out, where its plan says more than who does it.

use crate::agent_policy::AgentPolicy;
use crate::resources::{Amounts, Named};
use crate::retry::Backoff;
use crate::work_item::{Policy, WORD_CHARS_MAX};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The most tries of one piece.
const ATTEMPTS_MAX: u32 = 10;
/// The longest parameters, in bytes: the agent reads them with its task.
const PARAMETERS_BYTES_MAX: usize = 64 * 1024;

/// How one piece is carried out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wishes {
    /// What carries it out; an agent where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<PieceExecutor>,
    /// What kind of work it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// How many tokens it may take, as whoever planned it thinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_tokens: Option<u64>,
    /// Whether its failure keeps what builds on it from beginning; it does where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
    /// How it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// What the agent is given beside its task.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// With what it shares bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// A command that has to succeed on the merged result, beside what the project's own files say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validator: Option<String>,
    /// What follows when it fails for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnError>,
    /// What the definition says that was named for it, as it was when the plan was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<AgentPolicy>>,
}

/// What carries a piece out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PieceExecutor {
    /// An agent, which is told the prompt.
    Agent,
    /// The worker, by the steps of the recipe that the prompt is.
    Recipe,
}

/// How a piece is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often it is tried, the first time among them.
    pub attempts: u32,
    /// How the wait grows.
    #[serde(default)]
    pub backoff: Backoff,
    /// The wait before the second try, in milliseconds; as the server says where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_ms: Option<i64>,
}

/// Pieces that share bounds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Its name; pieces without one are one group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many of its pieces go on at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// What a run of each needs: `cpu`, `memory_mb` and others by their names.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub resource_limits: Named,
}

/// What follows when a piece fails for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Nothing more of the session begins.
    Stop,
    /// What builds on it begins all the same.
    Continue,
}

impl Wishes {
    /// Tells whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether what builds on the piece begins also where it failed.
    pub fn may_fail(&self) -> bool {
        self.on_error == Some(OnError::Continue) || (self.on_error.is_none() && self.critical == Some(false))
    }

    /// Returns what a run needs; none where nothing is said.
    pub fn resources(&self) -> Option<Amounts> {
        let limits = self.group.as_ref().map(|group| &group.resource_limits)?;
        Amounts::from_named(limits.clone()).ok().filter(|amounts| !amounts.is_nothing())
    }

    /// Returns how a work item of it is tried again; what is not said stays as it is.
    pub fn policy(&self) -> Policy {
        let Some(retry) = self.retry else { return Policy::default() };
        Policy {
            max_retries: Some(retry.attempts.saturating_sub(1)),
            backoff: Some(retry.backoff),
            // What doubles begins with twice its base.
            backoff_base_ms: retry.base_ms.map(|base| match retry.backoff {
                Backoff::Fixed => base,
                Backoff::Exponential => base / 2,
            }),
            ..Policy::default()
        }
    }

    /// Says what is wrong with it.
    pub fn check(&self, wrong: &mut Vec<String>) {
        let mut say = |text: String| wrong.push(text);
        if let Some(category) = &self.category {
            let is_word = !category.trim().is_empty() && !category.chars().any(char::is_control);
            if !is_word || category.chars().count() > WORD_CHARS_MAX {
                say(format!("category is a word of up to {WORD_CHARS_MAX} characters"));
            }
        }
        if let Some(Retry { attempts, base_ms, .. }) = self.retry {
            if !(1..=ATTEMPTS_MAX).contains(&attempts) {
                say(format!("retry.attempts is 1 to {ATTEMPTS_MAX}"));
            }
            if base_ms.is_some_and(|base| !(0..=crate::retry::BACKOFF_MS_MAX).contains(&base)) {
                say("retry.base_ms is 0 to a day".to_owned());
            }
        }
        let parameters = serde_json::to_vec(&self.parameters).unwrap_or_default();
        if parameters.len() > PARAMETERS_BYTES_MAX {
            say(format!("parameters have {} bytes; at most {PARAMETERS_BYTES_MAX}", parameters.len()));
        }
        if let Some(group) = &self.group {
            if group.concurrency == Some(0) {
                say("group.concurrency is at least 1".to_owned());
            }
            if let Err(refusal) = Amounts::from_named(group.resource_limits.clone()) {
                say(format!("group.resource_limits: {}", refusal.detail));
            }
        }
        if self.validator.as_ref().is_some_and(|command| command.trim().is_empty()) {
            say("validator is empty".to_owned());
        }
    }

    /// Returns the task of an agent with what it is given beside.
    pub fn told(&self, prompt: &str) -> String {
        if self.parameters.is_empty() {
            return prompt.to_owned();
        }
        let parameters = serde_json::to_string_pretty(&self.parameters).unwrap_or_default();
        format!("{prompt}\n\nParameters, as JSON:\n\n{parameters}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Wishes {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_may_fail_is_what_is_not_critical_unless_an_error_stops_all() {
        assert!(!read("{}").may_fail());
        assert!(read(r#"{"critical": false}"#).may_fail());
        assert!(!read(r#"{"critical": false, "on_error": "stop"}"#).may_fail());
        assert!(read(r#"{"on_error": "continue"}"#).may_fail());
    }

    #[test]
    fn a_retry_waits_its_base_before_the_second_try() {
        let policy = read(r#"{"retry": {"attempts": 3, "base_ms": 500}}"#).policy();
        let retries = policy.retries(crate::retry::RetryPolicy::default());
        assert_eq!((retries.max_retries, [1, 2].map(|n| retries.delay_ms(n, 0.0))), (2, [500, 1_000]));
        let policy = read(r#"{"retry": {"attempts": 4, "backoff": "fixed", "base_ms": 500}}"#).policy();
        let retries = policy.retries(crate::retry::RetryPolicy::default());
        assert_eq!([1, 2, 3].map(|n| retries.delay_ms(n, 0.0)), [500; 3]);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let mut wrong = Vec::new();
        read(
            r#"{"category": " ", "retry": {"attempts": 0, "base_ms": -1}, "validator": "",
                "group": {"concurrency": 0, "resource_limits": {"memory_mb": -5}}}"#,
        )
        .check(&mut wrong);
        let said = wrong.join("; ");
        for part in ["category", "attempts", "base_ms", "validator", "concurrency", "memory_mb"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn an_agent_reads_its_parameters_with_its_task() {
        assert_eq!(read("{}").told("Do it"), "Do it");
        assert!(read(r#"{"parameters": {"port": 8}}"#).told("Do it").contains("\"port\": 8"));
    }
}
