//! `POST /v1/responses`, as the API reference has it and Codex 0.169 uses it: items in, items out, and a stream of
//! events that names each step of an item.

mod items;

use super::texts;
use crate::answer::Answer;
use crate::asked::{Asked, Conversation, Letterhead, ToolResult, Turn};
use crate::provider::Dialect;
use crate::provider::failure::Failure;
use crate::reply::{Event, Reply};
use crate::script::Tokens;
use crate::tools::Tool;
use serde_json::{Value, json};

/// Reads a request.
pub(crate) fn read(head: Letterhead, body: &Value) -> Result<Asked, &'static str> {
    let mut conversation = Conversation::default();
    conversation.system.extend(body["instructions"].as_str().map(str::to_owned));
    let mut tools = Vec::new();
    offer(&mut tools, &body["tools"], None);
    match &body["input"] {
        Value::String(text) => conversation.turns.push(Turn::User(vec![text.clone()])),
        Value::Array(items) => {
            for item in items {
                read_item(item, &mut conversation, &mut tools);
            }
        }
        _ => return Err("`input` is neither a string nor a list of items"),
    }
    let mut asked = Asked::new(Dialect::Responses, head, conversation);
    asked.model = body["model"].as_str().ok_or("`model` is missing")?.to_owned();
    asked.stream = body["stream"].as_bool().unwrap_or(false);
    asked.schema = body.pointer("/text/format/schema").cloned();
    asked.tools = tools;
    Ok(asked)
}

fn read_item(item: &Value, conversation: &mut Conversation, tools: &mut Vec<Tool>) {
    match item["type"].as_str().unwrap_or("message") {
        "message" => match item["role"].as_str() {
            Some("user") => conversation.turns.push(Turn::User(texts(&item["content"]))),
            Some("developer" | "system") => conversation.system.extend(texts(&item["content"])),
            _ => {}
        },
        "function_call_output" | "custom_tool_call_output" => {
            let id = item["call_id"].as_str().unwrap_or_default().to_owned();
            conversation.turns.push(Turn::Result(ToolResult { id, text: texts(&item["output"]).join("\n") }));
        }
        // In code mode Codex offers its tools in the conversation instead of beside it.
        "additional_tools" => offer(tools, &item["tools"], None),
        _ => {}
    }
}

fn offer(tools: &mut Vec<Tool>, offered: &Value, namespace: Option<&str>) {
    for tool in offered.as_array().into_iter().flatten() {
        let kind = tool["type"].as_str().unwrap_or_default();
        let Some(name) = tool["name"].as_str() else { continue };
        match kind {
            // The functions of code mode are called by their bare names.
            "namespace" => offer(tools, &tool["tools"], (name != "functions").then_some(name)),
            "function" | "custom" => tools.push(Tool {
                name: name.to_owned(),
                namespace: namespace.map(str::to_owned),
                is_custom: kind == "custom",
                schema: tool["parameters"].clone(),
            }),
            _ => {}
        }
    }
}

/// Answers a request.
pub(crate) fn answer(asked: &Asked, answer: &Answer) -> Reply {
    let items = items::of(asked, answer);
    let usage = usage(answer.tokens(asked));
    let whole: Vec<Value> = items.iter().map(|item| item.whole.clone()).collect();
    let done = response(asked, "completed", &whole, &usage);
    if !asked.stream {
        return Reply::json(200, &done);
    }
    let mut events = opening(asked);
    for (index, item) in items.iter().enumerate() {
        events.extend(item.events(index));
    }
    events.push(json!({ "type": "response.completed", "response": done }));
    stream(events)
}

/// Fails a request within its stream.
pub(crate) fn fail(asked: &Asked, failure: &Failure) -> Reply {
    let mut response = response(asked, "failed", &[], &Value::Null);
    response["error"] = json!({ "code": failure.code, "message": failure.message });
    let mut events = opening(asked);
    events.push(json!({ "type": "response.failed", "response": response }));
    stream(events)
}

fn opening(asked: &Asked) -> Vec<Value> {
    let response = response(asked, "in_progress", &[], &Value::Null);
    vec![
        json!({ "type": "response.created", "response": response }),
        json!({ "type": "response.in_progress", "response": response }),
    ]
}

fn stream(events: Vec<Value>) -> Reply {
    let numbered = events.into_iter().enumerate().map(|(index, mut data)| {
        data["sequence_number"] = json!(index);
        Event::named(data)
    });
    Reply::events(&numbered.collect::<Vec<_>>())
}

fn response(asked: &Asked, status: &str, output: &[Value], usage: &Value) -> Value {
    json!({
        "id": format!("resp_{}", asked.mark()),
        "object": "response",
        "created_at": asked.at_ms / 1000,
        "status": status,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": true,
        "store": false,
        "usage": usage,
        "metadata": {},
    })
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "input_tokens_details": { "cached_tokens": tokens.cached },
        "output_tokens": tokens.output,
        "output_tokens_details": { "reasoning_tokens": tokens.reasoning },
        "total_tokens": tokens.input + tokens.output,
    })
}
