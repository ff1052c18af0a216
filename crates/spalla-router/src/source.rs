//! What is read late: an agent's details where it may be chosen, and the table of meanings where no trigger was found.

use crate::published::Details;
use spalla_embedding::Embedding;
use std::sync::Arc;

/// An agent whose details are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its domain.
    pub domain: &'a str,
    /// The part of the domain; empty means none.
    pub subdomain: &'a str,
}

/// Reads what an index does not hold. Each thing is asked for once and kept.
pub trait Source: Send + Sync {
    /// Reads the details of an agent.
    ///
    /// # Errors
    /// In words; the agent is then chosen by its triggers alone.
    fn details(&self, agent: Told<'_>) -> Result<Details, String>;

    /// Loads the table of meanings.
    ///
    /// # Errors
    /// In words, where there is none; nothing is then chosen by its meaning, and the answer says so.
    fn embedding(&self) -> Result<Arc<Embedding>, String>;
}
