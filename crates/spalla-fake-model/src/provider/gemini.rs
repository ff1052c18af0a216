//! `POST /v1beta/models/…:generateContent` and `:streamGenerateContent`, as the API reference has them and the Gemini
//! CLI 0.61 uses them: contents of parts in and out.

use crate::answer::{Answer, Input, Piece, estimate};
use crate::asked::{Asked, Conversation, Letterhead, ToolResult, Turn};
use crate::provider::Dialect;
use crate::reply::{Event, Reply};
use crate::script::Tokens;
use crate::tools::Tool;
use serde_json::{Value, json};

/// Models that are listed; any other name is answered as well.
const MODELS: &[&str] = &["gemini-2.5-pro", "gemini-2.5-flash"];

/// Lists models, as `GET /v1beta/models` does.
pub(crate) fn models() -> Value {
    let model = |id: &&str| {
        json!({
            "name": format!("models/{id}"),
            "displayName": id,
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        })
    };
    json!({ "models": MODELS.iter().map(model).collect::<Vec<_>>() })
}

/// Counts tokens, as `:countTokens` does.
pub(crate) fn count_tokens(bytes: usize) -> Value {
    json!({ "totalTokens": estimate(bytes) })
}

/// Reads a request; which model and whether to stream stand in its path.
pub(crate) fn read(head: Letterhead, body: &Value, model: &str, stream: bool) -> Result<Asked, &'static str> {
    let mut conversation =
        Conversation { system: texts(&body["systemInstruction"]["parts"]), turns: Vec::new() };
    let contents = body["contents"].as_array().ok_or("`contents` is no list")?;
    let by_the_user = |content: &&Value| content["role"].as_str().unwrap_or("user") != "model";
    for content in contents.iter().filter(by_the_user) {
        read_parts(&content["parts"], &mut conversation);
    }
    let config = &body["generationConfig"];
    let schema = config.get("responseJsonSchema").or_else(|| config.get("responseSchema"));
    let mut asked = Asked::new(Dialect::GenerateContent, head, conversation);
    asked.model = model.to_owned();
    asked.stream = stream;
    // The older of the two names its types in capitals, as no validator of JSON Schema knows them.
    asked.schema = schema.cloned().map(in_small_letters);
    asked.tools = offered(&body["tools"]);
    Ok(asked)
}

fn read_parts(parts: &Value, conversation: &mut Conversation) {
    for part in parts.as_array().into_iter().flatten() {
        let response = &part["functionResponse"];
        if response.is_object() {
            let id = response["id"].as_str().unwrap_or_default().to_owned();
            let told = &response["response"];
            let text = told["output"].as_str().or(told["error"].as_str());
            let text = text.map_or_else(|| told.to_string(), str::to_owned);
            conversation.turns.push(Turn::Result(ToolResult { id, text }));
        }
    }
    let said = texts(parts);
    if !said.is_empty() {
        conversation.turns.push(Turn::User(said));
    }
}

fn texts(parts: &Value) -> Vec<String> {
    let parts = parts.as_array().into_iter().flatten();
    parts.filter_map(|part| part["text"].as_str()).map(str::to_owned).collect()
}

fn offered(tools: &Value) -> Vec<Tool> {
    let groups = tools.as_array().into_iter().flatten();
    let declared = groups.filter_map(|group| group["functionDeclarations"].as_array()).flatten();
    let tool = |tool: &Value| {
        let schema = tool.get("parametersJsonSchema").or_else(|| tool.get("parameters"));
        Some(Tool::function(tool["name"].as_str()?, schema.cloned().unwrap_or_default()))
    };
    declared.filter_map(tool).collect()
}

fn in_small_letters(schema: Value) -> Value {
    match schema {
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| match value {
                Value::String(kind) if name == "type" => (name, Value::String(kind.to_lowercase())),
                other => (name, in_small_letters(other)),
            };
            Value::Object(members.into_iter().map(member).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(in_small_letters).collect()),
        other => other,
    }
}

/// Answers a request.
pub(crate) fn answer(asked: &Asked, answer: &Answer) -> Reply {
    let parts: Vec<Value> = answer.pieces.iter().filter_map(part).collect();
    let usage = usage(answer.tokens(asked));
    let finish = if answer.refusal().is_some() { "SAFETY" } else { "STOP" };
    if !asked.stream {
        return Reply::json(200, &chunk(asked, &parts, Some(finish), &usage));
    }
    let last = parts.len().max(1) - 1;
    let told = |index: usize| {
        let finish = (index == last).then_some(finish);
        let part = parts.get(index..=index).unwrap_or_default();
        Event::nameless(chunk(asked, part, finish, &usage))
    };
    Reply::events(&(0..=last).map(told).collect::<Vec<_>>())
}

fn chunk(asked: &Asked, parts: &[Value], finish: Option<&str>, usage: &Value) -> Value {
    let mut candidate = json!({ "content": { "role": "model", "parts": parts }, "index": 0 });
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": asked.model,
        "responseId": asked.mark(),
    })
}

fn part(piece: &Piece) -> Option<Value> {
    match piece {
        Piece::Think(text) => Some(json!({ "text": text, "thought": true })),
        Piece::Say(text) => Some(json!({ "text": text })),
        // What would have been said is held back.
        Piece::Refuse(_) => None,
        Piece::Call(call) => {
            let arguments = match &call.input {
                Input::Arguments(arguments) => arguments.clone(),
                Input::Text(text) => json!({ "input": text }),
            };
            Some(json!({ "functionCall": { "id": call.id, "name": call.tool, "args": arguments } }))
        }
    }
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "promptTokenCount": tokens.input,
        "cachedContentTokenCount": tokens.cached,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "thoughtsTokenCount": tokens.reasoning,
        "totalTokenCount": tokens.input + tokens.output,
    })
}
