//! `claude --output-format stream-json`: messages of the Messages API, one content block a line, between an `init` and a
//! `result`. Seen with 2.1.197 and 2.1.328.

pub(super) mod dialogue;

use super::{
    Ears, OF_ROOM, OF_SYSTEM, denied_by_output, denied_tool, end_of, event, held::Held, not_allowed,
    number_of, shown, str_of, unknown, words,
};
use crate::act::Act;
use crate::heard::{Heard, Spent, TurnEnd};
use serde_json::Value;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use std::collections::{BTreeMap, BTreeSet};

/// No more calls of tools than these wait for their results at once.
const CALLS_MAX: usize = 1_000;
/// The tools that change something.
const CHANGING: [&str; 5] = ["Bash", "Write", "Edit", "MultiEdit", "NotebookEdit"];
/// What is said of a denial that nothing else is said of.
const NOT_ALLOWED: &str = "it was not allowed";
/// Tools that are given a file or a folder.
const OF_FILES: [&str; 8] = ["Read", "Write", "Edit", "MultiEdit", "NotebookEdit", "Glob", "Grep", "LS"];
/// How it says that nobody was there to be asked.
const ASKED: &str = "requested permission";
/// Why a model stops that had more to say.
const CUT_SHORT: [&str; 3] = ["refusal", "max_tokens", "model_context_window_exceeded"];
/// Why a turn is over that a person's own program stopped.
const BY_HOOK: [&str; 2] = ["hook_stopped", "stop_hook_prevented"];
/// How the result of a command that failed begins.
const EXITED: &str = "Exit code ";

/// What has to be remembered between lines.
#[derive(Debug, Default)]
pub(super) struct State {
    calls: BTreeMap<String, (String, Value)>,
    denied: BTreeSet<String>,
    held: Held,
    /// What the command line called the last failure of a request.
    kind: Option<String>,
    /// Where it works.
    cwd: Option<String>,
    /// Whether the last words were put in the model's mouth.
    is_put: bool,
}

impl State {
    pub(super) fn hear(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match str_of(value, "/type").unwrap_or_default() {
            "system" => self.system(value, ears),
            "assistant" => self.assistant(value, ears),
            "user" => self.results(value, ears),
            "result" => self.result(value, ears),
            // Pieces of what comes whole, and the answers to what was asked of the command line.
            "stream_event" | "control_response" | "control_request" | "keep_alive" => vec![],
            other => vec![unknown(value, other)],
        }
    }

    fn system(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match str_of(value, "/subtype").unwrap_or_default() {
            "init" => {
                self.cwd = str_of(value, "/cwd").map(str::to_owned);
                let thread = str_of(value, "/session_id").map(|id| Heard::Thread(id.to_owned()));
                let model = str_of(value, "/model").unwrap_or("an unknown model");
                thread
                    .into_iter()
                    .chain([event(AgentEventType::Status, format!("began with {model}"))])
                    .collect()
            }
            "api_retry" => {
                let (why, wait) =
                    (str_of(value, "/error").unwrap_or("unknown"), number_of(value, "/retry_delay_ms"));
                let wait = wait.map(|ms| format!(", tried again in {ms} ms")).unwrap_or_default();
                let status = number_of(value, "/error_status").and_then(|status| u16::try_from(status).ok());
                // Who answers at all answers with a status.
                let why = if why == "unknown" && status.is_none() { "connection error" } else { why };
                ears.failed(&format!("the model's server: {why}{wait}"), status, false)
            }
            "permission_denied" => {
                let id = str_of(value, "/tool_use_id").unwrap_or_default();
                self.denied.insert(id.to_owned());
                let input = self.calls.get(id).map_or(Value::Null, |(_, input)| input.clone());
                let said = str_of(value, "/message").unwrap_or(NOT_ALLOWED);
                self.deny(str_of(value, "/tool_name"), &input, said)
            }
            _ => vec![],
        }
    }

    fn assistant(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        // What the command line itself says of a failure comes once more with the result, without its kind.
        if value.get("error").is_some_and(|error| !error.is_null()) {
            self.kind = str_of(value, "/error").map(str::to_owned);
            return vec![];
        }
        self.kind = None;
        self.is_put = str_of(value, "/message/model") == Some("<synthetic>");
        let blocks = value.pointer("/message/content").and_then(Value::as_array).into_iter().flatten();
        blocks.flat_map(|block| self.block(block, ears)).collect()
    }

