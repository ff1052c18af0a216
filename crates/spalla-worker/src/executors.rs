//! What carries runs out: steps in a shell, or a built-in agent.

pub(crate) mod agent;
pub(crate) mod recipe;
