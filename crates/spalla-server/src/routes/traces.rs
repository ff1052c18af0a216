//! Recent runs as traces.

use super::runs;
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::Params;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::IdNumber;
use crate::wire::trace::Trace;
use axum::extract::State;
use axum::http::Uri;
use spalla_domain::{ProjectId, WorkItemId};
use spalla_store::view::RunFilter;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_traces))
}

list_query! {
    /// Which traces are shown.
    TracesQuery {
        /// Of this project.
        #[param(inline)]
        project_id: Option<IdNumber>,
        /// Of this work item.
        #[param(inline)]
        work_item_id: Option<IdNumber>,
    }
}

/// Lists recent runs as traces, newest first
#[utoipa::path(get, path = "/observability/traces", tag = "observability", params(TracesQuery),
    responses((status = 200, description = "The traces.", body = Vec<Trace>)))]
async fn list_traces(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<TracesQuery>,
) -> Result<Listed<Trace>, Problem> {
    let paging = query.paging();
    let filter = RunFilter {
        project_id: query.project_id.map(|id| ProjectId(id.get())),
        work_item_id: query.work_item_id.map(|id| WorkItemId(id.get())),
        ..RunFilter::default()
    };
    let found = runs::page(&app, &reach, &filter, paging.page).await?;
    let total = if paging.count { Some(runs::count(&app, &reach, &filter).await?) } else { None };
    let last = found.last().map(|run| run.id.0);
    Ok(Listed::new(found.into_iter().map(Into::into).collect(), last, &uri, paging, total))
}
