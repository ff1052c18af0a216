//! The reads of every store. Lists are newest first unless they say otherwise; reads lock nothing.

use crate::document::{Document, Kind};
use crate::tx::Result;
use crate::view::{
    AgentView, ApprovalView, AuditFilter, Depths, DocumentFilter, EntryView, EventFilter, LogFilter,
    LogRecord, Page, QueueFilter, RunFilter, RunOutcome, RunView, Supply, WorkItemFilter, WorkItemView,
};
use futures_util::future::BoxFuture;
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};
use spalla_domain::audit;
use spalla_domain::event::Event;
use spalla_domain::project::Project;
use spalla_domain::quota::{Usage, UtcDay};
use spalla_domain::{ApprovalId, ArtifactId, AuditId, EventSeq, ProjectId, RunId, Timestamp, WorkItemId};

/// What can be read.
pub trait Read: Send + Sync {
    /// Lists projects that are not archived.
    fn projects(&self, page: Page) -> BoxFuture<'_, Result<Vec<Project>>>;
    /// Counts the projects of the list.
    fn count_projects(&self) -> BoxFuture<'_, Result<u64>>;
    /// Reads one project, archived or not.
    fn project(&self, id: ProjectId) -> BoxFuture<'_, Result<Option<Project>>>;
    /// Lists work items; archived ones only when asked for by status.
    fn work_items(&self, filter: WorkItemFilter, page: Page) -> BoxFuture<'_, Result<Vec<WorkItemView>>>;
    /// Counts the work items of the list.
    fn count_work_items(&self, filter: WorkItemFilter) -> BoxFuture<'_, Result<u64>>;
    /// Reads one work item.
    fn work_item(&self, id: WorkItemId) -> BoxFuture<'_, Result<Option<WorkItemView>>>;
    /// Lists the approvals of a work item, or of all with none; `pending_only` leaves out what is decided.
    fn approvals(
        &self,
        work_item_id: Option<WorkItemId>,
        pending_only: bool,
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<ApprovalView>>>;
    /// Reads one approval.
    fn approval(&self, id: ApprovalId) -> BoxFuture<'_, Result<Option<ApprovalView>>>;
    /// Lists runs.
    fn runs(&self, filter: RunFilter, page: Page) -> BoxFuture<'_, Result<Vec<RunView>>>;
    /// Counts the runs of the list.
    fn count_runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<u64>>;
    /// Reads one run.
    fn run(&self, id: RunId) -> BoxFuture<'_, Result<Option<RunView>>>;
    /// Lists queue entries, highest rank first.
    fn queue(&self, filter: QueueFilter, page: Page) -> BoxFuture<'_, Result<Vec<EntryView>>>;
    /// Counts the entries of the list.
    fn count_queue(&self, filter: QueueFilter) -> BoxFuture<'_, Result<u64>>;
    /// Reads a run's log, oldest first; the first line is made, not kept: `Starting run …`. None without the run.
    fn log(&self, run_id: RunId, filter: LogFilter) -> BoxFuture<'_, Result<Option<Vec<LogRecord>>>>;
    /// Reads events after a number, oldest first.
    fn events(&self, filter: EventFilter, limit: u32) -> BoxFuture<'_, Result<Vec<Event>>>;
    /// Reads the number of the newest event.
    fn newest_event(&self) -> BoxFuture<'_, Result<EventSeq>>;
    /// Lists documents.
    fn documents(&self, filter: DocumentFilter, page: Page) -> BoxFuture<'_, Result<Vec<Document>>>;
    /// Counts the documents of the list.
    fn count_documents(&self, filter: DocumentFilter) -> BoxFuture<'_, Result<u64>>;
    /// Reads one document.
    fn document(&self, kind: Kind, id: i64) -> BoxFuture<'_, Result<Option<Document>>>;
    /// Lists what a run left.
    fn artifacts(&self, run_id: RunId, page: Page) -> BoxFuture<'_, Result<Vec<Artifact>>>;
    /// Counts what a run left.
    fn artifact_totals(&self, run_id: RunId) -> BoxFuture<'_, Result<Totals>>;
    /// Reads what a run left at a path, without what is in it.
    fn artifact(&self, run_id: RunId, path: ArtifactPath) -> BoxFuture<'_, Result<Option<Artifact>>>;
    /// Reads a part of an artifact, from 0; none beyond the last, and where the artifact was replaced meanwhile.
    fn artifact_chunk(&self, id: ArtifactId, place: u32) -> BoxFuture<'_, Result<Option<Vec<u8>>>>;
    /// Lists the entries of the audit.
    fn audit(&self, filter: AuditFilter, page: Page) -> BoxFuture<'_, Result<Vec<audit::Entry>>>;
    /// Reads the audit after an entry, oldest first.
    fn audit_from(&self, after: AuditId, limit: u32) -> BoxFuture<'_, Result<Vec<audit::Entry>>>;
    /// Reads where the audit ends.
    fn audit_head(&self) -> BoxFuture<'_, Result<audit::chain::Head>>;
    /// Counts the entries of the list.
    fn count_audit(&self, filter: AuditFilter) -> BoxFuture<'_, Result<u64>>;
    /// Lists what projects used on a day, the newest project first.
    fn usage(&self, day: UtcDay, page: Page) -> BoxFuture<'_, Result<Vec<(ProjectId, Usage)>>>;
    /// Reads what a project used on a day.
    fn usage_of(&self, project_id: ProjectId, day: UtcDay) -> BoxFuture<'_, Result<Usage>>;
    /// Counts the runs of a project that are not over.
    fn active_runs(&self, project_id: ProjectId) -> BoxFuture<'_, Result<u32>>;
    /// Reads which workers and pools there are, and what of them is reserved.
    fn supply(&self, now: Timestamp) -> BoxFuture<'_, Result<Supply>>;
    /// Reads which agents were ever given something to do, of one project or of all, what they work at, and how their last work
    /// ended; where an agent is named, of those with this name.
    fn agents(
        &self,
        project_id: Option<ProjectId>,
        agent: Option<String>,
    ) -> BoxFuture<'_, Result<Vec<AgentView>>>;
    /// Reads what came of so many of the newest runs of a project's agent, the newest first.
    fn agent_outcomes(
        &self,
        project_id: ProjectId,
        agent: String,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<RunOutcome>>>;
    /// Reads how many there are of what.
    fn depths(&self) -> BoxFuture<'_, Result<Depths>>;
}
