//! `POST /v1/messages`, as the API reference has it and Claude Code 2.1 uses it: content blocks in and out.

use crate::answer::{Answer, Piece, estimate};
use crate::asked::{Asked, Conversation, Letterhead, ToolResult, Turn};
use crate::provider::Dialect;
use crate::provider::failure::Failure;
use crate::reply::{Event, Reply};
use crate::script::Tokens;
use crate::tools::Tool;
use serde_json::{Value, json};

/// Models that are listed; any other name is answered as well.
const MODELS: &[&str] = &["claude-opus-5-5", "claude-sonnet-4-5", "claude-haiku-4-5"];

/// Lists models, as `GET /v1/models` does.
pub(crate) fn models() -> Value {
    let model = |id: &&str| json!({ "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z" });
    json!({
        "data": MODELS.iter().map(model).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": MODELS.first(),
        "last_id": MODELS.last(),
    })
}

/// Counts tokens, as `POST /v1/messages/count_tokens` does.
pub(crate) fn count_tokens(bytes: usize) -> Value {
    json!({ "input_tokens": estimate(bytes) })
}

/// Reads a request.
pub(crate) fn read(head: Letterhead, body: &Value) -> Result<Asked, &'static str> {
    let mut conversation = Conversation { system: texts(&body["system"]), turns: Vec::new() };
    let messages = body["messages"].as_array().ok_or("`messages` is no list")?;
    for message in messages {
        match message["role"].as_str() {
            Some("user") => read_user(&message["content"], &mut conversation),
            // Claude Code tells its environment in the course of the conversation.
            Some("system") => conversation.system.extend(texts(&message["content"])),
            _ => {}
        }
    }
    let offered = body["tools"].as_array().into_iter().flatten();
    let tool = |tool: &Value| Some(Tool::function(tool["name"].as_str()?, tool["input_schema"].clone()));
    let mut asked = Asked::new(Dialect::Messages, head, conversation);
    asked.model = body["model"].as_str().ok_or("`model` is missing")?.to_owned();
    asked.stream = body["stream"].as_bool().unwrap_or(false);
    asked.schema = body
        .pointer("/output_config/format/schema")
        .or_else(|| body.pointer("/output_format/schema"))
        .cloned();
    asked.tools = offered.filter_map(tool).collect();
    Ok(asked)
}

fn read_user(content: &Value, conversation: &mut Conversation) {
    for block in content.as_array().into_iter().flatten() {
        if block["type"] == "tool_result" {
            let id = block["tool_use_id"].as_str().unwrap_or_default().to_owned();
            let text = texts(&block["content"]).join("\n");
            conversation.turns.push(Turn::Result(ToolResult { id, text }));
        }
    }
    let said = texts(content);
    if !said.is_empty() {
        conversation.turns.push(Turn::User(said));
    }
}

fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(blocks) => {
            let text = blocks.iter().filter(|block| block["type"] == "text");
            text.filter_map(|block| block["text"].as_str()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Answers a request.
pub(crate) fn answer(asked: &Asked, answer: &Answer) -> Reply {
    let blocks: Vec<Value> = answer.pieces.iter().filter_map(block).collect();
    let tokens = answer.tokens(asked);
    if !asked.stream {
        let mut whole = message(asked, &usage(tokens));
        whole["content"] = Value::Array(blocks);
        whole["stop_reason"] = json!(stop(answer));
        return identified(asked, Reply::json(200, &whole));
    }
    let started = usage(Tokens { output: 1, ..tokens });
    let mut events = vec![json!({ "type": "message_start", "message": message(asked, &started) })];
    events.push(json!({ "type": "ping" }));
    for (index, block) in blocks.iter().enumerate() {
        events.extend(told(index, block));
    }
    events.push(json!({
        "type": "message_delta",
        "delta": { "stop_reason": stop(answer), "stop_sequence": null },
        "usage": usage(tokens),
    }));
    events.push(json!({ "type": "message_stop" }));
    stream(asked, events)
}

/// Fails a request within its stream.
pub(crate) fn fail(asked: &Asked, failure: &Failure) -> Reply {
    let started = usage(Tokens { input: asked.input_tokens, cached: 0, output: 1, reasoning: 0 });
    let error = json!({ "type": failure.code, "message": failure.message });
    stream(
        asked,
        vec![
            json!({ "type": "message_start", "message": message(asked, &started) }),
            json!({ "type": "error", "error": error }),
        ],
    )
}

fn stream(asked: &Asked, events: Vec<Value>) -> Reply {
    let events: Vec<Event> = events.into_iter().map(Event::named).collect();
    identified(asked, Reply::events(&events))
}

fn identified(asked: &Asked, reply: Reply) -> Reply {
    reply.with("request-id", format!("req_{}", asked.mark()))
}

/// Claude Code takes messages with one id for one message, so each answer has its own.
fn message(asked: &Asked, usage: &Value) -> Value {
    json!({
        "id": format!("msg_{}", asked.mark()),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage,
    })
}

fn block(piece: &Piece) -> Option<Value> {
    match piece {
        Piece::Think(text) => Some(json!({ "type": "thinking", "thinking": text, "signature": "bm9uZQ==" })),
        Piece::Say(text) => Some(json!({ "type": "text", "text": text })),
        // A refusal is a reason to stop, and what was said before it does not count.
        Piece::Refuse(_) => None,
        Piece::Call(call) => Some(json!({
            "type": "tool_use", "id": call.id, "name": call.tool, "input": call.input.to_value(),
        })),
    }
}

/// Returns the events that tell a block.
fn told(index: usize, block: &Value) -> Vec<Value> {
    let mut begun = block.clone();
    let deltas = match block["type"].as_str() {
        Some("thinking") => {
            begun["thinking"] = json!("");
            begun["signature"] = json!("");
            vec![
                json!({ "type": "thinking_delta", "thinking": block["thinking"] }),
                json!({ "type": "signature_delta", "signature": block["signature"] }),
            ]
        }
        Some("tool_use") => {
            begun["input"] = json!({});
            vec![json!({ "type": "input_json_delta", "partial_json": block["input"].to_string() })]
        }
        _ => {
            begun["text"] = json!("");
            let pieces = block["text"].as_str().unwrap_or_default().split_inclusive(' ');
            pieces.map(|piece| json!({ "type": "text_delta", "text": piece })).collect()
        }
    };
    let start = json!({ "type": "content_block_start", "index": index, "content_block": begun });
    let stop = json!({ "type": "content_block_stop", "index": index });
    let deltas = deltas
        .into_iter()
        .map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta }));
    [start].into_iter().chain(deltas).chain([stop]).collect()
}

fn stop(answer: &Answer) -> &'static str {
    match (answer.refusal(), answer.calls().next()) {
        (Some(_), _) => "refusal",
        (None, Some(_)) => "tool_use",
        (None, None) => "end_turn",
    }
}

/// Anthropic counts what came from the cache beside what was read, not within it.
fn usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": tokens.input - tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
    })
}
