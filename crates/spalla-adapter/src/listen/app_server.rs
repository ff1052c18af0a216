//! `codex app-server`: JSON-RPC over standard input and output, one message on a line, without the member `jsonrpc` in what
//! it says. Seen with 0.169. Its items are those of `codex exec --json` in other letters, and are heard as such.
//!
//! ```text
//! initialize ─▶ initialized ─▶ thread/start, or thread/resume ─▶ turn/start ─▶ item/started, item/completed …
//!                                                              ─▶ turn/completed: the turn is over
//! item/…/requestApproval ─▶ answered as the guard says; whatever else is asked is refused
//! turn/interrupt ─▶ turn/completed
//! ```

use super::codex::State;
use super::dialogue::{AskedCommand, AskedCommands, Permission};
use super::used::of_codex_item;
use super::{Ears, Opening, event, number_of, shown, str_of, unknown};
use crate::command_line::Guard;
use crate::heard::{Denied, DeniedBy, Heard, Spent, TurnEnd};
use crate::tools::Used;
use serde_json::{Value, json};
use spalla_domain::agent_event::AgentEventType;
use std::collections::BTreeMap;

/// The code of a method that is not known.
const NO_METHOD: i64 = -32_601;
/// The ids of our requests within a turn.
const INITIALIZE: u64 = 1;
const OPEN: u64 = 2;
const TURN: u64 = 3;
const INTERRUPT: u64 = 4;
/// By how much they grow from turn to turn: what answers an earlier turn answers nothing of this one.
const IDS_OF_A_TURN: u64 = 8;
/// The server of tools that is Spalla's own, whose tools need nobody's yes.
const OWN_SERVER: &str = "spalla";
/// No more items of one turn than these are known by their ids.
const ITEMS_MAX: usize = 1_000;
/// No more threads of one turn than these are counted.
const THREADS_MAX: usize = 1_000;

/// One turn after another with one process.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    opening: Opening,
    /// How many turns are over.
    turns: u64,
    /// The conversation.
    thread: Option<String>,
    /// The turn in it, once it began.
    turn: Option<String>,
    pub(super) is_asked: bool,
    state: State,
    spent: Spent,
    /// What each thread used by its own count, so that nothing is counted twice.
    totals: BTreeMap<String, u64>,
    /// The items under way that use a tool, by their ids.
    items: BTreeMap<String, Used>,
    /// The commands that it asks about.
    pub(super) commands: AskedCommands,
    outbox: Vec<String>,
}

impl Dialogue {
    /// Begins: what is sent first stands in the outbox.
    pub(super) fn new(opening: Opening) -> Self {
        let mut dialogue = Self { opening, ..Self::default() };
        let client = json!({ "name": "spalla", "title": "Spalla", "version": env!("CARGO_PKG_VERSION") });
        dialogue.ask(INITIALIZE, "initialize", &json!({ "clientInfo": client }));
        dialogue
    }

    /// Begins another turn, in a thread of its own.
    pub(super) fn again(&mut self, opening: Opening) {
        *self = Self { opening, turns: self.turns + 1, ..Self::default() };
        self.open();
    }

    /// Asks for the end of the turn; tells whether there is one.
    pub(super) fn interrupt(&mut self) -> bool {
        let (Some(thread), Some(turn), true) = (&self.thread, &self.turn, self.is_asked) else {
            return false;
        };
        let params = json!({ "threadId": thread, "turnId": turn });
        self.ask(INTERRUPT, "turn/interrupt", &params);
        true
    }

