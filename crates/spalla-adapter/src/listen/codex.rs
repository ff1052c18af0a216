//! `codex exec --json`: threads, turns and items, one object a line. Seen with 0.169.

use super::{
    Ears, denied_by_output, denied_tool, end_of, event, held::Held, not_allowed, number_of, shown, str_of,
    unknown, words,
};
use crate::act::Act;
use crate::heard::{Denied, DeniedBy, Heard, Spent, TurnEnd};
use crate::pattern::compiled;
use regex::Regex;
use serde_json::Value;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use std::sync::LazyLock;

/// How it says that a call was not let through.
static OF_NOBODY: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)\buser (?:cancel|reject|declin|den)\w+|(?:cancel|reject|declin|den)\w+ by (?:the )?(?:user|policy|review\w*|guard\w*)|(?:requires?|needs?|without) (?:\w+ )?approval",
    )
});

/// What has to be remembered between lines.
#[derive(Debug, Default)]
pub(super) struct State {
    answer: Option<String>,
    held: Held,
}

impl State {
    pub(super) fn hear(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match str_of(value, "/type").unwrap_or_default() {
            "thread.started" => {
                str_of(value, "/thread_id").map(|id| Heard::Thread(id.to_owned())).into_iter().collect()
            }
            "turn.started" => vec![event(AgentEventType::Status, "began a turn")],
            "item.started" => started(&value["item"]),
            "item.updated" => plan(&value["item"]).into_iter().collect(),
            "item.completed" => self.completed(&value["item"], ears),
            "turn.completed" => self.over(spent(&value["usage"])),
            // Also how it says that it tries again; what ends a turn comes once more as its failure.
            "error" => ears.failed(str_of(value, "/message").unwrap_or_default(), None, false),
            "turn.failed" => {
                let text = str_of(value, "/error/message").unwrap_or("the turn failed");
                let mut heard = self.fail(text);
                heard.extend(ears.failed(text, None, true));
                heard.push(Heard::Over(TurnEnd::Failed));
                heard
            }
            other => vec![unknown(value, other)],
        }
    }

    /// Hears that an item began.
    pub(super) fn started(&self, item: &Value) -> Vec<Heard> {
        started(item)
    }

    /// Hears of a plan.
    pub(super) fn plan(&self, item: &Value) -> Vec<Heard> {
        plan(item).into_iter().collect()
    }

    /// Hears that the turn failed, with these words.
    pub(super) fn fail(&mut self, text: &str) -> Vec<Heard> {
        self.answer = None;
        self.held.tell(text)
    }

    /// Hears that an item is over.
    pub(super) fn completed(&mut self, item: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let mut heard = self.item(item, ears);
        heard.extend(did(item).map(Heard::Did));
        heard
    }

    fn item(&mut self, item: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match str_of(item, "/type").unwrap_or_default() {
            "agent_message" => {
                let text = str_of(item, "/text").unwrap_or_default();
                self.answer = Some(text.to_owned());
                words(text, ears)
            }
            "reasoning" => {
                vec![event(AgentEventType::Status, shown(str_of(item, "/text").unwrap_or_default()))]
            }
            "command_execution" => self.command(item, ears),
            "file_change" => self.file_changes(item),
            "todo_list" => plan(item).into_iter().collect(),
            "error" => ears.failed(str_of(item, "/message").unwrap_or_default(), None, false),
            "mcp_tool_call" if is_refused(item) => {
                let name = |path| str_of(item, path).unwrap_or_default();
                let tool = format!("mcp__{}__{}", name("/server"), name("/tool"));
                let denied = denied_tool(Some(&tool), &item["arguments"], name("/error/message"));
                self.held.keep_guard(&denied);
                vec![not_allowed(format!("{tool} was not allowed")), Heard::Denied(denied)]
            }
            other => {
                let what = ["/tool", "/query", "/name"]
                    .iter()
                    .find_map(|path| str_of(item, path))
                    .unwrap_or_default();
                vec![event(
                    AgentEventType::Progress,
                    format!("{other} {}", shown(what)).trim_end().to_owned(),
                )]
            }
        }
    }

    /// Hears that the turn is over, and what it used.
    pub(super) fn over(&mut self, spent: Spent) -> Vec<Heard> {
        let answer = self.answer.take();
        let mut heard = self.held.tell(answer.as_deref().unwrap_or_default());
        let answer = answer.map_or_else(|| "ended a turn".to_owned(), |text| shown(&text));
        heard.extend([
            Heard::Spent(spent),
            event(AgentEventType::Milestone, answer),
            Heard::Over(TurnEnd::Completed),
        ]);
        heard
    }

