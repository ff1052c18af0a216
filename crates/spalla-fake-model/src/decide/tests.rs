//! Tests of which rule answers, of the answer that is due, and of faults that end.

use super::{Decision, decide};
use crate::asked::{Asked, Conversation, Letterhead, ToolResult, Turn};
use crate::counters::Counters;
use crate::provider::Dialect;
use crate::script::Script;
use crate::tools::Tool;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn script(rules: Value) -> Script {
    Script::from_value(json!({ "rules": rules })).expect("a script")
}

/// A request of a run with its last words and the ids of the results since then.
fn asked(run: &str, words: &str, results: &[&str]) -> Asked {
    let head = Letterhead {
        key: "key-1".to_owned(),
        run: Some(run.to_owned()),
        digest: format!("{:0<64}", format!("{:x}", results.len() + 10)),
        bytes: 400,
        at_ms: 0,
    };
    let result = |id: &&str| Turn::Result(ToolResult { id: (*id).to_owned(), text: String::new() });
    let turns = [Turn::User(vec![words.to_owned()])].into_iter().chain(results.iter().map(result)).collect();
    let mut asked =
        Asked::new(Dialect::Chat, head, Conversation { system: vec!["Be brave.".to_owned()], turns });
    asked.tools = vec![Tool::function("bash", json!({ "properties": { "command": {} } }))];
    asked
}

fn decided(script: &Script, counters: &mut Counters, asked: &Asked) -> Decision {
    decide(script, counters, asked, &BTreeMap::from([("x-team".to_owned(), "blue".to_owned())]))
}

fn summaries(script: &Script, requests: &[Asked]) -> Vec<String> {
    let mut counters = Counters::default();
    requests.iter().map(|asked| decided(script, &mut counters, asked).summary).collect()
}

#[test]
fn the_first_rule_that_fits_answers() {
    let script = script(json!([
        { "when": { "user": "never" }, "then": [{ "say": "1" }] },
        { "when": { "headers": { "x-team": "red" } }, "then": [{ "say": "2" }] },
        { "when": { "key": "^key-2$" }, "then": [{ "say": "3" }] },
        { "when": { "system": "brave", "headers": { "x-team": "blue" }, "tool_result": true }, "then": [{ "say": "4" }] },
        { "then": [{ "say": "5" }] },
    ]));
    let said = summaries(&script, &[asked("r", "Go.", &[]), asked("r", "Go.", &["a"])]);
    assert_eq!(said, ["say 5", "say 4"]);
}

#[test]
fn acts_follow_each_other_as_results_come_back_in_any_number_of_runs() {
    let script = script(
        json!([{ "then": [{ "say": "I look." }, { "run": "ls" }, { "run": "pwd" }, { "say": "Done." }] }]),
    );
    let one = "call_aaaaaaaaaaaaaaaa_0";
    let two = "call_bbbbbbbbbbbbbbbb_0";
    let requests = [
        asked("r", "Go.", &[]),
        asked("s", "Go.", &[]),
        asked("s", "Go.", &[one]),
        asked("r", "Go.", &[one]),
        asked("r", "Go.", &[one, two]),
        asked("s", "Go.", &[one, two]),
    ];
    let first = "say I look.; run ls";
    assert_eq!(summaries(&script, &requests), [first, first, "run pwd", "run pwd", "say Done.", "say Done."]);
}

#[test]
fn a_list_that_ends_with_a_tool_is_closed_with_a_word() {
    let script = script(json!([{ "then": [{ "run": "ls" }] }]));
    let said = summaries(&script, &[asked("r", "Go.", &["call_aaaaaaaaaaaaaaaa_0"])]);
    assert_eq!(said, ["say Done."]);
}

#[test]
fn a_failure_that_lasts_twice_is_followed_by_the_answer_in_each_run() {
    let script =
        script(json!([{ "then": [{ "fail": { "kind": "overloaded", "times": 2 } }, { "say": "Now." }] }]));
    let requests = ["r", "s", "r", "r", "s", "s"].map(|run| asked(run, "Go.", &[]));
    let failed = "fail: Overloaded";
    assert_eq!(summaries(&script, &requests), [failed, failed, failed, "say Now.", failed, "say Now."]);
}

#[test]
fn a_limit_announces_the_same_end_however_often_it_is_met() {
    let script = script(json!([{ "then": [
        { "fail": { "kind": "usage_limit", "seconds": 60, "per": "key" } }, { "say": "Back." },
    ] }]));
    let mut counters = Counters::default();
    let mut at = |at_ms: i64, run: &str| {
        let mut asked = asked(run, "Go.", &[]);
        asked.at_ms = at_ms;
        let body = decided(&script, &mut counters, &asked).reply.frames.concat();
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        body["error"]["resets_at"].as_i64()
    };
    let ends = [at(100_000, "r"), at(130_000, "s"), at(159_000, "r"), at(160_000, "s")];
    assert_eq!(ends, [Some(160), Some(160), Some(160), None]);
}

#[test]
fn the_nth_request_is_that_of_the_run_or_of_the_key() {
    let script = script(json!([
        { "when": { "nth": 2 }, "then": [{ "say": "second of its run" }] },
        { "when": { "nth": 3, "per": "key" }, "then": [{ "say": "third of its key" }] },
        { "then": [{ "say": "other" }] },
    ]));
    let said = summaries(&script, &["r", "r", "s", "s"].map(|run| asked(run, "Go.", &[])));
    assert_eq!(said, ["say other", "say second of its run", "say third of its key", "say second of its run"]);
}

#[test]
fn where_no_rule_fits_the_request_is_refused_and_says_so() {
    let script = script(json!([{ "when": { "user": "never" }, "then": [{ "say": "1" }] }]));
    let decision = decided(&script, &mut Counters::default(), &asked("r", "Go.", &[]));
    assert_eq!((decision.rule, decision.reply.status), (None, 400));
    assert!(String::from_utf8_lossy(&decision.reply.frames.concat()).contains("no rule of the script"));
}

#[test]
fn a_model_without_the_tool_says_that_it_has_none() {
    let script = script(json!([{ "then": [{ "run": "ls" }] }]));
    let mut asked = asked("r", "Go.", &[]);
    asked.tools.clear();
    assert_eq!(summaries(&script, &[asked]), ["say I have no tool here to run ls."]);
}

#[test]
fn json_is_said_where_it_matches_and_refused_where_not() {
    let script = script(json!([{ "then": [{ "json": { "ok": true } }] }]));
    let mut fitting = asked("r", "Go.", &[]);
    fitting.schema = Some(json!({ "type": "object", "required": ["ok"] }));
    let mut other = asked("r", "Go.", &[]);
    other.schema = Some(json!({ "type": "object", "required": ["verdict"] }));
    assert_eq!(summaries(&script, &[fitting, other]), ["say {\"ok\":true}", "json that does not match"]);
}

#[test]
fn json_goes_through_the_tool_that_takes_it_and_then_the_model_ends() {
    let script = script(json!([{ "then": [{ "json": { "ok": true } }, { "say": "Told." }] }]));
    let request = |results: &[&str]| {
        let mut asked = asked("r", "Go.", results);
        asked.tools = vec![Tool::function("StructuredOutput", json!({ "type": "object" }))];
        asked
    };
    let said = summaries(&script, &[request(&[]), request(&["toolu_aaaaaaaaaaaaaaaa_0"])]);
    assert_eq!(said, ["json", "say Told."]);
}
