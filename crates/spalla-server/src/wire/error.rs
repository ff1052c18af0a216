//! Errors of runs on the wire.

use super::run::ErrorClass;
use super::words;
use serde::Serialize;
use spalla_domain::Timestamp;
use spalla_domain::recovery::{self, Rules};
use spalla_domain::retry;
use spalla_store::view::RunView;
use utoipa::ToSchema;

words! {
    /// How bad an error is.
    Severity for recovery::Severity {
        /// It passes by itself.
        Low = "low",
        /// The work failed.
        Medium = "medium",
        /// It can't go on without a change.
        High = "high",
        /// What carries runs out broke.
        Critical = "critical",
    }
}

words! {
    /// What an error has to do with.
    Category for recovery::Category {
        /// What was asked for.
        Validation = "validation",
        /// The network, or a service beyond it.
        Network = "network",
        /// The machine, or the process that carried the run out.
        System = "system",
        /// The work itself.
        Business = "business",
        /// What is allowed.
        Security = "security",
    }
}

/// Why a run did not come to a good end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorEntry {
    /// The id of the run; each has one error at most.
    id: i64,
    /// Who carried the run out: its agent, or else the worker; null where nobody did.
    agent_id: Option<String>,
    /// How bad it is.
    severity: Severity,
    /// What it has to do with.
    category: Category,
    /// What happened.
    message: String,
    /// Where and at what it happened.
    context: ErrorContext,
    /// When the run ended.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// Whether it is tried again: trying again without a change can help, and the rules want it.
    recoverable: bool,
}

/// Where and at what an error happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorContext {
    /// The project.
    project_id: i64,
    /// The work item.
    work_item_id: i64,
    /// Its title.
    title: String,
    /// The run.
    run_id: i64,
    /// The run's ordinal among the item's attempts.
    attempt: u32,
    /// The kind of failure.
    class: ErrorClass,
    /// The first rule that applies to it; null where none does, and a person has to look.
    rule: Option<String>,
    /// The exit status of the step that decided.
    exit_code: Option<i32>,
    /// Who held the run last.
    worker_id: Option<String>,
    /// Ties its traces together.
    trace_id: String,
}

impl ErrorEntry {
    /// Tells of a run that did not come to a good end, and what these rules say of that.
    pub(crate) fn of(view: RunView, rules: &Rules) -> Self {
        // A run that was lost ended without a word.
        let class = view.error.as_ref().map_or(retry::ErrorClass::Lost, |error| error.class);
        let lost = || "its workers vanished, more often than it may be taken over".to_owned();
        let worker_id = view.worker.map(String::from);
        Self {
            id: view.id.0,
            agent_id: view.agent.or_else(|| worker_id.clone()),
            severity: class.severity().into(),
            category: class.category().into(),
            message: view.error.map_or_else(lost, |error| error.message),
            timestamp: view.ended_at.unwrap_or(view.created_at),
            recoverable: rules.is_recoverable(class),
            context: ErrorContext {
                project_id: view.project_id.0,
                work_item_id: view.work_item_id.0,
                title: view.title,
                run_id: view.id.0,
                attempt: view.attempt,
                class: class.into(),
                rule: rules.rule(class).map(|rule| rule.name.clone()),
                exit_code: view.exit_code,
                worker_id,
                trace_id: view.trace_id,
            },
        }
    }
}
