//! Quotas and what is used, on the wire.

use super::number::{Number, Ordinal};
use super::{Body, words};
use serde::{Deserialize, Serialize};
use spalla_domain::quota::{self, Active, MICRO_USD_MAX, MicroUsd, hold};
use spalla_domain::{ProjectId, Timestamp};
use spalla_store::document::ProjectQuota;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// An exact sum of US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Money(MicroUsd);

impl PartialSchema for Money {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Number))
            .minimum(Some(0))
            .maximum(Some(MICRO_USD_MAX as f64 / 1e6))
            .into()
    }
}

impl ToSchema for Money {}

/// How many runs at once.
type RunCount = Number<0, { u32::MAX as i64 }>;

/// The caps of a project; what is left out is not capped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaBody {
    /// Runs that start on one UTC day.
    #[schema(inline)]
    daily_runs: Option<Ordinal>,
    /// Tokens used on one UTC day.
    #[schema(inline)]
    daily_tokens: Option<Ordinal>,
    /// Money spent on one UTC day, in US dollars with at most six decimals.
    #[schema(inline)]
    daily_cost_usd: Option<Money>,
    /// Runs that are not over.
    #[schema(inline)]
    max_concurrent_runs: Option<RunCount>,
}

impl Body for QuotaBody {}

impl From<QuotaBody> for quota::Quota {
    fn from(body: QuotaBody) -> Self {
        Self {
            daily_runs: body.daily_runs.map(Ordinal::unsigned),
            daily_tokens: body.daily_tokens.map(Ordinal::unsigned),
            daily_cost_usd: body.daily_cost_usd.map(|money| money.0),
            max_concurrent_runs: body.max_concurrent_runs.map(RunCount::small),
        }
    }
}

words! {
    /// A cap of a quota.
    QuotaCap for quota::Cap {
        /// Runs that start on one UTC day.
        DailyRuns = "daily_runs",
        /// Tokens used on one UTC day.
        DailyTokens = "daily_tokens",
        /// Money spent on one UTC day.
        DailyCostUsd = "daily_cost_usd",
        /// Runs that are not over.
        MaxConcurrentRuns = "max_concurrent_runs",
    }
}

/// The caps of a project with what it used; a cap that is null does not exist.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Quota {
    /// Whose.
    project_id: i64,
    /// Runs that start on one UTC day.
    daily_runs: Option<u64>,
    /// Tokens used on one UTC day.
    daily_tokens: Option<u64>,
    /// Money spent on one UTC day, in US dollars.
    #[schema(inline)]
    daily_cost_usd: Option<Money>,
    /// Runs that are not over.
    max_concurrent_runs: Option<u32>,
    /// When a person set the caps; null where nobody did.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// What was used today.
    used: Used,
    /// The cap that keeps runs from starting; null while they may.
    held_by: Option<QuotaCap>,
    /// When that ends by itself; null where nothing holds, or where the end of a run makes room.
    #[schema(value_type = Option<String>, format = DateTime)]
    held_until: Option<Timestamp>,
}

/// What a project used on one UTC day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Used {
    /// The day.
    #[schema(format = Date)]
    day: String,
    /// Runs that started on it.
    runs: u64,
    /// Tokens of runs that ended on it.
    tokens: u64,
    /// Cost of runs that ended on it, in US dollars.
    #[schema(inline)]
    cost_usd: Money,
    /// Runs that are not over.
    active_runs: u32,
}

/// What there is to know of a project's quota.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Whose.
    pub(crate) project_id: ProjectId,
    /// The caps, where somebody set some.
    pub(crate) caps: Option<ProjectQuota>,
    /// What was used.
    pub(crate) usage: quota::Usage,
    /// Runs that are not over.
    pub(crate) active_runs: u32,
    /// When it was looked at.
    pub(crate) now: Timestamp,
}

impl Standing {
    /// Returns what keeps runs from starting.
    pub(crate) fn held(&self) -> Option<quota::Held> {
        let caps = self.caps.as_ref()?;
        hold(&caps.quota, self.usage, Active::runs(self.active_runs), self.now)
    }
}

impl From<Standing> for Quota {
    fn from(standing: Standing) -> Self {
        let held = standing.held();
        let usage = standing.usage.at(standing.now);
        let caps = standing.caps.as_ref().map(|caps| caps.quota).unwrap_or_default();
        let last_moment = usage.day.end().plus_ms(-1).to_string();
        Self {
            project_id: standing.project_id.0,
            daily_runs: caps.daily_runs,
            daily_tokens: caps.daily_tokens,
            daily_cost_usd: caps.daily_cost_usd.map(Money),
            max_concurrent_runs: caps.max_concurrent_runs,
            updated_at: standing.caps.map(|caps| caps.updated_at),
            used: Used {
                day: last_moment.split('T').next().unwrap_or_default().to_owned(),
                runs: usage.runs,
                tokens: usage.tokens,
                cost_usd: Money(usage.cost_usd),
                active_runs: standing.active_runs,
            },
            held_by: held.map(|held| held.which.into()),
            held_until: held.and_then(|held| held.until),
        }
    }
}
