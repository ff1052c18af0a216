//! `gemini --output-format stream-json`: messages in pieces, tools and their results, and a result. Seen with 0.61.

use super::{
    Ears, OF_ROOM, denied_by_output, denied_tool, end_of, event, held::Held, not_allowed, number_of, shown,
    str_of, unknown, words,
};
use crate::act::Act;
use crate::heard::{Heard, Spent, TurnEnd};
use crate::pattern::compiled;
use regex::Regex;
use serde_json::Value;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// No more calls of tools than these wait for their results at once.
const CALLS_MAX: usize = 1_000;
/// How many bytes of one message are gathered at most.
const WORDS_BYTES_MAX: usize = 1024 * 1024;
/// What a shell command that failed says, with the status `success`.
static EXITED: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"Command exited with code: |(?m)^Exit Code: [1-9]"));

/// What a warning says with which it stops by itself.
static STOPPED: LazyLock<Regex> = LazyLock::new(|| {
    compiled("(?i)stopp(?:ing|ed) (?:the )?(?:execution|turn|session)|execution (?:was )?(?:stopped|blocked)")
});

/// How words begin that the command line says of a failed request, wherever it says them.
const OF_REQUEST: &str = "[API Error: ";
/// The kinds of a tool's failure that are no failure of the tool.
const OF_DENIAL: [&str; 6] = [
    "tool_not_registered",
    "execution_denied",
    "policy_violation",
    "permission_denied",
    "path_not_in_workspace",
    "sandbox_expansion_required",
];

/// What has to be remembered between lines.
#[derive(Debug, Default)]
pub(super) struct State {
    calls: BTreeMap<String, (String, Value)>,
    words: String,
    held: Held,
    /// An error that nothing came after so far: the turn ends with it, whatever its result is called.
    error: Option<String>,
}

impl State {
    pub(super) fn hear(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let kind = str_of(value, "/type").unwrap_or_default();
        if kind == "message" {
            return self.message(value);
        }
        let mut heard = words(&std::mem::take(&mut self.words), ears);
        let answer = heard.iter().rev().find_map(|heard| match heard {
            Heard::Words(text) => Some(shown(text)),
            _ => None,
        });
        heard.extend(match kind {
            "init" => init(value),
            "tool_use" => self.tool_use(value),
            "tool_result" => self.tool_result(value, ears),
            "error" => self.error(value, ears),
            "result" => {
                let denied = self.held.tell(answer.as_deref().unwrap_or_default());
                denied.into_iter().chain(result(value, answer, self.error.take(), ears)).collect()
            }
            other => vec![unknown(value, other)],
        });
        heard
    }

    fn error(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let text = str_of(value, "/message").unwrap_or_default();
        if str_of(value, "/severity") == Some("error") || STOPPED.is_match(text) {
            self.error = Some(text.to_owned());
        }
        ears.failed(text, None, false)
    }

    fn message(&mut self, value: &Value) -> Vec<Heard> {
        let content = str_of(value, "/content").unwrap_or_default();
        if str_of(value, "/role") == Some("assistant") && self.words.len() + content.len() <= WORDS_BYTES_MAX
        {
            self.words.push_str(content);
            self.error = None;
        }
        vec![]
    }

    fn tool_use(&mut self, value: &Value) -> Vec<Heard> {
        self.error = None;
        let (name, parameters) = (str_of(value, "/tool_name").unwrap_or_default(), &value["parameters"]);
        if let (Some(id), true) = (str_of(value, "/tool_id"), self.calls.len() < CALLS_MAX) {
            self.calls.insert(id.to_owned(), (name.to_owned(), parameters.clone()));
        }
        match name {
            "run_shell_command" => {
                let command = str_of(parameters, "/command").unwrap_or_default();
                vec![event(AgentEventType::Progress, format!("runs {}", shown(command)))]
            }
            "write_todos" => {
                let items = parameters["todos"].as_array().cloned().unwrap_or_default();
                let text = format!("a plan of {} steps", items.len());
                vec![Heard::Event(AgentEvent::new(AgentEventType::Task, text).with("items", items))]
            }
            _ => vec![],
        }
    }