    fn command(&mut self, item: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let (command, output) = (
            str_of(item, "/command").unwrap_or_default(),
            str_of(item, "/aggregated_output").unwrap_or_default(),
        );
        if item["exit_code"] == 0 {
            self.held.pass(command);
            return vec![];
        }
        let has_run = item["exit_code"].as_i64().is_some_and(|code| code >= 0);
        if str_of(item, "/status") == Some("declined") || (!has_run && ears.is_denial(output)) {
            let reason = if output.is_empty() { "it was declined" } else { output };
            let denied = denied_tool(Some("shell"), item, reason);
            self.held.keep_guard(&denied);
            return vec![not_allowed(format!("{} was not allowed", shown(command))), Heard::Denied(denied)];
        }
        self.held.keep(denied_by_output("shell", command, output));
        let code = item["exit_code"].as_i64();
        let code = code.map_or_else(|| "no exit status".to_owned(), |code| format!("exit status {code}"));
        let finding = AgentEvent::new(AgentEventType::Finding, format!("{}: {code}", shown(command)))
            .with("output", end_of(output));
        vec![Heard::Event(finding)]
    }

    fn file_changes(&mut self, item: &Value) -> Vec<Heard> {
        let done = str_of(item, "/status") == Some("completed");
        let changes = item["changes"].as_array().into_iter().flatten();
        if done {
            for change in changes.clone() {
                self.held.pass(str_of(change, "/path").unwrap_or_default());
            }
        }
        let declined = (str_of(item, "/status") == Some("declined"))
            .then(|| Heard::Denied(denied_change(item, "it was declined")));
        changes
            .map(|change| {
                let (path, kind) = (
                    str_of(change, "/path").unwrap_or_default(),
                    str_of(change, "/kind").unwrap_or("update"),
                );
                let said = if done { kind.to_owned() } else { format!("{kind} failed") };
                let means = if done { AgentEventType::Progress } else { AgentEventType::Finding };
                Heard::Event(AgentEvent::new(means, format!("{said} {path}")).of_file(path))
            })
            .chain(declined)
            .collect()
    }
}

/// Tells whether nobody let a server's tool be called; what the server itself says is no denial.
fn is_refused(item: &Value) -> bool {
    str_of(item, "/error/message").is_some_and(|message| OF_NOBODY.is_match(message))
}

/// Returns what a completed item did. What a change of files changed is not told.
fn did(item: &Value) -> Option<Act> {
    let kind = str_of(item, "/type").unwrap_or_default();
    if matches!(kind, "agent_message" | "reasoning" | "todo_list" | "error") {
        return None;
    }
    let what = ["/command", "/tool", "/query", "/changes/0/path"];
    let said = shown(what.iter().find_map(|path| str_of(item, path)).unwrap_or(kind));
    if kind == "file_change" && str_of(item, "/status") == Some("completed") {
        return Some(Act::change(said));
    }
    let mut given = item.clone();
    if let Some(members) = given.as_object_mut() {
        members.retain(|name, _| name != "id" && name != "aggregated_output");
    }
    Some(Act::new(said, kind, &given, str_of(item, "/aggregated_output").unwrap_or_default()))
}

fn spent(usage: &Value) -> Spent {
    Spent {
        input_tokens: number_of(usage, "/input_tokens"),
        cached_input_tokens: number_of(usage, "/cached_input_tokens"),
        output_tokens: number_of(usage, "/output_tokens"),
        ..Spent::default()
    }
}

fn started(item: &Value) -> Vec<Heard> {
    match str_of(item, "/type") {
        Some("command_execution") => {
            let command = str_of(item, "/command").unwrap_or_default();
            vec![event(AgentEventType::Progress, format!("runs {}", shown(command)))]
        }
        Some("todo_list") => plan(item).into_iter().collect(),
        _ => vec![],
    }
}

fn denied_change(item: &Value, reason: &str) -> Denied {
    let changes = item["changes"].as_array().into_iter().flatten();
    let paths = changes.filter_map(|change| str_of(change, "/path")).map(str::to_owned).collect();
    let (tool, reason) = (Some("apply_patch".to_owned()), reason.to_owned());
    Denied { tool, reason, paths, input: None, by: DeniedBy::Guard }
}

fn plan(item: &Value) -> Option<Heard> {
    let items = item["items"].as_array()?;
    let done = items.iter().filter(|item| item["completed"] == true).count();
    let text = format!("{done} of {} steps done", items.len());
    Some(Heard::Event(AgentEvent::new(AgentEventType::Task, text).with("items", items.clone())))
}
