//! Reads of artifacts: lists by their run, and what is in one part by part.

use super::{SqlReads, before};
use crate::sql::driver::Reader;
use crate::sql::row::{artifact, each, row};
use crate::sql::statements::{artifact as sql, artifact_chunk};
use crate::tx::Result;
use crate::view::Page;
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};
use spalla_domain::{ArtifactId, RunId};

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_artifacts(&self, run_id: RunId, page: Page) -> Result<Vec<Artifact>> {
        let (before, Page { limit, offset, .. }) = (before(page), page);
        let rows = self.rows(&sql::LIST, row![run_id, before, limit, offset]).await?;
        each("artifact", rows, artifact::read)
    }

    pub(super) async fn artifact_totals_of(&self, run_id: RunId) -> Result<Totals> {
        let rows = self.rows(&sql::TOTALS, row![run_id]).await?;
        Ok(each("artifact", rows, artifact::read_totals)?.pop().unwrap_or_default())
    }

    pub(super) async fn find_artifact(&self, run_id: RunId, path: ArtifactPath) -> Result<Option<Artifact>> {
        let rows = self.rows(&sql::FIND, row![run_id, path.as_str()]).await?;
        Ok(each("artifact", rows, artifact::read)?.pop())
    }

    pub(super) async fn find_artifact_chunk(&self, id: ArtifactId, place: u32) -> Result<Option<Vec<u8>>> {
        let rows = self.rows(&artifact_chunk::FIND, row![id, place]).await?;
        Ok(each("artifact_chunk", rows, |fields| fields.blob("data"))?.pop())
    }
}
