//! What is promised of an agent's runs: how long they take, and how many succeed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of how many agents something is promised, at the most.
pub const SLOS_MAX: usize = 1_000;
/// After what time without a run nothing is concluded of its newest ones any more, in milliseconds: a day.
pub const RECENT_MS: i64 = 86_400_000;

/// What is promised of one agent's runs; what is none is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slo {
    /// Within what time 95 of 100 are over, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// Which share of them succeeds at least, in thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_permille: Option<u16>,
}

/// What is promised of agents, by the names of definitions, aliases and command lines.
pub type Slos = BTreeMap<String, Slo>;
