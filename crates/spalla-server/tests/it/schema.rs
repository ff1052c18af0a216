//! Holds JSON against the document's schemas: the keywords that the document uses, and a fault for any other, so that
//! nothing is passed over in silence.

use serde_json::Value;

/// What says something about a schema and nothing about a value.
const COMMENTS: [&str; 3] = ["description", "title", "$schema"];
/// Rules that are checked where requests are read, and not here.
const LEFT_OUT: [&str; 2] = ["pattern", "format"];

/// Returns why a value does not fit, if it does not.
pub(crate) fn mismatch(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let rules = schema.as_object().into_iter().flatten();
    rules.filter_map(|(keyword, rule)| broken(document, schema, keyword, rule, value)).next()
}

fn broken(document: &Value, schema: &Value, keyword: &str, rule: &Value, value: &Value) -> Option<String> {
    let fits = |schema: &&Value| mismatch(document, schema, value).is_none();
    let choices = || rule.as_array().unwrap().iter();
    let holds = match keyword {
        "$ref" => {
            let target = document.pointer(rule.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
            return mismatch(document, target, value).map(|why| format!("{}: {why}", rule.as_str().unwrap()));
        }
        "type" if rule.is_array() => choices().any(|kind| is_a(kind, value)),
        "type" => is_a(rule, value),
        "enum" => rule.as_array().unwrap().contains(value),
        "const" => rule == value,
        "not" => !fits(&rule),
        "oneOf" => choices().filter(fits).count() == 1,
        "anyOf" => choices().any(|schema| fits(&schema)),
        "allOf" => return choices().find_map(|schema| mismatch(document, schema, value)),
        "properties" => return members(document, rule, value),
        "required" => {
            choices().all(|name| value.as_object().is_none_or(|o| o.contains_key(name.as_str().unwrap())))
        }
        "additionalProperties" => {
            let known = schema["properties"].as_object();
            let is_known = |name: &String| known.is_some_and(|known| known.contains_key(name));
            let mut others = value.as_object().into_iter().flatten().filter(|(name, _)| !is_known(name));
            match rule {
                Value::Bool(allows) => *allows || others.next().is_none(),
                rule => return others.find_map(|(_, member)| mismatch(document, rule, member)),
            }
        }
        "items" => {
            let mut entries = value.as_array().into_iter().flatten();
            return entries.find_map(|entry| mismatch(document, rule, entry));
        }
        "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
        "minLength" => {
            value.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap())
        }
        "maxLength" => {
            value.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap())
        }
        "maxProperties" => value.as_object().is_none_or(|o| o.len() as u64 <= rule.as_u64().unwrap()),
        "propertyNames" => {
            let mut names =
                value.as_object().into_iter().flatten().map(|(name, _)| Value::from(name.as_str()));
            return names.find_map(|name| mismatch(document, rule, &name));
        }
        "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= rule.as_u64().unwrap()),
        _ if COMMENTS.contains(&keyword) || LEFT_OUT.contains(&keyword) => true,
        _ => panic!("the keyword {keyword} of {schema} is not known here"),
    };
    (!holds).then(|| format!("{value} breaks {keyword}: {rule}"))
}

fn members(document: &Value, rules: &Value, value: &Value) -> Option<String> {
    let mut members = value.as_object().into_iter().flatten();
    members.find_map(|(name, member)| {
        let why = mismatch(document, rules.get(name)?, member)?;
        Some(format!("{name}: {why}"))
    })
}

fn is_a(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other} is not known here"),
    }
}
