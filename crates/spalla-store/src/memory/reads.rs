//! The reads of the store in memory: plain walks over its tables.

use super::STORE_ID;
use super::database::{Database, all_of};
use super::lock;
use crate::crew::WORKER_KEPT_MS;
use crate::document::{Document, Kind};
use crate::event_chunk::fits;
use crate::log_chunk::{self, first_line};
use crate::read::Read;
use crate::supply::{AgentRow, Bounds, Found, LastEnded, gather_agents, weigh};
use crate::trace::trace_id;
use crate::tx::{EndedRun, KnownQueue, PlaceRow, QueueKey, Result};
use crate::view::{
    AgentView, ApprovalView, AuditFilter, Depths, DocumentFilter, EntryView, EventFilter, LogFilter,
    LogRecord, Page, QueueFilter, RunFilter, RunOutcome, RunView, Supply, WorkItemFilter, WorkItemView,
    reason_of,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use spalla_domain::approval::{Approval, Status as ApprovalStatus};
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};
use spalla_domain::audit;
use spalla_domain::event::Event;
use spalla_domain::project::Project;
use spalla_domain::queue::{Holds, Place};
use spalla_domain::quota::{Usage, UtcDay};
use spalla_domain::run::LiveRun;
use spalla_domain::work_item::{Dependency, Status, WorkItem};
use spalla_domain::{
    ApprovalId, ArtifactId, AuditId, EventSeq, Fence, ProjectId, QueueId, RunId, Timestamp, WorkItemId,
};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

/// The reads.
pub(crate) struct MemoryReads {
    pub(crate) database: Arc<Mutex<Database>>,
    pub(crate) bounds: Bounds,
}

impl MemoryReads {
    fn read<T: Send + 'static>(&self, read: impl FnOnce(&Database) -> T) -> BoxFuture<'static, Result<T>> {
        let read = read(&lock(&self.database));
        std::future::ready(Ok(read)).boxed()
    }
}

fn page<T>(rows: impl Iterator<Item = T>, id: impl Fn(&T) -> i64, page: Page) -> Vec<T> {
    let below = rows.filter(|row| page.before.is_none_or(|before| id(row) < before));
    below.skip(page.offset as usize).take(page.limit as usize).collect()
}

fn contains(text: Option<&String>, q: &str) -> bool {
    text.is_some_and(|text| text.to_lowercase().contains(&q.to_lowercase()))
}

impl Database {
    fn place(&self, id: WorkItemId) -> &Place {
        self.places.get(&id).map_or(&Place::Open, |row| &row.placed.place)
    }

    fn item_view(&self, item: &WorkItem) -> WorkItemView {
        let place = self.place(item.id);
        let status = if item.archived_at.is_some() { Status::Archived } else { place.status() };
        let depends_on = self.above.range(all_of(item.id));
        WorkItemView {
            item: item.clone(),
            status,
            reason: reason_of(place),
            depends_on: depends_on
                .map(|((_, parent), when)| Dependency { id: *parent, when: *when })
                .collect(),
        }
    }

    fn listed_items(&self, filter: &WorkItemFilter) -> Vec<WorkItemView> {
        let fits = |view: &WorkItemView| {
            let spec = &view.item.spec;
            filter.project_id.is_none_or(|id| view.item.project_id == id)
                && filter.status.map_or(view.status != Status::Archived, |status| view.status == status)
                && filter.label.as_ref().is_none_or(|label| spec.labels.contains(label))
                && filter.q.as_ref().is_none_or(|q| {
                    [Some(&spec.title), spec.description.as_ref(), spec.prompt.as_ref()]
                        .into_iter()
                        .any(|text| contains(text, q))
                })
        };
        self.items.range(..).rev().map(|(_, (_, item))| self.item_view(item)).filter(fits).collect()
    }

