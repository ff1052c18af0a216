//! What every request passes on its way in and every answer on its way out: id, guard, access, metrics, headers,
//! and problems written as documents.

use crate::access;
use crate::audit::{self, Audited};
use crate::host_guard::Origin;
use crate::principal::{Caller, Who};
use crate::problem::Problem;
use crate::rate_limit::{Standing, is_counted};
use crate::routes::github;
use crate::server::{HeadFault, Peer};
use crate::state::App;
use axum::Extension;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use spalla_crash::crash_point;
use spalla_domain::trace::TraceParent;
use std::any::Any;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

/// The header that names a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header that says which trace a request belongs to.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The longest id that is taken over from a client: room for a trace context.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// What is served to everybody; the start page decides for itself what it shows to whom.
const OPEN_PATHS: [&str; 3] = ["", "/health", "/observability/health"];
/// What is served to everybody besides, where people sign in.
const SIGN_IN_PATHS: [&str; 2] = ["/sign-in", "/sign-in/callback"];

/// What a page of this server may load where it does not say otherwise: nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What the guard found out about a request.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    caller: Caller,
    standing: Option<Standing>,
    from: IpAddr,
}

/// The id of a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(String);

/// Tells whether a caller may send what workers send all the time, and without being counted.
fn is_endless(caller: &Caller, route: &str) -> bool {
    match caller.known().map(|principal| &principal.kind) {
        None => matches!(caller, Caller::Administrator),
        Some(Who::Worker(..)) => true,
        // What it prints, and nothing else.
        Some(Who::Agent(..)) => route.ends_with("/logs"),
        Some(Who::User(_)) => false,
    }
}

/// Guards the server, and sends the answer on its way.
pub(crate) async fn enter(State(app): State<App>, request: Request, next: Next) -> Response {
    let arrived = Instant::now();
    let (mut parts, body) = request.into_parts();
    let request_id = given_id(&parts.headers).unwrap_or_else(|| app.next_request_id());
    let trace = given_trace(&parts.headers);
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let template = parts.extensions.get::<MatchedPath>().cloned();
    let route = template.as_ref().map_or("unmatched", |template| trimmed(template.as_str()));
    // Nobody can say where an ambiguous request ends, and what a refused change of protocol was to be followed by is
    // not known either: nothing after it is believed.
    let is_last =
        parts.extensions.get::<HeadFault>().is_some() || parts.headers.contains_key(header::UPGRADE);
    let guarded = guard(&app, &parts);
    // Whoever is not guarded is nobody, and whom the store can't name is not let in.
    let identified = match &guarded {
        Ok(origin) => app.authenticate(app.gate.shown(&parts.headers, *origin), peer(&parts)).await,
        Err(_) => Ok(Caller::Anonymous),
    };
    let (guarded, caller) = match identified {
        Ok(caller) => (guarded, caller),
        Err(problem) => (Err(problem), Caller::Anonymous),
    };
    let client = caller.client(app.gate.is_open(), peer(&parts));
    let counts = guarded.is_ok() && (is_counted(&method, route) || !is_endless(&caller, route));
    let standing = if counts { app.rate.count(client, app.now()) } else { app.rate.look(client, app.now()) };
    let answer = match guarded {
        Ok(_) => {
            if standing.is_some_and(|standing| standing.check().is_err()) {
                app.meters.limited();
            }
            parts.extensions.insert(client);
            let from = peer(&parts);
            parts.extensions.insert(Arrival { caller, standing, from });
            parts.extensions.insert(RequestId(request_id.clone()));
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    };
    let mut answer = finish(answer, &path, &request_id);
    if let Some(standing) = standing {
        standing.add_headers(answer.headers_mut());
    }
    if is_last && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    app.meters.answered(&method, route, answer.status(), arrived.elapsed());
    let trace_id = trace.map(|parent| parent.trace_id);
    tracing::debug!(%method, path, status = answer.status().as_u16(), request_id, trace_id, "answered");
    answer
}

/// Lets a guarded request in, or not. It stands behind what tells browsers of foreign pages, so that those can read
/// why they are not let in, and may ask beforehand without a token.
pub(crate) async fn admit(
    State(app): State<App>,
    Extension(arrival): Extension<Arrival>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(problem) = arrival.standing.map_or(Ok(()), Standing::check) {
        return problem.into_response();
    }
    let path = request.uri().path().trim_end_matches('/');
    // What comes there is believed by its signature.
    let is_hook = app.github.is_some() && path == github::PATH;
    let signs_in = app.oidc.is_some() && SIGN_IN_PATHS.contains(&path);
    let is_open = OPEN_PATHS.contains(&path) || signs_in || is_hook;
    if matches!(arrival.caller, Caller::Anonymous) && !is_open {
        return Problem::not_let_in().into_response();
    }
    let name = arrival.caller.name(app.gate.is_open());
    let audited = Audited::of(&request, &arrival.caller, name, arrival.from, &request_id);
    let is_safe = request.method().is_safe();
    let (mut parts, body) = request.into_parts();
    let checked = access::check(&app, &arrival.caller, &mut parts).await;
    parts.extensions.insert(arrival.caller);
    if let Some(audited) = audited.clone() {
        parts.extensions.insert(audited);
    }
    let answer = match checked {
        Err(problem) => problem.into_response(),
        Ok(reach) => {
            parts.extensions.insert(reach);
            let request = Request::from_parts(parts, body);
            if is_safe {
                return next.run(request).await;
            }
            // Behind it the command is executed and its answer not sent yet.
            crash_point!("server.command.execute", next.run(request).await)
        }
    };
    if let Some(entry) = audited.filter(|_| !is_safe).and_then(|audited| audited.answered(&answer)) {
        audit::record(&app, entry).await;
    }
    answer
}

/// Refuses what no honest client sends.
fn guard(app: &App, parts: &Parts) -> Result<Origin, Problem> {
    if let Some(fault) = parts.extensions.get::<HeadFault>() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "ambiguous_header", fault.message()));
    }
    app.hosts.check(parts)
}

