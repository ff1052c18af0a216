//! Amounts of resources on the wire: an object of names and numbers, such as `{"cpu": 2, "memory_mb": 4096, "gpu": 1}`.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Number;
use spalla_domain::resources::{AMOUNT_MAX, Amounts, CORES_MAX, CUSTOM_MAX, Capacity, Named};
use std::collections::BTreeMap;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Amounts by their names.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Resources(BTreeMap<String, Number>);

impl Resources {
    /// Whole numbers are written without a point.
    fn of(named: Named) -> Self {
        let written = |amount: f64| match amount.fract() {
            0.0 => Some(Number::from(amount as u64)),
            _ => Number::from_f64(amount),
        };
        Self(named.into_iter().filter_map(|(name, amount)| Some((name, written(amount)?))).collect())
    }
}

impl From<&Amounts> for Resources {
    fn from(amounts: &Amounts) -> Self {
        Self::of(amounts.named())
    }
}

impl From<&Capacity> for Resources {
    fn from(capacity: &Capacity) -> Self {
        Self::of(capacity.named())
    }
}

/// What a run needs.
#[derive(Debug, Clone)]
pub(crate) struct Wish(pub(crate) Amounts);

/// What a worker has.
#[derive(Debug, Clone)]
pub(crate) struct Stock(pub(crate) Capacity);

impl<'de> Deserialize<'de> for Wish {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Amounts::from_named(Named::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Stock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Capacity::from_named(Named::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

fn schema() -> RefOr<Schema> {
    let number = || ObjectBuilder::new().schema_type(SchemaType::Type(Type::Number)).minimum(Some(0));
    let whole = || {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(0))
            .maximum(Some(AMOUNT_MAX as i64))
    };
    ObjectBuilder::new()
        .property("cpu", number().maximum(Some(CORES_MAX as i64)).description(Some("Cores.")))
        .property("memory_mb", whole().description(Some("Memory, in megabytes.")))
        .property("network", whole().description(Some("Network, in whatever unit the pools count.")))
        .property("storage_mb", whole().description(Some("Storage, in megabytes.")))
        .additional_properties(Some(AdditionalProperties::RefOr(whole().into())))
        .property_names(Some(
            ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::String))
                .pattern(Some("^[A-Za-z][A-Za-z0-9_.-]{0,99}$")),
        ))
        .max_properties(Some(CUSTOM_MAX))
        .into()
}

macro_rules! schemas {
    ($($type:ty),*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                schema()
            }
        }

        impl ToSchema for $type {}
    )*};
}

schemas!(Resources, Wish, Stock);