    /// Takes what is to be sent, a line each.
    pub(super) fn outbox(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outbox)
    }

    /// Hears a message.
    pub(super) fn hear(&mut self, message: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let id = message.get("id").filter(|id| !id.is_null());
        match (str_of(message, "/method"), id) {
            (Some(method), Some(id)) => self.asked(method, id, &message["params"]),
            (Some(method), None) => self.told(method, &message["params"], ears),
            (None, Some(id)) => {
                let id = id.as_u64().and_then(|id| id.checked_sub(self.turns * IDS_OF_A_TURN));
                match (id, message.get("error").filter(|error| error.is_object())) {
                    (Some(id), Some(error)) => self.refused(id, error, ears),
                    (Some(id), None) => self.answered(id, &message["result"]),
                    (None, _) => vec![],
                }
            }
            (None, None) => vec![unknown(message, "a line that is no message")],
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
        let (approval, sandbox) = match self.opening.guard {
            Guard::Bypass => ("never", "danger-full-access"),
            // It asks before whatever is not known to be harmless, and is answered by the list.
            Guard::Listed => ("untrusted", "danger-full-access"),
            Guard::Guarded => ("on-request", "workspace-write"),
            Guard::ReadOnly => ("on-request", "read-only"),
        };
        let mut params =
            json!({ "cwd": self.opening.folder, "approvalPolicy": approval, "sandbox": sandbox });
        if let Some(model) = &self.opening.model {
            params["model"] = model.as_str().into();
        }
        let method = match &self.opening.thread {
            Some(thread) => {
                params["threadId"] = thread.as_str().into();
                "thread/resume"
            }
            None => "thread/start",
        };
        self.ask(OPEN, method, &params);
    }

    fn begin_turn(&mut self, thread: &str) {
        let Opening { prompt, guard, folders, schema, .. } = &self.opening;
        let mut params = json!({ "threadId": thread, "input": [{ "type": "text", "text": prompt }] });
        if *guard == Guard::Guarded && !folders.is_empty() {
            params["sandboxPolicy"] = json!({ "type": "workspaceWrite", "writableRoots": folders });
        }
        if let Some(Ok(schema)) = schema.as_deref().map(serde_json::from_str::<Value>) {
            params["outputSchema"] = schema;
        }
        self.ask(TURN, "turn/start", &params);
        self.is_asked = true;
    }

    fn answered(&mut self, id: u64, result: &Value) -> Vec<Heard> {
        match id {
            INITIALIZE => {
                self.send(&json!({ "jsonrpc": "2.0", "method": "initialized" }));
                self.open();
                vec![]
            }
            OPEN => {
                let Some(thread) = str_of(result, "/thread/id").map(str::to_owned) else {
                    return vec![
                        event(AgentEventType::Error, "a thread has no id"),
                        Heard::Over(TurnEnd::Failed),
                    ];
                };
                self.begin_turn(&thread);
                self.thread = Some(thread.clone());
                let model = str_of(result, "/model").unwrap_or("an unknown model");
                let began = event(AgentEventType::Status, format!("began with {model}"));
                vec![Heard::Thread(thread), began]
            }
            TURN => {
                self.turn = str_of(result, "/turn/id").map(str::to_owned).or(self.turn.take());
                vec![]
            }
            _ => vec![],
        }
    }

    fn refused(&mut self, id: u64, error: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        if id == OPEN && self.opening.thread.is_some() && self.opening.anew.is_some() {
            // A conversation that can't go on is begun anew.
            self.opening.begin_anew();
            self.open();
            return vec![];
        }
        if ![INITIALIZE, OPEN, TURN].contains(&id) {
            return vec![];
        }
        self.fail(str_of(error, "/message").unwrap_or("the agent refused"), None, ears)
    }

    fn fail(&mut self, text: &str, status: Option<u16>, ears: &Ears<'_>) -> Vec<Heard> {
        self.is_asked = false;
        let mut heard = self.state.fail(text);
        heard.extend(self.used());
        heard.extend(ears.failed(text, status, true));
        heard.push(Heard::Over(TurnEnd::Failed));
        heard
    }

    fn told(&mut self, method: &str, params: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match method {
            "turn/started" if self.is_own(params) => {
                self.turn = str_of(params, "/turn/id").map(str::to_owned);
                vec![event(AgentEventType::Status, "began a turn")]
            }
            "item/started" if self.is_asked => {
                let item = as_of_exec(&params["item"]);
                if let (Some(id), Some(used), true) =
                    (str_of(&item, "/id"), of_codex_item(&item), self.items.len() < ITEMS_MAX)
                {
                    self.items.insert(id.to_owned(), used);
                }
                self.state.started(&item)
            }
            "item/completed" if self.is_asked && is_of_agent(&params["item"]) => {
                self.state.completed(&as_of_exec(&params["item"]), ears)
            }
            "turn/plan/updated" => self.state.plan(&plan(params)),
            "thread/tokenUsage/updated" => {
                self.count(params);
                vec![]
            }
            "error" => {
                let (text, status) = failure(&params["error"]);
                // Once more as the end of the turn, where it does not try again.
                ears.failed(&text, status, false)
            }
            "turn/completed" if self.is_own(params) => self.over(&params["turn"], ears),
            "configWarning" | "warning" | "guardianWarning" | "deprecationNotice" => {
                let said = str_of(params, "/message").or_else(|| str_of(params, "/summary"));
                vec![event(AgentEventType::Status, shown(said.unwrap_or(method)))]
            }
            _ => vec![],
        }
    }

    /// Others are those of agents that it started itself.
    fn is_own(&self, params: &Value) -> bool {
        self.is_asked && str_of(params, "/threadId") == self.thread.as_deref()
    }

    fn over(&mut self, turn: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match str_of(turn, "/status") {
            Some("completed") => {
                self.is_asked = false;
                self.state.over(self.spent)
            }
            Some("interrupted") => {
                self.is_asked = false;
                let mut heard: Vec<Heard> = self.used().into_iter().collect();
                let interrupted = event(AgentEventType::Status, "was interrupted");
                heard.extend([interrupted, Heard::Over(TurnEnd::Interrupted)]);
                heard
            }
            _ => {
                let (text, status) = failure(&turn["error"]);
                self.fail(&text, status, ears)
            }
        }
    }

    /// Adds what the newest call of a model used. Of a thread that goes on, what was used before is told as well.
    fn count(&mut self, params: &Value) {
        let thread = str_of(params, "/threadId").unwrap_or_default();
        let total = number_of(params, "/tokenUsage/total/totalTokens").unwrap_or_default();
        if !self.is_asked || self.totals.get(thread) == Some(&total) {
            return;
        }
        if self.totals.len() < THREADS_MAX || self.totals.contains_key(thread) {
            self.totals.insert(thread.to_owned(), total);
        }
        let of_turn = self.turn.is_none() || str_of(params, "/turnId") == self.turn.as_deref();
        if Some(thread) == self.thread.as_deref() && !of_turn {
            return;
        }
        let last = &params["tokenUsage"]["last"];
        for (sum, name) in [
            (&mut self.spent.input_tokens, "/inputTokens"),
            (&mut self.spent.cached_input_tokens, "/cachedInputTokens"),
            (&mut self.spent.output_tokens, "/outputTokens"),
        ] {
            if let Some(more) = number_of(last, name) {
                *sum = Some(sum.unwrap_or_default().saturating_add(more));
            }
        }
    }

    fn used(&self) -> Option<Heard> {
        (self.spent != Spent::default()).then_some(Heard::Spent(self.spent))
    }

    /// Returns which call is asked for. What an item is was told when it began.
    fn call_of(&self, method: &str, params: &Value) -> Option<Used> {
        let begun = str_of(params, "/itemId").and_then(|id| self.items.get(id)).cloned();
        begun.or_else(|| match method {
            "item/commandExecution/requestApproval" => {
                Some(Used::new("command_execution", str_of(params, "/command")))
            }
            "item/fileChange/requestApproval" => Some(Used::new("file_change", None)),
            "mcpServer/elicitation/request" => {
                let (server, tool) =
                    (str_of(params, "/serverName")?, str_of(params, "/_meta/tool_name").unwrap_or_default());
                Some(Used::new(&format!("mcp__{server}__{tool}"), None))
            }
            _ => None,
        })
    }

    /// Answers whether a command may be run. What is declined is told once more as the end of its item.
    pub(super) fn decide(&mut self, id: &Value, permission: &Permission) -> Vec<Heard> {
        let decision = if *permission == Permission::Granted { "accept" } else { "decline" };
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": { "decision": decision } }));
        vec![]
    }

    /// Answers what is asked of us.
    fn asked(&mut self, method: &str, id: &Value, params: &Value) -> Vec<Heard> {
        let may = matches!(self.opening.guard, Guard::Bypass | Guard::Listed);
        let used = self.call_of(method, params);
        let mut may = may && used.as_ref().is_none_or(|used| self.opening.lists(used));
        if let ("item/commandExecution/requestApproval", true, Some(used)) = (method, may, used)
            && self.opening.leaves_open(&used)
        {
            let (folder, id, question) = (self.opening.folder.clone(), id.clone(), Value::Null);
            if self.commands.keep(AskedCommand { used, folder, id, question }) {
                return vec![];
            }
            may = false;
        }
        let decision = if may { "accept" } else { "decline" };
        let (result, heard) = match method {
            // What is declined is told once more as the end of its item.
            "item/commandExecution/requestApproval" | "item/fileChange/requestApproval" => {
                (json!({ "decision": decision }), None)
            }
            "item/permissions/requestApproval" => {
                let reason = str_of(params, "/reason").unwrap_or("it asked for more permissions");
                let (tool, reason) = (Some("permissions".to_owned()), shown(reason));
                let denied = Denied { tool, reason, paths: Vec::new(), input: None, by: DeniedBy::Guard };
                (json!({ "permissions": {}, "scope": "turn" }), Some(Heard::Denied(denied)))
            }
            "mcpServer/elicitation/request" => {
                let is_approval = str_of(params, "/_meta/codex_approval_kind") == Some("mcp_tool_call");
                let is_own = str_of(params, "/serverName") == Some(OWN_SERVER);
                let action = if is_approval && (may || is_own) { "accept" } else { "decline" };
                (json!({ "action": action }), None)
            }
            // Nobody is there who could answer; a person is asked by the tools of the server.
            "item/tool/requestUserInput" => (json!({ "answers": {} }), None),
            _ => {
                let error = json!({ "code": NO_METHOD, "message": format!("{method} is not offered here") });
                self.send(&json!({ "jsonrpc": "2.0", "id": id, "error": error }));
                return vec![];
            }
        };
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
        heard.into_iter().collect()
    }
}

