//! The Agent Client Protocol: JSON-RPC over standard input and output, one message on a line
//! (agentclientprotocol.com, protocol version 1). Seen with the Gemini CLI 0.61, codex-acp 0.16, claude-agent-acp 0.49 and
//! OpenCode 1.18. One conversation has one turn here.
//!
//! ```text
//! initialize ─▶ session/new, or session/load ─▶ session/prompt ─▶ session/update … ─▶ its answer: the turn is over
//!                    │ authentication required
//!                    └─▶ authenticate by a key ─▶ session/new once more
//! session/request_permission ─▶ answered as the guard says; whatever else is asked is refused
//! ```

mod calls;

use super::{Ears, end_of, event, events, number_of, shown, str_of, words};
use crate::command_line::Guard;
use crate::heard::{Denied, DeniedBy, Heard, Spent, TurnEnd};
use crate::named::{input_of, paths_of};
use calls::Calls;
use serde_json::{Value, json};
use spalla_domain::agent_event::{AgentEvent, AgentEventType};

/// The version of the protocol that is spoken.
const VERSION: u32 = 1;
/// The code of an answer that says that nobody is logged in.
const AUTH_REQUIRED: i64 = -32_000;
/// The code of a method that is not known.
const NO_METHOD: i64 = -32_601;
/// The ids of our requests.
const INITIALIZE: u64 = 1;
const AUTHENTICATE: u64 = 2;
const OPEN: u64 = 3;
const PROMPT: u64 = 4;
/// The most words that are kept of one message, in bytes.
const WORDS_BYTES_MAX: usize = 256 * 1024;

/// What a turn of a dialogue is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The folder in which the agent works, as an absolute path.
    pub folder: String,
    /// What it is told.
    pub prompt: String,
    /// The conversation that goes on; a new one where none is named.
    pub thread: Option<String>,
    /// What it may do without asking.
    pub guard: Guard,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Dialogue {
    opening: Opening,
    session: Option<String>,
    /// How the agent can be let in, by its own names.
    ways_in: Vec<String>,
    has_tried_key: bool,
    can_load: bool,
    /// The message that is coming in, piece by piece.
    message: String,
    outbox: Vec<String>,
    calls: Calls,
}

impl Dialogue {
    /// Begins: what is sent first stands in the outbox.
    pub(super) fn new(opening: Opening) -> Self {
        let (session, ways_in, has_tried_key, can_load, message, outbox, calls) = Default::default();
        let mut dialogue =
            Self { opening, session, ways_in, has_tried_key, can_load, message, outbox, calls };
        // What the agent does to files it does itself, behind the walls.
        let capabilities =
            json!({ "fs": { "readTextFile": false, "writeTextFile": false }, "terminal": false });
        let client = json!({ "name": "spalla", "title": "Spalla", "version": env!("CARGO_PKG_VERSION") });
        dialogue.ask(
            INITIALIZE,
            "initialize",
            &json!({ "protocolVersion": VERSION, "clientCapabilities": capabilities, "clientInfo": client }),
        );
        dialogue
    }