    fn live_view(&self, row: &PlaceRow, run: &LiveRun) -> Option<RunView> {
        let (_, item) = self.items.get(&row.placed.id)?;
        Some(RunView {
            id: run.id,
            work_item_id: item.id,
            project_id: item.project_id,
            status: run.status(),
            attempt: row.placed.standing.attempt,
            takeovers: run.takeovers,
            lease: run.lease.clone(),
            worker: run.lease.as_ref().map(|lease| lease.worker.clone()),
            fence: run.started_at.map(|_| row.placed.standing.fence),
            agent: item.spec.agent.clone(),
            executor: item.spec.executor,
            title: item.spec.title.clone(),
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: None,
            exit_code: None,
            result: None,
            usage: None,
            error: None,
            sandbox: None,
            trace_id: trace_id(STORE_ID, run.id),
        })
    }

    fn ended_view(&self, run: &EndedRun) -> Option<RunView> {
        let (_, item) = self.items.get(&run.work_item_id)?;
        Some(RunView {
            id: run.id,
            work_item_id: item.id,
            project_id: item.project_id,
            status: run.outcome.status(),
            attempt: run.attempt,
            takeovers: run.takeovers,
            lease: None,
            worker: run.worker.clone(),
            fence: Some(run.fence).filter(|fence| *fence != Fence::NONE),
            agent: item.spec.agent.clone(),
            executor: item.spec.executor,
            title: item.spec.title.clone(),
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: Some(run.ended_at),
            exit_code: run.exit_code,
            result: run.result.clone(),
            usage: run.usage.clone(),
            error: run.error.clone(),
            sandbox: run.sandbox.clone(),
            trace_id: trace_id(STORE_ID, run.id),
        })
    }

    fn run_view(&self, id: RunId) -> Option<RunView> {
        if let Some(run) = self.ended.get(&id) {
            return self.ended_view(run);
        }
        let row = self.places.get(self.live.get(&id)?)?;
        match &row.placed.place {
            Place::Leased(run) => self.live_view(row, run),
            _ => None,
        }
    }

    fn listed_runs(&self, filter: &RunFilter) -> Vec<RunView> {
        let ids = self.live.range(..).map(|(id, _)| *id).chain(self.ended.range(..).map(|(id, _)| *id));
        let mut runs: Vec<_> = ids.filter_map(|id| self.run_view(id)).collect();
        runs.retain(|run| {
            filter.work_item_id.is_none_or(|id| run.work_item_id == id)
                && filter.project_id.is_none_or(|id| run.project_id == id)
                && filter.status.is_none_or(|status| run.status == status)
                && filter.agent.as_ref().is_none_or(|agent| run.agent.as_ref() == Some(agent))
        });
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        runs
    }

    fn last_ended(&self) -> LastEnded {
        let mut last = LastEnded::new();
        for (_, run) in self.ended.range(..) {
            let Some((_, item)) = self.items.get(&run.work_item_id) else { continue };
            let Some(agent) = &item.spec.agent else { continue };
            // The newest comes last.
            last.insert((item.project_id, agent.clone()), Some(run.outcome.status()));
        }
        last
    }

    fn listed_queue(&self, filter: &QueueFilter) -> Vec<EntryView> {
        let mut entries: Vec<_> = self.places.values().filter_map(|row| self.entry_view(row)).collect();
        entries.retain(|entry| {
            filter.project_id.is_none_or(|id| entry.project_id == id)
                && filter.reason.is_none_or(|reason| entry.reason == reason)
        });
        entries.sort_by_key(|entry| (entry.prio, entry.work_item_id));
        entries
    }

    fn entry_view(&self, row: &PlaceRow) -> Option<EntryView> {
        let holds = match &row.placed.place {
            Place::Blocked(holds) => *holds,
            Place::Delayed { due_at } => Holds { due_at: Some(*due_at), ..Holds::default() },
            Place::Ready => Holds::default(),
            Place::Open | Place::Leased(_) | Place::Finished(_) => return None,
        };
        let (entry, (_, item)) = (self.entries.get(&row.placed.id)?, self.items.get(&row.placed.id)?);
        Some(EntryView {
            id: entry.id,
            work_item_id: item.id,
            project_id: item.project_id,
            queue: row.queue,
            title: item.spec.title.clone(),
            priority: entry.priority,
            set_priority: entry.set_priority(),
            prio: row.placed.standing.prio,
            enqueued_at: entry.enqueued_at,
            unmet: holds.unmet,
            approvals: holds.approvals(),
            due_at: holds.due_at,
            reason: reason_of(&row.placed.place),
        })
    }

