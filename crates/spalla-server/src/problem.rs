//! Problems: every error as an RFC 9457 document with a stable code, what was wrong and how to mend it. Handlers
//! return them; the entrance writes them out, since only it knows the request's id.

use crate::wire::problem::{FieldProblem, ProblemDocument};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use spalla_domain::Refusal;
use spalla_domain::id::ID_MAX;
use spalla_domain::problem::{Code, Kind};
use spalla_store::{ExecuteError, StoreError};

/// The media type of every error.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";
/// How long a client waits before it tries again, where nothing better is known, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Why a request was not answered with what it asked for.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    mend: Option<String>,
    errors: Vec<FieldProblem>,
    retry_after_seconds: Option<u32>,
    /// The methods that the path knows, where the router does not say it.
    allow: Option<Box<str>>,
}

impl Problem {
    /// Makes a problem without advice.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, errors) = (detail.into(), vec![]);
        Self { status, code, detail, mend: None, errors, retry_after_seconds: None, allow: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// Adds the places that are wrong.
    #[must_use]
    pub(crate) fn errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Returns the stable code.
    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// Returns the status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// Says that one member of the request does not fit.
    pub(crate) fn invalid(path: &str, message: impl Into<String>) -> Self {
        Self::invalid_at(FieldProblem::at_path(path, message))
    }

    /// Says that one place of the request does not fit.
    pub(crate) fn invalid_at(error: FieldProblem) -> Self {
        let detail = match &error.path {
            Some(path) => format!("{path}: {}", error.message),
            None => error.message.clone(),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::Invalid.as_str(), detail).errors(vec![error])
    }

    /// Says that several places of the request do not fit.
    pub(crate) fn invalid_at_all(errors: Vec<FieldProblem>) -> Self {
        let count = errors.len();
        let mut problem = Self::invalid_at(errors.first().cloned().unwrap_or_default());
        if count > 1 {
            problem.detail = format!("{count} places do not fit; the first: {}", problem.detail);
        }
        problem.errors(errors)
    }

    /// Names the member that is to blame, where nothing is named.
    #[must_use]
    pub(crate) fn naming(mut self, path: &str) -> Self {
        if self.errors.is_empty() && self.status.is_client_error() {
            self.errors.push(FieldProblem::at_path(path, self.detail.clone()));
        }
        self
    }

    /// Names the member of the body that the detail begins with, where it is one of these.
    #[must_use]
    pub(crate) fn naming_one_of(self, members: &[&str]) -> Self {
        match members.iter().find(|member| self.detail.starts_with(**member)) {
            Some(member) if self.status == StatusCode::UNPROCESSABLE_ENTITY => self.naming(member),
            _ => self,
        }
    }

    /// Says where something does not fit, and nothing of what stands there.
    #[must_use]
    pub(crate) fn discreet(self) -> Self {
        // What is no JSON is refused in words that never repeat any of it.
        if self.status != StatusCode::UNPROCESSABLE_ENTITY {
            return self;
        }
        let is_plain = |path: &String| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
        let said = self.errors.into_iter().map(|error| {
            let message = match error.message.as_str() {
                "it is missing" => "it is missing",
                _ => "it does not fit, and what stands there is not repeated here",
            };
            let path = error.path.filter(is_plain);
            FieldProblem { path, message: message.to_owned(), allowed: vec![], ..error }
        });
        Self::invalid_at_all(said.collect())
    }

    /// Moves the places of an error into an entry of the body, where the body is a list.
    #[must_use]
    pub(crate) fn of_entry(mut self, place: usize) -> Self {
        for error in &mut self.errors {
            error.path = Some(match &error.path {
                Some(path) => format!("[{place}].{path}"),
                None => format!("[{place}]"),
            });
        }
        self.detail = format!("entry {place}: {}", self.detail);
        self.naming(&format!("[{place}]"))
    }

    /// Names the entry that the store refused, which stands at the beginning of its words.
    #[must_use]
    pub(crate) fn naming_the_entry(self) -> Self {
        let place = self.detail.strip_prefix("entry ").and_then(|rest| rest.split_once(": "));
        match place.and_then(|(place, _)| place.parse::<usize>().ok()) {
            Some(place) => self.naming(&format!("[{place}]")),
            None => self,
        }
    }

    /// Moves the places of an error to a line of the body, where each line was read by itself.
    #[must_use]
    pub(crate) fn in_line(mut self, line: u64) -> Self {
        self.detail = format!("line {line}: {}", self.detail);
        self.errors.iter_mut().for_each(|error| error.line = Some(line));
        self
    }

    /// Says that whoever asks is not known.
    pub(crate) fn not_let_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "the request has no valid token")
            .mend("send Authorization: Bearer with the token that `spalla token show` prints")
    }

    /// Says that no route leads there.
    pub(crate) fn no_route(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), format!("nothing is served at {path}"))
            .mend("the paths that are served are listed in /openapi.json")
    }

    /// Says that a path does not know a method.
    pub(crate) fn no_method(method: &Method, path: &str) -> Self {
        let detail = format!("{method} is not possible on {path}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            .mend("use a method that Allow names")
    }

    /// Adds which methods are known.
    #[must_use]
    pub(crate) fn allowing(mut self, methods: String) -> Self {
        self.allow = Some(methods.into());
        self
    }

    /// Says that a path names no id.
    pub(crate) fn no_id(text: &str) -> Self {
        let detail = format!("{text:?} is no id: ids are whole numbers from 1 to {ID_MAX}");
        Self::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), detail)
    }

    /// Says that something does not exist.
    pub(crate) fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Refusal::not_found(what, id).into()
    }

    /// Says that the server is at fault; what exactly is for its own log.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed to answer; its log says why",
        )
        .mend("try again; if it stays so, look for the request_id in the server's log")
    }

    /// Says that the store answered another question than was asked: a defect.
    pub(crate) fn unexpected_reply(reply: &spalla_store::Reply) -> Self {
        tracing::error!(?reply, "the store answered with a reply of another kind");
        Self::internal()
    }

    /// Returns the document for a client.
    pub(crate) fn document(&self, instance: &str, request_id: &str) -> ProblemDocument {
        ProblemDocument {
            kind: format!("urn:spalla:problem:{}", self.code),
            title: title(self.code),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_owned(),
            mend: self.mend.clone(),
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }

    /// Adds the headers that belong to the status.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = self.allow.as_ref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"spalla\""));
        }
    }
}