    /// Takes what is to be sent, a line each.
    pub(super) fn outbox(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outbox)
    }

    /// Hears a message.
    pub(super) fn hear(&mut self, message: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let id = message.get("id").filter(|id| !id.is_null());
        match (str_of(message, "/method"), id) {
            (Some("session/update"), None) => self.update(&message["params"]["update"], ears),
            (Some("session/request_permission"), Some(id)) => self.permit(id, &message["params"]),
            (Some(method), Some(id)) => {
                let error = json!({ "code": NO_METHOD, "message": format!("{method} is not offered here") });
                self.send(&json!({ "jsonrpc": "2.0", "id": id, "error": error }));
                vec![]
            }
            (Some(_), None) => vec![],
            (None, Some(id)) => match (id.as_u64(), message.get("error").filter(|error| error.is_object())) {
                (Some(id), Some(error)) => self.refused(id, error, ears),
                (Some(id), None) => self.answered(id, &message["result"]),
                (None, _) => vec![],
            },
            (None, None) => {
                vec![event(AgentEventType::Error, "a message is neither a request nor an answer")]
            }
        }
    }

    fn ask(&mut self, id: u64, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
    }

    fn send(&mut self, message: &Value) {
        self.outbox.push(message.to_string());
    }

    fn open(&mut self) {
        let folder = &self.opening.folder;
        match self.opening.thread.clone().filter(|_| self.can_load) {
            Some(thread) => {
                let params = json!({ "sessionId": thread, "cwd": folder, "mcpServers": [] });
                self.session = Some(thread);
                self.ask(OPEN, "session/load", &params);
            }
            None => {
                let params = json!({ "cwd": folder, "mcpServers": [] });
                self.ask(OPEN, "session/new", &params);
            }
        }
    }

    fn answered(&mut self, id: u64, result: &Value) -> Vec<Heard> {
        match id {
            INITIALIZE => {
                self.can_load = result["agentCapabilities"]["loadSession"] == true;
                let ways = result["authMethods"].as_array().into_iter().flatten();
                self.ways_in = ways.filter_map(|way| way["id"].as_str().map(str::to_owned)).collect();
                self.open();
                vec![]
            }
            AUTHENTICATE => {
                self.open();
                vec![]
            }
            OPEN => {
                let named = str_of(result, "/sessionId").map(str::to_owned);
                let session = named.or_else(|| self.session.take()).unwrap_or_default();
                // What was said before in a conversation that goes on is no word of this turn.
                self.message.clear();
                let prompt = json!([{ "type": "text", "text": self.opening.prompt }]);
                self.ask(PROMPT, "session/prompt", &json!({ "sessionId": session, "prompt": prompt }));
                self.session = Some(session.clone());
                vec![Heard::Thread(session)]
            }
            PROMPT => self.over(result),
            _ => vec![],
        }
    }

    fn over(&mut self, result: &Value) -> Vec<Heard> {
        let mut heard = self.said();
        if let Some(usage) = result.get("usage").or_else(|| result.pointer("/_meta/usage")) {
            heard.push(Heard::Spent(spent(usage)));
        }
        let end = match str_of(result, "/stopReason") {
            Some("end_turn") => TurnEnd::Completed,
            Some("cancelled") => TurnEnd::Interrupted,
            reason => {
                let text = format!("the turn ended early: {}", reason.unwrap_or("no reason is given"));
                heard.push(event(AgentEventType::Error, text));
                TurnEnd::Failed
            }
        };
        heard.push(event(AgentEventType::Milestone, "ended a turn"));
        heard.push(Heard::Over(end));
        heard
    }

    fn refused(&mut self, id: u64, error: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let code = error["code"].as_i64().unwrap_or_default();
        if id == OPEN && code == AUTH_REQUIRED && !self.has_tried_key {
            let has_key = |way: &&String| way.to_lowercase().contains("key");
            if let Some(way) = self.ways_in.iter().find(has_key).cloned() {
                self.has_tried_key = true;
                self.ask(AUTHENTICATE, "authenticate", &json!({ "methodId": way }));
                return vec![];
            }
        }
        if id == OPEN && self.session.take().is_some() {
            // A conversation that can't go on is begun anew.
            self.opening.thread = None;
            self.open();
            return vec![];
        }
        let mut heard = self.said();
        let status = u16::try_from(code).ok().filter(|code| (400..600).contains(code));
        let words = str_of(error, "/message").unwrap_or("the agent refused");
        let more =
            error.get("data").map(|data| format!(": {}", shown(&data.to_string()))).unwrap_or_default();
        let what = if code == AUTH_REQUIRED { "not logged in: " } else { "" };
        heard.extend(ears.failed(&format!("{what}{words}{more}"), status, true));
        heard.push(Heard::Over(TurnEnd::Failed));
        heard
    }

    fn update(&mut self, update: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match str_of(update, "/sessionUpdate") {
            Some("agent_message_chunk") => {
                let text = str_of(update, "/content/text").unwrap_or_default();
                if self.message.len() + text.len() <= WORDS_BYTES_MAX {
                    self.message.push_str(text);
                }
                vec![]
            }
            Some("tool_call") => {
                let mut heard = self.said();
                heard.push(Heard::Event(of_tool(update, AgentEventType::Progress)));
                heard.extend(self.calls.hear(update));
                heard
            }
            Some("tool_call_update") if update["status"] == "failed" => {
                let said = words_of(update);
                let mut heard = vec![Heard::Event(of_tool(update, AgentEventType::Finding))];
                heard.extend(self.calls.hear(update));
                if ears.is_denial(&said) {
                    heard.push(Heard::Denied(denied(update, said)));
                }
                heard
            }
            Some("tool_call_update") => self.calls.hear(update).into_iter().collect(),
            Some("plan") => of_plan(update),
            _ => vec![],
        }
    }

    /// Returns what the agent said since it did something last.
    fn said(&mut self) -> Vec<Heard> {
        words(&std::mem::take(&mut self.message))
    }

    fn permit(&mut self, id: &Value, params: &Value) -> Vec<Heard> {
        let call = &params["toolCall"];
        let kind = str_of(call, "/kind").unwrap_or("other");
        let may = match self.opening.guard {
            Guard::Bypass => true,
            Guard::Guarded => ["read", "edit", "search", "think", "move"].contains(&kind),
            Guard::ReadOnly => ["read", "search", "think"].contains(&kind),
        };
        let options = params["options"].as_array().map(Vec::as_slice).unwrap_or_default();
        let wanted = if may { ["allow_once", "allow_always"] } else { ["reject_once", "reject_always"] };
        let of_kind = |kind: &str| options.iter().find(|option| option["kind"] == kind);
        let chosen = wanted.iter().find_map(|kind| str_of(of_kind(kind)?, "/optionId"));
        let outcome = match chosen {
            Some(option) => json!({ "outcome": "selected", "optionId": option }),
            None => json!({ "outcome": "cancelled" }),
        };
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": { "outcome": outcome } }));
        if may {
            return vec![];
        }
        vec![Heard::Denied(denied(call, "it asked for what it may not do here".to_owned()))]
    }
}

