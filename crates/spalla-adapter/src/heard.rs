//! What is heard of an agent, whatever its command line prints.

use crate::act::Act;
use crate::trouble::Trouble;
use spalla_domain::agent_event::AgentEvent;

/// One thing that is heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An event.
    Event(AgentEvent),
    /// The agent did something, which is compared with what it did before. People are told by events.
    Did(Act),
    /// The agent's own words; the last ones of a turn are its answer.
    Words(String),
    /// The name of the conversation, by which it is resumed.
    Thread(String),
    /// What was used so far.
    Spent(Spent),
    /// Something was not allowed.
    Denied(Denied),
    /// Something outside the work went wrong.
    Trouble(Trouble),
    /// The turn is over.
    Over(TurnEnd),
}

/// What a turn used. Members that nobody told stay unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// Tokens that were read, those from a cache among them.
    pub input_tokens: Option<u64>,
    /// Of these, tokens that came from a cache.
    pub cached_input_tokens: Option<u64>,
    /// Tokens that were written.
    pub output_tokens: Option<u64>,
    /// What it cost, in US dollars.
    pub cost_usd: Option<f64>,
    /// Whether the cost is that of the whole process so far, and not of this turn.
    pub is_cost_of_process: bool,
}

/// Something that the agent was not allowed to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The tool, by the name that the agent has for it.
    pub tool: Option<String>,
    /// What was said.
    pub reason: String,
    /// The paths that it was about: those that the words name, or else those that the tool was given.
    pub paths: Vec<String>,
    /// What the tool was given, where that is one text: a command or an address.
    pub input: Option<String>,
    /// Who said no.
    pub by: DeniedBy,
}

/// Who said no, which decides what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeniedBy {
    /// The command line's own guard, or a tool of its own: the agent was kept from what it wanted.
    Guard,
    /// Words in the output of a command that failed, which may also be what the command was made to print.
    Output {
        /// Whether a later step of the same turn succeeded: the agent knew of it and went on.
        was_passed: bool,
    },
    /// Words of the operating system on the command line's standard error, whoever they were meant for.
    Stderr,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnEnd {
    /// By itself. That says nothing about whether the work is done.
    Completed,
    /// It failed; the trouble before says why.
    Failed,
    /// It was interrupted.
    Interrupted,
}