/// Tells whether an item is something that the agent did or said, and that somebody wants to know of.
fn is_of_agent(item: &Value) -> bool {
    match str_of(item, "/type") {
        Some("userMessage" | "hookPrompt") => false,
        Some("reasoning") => item["summary"].as_array().is_some_and(|parts| !parts.is_empty()),
        _ => true,
    }
}

/// Returns an item in the letters of `codex exec --json`.
pub(super) fn as_of_exec(item: &Value) -> Value {
    let mut item = item.clone();
    let Some(members) = item.as_object_mut() else { return item };
    for (here, there) in [("aggregatedOutput", "aggregated_output"), ("exitCode", "exit_code")] {
        if let Some(value) = members.remove(here) {
            members.insert(there.to_owned(), value);
        }
    }
    for name in ["type", "status"] {
        if let Some(Value::String(text)) = members.get_mut(name) {
            *text = with_underscores(text);
        }
    }
    for change in members.get_mut("changes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(kind) = change.pointer("/kind/type").cloned() {
            change["kind"] = kind;
        }
    }
    if let Some(Value::Array(parts)) = members.get("summary") {
        let text: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
        let text = text.join("\n");
        members.insert("text".to_owned(), text.into());
    }
    item
}

fn with_underscores(text: &str) -> String {
    let mut all = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if c.is_ascii_uppercase() && !all.is_empty() {
            all.push('_');
        }
        all.push(c.to_ascii_lowercase());
    }
    all
}

