//! Scratchpads: folders in which tasks are worked on. They belong to no project; what is exported over the network goes
//! beneath the data folder and nowhere else.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use crate::wire::list::{Limit, Listed, Offset, Paging};
use crate::wire::scratchpad::{
    NewScratchpad, Scratchpad, ScratchpadExport, ScratchpadExported, ScratchpadStats,
};
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use spalla_scratchpad::{Id, Once, Step};
use spalla_store::command::IdempotencyKey;
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(create_scratchpad, list_scratchpads))
        .add(routes!(get_scratchpad))
        .add(routes!(get_scratchpad_stats))
        .add(routes!(pause_scratchpad))
        .add(routes!(resume_scratchpad))
        .add(routes!(export_scratchpad))
}

/// The scratchpad that a path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the path is read by `Named`; this describes it")]
struct ScratchpadInPath {
    /// The scratchpad's name.
    #[param(min_length = 1, max_length = 100, example = "mend-the-parser_1700000000")]
    id: String,
}

/// The scratchpad that a path names; what can't be a name names nothing.
struct Named(Id);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| Problem::no_route(parts.uri.path()))?;
        Id::parse(&text).map(Self).map_err(|_| Problem::not_found("scratchpad", text))
    }
}

/// Makes a scratchpad
///
/// An empty one, or one of a template. One of a repository or a folder is made on the machine itself, by
/// `spalla scratchpad create --target`.
#[utoipa::path(post, path = "/api/scratchpads", tag = "scratchpads",
    request_body(content = NewScratchpad, example = json!({"task": "Mend the parser", "agent": "codex"})),
    responses((status = 201, description = "The new scratchpad.", body = Scratchpad)))]
async fn create_scratchpad(
    State(app): State<App>,
    wish: Wish<NewScratchpad>,
) -> Result<impl IntoResponse, Problem> {
    let (new, once, now) = (wish.body.into(), wish.key.key.map(once), app.now());
    let made = app.with_scratchpads(move |scratchpads| match once {
        Some(once) => scratchpads.create_once(new, once, now),
        None => scratchpads.create(new, now),
    });
    let made = made.await?;
    let location = [(header::LOCATION, format!("/api/scratchpads/{}", made.id))];
    Ok((StatusCode::CREATED, location, Json(Scratchpad::from(made))))
}

fn once(key: IdempotencyKey) -> Once {
    Once { key: key.key, fingerprint: blake3::Hash::from_bytes(key.fingerprint).to_hex().to_string() }
}

/// Which scratchpads are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ScratchpadsQuery {
    /// How many entries at most; 50 when left out.
    #[param(inline)]
    limit: Option<Limit>,
    /// How many entries to leave out.
    #[param(inline)]
    offset: Option<Offset>,
    /// Counts the whole list into X-Total-Count.
    count: Option<bool>,
}

/// Lists the scratchpads, newest first
#[utoipa::path(get, path = "/api/scratchpads", tag = "scratchpads", params(ScratchpadsQuery),
    responses((status = 200, description = "The scratchpads.", body = Vec<Scratchpad>)))]
async fn list_scratchpads(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<ScratchpadsQuery>,
) -> Result<Listed<Scratchpad>, Problem> {
    let paging = Paging::new(query.limit, None, query.offset, query.count).by_offset();
    let now = app.now();
    let (views, errors) = app.with_scratchpads(move |scratchpads| scratchpads.list(now)).await?;
    errors.iter().for_each(|error| tracing::warn!(%error, "a scratchpad is not shown"));
    let total = paging.count.then_some(views.len() as u64);
    let page = views.into_iter().skip(paging.page.offset as usize).take(paging.page.limit as usize);
    // The next page is named by how many came before.
    Ok(Listed::new(page.map(Scratchpad::from).collect(), Some(0), &uri, paging, total))
}

/// Shows a scratchpad
#[utoipa::path(get, path = "/api/scratchpads/{id}", tag = "scratchpads", params(ScratchpadInPath),
    responses((status = 200, description = "The scratchpad.", body = Scratchpad)))]
async fn get_scratchpad(
    State(app): State<App>,
    Named(id): Named,
    _: Params<NoParams>,
) -> Result<Json<Scratchpad>, Problem> {
    let now = app.now();
    let view = app.with_scratchpads(move |scratchpads| scratchpads.show(&id, now)).await?;
    Ok(Json(view.into()))
}

/// Counts what is in a scratchpad, folder by folder
#[utoipa::path(get, path = "/api/scratchpads/{id}/stats", tag = "scratchpads", params(ScratchpadInPath),
    responses((status = 200, description = "How much is in it.", body = ScratchpadStats)))]
async fn get_scratchpad_stats(
    State(app): State<App>,
    Named(id): Named,
    _: Params<NoParams>,
) -> Result<Json<ScratchpadStats>, Problem> {
    let now = app.now();
    let stats = app.with_scratchpads(move |scratchpads| scratchpads.stats(&id, now)).await?;
    Ok(Json(stats.into()))
}

/// Puts a scratchpad aside: it is kept until somebody resumes it
#[utoipa::path(post, path = "/api/scratchpads/{id}/pause", tag = "scratchpads", params(ScratchpadInPath),
    request_body = Option<Empty>,
    responses((status = 200, description = "The scratchpad as it is now.", body = Scratchpad)))]
async fn pause_scratchpad(
    State(app): State<App>,
    Named(id): Named,
    _: Wish<Empty>,
) -> Result<Json<Scratchpad>, Problem> {
    step(&app, id, Step::Pause).await
}

/// Goes on with a scratchpad
#[utoipa::path(post, path = "/api/scratchpads/{id}/resume", tag = "scratchpads", params(ScratchpadInPath),
    request_body = Option<Empty>,
    responses((status = 200, description = "The scratchpad as it is now.", body = Scratchpad)))]
async fn resume_scratchpad(
    State(app): State<App>,
    Named(id): Named,
    _: Wish<Empty>,
) -> Result<Json<Scratchpad>, Problem> {
    step(&app, id, Step::Resume).await
}

async fn step(app: &App, id: Id, step: Step) -> Result<Json<Scratchpad>, Problem> {
    let now = app.now();
    let view = app.with_scratchpads(move |scratchpads| scratchpads.step(&id, step, now)).await?;
    Ok(Json(view.into()))
}

/// Takes out what was made in a scratchpad
///
/// New and changed files are copied into a folder beneath `exports` in the data folder, each to its own path. What stands
/// there stays unless `force` is true; no link is followed, and none is copied.
#[utoipa::path(post, path = "/api/scratchpads/{id}/export", tag = "scratchpads", params(ScratchpadInPath),
    request_body(content = Option<ScratchpadExport>, example = json!({"folder": "parser"})),
    responses((status = 200, description = "What was taken out.", body = ScratchpadExported)))]
async fn export_scratchpad(
    State(app): State<App>,
    Named(id): Named,
    wish: Wish<ScratchpadExport>,
) -> Result<Json<ScratchpadExported>, Problem> {
    let (now, once) = (app.now(), wish.key.key.map(once));
    let ScratchpadExport { folder, force } = wish.body;
    let (folder, force) = (folder.map_or_else(|| id.to_string(), Into::into), force.unwrap_or_default());
    let exported =
        app.with_scratchpads(move |scratchpads| scratchpads.export_beneath(&id, (&folder, force), once, now));
    Ok(Json(exported.await?.into()))
}
