//! Tokens: making them, which shows them once, and taking back what they open. And who a caller is.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::audit::{self, Audited};
use crate::documents::Which;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::principal::{Caller, Who};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::IdInPath;
use crate::wire::token::{CallerKind, MadeToken, NewToken, RunToken, RunTokenBody, Token, Whoami};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use spalla_domain::access::token::{self, SecretHash};
use spalla_domain::access::{Action, Decision, Resource, Target, decide};
use spalla_domain::problem::Code;
use spalla_domain::{Fence, Refusal, RunId, TokenId};
use spalla_store::{Command, Reply};

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(create_token, list_tokens))
        .add(routes!(get_token, revoke_token))
        .add(routes!(create_run_token))
        .add(routes!(whoami))
}

/// Makes a token, and shows it this once
#[utoipa::path(post, path = "/tokens", tag = "access",
    request_body(content = NewToken, example = json!({
        "name": "ada", "role": "operator", "project_ids": [1], "expires_in_seconds": 604_800})),
    responses((status = 201, description = "The new token.", body = MadeToken)))]
async fn create_token(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    wish: Wish<NewToken>,
) -> Result<impl IntoResponse, Problem> {
    check_maker(&caller)?;
    let secret: String = (0..4).map(|_| format!("{:016x}", app.randomness.next())).collect();
    let made_by = caller.name(app.gate.is_open()).to_owned();
    let new = wish.body.into_wish(SecretHash::of(&secret), made_by)?;
    let made = app.execute(Command::CreateToken(Box::new(new)), wish.key).await;
    let members = ["name", "role", "project_ids", "policies", "expires_in_seconds"];
    match made.map_err(|problem| problem.naming_one_of(&members))? {
        Reply::Token(id) => {
            let kept = find(&app, id).await?;
            // Whoever repeats a request is shown nothing, since nobody knows what was shown then.
            let token = kept.secret_hash.is_of(&secret).then(|| token::shown(id, &secret));
            let headers = [
                (
                    header::LOCATION,
                    format!("/tokens/{id}").parse().unwrap_or(HeaderValue::from_static("/tokens")),
                ),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            let shown = Token::new(kept, app.now());
            Ok((StatusCode::CREATED, headers, Json(MadeToken { token, shown })))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Nobody gives what they don't have: who makes tokens may do everything.
fn check_maker(caller: &Caller) -> Result<(), Problem> {
    let Some(principal) = caller.known() else { return Ok(()) };
    match decide(&principal.policies, Resource::Any, Action::Any, &Target::default()) {
        Decision::Allowed => Ok(()),
        Decision::Hidden | Decision::Denied => {
            let detail = "who makes tokens may do everything everywhere";
            Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).mend("ask an administrator"))
        }
    }
}

list_query! {
    /// Which tokens are shown.
    TokensQuery {}
}

/// Lists the tokens, newest first; without what is shown
#[utoipa::path(get, path = "/tokens", tag = "access", params(TokensQuery),
    responses((status = 200, description = "The tokens.", body = Vec<Token>)))]
async fn list_tokens(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<TokensQuery>,
) -> Result<Listed<Token>, Problem> {
    let now = app.now();
    app.list_of(Which::default(), &uri, query.paging(), |kept| Token::new(kept, now)).await
}

/// Shows a token, without what is shown
#[utoipa::path(get, path = "/tokens/{id}", tag = "access", params(IdInPath),
    responses((status = 200, description = "The token.", body = Token)))]
async fn get_token(
    State(app): State<App>,
    Id(id): Id<TokenId>,
    _: Params<NoParams>,
) -> Result<Json<Token>, Problem> {
    Ok(Json(Token::new(find(&app, id).await?, app.now())))
}

/// Makes a token worth nothing from now on; streams that it opened end, and webhooks made with it are sent nothing more
#[utoipa::path(delete, path = "/tokens/{id}", tag = "access", params(IdInPath),
    responses((status = 204, description = "It opens nothing any more.")))]
async fn revoke_token(
    State(app): State<App>,
    Id(id): Id<TokenId>,
    wish: Wish<Empty>,
) -> Result<StatusCode, Problem> {
    app.execute(Command::RevokeToken { id }, wish.key).await?;
    app.revoked.send_replace(());
    app.under_way.ended_of(id).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, id: TokenId) -> Result<token::Token, Problem> {
    app.kept(id.0).await?.ok_or_else(|| Problem::not_found("token", id))
}

/// Makes the token of a run, for the agent that its holder launches
///
/// It opens as long as the lease lasts, and only what concerns the run: an agent reports on its run, asks people,
/// reads its project, and makes work items there that somebody else has to queue. It never says yes, ends no run and sees
/// nothing of other runs.
#[utoipa::path(post, path = "/work-items/runs/{id}/token", tag = "access", params(IdInPath),
    request_body(content = RunTokenBody, example = json!({"fencing_token": 1})),
    responses((status = 200, description = "The token.", body = RunToken)))]
async fn create_run_token(
    State(app): State<App>,
    Id(id): Id<RunId>,
    reach: Reach,
    audited: Option<Extension<Audited>>,
    wish: Wish<RunTokenBody>,
) -> Result<impl IntoResponse, Problem> {
    let run = app.read().run(id).await?.ok_or_else(|| Problem::not_found("run", id))?;
    let fence = Fence(wish.body.fencing_token.get());
    let lease = run.lease.as_ref().filter(|lease| !lease.is_expired(app.now()) && run.fence == Some(fence));
    if !reach.scope().is_none_or(|scope| scope.holds(run.lease.as_ref().map(|lease| &lease.worker))) {
        return Err(Problem::not_found("run", id));
    }
    let Some(lease) = lease else {
        let detail = format!("token {fence} does not hold run {id}, and only its holder launches its agent");
        return Err(Refusal::new(Code::StaleToken, detail).mend("send the token of the live lease").into());
    };
    audit::record_reading(&app, audited.as_deref()).await?;
    if let Some(Extension(audited)) = &audited {
        audited.recorded();
    }
    let token = app.vault.run_token(id, fence);
    let shown = RunToken { token, run_id: id.0, expires_at: lease.until };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(shown)))
}

/// Shows who calls
#[utoipa::path(get, path = "/whoami", tag = "access",
    responses((status = 200, description = "The caller.", body = Whoami)))]
async fn whoami(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    _: Params<NoParams>,
) -> Result<Json<Whoami>, Problem> {
    let principal = caller.name(app.gate.is_open()).to_owned();
    let (kind, token, run_id) = match caller.known().map(|known| &known.kind) {
        None if app.gate.is_open() => (CallerKind::Anyone, None, None),
        None => (CallerKind::Administrator, None, None),
        Some(Who::User(token)) => (CallerKind::User, Some(token.clone()), None),
        Some(Who::Worker(token, _)) => (CallerKind::Worker, Some(token.clone()), None),
        Some(Who::Agent(_, run, _)) => (CallerKind::Run, None, Some(run.0)),
    };
    let token = token.map(|token| Token::new(token, app.now()));
    Ok(Json(Whoami { principal, kind, token, run_id }))
}