    fn block(&mut self, block: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match str_of(block, "/type").unwrap_or_default() {
            "text" => words(str_of(block, "/text").unwrap_or_default(), ears),
            "thinking" => {
                vec![event(AgentEventType::Status, shown(str_of(block, "/thinking").unwrap_or_default()))]
            }
            "tool_use" => {
                let (name, input) = (str_of(block, "/name").unwrap_or_default(), &block["input"]);
                if let (Some(id), true) = (str_of(block, "/id"), self.calls.len() < CALLS_MAX) {
                    self.calls.insert(id.to_owned(), (name.to_owned(), input.clone()));
                }
                begun(name, input)
            }
            _ => vec![],
        }
    }

    fn results(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let Some(blocks) = value.pointer("/message/content").and_then(Value::as_array) else { return vec![] };
        let results = blocks.iter().filter(|block| block["type"] == "tool_result");
        results.flat_map(|block| self.tool_result(block, ears)).collect()
    }

    fn tool_result(&mut self, block: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let id = str_of(block, "/tool_use_id").unwrap_or_default();
        let (tool, input) = self.calls.remove(id).unwrap_or_default();
        let text = text_of(&block["content"]);
        let did = Heard::Did(Act::new(said_of(&tool, &input), &tool, &input, &text));
        if block["is_error"] != true {
            if CHANGING.contains(&tool.as_str()) {
                let step =
                    ["/command", "/file_path", "/notebook_path"].iter().find_map(|path| str_of(&input, path));
                self.held.pass(step.unwrap_or_default());
            }
            if tool == "Read" {
                self.held.saw(str_of(&input, "/file_path").unwrap_or_default());
            }
            return changed(&tool, &input).into_iter().chain([did]).collect();
        }
        let finding = AgentEvent::new(AgentEventType::Finding, format!("{tool} failed: {}", shown(&text)))
            .with("output", end_of(&text));
        let mut heard = vec![Heard::Event(finding), did];
        if tool == "Bash" && (text.starts_with(EXITED) || OF_SYSTEM.is_match(&text)) {
            let command = str_of(&input, "/command").unwrap_or_default();
            self.held.keep(denied_by_output(&tool, command, &text));
        } else if !self.denied.contains(id) && ears.is_by_guard(&tool, &text) {
            self.denied.insert(id.to_owned());
            heard.extend(self.deny(Some(&tool), &input, &text));
        } else if OF_ROOM.is_match(&text) {
            let file = str_of(&input, "/file_path").unwrap_or_default();
            self.held.keep(denied_by_output(&tool, file, &text));
        }
        heard
    }

    /// Hears of a denial, and keeps it for the end of the turn, since a later step may do the same.
    fn deny(&mut self, tool: Option<&str>, input: &Value, reason: &str) -> Vec<Heard> {
        let name = tool.unwrap_or("a tool");
        let told = not_allowed(format!("{name} was not allowed: {}", shown(reason)));
        let mut denied = denied_tool(tool, input, reason);
        // It asks for a file beside its folder in the same words as for one within, and the folder is what is missing.
        let is_beside = |cwd: &&String| denied.paths.iter().any(|path| !is_beneath(path, cwd));
        let is_asked = tool.is_some_and(|tool| OF_FILES.contains(&tool)) && reason.contains(ASKED);
        if let Some(cwd) = self.cwd.as_ref().filter(is_beside).filter(|_| is_asked) {
            denied.reason = format!("{reason} Allowed working directories: {cwd}");
        }
        self.held.keep_guard(&denied);
        vec![told, Heard::Denied(denied)]
    }

    fn result(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let usage = &value["usage"];
        let cached = number_of(usage, "/cache_read_input_tokens");
        let parts =
            [number_of(usage, "/input_tokens"), number_of(usage, "/cache_creation_input_tokens"), cached];
        let known = parts.iter().any(Option::is_some);
        let mut heard = vec![Heard::Spent(Spent {
            input_tokens: known
                .then(|| parts.iter().flatten().fold(0_u64, |sum, part| sum.saturating_add(*part))),
            cached_input_tokens: cached,
            output_tokens: number_of(usage, "/output_tokens"),
            cost_usd: value["total_cost_usd"].as_f64(),
            is_cost_of_process: true,
        })];
        let denials = value["permission_denials"].as_array().into_iter().flatten();
        for denial in denials {
            if str_of(denial, "/tool_use_id").is_some_and(|id| self.denied.contains(id)) {
                continue;
            }
            let input = &denial["tool_input"];
            heard.extend(self.deny(str_of(denial, "/tool_name"), input, NOT_ALLOWED));
        }
        heard.extend(self.held.tell(str_of(value, "/result").unwrap_or_default()));
        // An answer of a shape is what counts, whatever was said beside it.
        if value["structured_output"].is_object() {
            heard.push(Heard::Words(value["structured_output"].to_string()));
        }
        self.denied.clear();
        self.calls.clear();
        let failure = Failure { kind: self.kind.take(), is_put: std::mem::take(&mut self.is_put) };
        heard.extend(end_of_turn(value, &failure, ears));
        heard
    }
}

