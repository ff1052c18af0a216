//! Info requests: what runs ask of people, and what people answer. The values go to the run that asked and to nobody
//! else.

use super::run_logs::number;
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::audit::{self, Audited};
use crate::documents::{Belonging, Which};
use crate::extract::{Id, Params, Wish};
use crate::principal::Who;
use crate::problem::Problem;
use crate::state::App;
use crate::vault::Answers;
use crate::wire::info_request::{AnswerBody, InfoRequest, InfoStatus, NewInfoRequest};
use crate::wire::list::{Listed, list_query};
use crate::wire::number::{IdInPath, Ordinal};
use crate::wire::problem::ProblemDocument;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::Deserialize;
use spalla_domain::info_request::{self, Status};
use spalla_domain::{Fence, InfoRequestId, RunId};
use spalla_store::document::KeptInfoRequest;
use spalla_store::{Command, Reply};
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(ask, list_info_requests_of_run))
        .add(routes!(list_info_requests))
        .add(routes!(get_info_request))
        .add(routes!(respond))
}

/// What a worker says when it asks.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the headers are read one by one; this describes them")]
struct AskHeaders {
    /// The token of the lease, where it is not in the body.
    #[param(inline, rename = "X-Fencing-Token")]
    fencing_token: Option<Ordinal>,
}

/// Asks a person for values; the run waits until somebody answers
#[utoipa::path(post, path = "/work-items/runs/{id}/info-requests", tag = "info requests",
    params(IdInPath, AskHeaders),
    request_body(content = NewInfoRequest, example = json!({
        "reason": "the deployment needs an account", "fencing_token": 1, "fields": [
            {"name": "AWS_SECRET_ACCESS_KEY", "secret": true, "description": "of the deployer"},
            {"name": "AWS_DEFAULT_REGION", "example": "eu-central-1", "schema": {"pattern": "^[a-z]+-"}}]})),
    responses((status = 201, description = "The new info request.", body = InfoRequest)))]
async fn ask(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    headers: HeaderMap,
    reach: Reach,
    wish: Wish<NewInfoRequest>,
) -> Result<impl IntoResponse, Problem> {
    let in_header = number(&headers, "X-Fencing-Token")?.map(Fence);
    let fencing_token = match (in_header, wish.body.token()) {
        (Some(header), Some(body)) if header != body => {
            return Err(
                Problem::invalid("fencing_token", "it is not the one of X-Fencing-Token").mend("say it once")
            );
        }
        (header, body) => header.or(body).ok_or_else(|| {
            Problem::invalid("X-Fencing-Token", "the header is missing").mend("send the lease's token")
        })?,
    };
    let (reason, mut fields) = wish.body.into_question()?;
    // Whoever was answered before may repeat it in the next question.
    let mask = app.vault.mask(run_id).await?;
    for field in &mut fields {
        field.description = field.description.take().map(|text| mask.text(text));
        field.example = field.example.take().map(|text| mask.text(text));
    }
    let asked_by = reach.principal().filter(|who| matches!(who.kind, Who::Agent(..)));
    let asked_by = asked_by.map(|who| who.name.clone());
    let command = Command::AskInfo { run_id, fencing_token, reason: mask.text(reason), fields, asked_by };
    match app.execute(command, wish.key).await? {
        Reply::InfoRequest(id) => {
            let location = [(header::LOCATION, format!("/work-items/runs/info-requests/{id}"))];
            let request = find(&app, id).await?.request;
            Ok((StatusCode::CREATED, location, Json(InfoRequest::from(request))))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

list_query! {
    /// Which info requests are shown.
    InfoRequestsQuery {
        /// In this state.
        #[param(inline)]
        status: Option<InfoStatus>,
    }
}

/// Lists what a run asked, newest first
#[utoipa::path(get, path = "/work-items/runs/{id}/info-requests", tag = "info requests",
    params(IdInPath, InfoRequestsQuery),
    responses((status = 200, description = "Its info requests.", body = Vec<InfoRequest>)))]
async fn list_info_requests_of_run(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    uri: Uri,
    Params(query): Params<InfoRequestsQuery>,
) -> Result<Listed<InfoRequest>, Problem> {
    super::runs::show(&app, run_id).await?;
    // The path was looked at.
    list(&app, &Reach::all(), Some(run_id), &uri, &query).await
}

/// Lists what all runs asked, newest first
#[utoipa::path(get, path = "/work-items/runs/info-requests", tag = "info requests", params(InfoRequestsQuery),
    responses((status = 200, description = "The info requests.", body = Vec<InfoRequest>)))]
async fn list_info_requests(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<InfoRequestsQuery>,
) -> Result<Listed<InfoRequest>, Problem> {
    list(&app, &reach, None, &uri, &query).await
}

async fn list(
    app: &App,
    reach: &Reach,
    run_id: Option<RunId>,
    uri: &Uri,
    query: &InfoRequestsQuery,
) -> Result<Listed<InfoRequest>, Problem> {
    let status = query.status.map(|status| Status::from(status).as_str());
    let which = Which { owner: run_id.map(|id| id.0), status };
    let belonging = |kept: &KeptInfoRequest| Belonging::Run(kept.request.run_id);
    let paging = query.paging();
    app.list_within(reach, which, (uri, paging), belonging, |kept| kept.request.into()).await
}

/// Whether the values are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RevealQuery {
    /// Shows the values; only to the worker that holds the run.
    reveal: Option<bool>,
}

