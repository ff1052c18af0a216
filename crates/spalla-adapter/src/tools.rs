//! Which tools an agent may use, whatever its command line calls them. A list in the words of Claude Code is held against each
//! call that is heard of.

use crate::recovery::{covers, is_one_command, is_server_of};
use spalla_domain::agent_policy;

/// A call of a tool that an agent made, or wants to make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// The tool, as its command line calls it.
    pub tool: String,
    /// The names of which any one on a list is enough.
    names: Vec<String>,
    /// What it is given, where that is one text: a command, an address or a path.
    pub input: Option<String>,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The tool stands among those that may not be used.
    Restricted,
    /// It does not stand among those that may be used.
    NotListed,
}

impl Refused {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::NotListed => "not_listed",
        }
    }
}

/// Which tools may be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolRules {
    /// None where all may be.
    allowed: Option<Vec<String>>,
    restricted: Vec<String>,
}

/// The server of tools that the agent is given by Spalla itself: no list has to name it.
const OWN_SERVER: &str = "mcp__spalla__";
/// What only helps an agent to think: no list has to name it.
const FREE: &[&str] = &[
    "todowrite",
    "todoread",
    "taskcreate",
    "taskupdate",
    "taskget",
    "tasklist",
    "write_todos",
    "todo_list",
    "update_plan",
    "plan",
    "think",
    "switch_mode",
    "exitplanmode",
    "enterplanmode",
    "exit_plan_mode",
    "enter_plan_mode",
    "update_topic",
    "save_memory",
    "get_internal_docs",
    "ask_user",
    "toolsearch",
    "structuredoutput",
    "complete_task",
];
/// What stands for a tool of several command lines: their names for it, and the names of which one on a list is enough.
const SAME: &[(&[&str], &[&str])] = &[
    (
        &[
            "bash",
            "shell",
            "run_shell_command",
            "command_execution",
            "execute",
            "local_shell",
            "exec_command",
            "write_stdin",
            "terminal",
        ],
        &["Bash"],
    ),
    (&["bashoutput", "killshell", "killbash", "taskoutput", "taskstop"], &["Bash"]),
    (&["read", "read_file", "read_many_files", "view", "view_image", "notebookread"], &["Read"]),
    (&["write", "write_file"], &["Write"]),
    (&["edit", "multiedit", "replace"], &["Edit", "MultiEdit"]),
    (&["apply_patch", "file_change", "change", "delete", "move"], &["Edit", "MultiEdit", "Write"]),
    (&["notebookedit"], &["NotebookEdit"]),
    (&["grep", "search_file_content", "grep_search"], &["Grep"]),
    (&["glob", "find_files"], &["Glob"]),
    (&["ls", "list_directory", "list_files"], &["LS", "Glob"]),
    (&["search"], &["Grep", "Glob", "LS"]),
    (&["webfetch", "web_fetch"], &["WebFetch"]),
    (&["fetch"], &["WebFetch", "WebSearch"]),
    (&["websearch", "google_web_search", "web_search"], &["WebSearch"]),
    (&["task", "agent", "invoke_agent", "delegate_to_agent", "codebase_investigator"], &["Task", "Agent"]),
    (&["skill", "activate_skill"], &["Skill"]),
];
/// What divides the commands of a line.
const DIVIDERS: &[char] = &[';', '&', '|', '\n', '\r'];

impl Used {
    /// Makes the call of a tool by the name that its command line has for it.
    pub fn new(tool: &str, input: Option<&str>) -> Self {
        Self {
            tool: tool.to_owned(),
            names: names_of(tool),
            input: input.map(|input| unwrapped(input).to_owned()),
        }
    }

