//! Making and enqueuing many work items in one transaction, all of them or none.

use crate::api::Api;
use crate::api::routes;
use crate::chosen::settle;
use crate::extract::Bulk;
use crate::principal::Who;
use crate::problem::Problem;
use crate::routing::Routing;
use crate::state::App;
use crate::wire::recipe;
use crate::wire::scheduler::EnqueueBody;
use crate::wire::work_item::NewWorkItem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use spalla_domain::work_item;
use spalla_store::command::PlannedItem;
use spalla_store::{Command, Reply};
use std::sync::Arc;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(create_work_items)).add(routes!(enqueue_all))
}

/// Makes work items, all or none; answers their ids in the same order
#[utoipa::path(post, path = "/work-items/bulk", tag = "work items",
    request_body(content = Vec<NewWorkItem>, example = json!([
        {"project_id": 1, "title": "build"}, {"project_id": 1, "title": "test", "labels": ["ci"]}])),
    responses((status = 201, description = "The ids of the new work items.", body = Vec<i64>)))]
async fn create_work_items(
    State(app): State<App>,
    wishes: Bulk<NewWorkItem>,
) -> Result<(StatusCode, Json<Vec<i64>>), Problem> {
    let Bulk { bodies, key } = wishes;
    if key.reach.principal().is_some_and(|who| matches!(who.kind, Who::Agent(..))) {
        let detail = "the agent of a run makes work items one by one";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).mend("use POST /work-items/"));
    }
    if bodies.is_empty() {
        return Ok((StatusCode::CREATED, Json(vec![])));
    }
    app.read_aliases().await?;
    let routing = Arc::clone(&app.routing);
    // Ten thousand recipes take their time, during which others are to be answered.
    let plan_all = move || {
        let plan = |entry| plan(&*routing, entry);
        bodies.into_iter().enumerate().map(plan).collect::<Result<Vec<PlannedItem>, Problem>>()
    };
    let items = tokio::task::spawn_blocking(plan_all).await.map_err(|_| Problem::internal())??;
    let made = app.execute(Command::CreateWorkItems { items, enqueue: false }, key).await;
    match made.map_err(Problem::naming_the_entry)? {
        Reply::WorkItems(ids) => Ok((StatusCode::CREATED, Json(ids.into_iter().map(|id| id.0).collect()))),
        other => Err(Problem::unexpected_reply(&other)),
    }
}

fn plan(routing: &dyn Routing, (place, body): (usize, NewWorkItem)) -> Result<PlannedItem, Problem> {
    let checked = || {
        let mut item = work_item::NewWorkItem::from(body);
        settle(routing, &mut item.spec)?;
        item.spec = item.spec.checked()?;
        item.spec.recipe.as_deref().map_or(Ok(()), |yaml| recipe::check(yaml, "recipe"))?;
        Ok(item.into())
    };
    checked().map_err(|problem: Problem| problem.of_entry(place))
}

/// Puts work items into the queue, all or none; answers the ids of their entries in the same order
#[utoipa::path(post, path = "/scheduler/enqueue/bulk", tag = "scheduler",
    request_body(content = Vec<EnqueueBody>, example = json!([
        {"work_item_id": 1}, {"work_item_id": 2, "depends_on_work_item_id": 1}])),
    responses((status = 201, description = "The ids of the queue entries.", body = Vec<i64>)))]
async fn enqueue_all(
    State(app): State<App>,
    wishes: Bulk<EnqueueBody>,
) -> Result<(StatusCode, Json<Vec<i64>>), Problem> {
    let Bulk { bodies, key } = wishes;
    if bodies.is_empty() {
        return Ok((StatusCode::CREATED, Json(vec![])));
    }
    app.admit_entries(bodies.len()).await?;
    let items: Vec<_> = bodies.iter().map(EnqueueBody::work_item_id).collect();
    app.admit_for_aliases(&key.reach, &items).await?;
    let command = Command::EnqueueAll { wishes: bodies.into_iter().map(Into::into).collect() };
    match app.execute(command, key).await.map_err(Problem::naming_the_entry)? {
        Reply::Entries(ids) => Ok((StatusCode::CREATED, Json(ids.into_iter().map(|id| id.0).collect()))),
        other => Err(Problem::unexpected_reply(&other)),
    }
}
