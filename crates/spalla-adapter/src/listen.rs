//! Listening to an agent: lines of what its command line prints become what is heard of it. A line that nobody
//! understands is never lost: it is heard as an error with an excerpt, or as words.

mod acp;
mod app_server;
mod claude;
mod codex;
mod dialogue;
mod events;
mod gemini;
mod gemini_json;
mod gemini_tools;
mod held;
mod text;
mod used;

pub use dialogue::{AskedCommand, Opening, Permission, ToolServer};

use crate::definition::WishName;
use crate::heard::{Denied, DeniedBy, Heard};
use crate::named::{input_of, paths_in, paths_of};
use crate::pattern::compiled;
use crate::tools::Used;
use crate::trouble::{Cause, Certainty, Patterns, Trouble, guessed, plain};
use dialogue::Dialogue;
use jiff::Timestamp;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spalla_domain::agent_event::{AgentEvent, AgentEventType, Bounds, DENIED};
use std::sync::LazyLock;
use used::Uses;

/// The most of a command or an output that an event shows, in characters.
const SHOWN_CHARS: usize = 400;

/// How the operating system says that something is not allowed, whichever program passes it on; and how a sandbox of the
/// command line's own says that it can't be set up, so that nothing can be run at all.
static OF_SYSTEM: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)permission denied|read-only file system|operation not permitted|\b(?:EACCES|EPERM|EROFS)\b|^bwrap: |error running landlock|\blandlock(?:sandbox|restrict)|error building bubblewrap|^failed in sandbox|blocked.by.(?:network.)?allow.?list|seccomp(?:install|backend)|keine berechtigung|permission non accordée|permiso denegado|permesso negato|tunnel\w* (?:\S+ ){0,2}(?:failed|error)\W.{0,20}\b403\b",
    )
});
/// How the system says that the machine has no room for what is written.
static OF_ROOM: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)\b(?:ENOSPC|EDQUOT|EMFILE|ENFILE)\b|no space left on device|disk quota exceeded|too many open files",
    )
});
/// How a guard says no, where a tool of the command line's own failed and told nothing that a command printed.
static OF_GUARD: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)\b(?:denied|disallowed|prohibited|blocked|not (?:allowed|permitted|approved)|(?:requires?|needs?|awaiting|no|without) (?:\w+ )?(?:approval|confirmation)|approval (?:is )?(?:required|needed)|permission (?:request|prompt|stream)|(?:stopped|prevented|refused|rejected) by (?:\S+ )?hook|no such tool|tool\b.{0,60}\b(?:not (?:found|available|registered|enabled)|disabled|unavailable)|plan mode|(?:allow|block|deny) ?list|sandbox polic\w+|safe to fetch|safety of|for safety|for security)\b",
    )
});
/// How a tool says that it was given something wrong, and quotes it; or that somebody far away answered.
static OF_WORK: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)\boccurrences?\b|to replace (?:was )?not found|InputValidationError|must have required|\bfile\b.{0,200}\bnot (?:exist|found|been read)|no such file|(?:status|code|http\S*)\W{0,3}(?:code )?[45]\d\d\b",
    )
});
/// Names in a text: paths, files and what stands in quotes.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| compiled(r#"\S*[/\\]\S*|\S+\.[a-z]\w*|"[^"\n]*"|'[^'\n]*'|`[^`\n]*`"#));
/// How a command line says on its standard error that it goes on without something.
static GOES_ON: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)\bfall(?:ing|s)? ?back\b|\bfallback\b|\bin the meantime\b|\bnon-fatal\b|\bcontinuing\b|\bproceeding\b|\bignor(?:ed|ing)\b|\bwill be skipped\b",
    )
});
/// How a command line says on its standard error that a tool of its own failed.
static OF_TOOL: LazyLock<Regex> = LazyLock::new(|| compiled(r"(?i)tools::router|error executing tool (\w+)"));

/// What a command line prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `codex exec --json`.
    CodexJsonl,
    /// `claude --print --output-format stream-json`, also with input of that format.
    ClaudeStreamJson,
    /// `gemini --output-format stream-json`.
    GeminiStreamJson,
    /// `gemini --output-format json`.
    GeminiJson,
    /// A line of JSON for each event, as agents of one's own may print them.
    JsonlEvents,
    /// Words.
    Text,
    /// Messages of the Agent Client Protocol, which are answered.
    Acp,
    /// Messages of `codex app-server`, which are answered.
    AppServer,
}

