//! Info requests on the wire. What was answered goes out as `[redacted]`, and comes in through a type that shows it to
//! nobody.

use super::number::Ordinal;
use super::problem::FieldProblem;
use super::text::{Name, Text};
use super::{Body, words};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use spalla_domain::info_request::{
    self, FIELDS_MAX, InfoField, InfoRequest as DomainRequest, NAME_CHARS_MAX, Status, TEXT_BYTES_MAX,
};
use spalla_domain::{Fence, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What stands in place of a value.
const REDACTED: &str = "[redacted]";

words! {
    /// The state of an info request.
    InfoStatus for Status {
        /// Nobody has answered.
        Pending = "pending",
        /// Somebody answered.
        Answered = "answered",
        /// Nobody needs the answer any more.
        Cancelled = "cancelled",
    }
}

/// A question to a person, for whose answer a run waits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InfoRequest {
    /// Its id.
    id: i64,
    /// The run that waits.
    run_id: i64,
    /// What the run is to do.
    work_item_id: i64,
    /// Why it is asked.
    reason: String,
    /// What is asked for.
    fields: Vec<Field>,
    /// Where it stands.
    status: InfoStatus,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    /// When it was answered, or nobody needed the answer any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    /// Who answered.
    answered_by: Option<String>,
    /// For each field that was answered `[redacted]`; the values themselves only to the worker that reveals them. Null
    /// while nobody has answered.
    values: Option<Shown>,
}

/// One value that is asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Field {
    /// The name of the variable under which the run gets it.
    name: String,
    /// Whether it is hidden while it is typed, and masked in whatever the run says from then on.
    secret: bool,
    /// What it is and where to find it.
    description: Option<String>,
    /// What one looks like.
    example: Option<String>,
    /// A JSON Schema that the value keeps; null where any will do.
    #[schema(value_type = Option<serde_json::Value>)]
    schema: Option<serde_json::Value>,
}

/// The values as they are shown. It is never printed.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Shown(BTreeMap<String, String>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

fn texts_by_name() -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::RefOr(text.into()))).into()
}

impl PartialSchema for Shown {
    fn schema() -> RefOr<Schema> {
        texts_by_name()
    }
}

impl ToSchema for Shown {}

impl From<DomainRequest> for InfoRequest {
    fn from(request: DomainRequest) -> Self {
        let is_answered = request.status == Status::Answered;
        let names = request.fields.iter().map(|field| (field.name.clone(), REDACTED.to_owned()));
        let values = is_answered.then(|| Shown(names.collect()));
        Self {
            id: request.id.0,
            run_id: request.run_id.0,
            work_item_id: request.work_item_id.0,
            reason: request.reason,
            fields: request.fields.into_iter().map(Into::into).collect(),
            status: request.status.into(),
            requested_at: request.requested_at,
            closed_at: request.closed_at,
            answered_by: request.answered_by,
            values,
        }
    }
}

impl From<InfoField> for Field {
    fn from(field: InfoField) -> Self {
        let InfoField { name, secret, description, example, schema } = field;
        Self { name, secret, description, example, schema }
    }
}

impl InfoRequest {
    /// Shows the values as well; for the worker that holds the run.
    #[must_use]
    pub(crate) fn revealing(mut self, values: BTreeMap<String, String>) -> Self {
        self.values = Some(Shown(values));
        self
    }
}

/// A reason, a description or an example; the domain counts its bytes.
type Words = Text<TEXT_BYTES_MAX>;
/// The name of a field.
type FieldName = Text<NAME_CHARS_MAX>;

/// A question to be asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInfoRequest {
    /// Why it is asked.
    #[schema(inline)]
    reason: Words,
    /// What is asked for.
    #[serde(deserialize_with = "super::object::objects")]
    #[schema(max_items = 64)]
    fields: Vec<NewField>,
    /// The token of the lease, where it is not in the header.
    #[schema(inline)]
    fencing_token: Option<Ordinal>,
}

/// One value to be asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewField {
    /// The name of the variable under which the run gets it: letters, digits and _, no digit first.
    #[schema(inline)]
    name: FieldName,
    /// Whether it is hidden while it is typed, and masked in whatever the run says from then on; false when left out.
    secret: Option<bool>,
    /// What it is and where to find it.
    #[schema(inline)]
    description: Option<Words>,
    /// What one looks like.
    #[schema(inline)]
    example: Option<Words>,
    /// A JSON Schema that the value keeps, without references to others.
    #[schema(value_type = Option<Object>)]
    schema: Option<serde_json::Value>,
}

impl Body for NewInfoRequest {}

impl From<NewField> for InfoField {
    fn from(field: NewField) -> Self {
        Self {
            name: field.name.into(),
            secret: field.secret.unwrap_or_default(),
            description: field.description.map(Into::into),
            example: field.example.map(Into::into),
            schema: field.schema,
        }
    }
}

impl NewInfoRequest {
    /// Returns the token of the lease, where the body says it.
    pub(crate) fn token(&self) -> Option<Fence> {
        self.fencing_token.map(|token| Fence(token.get()))
    }

    /// Returns reason and fields, or every place that is wrong.
    pub(crate) fn into_question(self) -> Result<(String, Vec<InfoField>), Problem> {
        let reason = String::from(self.reason);
        let fields: Vec<InfoField> = self.fields.into_iter().map(Into::into).collect();
        info_request::check_request(&reason, &fields).map_err(|problems| {
            let place = |name: &str| fields.iter().rposition(|field| field.name == name);
            let named = problems.into_iter().map(|problem| {
                let place = problem.field.as_deref().and_then(place);
                let path = match place {
                    Some(place) => format!("fields[{place}]"),
                    None if problem.message.starts_with("reason") => "reason".to_owned(),
                    None => "fields".to_owned(),
                };
                FieldProblem::at_path(path, problem.to_string())
            });
            Problem::invalid_at_all(named.collect())
        })?;
        Ok((reason, fields))
    }
}

/// A person's answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    /// A text for each field of the request, by its name.
    pub(crate) values: Values,
    /// Who answers.
    #[schema(inline)]
    pub(crate) by: Option<Name>,
}

impl Body for AnswerBody {
    const IS_SECRET: bool = true;
}

/// Values as a person gave them. They are never printed.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Values(BTreeMap<String, String>);

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hidden values", self.0.len())
    }
}

impl PartialSchema for Values {
    fn schema() -> RefOr<Schema> {
        texts_by_name()
    }
}

impl ToSchema for Values {}

impl Values {
    /// Returns the values, if they are what the fields ask for; else names the fields.
    pub(crate) fn fitting(self, fields: &[InfoField]) -> Result<BTreeMap<String, String>, Problem> {
        info_request::check_answer(fields, &self.0).map_err(|problems| {
            let problems = problems.into_iter().map(|problem| {
                let path = problem.field.map_or("values".into(), |name| format!("values.{name}"));
                FieldProblem::at_path(path, problem.message)
            });
            Problem::invalid_at_all(problems.collect())
        })?;
        Ok(self.0)
    }
}

/// The number that the schema above writes out has to be the domain's.
const _: () = assert!(FIELDS_MAX == 64);
