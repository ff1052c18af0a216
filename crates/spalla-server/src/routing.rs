//! Which agent a task is for, as the server knows it: somebody else keeps the index of agents, and the server hands questions on.

use spalla_domain::agent_policy::AgentPolicy;
use spalla_domain::chosen::ChosenDefinition;
use spalla_router::{Answer, Question};
use std::sync::Arc;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrouted {
    /// There is nobody to ask.
    #[error("this server chooses no agents")]
    Nobody,
    /// The index of agents can't be used.
    #[error("{0}")]
    Unusable(String),
}

/// Work for which an agent is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The agent that its maker named.
    pub named: Option<String>,
    /// What is to be done, in words.
    pub task: String,
}

/// Who does a piece of work, and by which definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The agent that carries it out: a command line.
    pub agent: String,
    /// By which definition.
    pub definition: ChosenDefinition,
    /// What that says of the runs.
    pub policy: Option<Box<AgentPolicy>>,
}

/// Why nobody was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unchosen {
    /// The definition that is named can't be used.
    #[error("{0}")]
    Named(String),
    /// No command line could carry it out.
    #[error("{0}")]
    Nobody(String),
}

/// Finds agents for tasks. It blocks, on files.
pub trait Routing: Send + Sync {
    /// Answers a question.
    ///
    /// # Errors
    /// Where the index of agents can't be used.
    fn route(&self, question: &Question) -> Result<Arc<Answer>, Unrouted>;

    /// Chooses who does a piece of work: by the definition that is named, or, where nobody is named and agents are published, by
    /// the one that the task is for. None leaves the work as its maker said it.
    ///
    /// # Errors
    /// Where a definition that is named can't be used, or no command line is there.
    fn choose(&self, _: &Work) -> Result<Option<Choice>, Unchosen> {
        Ok(None)
    }
}

/// Where nobody chooses agents.
#[derive(Debug, Clone, Copy)]
pub struct NoRouting;

impl Routing for NoRouting {
    fn route(&self, _: &Question) -> Result<Arc<Answer>, Unrouted> {
        Err(Unrouted::Nobody)
    }
}