/// Tells whether a path is a folder or beneath it; one that is told from the folder is.
fn is_beneath(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    !path.starts_with('/') || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is known of a failure before the turn is over.
struct Failure {
    kind: Option<String>,
    is_put: bool,
}

impl Failure {
    /// Tells whether an answer is what the command line says of a failed request, which no model said.
    fn is_told_as_answer(&self, text: &str, ears: &Ears<'_>) -> bool {
        (self.is_put || self.kind.is_some()) && ears.patterns.cause_of(text).is_some()
    }
}

/// A failure may have the subtype `success`, and one that reached a limit of its own need not be called an error.
fn end_of_turn(value: &Value, failure: &Failure, ears: &Ears<'_>) -> Vec<Heard> {
    let reason = str_of(value, "/terminal_reason").unwrap_or_default();
    let stopped = str_of(value, "/stop_reason").filter(|reason| CUT_SHORT.contains(reason));
    let is_cut_short = BY_HOOK.contains(&reason)
        || stopped.is_some()
        || str_of(value, "/subtype").is_some_and(|subtype| subtype.starts_with("error_"));
    let kind = failure.kind.as_deref().filter(|kind| *kind != "unknown").or(stopped).or(Some(reason));
    let is_told = || str_of(value, "/result").is_some_and(|text| failure.is_told_as_answer(text, ears));
    if value["is_error"] != true && !is_cut_short && !is_told() {
        let answer = str_of(value, "/result").map_or_else(|| "ended a turn".to_owned(), shown);
        return vec![event(AgentEventType::Milestone, answer), Heard::Over(TurnEnd::Completed)];
    }
    if reason == "aborted_tools" || reason == "aborted_streaming" {
        return vec![event(AgentEventType::Status, "was interrupted"), Heard::Over(TurnEnd::Interrupted)];
    }
    let errors =
        value["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    let subtype = str_of(value, "/subtype").unwrap_or("an error");
    let text = match (str_of(value, "/result"), errors.is_empty()) {
        (Some(result), _) => result.to_owned(),
        (None, false) => errors.join("; "),
        (None, true) => subtype.to_owned(),
    };
    let status = number_of(value, "/api_error_status").and_then(|status| u16::try_from(status).ok());
    let mut heard = ears.failed_of_kind(&text, kind, status);
    heard.push(Heard::Over(TurnEnd::Failed));
    heard
}

fn begun(tool: &str, input: &Value) -> Vec<Heard> {
    match tool {
        "Bash" => {
            let command = str_of(input, "/command").unwrap_or_default();
            vec![event(AgentEventType::Progress, format!("runs {}", shown(command)))]
        }
        "TodoWrite" | "TaskCreate" | "TaskUpdate" => {
            let items = input["todos"].as_array().cloned().unwrap_or_default();
            let done = items.iter().filter(|item| item["status"] == "completed").count();
            let text = match items.len() {
                0 => str_of(input, "/subject").map_or_else(|| "changed its plan".to_owned(), shown),
                count => format!("{done} of {count} steps done"),
            };
            vec![Heard::Event(AgentEvent::new(AgentEventType::Task, text).with("items", items))]
        }
        _ => vec![],
    }
}

/// Returns a call in a few words.
fn said_of(tool: &str, input: &Value) -> String {
    let given = ["/command", "/file_path", "/notebook_path", "/pattern", "/path", "/url", "/query"];
    let given = given.iter().find_map(|path| str_of(input, path)).unwrap_or_default();
    shown(format!("{tool} {given}").trim_end())
}

/// Returns what a tool that succeeded changed.
fn changed(tool: &str, input: &Value) -> Option<Heard> {
    let file = match tool {
        "Write" | "Edit" | "MultiEdit" => str_of(input, "/file_path")?,
        "NotebookEdit" => str_of(input, "/notebook_path")?,
        _ => return None,
    };
    Some(Heard::Event(AgentEvent::new(AgentEventType::Progress, format!("{tool} {file}")).of_file(file)))
}

/// The content of a result is a text, or blocks of text.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().filter_map(|block| str_of(block, "/text")).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
