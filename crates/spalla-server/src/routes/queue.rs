//! The queue as people see it: what waits, in its order, and why it is not running. What a quota holds stands in the
//! store like everything that is ready, so it is told apart here.

use super::quotas::{held, held_among};
use crate::api::Api;
use crate::extract::Params;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::list::{Limit, Listed, Offset, Paging};
use crate::wire::number::IdNumber;
use crate::wire::queue::{QueueEntry, QueueReason};
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use spalla_domain::ProjectId;
use spalla_domain::problem::Code;
use spalla_store::view::{EntryView, Page, QueueFilter};
use std::collections::BTreeSet;
use utoipa::IntoParams;
use utoipa_axum::routes;

/// How many ready entries are read at first where some of them are left out; then twice as many, and so on.
const ENTRIES_FIRST: u32 = 1_000;
/// The most that are read at once.
const ENTRIES_AT_ONCE_MAX: u32 = 64_000;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_queue))
}

/// Which entries are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QueueQuery {
    /// Held for this reason; `none` means that nothing holds them.
    #[param(inline)]
    reason: Option<QueueReason>,
    /// Of this project.
    #[param(inline)]
    project_id: Option<IdNumber>,
    /// How many entries at most; 50 when left out.
    #[param(inline)]
    limit: Option<Limit>,
    /// How many entries to leave out.
    #[param(inline)]
    offset: Option<Offset>,
    /// Counts the whole list into X-Total-Count.
    count: Option<bool>,
}

/// Lists what waits, highest rank first, and why it is not running
#[utoipa::path(get, path = "/scheduler/queue", tag = "scheduler", params(QueueQuery),
    responses((status = 200, description = "The entries.", body = Vec<QueueEntry>)))]
async fn list_queue(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<QueueQuery>,
) -> Result<Listed<QueueEntry>, Problem> {
    let paging = Paging::new(query.limit, None, query.offset, query.count).by_offset();
    let project_id = query.project_id.map(|id| ProjectId(id.get()));
    let choice = Choice::new(&app, query.reason, project_id).await?;
    let mut found = choice.page(&app, paging.page).await?;
    let total = if paging.count { Some(choice.count(&app).await?) } else { None };
    mark(&app, &mut found).await?;
    let last = found.last().map(|entry| entry.id.0);
    let now = app.now();
    let entries = found.into_iter().map(|entry| QueueEntry::new(entry, now)).collect();
    Ok(Listed::new(entries, last, &uri, paging, total))
}

/// Gives entries that only a quota holds their reason.
async fn mark(app: &App, entries: &mut [EntryView]) -> Result<(), Problem> {
    let is_ready = |entry: &&mut EntryView| entry.reason.is_none();
    let projects = entries.iter().filter(|entry| entry.reason.is_none()).map(|entry| entry.project_id);
    let held = held_among(app, projects.collect()).await?;
    for entry in entries.iter_mut().filter(is_ready).filter(|entry| held.contains(&entry.project_id)) {
        entry.reason = Some(Code::Quota);
    }
    Ok(())
}

/// Which entries are wanted, as the store can tell them.
enum Choice {
    /// Those that a filter of the store lets through.
    Plain(QueueFilter),
    /// Those that are ready, of these projects only.
    Of(BTreeSet<ProjectId>),
    /// Those that are ready, of all projects but these.
    NotOf(BTreeSet<ProjectId>),
}

/// The filter for everything that is ready.
const READY: QueueFilter = QueueFilter { project_id: None, reason: Some(None) };

impl Choice {
    async fn new(
        app: &App,
        reason: Option<QueueReason>,
        project_id: Option<ProjectId>,
    ) -> Result<Self, Problem> {
        let is_of_quota = match reason {
            Some(QueueReason::Quota) => true,
            Some(QueueReason::None) => false,
            reason => {
                let reason = reason.map(QueueReason::code);
                return Ok(Self::Plain(QueueFilter { project_id, reason }));
            }
        };
        let held = match project_id {
            Some(project_id) => held_among(app, BTreeSet::from([project_id])).await?,
            None => held(app).await?,
        };
        Ok(match project_id {
            Some(_) if held.is_empty() == is_of_quota => Self::Of(BTreeSet::new()),
            Some(_) => Self::Plain(QueueFilter { project_id, ..READY }),
            None if is_of_quota => Self::Of(held),
            None if held.is_empty() => Self::Plain(READY),
            None => Self::NotOf(held),
        })
    }

    async fn page(&self, app: &App, page: Page) -> Result<Vec<EntryView>, Problem> {
        match self {
            Self::Plain(filter) => Ok(app.read().queue(filter.clone(), page).await?),
            Self::Of(projects) if projects.is_empty() => Ok(vec![]),
            Self::Of(projects) => sift(app, page, |entry| projects.contains(&entry.project_id)).await,
            Self::NotOf(projects) => sift(app, page, |entry| !projects.contains(&entry.project_id)).await,
        }
    }

    async fn count(&self, app: &App) -> Result<u64, Problem> {
        let (projects, all) = match self {
            Self::Plain(filter) => return Ok(app.read().count_queue(filter.clone()).await?),
            Self::Of(projects) => (projects, None),
            Self::NotOf(projects) => (projects, Some(app.read().count_queue(READY).await?)),
        };
        let mut theirs = 0;
        for project_id in projects {
            let filter = QueueFilter { project_id: Some(*project_id), ..READY };
            theirs += app.read().count_queue(filter).await?;
        }
        Ok(all.map_or(theirs, |all| all.saturating_sub(theirs)))
    }
}

/// Reads the ready entries in their order and keeps some. The length of the queue is bounded, so this comes to an end.
async fn sift(app: &App, page: Page, keep: impl Fn(&EntryView) -> bool) -> Result<Vec<EntryView>, Problem> {
    let (mut kept, mut left_out) = (vec![], 0);
    let mut chunk = Page { limit: ENTRIES_FIRST, before: None, offset: 0 };
    loop {
        let entries = app.read().queue(READY, chunk).await?;
        let is_last = entries.len() < chunk.limit as usize;
        for entry in entries.into_iter().filter(&keep) {
            if left_out < page.offset {
                left_out += 1;
            } else if kept.len() < page.limit as usize {
                kept.push(entry);
            }
        }
        if is_last || kept.len() >= page.limit as usize {
            return Ok(kept);
        }
        chunk.offset += chunk.limit;
        chunk.limit = (chunk.limit * 2).min(ENTRIES_AT_ONCE_MAX);
    }
}
