//! Texts of requests, checked while they are read, so that an error names the member. None may hold a NUL, which
//! Postgres can't keep.

use serde::{Deserialize, Deserializer, de::Error as _};
use spalla_domain::WorkerId;
use spalla_domain::id::WORKER_ID_BYTES_MAX;
use spalla_domain::project::{NAME_CHARS_MAX, check_repository};
use spalla_domain::work_item::{TITLE_CHARS_MAX, WORD_CHARS_MAX};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A text of at most `MAX` characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<const MAX: usize>(String);

/// A text of 1 to `MAX` characters that are not all white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line<const MAX: usize>(String);

/// A long text; the size of the body is what bounds it.
pub(crate) type Prose = Text<{ super::BODY_BYTES_MAX }>;
/// What is searched for.
pub(crate) type Needle = Text<1_000>;
/// A note of a person.
pub(crate) type Note = Text<10_000>;
/// The name of a project.
pub(crate) type Name = Line<NAME_CHARS_MAX>;
/// The title of a work item.
pub(crate) type Title = Line<TITLE_CHARS_MAX>;

/// A label, an agent's name or a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word(String);

/// An absolute local path or a git URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository(String);

/// The id that a worker gives itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerName(WorkerId);

impl WorkerName {
    /// Returns the id.
    pub(crate) fn into_id(self) -> WorkerId {
        self.0
    }
}

/// Gives a text type its reading, its unwrapping and its place in the OpenAPI document.
macro_rules! texts {
    ($([$($generic:tt)*] $type:ty, $check:expr, $schema:expr;)*) => {$(
        impl<'de, $($generic)*> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                if text.contains('\0') {
                    return Err(D::Error::custom("a NUL character can't be kept"));
                }
                $check(&text).map_err(D::Error::custom)?;
                Ok(Self(text))
            }
        }

        impl<$($generic)*> From<$type> for String {
            fn from(text: $type) -> Self {
                text.0
            }
        }

        impl<$($generic)*> PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema(ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))).into()
            }
        }

        impl<$($generic)*> ToSchema for $type {}
    )*};
}

texts! {
    [const MAX: usize] Text<MAX>, |text: &str| at_most(text, MAX), |schema: ObjectBuilder| {
        // Beyond this the size of the body is what counts, and a length would say nothing.
        schema.max_length(Some(MAX).filter(|max| *max < super::BODY_BYTES_MAX)).pattern(Some(NO_NUL))
    };
    [const MAX: usize] Line<MAX>, |text: &str| from_one(text, MAX), |schema: ObjectBuilder| {
        schema.min_length(Some(1)).max_length(Some(MAX)).pattern(Some(NOT_BLANK))
    };
    [] Word, word, |schema: ObjectBuilder| {
        schema.min_length(Some(1)).max_length(Some(WORD_CHARS_MAX)).pattern(Some(PLAIN))
    };
    [] Repository, repository, |schema: ObjectBuilder| {
        schema.pattern(Some(REPOSITORY)).description(Some("an absolute local path or a git URL"))
    };
}

/// Any text without a NUL.
const NO_NUL: &str = r"^[^\x00]*$";
/// Something that shows, and no NUL.
const NOT_BLANK: &str = r"^[^\x00]*[^\x00\s][^\x00]*$";
/// Something that shows, and no control character.
const PLAIN: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$";
/// No control character.
const NO_CONTROL: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";
/// An absolute path, a URL without a password, or `user@host:path`; the domain's rule and [`repository`].
const REPOSITORY: &str = concat!(
    r"^(?:/[^\x00-\x1f\x7f-\x9f]*",
    r"|file://[^\x00-\x1f\x7f-\x9f]+",
    r"|(?:https?|ssh|git)://[^/?#@\x00-\x1f\x7f-\x9f]+(?:[/?#][^\x00-\x1f\x7f-\x9f]*)?",
    r"|(?:https?|ssh|git)://[^/?#@:\x00-\x1f\x7f-\x9f]*@[^/?#@\x00-\x1f\x7f-\x9f]*(?:[/?#][^\x00-\x1f\x7f-\x9f]*)?",
    r"|(?:https?|ssh|git)://[/?#][^\x00-\x1f\x7f-\x9f]*",
    r"|(?:[^-:\x00-\x1f\x7f-\x9f][^:\x00-\x1f\x7f-\x9f]*)?@[^:\x00-\x1f\x7f-\x9f]*:[^\x00-\x1f\x7f-\x9f]+)$",
);

/// A project is shown to whoever may see it, and told of in logs and events: so its address holds no password.
fn repository(text: &str) -> Result<(), String> {
    check_repository(text)?;
    let place =
        ["https://", "http://", "ssh://", "git://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let Some(place) = place.and_then(|rest| rest.split(['/', '?', '#']).next()) else { return Ok(()) };
    match place.rsplit_once('@') {
        Some((user, _)) if user.contains([':', '@']) => Err(
            "it holds a password, which everybody would see who sees the project; let git find it on the worker \
             (a credential helper, or a key for ssh)"
                .into(),
        ),
        _ => Ok(()),
    }
}

fn at_most(text: &str, max: usize) -> Result<(), String> {
    match text.chars().count() {
        n if n > max => Err(format!("{n} characters; at most {max} are kept")),
        _ => Ok(()),
    }
}

fn from_one(text: &str, max: usize) -> Result<(), String> {
    if text.trim().is_empty() { Err("it is empty".into()) } else { at_most(text, max) }
}

fn word(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?} has a control character"));
    }
    from_one(text, WORD_CHARS_MAX)
}

impl<'de> Deserialize<'de> for WorkerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WorkerId::deserialize(deserializer).map(Self)
    }
}

impl PartialSchema for WorkerName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .min_length(Some(1))
            .max_length(Some(WORKER_ID_BYTES_MAX))
            .pattern(Some(NO_CONTROL))
            .into()
    }
}

impl ToSchema for WorkerName {}

#[cfg(test)]
mod tests {
    //! Which addresses a project may have.

    use super::*;

    #[test]
    fn an_address_that_everybody_sees_holds_no_password() {
        for good in [
            "/srv/a:b@c",
            "https://host/app.git",
            "https://host:8443/a@b:c",
            "https://me@host/app.git",
            "ssh://git@host:22/app",
            "git@host:app.git",
            "file:///srv/a:b@c",
            "http:///x?a:b@c",
        ] {
            assert_eq!(repository(good), Ok(()), "{good}");
        }
        for bad in [
            "https://me:word@host/app.git",
            "http://:word@host",
            "ssh://git:word@host/x",
            "https://a@b@host/x",
            "https://a:b@c?d",
        ] {
            assert!(repository(bad).unwrap_err().contains("password"), "{bad}");
        }
    }
}
