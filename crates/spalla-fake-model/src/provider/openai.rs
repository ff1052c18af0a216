//! OpenAI's protocols: responses, which Codex speaks, and chat completions, which most others speak.

pub(crate) mod chat;
pub(crate) mod responses;

use serde_json::{Value, json};

/// Models that are listed; any other name is answered as well.
const MODELS: &[&str] = &["gpt-5.5", "gpt-6-sol", "gpt-4.1"];

/// Lists models, as `GET /v1/models` does.
pub(crate) fn models() -> Value {
    let model =
        |id: &&str| json!({ "id": id, "object": "model", "created": 1_700_000_000, "owned_by": "spalla" });
    json!({ "object": "list", "data": MODELS.iter().map(model).collect::<Vec<_>>() })
}

/// Returns the text of a content: a string, or parts that have one each.
fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