    /// Makes a call for which any of these names on a list is enough.
    pub(crate) fn any_of(tool: &str, names: &[&str], input: Option<&str>) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Self { names, ..Self::new(tool, input) }
    }

    /// Returns the call in a few words.
    pub fn shown(&self) -> String {
        match &self.input {
            Some(input) => crate::listen::shown(&format!("{}({input})", self.tool)),
            None => crate::listen::shown(&self.tool),
        }
    }

    /// Tells whether it is a shell that is given a command.
    pub fn is_shell(&self) -> bool {
        self.names.iter().any(|name| name == "Bash")
    }

    fn is_free(&self) -> bool {
        self.tool.starts_with(OWN_SERVER) || FREE.iter().any(|free| self.tool.eq_ignore_ascii_case(free))
    }
}

/// Returns the names of which any one on a list stands for a tool.
fn names_of(tool: &str) -> Vec<String> {
    let same = SAME.iter().find(|(theirs, _)| theirs.iter().any(|name| tool.eq_ignore_ascii_case(name)));
    match same {
        Some((_, names)) => names.iter().map(|name| (*name).to_owned()).collect(),
        None => vec![tool.to_owned()],
    }
}

/// Codex gives its shell the command as one word.
fn unwrapped(command: &str) -> &str {
    let inside = ["bash", "sh", "zsh", "dash"].iter().find_map(|shell| {
        let at = command.find(&format!("{shell} -"))?;
        let is_path = command[..at].chars().all(|c| c == '/' || c.is_ascii_alphanumeric());
        let rest = command[at + shell.len() + 2..]
            .strip_prefix("lc ")
            .or_else(|| command[at + shell.len() + 2..].strip_prefix("c "))?;
        is_path.then_some(rest.trim())
    });
    let Some(inside) = inside else { return command };
    let bare =
        |quote: char| inside.strip_prefix(quote)?.strip_suffix(quote).filter(|bare| !bare.contains(quote));
    let in_double = bare('"').filter(|text| !text.contains(['$', '`', '\\']));
    bare('\'').or(in_double).unwrap_or(inside)
}

impl ToolRules {
    /// Returns what a definition says of tools; none where it says nothing, or lets all be used.
    pub fn of(tools: &agent_policy::Tools) -> Option<Self> {
        let mut restricted: Vec<String> =
            tools.restricted.iter().map(|entry| entry.trim().to_owned()).collect();
        if restricted.iter().any(|entry| entry == "*") {
            restricted.retain(|entry| entry != "*");
            return Some(Self { allowed: Some(Vec::new()), restricted });
        }
        let is_open = tools.allowed.is_empty() || tools.allowed.iter().any(|entry| entry.trim() == "*");
        let listed = || tools.allowed.iter().map(|entry| entry.trim().to_owned()).collect();
        let allowed: Option<Vec<String>> = (!is_open).then(listed);
        (allowed.is_some() || !restricted.is_empty()).then_some(Self { allowed, restricted })
    }

    /// Says why a call is not one that may be made; none where it may.
    pub fn refuse(&self, used: &Used) -> Option<Refused> {
        if self.restricted.iter().any(|entry| is_hit(entry, used)) {
            return Some(Refused::Restricted);
        }
        let allowed = self.allowed.as_ref().filter(|_| !used.is_free())?;
        let commands = used.input.as_deref().filter(|_| used.is_shell()).and_then(divided);
        let is_covered = match commands {
            Some(commands) => commands.iter().all(|command| {
                let one = Used { input: Some((*command).to_owned()), ..used.clone() };
                allowed.iter().any(|entry| is_covered(entry, &one))
            }),
            None => allowed.iter().any(|entry| is_covered(entry, used)),
        };
        (!is_covered).then_some(Refused::NotListed)
    }

    /// Returns the entries that may be used, in their own words; none where all may be.
    pub fn allowed(&self) -> Option<&[String]> {
        self.allowed.as_deref()
    }

    /// Returns the entries that may not be used, in their own words.
    pub fn restricted(&self) -> &[String] {
        &self.restricted
    }

    /// Returns the names of the tools of its own that Claude Code is to have; none where all may be used.
    pub fn built_in(&self) -> Option<Vec<String>> {
        let names = self.allowed.as_ref()?.iter().filter(|entry| !entry.starts_with("mcp__"));
        let mut names: Vec<String> = names.flat_map(|entry| names_of(tool_of(entry))).collect();
        names.sort();
        names.dedup();
        Some(names)
    }

