//! Sessions: begun, shown, and held or ended by people.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{Params, Wish};
use crate::problem::Problem;
use crate::sessions::{Control, Found, Sessions, Unfollowed, Wanted};
use crate::state::{App, Shared};
use crate::wire::list::{Listed, list_query};
use crate::wire::new_session::{AGENTS_MAX, NewSession};
use crate::wire::number::IdNumber;
use crate::wire::session::{ChangeBody, ControlBody, Session, SessionEntry};
use crate::wire::text::Needle;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use serde::Deserialize;
use spalla_domain::ProjectId;
use spalla_domain::access::{Action, Resource};
use spalla_domain::problem::Code;
use spalla_domain::session::{Request, Session as Record};
use spalla_domain::session_event::SessionNews;
use spalla_store::Command;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What stands for the newest session.
const LATEST: &str = "latest";

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(begin_session, list_sessions))
        .add(routes!(get_session))
        .add(routes!(control_session))
        .add(routes!(tell_session))
}

/// Begins a session: pursues a goal in a folder of the server's machine with the agents that it has
///
/// The answer comes when the plan stands; the session goes on by itself, also after the server was started again. Its events
/// are those of its project; `session apply` brings its branch into the folder.
#[utoipa::path(post, path = "/api/sessions", tag = "sessions",
    request_body(content = NewSession, example = json!({
        "goal": "Write a parser for dates", "target": "/home/ada/dates", "agents": ["codex", "claude"]})),
    responses((status = 201, description = "The session.", body = Session)))]
async fn begin_session(State(app): State<App>, wish: Wish<NewSession>) -> Result<impl IntoResponse, Problem> {
    let NewSession { goal, target, agents, plan, decomposer, selector, revise } = wish.body;
    let goal = String::from(goal);
    if goal.trim().is_empty() {
        return Err(Problem::invalid("goal", "it is empty; say what is to be done"));
    }
    let agents: Vec<String> = agents.unwrap_or_default().into_iter().map(Into::into).collect();
    if agents.len() > AGENTS_MAX {
        return Err(Problem::invalid("agents", format!("{}; at most {AGENTS_MAX}", agents.len())));
    }
    let target = String::from(target);
    if !target.starts_with('/') {
        return Err(Problem::invalid("target", "it is no absolute path"));
    }
    if plan.is_some() && decomposer.is_some() {
        return Err(Problem::invalid("decomposer", "there is nothing to split where a plan is given"));
    }
    let may_copy = wish.key.reach.may(Resource::Secret, Action::Read);
    let request = wish.key.key.map_or_else(Request::default, |key| Request {
        key: Some(key.key),
        fingerprint: Some(key.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect()),
    });
    let plan = plan.map(|plan| serde_json::Value::from(plan).to_string());
    let decomposer = decomposer.map(Into::into).unwrap_or_default();
    let selector = selector.map(Into::into).unwrap_or_default();
    let revise = revise.unwrap_or_default();
    let wanted = Wanted { goal, target, agents, plan, decomposer, selector, revise, request, may_copy };
    let found = app.sessions.begin(wanted).await?;
    Ok((StatusCode::CREATED, Json(Session::from(found))))
}

list_query! {
    /// Which sessions are shown.
    SessionsQuery {
        /// Of this project.
        #[param(inline)]
        project_id: Option<IdNumber>,
    }
}

/// Lists sessions, newest first
#[utoipa::path(get, path = "/api/sessions", tag = "sessions", params(SessionsQuery),
    responses((status = 200, description = "The sessions.", body = Vec<SessionEntry>)))]
async fn list_sessions(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<SessionsQuery>,
) -> Result<Listed<SessionEntry>, Problem> {
    let paging = query.paging().by_offset();
    let project = query.project_id.map(|id| ProjectId(id.get()));
    let mut all = visible(&app, &reach).await?;
    all.retain(|found| project.is_none_or(|id| found.session.project_id == Some(id.0)));
    let total = paging.count.then_some(all.len() as u64);
    let page = all.iter().skip(paging.page.offset as usize).take(paging.page.limit as usize);
    let entries: Vec<SessionEntry> = page.map(Into::into).collect();
    let last = (!entries.is_empty()).then_some(0);
    Ok(Listed::new(entries, last, &uri, paging, total))
}

/// Which session is shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionQuery {
    /// The session; the newest when left out.
    #[param(inline)]
    pub(super) id: Option<Needle>,
}

/// Shows a session: its work, reviews and decisions, and what it used
#[utoipa::path(get, path = "/api/session", tag = "sessions", params(SessionQuery),
    responses((status = 200, description = "The session.", body = Session)))]
async fn get_session(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<SessionQuery>,
) -> Result<Json<Session>, Problem> {
    Ok(Json(find(&app, &reach, query.id).await?.into()))
}

/// What is wished.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Wished {
    /// Nothing more begins for now.
    Pause,
    /// It goes on.
    Resume,
    /// It ends.
    Stop,
    /// What is changed by now is looked at by the other agents.
    Review,
}

/// Holds a session or one agent of it, lets it go on, ends it, or has what was changed reviewed
#[utoipa::path(post, path = "/api/control/{action}", tag = "sessions",
    params(("action" = inline(Wished), Path, description = "What is wished.")),
    request_body(content = Option<ControlBody>, example = json!({"session_id": "orch_20260101_120000"})),
    responses((status = 200, description = "The session as it is now. What is wished comes true within a moment.",
        body = Session)))]
