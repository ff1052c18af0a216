//! The Agent Client Protocol: JSON-RPC over standard input and output, one message on a line
//! (agentclientprotocol.com, protocol version 1). Seen with the Gemini CLI 0.61, codex-acp 0.16, claude-agent-acp 0.49 and
//! OpenCode 1.18. One conversation has one turn here; a process may have one conversation after another.
//!
//! ```text
//! initialize ─▶ session/new, or session/load ─▶ session/prompt ─▶ session/update … ─▶ its answer: the turn is over
//!                    │ authentication required
//!                    └─▶ authenticate by a key ─▶ session/new once more
//! session/request_permission ─▶ answered as the guard says; whatever else is asked is refused
//! ```

mod calls;

use super::dialogue::{AskedCommand, AskedCommands, Permission};
use super::held::Held;
use super::used::of_acp_call;
use super::{
    Ears, Opening, ToolServer, denied_by_output, end_of, event, number_of, shown, str_of, unknown, words,
};
use crate::command_line::Guard;
use crate::heard::{Denied, DeniedBy, Heard, Spent, TurnEnd};
use crate::named::{input_of, paths_of};
use crate::pattern::compiled;
use calls::Calls;
use regex::Regex;
use serde_json::{Value, json};
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The version of the protocol that is spoken.
const VERSION: u32 = 1;
/// The code of an answer that says that nobody is logged in.
const AUTH_REQUIRED: i64 = -32_000;
/// The code of a method that is not known.
const NO_METHOD: i64 = -32_601;
/// The ids of our requests within a turn.
const INITIALIZE: u64 = 1;
const AUTHENTICATE: u64 = 2;
const OPEN: u64 = 3;
const PROMPT: u64 = 4;
/// By how much they grow from turn to turn: what answers an earlier turn answers nothing of this one.
const IDS_OF_A_TURN: u64 = 8;
/// The most words that are kept of one message, in bytes.
const WORDS_BYTES_MAX: usize = 256 * 1024;
/// No more calls of tools than these wait for their results at once.
const CALLS_MAX: usize = 1_000;

/// How the output of a command says that it failed.
static FAILED: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)exit(?:ed with)?(?: code| status)?:? *[1-9]"));

/// One conversation after another with one process.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    opening: Opening,
    /// How many turns are over.
    turns: u64,
    session: Option<String>,
    /// How the agent can be let in, by its own names.
    ways_in: Vec<String>,
    has_tried_key: bool,
    can_load: bool,
    /// Whether the prompt was sent and its answer did not come yet.
    pub(super) is_asked: bool,
    /// The message that is coming in, piece by piece.
    message: String,
    /// The last whole one.
    answer: Option<String>,
    /// The commands that were not over when they were told of, by the ids of their calls.
    steps: BTreeMap<String, String>,
    held: Held,
    outbox: Vec<String>,
    /// What is told of calls, until they are over.
    calls: Calls,
    /// The commands that it asks about.
    pub(super) commands: AskedCommands,
}

impl Dialogue {
    /// Begins: what is sent first stands in the outbox.
    pub(super) fn new(opening: Opening) -> Self {
        let mut dialogue = Self { opening, ..Self::default() };
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

    /// Begins another turn, in a conversation of its own.
    pub(super) fn again(&mut self, opening: Opening) {
        let (turns, can_load) = (self.turns + 1, self.can_load);
        let ways_in = std::mem::take(&mut self.ways_in);
        let has_tried_key = self.has_tried_key;
        *self = Self { opening, turns, can_load, ways_in, has_tried_key, ..Self::default() };
        self.open();
    }

    /// Asks for the end of the turn; tells whether there is one.
    pub(super) fn interrupt(&mut self) -> bool {
        let Some(session) = self.session.clone().filter(|_| self.is_asked) else { return false };
        let params = json!({ "sessionId": session });
        self.send(&json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": params }));
        true
    }

    /// Takes what is to be sent, a line each.
    pub(super) fn outbox(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outbox)
    }

    /// Hears a message.
    pub(super) fn hear(&mut self, message: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        if message["jsonrpc"] != "2.0" {
            return vec![unknown(message, "a line that is no message")];
        }
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
            (None, Some(id)) => {
                let id = id.as_u64().and_then(|id| id.checked_sub(self.turns * IDS_OF_A_TURN));
                match (id, message.get("error").filter(|error| error.is_object())) {
                    (Some(id), Some(error)) => self.refused(id, error, ears),
                    (Some(id), None) => self.answered(id, &message["result"], ears),
                    (None, _) => vec![],
                }
            }
            (None, None) => {
                vec![event(AgentEventType::Error, "a message is neither a request nor an answer")]
            }
        }
    }

