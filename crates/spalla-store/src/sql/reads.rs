//! The reads over SQL: lists that find their page by an index, newest first. Which statement answers a filter is
//! decided here, because an index serves a condition only where the condition is always there.

mod approvals;
mod artifacts;
mod audit;
mod documents;
mod events;
mod logs;
mod projects;
mod queue;
mod runs;
mod supply;
mod usage;
mod work_items;

use super::driver::Reader;
use super::row::Fields;
use super::statement::{Row, Statement, Value};
use super::tx::call::{by_ids, once};
use crate::document::{Document, Kind};
use crate::read::Read;
use crate::supply::Bounds;
use crate::tx::Result;
use crate::view::{
    AgentView, ApprovalView, AuditFilter, Depths, DocumentFilter, EntryView, EventFilter, LogFilter,
    LogRecord, Page, QueueFilter, RunFilter, RunOutcome, RunView, Supply, WorkItemFilter, WorkItemView,
};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};
use spalla_domain::audit::Entry as AuditEntry;
use spalla_domain::audit::chain::Head as AuditHead;
use spalla_domain::event::Event;
use spalla_domain::project::Project;
use spalla_domain::quota::{Usage, UtcDay};
use spalla_domain::{ApprovalId, ArtifactId, AuditId, EventSeq, ProjectId, RunId, Timestamp, WorkItemId};

/// The reads.
pub(crate) struct SqlReads<R> {
    reader: R,
    store_id: String,
    bounds: Bounds,
}

impl<R: Reader> SqlReads<R> {
    /// Makes them over connections for reading; trace ids are derived from the store's id, and the bounds are configured.
    pub(crate) fn new(reader: R, store_id: String, bounds: Bounds) -> Self {
        Self { reader, store_id, bounds }
    }

    async fn rows(&self, statement: &'static Statement, scalars: Vec<Value>) -> Result<Vec<Row>> {
        self.reader.read(once(statement, scalars)).await
    }

    async fn rows_of<T: Copy + Into<Value>>(
        &self,
        statement: &'static Statement,
        ids: &[T],
    ) -> Result<Vec<Row>> {
        if ids.is_empty() { Ok(vec![]) } else { self.reader.read(by_ids(statement, ids)).await }
    }

    async fn count(&self, statement: &'static Statement, scalars: Vec<Value>) -> Result<u64> {
        let row = self.rows(statement, scalars).await?.into_iter().next().unwrap_or_default();
        Fields::new("count", row).number("count")
    }
}

/// Returns the id below which a page begins: no id reaches the one that stands for none.
fn before(page: Page) -> i64 {
    page.before.unwrap_or(i64::MAX)
}

