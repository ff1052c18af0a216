//! Schedules: work items that run again and again.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::documents::{Belonging, Which};
use crate::extract::{Id, NoParams, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::{IdInPath, IdNumber};
use crate::wire::schedule::{NewSchedule, Schedule, ScheduleChange, TIMES};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use spalla_domain::ScheduleId;
use spalla_store::document::KeptSchedule;
use spalla_store::{Command, Reply};

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(create_schedule, list_schedules)).add(routes!(
        get_schedule,
        update_schedule,
        remove_schedule
    ))
}

/// Lets a work item run again and again
#[utoipa::path(post, path = "/scheduler/schedules", tag = "scheduler",
    request_body(content = NewSchedule, example = json!({
        "work_item_id": 1, "cron": "0 6 * * MON-FRI", "timezone": "Europe/Berlin", "catch_up": "last"})),
    responses((status = 201, description = "The new schedule.", body = Schedule)))]
async fn create_schedule(
    State(app): State<App>,
    wish: Wish<NewSchedule>,
) -> Result<impl IntoResponse, Problem> {
    let create = Command::CreateSchedule(wish.body.into_spec());
    match app.execute(create, wish.key).await.map_err(|problem| problem.naming_one_of(&TIMES))? {
        Reply::Schedule(id) => {
            let location = [(header::LOCATION, format!("/scheduler/schedules/{id}"))];
            Ok((StatusCode::CREATED, location, Json(show(&app, id).await?)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

list_query! {
    /// Which schedules are shown.
    SchedulesQuery {
        /// Of this work item.
        #[param(inline)]
        work_item_id: Option<IdNumber>,
    }
}

/// Lists the schedules with their next times, newest first
#[utoipa::path(get, path = "/scheduler/schedules", tag = "scheduler", params(SchedulesQuery),
    responses((status = 200, description = "The schedules.", body = Vec<Schedule>)))]
async fn list_schedules(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<SchedulesQuery>,
) -> Result<Listed<Schedule>, Problem> {
    let which = Which { owner: query.work_item_id.map(IdNumber::get), status: None };
    let now = app.now();
    let show = |kept: KeptSchedule| Schedule::new(kept.schedule, now);
    let belonging = |kept: &KeptSchedule| Belonging::WorkItem(kept.schedule.spec.work_item_id);
    app.list_within(&reach, which, (&uri, query.paging()), belonging, show).await
}

/// Shows a schedule with its next times
#[utoipa::path(get, path = "/scheduler/schedules/{id}", tag = "scheduler", params(IdInPath),
    responses((status = 200, description = "The schedule.", body = Schedule)))]
async fn get_schedule(
    State(app): State<App>,
    Id(id): Id<ScheduleId>,
    _: Params<NoParams>,
) -> Result<Json<Schedule>, Problem> {
    Ok(Json(show(&app, id).await?))
}

/// Changes a schedule
#[utoipa::path(patch, path = "/scheduler/schedules/{id}", tag = "scheduler", params(IdInPath),
    request_body(content = Option<ScheduleChange>, example = json!({"enabled": false})),
    responses((status = 200, description = "The schedule as it is now.", body = Schedule)))]
async fn update_schedule(
    State(app): State<App>,
    Id(id): Id<ScheduleId>,
    wish: Wish<ScheduleChange>,
) -> Result<Json<Schedule>, Problem> {
    let update = Command::UpdateSchedule { id, patch: wish.body.into() };
    app.execute(update, wish.key).await.map_err(|problem| problem.naming_one_of(&TIMES))?;
    Ok(Json(show(&app, id).await?))
}

/// Removes a schedule
#[utoipa::path(delete, path = "/scheduler/schedules/{id}", tag = "scheduler", params(IdInPath),
    responses((status = 204, description = "It is gone.")))]
async fn remove_schedule(
    State(app): State<App>,
    Id(id): Id<ScheduleId>,
    wish: Wish<Empty>,
) -> Result<StatusCode, Problem> {
    app.execute(Command::RemoveSchedule { id }, wish.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, id: ScheduleId) -> Result<KeptSchedule, Problem> {
    app.kept(id.0).await?.ok_or_else(|| Problem::not_found("schedule", id))
}

async fn show(app: &App, id: ScheduleId) -> Result<Schedule, Problem> {
    Ok(Schedule::new(find(app, id).await?.schedule, app.now()))
}
