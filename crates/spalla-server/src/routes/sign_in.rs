//! Signing in through the issuer, and out again: pages for people at a browser, without script or style.

use super::home::{escaped, html};
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::audit::{Audited, Mark};
use crate::extract::{NoParams, Params, Wish};
use crate::oidc::{Begun, CallbackQuery, Oidc, Refused, SignedIn};
use crate::principal::Caller;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use spalla_domain::access::token::{self, Kind, NewToken, SecretHash};
use spalla_domain::audit::Outcome;
use spalla_store::{Command, ExecuteError, Reply, Request};

/// Leads on, as a page's own wish: a browser that was led here from another site would not send the new cookie along if
/// it were only sent on.
const REFRESH: HeaderName = HeaderName::from_static("refresh");
/// What a session's token is called; who it is of says its subject.
const SESSION_NAME: &str = "session";
/// How long a browser waits before it tries again, in seconds.
const AGAIN_AFTER: HeaderValue = HeaderValue::from_static("10");

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(sign_in)).add(routes!(come_back)).add(routes!(sign_out))
}

/// Leads a browser to the issuer, where a person signs in
#[utoipa::path(get, path = "/sign-in", tag = "access",
    responses((status = 303, description = "Where to sign in; a cookie remembers what began."),
        (status = 503, description = "The issuer can't be asked.", body = String, content_type = "text/html")))]
async fn sign_in(State(app): State<App>, _: Params<NoParams>) -> Result<Response, Problem> {
    let oidc = issuer_of(&app)?;
    let begun = Begun::new(&app);
    let cookie = begun.cookie(&app, oidc).ok_or_else(Problem::internal)?;
    match oidc.begin(&app, &begun).await {
        Ok(url) => {
            let headers = [(header::LOCATION, text(&url)?), (header::SET_COOKIE, cookie)];
            Ok((StatusCode::SEE_OTHER, headers).into_response())
        }
        Err(refused) => Ok(refusal_page(oidc, &refused)),
    }
}

/// Takes whoever signed in at the issuer in, and leads them to the start page
#[utoipa::path(get, path = "/sign-in/callback", tag = "access", params(CallbackQuery),
    responses((status = 200, description = "Signed in: a cookie is the session.", body = String, content_type = "text/html"),
        (status = 400, description = "No sign-in began in this browser.", body = String, content_type = "text/html"),
        (status = 401, description = "The issuer said no, or is not believed.", body = String, content_type = "text/html"),
        (status = 403, description = "Whoever signed in may do nothing here.", body = String, content_type = "text/html"),
        (status = 503, description = "The issuer can't be asked.", body = String, content_type = "text/html")))]
async fn come_back(
    State(app): State<App>,
    Extension(audited): Extension<Audited>,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let oidc = issuer_of(&app)?;
    let begun = Begun::read(&app, oidc, &headers);
    let signed_in = match query {
        Ok(Query(query)) => oidc.end(&app, begun, query).await,
        Err(_) => Err(Refused::NotBegun),
    };
    let mut answer = match signed_in {
        Ok(signed_in) => let_in(&app, oidc, &audited, signed_in).await?,
        Err(refused) => {
            record(&app, &audited, &refused).await?;
            refusal_page(oidc, &refused)
        }
    };
    // What began has ended, and a code works once.
    answer.headers_mut().append(header::SET_COOKIE, text(&oidc.begun_cookie(app.port, "", 0))?);
    Ok(answer)
}

/// Ends the session of whoever signed in, at once and for ever
#[utoipa::path(post, path = "/sign-out", tag = "access",
    responses((status = 303, description = "The session is worth nothing any more.")))]
