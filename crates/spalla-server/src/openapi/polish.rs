//! Mends what the derived document says less exactly than the server acts, on the finished JSON.

use crate::wire::BULK_ENTRIES_MAX;
use serde_json::{Map, Value, json};
use spalla_domain::limits::{Limit, Limits};
use std::collections::BTreeSet;

/// Answers whose members may be left out; in all others every member is there, and null where there is nothing.
const WITH_OPTIONAL_MEMBERS: [&str; 6] =
    ["Problem", "FieldProblem", "Health", "CheckReport", "Event", "ChosenDefinition"];
/// Requests that have to name the worker by one of two words.
const NAMING_A_WORKER: [&str; 5] =
    ["ClaimBody", "ExchangeBody", "RunClaim", "HeartbeatBody", "CommandReport"];

/// Mends the document.
pub(super) fn polish(document: &mut Value) {
    join_descriptions(document);
    each_operation(document, |operation| {
        for parameter in members(operation, "parameters") {
            drop_null(&mut parameter["schema"]);
        }
        // Looking for what is not there by an index would leave a null behind.
        operation.get_mut("requestBody").into_iter().for_each(allow_no_body);
        operation.get_mut("requestBody").into_iter().for_each(bound_list);
        operation.get_mut("responses").into_iter().for_each(frame_events);
    });
    name_the_worker(&mut document["components"]["schemas"]);
    choose_one_delay(&mut document["components"]["schemas"]);
    name_the_agent(&mut document["components"]["schemas"]);
    require_members_of_answers(document);
}

