//! Calls of tools on their way: what they are is told at their beginning, what came of them in pieces, and only at their end
//! can one be compared with those before it.

use super::super::{shown, str_of};
use super::is_change;
use crate::act::Act;
use crate::heard::Heard;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// No more calls than these wait for their ends at once.
const CALLS_MAX: usize = 1_000;
/// What is told of a call.
const TOLD: [&str; 6] = ["title", "kind", "rawInput", "locations", "content", "rawOutput"];

/// The calls that are not over, by their ids.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<String, Value>);

impl Calls {
    /// Takes note of what is told of a call; returns what it did once it is over.
    pub(super) fn hear(&mut self, update: &Value) -> Option<Heard> {
        let id = str_of(update, "/toolCallId")?;
        let mut call = self.0.remove(id).unwrap_or_else(|| json!({}));
        for name in TOLD {
            if let Some(told) = update.get(name).filter(|told| !told.is_null()) {
                call[name] = told.clone();
            }
        }
        let status = str_of(update, "/status").unwrap_or_default();
        if matches!(status, "completed" | "failed") {
            return Some(Heard::Did(act(&call, status)));
        }
        if self.0.len() < CALLS_MAX {
            self.0.insert(id.to_owned(), call);
        }
        None
    }
}

fn act(call: &Value, status: &str) -> Act {
    let title = shown(str_of(call, "/title").unwrap_or("a tool"));
    let is_told = ["rawInput", "content"].iter().any(|name| !call[*name].is_null());
    if is_change(call) && !is_told && status == "completed" {
        return Act::change(title);
    }
    let outcome = format!("{status} {} {}", call["content"], call["rawOutput"]);
    let given = json!([call["title"], call["rawInput"], call["locations"]]);
    Act::new(title, str_of(call, "/kind").unwrap_or_default(), &given, &outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(begin: &Value, end: &Value) -> Option<u64> {
        let mut calls = Calls::default();
        assert_eq!(calls.hear(begin), None, "it only began");
        match calls.hear(end) {
            Some(Heard::Did(act)) => act.mark,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_is_the_same_when_it_was_given_the_same_and_came_to_the_same() {
        let begin = |id: &str, path: &str| json!({"toolCallId": id, "title": "Read", "kind": "read", "rawInput": {"path": path}});
        let end = |id: &str, text: &str| json!({"toolCallId": id, "status": "completed", "content": [{"content": {"text": text}}]});
        let first = mark(&begin("1", "a"), &end("1", "x"));
        assert_eq!(first, mark(&begin("2", "a"), &end("2", "x")));
        assert_ne!(first, mark(&begin("3", "a"), &end("3", "y")));
        assert_ne!(first, mark(&begin("4", "b"), &end("4", "x")));
    }

    #[test]
    fn a_change_of_which_nothing_is_told_is_like_no_other() {
        let begin = json!({"toolCallId": "1", "title": "Write a", "kind": "edit", "status": "pending"});
        assert_eq!(mark(&begin, &json!({"toolCallId": "1", "status": "completed"})), None);
        assert!(mark(&begin, &json!({"toolCallId": "1", "status": "failed"})).is_some());
    }
}
