//! Reads of runs: those that are not over and those that are, as one list.

use super::{SqlReads, before};
use crate::sql::driver::Reader;
use crate::sql::row::{each, row, run};
use crate::sql::statement::{Row, Statement, Value};
use crate::sql::statements::{run as sql, work_item as items};
use crate::tx::Result;
use crate::view::{Page, RunFilter, RunOutcome, RunView};
use spalla_domain::run::Status;
use spalla_domain::{ProjectId, RunId};

/// An agent with fewer work items than this has its runs found by them: reading back through all runs for a page of
/// it would take longer.
pub(super) const FEW: u32 = 2_000;

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_runs(&self, filter: RunFilter, page: Page) -> Result<Vec<RunView>> {
        if let RunFilter { work_item_id: None, project_id, status, agent: Some(agent) } = &filter {
            let (first, last) = project_id.map_or((i64::MIN, i64::MAX), |id| (id.0, id.0));
            if self.has_few(agent, (first, last)).await? {
                let Page { limit, offset, .. } = page;
                let word = status.map(Status::as_str);
                let scalars = row![agent.as_str(), first, last, before(page), word, limit, offset];
                return self.run_views(self.rows(&sql::LIST_OF_FEW, scalars).await?);
            }
        }
        let (statement, scalars) = list(filter, page);
        self.run_views(self.rows(statement, scalars).await?)
    }

    /// Tells whether an agent has so few work items in these projects that its runs are found by them.
    async fn has_few(&self, agent: &str, (first, last): (i64, i64)) -> Result<bool> {
        let few = self.count(&items::COUNT_OF_AGENT, row![agent, first, last, FEW]).await?;
        Ok(few < u64::from(FEW))
    }

    pub(super) async fn list_outcomes(
        &self,
        project_id: ProjectId,
        agent: String,
        limit: u32,
    ) -> Result<Vec<RunOutcome>> {
        let (name, id) = (agent.as_str(), project_id.0);
        let rows = match self.has_few(name, (id, id)).await? {
            true => self.rows(&sql::OUTCOMES_OF_FEW, row![name, id, id, limit]).await?,
            false => self.rows(&sql::OUTCOMES_OF_AGENT, row![name, id, limit]).await?,
        };
        each("run", rows, run::read_in_short)
    }

    pub(super) async fn runs_count(&self, filter: RunFilter) -> Result<u64> {
        let (statement, scalars) = count(filter);
        self.count(statement, scalars).await
    }

    pub(super) async fn find_run(&self, id: RunId) -> Result<Option<RunView>> {
        Ok(self.run_views(self.rows(&sql::FIND, row![id]).await?)?.pop())
    }

    fn run_views(&self, rows: Vec<Row>) -> Result<Vec<RunView>> {
        each("run", rows, |fields| run::read_view(fields, &self.store_id))
    }
}

fn is_live(status: Status) -> bool {
    matches!(status, Status::Pending | Status::Running | Status::Paused | Status::AwaitingInput)
}

/// Chooses by the condition that leaves the fewest rows; what else is asked is looked at on the way.
fn list(filter: RunFilter, page: Page) -> (&'static Statement, Vec<Value>) {
    let RunFilter { work_item_id, project_id, status, agent } = filter;
    let (before, Page { limit, offset, .. }) = (before(page), page);
    let word = status.map(Status::as_str);
    match (work_item_id, agent, status, project_id) {
        (Some(item), agent, _, _) => {
            (&sql::LIST_OF_WORK_ITEM, row![item, before, project_id, word, agent, limit, offset])
        }
        (None, Some(agent), Some(status), _) if !is_live(status) && status != Status::Succeeded => {
            (&sql::LIST_BAD_OF_AGENT, row![word, agent, before, project_id, limit, offset])
        }
        (None, Some(agent), _, _) => {
            (&sql::LIST_OF_AGENT, row![agent, before, project_id, word, limit, offset])
        }
        (None, None, Some(status), _) if is_live(status) => {
            (&sql::LIST_LIVE, row![word, before, project_id, limit, offset])
        }
        (None, None, Some(_), Some(project)) => {
            (&sql::LIST_ENDED_OF_PROJECT, row![project, word, before, limit, offset])
        }
        (None, None, Some(Status::Succeeded), None) => (&sql::LIST_ENDED, row![word, before, limit, offset]),
        (None, None, Some(_), None) => (&sql::LIST_ENDED_BADLY, row![word, before, limit, offset]),
        (None, None, None, Some(project)) => (&sql::LIST_OF_PROJECT, row![project, before, limit, offset]),
        (None, None, None, None) => (&sql::LIST, row![before, limit, offset]),
    }
}

/// Chooses as the list does.
fn count(filter: RunFilter) -> (&'static Statement, Vec<Value>) {
    let RunFilter { work_item_id, project_id, status, agent } = filter;
    let word = status.map(Status::as_str);
    match (work_item_id, agent, status, project_id) {
        (Some(item), agent, _, _) => (&sql::COUNT_OF_WORK_ITEM, row![item, project_id, word, agent]),
        (None, Some(agent), _, _) => (&sql::COUNT_OF_AGENT, row![agent, project_id, word]),
        (None, None, Some(status), _) if is_live(status) => (&sql::COUNT_LIVE, row![word, project_id]),
        (None, None, Some(_), Some(project)) => (&sql::COUNT_ENDED_OF_PROJECT, row![project, word]),
        (None, None, Some(_), None) => (&sql::COUNT_ENDED, row![word]),
        (None, None, None, Some(project)) => (&sql::COUNT_OF_PROJECT, row![project]),
        (None, None, None, None) => (&sql::COUNT, vec![]),
    }
}
