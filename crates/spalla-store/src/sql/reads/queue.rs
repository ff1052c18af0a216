//! Reads of the queue: what waits, best first, from the places where it waits.

use super::SqlReads;
use crate::sql::driver::Reader;
use crate::sql::row::{Fields, each, row, work_item};
use crate::sql::statements::entry as sql;
use crate::tx::Result;
use crate::view::{Depths, EntryView, Page, QueueFilter};
use spalla_domain::problem::Code;
use spalla_domain::queue::priority::Moved;

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_queue(&self, filter: QueueFilter, page: Page) -> Result<Vec<EntryView>> {
        let QueueFilter { project_id, reason } = filter;
        let Page { limit, offset, .. } = page;
        let anywhere = row![project_id, limit, offset];
        let rows = match reason {
            None => self.rows(&sql::LIST, anywhere),
            Some(None) => self.rows(&sql::LIST_READY, anywhere),
            Some(Some(Code::Delayed)) => self.rows(&sql::LIST_DELAYED, anywhere),
            Some(Some(reason)) => {
                self.rows(&sql::LIST_BLOCKED, row![project_id, reason.as_str(), limit, offset])
            }
        };
        each("entry", rows.await?, read_entry)
    }

    pub(super) async fn queue_count(&self, filter: QueueFilter) -> Result<u64> {
        let QueueFilter { project_id, reason } = filter;
        match reason {
            None => {
                let ready = self.count(&sql::COUNT_READY, row![project_id]).await?;
                let delayed = self.count(&sql::COUNT_DELAYED, row![project_id]).await?;
                Ok(ready + delayed + self.count(&sql::COUNT_BLOCKED, row![project_id, None::<i64>]).await?)
            }
            Some(None) => self.count(&sql::COUNT_READY, row![project_id]).await,
            Some(Some(Code::Delayed)) => self.count(&sql::COUNT_DELAYED, row![project_id]).await,
            Some(Some(reason)) => self.count(&sql::COUNT_BLOCKED, row![project_id, reason.as_str()]).await,
        }
    }

    pub(super) async fn read_depths(&self) -> Result<Depths> {
        let row = self.rows(&sql::DEPTHS, vec![]).await?.into_iter().next().unwrap_or_default();
        let mut fields = Fields::new("depths", row);
        Ok(Depths {
            ready: fields.number("ready")?,
            delayed: fields.number("delayed")?,
            blocked: fields.number("blocked")?,
            pending: fields.number("pending")?,
            running: fields.number("running")?,
        })
    }
}

fn read_entry(fields: &mut Fields) -> Result<EntryView> {
    let (id, work_item_id) = (fields.id("id")?, fields.id("work_item_id")?);
    let (project_id, queue, title) = (fields.id("project_id")?, fields.id("queue")?, fields.text("title")?);
    let priority = fields.number("priority")?;
    let moved: Option<Moved> = fields.maybe_json("moved")?;
    Ok(EntryView {
        id,
        work_item_id,
        project_id,
        queue,
        title,
        priority,
        set_priority: moved.map_or(priority, |moved| moved.set),
        prio: fields.int("prio")?,
        enqueued_at: fields.time("enqueued_at")?,
        unmet: fields.number("unmet")?,
        approvals: fields.number("approvals")?,
        due_at: fields.maybe_time("due_at")?,
        reason: fields.maybe_word("reason", work_item::code)?,
    })
}
