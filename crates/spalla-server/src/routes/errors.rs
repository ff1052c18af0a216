//! Errors: why runs did not come to a good end.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::Params;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::error::ErrorEntry;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::IdNumber;
use crate::wire::text::Needle;
use axum::extract::State;
use axum::http::Uri;
use spalla_domain::ProjectId;
use spalla_domain::run::Status;
use spalla_store::view::{Page, RunFilter, RunView};

/// How far a list may be left out from its beginning: all before it is read.
const OFFSET_MAX: u32 = 10_000;
/// How a run ends that has an error.
const ENDED_BADLY: [Status; 2] = [Status::Failed, Status::Lost];

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_errors))
}

list_query! {
    /// Which errors are shown.
    ErrorsQuery {
        /// Of this project.
        #[param(inline)]
        project_id: Option<IdNumber>,
        /// Of this agent.
        #[param(inline)]
        agent: Option<Needle>,
    }
}

/// Lists why runs failed or were lost, newest first
#[utoipa::path(get, path = "/api/errors", tag = "observability", params(ErrorsQuery),
    responses((status = 200, description = "The errors.", body = Vec<ErrorEntry>)))]
async fn list_errors(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<ErrorsQuery>,
) -> Result<Listed<ErrorEntry>, Problem> {
    let paging = query.paging();
    let filter = |status| RunFilter {
        work_item_id: None,
        project_id: query.project_id.as_ref().map(|id| ProjectId(id.get())),
        status: Some(status),
        agent: query.agent.clone().map(Into::into),
    };
    let Page { limit, before, offset } = paging.page;
    if offset > OFFSET_MAX {
        let message = format!("it goes up to {OFFSET_MAX}");
        return Err(Problem::invalid("offset", message).mend("go on with cursor"));
    }
    let (mut found, mut total) = (Vec::<RunView>::new(), 0);
    for status in ENDED_BADLY {
        let both = Page { limit: limit.saturating_add(offset), before, offset: 0 };
        found.extend(super::runs::page(&app, &reach, &filter(status), both).await?);
        if paging.count {
            total += super::runs::count(&app, &reach, &filter(status)).await?;
        }
    }
    found.sort_unstable_by_key(|run| std::cmp::Reverse(run.id));
    let page: Vec<RunView> = found.into_iter().skip(offset as usize).take(limit as usize).collect();
    let last = page.last().map(|run| run.id.0);
    let total = paging.count.then_some(total);
    let rules = app.engine.store().rules();
    let page = page.into_iter().map(|run| ErrorEntry::of(run, rules)).collect();
    Ok(Listed::new(page, last, &uri, paging, total))
}