    fn approval_view(&self, approval: &Approval) -> Option<ApprovalView> {
        let (_, item) = self.items.get(&approval.work_item_id)?;
        Some(ApprovalView { approval: approval.clone(), title: item.spec.title.clone() })
    }

    fn log_lines(&self, run_id: RunId, filter: &LogFilter) -> Result<Option<Vec<LogRecord>>> {
        let Some(run) = self.run_view(run_id) else { return Ok(None) };
        let mut lines = vec![first_line(run.id, run.work_item_id, run.attempt, run.created_at)];
        for ((_, first_seq), chunk) in self.log_chunks.range((run_id, i64::MIN)..=(run_id, i64::MAX)) {
            lines.extend(log_chunk::unpack(*first_seq, &chunk.data)?);
        }
        Ok(Some(filter.apply(lines)))
    }
}

impl Read for MemoryReads {
    fn projects(&self, at: Page) -> BoxFuture<'_, Result<Vec<Project>>> {
        self.read(|db| {
            let live = db.projects.range(..).rev().map(|(_, project)| project);
            page(live.filter(|project| project.archived_at.is_none()).cloned(), |project| project.id.0, at)
        })
    }

    fn count_projects(&self) -> BoxFuture<'_, Result<u64>> {
        self.read(|db| db.projects.values().filter(|project| project.archived_at.is_none()).count() as u64)
    }

    fn project(&self, id: ProjectId) -> BoxFuture<'_, Result<Option<Project>>> {
        self.read(|db| db.projects.get(&id).cloned())
    }

    fn work_items(&self, filter: WorkItemFilter, at: Page) -> BoxFuture<'_, Result<Vec<WorkItemView>>> {
        self.read(|db| page(db.listed_items(&filter).into_iter(), |view| view.item.id.0, at))
    }

    fn count_work_items(&self, filter: WorkItemFilter) -> BoxFuture<'_, Result<u64>> {
        self.read(|db| db.listed_items(&filter).len() as u64)
    }

    fn work_item(&self, id: WorkItemId) -> BoxFuture<'_, Result<Option<WorkItemView>>> {
        self.read(|db| db.items.get(&id).map(|(_, item)| db.item_view(item)))
    }

    fn approvals(
        &self,
        item: Option<WorkItemId>,
        pending_only: bool,
        at: Page,
    ) -> BoxFuture<'_, Result<Vec<ApprovalView>>> {
        self.read(|db| {
            let newest = db.approvals.range(..).rev().map(|(_, approval)| approval);
            let fits = newest
                .filter(|approval| item.is_none_or(|id| approval.work_item_id == id))
                .filter(|approval| !pending_only || approval.status == ApprovalStatus::Pending);
            page(fits.filter_map(|approval| db.approval_view(approval)), |view| view.approval.id.0, at)
        })
    }

    fn approval(&self, id: ApprovalId) -> BoxFuture<'_, Result<Option<ApprovalView>>> {
        self.read(|db| db.approvals.get(&id).and_then(|approval| db.approval_view(approval)))
    }

    fn runs(&self, filter: RunFilter, at: Page) -> BoxFuture<'_, Result<Vec<RunView>>> {
        self.read(|db| page(db.listed_runs(&filter).into_iter(), |run| run.id.0, at))
    }

    fn count_runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<u64>> {
        self.read(|db| db.listed_runs(&filter).len() as u64)
    }

    fn run(&self, id: RunId) -> BoxFuture<'_, Result<Option<RunView>>> {
        self.read(|db| db.run_view(id))
    }

    fn queue(&self, filter: QueueFilter, at: Page) -> BoxFuture<'_, Result<Vec<EntryView>>> {
        let at = Page { before: None, ..at };
        self.read(|db| page(db.listed_queue(&filter).into_iter(), |entry| entry.id.0, at))
    }

    fn count_queue(&self, filter: QueueFilter) -> BoxFuture<'_, Result<u64>> {
        self.read(|db| db.listed_queue(&filter).len() as u64)
    }

    fn log(&self, run_id: RunId, filter: LogFilter) -> BoxFuture<'_, Result<Option<Vec<LogRecord>>>> {
        let lines = lock(&self.database).log_lines(run_id, &filter);
        std::future::ready(lines).boxed()
    }

    fn events(&self, filter: EventFilter, limit: u32) -> BoxFuture<'_, Result<Vec<Event>>> {
        self.read(|db| {
            let after = filter.after.unwrap_or(EventSeq(0));
            let later = db.events.range((Bound::Excluded(after), Bound::Unbounded)).map(|(_, event)| event);
            later.filter(|event| fits(&filter, event)).take(limit as usize).cloned().collect()
        })
    }

    fn newest_event(&self) -> BoxFuture<'_, Result<EventSeq>> {
        self.read(|db| db.events.last().map_or(EventSeq(0), |(seq, _)| *seq))
    }

    fn documents(&self, filter: DocumentFilter, at: Page) -> BoxFuture<'_, Result<Vec<Document>>> {
        self.read(|db| page(db.listed_documents(filter).cloned(), |document| document.id, at))
    }

    fn count_documents(&self, filter: DocumentFilter) -> BoxFuture<'_, Result<u64>> {
        self.read(|db| db.listed_documents(filter).count() as u64)
    }

    fn document(&self, kind: Kind, id: i64) -> BoxFuture<'_, Result<Option<Document>>> {
        self.read(|db| db.documents.get(&(kind, id)).cloned())
    }

    fn artifacts(&self, run_id: RunId, at: Page) -> BoxFuture<'_, Result<Vec<Artifact>>> {
        self.read(|db| {
            let mut all: Vec<Artifact> = db.artifacts_of(run_id).cloned().collect();
            all.sort_by_key(|artifact| std::cmp::Reverse(artifact.id));
            page(all.into_iter(), |artifact| artifact.id.0, at)
        })
    }

    fn artifact_totals(&self, run_id: RunId) -> BoxFuture<'_, Result<Totals>> {
        self.read(|db| db.artifact_totals(run_id))
    }

    fn artifact(&self, run_id: RunId, path: ArtifactPath) -> BoxFuture<'_, Result<Option<Artifact>>> {
        self.read(|db| db.artifacts.get(&(run_id, path)).cloned())
    }

    fn artifact_chunk(&self, id: ArtifactId, place: u32) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        self.read(|db| db.artifact_chunks.get(&(id, place)).cloned())
    }

    fn audit(&self, filter: AuditFilter, at: Page) -> BoxFuture<'_, Result<Vec<audit::Entry>>> {
        self.read(|db| {
            let newest = db.audit.range(..).rev().map(|(_, entry)| entry);
            page(newest.filter(|entry| filter.shows(entry)).cloned(), |entry| entry.id.0, at)
        })
    }

    fn audit_from(&self, after: AuditId, limit: u32) -> BoxFuture<'_, Result<Vec<audit::Entry>>> {
        self.read(|db| {
            let after = db.audit.range(AuditId(after.0 + 1)..).map(|(_, entry)| entry.clone());
            after.take(limit as usize).collect()
        })
    }

    fn audit_head(&self) -> BoxFuture<'_, Result<audit::chain::Head>> {
        self.read(|db| db.audit_head.get(&()).copied().unwrap_or(audit::chain::Head::NONE))
    }

    fn count_audit(&self, filter: AuditFilter) -> BoxFuture<'_, Result<u64>> {
        self.read(|db| db.audit.values().filter(|entry| filter.shows(entry)).count() as u64)
    }

    fn usage(&self, day: UtcDay, at: Page) -> BoxFuture<'_, Result<Vec<(ProjectId, Usage)>>> {
        self.read(|db| {
            let of_day = db.usage.range(..).rev().filter(|((_, known), _)| *known == day);
            page(of_day.map(|((project, _), usage)| (*project, *usage)), |(project, _)| project.0, at)
        })
    }

    fn usage_of(&self, project_id: ProjectId, day: UtcDay) -> BoxFuture<'_, Result<Usage>> {
        self.read(|db| db.usage.get(&(project_id, day)).copied().unwrap_or(Usage::none(day)))
    }

    fn active_runs(&self, project_id: ProjectId) -> BoxFuture<'_, Result<u32>> {
        self.read(|db| db.active_runs(Some(project_id), None))
    }

    fn supply(&self, now: Timestamp) -> BoxFuture<'_, Result<Supply>> {
        let bounds = self.bounds.clone();
        self.read(move |db| {
            let workers = db.heard_since(now.plus_ms(-WORKER_KEPT_MS));
            let queue = |(id, key): (&QueueId, &QueueKey)| KnownQueue {
                id: *id,
                key: key.clone(),
                is_capped: false,
                head: None,
                is_pending: false,
            };
            let queues = db.queues.range(..).map(queue).collect();
            weigh(&bounds, Found { workers, held: db.held_runs(true), queues }, now)
        })
    }

    fn agents(
        &self,
        project_id: Option<ProjectId>,
        agent: Option<String>,
    ) -> BoxFuture<'_, Result<Vec<AgentView>>> {
        self.read(move |db| {
            let mut rows = Vec::<AgentRow>::new();
            let is_wanted = |key: &QueueKey| {
                project_id.is_none_or(|id| key.project_id == id) && (agent.is_none() || key.agent == agent)
            };
            for (id, key) in db.queues.range(..).filter(|(_, key)| is_wanted(key)) {
                let Some(agent) = &key.agent else { continue };
                rows.push((key.project_id, agent.clone(), None));
                let held = db.live.range(..).filter_map(|(run, item)| {
                    let row = db.places.get(item).filter(|row| row.queue == *id)?;
                    let Place::Leased(live) = &row.placed.place else { return None };
                    live.lease.as_ref().map(|_| (*item, *run))
                });
                rows.extend(held.map(|held| (key.project_id, agent.clone(), Some(held))));
            }
            rows.sort_by(|a, b| {
                (a.0, &a.1, a.2.map(|held| held.1)).cmp(&(b.0, &b.1, b.2.map(|held| held.1)))
            });
            gather_agents(rows, &db.last_ended())
        })
    }

    fn agent_outcomes(
        &self,
        project_id: ProjectId,
        agent: String,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<RunOutcome>>> {
        self.read(move |db| {
            let filter =
                RunFilter { project_id: Some(project_id), agent: Some(agent), ..RunFilter::default() };
            let runs = db.listed_runs(&filter).into_iter().take(limit as usize);
            let outcome = |run: RunView| RunOutcome {
                status: run.status,
                started_at: run.started_at,
                ended_at: run.ended_at,
                usage: run.usage,
            };
            runs.map(outcome).collect()
        })
    }

    fn depths(&self) -> BoxFuture<'_, Result<Depths>> {
        self.read(|db| {
            let mut depths = Depths::default();
            for row in db.places.values() {
                match &row.placed.place {
                    Place::Ready => depths.ready += 1,
                    Place::Delayed { .. } => depths.delayed += 1,
                    Place::Blocked(_) => depths.blocked += 1,
                    Place::Leased(run) if run.lease.is_none() => depths.pending += 1,
                    Place::Leased(_) => depths.running += 1,
                    Place::Open | Place::Finished(_) => {}
                }
            }
            depths
        })
    }
}
