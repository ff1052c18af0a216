//! Tests of which tool an act becomes, for the sets of tools that the CLIs really offer.

use super::{File, Tool, call, poll, run, write};
use crate::answer::Input;
use crate::asked::ToolResult;
use serde_json::{Value, json};

fn function(name: &str, properties: &[&str]) -> Tool {
    let properties: serde_json::Map<String, Value> =
        properties.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    Tool::function(name, json!({ "type": "object", "properties": properties }))
}

fn custom(name: &str) -> Tool {
    Tool { is_custom: true, ..Tool::function(name, Value::Null) }
}

fn codex() -> Vec<Tool> {
    vec![
        function("exec_command", &["cmd", "yield_time_ms"]),
        function("write_stdin", &[]),
        custom("apply_patch"),
    ]
}

fn claude() -> Vec<Tool> {
    vec![
        function("Bash", &["command", "description"]),
        function("Read", &["file_path"]),
        function("Write", &["file_path", "content"]),
    ]
}

fn file(text: &str) -> File<'_> {
    File { path: "src/it's.txt", text, replaces: false }
}

fn sole(wishes: Vec<super::Wish>) -> (String, Input) {
    assert_eq!(wishes.len(), 1, "{wishes:?}");
    wishes.into_iter().map(|wish| (wish.tool, wish.input)).next().expect("one")
}

#[test]
fn codex_writes_by_a_patch_of_plain_text() {
    let patch = "*** Begin Patch\n*** Add File: /w/src/it's.txt\n+a\n+\n+b\n*** End Patch\n";
    let expected = ("apply_patch".to_owned(), Input::Text(patch.to_owned()));
    assert_eq!(sole(write(&codex(), Some("/w"), file("a\n\nb\n"))), expected);
}

#[test]
fn codex_writes_by_the_shell_what_no_patch_can_say() {
    let (tool, input) = sole(write(&codex(), Some("/w/"), file("it's")));
    assert_eq!(tool, "exec_command");
    let Input::Arguments(arguments) = input else { panic!("{input:?}") };
    assert_eq!(arguments["cmd"], r"mkdir -p '/w/src' && printf '%s' 'it'\''s' > '/w/src/it'\''s.txt'");
}

#[test]
fn code_mode_gets_javascript_in_its_one_tool() {
    let (tool, input) = sole(write(&[custom("exec")], Some("/w"), file("a\n")));
    assert_eq!(tool, "exec");
    assert!(input.to_text().starts_with(r#"const result = await tools.apply_patch("*** Begin Patch\n***"#));
    let wish = run(&[custom("exec")], "echo \"hi\"").expect("a call");
    assert!(wish.input.to_text().contains(r#"tools.exec_command({cmd: "echo \"hi\"","#), "{wish:?}");
}

#[test]
fn claude_reads_first_what_it_replaces() {
    let replaced = write(&claude(), Some("/w"), File { replaces: true, ..file("a\n") });
    let names: Vec<&str> = replaced.iter().map(|wish| wish.tool.as_str()).collect();
    assert_eq!(names, ["Read", "Write"]);
    let (tool, input) = sole(write(&claude(), Some("/w"), file("a")));
    assert_eq!(tool, "Write");
    assert_eq!(input, Input::Arguments(json!({ "file_path": "/w/src/it's.txt", "content": "a" })));
}

#[test]
fn a_shell_that_wants_a_list_gets_one() {
    let list = json!({ "properties": { "command": { "type": "array" } } });
    let wish = run(&[Tool::function("shell", list)], "ls").expect("a call");
    assert_eq!(wish.input, Input::Arguments(json!({ "command": ["bash", "-lc", "ls"] })));
}

#[test]
fn where_nothing_is_on_offer_nothing_is_called_but_by_its_name() {
    assert!(write(&[], Some("/w"), file("a\n")).is_empty());
    assert!(run(&[], "ls").is_none());
    assert_eq!(call(&[], "mcp__x__y", &json!({})).tool, "mcp__x__y");
}

#[test]
fn a_command_that_still_runs_is_waited_for() {
    let running = ToolResult {
        id: String::new(),
        text: "Wall time: 30.0 seconds\nProcess running with session ID 4711\nOutput:\n".to_owned(),
    };
    let wish = poll(&codex(), &running).expect("a call");
    assert_eq!(
        (wish.tool.as_str(), wish.input.to_value()["session_id"].as_u64()),
        ("write_stdin", Some(4711))
    );
    let done = ToolResult { id: String::new(), text: "Process exited with code 0".to_owned() };
    assert!(poll(&codex(), &done).is_none());
}
