//! Who is named for a call in the audit. A call that comes as far as a command is recorded in the command's own
//! transaction; one that does not is recorded when it has been answered.

use crate::access::Reach;
use crate::principal::{Caller, Who};
use crate::problem::Problem;
use crate::rate_limit::is_counted;
use crate::state::Shared;
use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use spalla_domain::audit::{Call, NewEntry, Outcome};
use spalla_store::Command;
use spalla_store::command::IdempotencyKey;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The longest path that is recorded, in bytes: longer than any that names something.
const RESOURCE_BYTES_MAX: usize = 2_048;

/// What workers send all the time and people do as well; where it starts something, that is recorded.
const TICK: &str = "/scheduler/tick";

/// Where workers keep files.
const ARTIFACT: &str = "/work-items/runs/{id}/artifacts/{*path}";

/// Where secrets are read: that is recorded beforehand.
const ANSWERS: &str = "/work-items/runs/info-requests/{id}";
/// Where tools are called: each is recorded as the request that it stands for.
const TOOLS: &str = "/mcp";
/// Where is asked who would do something: the question changes nothing and is kept nowhere.
const QUESTION: &str = "/api/route";
/// Where GitHub tells of issues: strangers may knock there without end, and what is begun is an event.
const HOOK: &str = crate::routes::github::PATH;
/// Where whoever signs in comes back from the issuer: what comes of it is recorded.
const CALLBACK: &str = "/sign-in/callback";

/// A call of a person or a token that is to change something; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Audited(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    call: Call,
    is_recorded: AtomicBool,
}

/// What goes with the command of a request: what makes it safe to send twice, and who is named for it.
#[derive(Debug)]
pub(crate) struct Mark {
    /// The client's key.
    pub(crate) key: Option<IdempotencyKey>,
    /// Who is named.
    pub(crate) audited: Option<Audited>,
    /// How far they reach.
    pub(crate) reach: Reach,
}

impl Mark {
    /// Returns the mark with another key in the place of the client's.
    pub(crate) fn map_key(self, map: impl FnOnce(IdempotencyKey) -> IdempotencyKey) -> Self {
        Self { key: self.key.map(map), ..self }
    }
}

impl Audited {
    /// Returns who is to be named for a request; none for one that only reads or asks what is no secret, and for what workers and
    /// agents send without end. Of people everything is recorded.
    pub(crate) fn of(
        request: &Request,
        caller: &Caller,
        principal: &str,
        from: IpAddr,
        request_id: &str,
    ) -> Option<Self> {
        let template = request.extensions().get::<MatchedPath>()?.as_str().trim_end_matches('/');
        let is_endless = !is_person(caller) && is_endless(request.method(), template);
        let is_nothing = [TOOLS, QUESTION, HOOK].contains(&template) || is_endless;
        if request.method().is_safe() && ![ANSWERS, CALLBACK].contains(&template) || is_nothing {
            return None;
        }
        let path = request.uri().path().trim_end_matches('/');
        let call = Call {
            principal: principal.to_owned(),
            client: from.to_string(),
            operation: format!("{} {}", request.method(), template.replace("{*", "{")),
            resource: path[..path.floor_char_boundary(RESOURCE_BYTES_MAX)].to_owned(),
            request_id: request_id.to_owned(),
        };
        Some(Self(Arc::new(Inner { call, is_recorded: AtomicBool::new(false) })))
    }

    /// Returns the call for the first command that it comes to.
    pub(crate) fn call(&self) -> Option<Box<Call>> {
        (!self.0.is_recorded.load(Ordering::Relaxed)).then(|| Box::new(self.0.call.clone()))
    }

    /// Returns the call in the name of somebody who was not known when it came.
    #[cfg(feature = "oidc")]
    pub(crate) fn call_of(&self, principal: String) -> Call {
        Call { principal, ..self.0.call.clone() }
    }

    /// Takes note that the call is recorded.
    pub(crate) fn recorded(&self) {
        self.0.is_recorded.store(true, Ordering::Relaxed);
    }

    /// Makes the entry of a call that came to no command; none where it is recorded, or was nobody's wish.
    pub(crate) fn answered(&self, answer: &Response) -> Option<NewEntry> {
        let status = answer.status();
        let is_something = status != StatusCode::METHOD_NOT_ALLOWED
            && !(status.is_success() && self.0.call.resource == TICK);
        let call = self.call().filter(|_| is_something)?;
        let outcome = match status {
            status if status.is_server_error() => Outcome::Failed,
            status if status.is_client_error() => Outcome::Refused,
            _ => Outcome::Done,
        };
        let code = answer.extensions().get::<Problem>().map_or("unknown", Problem::code);
        let code = (outcome != Outcome::Done).then(|| code.to_owned());
        Some(call.ended(outcome, code))
    }
}

/// Tells whether a caller is a person, or a program that acts for one.
fn is_person(caller: &Caller) -> bool {
    let kind = caller.known().map(|principal| &principal.kind);
    !matches!(kind, Some(Who::Worker(..) | Who::Agent(..)))
}

/// Tells whether workers send something all the time.
fn is_endless(method: &Method, template: &str) -> bool {
    (!is_counted(method, template) && template != TICK) || (*method == Method::PUT && template == ARTIFACT)
}

/// Records that somebody reads what is secret, before they do: what can't be recorded is not read.
pub(crate) async fn record_reading(app: &Shared, audited: Option<&Audited>) -> Result<(), Problem> {
    if let Some(call) = audited.and_then(Audited::call) {
        let entry = Command::Record(Box::new(call.ended(Outcome::Done, None)));
        app.engine.execute(entry).await?;
    }
    Ok(())
}

/// Records a call that came to no command.
pub(crate) async fn record(app: &Shared, entry: NewEntry) {
    if let Err(error) = app.engine.execute(Command::Record(Box::new(entry))).await {
        tracing::warn!(%error, "a call could not be recorded in the audit");
    }
}
