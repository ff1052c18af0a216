//! What may be asked, what may be answered, and that no value leaks into a message.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn field(name: &str) -> InfoField {
    InfoField::new(name, true)
}

fn with_schema(schema: serde_json::Value) -> InfoField {
    InfoField { schema: Some(schema), ..field("A") }
}

fn answer(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn shown(result: Result<(), Vec<Problem>>) -> Vec<String> {
    result.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn an_info_request_is_closed_once() {
    let mut request = InfoRequest {
        id: InfoRequestId(4),
        run_id: RunId(1),
        work_item_id: WorkItemId(2),
        reason: "keys".into(),
        fields: vec![field("A")],
        asked_by: None,
        status: Status::Pending,
        requested_at: Timestamp::from_ms(0),
        closed_at: None,
        answered_by: None,
    };
    for (command, status) in [(Command::Answer, Status::Answered), (Command::Cancel, Status::Cancelled)] {
        request.status = Status::Pending;
        assert_eq!(transition(&request, command), Ok(status));
        request.status = status;
        for again in [Command::Answer, Command::Cancel] {
            assert_eq!(transition(&request, again).unwrap_err().code, Code::InfoRequestClosed);
        }
    }
}

#[test]
fn a_question_has_a_reason_and_variables_once_each() {
    assert_eq!(check_request("keys", &[field("AWS_KEY"), field("_x1")]), Ok(()));
    let long = "x".repeat(NAME_CHARS_MAX + 1);
    for bad in ["", "1A", "A-B", "Ä", "A B", &long] {
        assert!(check_request("keys", &[field(bad)]).is_err(), "{bad}");
    }
    assert_eq!(check_request("keys", &[field(&long[1..])]), Ok(()));
    assert_eq!(
        shown(check_request("keys", &[field("A"), field("A")])),
        ["A: the name stands here a second time"]
    );
    assert_eq!(shown(check_request(" ", &[])).len(), 2);
    assert!(check_request("keys", &vec![field("A"); FIELDS_MAX + 1]).is_err());
    let wordy = InfoField { description: Some("x".repeat(TEXT_BYTES_MAX + 1)), ..field("A") };
    assert!(check_request("keys", &[wordy]).is_err());
    assert!(serde_json::from_value::<InfoField>(json!({"name": "A", "hidden": true})).is_err());
}

#[test]
fn a_bad_schema_is_refused_when_the_question_is_asked() {
    for (schema, part) in [
        (json!("string"), "no object"),
        (json!({"type": "text"}), "no JSON Schema at \"/type\""),
        (json!({"pattern": "("}), "no JSON Schema"),
        (json!({"pattern": "(a{1000}){1000}"}), "no JSON Schema"),
        (json!({"pattern": "(?=a)b"}), "no JSON Schema"),
        (json!({"$ref": "https://host.example/schema.json"}), "stands by itself"),
        (json!({"$ref": "file:///etc/hostname"}), "stands by itself"),
        (json!({"allOf": [{"$ref": "#"}]}), "stands by itself"),
        (json!({"$schema": "https://host.example/own-draft"}), "no JSON Schema"),
        (json!({"description": "x".repeat(SCHEMA_BYTES_MAX)}), "bytes"),
    ] {
        let problems = shown(check_request("keys", &[with_schema(schema.clone())]));
        assert!(problems.len() == 1 && problems[0].contains(part), "{schema}: {problems:?}");
    }
}

#[test]
fn an_answer_gives_every_value_and_no_other() {
    let fields = [field("A"), field("B")];
    assert_eq!(check_answer(&fields, &answer(&[("A", "1"), ("B", "2")])), Ok(()));
    assert_eq!(
        shown(check_answer(&fields, &answer(&[("A", ""), ("C", "3"), ("s3cr3t in the wrong place", "x")]))),
        [
            "A: is empty",
            "B: is missing",
            "C: was not asked for",
            "1 values stand under what is no name of a field"
        ]
    );
    assert_eq!(check_answer(&fields[..1], &answer(&[("A", &"x".repeat(VALUE_BYTES_MAX))])), Ok(()));
    assert!(check_answer(&fields[..1], &answer(&[("A", &"x".repeat(VALUE_BYTES_MAX + 1))])).is_err());
    assert!(check_answer(&fields[..1], &answer(&[("A", "a\0b")])).is_err());
}

#[test]
fn a_value_keeps_its_schema_as_text_or_as_json() {
    let keeps = |schema: serde_json::Value, value: &str| {
        check_answer(&[with_schema(schema)], &answer(&[("A", value)])).is_ok()
    };
    assert!(keeps(json!({"pattern": "^[a-z]+-[0-9]$"}), "east-1"));
    assert!(!keeps(json!({"pattern": "^[a-z]+-[0-9]$"}), "east"));
    assert!(keeps(json!({"type": "string", "minLength": 2}), "42"));
    assert!(!keeps(json!({"minLength": 2}), "5"));
    assert!(keeps(json!({"type": "integer", "minimum": 1}), "5"));
    assert!(!keeps(json!({"type": "integer", "minimum": 1}), "0"));
    assert!(!keeps(json!({"type": "integer"}), "five"));
    assert!(keeps(json!({"type": "object", "required": ["project_id"]}), r#"{"project_id": "p"}"#));
    assert!(!keeps(json!({"type": ["object", "null"], "additionalProperties": false}), r#"{"k": 1}"#));
}

const SECRET: &str = "hunter2-correct-horse";

fn schemas() -> Vec<serde_json::Value> {
    vec![
        json!({"enum": ["a", "b"]}),
        json!({"const": "a"}),
        json!({"pattern": "^z"}),
        json!({"maxLength": 1}),
        json!({"format": "uuid", "maxLength": 2}),
        json!({"type": "integer"}),
        json!({"type": "object", "additionalProperties": false}),
        json!({"type": "object", "propertyNames": {"maxLength": 2}}),
        json!({"type": "object", "properties": {SECRET: {"type": "integer"}}}),
        json!({"type": "array", "uniqueItems": true, "maxItems": 1}),
        json!({"not": {}}),
        json!({"oneOf": [{"maxLength": 1}, {"pattern": "^z"}]}),
    ]
}

#[test]
fn no_message_repeats_a_value() {
    let texts = [SECRET.to_owned(), json!({SECRET: SECRET}).to_string(), json!([SECRET, SECRET]).to_string()];
    for schema in schemas() {
        for text in &texts {
            let asked_about = schema.to_string().contains(SECRET);
            for problem in shown(check_answer(&[with_schema(schema.clone())], &answer(&[("A", text)]))) {
                assert!(asked_about || !problem.contains("hunter2"), "{schema}: {problem}");
            }
        }
    }
}

proptest! {
    #[test]
    fn what_was_asked_and_given_in_full_is_taken_and_anything_else_is_not(
        asked in proptest::collection::btree_set("[A-D]", 1..4), given in proptest::collection::btree_map("[A-E]", "x{0,2}", 0..5),
    ) {
        let fields: Vec<InfoField> = asked.iter().map(|name| field(name)).collect();
        let is_full = asked.iter().eq(given.keys()) && given.values().all(|value| !value.is_empty());
        prop_assert_eq!(check_answer(&fields, &given).is_ok(), is_full);
    }
}
