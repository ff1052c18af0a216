//! What is heard of an agent, whatever its command line prints.

use crate::trouble::Trouble;
use spalla_domain::agent_event::AgentEvent;

/// One thing that is heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// An event.
    Event(AgentEvent),
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
