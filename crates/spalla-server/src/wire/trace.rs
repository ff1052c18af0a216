//! Traces on the wire: a run's life as spans.

use super::run::RunStatus;
use serde::Serialize;
use spalla_domain::Timestamp;
use spalla_store::view::RunView;
use utoipa::ToSchema;

/// A run as a trace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Trace {
    /// 32 hexadecimal digits.
    trace_id: String,
    /// The run.
    run_id: i64,
    /// What it is to do.
    work_item_id: i64,
    /// Whose it is.
    project_id: i64,
    /// The title of what it is to do.
    title: String,
    /// Where the run stands.
    status: RunStatus,
    /// The whole first, then its parts in order.
    spans: Vec<Span>,
}

/// A part of a run's life.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Span {
    /// `run` is the whole; `waiting` lasts from its making to its claim, `executing` from its claim to its end.
    name: SpanName,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended; null while it lasts.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// How long it lasted; null while it lasts.
    duration_ms: Option<i64>,
}

/// The parts of a run's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SpanName {
    /// From its making to its end.
    Run,
    /// From its making to its claim.
    Waiting,
    /// From its claim to its end.
    Executing,
}

impl Span {
    fn new(name: SpanName, started_at: Timestamp, ended_at: Option<Timestamp>) -> Self {
        let duration_ms = ended_at.map(|end| end.ms() - started_at.ms());
        Self { name, started_at, ended_at, duration_ms }
    }
}

impl From<RunView> for Trace {
    fn from(run: RunView) -> Self {
        let mut spans = vec![
            Span::new(SpanName::Run, run.created_at, run.ended_at),
            Span::new(SpanName::Waiting, run.created_at, run.started_at.or(run.ended_at)),
        ];
        spans.extend(run.started_at.map(|at| Span::new(SpanName::Executing, at, run.ended_at)));
        Self {
            trace_id: run.trace_id,
            run_id: run.id.0,
            work_item_id: run.work_item_id.0,
            project_id: run.project_id.0,
            title: run.title,
            status: run.status.into(),
            spans,
        }
    }
}