impl Format {
    /// Tells whether each line is words of its own, so that all of them together are the answer.
    pub const fn has_words_by_line(self) -> bool {
        matches!(self, Self::JsonlEvents | Self::Text)
    }

    /// Tells whether whoever prints it can be spoken with while it works.
    pub const fn may_be_dialogue(self) -> bool {
        matches!(self, Self::Acp | Self::AppServer | Self::ClaudeStreamJson)
    }

    /// Tells whether whoever prints it has to be spoken with.
    pub const fn is_dialogue_alone(self) -> bool {
        matches!(self, Self::Acp | Self::AppServer)
    }

    /// Tells whether a wish is said in the dialogue itself, so that no argument has to say it.
    pub const fn says(self, wish: WishName) -> bool {
        use WishName::{Bypass, Folder, Guarded, Listed, Mcp, Model, ReadOnly, Resume, Schema};
        match self {
            Self::ClaudeStreamJson => matches!(wish, Mcp),
            Self::Acp => matches!(wish, Bypass | Listed | Guarded | ReadOnly | Mcp | Resume),
            Self::AppServer => {
                matches!(wish, Bypass | Listed | Guarded | ReadOnly | Model | Folder | Schema | Resume)
            }
            _ => false,
        }
    }
}

/// What listens to one process.
#[derive(Debug)]
pub struct Listener {
    format: Format,
    patterns: Patterns,
    bounds: Bounds,
    codex: codex::State,
    claude: claude::State,
    gemini: gemini::State,
    gemini_json: gemini_json::State,
    /// The conversation, where there is one.
    dialogue: Option<Dialogue>,
    uses: Uses,
    used: Vec<Used>,
    /// Whether a line was heard that is one of its format.
    has_begun: bool,
}

/// The most calls of tools that wait to be asked for.
const USED_MAX: usize = 1_000;

impl Listener {
    /// Begins to listen; the patterns say what the words of a failure mean.
    pub fn new(format: Format, patterns: Patterns) -> Self {
        let (codex, claude, gemini, gemini_json) = Default::default();
        let (uses, used, has_begun) = Default::default();
        let bounds = Bounds::default();
        Self {
            format,
            patterns,
            bounds,
            codex,
            claude,
            gemini,
            gemini_json,
            dialogue: None,
            uses,
            used,
            has_begun,
        }
    }

    /// Reads lines as events up to these bounds from now on.
    #[must_use]
    pub const fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Returns up to where lines are read as events.
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Begins a conversation, or another turn with the process that had one before.
    pub fn speak(&mut self, opening: Opening) {
        self.uses = Uses::default();
        match &mut self.dialogue {
            Some(dialogue) => dialogue.again(opening),
            None => self.dialogue = Dialogue::new(self.format, opening),
        }
    }

    /// Asks whoever is spoken with to stop where it is; tells whether there is somebody who can be asked.
    pub fn interrupt(&mut self) -> bool {
        self.dialogue.as_mut().is_some_and(Dialogue::interrupt)
    }

    /// Takes what is to be said now, a line each.
    pub fn outbox(&mut self) -> Vec<String> {
        self.dialogue.as_mut().map(Dialogue::outbox).unwrap_or_default()
    }

    /// Tells whether the agent is spoken with, and asks before it does something where it is told to.
    pub const fn is_dialogue(&self) -> bool {
        self.dialogue.is_some()
    }

    /// Takes the commands that the agent asks about, each of which waits for an answer.
    pub fn asked_commands(&mut self) -> Vec<AskedCommand> {
        self.dialogue.as_mut().map(Dialogue::asked_commands).unwrap_or_default()
    }

    /// Answers one of them; what is said stands in the outbox.
    pub fn permit(&mut self, asked: &AskedCommand, permission: &Permission) -> Vec<Heard> {
        self.dialogue.as_mut().map(|dialogue| dialogue.permit(asked, permission)).unwrap_or_default()
    }

    /// Tells whether each line is words of its own, so that all of them together are the answer.
    pub const fn has_words_by_line(&self) -> bool {
        self.format.has_words_by_line()
    }

