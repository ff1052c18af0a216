//! Reads of what there is for runs.

use super::SqlReads;
use super::runs::FEW;
use crate::crew::WORKER_KEPT_MS;
use crate::sql::driver::Reader;
use crate::sql::row::{each, project, row, worker};
use crate::sql::statements::{leased, queue, run, worker as sql};
use crate::supply::{AGENT_ROWS_MAX, Found, gather_agents, weigh};
use crate::tx::Result;
use crate::view::{AgentView, Supply};
use spalla_domain::{ProjectId, Timestamp};

impl<R: Reader> SqlReads<R> {
    pub(super) async fn read_supply(&self, now: Timestamp) -> Result<Supply> {
        let since = now.plus_ms(-WORKER_KEPT_MS);
        let workers = each("worker", self.rows(&sql::LIST, row![since]).await?, worker::read)?;
        let held = each("leased", self.rows(&leased::BY_WORKER, row![1]).await?, worker::read_held)?;
        let queues = project::read_queues(self.rows(&queue::LOAD, vec![]).await?)?.found;
        Ok(weigh(&self.bounds, Found { workers, held, queues }, now))
    }

    pub(super) async fn list_agents(
        &self,
        project_id: Option<ProjectId>,
        agent: Option<String>,
    ) -> Result<Vec<AgentView>> {
        let name = agent.as_deref();
        let rows = self.rows(&queue::LIST_AGENTS, row![project_id, name, AGENT_ROWS_MAX]).await?;
        let last = self.rows(&run::LAST_OF_AGENTS, row![FEW, project_id, name, AGENT_ROWS_MAX]).await?;
        let last = each("agent", last, worker::read_last)?.into_iter().collect();
        Ok(gather_agents(each("agent", rows, worker::read_agent)?, &last))
    }
}