fn denied(call: &Value, reason: String) -> Denied {
    let given = &call["rawInput"];
    let places = call["locations"].as_array().into_iter().flatten();
    let mut paths: Vec<String> =
        places.filter_map(|place| str_of(place, "/path").map(str::to_owned)).collect();
    if paths.is_empty() {
        paths = paths_of(given);
    }
    let tool = str_of(call, "/title").map(str::to_owned);
    Denied { tool, reason: shown(&reason), paths, input: input_of(given), by: DeniedBy::Guard }
}

fn of_tool(update: &Value, kind: AgentEventType) -> AgentEvent {
    let title = str_of(update, "/title").unwrap_or("a tool");
    let said = if kind == AgentEventType::Finding { words_of(update) } else { String::new() };
    let text = if said.is_empty() { title.to_owned() } else { format!("{title}: {}", end_of(&said)) };
    let event = AgentEvent::new(kind, shown(&text));
    match str_of(update, "/locations/0/path").filter(|_| is_change(update)) {
        Some(path) => event.of_file(path),
        None => event,
    }
}

fn is_change(call: &Value) -> bool {
    ["edit", "delete", "move"].iter().any(|change| call["kind"] == *change)
}

/// Returns what a tool said.
fn words_of(update: &Value) -> String {
    let parts = update["content"].as_array().into_iter().flatten();
    let texts = parts.filter_map(|part| str_of(part, "/content/text"));
    texts.collect::<Vec<_>>().join("\n")
}

