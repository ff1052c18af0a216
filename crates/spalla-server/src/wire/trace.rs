//! Traces on the wire: a run's life as spans.

use super::run::RunStatus;
use serde::Serialize;
use spalla_domain::Timestamp;
use spalla_domain::trace::{self, Life, Part, span_id};
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
    /// 16 hexadecimal digits.
    span_id: String,
    /// The span that it is a part of; null for the whole.
    parent_span_id: Option<String>,
    /// `run` is the whole; `waiting` lasts from its making to its claim, `executing` from its claim to its end, and `step`
    /// is a step of the recipe, known once the run is over.
    name: SpanName,
    /// The step, from 1; null for other spans.
    step: Option<u32>,
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
    /// A step of its recipe.
    Step,
}

impl Span {
    fn new(trace_id: &str, span: trace::Span) -> Self {
        let trace::Span { part, started_at, ended_at } = span;
        let (name, step) = match part {
            Part::Run => (SpanName::Run, None),
            Part::Waiting => (SpanName::Waiting, None),
            Part::Executing => (SpanName::Executing, None),
            Part::Step(number) => (SpanName::Step, Some(number)),
        };
        Self {
            span_id: span_id(trace_id, part),
            parent_span_id: part.parent().map(|parent| span_id(trace_id, parent)),
            name,
            step,
            started_at,
            ended_at,
            duration_ms: ended_at.map(|end| end.ms().saturating_sub(started_at.ms())),
        }
    }
}

impl From<RunView> for Trace {
    fn from(run: RunView) -> Self {
        let RunView { created_at, started_at, ended_at, .. } = run;
        let result = run.result.as_ref().map(|result| result.get());
        let spans = Life { created_at, started_at, ended_at, result }.spans();
        Self {
            run_id: run.id.0,
            work_item_id: run.work_item_id.0,
            project_id: run.project_id.0,
            status: run.status.into(),
            spans: spans.into_iter().map(|span| Span::new(&run.trace_id, span)).collect(),
            title: run.title,
            trace_id: run.trace_id,
        }
    }
}