    fn ask(&mut self, id: u64, method: &str, params: &Value) {
        let id = self.turns * IDS_OF_A_TURN + id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
    }

    fn send(&mut self, message: &Value) {
        self.outbox.push(message.to_string());
    }

    fn open(&mut self) {
        let servers: Vec<Value> = self.opening.servers.iter().map(of_server).collect();
        let mut params = json!({ "cwd": self.opening.folder, "mcpServers": servers });
        let method = match self.opening.thread.clone().filter(|_| self.can_load) {
            Some(thread) => {
                params["sessionId"] = thread.as_str().into();
                self.session = Some(thread);
                "session/load"
            }
            None => {
                self.opening.begin_anew();
                "session/new"
            }
        };
        self.ask(OPEN, method, &params);
    }

    fn answered(&mut self, id: u64, result: &Value, ears: &Ears<'_>) -> Vec<Heard> {
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
                self.is_asked = true;
                self.session = Some(session.clone());
                vec![Heard::Thread(session)]
            }
            PROMPT => self.over(result, ears),
            _ => vec![],
        }
    }

    fn over(&mut self, result: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        self.is_asked = false;
        let mut heard = self.said(ears);
        let answer = self.answer.take();
        heard.extend(self.held.tell(answer.as_deref().unwrap_or_default()));
        let places = ["/usage", "/_meta/usage", "/_meta/quota/token_count"];
        if let Some(usage) = places.iter().find_map(|place| result.pointer(place)) {
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
        let said = answer.map_or_else(|| "ended a turn".to_owned(), |text| shown(&text));
        heard.push(event(AgentEventType::Milestone, said));
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
            self.opening.begin_anew();
            self.open();
            return vec![];
        }
        if ![INITIALIZE, AUTHENTICATE, OPEN, PROMPT].contains(&id) {
            return vec![];
        }
        self.is_asked = false;
        let mut heard = self.said(ears);
        heard.extend(self.held.tell(""));
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
        // A conversation that goes on tells first what was said and done in it before.
        if !self.is_asked {
            return vec![];
        }
        match str_of(update, "/sessionUpdate") {
            Some("agent_message_chunk") => {
                let text = str_of(update, "/content/text").unwrap_or_default();
                if self.message.len() + text.len() <= WORDS_BYTES_MAX {
                    self.message.push_str(text);
                }
                vec![]
            }
            Some("tool_call") => {
                let mut heard = self.said(ears);
                heard.push(Heard::Event(of_tool(update, AgentEventType::Progress)));
                if let (Some(id), true) = (str_of(update, "/toolCallId"), self.steps.len() < CALLS_MAX) {
                    let given = input_of(&update["rawInput"]);
                    let step = given.unwrap_or_else(|| step_of(update).to_owned());
                    self.steps.insert(id.to_owned(), step);
                }
                heard.extend(self.call_over(update, ears));
                heard.extend(self.calls.hear(update));
                heard
            }
            Some("tool_call_update") => {
                let mut heard = self.call_over(update, ears);
                heard.extend(self.calls.hear(update));
                heard
            }
            Some("plan") => of_plan(update),
            _ => vec![],
        }
    }

    /// A call of a tool may be over: well, or with a failure, which some agents call completed all the same.
    fn call_over(&mut self, update: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let has_failed = update["status"] == "failed";
        if !has_failed && update["status"] != "completed" {
            return vec![];
        }
        let call = str_of(update, "/toolCallId").and_then(|id| self.steps.remove(id));
        let step = call.unwrap_or_else(|| step_of(update).to_owned());
        let said = words_of(update);
        let is_command = update["kind"] == "execute";
        if !(has_failed || is_command && FAILED.is_match(&said)) {
            if is_command || is_change(update) {
                self.held.pass(&step);
            }
            return vec![];
        }
        let mut heard = vec![Heard::Event(of_tool(update, AgentEventType::Finding))];
        match denied_by_output("shell", &step, &said).filter(|_| is_command) {
            Some(denied) => self.held.keep(Some(denied)),
            None if ears.is_denial(&said) => heard.push(Heard::Denied(denied(update, said))),
            None => {}
        }
        heard
    }

    /// Returns what the agent said since it did something last.
    fn said(&mut self, ears: &Ears<'_>) -> Vec<Heard> {
        let said = std::mem::take(&mut self.message);
        if !said.trim().is_empty() {
            self.answer = Some(said.clone());
        }
        words(&said, ears)
    }

    fn permit(&mut self, id: &Value, params: &Value) -> Vec<Heard> {
        let call = &params["toolCall"];
        let kind = str_of(call, "/kind").unwrap_or("other");
        let may = match self.opening.guard {
            Guard::Bypass | Guard::Listed => true,
            Guard::Guarded => ["read", "edit", "search", "think", "move"].contains(&kind),
            Guard::ReadOnly => ["read", "search", "think"].contains(&kind),
        };
        let used = of_acp_call(call);
        let mut may = may && self.opening.lists(&used);
        if may && self.opening.leaves_open(&used) {
            let folder = self.opening.folder.clone();
            let asked = AskedCommand { used, folder, id: id.clone(), question: params.clone() };
            if self.commands.keep(asked) {
                return vec![];
            }
            may = false;
        }
        let refused = || Permission::Refused("it asked for what it may not do here".to_owned());
        self.answer(id, params, &if may { Permission::Granted } else { refused() })
    }

    /// Answers what was asked.
    pub(super) fn answer(&mut self, id: &Value, params: &Value, permission: &Permission) -> Vec<Heard> {
        let may = *permission == Permission::Granted;
        let options = params["options"].as_array().map(Vec::as_slice).unwrap_or_default();
        let wanted = if may { ["allow_once", "allow_always"] } else { ["reject_once", "reject_always"] };
        let of_kind = |kind: &str| options.iter().find(|option| option["kind"] == kind);
        let chosen = wanted.iter().find_map(|kind| str_of(of_kind(kind)?, "/optionId"));
        let outcome = match chosen {
            Some(option) => json!({ "outcome": "selected", "optionId": option }),
            None => json!({ "outcome": "cancelled" }),
        };
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": { "outcome": outcome } }));
        match permission {
            Permission::Granted => vec![],
            Permission::Refused(why) => vec![Heard::Denied(denied(&params["toolCall"], why.clone()))],
        }
    }
}

fn of_server(server: &ToolServer) -> Value {
    let ToolServer { name, command, args, env } = server;
    let env: Vec<Value> = env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "name": name, "command": command, "args": args, "env": env })
}

fn is_change(update: &Value) -> bool {
    ["edit", "delete", "move"].iter().any(|change| update["kind"] == *change)
}

/// Returns what a call is about, where what it was given is not told.
fn step_of(update: &Value) -> &str {
    let place = str_of(update, "/locations/0/path").filter(|_| is_change(update));
    place.or_else(|| str_of(update, "/title")).unwrap_or_default()
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

#[cfg(test)]
mod tests;
