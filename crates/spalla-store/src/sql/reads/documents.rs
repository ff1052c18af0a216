//! Reads of documents.

use super::{SqlReads, before};
use crate::document::{Document, Kind};
use crate::sql::driver::Reader;
use crate::sql::row::{document, each, row};
use crate::sql::statements::document as sql;
use crate::tx::Result;
use crate::view::{DocumentFilter, Page};

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_documents(&self, filter: DocumentFilter, page: Page) -> Result<Vec<Document>> {
        let DocumentFilter { kind, owner, status } = filter;
        let (kind, before, Page { limit, offset, .. }) = (kind.as_str(), before(page), page);
        let rows = match owner {
            Some(owner) => self.rows(&sql::LIST_OF, row![kind, owner, before, status, limit, offset]).await?,
            None => self.rows(&sql::LIST, row![kind, before, status, limit, offset]).await?,
        };
        each("document", rows, document::read)
    }

    pub(super) async fn documents_count(&self, filter: DocumentFilter) -> Result<u64> {
        let DocumentFilter { kind, owner, status } = filter;
        self.count(&sql::COUNT, row![kind.as_str(), owner, status]).await
    }

    pub(super) async fn find_document(&self, kind: Kind, id: i64) -> Result<Option<Document>> {
        let rows = self.rows(&sql::FIND, row![kind.as_str(), id]).await?;
        Ok(each("document", rows, document::read)?.pop())
    }
}