/// Makes a short title of a code: `stale_token` is `Stale token`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code.kind() {
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        };
        let mut problem = Self::new(status, refusal.code.as_str(), refusal.detail);
        problem.mend = refusal.mend;
        if let Some((member, _)) =
            problem.detail.split_once(' ').filter(|(word, _)| word.starts_with("limits."))
        {
            let member = member.to_owned();
            problem = problem.naming(&member);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            problem.retry_after_seconds = Some(RETRY_AFTER_SECONDS);
        }
        problem
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "the store could not answer");
        let unavailable = |code, detail: &str| {
            Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(RETRY_AFTER_SECONDS)
        };
        match error {
            StoreError::Conflict { .. } => {
                unavailable("unavailable", "other writers were faster too many times")
                    .mend("send the request again")
            }
            StoreError::Busy { .. } => unavailable("unavailable", "the database is too busy just now")
                .mend("send the request again; nothing was changed"),
            StoreError::Unavailable { .. } => {
                unavailable("unavailable", "the database can't be reached just now")
                    .mend("send the request again; nothing was changed")
            }
            StoreError::Unknown { .. } => unavailable(
                "unknown_outcome",
                "the connection to the database broke; the change may have happened",
            )
            .mend("send the request again with the same Idempotency-Key, or read before you repeat it"),
            StoreError::Closed => unavailable("shutting_down", "the server is shutting down")
                .mend("send the request again when it is back"),
            StoreError::ReadOnly { .. } => unavailable("read_only", "the database can't be written")
                .mend("mend the database's file permissions or mount on the server"),
            StoreError::Full { .. } => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", "the server's disk is full")
                    .mend("free space on the server and send the request again; nothing was changed")
            }
            StoreError::NewerSchema { .. } | StoreError::Configuration(_) | StoreError::Corrupt(_) => {
                Self::internal()
            }
        }
    }
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Refused(refusal) => refusal.into(),
            ExecuteError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_refusal_has_its_status() {
        let status = |code| Problem::from(Refusal::new(code, "why")).status().as_u16();
        let codes = [Code::NotFound, Code::InvalidRecipe, Code::StaleToken, Code::QueueFull];
        assert_eq!(codes.map(status), [404, 422, 409, 429]);
    }

    #[test]
    fn faults_of_the_store_say_whether_to_try_again_and_keep_their_insides() {
        let detail = || "password=secret at row 7".to_owned();
        let cases = [
            (StoreError::Busy { detail: detail() }, 503, true),
            (StoreError::Unavailable { detail: detail() }, 503, true),
            (StoreError::Unknown { detail: detail() }, 503, true),
            (StoreError::Closed, 503, true),
            (StoreError::ReadOnly { detail: detail() }, 503, true),
            (StoreError::Full { detail: detail() }, 507, false),
            (StoreError::Corrupt(detail()), 500, false),
        ];
        for (error, status, again) in cases {
            let problem = Problem::from(error);
            let text = serde_json::to_string(&problem.document("/x", "1")).unwrap();
            assert_eq!(
                (problem.status().as_u16(), problem.retry_after_seconds.is_some()),
                (status, again),
                "{text}"
            );
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn the_title_is_the_code_in_words() {
        assert_eq!(title("stale_token"), "Stale token");
    }
}
