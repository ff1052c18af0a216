//! Limits of what a run's commands use, on the wire.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use spalla_domain::limits::{self, Limit};
use spalla_domain::resources::AMOUNT_MAX;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What a project or a work item says; what it does not name is not limited by it.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Limits(pub(crate) limits::Limits);

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A whole number may be written with a fraction of nothing.
        let named = BTreeMap::<Limit, f64>::deserialize(deserializer)?;
        let whole = |(limit, amount): (Limit, f64)| {
            let is_whole = amount.fract() == 0.0 && (0.0..=AMOUNT_MAX).contains(&amount);
            let name = limit.as_str();
            is_whole.then_some((limit, amount as u64)).ok_or_else(|| {
                D::Error::custom(format_args!("{name} is {amount}; it is a whole number above 0"))
            })
        };
        let said = limits::Limits(named.into_iter().map(whole).collect::<Result<_, _>>()?);
        said.check().map_err(|refusal| D::Error::custom(refusal.detail))?;
        Ok(Self(said))
    }
}

impl PartialSchema for Limits {
    fn schema() -> RefOr<Schema> {
        let property = |object: ObjectBuilder, limit: Limit| {
            let (least, most) = limit.range();
            let number = ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::Integer))
                .minimum(Some(least as i64))
                .maximum(Some(most as i64))
                .description(Some(limit.description()));
            object.property(limit.as_str(), number)
        };
        Limit::ALL
            .into_iter()
            .fold(ObjectBuilder::new(), property)
            .description(Some(
                "How much each command of a run may use; of what anybody says, the smallest holds.",
            ))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl ToSchema for Limits {}

/// What one source says of a run's commands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SaidLimits {
    /// Who says it: `project` or `item`.
    source: &'static str,
    /// What.
    #[schema(inline)]
    limits: Limits,
}

impl From<limits::Said> for SaidLimits {
    fn from(said: limits::Said) -> Self {
        Self { source: said.source.as_str(), limits: Limits(said.limits) }
    }
}

/// What held of each limit, and whose it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Held(pub(crate) limits::Effective);

impl PartialSchema for Held {
    fn schema() -> RefOr<Schema> {
        let sources = ["operator", "project", "definition", "agent", "item"];
        let property = |object: ObjectBuilder, limit: Limit| {
            let value = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).minimum(Some(0));
            let source =
                ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(sources));
            let holding = ObjectBuilder::new()
                .property("value", value.description(Some("How much.")))
                .property("source", source.description(Some("Who says so.")))
                .required("value")
                .required("source")
                .description(Some(limit.description()))
                .additional_properties(Some(AdditionalProperties::FreeForm(false)));
            object.property(limit.as_str(), holding)
        };
        Limit::ALL
            .into_iter()
            .fold(ObjectBuilder::new(), property)
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl ToSchema for Held {}