async fn control_session(
    State(app): State<App>,
    Path(action): Path<String>,
    wish: Wish<ControlBody>,
) -> Result<Json<Session>, Problem> {
    let ControlBody { session_id, worker, overrule } = wish.body;
    let overrule = overrule.unwrap_or_default();
    let control = match action.as_str() {
        "pause" => Control::Pause,
        "resume" => Control::Resume { overrule },
        "stop" => Control::Stop,
        "review" => Control::Review,
        other => {
            let detail = format!("there is no control {other:?}");
            return Err(Problem::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), detail)
                .mend("use pause, resume, stop or review"));
        }
    };
    if overrule && !matches!(control, Control::Resume { .. }) {
        return Err(Problem::invalid("overrule", "it goes with resume alone"));
    }
    if overrule && !wish.key.reach.may(Resource::Session, Action::Decide) {
        let problem = Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "what reviewers hold is not yours to let through",
        );
        return Err(problem.mend("ask somebody who may decide"));
    }
    let found = find(&app, &wish.key.reach, session_id).await?;
    let worker = worker.map(String::from);
    if let Some(worker) = worker.as_ref().filter(|worker| !found.session.agents.contains(worker)) {
        let agents = found.session.agents.join(", ");
        return Err(Problem::invalid(
            "worker",
            format!("session {} has no agent {worker:?}", found.session.id),
        )
        .mend(format!("its agents are: {agents}")));
    }
    Ok(Json(app.sessions.control(found.session.id.clone(), worker, control).await?.into()))
}

/// Tells what became of a session, which is an event from then on: `session.begun`, `session.paused` and the like
///
/// It is for whoever pursues a session beside the server, such as `spalla orchestrate`; nothing of the session changes.
#[utoipa::path(post, path = "/api/session/changes", tag = "sessions",
    request_body(content = ChangeBody, example = json!({"session_id": "orch_20260101_120000", "change": "paused"})),
    responses((status = 200, description = "The session as its record has it.", body = Session)))]
async fn tell_session(State(app): State<App>, wish: Wish<ChangeBody>) -> Result<Json<Session>, Problem> {
    let ChangeBody { session_id, change, why } = wish.body;
    let found = find_by_name(&app, &wish.key.reach, session_id.into()).await?;
    let Record { id, goal, status, project_id, .. } = &*found.session;
    let Some(project) = project_id.map(ProjectId) else {
        let detail = format!("session {id} has no project yet");
        return Err(Unfollowed::Conflict(detail).into());
    };
    let why = why.map(String::from);
    let news = Box::new(SessionNews::new(id, goal, status.as_str(), why.as_deref()));
    app.execute(Command::NoteSession { project_id: project, change: change.into(), news }, wish.key).await?;
    Ok(Json(found.into()))
}

/// Finds a session that the caller may see; the newest of those where none is named.
pub(super) async fn find(app: &App, reach: &Reach, id: Option<Needle>) -> Result<Found, Problem> {
    find_by_name(app, reach, id.map_or_else(|| LATEST.to_owned(), String::from)).await
}

/// Finds a session that the caller may see, by its name.
pub(super) async fn find_by_name(app: &App, reach: &Reach, id: String) -> Result<Found, Problem> {
    if id == LATEST {
        let newest = visible(app, reach).await?.into_iter().next();
        return newest.ok_or_else(|| Unfollowed::Unknown("yet".to_owned()).into());
    }
    let wanted = id.clone();
    let found = blocking(app, move |sessions| sessions.find(Some(&wanted))).await?;
    if is_visible(&found, reach) { Ok(found) } else { Err(Unfollowed::Unknown(id).into()) }
}

/// Returns the sessions that the caller may see, the newest first.
pub(super) async fn visible(app: &App, reach: &Reach) -> Result<Vec<Found>, Problem> {
    let mut all = blocking(app, |sessions| sessions.list()).await?;
    all.retain(|found| is_visible(found, reach));
    Ok(all)
}

/// One that has no project yet belongs to nobody whose reach is bounded.
fn is_visible(found: &Found, reach: &Reach) -> bool {
    let project = found.session.project_id.map(ProjectId);
    reach.projects().is_none() || project.is_some_and(|project| reach.has(project))
}

/// Reads files where nobody waits behind it.
async fn blocking<T: Send + 'static>(
    app: &Shared,
    read: impl FnOnce(Arc<dyn Sessions>) -> Result<T, Unfollowed> + Send + 'static,
) -> Result<T, Problem> {
    let sessions = Arc::clone(&app.sessions);
    let read = tokio::task::spawn_blocking(move || read(sessions)).await;
    Ok(read.map_err(|_| Problem::internal())??)
}

impl From<Unfollowed> for Problem {
    fn from(unfollowed: Unfollowed) -> Self {
        let detail = unfollowed.to_string();
        match unfollowed {
            Unfollowed::Unknown(_) => Self::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), detail)
                .mend("GET /api/sessions shows them"),
            Unfollowed::Invalid(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::Invalid.as_str(), detail).naming_one_of(&[
                    "goal",
                    "target",
                    "agents",
                    "plan",
                    "decomposer",
                ])
            }
            Unfollowed::Conflict(_) => Self::new(StatusCode::CONFLICT, "session_conflict", detail),
            Unfollowed::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::IdempotencyKeyReused.as_str(), detail)
            }
            Unfollowed::Failed(_) => {
                tracing::error!(detail, "a session could not be served");
                Self::internal()
            }
        }
    }
}
