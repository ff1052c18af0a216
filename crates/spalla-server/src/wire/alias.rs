//! Aliases of agents on the wire.

use super::Body;
use super::text::Word;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use spalla_domain::Timestamp;
use spalla_domain::alias;
use utoipa::ToSchema;

/// An agent under another name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alias {
    /// Its name.
    pub(crate) name: String,
    /// The id of the agent.
    id: String,
    /// What is said otherwise, in the form of a definition.
    #[schema(value_type = Object)]
    overrides: Value,
    /// Whether it stands in the settings, so that no request changes it.
    configured: bool,
    /// Why it can't be used now; null where it can.
    pub(crate) problem: Option<String>,
    /// When it was made; null for one of the settings.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// When it was last said what it is; null for one of the settings.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
}

impl Alias {
    /// Shows one of the settings.
    pub(crate) fn configured(name: &str, alias: &spalla_registry::alias::Alias) -> Self {
        Self {
            name: name.to_owned(),
            id: alias.id.clone(),
            overrides: shown(alias.overrides.clone()),
            configured: true,
            problem: None,
            created_at: None,
            updated_at: None,
        }
    }
}

impl From<alias::Alias> for Alias {
    fn from(kept: alias::Alias) -> Self {
        Self {
            name: kept.name,
            id: kept.agent,
            overrides: shown(kept.overrides),
            configured: false,
            problem: None,
            created_at: Some(kept.created_at),
            updated_at: Some(kept.updated_at),
        }
    }
}

fn shown(overrides: Value) -> Value {
    if overrides.is_null() { Value::Object(Map::new()) } else { overrides }
}

/// An alias to be made, or said otherwise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAlias {
    /// Its name: small letters, digits, and -, _ and . between them.
    #[schema(inline)]
    pub(crate) name: Word,
    /// The id of the agent.
    #[schema(inline)]
    pub(crate) id: Word,
    /// What is said otherwise, in the form of a definition; nothing when left out.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    pub(crate) overrides: Map<String, Value>,
}

impl Body for NewAlias {}