fn peer(parts: &Parts) -> IpAddr {
    parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0)
}

/// Returns the id that the client gave, if it can be repeated in a header and a log without harm.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(REQUEST_ID).iter();
    let id = values.next()?.to_str().ok()?;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b));
    let fits = plain && (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && values.next().is_none();
    fits.then(|| id.to_owned())
}

/// Returns the trace that the client's request belongs to; what is not well-formed is as if it were not there.
fn given_trace(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let only = values.next().filter(|_| values.next().is_none())?;
    only.to_str().ok().and_then(TraceParent::parse)
}

/// Writes problems out and adds the headers that every answer has.
fn finish(mut answer: Response, path: &str, request_id: &str) -> Response {
    if answer.status().is_server_error() {
        tracing::error!(path, request_id, status = answer.status().as_u16(), "a request failed");
    }
    if let Some(problem) = answer.extensions_mut().remove::<Problem>() {
        problem.add_headers(answer.headers_mut());
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        let document = serde_json::to_vec(&problem.document(path, request_id)).unwrap_or_default();
        *answer.body_mut() = Body::from(document);
    }
    let headers = answer.headers_mut();
    // An id is plain ASCII, whoever made it.
    headers.extend(HeaderValue::from_str(request_id).ok().map(|id| (REQUEST_ID, id)));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    let resource_policy = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resource_policy, HeaderValue::from_static("same-origin"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// Both spellings of a path are one route.
fn trimmed(template: &str) -> &str {
    let trimmed = template.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }
}

/// Answers for a route that panicked: a defect, which ends this request and nothing else.
pub(crate) fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let message =
        cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
    tracing::error!(message, "a route panicked");
    Problem::internal().into_response()
}

/// Answers for a path that leads nowhere.
pub(crate) async fn no_route(request: Request) -> Problem {
    Problem::no_route(request.uri().path())
}

/// Answers for a method that the path does not know; the router adds `Allow`.
pub(crate) async fn no_method(request: Request) -> Problem {
    Problem::no_method(request.method(), request.uri().path())
}