impl<R: Reader + 'static> Read for SqlReads<R> {
    fn projects(&self, page: Page) -> BoxFuture<'_, Result<Vec<Project>>> {
        self.list_projects(page).boxed()
    }

    fn count_projects(&self) -> BoxFuture<'_, Result<u64>> {
        self.projects_count().boxed()
    }

    fn project(&self, id: ProjectId) -> BoxFuture<'_, Result<Option<Project>>> {
        self.find_project(id).boxed()
    }

    fn work_items(&self, filter: WorkItemFilter, page: Page) -> BoxFuture<'_, Result<Vec<WorkItemView>>> {
        self.list_work_items(filter, page).boxed()
    }

    fn count_work_items(&self, filter: WorkItemFilter) -> BoxFuture<'_, Result<u64>> {
        self.work_items_count(filter).boxed()
    }

    fn work_item(&self, id: WorkItemId) -> BoxFuture<'_, Result<Option<WorkItemView>>> {
        self.find_work_item(id).boxed()
    }

    fn approvals(
        &self,
        work_item_id: Option<WorkItemId>,
        pending_only: bool,
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<ApprovalView>>> {
        self.list_approvals(work_item_id, pending_only, page).boxed()
    }

    fn approval(&self, id: ApprovalId) -> BoxFuture<'_, Result<Option<ApprovalView>>> {
        self.find_approval(id).boxed()
    }

    fn runs(&self, filter: RunFilter, page: Page) -> BoxFuture<'_, Result<Vec<RunView>>> {
        self.list_runs(filter, page).boxed()
    }

    fn count_runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<u64>> {
        self.runs_count(filter).boxed()
    }

    fn run(&self, id: RunId) -> BoxFuture<'_, Result<Option<RunView>>> {
        self.find_run(id).boxed()
    }

    fn queue(&self, filter: QueueFilter, page: Page) -> BoxFuture<'_, Result<Vec<EntryView>>> {
        self.list_queue(filter, page).boxed()
    }

    fn count_queue(&self, filter: QueueFilter) -> BoxFuture<'_, Result<u64>> {
        self.queue_count(filter).boxed()
    }

    fn log(&self, run_id: RunId, filter: LogFilter) -> BoxFuture<'_, Result<Option<Vec<LogRecord>>>> {
        self.read_log(run_id, filter).boxed()
    }

    fn events(&self, filter: EventFilter, limit: u32) -> BoxFuture<'_, Result<Vec<Event>>> {
        self.list_events(filter, limit).boxed()
    }

    fn newest_event(&self) -> BoxFuture<'_, Result<EventSeq>> {
        self.newest_number().boxed()
    }

    fn documents(&self, filter: DocumentFilter, page: Page) -> BoxFuture<'_, Result<Vec<Document>>> {
        self.list_documents(filter, page).boxed()
    }

    fn count_documents(&self, filter: DocumentFilter) -> BoxFuture<'_, Result<u64>> {
        self.documents_count(filter).boxed()
    }

    fn document(&self, kind: Kind, id: i64) -> BoxFuture<'_, Result<Option<Document>>> {
        self.find_document(kind, id).boxed()
    }

    fn artifacts(&self, run_id: RunId, page: Page) -> BoxFuture<'_, Result<Vec<Artifact>>> {
        self.list_artifacts(run_id, page).boxed()
    }

    fn artifact_totals(&self, run_id: RunId) -> BoxFuture<'_, Result<Totals>> {
        self.artifact_totals_of(run_id).boxed()
    }

    fn artifact(&self, run_id: RunId, path: ArtifactPath) -> BoxFuture<'_, Result<Option<Artifact>>> {
        self.find_artifact(run_id, path).boxed()
    }

    fn artifact_chunk(&self, id: ArtifactId, place: u32) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.find_artifact_chunk(id, place).boxed()
    }

    fn audit(&self, filter: AuditFilter, page: Page) -> BoxFuture<'_, Result<Vec<AuditEntry>>> {
        self.list_audit(filter, page).boxed()
    }

    fn audit_from(&self, after: AuditId, limit: u32) -> BoxFuture<'_, Result<Vec<AuditEntry>>> {
        self.audit_after(after, limit).boxed()
    }

    fn audit_head(&self) -> BoxFuture<'_, Result<AuditHead>> {
        self.find_audit_head().boxed()
    }

    fn count_audit(&self, filter: AuditFilter) -> BoxFuture<'_, Result<u64>> {
        self.audit_count(filter).boxed()
    }

    fn usage(&self, day: UtcDay, page: Page) -> BoxFuture<'_, Result<Vec<(ProjectId, Usage)>>> {
        self.list_usage(day, page).boxed()
    }

    fn usage_of(&self, project_id: ProjectId, day: UtcDay) -> BoxFuture<'_, Result<Usage>> {
        self.find_usage(project_id, day).boxed()
    }

    fn active_runs(&self, project_id: ProjectId) -> BoxFuture<'_, Result<u32>> {
        self.count_active_runs(project_id).boxed()
    }

    fn supply(&self, now: Timestamp) -> BoxFuture<'_, Result<Supply>> {
        self.read_supply(now).boxed()
    }

    fn agents(
        &self,
        project_id: Option<ProjectId>,
        agent: Option<String>,
    ) -> BoxFuture<'_, Result<Vec<AgentView>>> {
        self.list_agents(project_id, agent).boxed()
    }

    fn agent_outcomes(
        &self,
        project_id: ProjectId,
        agent: String,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<RunOutcome>>> {
        self.list_outcomes(project_id, agent, limit).boxed()
    }

    fn depths(&self) -> BoxFuture<'_, Result<Depths>> {
        self.read_depths().boxed()
    }
}
