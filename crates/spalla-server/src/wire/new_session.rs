//! A wish for a session on the wire.

use super::Body;
use super::text::{Needle, Prose, Word};
use serde::Deserialize;
use serde_json::Value;
use spalla_domain::session;
use utoipa::ToSchema;

/// The most agents of a session.
pub(crate) const AGENTS_MAX: usize = 16;

/// A wish for a session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSession {
    /// What is to be done, in the person's own words.
    #[schema(inline)]
    pub(crate) goal: Prose,
    /// The folder that it is about: an absolute path on the server's machine.
    #[schema(inline)]
    pub(crate) target: Needle,
    /// The agents that work, the first in front; those that are installed and have a login when left out.
    #[serde(default)]
    #[schema(inline, max_items = 16)]
    pub(crate) agents: Option<Vec<Word>>,
    /// A plan, in the place of one that is made from the goal: the JSON of `spalla orchestrate --plan`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) plan: Option<serde_json::Map<String, Value>>,
    /// Who splits the goal into pieces; the marks of a list in it when left out. With a plan there is nothing to split.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) decomposer: Option<GoalDecomposer>,
    /// Who says which agent takes a piece that names none; `balance.strategy` when left out.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) selector: Option<Selector>,
    /// Whether nothing begins before a person agreed with the plan, or changed it: `POST /api/session/plan`.
    #[serde(default)]
    pub(crate) revise: Option<bool>,
}

impl Body for NewSession {}

/// A person's answer to the plan of a session.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanBody {
    /// The session; the newest when left out.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) session_id: Option<Needle>,
    /// The plan as it is to be, in the form of a plan file; the one that waits when left out.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) plan: Option<serde_json::Map<String, Value>>,
}

impl Body for PlanBody {}

/// Who splits a goal into pieces.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GoalDecomposer {
    /// The marks of a list in the goal, and numbered lines.
    Heuristic,
    /// An agent of the session, which looks at the target first.
    Llm,
    /// The static model that is built in.
    Tiny,
    /// The strongest planner that the setting models.smart, or an adapter, names.
    Cloud,
}

impl From<GoalDecomposer> for session::Decomposer {
    fn from(wanted: GoalDecomposer) -> Self {
        match wanted {
            GoalDecomposer::Heuristic => Self::Heuristic,
            GoalDecomposer::Llm => Self::Llm,
            GoalDecomposer::Tiny => Self::Tiny,
            GoalDecomposer::Cloud => Self::Cloud,
        }
    }
}

/// Who says which agent takes a piece that names none.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Selector {
    /// How the setting balance.strategy spreads work.
    Heuristic,
    /// What the piece is most like of what agents are good at.
    Tiny,
}

impl From<Selector> for session::Selector {
    fn from(wanted: Selector) -> Self {
        match wanted {
            Selector::Heuristic => Self::Heuristic,
            Selector::Tiny => Self::Tiny,
        }
    }
}
