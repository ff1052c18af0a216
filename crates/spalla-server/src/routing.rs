//! Which agent a task is for, as the server knows it: somebody else keeps the index of agents, and the server hands questions on.

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

/// Finds agents for tasks. It blocks, on files.
pub trait Routing: Send + Sync {
    /// Answers a question.
    ///
    /// # Errors
    /// Where the index of agents can't be used.
    fn route(&self, question: &Question) -> Result<Arc<Answer>, Unrouted>;
}

/// Where nobody chooses agents.
#[derive(Debug, Clone, Copy)]
pub struct NoRouting;

impl Routing for NoRouting {
    fn route(&self, _: &Question) -> Result<Arc<Answer>, Unrouted> {
        Err(Unrouted::Nobody)
    }
}
