//! What a person may do about it: each names the path, the tool or the variable, and the command or setting to change.

use super::Case;
use crate::definition::{Definition, WishName};
use crate::heard::Denied;
use crate::pattern::compiled;
use crate::trouble::Cause;
use regex::Regex;
use std::sync::LazyLock;

/// More than these are no help.
const SUGGESTIONS_MAX: usize = 8;
/// How much of a command or a text a suggestion shows, in characters.
const SHOWN_CHARS: usize = 200;

static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:KEY|TOKEN|SECRET|PROJECT|CREDENTIALS)\b"));

/// Returns the suggestions for a case; there is always one.
pub(super) fn of(case: &Case<'_>) -> Vec<String> {
    let mut suggestions = match case.cause {
        Cause::Auth => of_login(case),
        Cause::Untrusted => of_trust(case.adapter),
        Cause::Machine => of_machine(case),
        Cause::OutsideWorkspace => case.denied.iter().flat_map(|denied| of_folders(case, denied)).collect(),
        Cause::Denied => case.denied.iter().flat_map(|denied| of_denial(case, denied)).collect(),
        _ => vec![],
    };
    if suggestions.is_empty() {
        let title = &case.adapter.title;
        suggestions.push(format!("look at what {title} said, mend it and start again: {}", shown(case.text)));
    }
    let mut seen = std::collections::BTreeSet::new();
    suggestions.retain(|suggestion| seen.insert(suggestion.clone()));
    suggestions.truncate(SUGGESTIONS_MAX);
    suggestions
}

fn of_login(case: &Case<'_>) -> Vec<String> {
    let login = &case.adapter.login;
    let named: Vec<&str> = VARIABLE.find_iter(case.text).map(|name| name.as_str()).collect();
    let variables =
        if named.is_empty() { login.variables.iter().map(String::as_str).collect() } else { named };
    let set = variables.iter().map(|name| {
        format!("set the variable {name} to a key that is valid, where the worker's environment is set")
    });
    let command = login.command.iter().map(|command| {
        format!("log in with `{command}` as the user whom the worker runs as: {}", shown(case.text))
    });
    // A variable that the words name is what is missing; a login would not help.
    command.filter(|_| VARIABLE.find(case.text).is_none()).chain(set).collect()
}

fn of_machine(case: &Case<'_>) -> Vec<String> {
    let said = shown(case.text);
    let adapter = case.adapter;
    let install = (!adapter.install.is_empty()).then(|| {
        format!("install a version of {} that fits this machine: `{}`", adapter.program, adapter.install)
    });
    let room = format!(
        "see what the worker's machine lacks, such as room and files that may be opened (`df -h`, `df -i`, `ulimit -n`), a \
         program, or a lock that something else holds: {said}"
    );
    std::iter::once(room).chain(install).collect()
}

fn of_trust(adapter: &Definition) -> Vec<String> {
    let flag = adapter.command.parts.iter().find_map(|part| {
        let flag = part.flag.as_deref()?;
        ["trust", "git-repo-check"].iter().any(|word| flag.contains(word)).then_some(flag)
    });
    let call = flag
        .map(|flag| format!("allow recovery to trust the folder, which adds {flag} to {}", adapter.program));
    let by_hand =
        format!("start {} once in the folder by hand and answer that it is trusted", adapter.program);
    call.into_iter().chain([by_hand]).collect()
}

fn of_folders(case: &Case<'_>, denied: &Denied) -> Vec<String> {
    if denied.paths.is_empty() {
        let what = denied.tool.as_deref().unwrap_or("a tool");
        let said = shown(&denied.reason);
        return vec![format!(
            "find out which path {what} needed, and add its folder to the allowed ones: {said}"
        )];
    }
    let of_path = |path: &String| {
        let path = shown(path);
        let by_flag = flag(case.adapter, WishName::Folder, &path).map(|flag| format!(" (as {flag})"));
        format!(
            "add the folder of {path} to the allowed folders{}, or move the file into the workspace",
            by_flag.unwrap_or_default()
        )
    };
    denied.paths.iter().map(of_path).collect()
}

fn of_denial(case: &Case<'_>, denied: &Denied) -> Vec<String> {
    let mut suggestions = vec![];
    match (denied.tool.as_deref(), denied.input.as_deref()) {
        (Some("Bash"), Some(command)) => {
            let rule = format!("Bash({})", shown(command));
            suggestions.push(of_tool(case.adapter, &rule));
        }
        (Some(tool), None) => suggestions.push(of_tool(case.adapter, tool)),
        (Some(tool), Some(input)) => {
            suggestions.push(format!("look at what {tool} was to do, and allow it: {}", shown(input)));
        }
        (None, _) => {}
    }
    let paths = denied.paths.iter().map(|path| {
        let path = shown(path);
        format!(
            "see who owns {path} and with which mode (`ls -ld {path}`), and let the agent's user write there \
             (`chown` or `chmod`), or add it to the sandbox's writable paths"
        )
    });
    suggestions.extend(paths);
    if suggestions.is_empty() {
        let program = &case.adapter.program;
        suggestions.push(format!(
            "allow {program} what it was denied, in its approval or sandbox settings: {}",
            shown(&denied.reason)
        ));
    }
    suggestions
}

fn of_tool(adapter: &Definition, tool: &str) -> String {
    let by_flag = flag(adapter, WishName::Tool, tool);
    match by_flag {
        Some(flag) => format!("add {tool} to the allowed tools (as {flag}), or do by hand what it was to do"),
        None => format!(
            "let {} use {tool}, by its approval mode or its policy, or do by hand what it was to do",
            adapter.program
        ),
    }
}

/// Returns the arguments by which a command line is given something.
fn flag(adapter: &Definition, wish: WishName, value: &str) -> Option<String> {
    let part = adapter.command.parts.iter().find(|part| part.when == Some(wish))?;
    let place = if wish == WishName::Folder { "{folder}" } else { "{tool}" };
    let args: Vec<String> = part.args.iter().map(|arg| arg.replace(place, value)).collect();
    Some(format!("`{} {}`", adapter.program, args.join(" ")))
}

/// One line, and not a long one: what is shown comes from an agent.
fn shown(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    match line.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
