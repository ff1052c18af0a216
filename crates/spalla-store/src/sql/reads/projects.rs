//! Reads of projects.

use super::{SqlReads, before};
use crate::sql::driver::Reader;
use crate::sql::row::{each, project, row};
use crate::sql::statements::project as sql;
use crate::tx::Result;
use crate::view::Page;
use spalla_domain::ProjectId;
use spalla_domain::project::Project;

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_projects(&self, page: Page) -> Result<Vec<Project>> {
        let rows = self.rows(&sql::LIST, row![before(page), page.limit, page.offset]).await?;
        each("project", rows, project::read)
    }

    pub(super) async fn projects_count(&self) -> Result<u64> {
        self.count(&sql::COUNT, vec![]).await
    }

    pub(super) async fn find_project(&self, id: ProjectId) -> Result<Option<Project>> {
        let rows = self.rows(&sql::FIND, row![id]).await?;
        Ok(each("project", rows, project::read)?.pop())
    }
}