/// Takes of limits no more than the operator allows, wherever somebody may ask for some.
pub(super) fn bound_limits(part: &mut Value, most: &Limits) {
    match part {
        Value::Object(object) => {
            if let Some(limits) = object.get_mut("properties").filter(|properties| are_limits(properties)) {
                for (limit, most) in &most.0 {
                    limits[limit.as_str()]["maximum"] = json!(most);
                }
            }
            object.values_mut().for_each(|part| bound_limits(part, most));
        }
        Value::Array(parts) => parts.iter_mut().for_each(|part| bound_limits(part, most)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Tells whether properties are all the limits there are, as numbers: they stand in several places, not always by name.
fn are_limits(properties: &Value) -> bool {
    Limit::ALL.iter().all(|limit| properties[limit.as_str()]["maximum"].is_number())
}

fn each_operation(document: &mut Value, mut act: impl FnMut(&mut Value)) {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut).for_each(&mut act);
}

fn members<'a>(value: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}

/// An inlined schema gets its description by way of a second schema that claims to be an object; no number or text
/// could be both.
fn join_descriptions(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(join_descriptions);
            if let Some(joined) = joined(object) {
                *value = joined;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(join_descriptions),
        _ => {}
    }
}

fn joined(object: &Map<String, Value>) -> Option<Value> {
    let [schema, second] = object.get("allOf")?.as_array()?.as_slice() else { return None };
    let description = second.get("description")?;
    let is_comment = *second == json!({"description": description, "type": "object"});
    let mut schema = schema.clone();
    schema.as_object_mut().filter(|_| is_comment)?.insert("description".into(), description.clone());
    Some(schema)
}

/// A parameter is left out or has a value; nobody can send a null there.
fn drop_null(schema: &mut Value) {
    let is_null = |value: &Value| *value == json!("null") || *value == json!({"type": "null"});
    for name in ["oneOf", "type"] {
        let Some(choices) = schema.get(name).and_then(Value::as_array) else { continue };
        let kept: Vec<&Value> = choices.iter().filter(|choice| !is_null(choice)).collect();
        let &[only] = kept.as_slice() else { continue };
        let only = only.clone();
        if name == "type" {
            schema[name] = only;
        } else {
            *schema = only;
        }
    }
}

/// A body that may be left out is not one that may be null.
fn allow_no_body(body: &mut Value) {
    let contents = body.get_mut("content").and_then(Value::as_object_mut);
    for content in contents.into_iter().flat_map(Map::values_mut) {
        drop_null(&mut content["schema"]);
    }
}

/// A body that is a list has a bound of its own.
fn bound_list(body: &mut Value) {
    let contents = body.get_mut("content").and_then(Value::as_object_mut);
    for content in contents.into_iter().flat_map(Map::values_mut) {
        if let Some(schema) = content.get_mut("schema").filter(|schema| schema["type"] == "array") {
            schema["maxItems"] = json!(BULK_ENTRIES_MAX);
        }
    }
}

fn name_the_worker(schemas: &mut Value) {
    for name in NAMING_A_WORKER {
        if let Some(schema) = schemas.get_mut(name) {
            schema["oneOf"] = json!([{"required": ["worker_id"]}, {"required": ["agent_id"]}]);
        }
    }
    if let Some(release) = schemas.get_mut("Release") {
        release["not"] = json!({"required": ["worker_id", "agent_id"]});
    }
}

/// A delay is given, or left to the policy.
fn choose_one_delay(schemas: &mut Value) {
    for name in ["RequeueItemBody", "RequeueRunBody"] {
        if let Some(schema) = schemas.get_mut(name) {
            let both = json!({"backoff": {"const": true}, "delay_seconds": {"type": "number"}});
            schema["not"] = json!({"properties": both, "required": ["backoff", "delay_seconds"]});
        }
    }
}

/// A change makes an agent the executor only where it has a name, and may leave the name as it is. For what is new one may be
/// found.
fn name_the_agent(schemas: &mut Value) {
    let nobody = json!({"executor": {"const": "agent"}, "agent": {"type": "null"}});
    if let Some(schema) = schemas.get_mut("WorkItemChange") {
        schema["not"] = json!({"properties": nobody, "required": ["executor", "agent"]});
    }
}

/// What a stream says of its schema is said of the data of each event, which is JSON in a text.
fn frame_events(responses: &mut Value) {
    for response in responses.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(content) = response.pointer_mut("/content/text~1event-stream") {
            let data = json!({
                "type": "string", "contentMediaType": "application/json", "contentSchema": content["schema"].take(),
            });
            let properties = json!({"id": {"type": "string"}, "event": {"type": "string"}, "data": data});
            content["schema"] =
                json!({"type": "object", "properties": properties, "required": ["id", "event", "data"]});
        }
    }
}

fn require_members_of_answers(document: &mut Value) {
    let mut requests = BTreeSet::new();
    let mut answers = BTreeSet::new();
    let schemas = document["components"]["schemas"].clone();
    each_operation(document, |operation| {
        collect(&operation["requestBody"], &schemas, &mut requests);
        collect(&operation["responses"], &schemas, &mut answers);
    });
    for name in answers.difference(&requests).filter(|name| !WITH_OPTIONAL_MEMBERS.contains(&name.as_str())) {
        require_all(&mut document["components"]["schemas"][name.as_str()]);
    }
}

fn require_all(schema: &mut Value) {
    members(schema, "allOf").for_each(require_all);
    let names: Vec<Value> =
        schema["properties"].as_object().into_iter().flat_map(Map::keys).map(|name| json!(name)).collect();
    if names.is_empty() {
        // Looking for what is not there leaves a null behind.
        schema
            .as_object_mut()
            .and_then(|schema| schema.remove("properties").filter(|found| !found.is_null()));
    } else {
        schema["required"] = Value::Array(names);
    }
}

/// Collects the names of all schemas that a part of the document leads to.
fn collect(part: &Value, schemas: &Value, found: &mut BTreeSet<String>) {
    match part {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|reference| reference.strip_prefix("#/components/schemas/"));
            if let Some(name) = name
                && found.insert(name.to_owned())
            {
                collect(&schemas[name], schemas, found);
            }
            object.values().for_each(|value| collect(value, schemas, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, schemas, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_does_not_make_a_number_an_object() {
        let mut schema = json!({"allOf": [{"type": "integer"}, {"description": "d", "type": "object"}]});
        join_descriptions(&mut schema);
        assert_eq!(schema, json!({"type": "integer", "description": "d"}));
        let composed = json!({"allOf": [{"$ref": "#/a"}, {"type": "object", "properties": {}}]});
        let mut same = composed.clone();
        join_descriptions(&mut same);
        assert_eq!(same, composed);
    }

    #[test]
    fn a_parameter_is_never_null() {
        for (mut schema, expected) in [
            (json!({"oneOf": [{"type": "integer"}, {"type": "null"}]}), json!({"type": "integer"})),
            (
                json!({"type": ["boolean", "null"], "description": "d"}),
                json!({"type": "boolean", "description": "d"}),
            ),
            (json!({"type": "string"}), json!({"type": "string"})),
        ] {
            drop_null(&mut schema);
            assert_eq!(schema, expected);
        }
    }

    #[test]
    fn an_event_of_a_stream_is_a_frame_around_its_json() {
        let reference = json!({"$ref": "#/components/schemas/Event"});
        let mut responses = json!({"200": {"content": {"text/event-stream": {"schema": reference}}}});
        frame_events(&mut responses);
        let framed = &responses["200"]["content"]["text/event-stream"]["schema"];
        assert_eq!(framed["required"], json!(["id", "event", "data"]));
        assert_eq!(framed["properties"]["data"]["contentSchema"], reference);
    }

    #[test]
    fn limits_go_no_further_than_the_operator_lets_them() {
        let all: Map<_, _> =
            Limit::ALL.iter().map(|limit| (limit.as_str().to_owned(), json!({"maximum": 9_000}))).collect();
        let other = json!({"properties": {"memory_mb": {"maximum": 9_000}}});
        let mut document = json!({"a": {"properties": all.clone()}, "b": [{"properties": all}], "c": other});
        bound_limits(&mut document, &Limits([(Limit::MemoryMb, 512)].into()));
        for limits in [&document["a"]["properties"], &document["b"][0]["properties"]] {
            assert_eq!(limits["memory_mb"], json!({"maximum": 512}));
            assert_eq!(limits["processes"], json!({"maximum": 9_000}));
        }
        assert_eq!(document["c"], other);
    }

    #[test]
    fn answers_are_whole_and_requests_are_not() {
        let answer = json!({"type": "object", "properties": {"a": {}, "b": {}}});
        let reference = |name: &str| json!({"content": {"j": {"schema": {"$ref": format!("#/components/schemas/{name}")}}}});
        let mut document = json!({
            "paths": {"/x": {"post": {"requestBody": reference("In"), "responses": {"200": reference("Out")}}}},
            "components": {"schemas": {"In": answer, "Out": answer}},
        });
        polish(&mut document);
        let schemas = &document["components"]["schemas"];
        assert_eq!((&schemas["Out"]["required"], schemas["In"].get("required")), (&json!(["a", "b"]), None));
    }
}
