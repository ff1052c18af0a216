//! The requests and responses as JSON, apart from the types inside, with explicit conversions between the two. A
//! change in here is a change of what clients see.

pub(crate) mod adapter;
pub(crate) mod agent;
pub(crate) mod agent_definition;
pub(crate) mod agent_pool;
pub(crate) mod alias;
pub(crate) mod approval;
pub(crate) mod artifact;
pub(crate) mod audit;
pub(crate) mod claim;
pub(crate) mod definition;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod found_command;
pub(crate) mod health;
pub(crate) mod info_request;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod new_session;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod problem;
pub(crate) mod project;
pub(crate) mod queue;
pub(crate) mod quota;
pub(crate) mod recipe;
pub(crate) mod refused_host;
pub(crate) mod requirements;
pub(crate) mod resources;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod run_event;
pub(crate) mod sandbox;
pub(crate) mod schedule;
pub(crate) mod scheduler;
pub(crate) mod scorecard;
pub(crate) mod scratchpad;
pub(crate) mod seconds;
pub(crate) mod session;
pub(crate) mod session_parts;
pub(crate) mod supply;
pub(crate) mod text;
pub(crate) mod token;
pub(crate) mod trace;
pub(crate) mod webhook;
pub(crate) mod work_item;
pub(crate) mod worker;

use serde::{Deserialize, Deserializer};

/// A request's body, with the size up to which it is read.
pub(crate) trait Body: serde::de::DeserializeOwned {
    /// The most bytes that are read.
    const BYTES_MAX: usize = BODY_BYTES_MAX;
    /// Whether a refusal must repeat nothing of it.
    const IS_SECRET: bool = false;
}

/// The most bytes of an ordinary body: one resource with its texts fits many times.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes of a body that carries a batch: log lines, completions.
pub(crate) const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most bytes of a body with many wishes: the most entries of the size that entries commonly have.
pub(crate) const BULK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most wishes of one body.
pub(crate) const BULK_ENTRIES_MAX: usize = 10_000;

/// A body without members.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

impl Body for Empty {}

/// Reads a member that may be left out and, if it is there, may be null: null removes what the resource has.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads a member that may be left out but not be null.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a member that is either a scalar or an object, and describes it. The reader looks at what is there, so that
/// an error inside the object keeps its place.
macro_rules! either {
    ($name:ident = $expecting:literal, $scalar:ident($scalar_type:ty) by $($visit:ident($given:ty))+,
     $object:ident($object_type:ty);) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Either;

                impl<'de> serde::de::Visitor<'de> for Either {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    $(fn $visit<E: serde::de::Error>(self, given: $given) -> Result<$name, E> {
                        let given = serde::de::IntoDeserializer::into_deserializer(given);
                        <$scalar_type>::deserialize(given).map($name::$scalar)
                    })+

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, given: A) -> Result<$name, A::Error> {
                        let given = serde::de::value::MapAccessDeserializer::new(given);
                        <$object_type>::deserialize(given).map($name::$object)
                    }
                }

                deserializer.deserialize_any(Either)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let object = utoipa::openapi::Ref::from_schema_name(<$object_type as utoipa::ToSchema>::name());
                let choices = utoipa::openapi::OneOfBuilder::new();
                choices.item(<$scalar_type as utoipa::PartialSchema>::schema()).item(object).into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn schemas(
                schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>,
            ) {
                let name = <$object_type as utoipa::ToSchema>::name().into_owned();
                schemas.push((name, <$object_type as utoipa::PartialSchema>::schema()));
                <$object_type as utoipa::ToSchema>::schemas(schemas);
            }
        }
    };
}
pub(crate) use either;

/// Declares a closed list of words on the wire that stands for one of the domain.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident for $domain:ty { $($(#[$variant_doc:meta])* $variant:ident = $text:tt),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl From<$domain> for $name {
            fn from(word: $domain) -> Self {
                match word { $(<$domain>::$variant => Self::$variant,)+ }
            }
        }

        impl From<$name> for $domain {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant,)+ }
            }
        }
    };
}
pub(crate) use words;
