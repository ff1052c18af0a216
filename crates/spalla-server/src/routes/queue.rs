//! The queue as people see it: what waits, in its order, and why it is not running. What a quota holds stands in the
//! store like everything that is ready, and so does what waits for resources: they are told apart here.

use super::quotas::{held, held_among};
use crate::access::{self, Reach};
use crate::api::Api;
use crate::api::routes;
use crate::extract::Params;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::list::{Limit, Listed, Offset, Paging};
use crate::wire::number::IdNumber;
use crate::wire::queue::{QueueEntry, QueueReason};
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use spalla_domain::problem::Code;
use spalla_domain::{ProjectId, QueueId};
use spalla_store::view::{EntryView, Page, QueueFilter, Supply};
use std::collections::BTreeSet;
use utoipa::IntoParams;

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
    reach: Reach,
    Params(query): Params<QueueQuery>,
) -> Result<Listed<QueueEntry>, Problem> {
    let paging = Paging::new(query.limit, None, query.offset, query.count).by_offset();
    let project_id = match reach.choose(query.project_id.map(|id| ProjectId(id.get()))) {
        access::Choice::Plain(project_id) => project_id,
        access::Choice::Among(projects) if projects.is_empty() => {
            return Ok(Listed::new(vec![], None, &uri, paging, paging.count.then_some(0)));
        }
        // The order of one project's entries among those of others is not theirs to see.
        access::Choice::Among(projects) => {
            let ids: Vec<_> = projects.iter().map(ToString::to_string).collect();
            let message = format!("one of {} has to be named", ids.join(", "));
            return Err(Problem::invalid("project_id", message));
        }
    };
    let choice = Choice::new(&app, query.reason, project_id).await?;
    let mut found = choice.page(&app, paging.page).await?;
    let total = if paging.count { Some(choice.count(&app).await?) } else { None };
    mark(&app, &mut found).await?;
    let last = found.last().map(|entry| entry.id.0);
    let now = app.now();
    let entries = found.into_iter().map(|entry| QueueEntry::new(entry, now)).collect();
    Ok(Listed::new(entries, last, &uri, paging, total))
}

/// What holds entries that are ready as far as the store knows.
struct Held {
    /// By quotas.
    projects: BTreeSet<ProjectId>,
    /// For want of resources.
    short: BTreeSet<QueueId>,
    /// By a limit of runs at once.
    crowded: BTreeSet<QueueId>,
}

impl Held {
    async fn find(app: &App, project_id: Option<ProjectId>) -> Result<Self, Problem> {
        let projects = match project_id {
            Some(project_id) => held_among(app, BTreeSet::from([project_id])).await?,
            None => held(app).await?,
        };
        Self::beside(app, projects).await
    }

    async fn beside(app: &App, projects: BTreeSet<ProjectId>) -> Result<Self, Problem> {
        let Supply { short, crowded, .. } = app.read().supply(app.now()).await?;
        Ok(Self { projects, short, crowded })
    }

    fn reason(&self, entry: &EntryView) -> Option<Code> {
        match entry.reason {
            None if self.projects.contains(&entry.project_id) => Some(Code::Quota),
            None if self.short.contains(&entry.queue) => Some(Code::Resources),
            None if self.crowded.contains(&entry.queue) => Some(Code::ConcurrencyLimit),
            reason => reason,
        }
    }

    fn is_nothing(&self) -> bool {
        self.projects.is_empty() && self.short.is_empty() && self.crowded.is_empty()
    }
}

/// Gives entries that only a quota, a limit, or the want of resources holds, their reason.
async fn mark(app: &App, entries: &mut [EntryView]) -> Result<(), Problem> {
    let projects: BTreeSet<_> =
        entries.iter().filter(|entry| entry.reason.is_none()).map(|entry| entry.project_id).collect();
    if projects.is_empty() {
        return Ok(());
    }
    let held = Held::beside(app, held_among(app, projects).await?).await?;
    for entry in entries {
        entry.reason = held.reason(entry);
    }
    Ok(())
}

/// Which entries are wanted, as the store can tell them.
enum Choice {
    /// Those that a filter of the store lets through.
    Plain(QueueFilter),
    /// Those that are ready as far as the store knows, and that have this reason all the same, or none.
    Sifted { project_id: Option<ProjectId>, held: Held, reason: Option<Code> },
}

impl Choice {
    async fn new(
        app: &App,
        reason: Option<QueueReason>,
        project_id: Option<ProjectId>,
    ) -> Result<Self, Problem> {
        let reason = match reason {
            Some(
                reason @ (QueueReason::Quota
                | QueueReason::Resources
                | QueueReason::ConcurrencyLimit
                | QueueReason::None),
            ) => reason.code(),
            reason => {
                let reason = reason.map(QueueReason::code);
                return Ok(Self::Plain(QueueFilter { project_id, reason }));
            }
        };
        let held = Held::find(app, project_id).await?;
        if held.is_nothing() && reason.is_none() {
            return Ok(Self::Plain(QueueFilter { project_id, reason: Some(None) }));
        }
        Ok(Self::Sifted { project_id, held, reason })
    }

    async fn page(&self, app: &App, page: Page) -> Result<Vec<EntryView>, Problem> {
        match self {
            Self::Plain(filter) => Ok(app.read().queue(filter.clone(), page).await?),
            Self::Sifted { held, reason: Some(_), .. } if held.is_nothing() => Ok(vec![]),
            Self::Sifted { project_id, held, reason } => {
                let (mut kept, mut left_out) = (vec![], 0);
                sift(app, *project_id, |entry| {
                    if held.reason(&entry) != *reason {
                    } else if left_out < page.offset {
                        left_out += 1;
                    } else {
                        kept.push(entry);
                    }
                    kept.len() < page.limit as usize
                })
                .await?;
                Ok(kept)
            }
        }
    }

    async fn count(&self, app: &App) -> Result<u64, Problem> {
        match self {
            Self::Plain(filter) => Ok(app.read().count_queue(filter.clone()).await?),
            Self::Sifted { held, reason: Some(_), .. } if held.is_nothing() => Ok(0),
            Self::Sifted { project_id, held, reason } => {
                let mut count = 0;
                sift(app, *project_id, |entry| {
                    count += u64::from(held.reason(&entry) == *reason);
                    true
                })
                .await?;
                Ok(count)
            }
        }
    }
}

/// Reads the ready entries in their order until no more are wanted. The length of the queue is bounded, so this comes to
/// an end.
async fn sift(
    app: &App,
    project_id: Option<ProjectId>,
    mut take: impl FnMut(EntryView) -> bool,
) -> Result<(), Problem> {
    let mut chunk = Page { limit: ENTRIES_FIRST, before: None, offset: 0 };
    loop {
        let filter = QueueFilter { project_id, reason: Some(None) };
        let entries = app.read().queue(filter, chunk).await?;
        let is_last = entries.len() < chunk.limit as usize;
        for entry in entries {
            if !take(entry) {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
        chunk.offset += chunk.limit;
        chunk.limit = (chunk.limit * 2).min(ENTRIES_AT_ONCE_MAX);
    }
}