/// Returns a plan as an item that has one.
fn plan(params: &Value) -> Value {
    let steps = params["plan"].as_array().into_iter().flatten();
    let items: Vec<Value> = steps
        .map(|step| json!({ "text": step["step"], "completed": step["status"] == "completed" }))
        .collect();
    json!({ "items": items })
}

/// Returns the words of a failure, and the status of HTTP that stands for it.
fn failure(error: &Value) -> (String, Option<u16>) {
    let text = str_of(error, "/message").unwrap_or("the turn failed");
    let more = str_of(error, "/additionalDetails").filter(|more| !more.is_empty());
    let text = more.map_or_else(|| text.to_owned(), |more| format!("{text}: {more}"));
    let info = &error["codexErrorInfo"];
    let status = match info.as_str() {
        Some("unauthorized") => Some(401),
        Some("usageLimitExceeded" | "sessionBudgetExceeded") => Some(402),
        Some("rateLimitExceeded") => Some(429),
        Some("serverOverloaded" | "flexUnavailable" | "policyCapacityUnavailable") => Some(503),
        Some("internalServerError") => Some(500),
        Some("badRequest" | "modelNotFound") => Some(400),
        Some(_) => None,
        None => {
            let inner = info.as_object().and_then(|members| members.values().next());
            // A connection that broke has no status.
            inner.map(|inner| {
                number_of(inner, "/httpStatusCode").and_then(|code| u16::try_from(code).ok()).unwrap_or(408)
            })
        }
    };
    (text, status)
}

#[cfg(test)]
mod tests;
