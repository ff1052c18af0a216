//! What became of a publication of agents: it serves, or it was refused and the one before serves on.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// How many ids one piece of news names, of each kind.
pub const IDS_MAX: usize = 100;

/// What became of a publication, and what is found out of it while it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegistryNews {
    /// It serves.
    Reloaded(Reloaded),
    /// It does not, and what served before serves on.
    Refused(Refused),
    /// Its definitions name receivers (`metrics.escalation.notify`) that nobody has.
    Unreached(Vec<String>),
}

/// A publication that serves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// The digest of everything that is published.
    pub digest: String,
    /// When its newest source changed, as it says itself.
    pub generated_at: String,
    /// How many agents it has.
    pub agents: usize,
    /// How many of them are new or other ones.
    pub changed: usize,
    /// How many are not there any more.
    pub removed: usize,
    /// How many definitions were read ahead.
    pub warmed: usize,
    /// Those whose definitions failed their tests and do not serve; the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldAgent>,
}

/// An agent whose newest definition does not serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAgent {
    /// Its id.
    pub id: String,
    /// Why.
    pub why: String,
    /// Whether the definition before it serves on; otherwise nobody has the id.
    pub old_serves: bool,
}

/// A publication that does not serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why not.
    pub reason: String,
    /// The digest of what serves on; empty where that is what comes with the program.
    pub serving: String,
    /// When the newest source of what serves on changed; none where that is what comes with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<String>,
    /// Since when, by the server's clock.
    pub at: Timestamp,
}
