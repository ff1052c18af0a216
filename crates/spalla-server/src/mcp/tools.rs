//! What the tools are called, what they do, and what they take.

use rmcp::model::{JsonObject, Tool};
use serde_json::{Value, json};

/// Tells an event.
pub(super) const EMIT: &str = "spalla_emit";
/// Asks a person.
pub(super) const ASK: &str = "spalla_ask";
/// Reads the work item.
pub(super) const GET_ITEM: &str = "spalla_get_item";
/// Makes a work item.
pub(super) const CREATE_ITEM: &str = "spalla_create_item";
/// Lists work items.
pub(super) const LIST_ITEMS: &str = "spalla_list_items";

/// Sends a message.
pub(super) const SEND_MESSAGE: &str = "spalla_send_message";
/// Reads messages.
pub(super) const READ_MESSAGES: &str = "spalla_read_messages";

/// Returns all tools.
pub(super) fn all() -> Vec<Tool> {
    vec![
        tool(
            EMIT,
            "Tells what you found, did or need while you work. Others see it at once. A blocker or a milestone may be \
             reviewed by other agents.",
            &["type", "payload"],
            &json!({
                "type": {"type": "string", "description": "What it means.", "enum": ["status", "progress", "finding",
                    "task", "blocker", "milestone", "review", "error"]},
                "payload": {"type": "object", "description": "What it says: text, progress from 0 to 100, file, and \
                    whatever else belongs to it. At most 64 KiB."},
            }),
        ),
        tool(
            ASK,
            "Asks a person and waits for the answer. Ask only what you can't find out or decide yourself.",
            &["question"],
            &json!({
                "question": {"type": "string", "description": "What the person reads."},
                "fields": {"type": "array", "description": "The values that are asked for; one, ANSWER, when left out. \
                    The name is in capital letters, digits and underscores.", "items": {"type": "object",
                    "required": ["name"], "additionalProperties": false, "properties": {
                        "name": {"type": "string"}, "description": {"type": "string"},
                        "example": {"type": "string"}, "secret": {"type": "boolean"},
                        "schema": {"type": "object", "description": "A JSON Schema that the value keeps."}}}},
                "timeout_seconds": {"type": "integer", "minimum": 1, "maximum": super::ask::TIMEOUT_SECONDS_MAX,
                    "description": "How long to wait; 600 when left out. Asking the same again waits on."},
            }),
        ),
        tool(GET_ITEM, "Shows the work item that you work on: title, prompt, status.", &[], &json!({})),
        tool(
            CREATE_ITEM,
            "Makes a work item in your project for what is to be done beside your own work. A person decides when it starts.",
            &["title"],
            &json!({
                "title": {"type": "string"},
                "description": {"type": "string"},
                "prompt": {"type": "string", "description": "What an agent is told that does it."},
                "agent": {"type": "string", "description": "Who is to do it, such as codex or claude."},
                "category": {"type": "string"},
                "priority": {"type": "integer", "minimum": 0, "maximum": 9, "description": "9 is the most urgent."},
                "depends_on": {"type": "array", "items": {"type": "integer"}, "description": "Ids of work items that \
                    have to succeed first."},
                "labels": {"type": "array", "items": {"type": "string"}},
            }),
        ),
        tool(
            LIST_ITEMS,
            "Lists the work items of your project, the newest first.",
            &[],
            &json!({
                "status": {"type": "string", "description": "Such as open, queued, running, succeeded, failed."},
                "label": {"type": "string"},
                "q": {"type": "string", "description": "A text in title, description or prompt."},
                "limit": {"type": "integer", "minimum": 1, "maximum": 500, "description": "50 when left out."},
            }),
        ),
        tool(
            SEND_MESSAGE,
            "Sends a message to another agent of your session, or to people. Whoever answers it sends a response, which you \
             read with spalla_read_messages.",
            &["payload"],
            &json!({
                "to": {"type": "string", "description": "The agent, such as codex, or people. Left out, whoever sent what it \
                    answers."},
                "type": {"type": "string", "enum": ["request", "response", "notification"], "description": "notification \
                    when left out; a response names what it answers."},
                "payload": {"type": "object", "description": "What it says: text, and whatever else belongs to it. At most \
                    64 KiB."},
                "priority": {"type": "string", "enum": ["low", "medium", "high", "critical"], "description": "medium when \
                    left out."},
                "in_reply_to": {"type": "integer", "description": "The id of the message that it answers."},
            }),
        ),
        tool(
            READ_MESSAGES,
            "Reads the messages to you, the most urgent first. Each comes again until you acknowledge it.",
            &[],
            &json!({
                "acknowledge": {"type": "array", "items": {"type": "integer"}, "description": "Ids of messages that you have \
                    dealt with; they are not shown again. Those that are not there are named in not_found."},
                "limit": {"type": "integer", "minimum": 1, "maximum": 200, "description": "50 when left out."},
                "wait_seconds": {"type": "integer", "minimum": 0, "maximum": super::calls::WAIT_SECONDS_MAX,
                    "description": "Waits so long for a message where there is none; 0 when left out."},
            }),
        ),
    ]
}

fn tool(name: &'static str, description: &'static str, required: &[&str], properties: &Value) -> Tool {
    let schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name, description, schema)
}
