//! The items of a response, whole and as the events in which a stream tells them.

use crate::answer::{Answer, Call, Input, Piece};
use crate::asked::Asked;
use serde_json::{Value, json};

/// An item of the output.
pub(super) struct Item {
    /// The item when it is done.
    pub(super) whole: Value,
    /// The item when it begins: without its content.
    begun: Value,
    /// What comes between, without the places that all of them name.
    steps: Vec<Value>,
}

impl Item {
    /// Returns the events that tell the item at its place in the output.
    pub(super) fn events(&self, index: usize) -> Vec<Value> {
        let added =
            json!({ "type": "response.output_item.added", "output_index": index, "item": self.begun });
        let done = json!({ "type": "response.output_item.done", "output_index": index, "item": self.whole });
        let steps = self.steps.iter().cloned().map(|mut step| {
            step["output_index"] = json!(index);
            step["item_id"] = self.whole["id"].clone();
            step
        });
        [added].into_iter().chain(steps).chain([done]).collect()
    }
}

/// Returns the items of an answer.
pub(super) fn of(asked: &Asked, answer: &Answer) -> Vec<Item> {
    let item = |(index, piece): (usize, &Piece)| {
        let id = |prefix: &str| format!("{prefix}_{}_{index}", asked.mark());
        match piece {
            Piece::Think(text) => reasoning(&id("rs"), text),
            Piece::Say(text) => message(&id("msg"), text),
            Piece::Refuse(text) => refusal(&id("msg"), text),
            Piece::Call(call) => match &call.input {
                Input::Arguments(_) => function_call(&id("fc"), call),
                Input::Text(text) => custom_call(&id("ctc"), call, text),
            },
        }
    };
    answer.pieces.iter().enumerate().map(item).collect()
}

fn reasoning(id: &str, text: &str) -> Item {
    let part = |text: &str| json!({ "type": "summary_text", "text": text });
    let whole = json!({
        "type": "reasoning", "id": id, "summary": [part(text)], "encrypted_content": "bm90aGluZyBpbiBoZXJl",
    });
    let steps = vec![
        json!({ "type": "response.reasoning_summary_part.added", "summary_index": 0, "part": part("") }),
        json!({ "type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": text }),
        json!({ "type": "response.reasoning_summary_text.done", "summary_index": 0, "text": text }),
        json!({ "type": "response.reasoning_summary_part.done", "summary_index": 0, "part": part(text) }),
    ];
    Item { begun: with(&whole, "summary", json!([])), whole, steps }
}

fn message(id: &str, text: &str) -> Item {
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
    let mut steps =
        vec![json!({ "type": "response.content_part.added", "content_index": 0, "part": part("") })];
    steps
        .extend(pieces(text).map(
            |delta| json!({ "type": "response.output_text.delta", "content_index": 0, "delta": delta }),
        ));
    steps.push(json!({ "type": "response.output_text.done", "content_index": 0, "text": text }));
    steps.push(json!({ "type": "response.content_part.done", "content_index": 0, "part": part(text) }));
    said(id, &part(text), steps)
}

fn refusal(id: &str, text: &str) -> Item {
    let part = |text: &str| json!({ "type": "refusal", "refusal": text });
    let steps = vec![
        json!({ "type": "response.content_part.added", "content_index": 0, "part": part("") }),
        json!({ "type": "response.refusal.delta", "content_index": 0, "delta": text }),
        json!({ "type": "response.refusal.done", "content_index": 0, "refusal": text }),
        json!({ "type": "response.content_part.done", "content_index": 0, "part": part(text) }),
    ];
    said(id, &part(text), steps)
}

fn said(id: &str, part: &Value, steps: Vec<Value>) -> Item {
    let whole =
        json!({ "type": "message", "id": id, "role": "assistant", "status": "completed", "content": [part] });
    let begun = with(&with(&whole, "content", json!([])), "status", json!("in_progress"));
    Item { whole, begun, steps }
}

fn function_call(id: &str, call: &Call) -> Item {
    let arguments = call.input.to_text();
    let mut whole = json!({
        "type": "function_call", "id": id, "call_id": call.id, "name": call.tool, "arguments": arguments,
        "status": "completed",
    });
    if let Some(namespace) = &call.namespace {
        whole["namespace"] = json!(namespace);
    }
    let steps = vec![
        json!({ "type": "response.function_call_arguments.delta", "delta": arguments }),
        json!({ "type": "response.function_call_arguments.done", "arguments": arguments }),
    ];
    let begun = with(&with(&whole, "arguments", json!("")), "status", json!("in_progress"));
    Item { whole, begun, steps }
}

fn custom_call(id: &str, call: &Call, input: &str) -> Item {
    let whole = json!({
        "type": "custom_tool_call", "id": id, "call_id": call.id, "name": call.tool, "input": input,
        "status": "completed",
    });
    let steps = vec![
        json!({ "type": "response.custom_tool_call_input.delta", "delta": input }),
        json!({ "type": "response.custom_tool_call_input.done", "input": input }),
    ];
    let begun = with(&with(&whole, "input", json!("")), "status", json!("in_progress"));
    Item { whole, begun, steps }
}

fn with(item: &Value, name: &str, value: Value) -> Value {
    let mut item = item.clone();
    item[name] = value;
    item
}

/// Text comes word by word, as from a model.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}
