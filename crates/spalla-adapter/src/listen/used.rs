//! Which tools a line tells of, as its command line names them. What is told twice of one call is one call.

use super::gemini_tools;
use super::{Format, str_of};
use crate::tools::Used;
use serde_json::Value;
use std::collections::BTreeSet;

/// How many calls are known by their ids; whoever makes more is told of twice at most.
const IDS_MAX: usize = 2_000;
/// The members that say what a tool is given.
const INPUTS: [&str; 9] = [
    "/command",
    "/cmd",
    "/url",
    "/file_path",
    "/absolute_path",
    "/notebook_path",
    "/path",
    "/dir_path",
    "/query",
];

/// The calls that were told of.
#[derive(Debug, Default)]
pub(super) struct Uses {
    ids: BTreeSet<String>,
}

impl Uses {
    /// Returns the calls that a line tells of and no line before did.
    pub(super) fn hear(&mut self, format: Format, value: &Value) -> Vec<Used> {
        let mut told = match format {
            Format::ClaudeStreamJson => of_claude(value),
            Format::CodexJsonl => of_codex(&value["item"]).into_iter().collect(),
            Format::AppServer if value["params"]["item"].is_object() => {
                of_codex(&super::app_server::as_of_exec(&value["params"]["item"])).into_iter().collect()
            }
            Format::GeminiStreamJson if value["type"] == "tool_use" => {
                let name = str_of(value, "/tool_name").unwrap_or_default();
                let name = gemini_tools::listed(name);
                vec![(id_of(value, "/tool_id"), Used::new(&name, input_of(&value["parameters"])))]
            }
            Format::Acp => of_acp(value).into_iter().collect(),
            Format::AppServer
            | Format::GeminiStreamJson
            | Format::GeminiJson
            | Format::JsonlEvents
            | Format::Text => vec![],
        };
        // An agent of one's own says in its events which tool it used.
        if value["payload"].is_object()
            && let Some(tool) = str_of(value, "/payload/tool")
        {
            told.push((
                None,
                Used::new(tool, input_of(&value["payload"]).or_else(|| str_of(value, "/payload/input"))),
            ));
        }
        told.retain(|(id, _)| id.as_ref().is_none_or(|id| self.is_new(id)));
        told.into_iter().map(|(_, used)| used).collect()
    }

    fn is_new(&mut self, id: &str) -> bool {
        if self.ids.contains(id) {
            return false;
        }
        if self.ids.len() < IDS_MAX {
            self.ids.insert(id.to_owned());
        }
        true
    }
}

/// Returns what a tool is given, where that is one text.
pub(super) fn input_of(given: &Value) -> Option<&str> {
    INPUTS.iter().find_map(|path| str_of(given, path))
}

/// A call with its id, where it has one.
type Call = (Option<String>, Used);

fn id_of(value: &Value, path: &str) -> Option<String> {
    str_of(value, path).map(str::to_owned)
}

