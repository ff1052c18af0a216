//! What an agent did, as far as it can be compared with what it did before: the call with all that it was given, and what came
//! of it. Two acts that are the same brought nothing new.

use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// One act of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// What people read of it.
    pub shown: String,
    /// The same for the same act; none for one that may have changed something nobody knows of.
    pub mark: Option<u64>,
}

impl Act {
    /// Makes the act of a tool from what it was given and what it said. Moments and durations in that are left out: a test
    /// that fails as before fails in another time.
    pub fn new(shown: impl Into<String>, tool: &str, given: &Value, outcome: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        tool.hash(&mut hasher);
        // Written out, since numbers of JSON can't be hashed.
        given.to_string().hash(&mut hasher);
        for word in outcome.split_whitespace().filter(|word| !is_time(word)) {
            word.hash(&mut hasher);
        }
        Self { shown: shown.into(), mark: Some(hasher.finish()) }
    }

    /// Makes an act that changed something, nobody tells how.
    pub fn change(shown: impl Into<String>) -> Self {
        Self { shown: shown.into(), mark: None }
    }
}

/// Tells whether a word is a moment or a duration, such as `0.03s`, `(12ms)`, `10:02:33` or `2026-11-20T10:00:00Z`.
fn is_time(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if unit.len() == word.len() {
        return false;
    }
    let is_moment = || {
        let mut marks = unit.chars().filter(|c| !c.is_ascii_digit());
        unit.starts_with([':', '-']) && marks.all(|c| matches!(c, ':' | '-' | '.' | ',' | 'T' | 'Z' | '+'))
    };
    matches!(unit, "s" | "ms" | "us" | "µs" | "ns" | "m" | "min" | "sec" | "secs" | "seconds") || is_moment()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mark(given: &Value, outcome: &str) -> Option<u64> {
        Act::new("x", "Bash", given, outcome).mark
    }

    #[test]
    fn the_same_call_with_the_same_outcome_is_the_same_act_whatever_time_it_took() {
        let given = json!({"command": "cargo test", "timeout": 5});
        let first = mark(&given, "1 failed; finished in 0.03s at 10:02:33 (12ms)");
        assert_eq!(first, mark(&given, "1 failed; finished in 1.20s at 2026-11-20T10:00:00Z (9ms)"));
        assert_ne!(first, mark(&given, "2 failed; finished in 0.03s at 10:02:33 (12ms)"));
        assert_ne!(first, mark(&json!({"command": "cargo check"}), "1 failed; finished in 0.03s"));
    }

    #[test]
    fn numbers_and_names_are_no_times() {
        let all = ["17", "17%", "3/4", "a.rs:12:3", "v1.2", "0x3f", "2s4", "line", ".5", "1-x"];
        let times: Vec<_> = all.into_iter().filter(|word| is_time(word)).collect();
        assert!(times.is_empty(), "{times:?}");
    }
}