    fn tool_result(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let (tool, input) =
            self.calls.remove(str_of(value, "/tool_id").unwrap_or_default()).unwrap_or_default();
        let output = str_of(value, "/output").unwrap_or_default();
        let said = str_of(value, "/error/message").unwrap_or(output);
        let given = ["/command", "/file_path", "/absolute_path", "/pattern", "/dir_path", "/query"];
        let given = given.iter().find_map(|path| str_of(&input, path)).unwrap_or_default();
        let did = Act::new(shown(format!("{tool} {given}").trim_end()), &tool, &input, said);
        let mut heard = match str_of(value, "/status") {
            Some("error") => {
                if OF_ROOM.is_match(said) {
                    self.held.keep(denied_by_output(&tool, given, said));
                }
                self.failed((&tool, &input), said, value, ears)
            }
            _ => self.succeeded(&tool, &input, output),
        };
        heard.push(Heard::Did(did));
        heard
    }

    fn failed(
        &mut self,
        (tool, input): (&str, &Value),
        text: &str,
        value: &Value,
        ears: &Ears<'_>,
    ) -> Vec<Heard> {
        let finding = AgentEvent::new(AgentEventType::Finding, format!("{tool} failed: {}", shown(text)));
        let mut heard = vec![Heard::Event(finding)];
        // What it may not use is not offered to the model at all.
        let is_of_denial = str_of(value, "/error/type").is_some_and(|kind| OF_DENIAL.contains(&kind));
        let is_by_guard = || !EXITED.is_match(text) && ears.is_by_guard(tool, text);
        if is_of_denial || ears.is_denial(text) || is_by_guard() {
            heard.push(not_allowed(format!("{tool} was not allowed: {}", shown(text))));
            let denied = denied_tool(Some(tool), input, text);
            self.held.keep_guard(&denied);
            heard.push(Heard::Denied(denied));
        }
        heard
    }

    fn succeeded(&mut self, tool: &str, input: &Value, output: &str) -> Vec<Heard> {
        match tool {
            "write_file" | "replace" | "edit" => {
                let file = str_of(input, "/file_path").unwrap_or_default();
                self.held.pass(file);
                vec![Heard::Event(
                    AgentEvent::new(AgentEventType::Progress, format!("{tool} {file}")).of_file(file),
                )]
            }
            "run_shell_command" if EXITED.is_match(output) => {
                let command = str_of(input, "/command").unwrap_or_default();
                self.held.keep(denied_by_output(tool, command, output));
                let finding =
                    AgentEvent::new(AgentEventType::Finding, format!("{}: it failed", shown(command)))
                        .with("output", end_of(output));
                vec![Heard::Event(finding)]
            }
            "read_file" => {
                let file = ["/absolute_path", "/file_path"].iter().find_map(|path| str_of(input, path));
                self.held.saw(file.unwrap_or_default());
                vec![]
            }
            "run_shell_command" => {
                self.held.pass(str_of(input, "/command").unwrap_or_default());
                vec![]
            }
            _ => vec![],
        }
    }
}

fn init(value: &Value) -> Vec<Heard> {
    let thread = str_of(value, "/session_id").map(|id| Heard::Thread(id.to_owned()));
    let model = str_of(value, "/model").unwrap_or("an unknown model");
    thread.into_iter().chain([event(AgentEventType::Status, format!("began with {model}"))]).collect()
}

fn result(value: &Value, answer: Option<String>, error: Option<String>, ears: &Ears<'_>) -> Vec<Heard> {
    let error = error.or_else(|| answer.clone().filter(|answer| answer.trim_start().starts_with(OF_REQUEST)));
    let stats = &value["stats"];
    let spent = Spent {
        input_tokens: number_of(stats, "/input_tokens"),
        cached_input_tokens: number_of(stats, "/cached"),
        output_tokens: number_of(stats, "/output_tokens"),
        ..Spent::default()
    };
    let mut heard = vec![Heard::Spent(spent)];
    if str_of(value, "/status") == Some("error") {
        let text = str_of(value, "/error/message").unwrap_or("the turn failed");
        heard.extend(ears.failed_of_kind(text, str_of(value, "/error/type"), None));
        heard.push(Heard::Over(TurnEnd::Failed));
    } else if let Some(text) = error {
        heard.extend(ears.failed(&text, None, true));
        heard.push(Heard::Over(TurnEnd::Failed));
    } else {
        let answer = answer.unwrap_or_else(|| "ended a turn".to_owned());
        heard.extend([event(AgentEventType::Milestone, answer), Heard::Over(TurnEnd::Completed)]);
    }
    heard
}
