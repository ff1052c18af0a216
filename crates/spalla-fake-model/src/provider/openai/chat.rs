//! `POST /v1/chat/completions`, as the API reference has it: messages in, one choice out.

use super::texts;
use crate::answer::{Answer, Call};
use crate::asked::{Asked, Conversation, Letterhead, ToolResult, Turn};
use crate::provider::Dialect;
use crate::reply::{Event, Reply};
use crate::script::Tokens;
use crate::tools::Tool;
use serde_json::{Value, json};

/// Reads a request.
pub(crate) fn read(head: Letterhead, body: &Value) -> Result<Asked, &'static str> {
    let mut conversation = Conversation::default();
    let messages = body["messages"].as_array().ok_or("`messages` is no list")?;
    for message in messages {
        let said = texts(&message["content"]);
        match message["role"].as_str() {
            Some("user") => conversation.turns.push(Turn::User(said)),
            Some("system" | "developer") => conversation.system.extend(said),
            Some("tool") => {
                let id = message["tool_call_id"].as_str().unwrap_or_default().to_owned();
                conversation.turns.push(Turn::Result(ToolResult { id, text: said.join("\n") }));
            }
            _ => {}
        }
    }
    let offered = body["tools"].as_array().into_iter().flatten();
    let tool = |tool: &Value| {
        let function = &tool["function"];
        Some(Tool::function(function["name"].as_str()?, function["parameters"].clone()))
    };
    let mut asked = Asked::new(Dialect::Chat, head, conversation);
    asked.model = body["model"].as_str().ok_or("`model` is missing")?.to_owned();
    asked.stream = body["stream"].as_bool().unwrap_or(false);
    asked.wants_usage = body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    asked.schema = body.pointer("/response_format/json_schema/schema").cloned();
    asked.tools = offered.filter_map(tool).collect();
    Ok(asked)
}

/// Answers a request.
pub(crate) fn answer(asked: &Asked, answer: &Answer) -> Reply {
    if asked.stream { streamed(asked, answer) } else { whole(asked, answer) }
}

fn whole(asked: &Asked, answer: &Answer) -> Reply {
    let calls: Vec<Value> = answer.calls().map(call).collect();
    let mut message = json!({ "role": "assistant", "content": content(answer), "refusal": answer.refusal() });
    if !calls.is_empty() {
        message["tool_calls"] = Value::Array(calls);
    }
    let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": finish(answer) });
    let mut body = frame(asked, "chat.completion", vec![choice]);
    body["usage"] = usage(answer.tokens(asked));
    Reply::json(200, &body)
}

fn streamed(asked: &Asked, answer: &Answer) -> Reply {
    let mut deltas = vec![json!({ "role": "assistant", "content": "" })];
    let text = answer.text();
    deltas.extend(text.split_inclusive(' ').map(|piece| json!({ "content": piece })));
    deltas.extend(answer.refusal().map(|text| json!({ "refusal": text })));
    deltas.extend(answer.calls().enumerate().map(|(index, one)| {
        let mut one = call(one);
        one["index"] = json!(index);
        json!({ "tool_calls": [one] })
    }));
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        Event::nameless(frame(asked, "chat.completion.chunk", vec![choice]))
    };
    let mut events: Vec<Event> = deltas.into_iter().map(|delta| chunk(delta, Value::Null)).collect();
    events.push(chunk(json!({}), json!(finish(answer))));
    if asked.wants_usage {
        let mut last = frame(asked, "chat.completion.chunk", Vec::new());
        last["usage"] = usage(answer.tokens(asked));
        events.push(Event::nameless(last));
    }
    let mut reply = Reply::events(&events);
    reply.frames.push(b"data: [DONE]\n\n".to_vec());
    reply
}

fn frame(asked: &Asked, object: &str, choices: Vec<Value>) -> Value {
    json!({
        "id": format!("chatcmpl-{}", asked.mark()),
        "object": object,
        "created": asked.at_ms / 1000,
        "model": asked.model,
        "choices": choices,
    })
}

fn content(answer: &Answer) -> Value {
    let text = answer.text();
    if text.is_empty() { Value::Null } else { json!(text) }
}

fn call(call: &Call) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.tool, "arguments": call.input.to_text() },
    })
}

fn finish(answer: &Answer) -> &'static str {
    if answer.calls().next().is_some() { "tool_calls" } else { "stop" }
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": { "cached_tokens": tokens.cached },
        "completion_tokens_details": { "reasoning_tokens": tokens.reasoning },
    })
}
