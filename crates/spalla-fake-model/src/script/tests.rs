//! Tests of what is taken for a script and what is not.

use super::{Act, Error, Kind, Scope, Script};
use crate::provider::Provider;
use serde_json::{Value, json};

fn rule(then: Value) -> Value {
    json!({ "rules": [{ "then": then }] })
}

fn complaint(script: Value) -> String {
    match Script::from_value(script) {
        Err(Error::Json(source)) => source.to_string(),
        Err(error) => error.to_string(),
        Ok(script) => panic!("it was taken: {script:?}"),
    }
}

#[test]
fn a_script_says_the_same_in_toml_and_in_json() {
    let toml = r#"
        [[rules]]
        name = "hello"
        when = { provider = "openai", user = "TASK-\\d+", nth = 2, per = "key" }
        then = [
            { write = { path = "a.txt", text = "a\n" } },
            { fail = { kind = "usage_limit", seconds = 60, per = "key" } },
            { say = "Hello." },
        ]
    "#;
    let json = json!({ "rules": [{
        "name": "hello",
        "when": { "provider": "openai", "user": "TASK-\\d+", "nth": 2, "per": "key" },
        "then": [
            { "write": { "path": "a.txt", "text": "a\n" } },
            { "fail": { "kind": "usage_limit", "seconds": 60, "per": "key" } },
            { "say": "Hello." },
        ],
    }] });
    let of_toml = Script::from_toml(toml).expect("a script");
    let of_json = Script::from_value(json).expect("a script");
    for script in [&of_toml, &of_json] {
        let rule = &script.rules[0];
        assert_eq!(
            (rule.when.provider, rule.when.nth, rule.when.per),
            (Some(Provider::Openai), Some(2), Scope::Key)
        );
        assert!(rule.when.user.as_ref().is_some_and(|user| user.is_in("do TASK-7")));
        assert!(
            matches!(&rule.then[1], Act::Fail(fail) if fail.kind == Kind::UsageLimit && fail.seconds == Some(60))
        );
    }
    assert_eq!(of_toml.rules[0].then, of_json.rules[0].then);
}

#[test]
fn every_key_that_is_not_known_is_refused() {
    let unknown = [
        json!({ "rules": [{ "then": [{ "say": "a" }] }], "rule": [] }),
        json!({ "rules": [{ "then": [{ "say": "a" }], "unless": {} }] }),
        json!({ "rules": [{ "when": { "users": "a" }, "then": [{ "say": "a" }] }] }),
        rule(json!([{ "shout": "a" }])),
        rule(json!([{ "write": { "path": "a", "text": "b", "mode": 7 } }])),
        rule(json!([{ "cut": { "time": 1 } }])),
        rule(json!([{ "fail": { "kind": "rate_limit", "retry": 1 } }])),
        rule(json!([{ "fail": { "kind": "boredom" } }])),
        rule(json!([{ "say": "a", "run": "b" }])),
    ];
    for script in unknown {
        let complaint = complaint(script.clone());
        assert!(
            ["unknown field", "unknown variant", "expected"].iter().any(|word| complaint.contains(word)),
            "{script}: {complaint}"
        );
    }
}

#[test]
fn what_could_never_happen_is_refused_with_its_place() {
    let senseless = [
        (json!({ "rules": [] }), "rule 1 of the script: there is none"),
        (rule(json!([])), "rule 1 of the script: it has no acts"),
        (
            rule(json!([{ "say": "a" }, { "cut": { "times": 0 } }])),
            "act 2: a fault that lasts for no request",
        ),
        (rule(json!([{ "refuse": "a" }, { "say": "b" }])), "act 1: nothing can follow a refusal"),
        (rule(json!([{ "run": " " }])), "act 1: there is no command"),
        (rule(json!([{ "call": { "tool": "a", "arguments": 1 } }])), "neither an object nor a string"),
        (rule(json!([{ "fail": { "kind": "server_error", "status": 200 } }])), "`status` is no error"),
        (rule(json!([{ "write": { "path": "a/", "text": "" } }])), "`path` names no file"),
        (
            rule(json!([{ "usage": { "input": 1, "cached": 2, "output": 0 } }])),
            "more tokens cached than read",
        ),
    ];
    for (script, expected) in senseless {
        let complaint = complaint(script);
        assert!(complaint.contains(expected), "{complaint} has no {expected}");
    }
}

#[test]
fn a_pattern_that_is_none_is_refused() {
    let script = json!({ "rules": [{ "when": { "user": "(" }, "then": [{ "say": "a" }] }] });
    assert!(complaint(script).contains("unclosed group"));
}

#[test]
fn a_file_says_by_its_ending_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("script.yaml");
    std::fs::write(&path, "rules: []").expect("a file");
    assert!(matches!(Script::read(&path), Err(Error::Ending(_))));
    assert!(matches!(Script::read(&folder.path().join("none.json")), Err(Error::Read { .. })));
}
