//! What is done about a failure: how bad it is, what it has to do with, and which rule says whether it is tried again.
//! The rules are data, and the first that applies decides; where none does, a person has to look.

use crate::retry::{ErrorClass, RetryPolicy};
use serde::{Deserialize, Serialize};

/// The most rules there may be.
pub const RULES_MAX: usize = 100;

/// The largest file of rules, in bytes.
pub const RULES_BYTES_MAX: usize = 256 * 1024;

/// How bad a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It passes by itself.
    Low,
    /// The work failed.
    Medium,
    /// It can't go on without a change.
    High,
    /// What carries runs out broke.
    Critical,
}

/// What a failure has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// What was asked for.
    Validation,
    /// The network, or a service beyond it.
    Network,
    /// The machine, or the process that carried the run out.
    System,
    /// The work itself.
    Business,
    /// What is allowed.
    Security,
}

impl ErrorClass {
    /// Returns how bad a failure of this class is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Network | Self::RateLimited => Severity::Low,
            Self::Failed | Self::TimedOut => Severity::Medium,
            Self::Validation | Self::Denied | Self::Policy | Self::System | Self::Lost => Severity::High,
            Self::Crashed => Severity::Critical,
        }
    }

    /// Returns what a failure of this class has to do with.
    pub const fn category(self) -> Category {
        match self {
            Self::Validation => Category::Validation,
            Self::Network | Self::RateLimited => Category::Network,
            Self::System | Self::Lost | Self::Crashed => Category::System,
            Self::Failed | Self::TimedOut => Category::Business,
            Self::Denied | Self::Policy => Category::Security,
        }
    }
}

/// The rules, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// When it applies: one of these words of any kind has to be the failure's. Nothing at all is every failure.
    #[serde(default, skip_serializing_if = "When::is_any")]
    pub when: When,
    /// How often the item is tried again; none is as the server and the item say, 0 is not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The base of the delay before that, in milliseconds; none is as the server and the item say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<i64>,
}

/// Which failures a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// Of these classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class: Vec<ErrorClass>,
    /// Of these categories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<Category>,
    /// So bad.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub severity: Vec<Severity>,
}

impl When {
    fn is_any(&self) -> bool {
        self.class.is_empty() && self.category.is_empty() && self.severity.is_empty()
    }

    fn fits(&self, class: ErrorClass) -> bool {
        self.is_any()
            || self.class.contains(&class)
            || self.category.contains(&class.category())
            || self.severity.contains(&class.severity())
    }
}

impl Rules {
    /// Returns the rules that are in force where nobody wrote others. A server that retries less, or sooner, does so for
    /// every class.
    pub fn built_in(server: RetryPolicy) -> Self {
        let attempts = |most: u32| Some(most.min(server.max_retries));
        let delay_ms = |ms: i64| Some(ms.min(server.backoff_base_ms));
        let rule =
            |name: &str, when: When, attempts, delay_ms| Rule { name: name.into(), when, attempts, delay_ms };
        let of_class = |class: &[ErrorClass]| When { class: class.to_vec(), ..When::default() };
        let network = When { category: vec![Category::Network], ..When::default() };
        let critical = When { severity: vec![Severity::Critical], ..of_class(&[ErrorClass::Crashed]) };
        let work =
            of_class(&[ErrorClass::Failed, ErrorClass::TimedOut, ErrorClass::System, ErrorClass::Lost]);
        Self {
            rules: vec![
                rule("retry-network-errors", network, attempts(3), delay_ms(1_000)),
                rule("restart-agent", critical, attempts(1), delay_ms(5_000)),
                rule("retry-work", work, None, None),
            ],
        }
    }

