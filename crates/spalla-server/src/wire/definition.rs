//! The agent's definition that a work item is carried out by, on the wire.

use super::text::{Needle, Prose, Word};
use super::words;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
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
        let stands_in = chosen.stands_in.map(|one| StandsIn { wanted: one.wanted, notify: one.notify });
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

/// The definition by which a client that chose itself wants a work item carried out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChosenDefinitionBody {
    /// The agent's id.
    #[schema(inline)]
    id: Word,
    /// The alias under which it works.
    #[serde(default)]
    #[schema(inline)]
    alias: Option<Word>,
    /// The digest of the definition and its instructions.
    #[schema(inline)]
    digest: Word,
    /// The digest of the publication that it is of; empty for an agent that comes with the program.
    #[serde(default)]
    #[schema(inline)]
    publication: Option<Needle>,
    /// Who chose it.
    by: ChosenBy,
    /// Whether another one was nearly as good.
    #[serde(default)]
    ambiguous: bool,
    /// For whom it stands in.
    #[serde(default)]
    stands_in: Option<StandsInBody>,
    /// Why it was chosen, as `POST /api/route` says it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    explanation: Option<Map<String, Value>>,
    /// What the agent is told before its task.
    #[serde(default)]
    #[schema(inline)]
    instructions: Option<Prose>,
}

/// That the agent that was meant is not there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StandsInBody {
    /// Who was meant.
    #[schema(inline)]
    wanted: Word,
    /// Who is to be told.
    #[serde(default)]
    #[schema(inline, max_items = 100)]
    notify: Vec<Word>,
}

impl From<ChosenDefinitionBody> for chosen::ChosenDefinition {
    fn from(body: ChosenDefinitionBody) -> Self {
        let stands_in = body.stands_in.map(|one| chosen::StandsIn {
            wanted: one.wanted.into(),
            notify: one.notify.into_iter().map(Into::into).collect(),
        });
        Self {
            id: body.id.into(),
            alias: body.alias.map(Into::into),
            digest: body.digest.into(),
            publication: body.publication.map(Into::into).unwrap_or_default(),
            by: body.by.into(),
            ambiguous: body.ambiguous,
            stands_in,
            explanation: body.explanation.map(Value::Object),
            instructions: body.instructions.map(Into::into).unwrap_or_default(),
        }
    }
}