    /// Tells whether any call of a tool by this name may be made.
    pub fn has(&self, name: &str) -> bool {
        let is_name = |entry: &String| entry.eq_ignore_ascii_case(name);
        let is_listed =
            |entry: &String| names_of(tool_of(entry)).iter().any(|one| one.eq_ignore_ascii_case(name));
        !self.restricted.iter().any(is_name)
            && self.allowed.as_ref().is_none_or(|all| all.iter().any(is_listed))
    }
}

/// Returns the tool of an entry such as `Bash(git:*)`.
fn tool_of(entry: &str) -> &str {
    entry.split_once('(').map_or(entry, |(tool, _)| tool).trim()
}

fn pattern_of(entry: &str) -> Option<&str> {
    entry.split_once('(')?.1.strip_suffix(')')
}

/// Tells whether an entry is about a tool.
fn is_about(entry: &str, used: &Used) -> bool {
    let tool = tool_of(entry);
    let server = tool.strip_suffix("__*").unwrap_or(tool);
    tool.eq_ignore_ascii_case(&used.tool)
        || is_server_of(server, &used.tool)
        || names_of(tool).iter().any(|name| used.names.iter().any(|used| used.eq_ignore_ascii_case(name)))
}

/// Tells whether an entry that allows covers a call.
fn is_covered(entry: &str, used: &Used) -> bool {
    if !is_about(entry, used) {
        return false;
    }
    let Some(pattern) = pattern_of(entry) else { return true };
    let Some(input) = used.input.as_deref() else { return false };
    match used.names.first().map(String::as_str) {
        Some(tool @ ("Bash" | "WebFetch")) => covers(tool, pattern, input),
        _ => is_path(pattern, input),
    }
}

/// Tells whether an entry that forbids is about a call, or about any part of it.
fn is_hit(entry: &str, used: &Used) -> bool {
    if entry == "*" {
        return !used.is_free();
    }
    if !is_about(entry, used) {
        return false;
    }
    let (Some(pattern), Some(input)) = (pattern_of(entry), used.input.as_deref()) else {
        // What it is given is not known: it may be what is forbidden.
        return true;
    };
    match used.names.first().map(String::as_str) {
        Some("Bash") => {
            let first = pattern.trim_end_matches([':', '*', ' ']);
            let parts = input.split(|c| DIVIDERS.contains(&c) || "$`()<>{}\"'".contains(c));
            parts.map(str::trim).any(|part| {
                part.strip_prefix(first).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            })
        }
        Some(tool @ "WebFetch") => covers(tool, pattern, input),
        _ => is_path(pattern, input),
    }
}

/// Returns the commands of a line, each of which is sure to be one; none where that can't be told.
fn divided(line: &str) -> Option<Vec<&str>> {
    let (mut quote, mut start, mut parts) = (None, 0, Vec::new());
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, c) if DIVIDERS.contains(&c) => {
                parts.push(line[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(line[start..].trim());
    parts.retain(|part| !part.is_empty());
    (quote.is_none() && !parts.is_empty() && parts.iter().all(|part| is_one_command(part))).then_some(parts)
}

/// Tells whether a path fits a pattern, from wherever the path is told.
fn is_path(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_start_matches("./").trim_start_matches("//");
    let has_dots = path.split('/').any(|part| part == "..");
    !has_dots
        && (is_like(pattern.as_bytes(), path.as_bytes())
            || is_like(format!("*/{pattern}").as_bytes(), path.as_bytes()))
}

/// Tells whether a text is like a pattern in which `*` stands for anything.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut star, mut next) = (0, None, 0);
    while next < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(byte) if *byte == text[next] => (at, next) = (at + 1, next + 1),
            _ => match star {
                Some((place, from)) => {
                    star = Some((place, from + 1));
                    (at, next) = (place + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests;
