//! From an act to a call of the tool that the CLI offers for it. What decides is the tools in the request, not the
//! CLI's name: Codex alone offers three different sets of them, by model.

mod codex;

use crate::answer::Input;
use serde_json::{Map, Value, json};

/// A tool on offer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: String,
    /// The namespace in which Codex offers it, if it is called with one.
    pub(crate) namespace: Option<String>,
    /// Whether it takes plain text instead of arguments.
    pub(crate) is_custom: bool,
    /// The schema of its arguments.
    pub(crate) schema: Value,
}

/// A call that has no id yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wish {
    /// The tool's name.
    pub(crate) tool: String,
    /// The namespace it is called with.
    pub(crate) namespace: Option<String>,
    /// What it is called with.
    pub(crate) input: Input,
}

/// A file that is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    /// Relative to the CLI's folder, or absolute.
    pub(crate) path: &'a str,
    /// The whole content.
    pub(crate) text: &'a str,
    /// Whether it is there already.
    pub(crate) replaces: bool,
}

/// Tools that write a file, and those that run a command, as known CLIs call them: Claude Code, Gemini CLI, then what
/// others have. Codex has more, see [`codex`].
const WRITERS: &[&str] = &["Write", "write_file", "write", "create_file"];
const RUNNERS: &[&str] = &[
    "exec_command",
    "shell_command",
    "shell",
    "Bash",
    "bash",
    "run_shell_command",
    "execute_command",
    "run_command",
];

/// Names of an argument, the usual ones first.
const PATH_NAMES: &[&str] = &["file_path", "filePath", "path", "filename"];
const TEXT_NAMES: &[&str] = &["content", "contents", "text", "file_text"];
const COMMAND_NAMES: &[&str] = &["cmd", "command"];

/// The tool in which Claude Code takes an answer that has to match a schema.
const STRUCTURED: &str = "StructuredOutput";

/// The longest wait that Codex allows before it hands a running command back, in milliseconds.
const CODEX_YIELD_MS: u64 = 30_000;

impl Tool {
    /// Makes a tool that takes arguments.
    pub(crate) fn function(name: &str, schema: Value) -> Self {
        Self { name: name.to_owned(), namespace: None, is_custom: false, schema }
    }

    fn property<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.schema["properties"].get(name).is_some())
    }

    fn wish(&self, input: Input) -> Wish {
        Wish { tool: self.name.clone(), namespace: self.namespace.clone(), input }
    }

    fn with_arguments(&self, arguments: Value) -> Wish {
        self.wish(Input::Arguments(arguments))
    }
}

/// Returns the calls that write the file, or none where the CLI offers no way to.
pub(crate) fn write(tools: &[Tool], folder: Option<&str>, file: File<'_>) -> Vec<Wish> {
    let path = absolute(folder, file.path);
    let file = File { path: &path, ..file };
    codex::write(tools, file)
        .or_else(|| write_whole(tools, file))
        .or_else(|| run(tools, &shell_write(file)).map(|wish| vec![wish]))
        .unwrap_or_default()
}

fn write_whole(tools: &[Tool], file: File<'_>) -> Option<Vec<Wish>> {
    let tool = named(tools, WRITERS)?;
    let mut arguments = Map::new();
    arguments.insert(tool.property(PATH_NAMES)?.to_owned(), json!(file.path));
    arguments.insert(tool.property(TEXT_NAMES)?.to_owned(), json!(file.text));
    let write = tool.with_arguments(Value::Object(arguments));
    // Claude Code refuses to replace what was not read in this conversation.
    let reader = tools.iter().find(|reader| file.replaces && tool.name == "Write" && reader.name == "Read");
    let read = reader.map(|reader| reader.with_arguments(json!({ "file_path": file.path })));
    Some(read.into_iter().chain([write]).collect())
}

/// Returns the call that runs a command, or none where the CLI offers no way to.
pub(crate) fn run(tools: &[Tool], command: &str) -> Option<Wish> {
    codex::run(tools, command).or_else(|| {
        let tool = named(tools, RUNNERS)?;
        let name = tool.property(COMMAND_NAMES)?;
        let wants_list = tool.schema["properties"][name]["type"] == "array";
        let command_line = if wants_list { json!(["bash", "-lc", command]) } else { json!(command) };
        let mut arguments = Map::from_iter([(name.to_owned(), command_line)]);
        if tool.property(&["yield_time_ms"]).is_some() {
            arguments.insert("yield_time_ms".to_owned(), json!(CODEX_YIELD_MS));
        }
        if tool.property(&["description"]).is_some() {
            arguments.insert("description".to_owned(), json!("Run a command"));
        }
        Some(tool.with_arguments(Value::Object(arguments)))
    })
}

/// Returns the call of a tool by its name. One that is not on offer is called all the same: what the CLI says then is
/// worth a test.
pub(crate) fn call(tools: &[Tool], name: &str, arguments: &Value) -> Wish {
    let input = match arguments {
        Value::String(text) => Input::Text(text.clone()),
        other => Input::Arguments(other.clone()),
    };
    match tools.iter().find(|tool| tool.name == name) {
        Some(tool) => tool.wish(input),
        None => Wish { tool: name.to_owned(), namespace: None, input },
    }
}

/// Returns the call that hands over a structured answer, where the CLI takes it by a tool.
pub(crate) fn structured(tools: &[Tool], value: &Value) -> Option<Wish> {
    let tool = tools.iter().find(|tool| tool.name == STRUCTURED)?;
    Some(tool.with_arguments(value.clone()))
}

/// Returns the schema of a structured answer, where the CLI takes it by a tool.
pub(crate) fn structured_schema(tools: &[Tool]) -> Option<Value> {
    tools.iter().find(|tool| tool.name == STRUCTURED).map(|tool| tool.schema.clone())
}

pub(crate) use codex::poll;

fn named<'a>(tools: &'a [Tool], names: &[&str]) -> Option<&'a Tool> {
    names.iter().find_map(|name| tools.iter().find(|tool| tool.name == *name && !tool.is_custom))
}

fn absolute(folder: Option<&str>, path: &str) -> String {
    match folder {
        Some(folder) if !path.starts_with('/') => format!("{}/{path}", folder.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

fn shell_write(file: File<'_>) -> String {
    let path = quoted(file.path);
    let folder = file.path.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| !folder.is_empty());
    let make = folder.map(|folder| format!("mkdir -p {} && ", quoted(folder))).unwrap_or_default();
    format!("{make}printf '%s' {} > {path}", quoted(file.text))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
