//! Reads the store's documents as what they hold.

use crate::access::Reach;
use crate::problem::Problem;
use crate::state::Shared;
use crate::wire::list::{Listed, Paging};
use axum::http::Uri;
use spalla_domain::{ProjectId, RunId, WorkItemId};
use spalla_store::document::Kept;
use spalla_store::view::{DocumentFilter, Page};

/// What a document belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Belonging {
    /// A run.
    Run(RunId),
    /// A work item.
    WorkItem(WorkItemId),
}

/// How many are read at once where not all of them are shown.
const AT_ONCE: u32 = 500;
/// How many are looked at for a page of those that are chosen, however rare they are.
const LOOKED_AT_MAX: u32 = 2_000;

/// Which documents of one kind are meant.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Which {
    /// Those that belong to this; of all with none.
    pub(crate) owner: Option<i64>,
    /// Those in this state; in any with none.
    pub(crate) status: Option<&'static str>,
}

impl Which {
    /// Returns the documents that belong to something.
    pub(crate) const fn of(owner: i64) -> Self {
        Self { owner: Some(owner), status: None }
    }

    /// Returns the filter for the store.
    pub(crate) const fn filter<K: Kept>(self) -> DocumentFilter {
        DocumentFilter { kind: K::KIND, owner: self.owner, status: self.status }
    }
}

impl Shared {
    /// Reads one.
    pub(crate) async fn kept<K: Kept>(&self, id: i64) -> Result<Option<K>, Problem> {
        let document = self.read().document(K::KIND, id).await?;
        Ok(document.map(|document| document.read()).transpose()?)
    }

    /// Reads a page of them, newest first.
    pub(crate) async fn page_of<K: Kept>(&self, which: Which, page: Page) -> Result<Vec<K>, Problem> {
        let documents = self.read().documents(which.filter::<K>(), page).await?;
        Ok(documents.iter().map(|document| document.read()).collect::<Result<_, _>>()?)
    }

    async fn project_of(&self, belonging: Belonging) -> Result<Option<ProjectId>, Problem> {
        match belonging {
            Belonging::Run(id) => Ok(self.read().run(id).await?.map(|run| run.project_id)),
            Belonging::WorkItem(id) => Ok(self.read().work_item(id).await?.map(|view| view.item.project_id)),
        }
    }

    /// Lists those of the projects that a caller reaches, as clients see them.
    pub(crate) async fn list_within<K: Kept, T>(
        &self,
        reach: &Reach,
        which: Which,
        (uri, paging): (&Uri, Paging),
        belonging: impl Fn(&K) -> Belonging,
        show: impl Fn(K) -> T,
    ) -> Result<Listed<T>, Problem> {
        if reach.projects().is_none() {
            return self.list_of(which, uri, paging, show).await;
        }
        // Documents know no project, so that those of others are left out one by one.
        let (mut found, mut left_out, mut total) = (vec![], 0, 0);
        let (offset, limit) = (paging.page.offset as usize, paging.page.limit as usize);
        let mut page = Page { limit: AT_ONCE, before: paging.page.before, offset: 0 };
        loop {
            let kept: Vec<K> = self.page_of(which, page).await?;
            page.before = kept.last().map(K::id);
            let is_last = kept.len() < AT_ONCE as usize;
            for kept in kept {
                if !self.project_of(belonging(&kept)).await?.is_some_and(|id| reach.has(id)) {
                } else if left_out < offset {
                    left_out += 1;
                } else if found.len() < limit {
                    found.push(kept);
                } else {
                    total += 1;
                }
            }
            if is_last || (found.len() >= limit && !paging.count) {
                break;
            }
        }
        let total = paging.count.then_some((left_out + found.len() + total) as u64);
        let last = found.last().map(K::id);
        Ok(Listed::new(found.into_iter().map(show).collect(), last, uri, paging, total))
    }

    /// Lists those that are chosen, as clients see them. Only so many are looked at: where there are more, the page may be short
    /// and the next one begins behind what was looked at; how many there are in all is not told then.
    pub(crate) async fn list_chosen<K: Kept, T>(
        &self,
        which: Which,
        (uri, paging): (&Uri, Paging),
        is_chosen: impl Fn(&K) -> bool,
        show: impl Fn(K) -> T,
    ) -> Result<Listed<T>, Problem> {
        let (offset, limit) = (paging.page.offset as usize, paging.page.limit as usize);
        let (mut found, mut seen) = (vec![], 0);
        let mut page = Page { limit: AT_ONCE, before: paging.page.before, offset: 0 };
        for batch in 1.. {
            let kept: Vec<K> = self.page_of(which, page).await?;
            page.before = kept.last().map(K::id);
            let is_last = kept.len() < AT_ONCE as usize;
            for kept in kept.into_iter().filter(&is_chosen) {
                seen += 1;
                if seen > offset && found.len() < limit {
                    found.push(kept);
                }
            }
            if is_last || (found.len() >= limit && !paging.count) {
                break;
            }
            if let Some(looked_at) = page.before.filter(|_| batch * AT_ONCE >= LOOKED_AT_MAX) {
                let last = found.last().filter(|_| found.len() >= limit).map_or(looked_at, K::id);
                return Ok(Listed::cut(found.into_iter().map(show).collect(), last, uri));
            }
        }
        let (last, total) = (found.last().map(K::id), paging.count.then_some(seen as u64));
        Ok(Listed::new(found.into_iter().map(show).collect(), last, uri, paging, total))
    }

    /// Lists them as clients see them.
    pub(crate) async fn list_of<K: Kept, T>(
        &self,
        which: Which,
        uri: &Uri,
        paging: Paging,
        show: impl Fn(K) -> T,
    ) -> Result<Listed<T>, Problem> {
        let found: Vec<K> = self.page_of(which, paging.page).await?;
        let total = match paging.count {
            true => Some(self.read().count_documents(which.filter::<K>()).await?),
            false => None,
        };
        let last = found.last().map(K::id);
        Ok(Listed::new(found.into_iter().map(show).collect(), last, uri, paging, total))
    }
}
