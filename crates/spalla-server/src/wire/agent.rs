//! What agents do, on the wire.

use super::resources::Resources;
use super::words;
use crate::agents::Observed;
use serde::Serialize;
use spalla_domain::Timestamp;
use spalla_domain::agent_state;
use spalla_domain::run::Status;
use spalla_store::view::{PoolView, RunOutcome};
use utoipa::ToSchema;

words! {
    /// What an agent does.
    AgentStateName for agent_state::State {
        /// It could work, and has nothing to do.
        Idle = "idle",
        /// It works.
        Busy = "busy",
        /// The last that it did failed.
        Error = "error",
        /// No worker that carries out what agents do was heard of lately.
        Offline = "offline",
    }
}

/// An agent, and what it does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentState {
    /// Which.
    agent: String,
    /// In which project.
    project_id: i64,
    /// What it does.
    state: AgentStateName,
    /// Since when; null where that is not noted yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// At what it works, the oldest first.
    current: Vec<CurrentWork>,
    /// The pool that its runs draw from; null where nothing is counted, and to whoever may not see workers.
    resources: Option<AgentResources>,
    /// What came of its newest runs.
    metrics: AgentMetrics,
    /// When it last began or ended something; null where it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_activity: Option<Timestamp>,
}

/// What an agent works at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CurrentWork {
    /// The work item.
    work_item_id: i64,
    /// The run.
    run_id: i64,
}

/// What an agent's runs may take together, and take.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentResources {
    /// What there is.
    #[schema(inline)]
    capacity: Resources,
    /// What runs that go on need of it.
    #[schema(inline)]
    reserved: Resources,
}

/// What came of an agent's newest runs: 50 are looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentMetrics {
    /// How many came to their end.
    runs: u32,
    /// How many of them well.
    succeeded: u32,
    /// How many failed or were lost.
    failed: u32,
    /// How many tokens they used, as far as that is known.
    tokens: u64,
    /// What they cost in US dollars, as far as that is known.
    cost_usd: f64,
    /// How long they took on average, in milliseconds; null where none came to its end.
    average_ms: Option<i64>,
}

impl AgentState {
    /// Puts together what was seen, noted and configured.
    pub(crate) fn new(
        Observed { view, state }: Observed,
        runs: &[RunOutcome],
        since: Option<Timestamp>,
        pool: Option<&PoolView>,
    ) -> Self {
        let moment = |run: &RunOutcome| run.ended_at.or(run.started_at);
        Self {
            agent: view.agent,
            project_id: view.project_id.0,
            state: state.into(),
            since,
            current: view
                .held
                .iter()
                .map(|(item, run)| CurrentWork { work_item_id: item.0, run_id: run.0 })
                .collect(),
            resources: pool.map(|view| AgentResources {
                capacity: Resources::from(&view.pool.capacity),
                reserved: Resources::from(&view.pool.reserved),
            }),
            last_activity: runs.iter().filter_map(moment).max(),
            metrics: AgentMetrics::of(runs),
        }
    }
}

impl AgentMetrics {
    fn of(runs: &[RunOutcome]) -> Self {
        let ended: Vec<&RunOutcome> = runs.iter().filter(|run| run.ended_at.is_some()).collect();
        let count = |is_counted: fn(Status) -> bool| {
            u32::try_from(ended.iter().filter(|run| is_counted(run.status)).count()).unwrap_or(u32::MAX)
        };
        let usage = || ended.iter().filter_map(|run| run.usage.as_ref());
        let took = |run: &&RunOutcome| Some(run.ended_at?.ms() - run.started_at?.ms());
        let took: Vec<i64> = ended.iter().filter_map(took).collect();
        let average_ms = i64::try_from(took.len()).ok().filter(|count| *count > 0);
        Self {
            runs: count(|_| true),
            succeeded: count(|status| status == Status::Succeeded),
            failed: count(|status| matches!(status, Status::Failed | Status::Lost)),
            tokens: usage()
                .map(|usage| usage.input_tokens.unwrap_or(0).saturating_add(usage.output_tokens.unwrap_or(0)))
                .fold(0, u64::saturating_add),
            // The sum of nothing is -0.0, which nobody wants to read.
            cost_usd: usage().filter_map(|usage| usage.cost_usd).fold(0.0, |sum, cost| sum + cost),
            average_ms: average_ms.map(|count| took.iter().sum::<i64>() / count),
        }
    }
}
