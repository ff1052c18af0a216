//! What the server says of its own state.

use serde::Serialize;
use spalla_store::view::Depths;
use utoipa::ToSchema;

/// Whether the server works; the rest is shown only to whom it concerns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    pub(crate) status: &'static str,
    /// The particulars, for who has the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = HealthDetails, required = false)]
    pub(crate) details: Option<HealthDetails>,
}

/// The particulars of the server's state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthDetails {
    /// The server's version.
    pub(crate) version: String,
    /// How long it has been up.
    pub(crate) uptime_seconds: u64,
    /// What was looked at.
    pub(crate) checks: Vec<CheckReport>,
    /// How many there are of what.
    pub(crate) queue: QueueDepths,
    /// The number of the newest event.
    pub(crate) newest_event_id: i64,
    /// How many clients follow the events.
    pub(crate) event_streams: usize,
}

/// What one check found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckReport {
    /// What was looked at.
    pub(crate) name: &'static str,
    /// Whether it works.
    pub(crate) healthy: bool,
    /// How long the look took.
    pub(crate) duration_ms: u64,
    /// What is wrong with it.
    pub(crate) error: Option<String>,
}

/// How many there are of what.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct QueueDepths {
    /// Entries that nothing holds.
    pub(crate) ready: u64,
    /// Entries that wait for their time.
    pub(crate) delayed: u64,
    /// Entries that wait for a dependency or an approval.
    pub(crate) blocked: u64,
    /// Runs that nobody holds.
    pub(crate) pending: u64,
    /// Runs that somebody holds.
    pub(crate) running: u64,
}

impl From<Depths> for QueueDepths {
    fn from(depths: Depths) -> Self {
        Self {
            ready: depths.ready,
            delayed: depths.delayed,
            blocked: depths.blocked,
            pending: depths.pending,
            running: depths.running,
        }
    }
}