fn of_plan(update: &Value) -> Vec<Heard> {
    let entries = update["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = entries.iter().filter_map(|entry| str_of(entry, "/content")).collect();
    if texts.is_empty() {
        return vec![];
    }
    let done = entries.iter().filter(|entry| entry["status"] == "completed").count();
    let event = AgentEvent::new(AgentEventType::Task, shown(&texts.join("; ")));
    vec![Heard::Event(event.with("done", done as u64).with("of", entries.len() as u64))]
}

fn spent(usage: &Value) -> Spent {
    let either = |one: &str, other: &str| number_of(usage, one).or_else(|| number_of(usage, other));
    Spent {
        input_tokens: either("/inputTokens", "/input_tokens"),
        cached_input_tokens: either("/cachedReadTokens", "/cached_read_tokens"),
        output_tokens: either("/outputTokens", "/output_tokens"),
        ..Spent::default()
    }
}

/// Hears a line: a message, or what the program prints besides.
pub(super) fn hear(dialogue: &mut Dialogue, line: &[u8], ears: &Ears<'_>) -> Vec<Heard> {
    match spalla_domain::agent_event::read_json(line) {
        Ok(message) if message["jsonrpc"] == "2.0" => dialogue.hear(&message, ears),
        Ok(value) => events::of(&value).map(Heard::Event).into_iter().collect(),
        Err(why) => super::hostile(line, &why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trouble::{Cause, Patterns};
    use jiff::Timestamp;

    /// A conversation in which one side is ours and the other one is written down.
    struct Talk(Dialogue);

    impl Talk {
        fn begin(guard: Guard, thread: Option<&str>) -> Self {
            let (folder, prompt, thread) = ("/w".to_owned(), "Do it".to_owned(), thread.map(str::to_owned));
            Self(Dialogue::new(Opening { folder, prompt, thread, guard }))
        }

        /// Returns what is sent, as methods and answers.
        fn sent(&mut self) -> Vec<Value> {
            self.0.outbox().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
        }

        fn hears(&mut self, message: Value) -> Vec<Heard> {
            let patterns = Patterns::default();
            let ears = Ears { patterns: &patterns, now: Timestamp::UNIX_EPOCH };
            hear(&mut self.0, message.to_string().as_bytes(), &ears)
        }

        fn answers(&mut self, id: u64, result: Value) -> Vec<Heard> {
            self.hears(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
        }

        fn updates(&mut self, update: Value) -> Vec<Heard> {
            let params = json!({ "sessionId": "s", "update": update });
            self.hears(json!({ "jsonrpc": "2.0", "method": "session/update", "params": params }))
        }

        fn opened(guard: Guard) -> Self {
            let mut talk = Self::begin(guard, None);
            assert_eq!(talk.sent()[0]["method"], "initialize");
            talk.answers(1, json!({ "protocolVersion": 1 }));
            assert_eq!(talk.sent()[0]["method"], "session/new");
            assert_eq!(talk.answers(3, json!({ "sessionId": "s" })), [Heard::Thread("s".into())]);
            let prompt = &talk.sent()[0];
            assert_eq!(
                (&prompt["method"], &prompt["params"]["prompt"][0]["text"]),
                (&json!("session/prompt"), &json!("Do it"))
            );
            talk
        }
    }

    #[test]
    fn a_turn_is_words_tools_and_an_end() {
        let mut talk = Talk::opened(Guard::Bypass);
        for text in ["I wi", "ll write."] {
            talk.updates(json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": text } }));
        }
        let tool = json!({ "sessionUpdate": "tool_call", "title": "Writing to a.txt", "kind": "edit",
            "locations": [{ "path": "/w/a.txt" }] });
        let heard = talk.updates(tool);
        assert_eq!(heard[0], Heard::Words("I will write.".into()));
        assert!(
            matches!(&heard[1], Heard::Event(event) if event.payload.file.as_deref() == Some("/w/a.txt"))
        );
        talk.updates(json!({ "sessionUpdate": "agent_message_chunk", "content": { "text": "Done." } }));
        let heard = talk.answers(
            4,
            json!({ "stopReason": "end_turn", "usage": { "inputTokens": 9, "outputTokens": 2 } }),
        );
        assert_eq!(heard.first(), Some(&Heard::Words("Done.".into())));
        assert!(
            heard.iter().any(|heard| matches!(heard, Heard::Spent(spent) if spent.input_tokens == Some(9)))
        );
        assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Completed)));
    }

    #[test]
    fn who_asks_for_a_login_is_given_the_key_once() {
        let mut talk = Talk::begin(Guard::Bypass, None);
        talk.sent();
        talk.answers(1, json!({ "authMethods": [{ "id": "oauth" }, { "id": "gemini-api-key" }] }));
        talk.sent();
        let refusal = json!({ "jsonrpc": "2.0", "id": 3, "error": { "code": -32000, "message": "Authentication required" } });
        assert_eq!(talk.hears(refusal.clone()), []);
        let sent = talk.sent();
        assert_eq!(
            (&sent[0]["method"], &sent[0]["params"]["methodId"]),
            (&json!("authenticate"), &json!("gemini-api-key"))
        );
        talk.answers(2, json!({}));
        assert_eq!(talk.sent()[0]["method"], "session/new");
        assert_eq!(talk.hears(refusal).last(), Some(&Heard::Over(TurnEnd::Failed)));
    }

    #[test]
    fn a_conversation_goes_on_where_the_agent_can_and_begins_anew_where_it_cant() {
        let mut talk = Talk::begin(Guard::Bypass, Some("old"));
        talk.sent();
        talk.answers(1, json!({ "agentCapabilities": { "loadSession": true } }));
        let sent = talk.sent();
        assert_eq!(
            (&sent[0]["method"], &sent[0]["params"]["sessionId"]),
            (&json!("session/load"), &json!("old"))
        );
        talk.updates(json!({ "sessionUpdate": "agent_message_chunk", "content": { "text": "of before" } }));
        assert_eq!(
            talk.hears(json!({ "jsonrpc": "2.0", "id": 3, "error": { "code": -32602, "message": "gone" } })),
            []
        );
        assert_eq!(talk.sent()[0]["method"], "session/new");
        assert_eq!(talk.answers(3, json!({ "sessionId": "new" })), [Heard::Thread("new".into())]);
        let heard = talk.answers(4, json!({ "stopReason": "end_turn" }));
        assert!(!heard.iter().any(|heard| matches!(heard, Heard::Words(_))), "{heard:?}");
    }

    #[test]
    fn what_an_agent_may_do_is_as_its_guard_says() {
        let ask = |kind: &str| {
            json!({ "jsonrpc": "2.0", "id": "p", "method": "session/request_permission", "params": {
                "options": [{ "kind": "allow_always", "optionId": "all" }, { "kind": "allow_once", "optionId": "yes" },
                            { "kind": "reject_once", "optionId": "no" }],
                "toolCall": { "title": "Do", "kind": kind, "rawInput": { "command": "make" } } } })
        };
        for (guard, kind, option) in [
            (Guard::Bypass, "execute", "yes"),
            (Guard::Guarded, "edit", "yes"),
            (Guard::Guarded, "execute", "no"),
            (Guard::ReadOnly, "edit", "no"),
            (Guard::ReadOnly, "read", "yes"),
        ] {
            let mut talk = Talk::opened(guard);
            let heard = talk.hears(ask(kind));
            let sent = talk.sent();
            assert_eq!(
                (&sent[0]["id"], &sent[0]["result"]["outcome"]["optionId"]),
                (&json!("p"), &json!(option))
            );
            assert_eq!(
                heard.iter().any(|heard| matches!(heard, Heard::Denied(_))),
                option == "no",
                "{guard:?} {kind}"
            );
        }
    }

    #[test]
    fn what_is_not_offered_is_refused_and_what_is_strange_ends_nothing() {
        let mut talk = Talk::opened(Guard::Bypass);
        talk.hears(json!({ "jsonrpc": "2.0", "id": 7, "method": "fs/read_text_file", "params": {} }));
        assert_eq!(talk.sent()[0]["error"]["code"], NO_METHOD);
        for odd in
            [json!({ "jsonrpc": "2.0" }), json!([1]), json!({ "jsonrpc": "2.0", "id": 99, "result": 1 })]
        {
            talk.hears(odd);
        }
        let patterns = Patterns::default();
        let ears = Ears { patterns: &patterns, now: Timestamp::UNIX_EPOCH };
        assert!(matches!(&hear(&mut talk.0, b"{", &ears)[..], [Heard::Event(_)]));
        let failed = json!({ "jsonrpc": "2.0", "id": 4, "error": { "code": 429, "message": "slow down" } });
        let heard = talk.hears(failed);
        assert!(
            heard
                .iter()
                .any(|heard| matches!(heard, Heard::Trouble(trouble) if trouble.cause == Cause::RateLimit)),
            "{heard:?}"
        );
        assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Failed)));
    }
}
