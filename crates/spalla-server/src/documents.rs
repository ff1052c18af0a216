//! Reads the store's documents as what they hold.

use crate::problem::Problem;
use crate::state::Shared;
use crate::wire::list::{Listed, Paging};
use axum::http::Uri;
use spalla_store::document::Kept;
use spalla_store::view::{DocumentFilter, Page};

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