    /// Hears a line of the standard output, without its end.
    pub fn hear(&mut self, line: &[u8], now: Timestamp) -> Vec<Heard> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return vec![];
        }
        let bounds = self.bounds;
        let value = bounds.read_json(line);
        let is_of_turn = self.dialogue.as_ref().is_none_or(Dialogue::is_asked);
        // What is told again of a conversation that goes on was no call of this turn.
        if let (true, Ok(value)) = (is_of_turn, &value) {
            let room = USED_MAX.saturating_sub(self.used.len());
            self.used.extend(self.uses.hear(self.format, value).into_iter().take(room));
        }
        let ears = Ears { patterns: &self.patterns, bounds, now };
        // Whoever can't even begin says why in words, on whichever output.
        self.has_begun |= value.is_ok();
        let instead = if self.has_begun { vec![] } else { self.hear_error(line, now) };
        let by_value = |hear: &mut dyn FnMut(&Value) -> Vec<Heard>| {
            by_value(line, &value, hear).into_iter().chain(instead.clone()).collect::<Vec<_>>()
        };
        if let Some(dialogue) = &mut self.dialogue {
            return by_value(&mut |value| dialogue.hear(value, &ears));
        }
        match self.format {
            Format::CodexJsonl => by_value(&mut |value| self.codex.hear(value, &ears)),
            Format::ClaudeStreamJson => by_value(&mut |value| self.claude.hear(value, &ears)),
            Format::GeminiStreamJson => by_value(&mut |value| self.gemini.hear(value, &ears)),
            Format::GeminiJson => self.gemini_json.hear(line, bounds),
            Format::JsonlEvents => events::hear(line, bounds),
            // Nobody spoke with it yet.
            Format::Text | Format::Acp | Format::AppServer => text::hear(line, bounds),
        }
    }

    /// Takes the calls of tools that were heard of since it was asked last.
    pub fn used(&mut self) -> Vec<Used> {
        std::mem::take(&mut self.used)
    }

    /// Hears that nothing more is printed: what came in many lines is understood now.
    pub fn finish(&mut self, now: Timestamp) -> Vec<Heard> {
        let ears = Ears { patterns: &self.patterns, bounds: self.bounds, now };
        match self.format {
            Format::GeminiJson => self.gemini_json.finish(&ears),
            _ => vec![],
        }
    }

    /// Hears a line of the standard error: it matters where it says what went wrong.
    pub fn hear_error(&self, line: &[u8], now: Timestamp) -> Vec<Heard> {
        let text = String::from_utf8_lossy(line);
        let text = plain(&text);
        match self.patterns.cause_of(&text) {
            Some(_) => {
                let mut trouble = self.patterns.trouble(&text, None, false, now);
                // It says itself that it goes on.
                if GOES_ON.is_match(&text) {
                    trouble.certainty = Certainty::Guessed;
                    return vec![Heard::Trouble(trouble)];
                }
                Ears { patterns: &self.patterns, bounds: self.bounds, now }.trouble(trouble)
            }
            // Of what no rule knows nobody is told; it counts where nothing else was said of the end.
            None if GOES_ON.is_match(&text) => vec![],
            None => {
                guessed(&text, self.format.has_words_by_line(), now).map(Heard::Trouble).into_iter().collect()
            }
        }
    }
}

/// Hears a line of JSON: an event of the agent's own, or what its command line says.
fn by_value(
    line: &[u8],
    value: &Result<Value, String>,
    hear: &mut dyn FnMut(&Value) -> Vec<Heard>,
) -> Vec<Heard> {
    match value {
        Err(why) => hostile(line, why),
        Ok(value) => match events::of(value) {
            Some(event) => vec![Heard::Event(event)],
            None => hear(value),
        },
    }
}

fn hostile(line: &[u8], why: &str) -> Vec<Heard> {
    vec![Heard::Event(AgentEvent::of_hostile_line(line, why))]
}

/// What helps to understand.
struct Ears<'a> {
    patterns: &'a Patterns,
    bounds: Bounds,
    now: Timestamp,
}

