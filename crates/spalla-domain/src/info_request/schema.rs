//! The JSON Schema of one value. It comes from an agent, so it is bounded, stands by itself, and its patterns are
//! matched in time that grows with the text alone.

use super::SCHEMA_BYTES_MAX;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// The largest program that a pattern may become, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// The keywords that lead to another schema. One that leads to itself would never end.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Tells what is wrong with a schema.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    read(schema).map(|_| ())
}

/// Tells how a value breaks a schema, by the place in the schema and never by the value.
pub(super) fn wrong(schema: &Value, value: &str) -> Option<String> {
    let validator = match read(schema) {
        Ok(validator) => validator,
        Err(message) => return Some(message),
    };
    let instance = if wants_text(schema) {
        Value::String(value.to_owned())
    } else {
        match serde_json::from_str(value) {
            Ok(instance) => instance,
            Err(_) => return Some("is no JSON, as its schema wants".into()),
        }
    };
    let places = validator.iter_errors(&instance).map(|error| error.schema_path().as_str().to_owned());
    // The first by name, since their order is not told.
    places.min().map(|place| match place.as_str() {
        "" => "does not keep its schema".to_owned(),
        place => format!("does not keep its schema at {place}"),
    })
}

fn read(schema: &Value) -> Result<Validator, String> {
    if !schema.is_object() {
        return Err("schema is no object".into());
    }
    let size = schema.to_string().len();
    if size > SCHEMA_BYTES_MAX {
        return Err(format!("schema has {size} bytes; at most {SCHEMA_BYTES_MAX} are read"));
    }
    if let Some(keyword) = reference(schema) {
        return Err(format!("schema has a {keyword}; the schema of a value stands by itself"));
    }
    let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX);
    jsonschema::options()
        .offline()
        .with_pattern_options(patterns)
        .build(schema)
        .map_err(|error| format!("schema is no JSON Schema at {:?}: {error}", error.instance_path().as_str()))
}

fn reference(schema: &Value) -> Option<&'static str> {
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(keyword) = REFERENCES.into_iter().find(|keyword| members.contains_key(*keyword)) {
                    return Some(keyword);
                }
                open.extend(members.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    None
}

/// Tells whether a value is meant as text: unless the schema's `type` names other types only.
fn wants_text(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        _ => true,
    }
}
