//! What the server says of its own state.

use crate::health::Report;
use serde::Serialize;
use spalla_store::view::Depths;
use utoipa::ToSchema;

/// Whether the server works; the rest is shown only to whom it concerns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`, or `degraded` where a check fails.
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
    /// What was looked at; a check is here once it was looked at for the first time.
    pub(crate) checks: Vec<CheckReport>,
    /// How many there are of what.
    pub(crate) queue: QueueDepths,
    /// The number of the newest event.
    pub(crate) newest_event_id: i64,
    /// How many streams are open: of events and of logs.
    pub(crate) streams: usize,
}

/// What one check found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckReport {
    /// What was looked at.
    pub(crate) name: String,
    /// Whether it works.
    pub(crate) healthy: bool,
    /// How long the look took.
    pub(crate) duration_ms: u64,
    /// What is wrong with it; left out where it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub(crate) error: Option<String>,
}

impl From<Report> for CheckReport {
    fn from(report: Report) -> Self {
        let duration_ms = u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX);
        Self { name: report.name, healthy: report.error.is_none(), duration_ms, error: report.error }
    }
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
