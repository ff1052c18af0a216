//! The agent's definition that a work item is carried out by, on the wire.

use super::words;
use serde::Serialize;
use serde_json::Value;
use spalla_domain::chosen;
use utoipa::ToSchema;

words! {
    /// Who chose a definition.
    ChosenBy for chosen::ChosenBy {
        /// Whoever made the work item, by name.
        Pinned = "pinned",
        /// The router.
        Routed = "routed",
    }
}

/// The agent's definition that a work item is carried out by. It is settled when the item is made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChosenDefinition {
    /// The agent's id.
    id: String,
    /// The alias under which it works; null where it works under its own name.
    alias: Option<String>,
    /// The digest of the definition and its instructions, in hexadecimal digits.
    digest: String,
    /// The digest of the publication that it is of; empty for an agent that comes with the program.
    publication: String,
    /// Who chose it.
    by: ChosenBy,
    /// Whether another one was nearly as good.
    ambiguous: bool,
    /// For whom it stands in; null where it was meant itself.
    stands_in: Option<StandsIn>,
    /// What `POST /api/route` says of the choice; null where nobody had to choose.
    #[schema(value_type = Option<Object>)]
    explanation: Option<Value>,
    /// What the agent is told before its task; only for whoever carries the run out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    instructions: Option<String>,
}

/// That the agent that was meant is not there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StandsIn {
    /// Who was meant.
    wanted: String,
    /// Who is to be told.
    notify: Vec<String>,
}

impl ChosenDefinition {
    /// Shows it without its instructions.
    pub(crate) fn shown(chosen: chosen::ChosenDefinition) -> Self {
        Self { instructions: None, ..Self::whole(chosen) }
    }

    /// Shows all of it.
    pub(crate) fn whole(chosen: chosen::ChosenDefinition) -> Self {
        let stands_in =
            chosen.stands_in.map(|one| StandsIn { wanted: one.wanted, notify: one.notify });
        Self {
            id: chosen.id,
            alias: chosen.alias,
            digest: chosen.digest,
            publication: chosen.publication,
            by: chosen.by.into(),
            ambiguous: chosen.ambiguous,
            stands_in,
            explanation: chosen.explanation,
            instructions: Some(chosen.instructions),
        }
    }
}
