//! The document of the interface.

use crate::answer::document;
use crate::schema::mismatch;
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn the_document_names_exactly_the_operations_that_are_served() {
    let world = World::start().await;
    let document = document(&world).await;
    assert_eq!((&document["openapi"], &document["info"]["version"]), (&json!("3.1.0"), &json!("1.2.3")));
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = template
            .replace("{id}", "1")
            .replace("{draft}", "1")
            .replace("{file}", "index.css")
            .replace("{path}", "a");
        let answer = world.send(world.request("PROPFIND", &path)).await;
        answer.problem(405, "method_not_allowed");
        let mut served: BTreeSet<String> = answer.header("allow").split(',').map(str::to_lowercase).collect();
        served.remove("head");
        let named: BTreeSet<String> = item.as_object().unwrap().keys().cloned().collect();
        assert_eq!(served, named, "{template}");
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let world = World::start().await;
    let document = document(&world).await;
    let mut found = vec![];
    references(document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_operation_says_which_problems_may_come_back() {
    let world = World::start().await;
    for (path, item) in document(&world).await["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let mut expected = vec!["400", "403", "404", "421", "422", "429", "500", "503"];
            if method != "get" {
                expected.extend(["409", "413", "415"]);
            }
            for status in expected {
                assert!(responses.contains_key(status), "{method} {path}: {status}");
            }
            assert!(
                responses.keys().any(|status| status.starts_with('2') || status == "101"),
                "{method} {path}"
            );
            assert!(
                operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()),
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn the_document_says_who_needs_the_token() {
    let world = World::start_with_token().await;
    let document = &world.get("/openapi.json").await.json(200);
    assert_eq!(document["security"], json!([{"token": []}, {"cookie": []}]));
    let open = World::start().await.get("/openapi.json").await.json(200);
    assert_eq!(open["security"], Value::Null);
    assert_eq!(document["paths"]["/health"]["get"]["security"], json!([{}]));
    assert_eq!(document["paths"]["/projects/"]["get"]["security"], Value::Null);
    assert!(document["paths"]["/projects/"]["get"]["responses"]["401"].is_object());
}

#[tokio::test]
async fn requests_are_closed_objects_with_their_ranges() {
    let world = World::start().await;
    let document = document(&world).await;
    let schema = &document["components"]["schemas"]["NewWorkItem"];
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["project_id", "title"]));
    assert_eq!(schema["properties"]["title"]["maxLength"], 500);
    assert_eq!(schema["properties"]["project_id"]["maximum"], 9_007_199_254_740_991_i64);
}

#[tokio::test]
async fn an_agent_is_named_where_a_change_makes_it_the_executor() {
    let world = World::start().await;
    let document = document(&world).await;
    let why = |schema: &str, value: Value| {
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        mismatch(document, &schema, &value)
    };
    let new = |agent: Value| json!({"project_id": 1, "title": "t", "executor": "agent", "agent": agent});
    assert_eq!(why("NewWorkItem", new(json!("surveyor"))), None);
    // For what is new one may be found.
    assert_eq!(why("NewWorkItem", new(Value::Null)), None);
    assert_eq!(why("NewWorkItem", json!({"project_id": 1, "title": "t", "executor": "agent"})), None);
    assert_eq!(why("NewWorkItem", json!({"project_id": 1, "title": "t", "agent": null})), None);
    assert!(why("WorkItemChange", json!({"executor": "agent", "agent": null})).is_some());
    assert_eq!(why("WorkItemChange", json!({"executor": "agent"})), None);
}

#[tokio::test]
async fn only_an_operation_that_reads_a_body_describes_one() {
    let world = World::start().await;
    for (path, item) in document(&world).await["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation.get("requestBody").is_none_or(Value::is_object), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_example_is_what_its_schema_allows() {
    let world = World::start().await;
    let document = document(&world).await;
    let mut examples = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let content = &operation["requestBody"]["content"]["application/json"];
            if let Some(example) = content.get("example") {
                examples += 1;
                assert_eq!(mismatch(document, &content["schema"], example), None, "{method} {path}");
            }
        }
    }
    assert!(examples >= 10, "{examples}");
}
