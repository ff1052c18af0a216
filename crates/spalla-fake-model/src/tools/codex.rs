//! The tools of Codex that are like nobody else's: `apply_patch` takes a patch as plain text, the models of code mode
//! have one tool `exec` that takes JavaScript, and a long command is asked for again with `write_stdin`.

use super::{File, Tool, Wish, named};
use crate::answer::Input;
use crate::asked::ToolResult;
use serde_json::json;

/// How long a poll waits for a running command, in milliseconds; Codex allows up to five minutes.
const POLL_MS: u64 = 300_000;

/// Returns the call that writes a file with Codex's own tools.
pub(super) fn write(tools: &[Tool], file: File<'_>) -> Option<Vec<Wish>> {
    // Each line of a patch ends with a line break, and a patch without lines makes no file.
    if !file.text.ends_with('\n') {
        return None;
    }
    if let Some(tool) = custom(tools, "apply_patch") {
        return Some(vec![tool.wish(Input::Text(patch(file)))]);
    }
    let exec = custom(tools, "exec")?;
    let script = format!("const result = await tools.apply_patch({});\ntext(result);", json!(patch(file)));
    Some(vec![exec.wish(Input::Text(script))])
}

/// Returns the call that runs a command in code mode.
pub(super) fn run(tools: &[Tool], command: &str) -> Option<Wish> {
    let exec = custom(tools, "exec")?;
    let script = format!(
        "const result = await tools.exec_command({{cmd: {}, yield_time_ms: {}}});\ntext(result.output);",
        json!(command),
        super::CODEX_YIELD_MS
    );
    Some(exec.wish(Input::Text(script)))
}

/// Returns the call that goes on waiting where a command was handed back while it runs: nobody would go on before.
pub(crate) fn poll(tools: &[Tool], last: &ToolResult) -> Option<Wish> {
    let (_, rest) = last.text.split_once("Process running with session ID ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let session: u64 = digits.parse().ok()?;
    let tool = named(tools, &["write_stdin"])?;
    Some(tool.with_arguments(json!({ "session_id": session, "yield_time_ms": POLL_MS })))
}

fn custom<'a>(tools: &'a [Tool], name: &str) -> Option<&'a Tool> {
    tools.iter().find(|tool| tool.is_custom && tool.name == name)
}

/// Adds a file; one that is there is replaced, which Codex allows.
fn patch(file: File<'_>) -> String {
    let lines: String = file.text.lines().map(|line| format!("+{line}\n")).collect();
    format!("*** Begin Patch\n*** Add File: {}\n{lines}*** End Patch\n", file.path)
}