/// What a worker says to read the values.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the headers are read one by one; this describes them")]
struct RevealHeaders {
    /// The server's own `AGENT_SECRET_KEY`.
    #[param(rename = "X-Agent-Secret")]
    agent_secret: Option<String>,
    /// The token of the live lease of the run.
    #[param(inline, rename = "X-Fencing-Token")]
    fencing_token: Option<Ordinal>,
}

/// Shows an info request; the values only to the worker that holds the run
#[utoipa::path(get, path = "/work-items/runs/info-requests/{id}", tag = "info requests",
    params(IdInPath, RevealQuery, RevealHeaders),
    responses((status = 200, description = "The info request.", body = InfoRequest),
        (status = 403, description = "The values are not shown: X-Agent-Secret is not the server's AGENT_SECRET_KEY. \
            Or the request comes from a foreign web page.", body = ProblemDocument,
            content_type = "application/problem+json"),
        (status = 409, description = "The values are not shown: the token is not that of the live lease.",
            body = ProblemDocument, content_type = "application/problem+json")))]
async fn get_info_request(
    State(app): State<App>,
    Id(id): Id<InfoRequestId>,
    headers: HeaderMap,
    reach: Reach,
    audited: Option<Extension<Audited>>,
    Params(query): Params<RevealQuery>,
) -> Result<impl IntoResponse, Problem> {
    let kept = find(&app, id).await?;
    if query.reveal == Some(true) {
        check_reader(&app, &reach, &headers, &kept.request)?;
    }
    let mut shown = InfoRequest::from(kept.request);
    if query.reveal == Some(true) {
        let token = number(&headers, "X-Fencing-Token")?.map(Fence).ok_or_else(|| {
            Problem::invalid("X-Fencing-Token", "the header is missing").mend("send the lease's token")
        })?;
        if let Some(answers) = app.vault.reveal(id, token).await? {
            audit::record_reading(&app, audited.as_deref()).await?;
            shown = shown.revealing(plain(&answers)?);
        }
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(shown)))
}

/// Lets workers through that know the server's secret, and the agent of the run that asked by itself: its token stands for
/// the live lease. What the worker asked for is not the agent's, and somebody else's token opens no secrets.
fn check_reader(
    app: &App,
    reach: &Reach,
    headers: &HeaderMap,
    request: &info_request::InfoRequest,
) -> Result<(), Problem> {
    let principal = reach.principal();
    match principal.map(|principal| (&principal.kind, &principal.name)) {
        Some((Who::Agent(..), name)) if request.asked_by.as_ref() == Some(name) => Ok(()),
        None | Some((Who::Worker(..), _)) => check_secret(app, headers),
        Some((Who::User(_) | Who::Agent(..), _)) => {
            Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "the values are shown to their run alone"))
        }
    }
}

/// Lets only workers through that know the server's secret.
fn check_secret(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let mut given = headers.get_all("X-Agent-Secret").iter();
    let only = given.next().filter(|_| given.next().is_none()).and_then(|value| value.to_str().ok());
    let is_known = app.agent_secret.as_ref().zip(only).is_some_and(|(secret, given)| secret.is(given));
    if is_known {
        return Ok(());
    }
    let mend = match &app.agent_secret {
        Some(_) => "send the server's AGENT_SECRET_KEY in X-Agent-Secret",
        None => "set AGENT_SECRET_KEY for the server and its workers",
    };
    let detail = "the values are shown to workers alone that know the server's secret";
    Err(Problem::new(StatusCode::FORBIDDEN, "agent_secret_required", detail).mend(mend))
}

fn plain(answers: &Answers) -> Result<BTreeMap<String, String>, Problem> {
    let texts = answers.iter().map(|(name, value)| Ok((name.clone(), value.expose_text()?.to_owned())));
    texts.collect::<Result<_, std::str::Utf8Error>>().map_err(|_| Problem::internal())
}

/// Answers an info request; nobody but the run sees the values
#[utoipa::path(post, path = "/work-items/runs/info-requests/{id}/respond", tag = "info requests", params(IdInPath),
    request_body(content = AnswerBody, example = json!({
        "values": {"AWS_SECRET_ACCESS_KEY": "…", "AWS_DEFAULT_REGION": "eu-central-1"}, "by": "ada"})),
    responses((status = 200, description = "The info request as it is now.", body = InfoRequest)))]
async fn respond(
    State(app): State<App>,
    Id(id): Id<InfoRequestId>,
    wish: Wish<AnswerBody>,
) -> Result<Json<InfoRequest>, Problem> {
    let AnswerBody { values, by } = wish.body;
    let request = find(&app, id).await?.request;
    let values = values.fitting(&request.fields)?;
    if request.status == Status::Pending {
        app.vault
            .check_room(&request, &values)
            .await
            .map_err(|error| Problem::from(error).naming("values"))?;
    }
    // Nobody speaks for somebody else.
    let by = wish.key.reach.principal().map_or(by.map(Into::into), |principal| Some(principal.name.clone()));
    let command = Command::AnswerInfo { id, sealed: app.vault.seal(&values)?, by };
    app.execute(command, wish.key.map_key(|key| app.vault.blind(key))).await?;
    Ok(Json(find(&app, id).await?.request.into()))
}

/// Reads an info request, or says that it does not exist.
async fn find(app: &App, id: InfoRequestId) -> Result<KeptInfoRequest, Problem> {
    app.kept(id.0).await?.ok_or_else(|| Problem::not_found("info request", id))
}