    /// Reads rules from YAML.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > RULES_BYTES_MAX {
            return Err(format!("{} bytes; at most {RULES_BYTES_MAX} are read", text.len()));
        }
        let rules: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        rules.check()?;
        Ok(rules)
    }

    /// Checks what a person wrote.
    fn check(&self) -> Result<(), String> {
        if self.rules.len() > RULES_MAX {
            return Err(format!("{} rules; at most {RULES_MAX} are tried", self.rules.len()));
        }
        for rule in &self.rules {
            if rule.name.trim().is_empty() {
                return Err("a rule has no name".to_owned());
            }
            if rule.delay_ms.is_some_and(|ms| ms < 0) {
                return Err(format!("rule {}: delay_ms is below 0", rule.name));
            }
        }
        Ok(())
    }

    /// Returns the first rule that applies to a failure.
    pub fn rule(&self, class: ErrorClass) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.when.fits(class))
    }

    /// Returns how a failure is retried where its item says nothing, under what the server says; not at all where no
    /// rule applies.
    pub fn retries(&self, class: ErrorClass, server: RetryPolicy) -> RetryPolicy {
        let Some(Rule { attempts, delay_ms, .. }) = self.rule(class) else {
            return RetryPolicy { max_retries: 0, ..server };
        };
        RetryPolicy {
            max_retries: attempts.unwrap_or(server.max_retries),
            backoff: server.backoff,
            backoff_base_ms: delay_ms.unwrap_or(server.backoff_base_ms),
            // A base of its own brings its own jitter: half of it.
            backoff_jitter_ms: delay_ms.map_or(server.backoff_jitter_ms, |base| base / 2),
        }
    }

    /// Tells whether a failure is tried again at all, whoever says how often.
    pub fn is_recoverable(&self, class: ErrorClass) -> bool {
        class.is_retryable() && self.rule(class).is_some_and(|rule| rule.attempts != Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: RetryPolicy = RetryPolicy {
        max_retries: 9,
        backoff: crate::retry::Backoff::Exponential,
        backoff_base_ms: 7_000,
        backoff_jitter_ms: 7,
    };

    #[test]
    fn the_network_is_tried_three_times_a_crash_once_and_work_as_the_server_says() {
        let rules = Rules::built_in(SERVER);
        let told = |class| {
            let policy = rules.retries(class, SERVER);
            (policy.max_retries, policy.backoff_base_ms)
        };
        assert_eq!(told(ErrorClass::Network), (3, 1_000));
        assert_eq!(told(ErrorClass::Crashed), (1, 5_000));
        assert_eq!([ErrorClass::Failed, ErrorClass::Lost].map(told), [(9, 7_000); 2]);
        assert_eq!(told(ErrorClass::Denied).0, 0);
        let hasty = RetryPolicy { max_retries: 0, backoff_base_ms: 50, backoff_jitter_ms: 0, ..SERVER };
        let policy = Rules::built_in(hasty).retries(ErrorClass::Network, hasty);
        assert_eq!((policy.max_retries, policy.backoff_base_ms), (0, 50));
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let rule = |name: &str, when, attempts| Rule { name: name.into(), when, attempts, delay_ms: None };
        let business = When { category: vec![Category::Business], ..When::default() };
        let rules =
            Rules { rules: vec![rule("work", business, Some(0)), rule("rest", When::default(), Some(5))] };
        assert_eq!(rules.retries(ErrorClass::Failed, SERVER).max_retries, 0);
        assert_eq!(rules.retries(ErrorClass::System, SERVER).max_retries, 5);
        assert_eq!([ErrorClass::Failed, ErrorClass::System].map(|c| rules.is_recoverable(c)), [false, true]);
        assert!(!rules.is_recoverable(ErrorClass::Validation), "without a change it can't help");
    }

    #[test]
    fn rules_are_read_strictly() {
        let text = "rules:\n  - {name: n, when: {category: [network]}, attempts: 2, delay_ms: 10}\n";
        assert_eq!(Rules::parse(text).unwrap().rules[0].attempts, Some(2));
        for bad in [
            "rules: [{name: n, tries: 2}]",
            "rules: [{name: n, when: {class: [odd]}}]",
            "rules: [{name: ' '}]",
            "rules: [{name: n, delay_ms: -1}]",
            "",
            &"#".repeat(RULES_BYTES_MAX + 1),
        ] {
            assert!(Rules::parse(bad).is_err(), "{bad:.60}");
        }
    }
}
