//! What a request asks, whatever protocol it came in: the person's last words, the results of tools since then, the
//! tools on offer, and the folder in which the CLI says that it works.

use crate::answer::estimate;
use crate::provider::Dialect;
use crate::tools::Tool;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// A request for an answer.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The form in which it came.
    pub(crate) dialect: Dialect,
    /// The key that it carries; empty without one.
    pub(crate) key: String,
    /// The conversation that it belongs to.
    pub(crate) run: String,
    /// The model that it names.
    pub(crate) model: String,
    /// Whether the answer is to be streamed.
    pub(crate) stream: bool,
    /// What the CLI told the model beforehand.
    pub(crate) system: String,
    /// The person's last words.
    pub(crate) user: String,
    /// The results of tools since then.
    pub(crate) results: Vec<ToolResult>,
    /// Where the CLI says that it works.
    pub(crate) folder: Option<String>,
    /// The tools on offer.
    pub(crate) tools: Vec<Tool>,
    /// The schema that the answer has to match.
    pub(crate) schema: Option<Value>,
    /// A digest of the body, in hexadecimal digits.
    pub(crate) digest: String,
    /// About how many tokens were sent.
    pub(crate) input_tokens: u64,
    /// When it came, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Whether a stream ends with a summary of its tokens: an option of chat completions.
    pub(crate) wants_usage: bool,
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolResult {
    /// The id of the call; empty where the protocol had none.
    pub(crate) id: String,
    /// What the model is told of it.
    pub(crate) text: String,
}

/// A turn of the conversation, as far as the script cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The person, or the CLI in the person's name.
    User(Vec<String>),
    /// A tool.
    Result(ToolResult),
}

/// A conversation as the providers' readers hand it on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conversation {
    /// What the CLI told the model, whatever role it took for it.
    pub(crate) system: Vec<String>,
    /// What was said and done.
    pub(crate) turns: Vec<Turn>,
}

/// What every request has beside its conversation.
#[derive(Debug, Clone)]
pub(crate) struct Letterhead {
    /// The key that it carries.
    pub(crate) key: String,
    /// The conversation, where a header names it.
    pub(crate) run: Option<String>,
    /// A digest of the body.
    pub(crate) digest: String,
    /// The size of the body.
    pub(crate) bytes: usize,
    /// When it came.
    pub(crate) at_ms: i64,
}

impl Asked {
    /// Makes a request of its parts; what the dialect knows better is set by its reader.
    pub(crate) fn new(dialect: Dialect, head: Letterhead, conversation: Conversation) -> Self {
        let folder = conversation.folder();
        let run = head.run.clone().unwrap_or_else(|| conversation.first_words(folder.as_deref()));
        let (user, results) = conversation.since_last_words();
        Self {
            dialect,
            run,
            user,
            results,
            folder,
            system: conversation.system.join("\n"),
            key: head.key,
            model: String::new(),
            stream: false,
            tools: Vec::new(),
            schema: None,
            digest: head.digest,
            input_tokens: estimate(head.bytes),
            at_ms: head.at_ms,
            wants_usage: false,
        }
    }

    /// Returns the short digest that ids are made of.
    pub(crate) fn mark(&self) -> &str {
        self.digest.get(..16).unwrap_or(&self.digest)
    }
}

impl Conversation {
    /// Returns the person's last words, and the results that came after them.
    fn since_last_words(&self) -> (String, Vec<ToolResult>) {
        let mut user = String::new();
        let mut results = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(texts) => {
                    if let Some(words) = words(texts) {
                        user = words;
                        results.clear();
                    }
                }
                Turn::Result(result) => results.push(result.clone()),
            }
        }
        (user, results)
    }

    /// Returns a name for a conversation that no header names: parallel ones differ in their folder or first words.
    fn first_words(&self, folder: Option<&str>) -> String {
        let first = self.turns.iter().find_map(|turn| match turn {
            Turn::User(texts) => words(texts),
            Turn::Result(_) => None,
        });
        let text = format!("{}\n{}", folder.unwrap_or_default(), first.unwrap_or_default());
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }

    /// Returns the folder in which the CLI says that it works: the last one that it named.
    fn folder(&self) -> Option<String> {
        let told = self.system.iter();
        let said = self.turns.iter().filter_map(|turn| match turn {
            Turn::User(texts) => Some(texts.iter().filter(|text| is_aside(text))),
            Turn::Result(_) => None,
        });
        told.chain(said.flatten()).filter_map(|text| named_folder(text)).next_back()
    }
}

/// Claude Code puts what was said before and after an interruption into one turn: only what came after it counts.
fn words(texts: &[String]) -> Option<String> {
    let since = texts.iter().rposition(|text| text.starts_with(INTERRUPTION)).map_or(0, |index| index + 1);
    let said: Vec<&str> = texts[since..].iter().map(String::as_str).filter(|text| !is_aside(text)).collect();
    (!said.is_empty()).then(|| said.join("\n"))
}

/// What Claude Code says where the person stopped the model.
const INTERRUPTION: &str = "[Request interrupted by user";

/// What CLIs tell the model in the person's name: no words of the person.
const ASIDES: &[&str] = &[
    // Codex
    "<environment_context>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "<turn_aborted>",
    "<skill>",
    "<subagent_notification>",
    // Claude Code
    "<system-reminder>",
    "<local-command-caveat>",
    "<command-name>",
    "<local-command-stdout>",
    INTERRUPTION,
    "[Your previous response had no visible output",
    // Gemini CLI
    "<session_context>",
    "<hook_context>",
    "System: Please continue.",
];

fn is_aside(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || ASIDES.iter().any(|beginning| text.starts_with(beginning))
}

/// The words around the folder: Codex 0.169 in `environment_context`, Claude Code 2.1 in its `# Environment`, Gemini
/// CLI 0.61 in `session_context`, where further folders follow on lines of their own.
static FOLDER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?m)<cwd>([^<\n]+)</cwd>|^ *-? *(?:Primary w|W)orking directory: (.+)$|\*\*Workspace Directories:\*\*\n\s*- (.+)$",
    )
    .ok()
});

fn named_folder(text: &str) -> Option<String> {
    let found = FOLDER.as_ref()?.captures_iter(text).last()?;
    let folder = found.iter().skip(1).flatten().next()?.as_str().trim();
    folder.starts_with('/').then(|| folder.to_owned())
}

#[cfg(test)]
mod tests;
