//! Reads of what projects used.

use super::{SqlReads, before};
use crate::sql::driver::Reader;
use crate::sql::row::{each, project, row};
use crate::sql::statements::usage as sql;
use crate::tx::Result;
use crate::view::Page;
use spalla_domain::ProjectId;
use spalla_domain::quota::{Usage, UtcDay};

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_usage(&self, day: UtcDay, page: Page) -> Result<Vec<(ProjectId, Usage)>> {
        let rows = self.rows(&sql::LIST, row![day.0, before(page), page.limit]).await?;
        each("usage", rows, project::read_usage)
    }

    pub(super) async fn find_usage(&self, project_id: ProjectId, day: UtcDay) -> Result<Usage> {
        let rows = self.rows(&sql::LOAD, row![project_id, day.0]).await?;
        Ok(each("usage", rows, project::read_usage)?.pop().map_or(Usage::none(day), |(_, usage)| usage))
    }

    pub(super) async fn count_active_runs(&self, project_id: ProjectId) -> Result<u32> {
        Ok(u32::try_from(self.count(&sql::ACTIVE, row![project_id, None::<String>]).await?)
            .unwrap_or(u32::MAX))
    }
}
