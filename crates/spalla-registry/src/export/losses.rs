//! What a definition says and a target has no words for.

use super::Loss;
use crate::definition::Definition;
use serde_json::Value;

/// Lists every field that somebody said and that is neither written nor derived; `written` names fields or beginnings of
/// them.
pub(super) fn losses(definition: &Definition, written: &[&str], target: &str) -> Vec<Loss> {
    let whole = serde_json::to_value(definition).unwrap_or_default();
    let mut fields = Vec::new();
    for (key, value) in whole.as_object().into_iter().flatten() {
        match key.as_str() {
            "schema_version" | "provenance" => {}
            "x-source" => leaves(&value["keys"], "x-source.keys", 1, &mut fields),
            _ => leaves(value, key, 2, &mut fields),
        }
    }
    let is_covered = |field: &str, by: &str| {
        field == by || field.strip_prefix(by).is_some_and(|rest| rest.starts_with('.'))
    };
    let is_lost = |field: &String| {
        !written.iter().any(|by| is_covered(field, by))
            && !definition.provenance.keys().any(|derived| is_covered(field, derived))
    };
    let id = &definition.agent.id;
    let why = format!("{target} has no place for it");
    fields.retain(is_lost);
    fields.into_iter().map(|field| Loss { id: id.clone(), field, why: why.clone() }).collect()
}

/// Adds the fields of a mapping, so many levels deep.
fn leaves(value: &Value, path: &str, levels: usize, fields: &mut Vec<String>) {
    match value {
        Value::Object(members) if levels > 0 || path.starts_with("capabilities") => {
            for (key, value) in members {
                leaves(value, &format!("{path}.{key}"), levels.saturating_sub(1), fields);
            }
        }
        Value::Null => {}
        _ => fields.push(path.to_owned()),
    }
}