async fn sign_out(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    wish: Wish<Empty>,
) -> Result<Response, Problem> {
    let oidc = issuer_of(&app)?;
    let Some(session) = caller.session() else {
        let problem = Problem::new(StatusCode::FORBIDDEN, "forbidden", "only who signed in signs out");
        return Err(problem.mend("a token is taken back with `spalla token revoke`"));
    };
    // It is their own, whatever else they reach.
    let mark = Mark { reach: Reach::all(), ..wish.key };
    app.execute(Command::RevokeToken { id: session.id }, mark).await?;
    app.revoked.send_replace(());
    let forgotten = oidc.no_session(app.port);
    let headers =
        [(header::LOCATION, HeaderValue::from_static("/")), (header::SET_COOKIE, text(&forgotten)?)];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

fn issuer_of(app: &App) -> Result<&Oidc, Problem> {
    app.oidc.as_ref().ok_or_else(|| Problem::no_route("/sign-in"))
}

/// Makes a session, in one transaction with its entry in the audit.
async fn let_in(app: &App, oidc: &Oidc, audited: &Audited, signed_in: SignedIn) -> Result<Response, Problem> {
    let SignedIn { subject, granted } = signed_in;
    let secret: String = (0..4).map(|_| format!("{:016x}", app.randomness.next())).collect();
    let new = NewToken {
        kind: Kind::User,
        name: SESSION_NAME.to_owned(),
        role: Some(granted.role),
        project_ids: granted.project_ids,
        policies: granted.policies,
        approval_roles: granted.approval_roles,
        life_ms: i64::try_from(oidc.session_life.as_millis()).ok(),
        subject: Some(subject.clone()),
        secret_hash: SecretHash::of(&secret),
        made_by: oidc.issuer.clone(),
    };
    let command = Command::CreateToken(Box::new(new));
    let audit = Some(Box::new(audited.call_of(token::principal_of(&subject))));
    let made = app.engine.execute(Request { command, idempotency: None, audit, scope: None }).await;
    let id = match made {
        Ok(Reply::Token(id)) => id,
        Ok(other) => return Err(Problem::unexpected_reply(&other)),
        Err(ExecuteError::Refused(refusal)) => {
            // A role that counts in a project that is not there gives nothing.
            tracing::warn!(detail = refusal.detail, "oidc.roles gives what can't be given");
            return Ok(refusal_page(oidc, &Refused::NoRole(subject)));
        }
        Err(error) => return Err(error.into()),
    };
    let cookie = oidc.session(app.port, &token::shown(id, &secret));
    let page = html("<h1>Spalla</h1>\n<p>You are signed in. <a href=\"/\">Go on</a>.</p>\n");
    let headers = [(REFRESH, HeaderValue::from_static("0; url=/")), (header::SET_COOKIE, text(&cookie)?)];
    Ok((headers, Html(page)).into_response())
}

/// Records that nobody was let in: what can't be recorded is not answered either.
async fn record(app: &App, audited: &Audited, refused: &Refused) -> Result<(), Problem> {
    let call = match refused.subject() {
        Some(subject) => audited.call_of(token::principal_of(subject)),
        None => audited.call_of("anyone".to_owned()),
    };
    let outcome = if refused.status().is_server_error() { Outcome::Failed } else { Outcome::Refused };
    let entry = call.ended(outcome, Some(refused.code().to_owned()));
    app.engine.execute(Command::Record(Box::new(entry))).await?;
    Ok(())
}

fn refusal_page(oidc: &Oidc, refused: &Refused) -> Response {
    let (why, again) = (escaped(&refused.to_string()), escaped(oidc.sign_in_url()));
    let mut body = format!("<h1>Spalla</h1>\n<p>Nobody is signed in: {why}.</p>\n");
    if let Some(subject) = refused.subject() {
        body.push_str(&format!("<p>The issuer knows you as <code>{}</code>.</p>\n", escaped(subject)));
    }
    body.push_str(&format!("<p><a href=\"{again}\">Sign in again</a></p>\n"));
    let mut answer = (refused.status(), Html(html(&body))).into_response();
    if refused.status() == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(header::RETRY_AFTER, AGAIN_AFTER);
    }
    answer
}

fn text(value: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(value).map_err(|_| Problem::internal())
}