impl Ears<'_> {
    fn failed(&self, text: &str, status: Option<u16>, is_final: bool) -> Vec<Heard> {
        self.trouble(self.patterns.trouble(text, status, is_final, self.now))
    }

    /// Hears that something failed, which the command line gives a name of its kind.
    fn failed_of_kind(&self, text: &str, kind: Option<&str>, status: Option<u16>) -> Vec<Heard> {
        self.trouble(self.patterns.trouble_of_kind(text, kind, status, true, self.now))
    }

    /// Tells whether a text says that something was not allowed.
    fn is_denial(&self, text: &str) -> bool {
        matches!(self.patterns.own_cause_of(text), Some(Cause::Denied | Cause::OutsideWorkspace))
    }

    /// Tells whether a tool of the command line's own, which is no server's, failed because a guard said no.
    fn is_by_guard(&self, tool: &str, text: &str) -> bool {
        if OF_WORK.is_match(text) {
            return false;
        }
        // What a server of tools may not do itself is for it to say.
        let is_of_server = tool.starts_with("mcp");
        let is_guards = || !is_of_server && OF_GUARD.is_match(&NAMED.replace_all(text, " "));
        (self.is_denial(text) && !(is_of_server && OF_SYSTEM.is_match(text))) || is_guards()
    }

    /// What was not allowed is heard as such, and everything else as trouble.
    fn trouble(&self, trouble: Trouble) -> Vec<Heard> {
        let kind = if trouble.is_final { AgentEventType::Error } else { AgentEventType::Status };
        let event = AgentEvent::new(kind, shown(&trouble.text));
        let denied = matches!(trouble.cause, Cause::Denied | Cause::OutsideWorkspace)
            .then(|| Heard::Denied(denied_in_words(&trouble.text)));
        [Some(Heard::Event(event)), denied, Some(Heard::Trouble(trouble))].into_iter().flatten().collect()
    }
}

/// A command may fail because the system did not allow something or has no room, or say so of what it was made for. What a guard of
/// the command line would say can't come from a command: it quotes it.
fn denied_by_output(tool: &str, command: &str, output: &str) -> Option<Denied> {
    let line = output.lines().find(|line| OF_SYSTEM.is_match(line) || OF_ROOM.is_match(line))?;
    Some(Denied {
        tool: Some(tool.to_owned()),
        reason: shown(line),
        paths: paths_in(line),
        input: Some(command.to_owned()),
        by: DeniedBy::Output { was_passed: false },
    })
}

/// A denial that nothing but words tells of.
fn denied_in_words(words: &str) -> Denied {
    let of_tool = OF_TOOL.captures(words);
    let is_of_system = OF_SYSTEM.is_match(words) && of_tool.is_none();
    let tool = of_tool.and_then(|found| Some(found.get(1)?.as_str().to_owned()));
    let by = if is_of_system { DeniedBy::Stderr } else { DeniedBy::Guard };
    Denied { tool, reason: words.to_owned(), paths: paths_in(words), input: None, by }
}

/// A denial of a tool by a guard. The words name what the guard looked at, the parameters only what the agent wrote.
fn denied_tool(tool: Option<&str>, parameters: &Value, reason: &str) -> Denied {
    let named = paths_in(reason);
    let paths = if named.is_empty() { paths_of(parameters) } else { named };
    let (tool, reason) = (tool.map(str::to_owned), reason.to_owned());
    Denied { tool, reason, paths, input: input_of(parameters), by: DeniedBy::Guard }
}

/// Returns the words of an agent, and the events that it put among them as lines of their own.
fn words(text: &str, ears: &Ears<'_>) -> Vec<Heard> {
    let events = text.lines().filter_map(|line| events::in_words(line, ears.bounds)).map(Heard::Event);
    let mut heard: Vec<Heard> = events.collect();
    if !text.trim().is_empty() {
        heard.push(Heard::Words(text.to_owned()));
    }
    heard
}

fn event(kind: AgentEventType, text: impl Into<String>) -> Heard {
    Heard::Event(AgentEvent::new(kind, text))
}

/// Tells of something that was not allowed: not what the agent says, but what its program met.
fn not_allowed(text: impl Into<String>) -> Heard {
    Heard::Event(AgentEvent::new(AgentEventType::Blocker, text).with(DENIED, true))
}

/// Returns what an event shows of a longer text: its end, where the reason of a failure stands.
fn end_of(text: &str) -> String {
    let text = text.trim_end();
    match text.char_indices().rev().nth(SHOWN_CHARS - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &text[start..]),
        _ => text.to_owned(),
    }
}

/// Returns what an event shows of a longer text: its beginning.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns an event of the agent's own, or a line of a version that nobody here knows.
fn unknown(value: &Value, name: &str) -> Heard {
    Heard::Event(
        serde_json::from_value(value.clone()).unwrap_or_else(|_| {
            AgentEvent::new(AgentEventType::Status, shown(name)).with("line", value.clone())
        }),
    )
}

fn str_of<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    value.pointer(path)?.as_str()
}

fn number_of(value: &Value, path: &str) -> Option<u64> {
    value.pointer(path)?.as_u64()
}

#[cfg(test)]
mod tests;
