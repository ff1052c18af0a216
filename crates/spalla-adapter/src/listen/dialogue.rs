//! Conversations with agents that go both ways while they work, whichever protocol carries them. One process may have one
//! turn after another; each but those of a conversation that goes on begins with nothing in its context.

use super::{Ears, Format, acp, app_server, claude};
use crate::command_line::Guard;
use crate::heard::Heard;
use crate::tools::{ToolRules, Used};
use serde_json::Value;

/// What a turn of a dialogue is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opening {
    /// The folder in which the agent works, as an absolute path.
    pub folder: String,
    /// What it is told.
    pub prompt: String,
    /// The conversation that goes on; a new one where none is named.
    pub thread: Option<String>,
    /// What it is told instead where that conversation can't go on.
    pub anew: Option<String>,
    /// What it may do without asking.
    pub guard: Guard,
    /// The model; its own choice where none is wished.
    pub model: Option<String>,
    /// Folders beside its own in which it may write.
    pub folders: Vec<String>,
    /// The shape of its answer, as JSON.
    pub schema: Option<String>,
    /// Servers of tools that it is given.
    pub servers: Vec<ToolServer>,
    /// Which tools it may use; all where none is said.
    pub tools: Option<ToolRules>,
    /// Whether each command that it asks about is decided on by whoever listens, where nothing else is against it.
    pub asks_commands: bool,
}

/// A command that the agent asks whether it may run. It waits for the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedCommand {
    /// What it is about.
    pub used: Used,
    /// The folder in which the agent works.
    pub folder: String,
    /// By what the answer is known.
    pub(super) id: Value,
    /// What was asked, in the words of its protocol.
    pub(super) question: Value,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Granted,
    /// It may not, for this reason.
    Refused(String),
}

/// The most questions that wait to be asked for.
const ASKED_MAX: usize = 100;

/// The commands that are asked about, until somebody takes them.
#[derive(Debug, Default)]
pub(super) struct AskedCommands(Vec<AskedCommand>);

impl AskedCommands {
    /// Keeps a question; false where there is no room for it.
    pub(super) fn keep(&mut self, asked: AskedCommand) -> bool {
        let has_room = self.0.len() < ASKED_MAX;
        if has_room {
            self.0.push(asked);
        }
        has_room
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> Vec<AskedCommand> {
        std::mem::take(&mut self.0)
    }
}

/// A server of tools, which the agent starts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolServer {
    /// Its name.
    pub name: String,
    /// Its program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its variables.
    pub env: Vec<(String, String)>,
}

impl Opening {
    /// Tells whether the list of tools has nothing against a call.
    pub(super) fn lists(&self, used: &Used) -> bool {
        self.tools.as_ref().is_none_or(|rules| rules.refuse(used).is_none())
    }

    /// Tells whether somebody has to decide on a call.
    pub(super) fn leaves_open(&self, used: &Used) -> bool {
        self.asks_commands && used.is_shell()
    }

    /// Lets a conversation begin in the place of one that can't go on.
    pub(super) fn begin_anew(&mut self) {
        if let (Some(_), Some(anew)) = (self.thread.take(), self.anew.take()) {
            self.prompt = anew;
        }
    }
}

/// One conversation.
#[derive(Debug)]
pub(super) enum Dialogue {
    Acp(Box<acp::Dialogue>),
    AppServer(Box<app_server::Dialogue>),
    Claude(Box<claude::dialogue::Dialogue>),
}

impl Dialogue {
    /// Begins; none with a format that is none of a dialogue.
    pub(super) fn new(format: Format, opening: Opening) -> Option<Self> {
        match format {
            Format::Acp => Some(Self::Acp(Box::new(acp::Dialogue::new(opening)))),
            Format::AppServer => Some(Self::AppServer(Box::new(app_server::Dialogue::new(opening)))),
            Format::ClaudeStreamJson => {
                Some(Self::Claude(Box::new(claude::dialogue::Dialogue::new(&opening))))
            }
            _ => None,
        }
    }

    /// Begins another turn with the same process.
    pub(super) fn again(&mut self, opening: Opening) {
        match self {
            Self::Acp(dialogue) => dialogue.again(opening),
            Self::AppServer(dialogue) => dialogue.again(opening),
            Self::Claude(dialogue) => dialogue.again(&opening),
        }
    }

    /// Takes what is to be said now, a line each.
    pub(super) fn outbox(&mut self) -> Vec<String> {
        match self {
            Self::Acp(dialogue) => dialogue.outbox(),
            Self::AppServer(dialogue) => dialogue.outbox(),
            Self::Claude(dialogue) => dialogue.outbox(),
        }
    }

    /// Asks the agent to stop where it is; tells whether there is a turn that it can be asked to stop.
    pub(super) fn interrupt(&mut self) -> bool {
        match self {
            Self::Acp(dialogue) => dialogue.interrupt(),
            Self::AppServer(dialogue) => dialogue.interrupt(),
            Self::Claude(dialogue) => dialogue.interrupt(),
        }
    }

    /// Takes the commands that it asks about.
    pub(super) fn asked_commands(&mut self) -> Vec<AskedCommand> {
        match self {
            Self::Acp(dialogue) => dialogue.commands.take(),
            Self::AppServer(dialogue) => dialogue.commands.take(),
            Self::Claude(dialogue) => dialogue.commands.take(),
        }
    }

    /// Answers one of them.
    pub(super) fn permit(&mut self, asked: &AskedCommand, permission: &Permission) -> Vec<Heard> {
        match self {
            Self::Acp(dialogue) => dialogue.answer(&asked.id, &asked.question, permission),
            Self::AppServer(dialogue) => dialogue.decide(&asked.id, permission),
            Self::Claude(dialogue) => dialogue.answer(&asked.id, &asked.question, permission),
        }
    }

    /// Tells whether a turn goes on.
    pub(super) fn is_asked(&self) -> bool {
        match self {
            Self::Acp(dialogue) => dialogue.is_asked,
            Self::AppServer(dialogue) => dialogue.is_asked,
            Self::Claude(dialogue) => dialogue.is_asked,
        }
    }

    /// Hears a line of JSON.
    pub(super) fn hear(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        match self {
            Self::Acp(dialogue) => dialogue.hear(value, ears),
            Self::AppServer(dialogue) => dialogue.hear(value, ears),
            Self::Claude(dialogue) => dialogue.hear(value, ears),
        }
    }
}
