//! Reads of approvals.

use super::{SqlReads, before};
use crate::sql::driver::Reader;
use crate::sql::row::{approval, each, row};
use crate::sql::statements::approval as sql;
use crate::tx::Result;
use crate::view::{ApprovalView, Page};
use spalla_domain::approval::Status;
use spalla_domain::{ApprovalId, WorkItemId};

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_approvals(
        &self,
        work_item_id: Option<WorkItemId>,
        pending_only: bool,
        page: Page,
    ) -> Result<Vec<ApprovalView>> {
        let Page { limit, offset, .. } = page;
        let (statement, scalars) = match (work_item_id, pending_only) {
            (Some(id), pending_only) => {
                let status = pending_only.then(|| Status::Pending.as_str());
                (&sql::LIST_OF_WORK_ITEM, row![id, before(page), status, limit, offset])
            }
            (None, true) => (&sql::LIST_PENDING, row![before(page), limit, offset]),
            (None, false) => (&sql::LIST, row![before(page), limit, offset]),
        };
        each("approval", self.rows(statement, scalars).await?, approval::read_view)
    }

    pub(super) async fn find_approval(&self, id: ApprovalId) -> Result<Option<ApprovalView>> {
        let rows = self.rows(&sql::FIND, row![id]).await?;
        Ok(each("approval", rows, approval::read_view)?.pop())
    }
}
