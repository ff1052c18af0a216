//! The published JSON Schema of a definition: what it refuses, and which keys it does not know.

use crate::definition::Definition;
use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The path under which a server publishes the schema, which is its id too.
pub const PATH: &str = "/schemas/agent.json";

static PUBLISHED: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(text()).unwrap_or_default());
static VALIDATOR: LazyLock<Option<Validator>> = LazyLock::new(|| jsonschema::validator_for(&PUBLISHED).ok());

/// Returns the schema as it is published.
pub fn text() -> &'static str {
    include_str!("../../../schemas/agent.json")
}

/// Makes the schema from the types; a test holds it equal to the published one.
pub fn generated() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Definition>().to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$id".into(), json!(PATH));
        schema.insert("title".into(), json!("An agent's definition"));
        // What is not known here is kept under x-, with a warning; so nothing more is refused.
        schema.insert("patternProperties".into(), json!({"^x-": true}));
        schema.insert("additionalProperties".into(), json!(true));
    }
    schema
}

/// Returns what the schema refuses: a JSON pointer to it, and why.
pub fn faults(value: &Value) -> Vec<(String, String)> {
    let Some(validator) = VALIDATOR.as_ref() else { return Vec::new() };
    validator
        .iter_errors(value)
        .map(|error| (error.instance_path().to_string(), shortened(&error.to_string())))
        .collect()
}

/// A message repeats the value that it is about, however long that is.
fn shortened(message: &str) -> String {
    const LETTERS: usize = 300;
    match message.char_indices().nth(LETTERS) {
        Some((at, _)) => format!("{}…", &message[..at]),
        None => message.to_owned(),
    }
}

/// Takes out what the schema has no place for: a JSON pointer to each, and what stood there. Keys at the top that begin
/// with `x-` stay.
pub fn take_unknown(value: &mut Value) -> Vec<(String, Value)> {
    let mut taken = Vec::new();
    take(&PUBLISHED, value, "", &mut taken);
    taken
}

/// The same for one section of a definition.
pub fn take_unknown_of(section: &str, value: &mut Value) -> Vec<(String, Value)> {
    let mut taken = Vec::new();
    take(&PUBLISHED["properties"][section], value, &format!("/{section}"), &mut taken);
    taken
}

/// Tells whether a key is a section of a definition, and not who the agent is.
pub fn is_section(key: &str) -> bool {
    !["schema_version", "agent", "provenance"].contains(&key) && PUBLISHED["properties"].get(key).is_some()
}

fn take(schema: &Value, value: &mut Value, pointer: &str, taken: &mut Vec<(String, Value)>) {
    let schema = resolved(schema);
    match value {
        Value::Object(members) => {
            let Some(known) = schema["properties"].as_object() else { return };
            let is_free = |key: &String| pointer.is_empty() && key.starts_with("x-");
            let unknown = members.keys().filter(|key| !known.contains_key(*key) && !is_free(key));
            for key in unknown.cloned().collect::<Vec<_>>() {
                if let Some(value) = members.remove(&key) {
                    taken.push((format!("{pointer}/{}", escaped(&key)), value));
                }
            }
            for (key, value) in members {
                if let Some(schema) = known.get(key) {
                    take(schema, value, &format!("{pointer}/{}", escaped(key)), taken);
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter_mut().enumerate() {
                take(&schema["items"], item, &format!("{pointer}/{place}"), taken);
            }
        }
        _ => {}
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Follows a reference, and looks past the null of what may be missing.
fn resolved(schema: &Value) -> &Value {
    let reference =
        |schema: &Value| schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')).map(str::to_owned);
    let mut schema = schema;
    for _ in 0..4 {
        if let Some(found) = reference(schema).and_then(|path| PUBLISHED.pointer(&path)) {
            schema = found;
        } else if let Some(found) = schema["anyOf"].as_array().and_then(|all| all.first()) {
            schema = found;
        } else {
            break;
        }
    }
    schema
}
