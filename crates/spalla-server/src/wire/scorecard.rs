//! The measured records of agents, on the wire.

use serde::Serialize;
use spalla_domain::Timestamp;
use spalla_domain::scorecard;
use utoipa::ToSchema;

/// The measured record of an agent. Counts are weighed: a run counts 1 when it ends, and half after a week.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scorecard {
    /// Which agent.
    agent: String,
    #[serde(flatten)]
    measured: Measured,
}

/// The measured record of a way that led work to an agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TriggerScorecard {
    /// What led to it.
    trigger: String,
    /// The agent.
    agent: String,
    #[serde(flatten)]
    measured: Measured,
}

/// What was measured.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Measured {
    /// How many runs ended at all, whenever.
    task_count: u64,
    /// How many runs, weighed.
    runs: f64,
    /// How many of them succeeded, weighed.
    successes: f64,
    /// How many were not the first of their work item, weighed.
    retries: f64,
    /// The share that succeeded, from 0 to 1; null where nothing is known.
    success_rate: Option<f64>,
    /// The share that failed, from 0 to 1; null where nothing is known.
    error_rate: Option<f64>,
    /// How far the agent is trusted by what is known, from 0 to 1; 0.5 where nothing is. Reviewers' words and pieces of work weigh by it.
    trust: f64,
    /// How long a run takes on the average, in milliseconds.
    average_latency_ms: Option<f64>,
    /// Within how many milliseconds half of the runs are over.
    latency_p50_ms: Option<f64>,
    /// Within how many milliseconds 95 of 100 are.
    latency_p95_ms: Option<f64>,
    /// Within how many milliseconds 99 of 100 are.
    latency_p99_ms: Option<f64>,
    /// Calls of tools that failed or were refused, weighed.
    tool_errors: f64,
    /// Tokens, weighed.
    tokens: f64,
    /// US dollars, weighed.
    cost_usd: f64,
    /// What peers thought of its work, weighed.
    verdicts: Verdicts,
    /// How often a person had to help, weighed.
    interventions: f64,
    /// How much of machines a run uses.
    resource_utilization: Utilization,
    /// When a run ended last.
    #[schema(value_type = String, format = DateTime)]
    last_updated_at: Timestamp,
}

/// What peers thought.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verdicts {
    /// That it is good.
    approved: f64,
    /// That something is to be said against it.
    concern: f64,
    /// That it can't stay so.
    blocker: f64,
}

/// How much of machines a run uses on the average; null where nobody measured it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Utilization {
    /// Processors: 1 is one core for all of the run's time.
    cpu: Option<f64>,
    /// Memory at its peak, in MiB.
    memory: Option<f64>,
    /// The network, which nobody measures.
    network: Option<f64>,
    /// Files that came into being, in MiB.
    storage: Option<f64>,
}

impl Utilization {
    fn of(used: &scorecard::Utilization) -> Self {
        Self {
            cpu: used.cores.value(),
            memory: used.memory_mb.value(),
            network: None,
            storage: used.storage_mb.value(),
        }
    }
}

impl Scorecard {
    /// Shows a record.
    pub(crate) fn new(agent: String, card: &scorecard::Scorecard) -> Self {
        Self { agent, measured: Measured::of(card) }
    }
}

impl TriggerScorecard {
    /// Shows a record by its name of both.
    pub(crate) fn new(name: &str, card: &scorecard::Scorecard) -> Self {
        let (trigger, agent) = name.rsplit_once(" → ").unwrap_or((name, ""));
        Self { trigger: trigger.to_owned(), agent: agent.to_owned(), measured: Measured::of(card) }
    }
}

impl Measured {
    fn of(card: &scorecard::Scorecard) -> Self {
        Self {
            task_count: card.task_count,
            runs: card.runs,
            successes: card.successes,
            retries: card.retries,
            success_rate: card.share(card.successes),
            error_rate: card.share(card.runs - card.successes),
            trust: card.trust(),
            average_latency_ms: card.mean_ms(),
            latency_p50_ms: card.quantile_ms(0.5),
            latency_p95_ms: card.quantile_ms(0.95),
            latency_p99_ms: card.quantile_ms(0.99),
            tool_errors: card.tool_errors,
            tokens: card.tokens,
            cost_usd: card.cost_usd,
            verdicts: Verdicts { approved: card.approved, concern: card.concerns, blocker: card.blockers },
            interventions: card.interventions,
            resource_utilization: Utilization::of(&card.utilization),
            last_updated_at: card.last_updated_at,
        }
    }
}
