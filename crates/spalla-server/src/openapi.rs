//! What the OpenAPI document says beyond the single routes: who may call, and which problems may come back.

mod polish;

use crate::api::Descriptions;
use crate::problem::MEDIA_TYPE;
use crate::wire::problem::{FieldProblem, ProblemDocument};
use axum::body::Bytes;
use serde_json::Value;
use spalla_domain::limits::Limits;
use std::sync::OnceLock;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::response::Response;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Components, ContentBuilder, Info, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

/// The problems that any route may answer with.
const ANYWHERE: &[(&str, &str)] = &[
    ("400", "The request is malformed: JSON that does not parse, a header sent twice, a missing Host."),
    ("403", "The request comes from a foreign web page, or the token does not allow it."),
    ("404", "What was named does not exist."),
    ("421", "The host is not served here."),
    ("422", "A value does not fit; `errors` names the places."),
    ("429", "Too much at once, or too often; Retry-After says when to try again."),
    ("431", "The head of the request is larger than 32 KiB."),
    ("500", "The server is at fault; its log knows the request_id."),
    ("503", "The server can't answer just now; Retry-After says when to try again."),
];
/// The problems of routes that need the token.
const WITH_TOKEN: &[(&str, &str)] = &[("401", "The request has no valid token.")];
/// The problems of routes that change something.
const WITH_CHANGE: &[(&str, &str)] = &[
    ("408", "The body did not arrive in time."),
    ("409", "The state forbids it now; `code` says why."),
    ("413", "The body is too large."),
    ("415", "The body is of a kind that is not read here."),
    ("507", "The server's disk is full; nothing was changed."),
];

/// Paths that need no token.
const OPEN: &[&str] =
    &["/", "/health", "/observability/health", "/sign-in", "/sign-in/callback", "/api/github/webhook"];

/// Returns the document without its routes.
pub(crate) fn frame(version: &str) -> OpenApi {
    let mut info = Info::new("Spalla", version);
    info.description = Some(
        "Projects, work items, runs and the scheduler. Ids are numbers, times RFC 3339 in UTC. Lists are plain \
         arrays, newest first; `Link` leads to the next page. Every path works with and without a slash at its end. \
         Every call that changes something accepts `Idempotency-Key` (1 to 255 visible characters): the same key with \
         the same request does nothing twice and answers the same. Errors are problem documents (RFC 9457) with a \
         stable `code`."
            .to_owned(),
    );
    let mut components = Components::new();
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some("The token that `spalla token show` prints."))
                .build(),
        ),
    );
    components.add_security_scheme(
        "cookie",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            "spalla_session",
            "Left by the start link; the name ends in the server's port.",
        ))),
    );
    components.schemas.insert(ProblemDocument::name().into_owned(), ProblemDocument::schema());
    components.schemas.insert(FieldProblem::name().into_owned(), FieldProblem::schema());
    let all = [ANYWHERE, WITH_TOKEN, WITH_CHANGE];
    for (status, description) in all.into_iter().flatten() {
        components.responses.insert(component(status), RefOr::T(problem(description)));
    }
    OpenApiBuilder::new()
        .info(info)
        .paths(Paths::new())
        .components(Some(components))
        .security(Some(["token", "cookie"].map(|name| SecurityRequirement::new(name, [] as [&str; 0]))))
        .build()
}

/// The document of one server, made when somebody first wants it.
pub(crate) struct Document {
    descriptions: Descriptions,
    everybody_is_let_in: bool,
    limits_max: Limits,
    written: OnceLock<Bytes>,
}

impl Document {
    /// Where everybody is let in, the document asks for no token; of limits it takes no more than the operator allows.
    pub(crate) const fn new(
        descriptions: Descriptions,
        everybody_is_let_in: bool,
        limits_max: Limits,
    ) -> Self {
        Self { descriptions, everybody_is_let_in, limits_max, written: OnceLock::new() }
    }

    /// Returns the document as JSON.
    ///
    /// # Errors
    /// Says that it can't be written, which is a defect.
    pub(crate) fn json(&self) -> Result<Bytes, serde_json::Error> {
        if let Some(written) = self.written.get() {
            return Ok(written.clone());
        }
        let written = Bytes::from(serde_json::to_vec(&self.finished()?)?);
        Ok(self.written.get_or_init(|| written).clone())
    }

    /// Adds what holds for every operation.
    fn finished(&self) -> Result<Value, serde_json::Error> {
        let mut document = self.descriptions.document();
        add_problems(&mut document);
        if self.everybody_is_let_in {
            document.security = None;
        }
        name_the_rest(&mut document);
        let mut document = serde_json::to_value(&document)?;
        polish::polish(&mut document);
        polish::bound_limits(&mut document, &self.limits_max);
        Ok(document)
    }
}

/// A parameter that is all that follows is written as any other: the document has no word for it.
fn name_the_rest(document: &mut OpenApi) {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
}

/// Adds to every operation the problems that it may answer with.
fn add_problems(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let is_open = OPEN.contains(&path.as_str());
        for (method, operation) in by_method(item) {
            add(operation, ANYWHERE);
            if is_open {
                operation.security = Some(vec![SecurityRequirement::default()]);
            } else {
                add(operation, WITH_TOKEN);
            }
            if method != HttpMethod::Get {
                add(operation, WITH_CHANGE);
            }
        }
    }
}

fn add(operation: &mut Operation, problems: &[(&str, &str)]) {
    for (status, _) in problems {
        let reference = RefOr::Ref(Ref::from_response_name(component(status)));
        operation.responses.responses.entry((*status).to_owned()).or_insert(reference);
    }
}

fn component(status: &str) -> String {
    format!("Problem{status}")
}

fn problem(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemDocument::name()))).build();
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, content).build()
}

/// Returns the operations of a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    by_method(item).map(|(_, operation)| operation)
}

fn by_method(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let slots = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    slots.into_iter().filter_map(|(method, slot)| slot.as_mut().map(|operation| (method, operation)))
}