fn of_claude(value: &Value) -> Vec<Call> {
    let blocks =
        value.pointer("/message/content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
    calls
        .map(|call| {
            (
                id_of(call, "/id"),
                Used::new(str_of(call, "/name").unwrap_or_default(), input_of(&call["input"])),
            )
        })
        .collect()
}

fn of_codex(item: &Value) -> Option<Call> {
    Some((id_of(item, "/id"), of_codex_item(item)?))
}

/// Returns the call that an item is, in the letters of `codex exec --json`.
pub(super) fn of_codex_item(item: &Value) -> Option<Used> {
    let kind = str_of(item, "/type")?;
    Some(match kind {
        "command_execution" => of_command(item),
        "file_change" => Used::new(kind, str_of(item, "/changes/0/path")),
        "web_search" => Used::new(kind, str_of(item, "/query")),
        "mcp_tool_call" => {
            let (server, tool) =
                (str_of(item, "/server").unwrap_or_default(), str_of(item, "/tool").unwrap_or_default());
            Used::new(&format!("mcp__{server}__{tool}"), None)
        }
        _ => return None,
    })
}

/// Codex reads files by commands, and says where a command does nothing else.
fn of_command(item: &Value) -> Used {
    let command = str_of(item, "/command");
    let actions = item["commandActions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reads = |action: &Value| matches!(str_of(action, "/type"), Some("read" | "listFiles" | "search"));
    match !actions.is_empty() && actions.iter().all(reads) {
        true => Used::any_of("command_execution", &["Bash", "Read", "Grep", "Glob", "LS"], command),
        false => Used::new("command_execution", command),
    }
}

/// Gemini tells of a call that it asks about by the question alone.
fn of_acp(message: &Value) -> Option<Call> {
    let params = &message["params"];
    let call = match str_of(message, "/method") {
        Some("session/request_permission") => &params["toolCall"],
        _ if params["update"]["sessionUpdate"] == "tool_call" => &params["update"],
        _ => return None,
    };
    Some((id_of(call, "/toolCallId"), of_acp_call(call)))
}

/// Returns the call that a message of ACP is about.
pub(super) fn of_acp_call(call: &Value) -> Used {
    let title = str_of(call, "/title").unwrap_or_default();
    let given = input_of(&call["rawInput"]).or_else(|| str_of(call, "/locations/0/path"));
    // Gemini names the server of a tool in the words for people.
    let of_server = title.strip_suffix(" MCP Server)").and_then(|words| words.split_once(" ("));
    if let Some((tool, server)) = of_server {
        return Used::new(&format!("mcp__{server}__{tool}"), None);
    }
    let kind = str_of(call, "/kind");
    let own = str_of(call, "/toolCallId").and_then(|id| gemini_tools::name_in(id, kind.unwrap_or("other")));
    if let Some(name) = own {
        // A command is all that it says of one.
        let given = given.or(Some(title).filter(|title| kind == Some("execute") && !title.is_empty()));
        return Used::new(&name, given);
    }
    match kind {
        Some("execute") => Used::new("execute", given.or(Some(title).filter(|title| !title.is_empty()))),
        Some("edit") => Used::new("change", given),
        Some(kind @ ("read" | "search" | "fetch" | "delete" | "move" | "think" | "switch_mode")) => {
            Used::new(kind, given)
        }
        _ => Used::new(if title.is_empty() { "a tool" } else { title }, given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn heard(format: Format, lines: &[Value]) -> Vec<(String, Option<String>)> {
        let mut uses = Uses::default();
        let used = lines.iter().flat_map(|line| uses.hear(format, line)).collect::<Vec<_>>();
        used.into_iter().map(|used| (used.tool, used.input)).collect()
    }

    fn call(tool: &str, input: Option<&str>) -> (String, Option<String>) {
        (tool.into(), input.map(str::to_owned))
    }

    #[test]
    fn each_command_line_tells_of_its_tools_in_its_own_way() {
        let claude = json!({"type": "assistant", "message": {"content": [
            {"type": "text", "text": "x"},
            {"type": "tool_use", "id": "1", "name": "Bash", "input": {"command": "make"}},
            {"type": "tool_use", "id": "2", "name": "mcp__a__b", "input": {}}]}});
        assert_eq!(
            heard(Format::ClaudeStreamJson, &[claude.clone(), claude]),
            [call("Bash", Some("make")), call("mcp__a__b", None)],
            "a call that is told of twice is one"
        );
        let codex = json!({"type": "item.started", "item": {"id": "1", "type": "command_execution", "command": "/bin/bash -lc 'rm x'"}});
        assert_eq!(heard(Format::CodexJsonl, &[codex]), [call("command_execution", Some("rm x"))]);
        let server = json!({"method": "item/started", "params": {"item": {"id": "1", "type": "mcpToolCall", "server": "s", "tool": "t"}}});
        assert_eq!(heard(Format::AppServer, &[server]), [call("mcp__s__t", None)]);
        let gemini = json!({"type": "tool_use", "tool_id": "1", "tool_name": "write_file", "parameters": {"file_path": "a"}});
        assert_eq!(heard(Format::GeminiStreamJson, &[gemini]), [call("write_file", Some("a"))]);
        let update = |more: Value| {
            let mut update = json!({"sessionUpdate": "tool_call", "toolCallId": "1"});
            update.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"jsonrpc": "2.0", "method": "session/update", "params": {"update": update}})
        };
        let of = |more| heard(Format::Acp, &[update(more)]);
        assert_eq!(of(json!({"title": "ls", "kind": "execute"})), [call("execute", Some("ls"))]);
        assert_eq!(
            of(json!({"title": "drop (db MCP Server)", "kind": "other"})),
            [call("mcp__db__drop", None)]
        );
        let asked = json!({"jsonrpc": "2.0", "id": 0, "method": "session/request_permission", "params": {"toolCall":
            {"toolCallId": "1", "title": "rm x", "kind": "execute"}}});
        let told = update(json!({"title": "rm x", "kind": "execute"}));
        assert_eq!(
            heard(Format::Acp, &[asked, told]),
            [call("execute", Some("rm x"))],
            "asked and told is one"
        );
        let own = json!({"type": "progress", "payload": {"tool": "Bash", "command": "make"}});
        assert_eq!(heard(Format::JsonlEvents, &[own]), [call("Bash", Some("make"))]);
    }
    #[test]
    fn what_gemini_asks_about_or_tells_of_in_a_dialogue_is_called_as_its_tools_are() {
        let call = |id: &str, kind: &str, title: &str, path: Option<&str>| {
            let locations = path.map(|path| json!({ "path": path })).into_iter().collect::<Vec<_>>();
            json!({"toolCallId": id, "kind": kind, "title": title, "locations": locations})
        };
        for (given, tool, input) in [
            (call("write_file__fc_9", "edit", "Writing to a", Some("/w/a")), "write_file", Some("/w/a")),
            (call("replace__fc_9", "edit", "a: x => y", Some("/w/a")), "replace", Some("/w/a")),
            (call("run_shell_command__9", "execute", "rm x", None), "run_shell_command", Some("rm x")),
            (call("google_web_search__9", "search", "Searching", None), "google_web_search", None),
            (call("grep_search_1700000000000_0", "search", "'x' within ./", None), "grep_search", None),
            (call("invoke_agent-17000", "think", "x", None), "invoke_agent", None),
            (call("mcp_db_drop_all__fc_9", "other", "{}", None), "mcp__db__drop_all", None),
            // What it is called hides nothing of what it does.
            (call("update_topic__9", "execute", "rm x", None), "execute", Some("rm x")),
            (call("call_9", "search", "x", None), "search", None),
        ] {
            let used = of_acp_call(&given);
            assert_eq!((used.tool.as_str(), used.input.as_deref()), (tool, input), "{given}");
        }
    }
}
