//! The plan of a session that waits for a person: shown, agreed with or changed, over HTTP and on a page of its own.

use super::home::{escaped, html};
use super::sessions::{find, visible};
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params, Wish};
use crate::problem::Problem;
use crate::sessions::Found;
use crate::state::App;
use crate::wire::new_session::PlanBody;
use crate::wire::session::Session;
use crate::wire::text::Needle;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spalla_domain::problem::Code;
use utoipa::{IntoParams, ToSchema};

/// What the page may load and call: its own script, and this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
                      form-action 'none'";

/// What the page does: it sends what stands in the field, and says what came of it.
const SCRIPT: &str = include_str!("session_plan.js");

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(get_session_plan, agree_to_plan)).add(routes!(plan_page)).add(routes!(plan_script))
}

/// Of which session the plan is shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PlanQuery {
    /// The session; the newest when left out.
    #[param(inline)]
    session_id: Option<Needle>,
}

/// A plan that waits for a person.
#[derive(Debug, Serialize, ToSchema)]
struct ProposedPlan {
    /// The session.
    session_id: String,
    /// The person's words.
    goal: String,
    /// The agents that it has.
    agents: Vec<String>,
    /// The plan, in the form of a plan file.
    #[schema(value_type = Object)]
    plan: Value,
}

/// Shows the plan of a session that waits for a person
#[utoipa::path(get, path = "/api/session/plan", tag = "sessions", params(PlanQuery),
    responses((status = 200, description = "The plan.", body = ProposedPlan)))]
async fn get_session_plan(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<PlanQuery>,
) -> Result<Json<ProposedPlan>, Problem> {
    Ok(Json(proposed(&find(&app, &reach, query.session_id).await?)?))
}

/// Agrees with the plan of a session, or changes it; what it says begins within a moment
#[utoipa::path(post, path = "/api/session/plan", tag = "sessions",
    request_body(content = Option<PlanBody>, example = json!({
        "session_id": "orch_20260101_120000", "plan": {"items": [{"key": "1", "prompt": "Write a parser for dates"}]}})),
    responses((status = 200, description = "The session as it is now.", body = Session)))]
async fn agree_to_plan(State(app): State<App>, wish: Wish<PlanBody>) -> Result<Json<Session>, Problem> {
    let PlanBody { session_id, plan } = wish.body;
    let found = find(&app, &wish.key.reach, session_id).await?;
    let plan = plan.map(|plan| Value::from(plan).to_string());
    Ok(Json(app.sessions.agree(found.session.id.clone(), plan).await?.into()))
}

/// Shows a page on which a person changes the plan of a session, and agrees with it
#[utoipa::path(get, path = "/plan", tag = "docs", params(PlanQuery),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")))]
async fn plan_page(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<PlanQuery>,
) -> Result<Response, Problem> {
    let ProposedPlan { session_id, goal, agents, plan } =
        proposed(&find(&app, &reach, query.session_id).await?)?;
    let text = serde_json::to_string_pretty(&plan).unwrap_or_default();
    let who = if agents.is_empty() { "the built-in agents".to_owned() } else { agents.join(", ") };
    let body = format!(
        "<h1>The plan of {id}</h1>\n<p>Nothing of it begins before you agree. Its agents: {who}.</p>\n<h2>Goal</h2>\n\
         <pre>{goal}</pre>\n<h2><label for=\"plan\">Plan</label></h2>\n\
         <p><textarea id=\"plan\" name=\"plan\" rows=\"30\" cols=\"100\" spellcheck=\"false\" data-session=\"{id}\">\n{text}\
         </textarea></p>\n<p><button id=\"agree\" type=\"button\">Begin with this plan</button></p>\n\
         <p id=\"said\" role=\"status\"></p>\n<p><a href=\"/\">Back</a></p>\n<script src=\"/plan.js\"></script>\n",
        id = escaped(&session_id),
        who = escaped(&who),
        goal = escaped(&goal),
        text = escaped(&text),
    );
    Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html(&body))).into_response())
}

/// Returns the script of that page
#[utoipa::path(get, path = "/plan.js", tag = "docs",
    responses((status = 200, description = "The script.", body = String, content_type = "text/javascript")))]
async fn plan_script(_: Params<NoParams>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

/// Returns the links to the plans that wait for a person, as a part of a page; nothing where none does.
pub(super) async fn waiting(app: &App, reach: &Reach) -> Result<String, Problem> {
    let waiting = visible(app, reach)
        .await?
        .into_iter()
        .filter(|found| found.session.proposed().is_some() && found.session.ended_at.is_none());
    let line = |found: Found| {
        let (id, goal) = (escaped(&found.session.id), found.session.goal.lines().next().unwrap_or_default());
        format!("<li><a href=\"/plan?session_id={id}\">{id}</a>: {}\n", escaped(goal))
    };
    let lines: String = waiting.map(line).collect();
    Ok(if lines.is_empty() {
        lines
    } else {
        format!("<h2>Plans that wait for you</h2>\n<ul>\n{lines}</ul>\n")
    })
}

fn proposed(found: &Found) -> Result<ProposedPlan, Problem> {
    let session = &*found.session;
    let Some(plan) = session.proposed() else {
        let detail = format!("no plan of session {} waits for a person", session.id);
        return Err(Problem::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), detail));
    };
    Ok(ProposedPlan {
        session_id: session.id.clone(),
        goal: session.goal.clone(),
        agents: session.agents.clone(),
        plan: plan.clone(),
    })
}
