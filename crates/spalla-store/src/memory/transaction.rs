//! A transaction on the store in memory. There is one writer, so loads lock nothing.

use super::database::{Database, Order, all_of};
use super::table::Table;
use crate::document::{Document, Kind};
use crate::error::StoreError;
use crate::tx::{
    ArtifactChunk, Body, Candidate, Changes, EdgeRow, EndedRun, Head, HeardWorker, HeldRuns, KeptReply,
    KnownQueue, PlaceRow, Placed, QueueKey, Queues, Result, Sequence, Tx,
};
use spalla_domain::approval::Approval;
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};
use spalla_domain::audit::chain::Head as AuditHead;
use spalla_domain::event::Event;
use spalla_domain::project::Project;
use spalla_domain::queue::Place;
use spalla_domain::quota::{Usage, UtcDay};
use spalla_domain::{
    ApprovalId, ArtifactId, EventSeq, ProjectId, QueueId, RunId, Timestamp, WorkItemId, WorkerId,
};
use std::collections::BTreeSet;

/// An open transaction.
pub(crate) struct MemoryTx<'a> {
    pub(crate) database: &'a mut Database,
}

impl MemoryTx<'_> {
    fn head(&self, id: WorkItemId) -> Option<Head> {
        let (queue, item) = self.database.items.get(&id)?;
        Some(Head {
            id,
            project_id: item.project_id,
            queue: *queue,
            priority: item.spec.priority,
            critical: item.spec.critical,
            on_critical_path: item.on_critical_path,
            timeout_ms: item.spec.timeout_ms,
            policy: item.policy,
            archived_at: item.archived_at,
            entry: self.database.entries.get(&id).cloned(),
            line: None,
        })
    }

    fn placed(&self, id: &WorkItemId) -> Option<Placed> {
        self.database.places.get(id).map(|row| row.placed.clone())
    }

    fn known_queues(&self) -> impl Iterator<Item = KnownQueue> {
        self.database.queues.range(..).map(|(id, key)| KnownQueue {
            id: *id,
            key: key.clone(),
            is_capped: self.database.documents.get(&(Kind::Quota, key.project_id.0)).is_some(),
            head: None,
            is_pending: false,
        })
    }

    fn best(&self, table: &Table<Order, ()>, queues: &[QueueId], limit: u32) -> Vec<Candidate> {
        let ends = |queue| (queue, i64::MIN, WorkItemId(i64::MIN))..=(queue, i64::MAX, WorkItemId(i64::MAX));
        let best = queues.iter().flat_map(|queue| table.range(ends(*queue)).take(limit as usize));
        let rows = best.filter_map(|((_, _, id), ())| self.database.places.get(id));
        rows.map(|row| Candidate { queue: row.queue, priority: row.priority, placed: row.placed.clone() })
            .collect()
    }

    fn leased(&self, keep: impl Fn(&spalla_domain::lease::Lease) -> bool) -> Vec<Placed> {
        let live = self.database.live.values().filter_map(|id| self.placed(id));
        live.filter(|placed| match &placed.place {
            Place::Leased(run) => run.lease.as_ref().is_some_and(&keep),
            _ => false,
        })
        .collect()
    }
}

impl Tx for MemoryTx<'_> {
    async fn allocate(&mut self, sequence: Sequence, count: usize) -> Result<i64> {
        let last = self.database.sequences.get(&sequence).copied().unwrap_or_default();
        self.database.sequences.put(sequence, last + count as i64);
        Ok(last + 1)
    }

    async fn projects(&mut self, ids: &[ProjectId]) -> Result<Vec<Project>> {
        Ok(ids.iter().filter_map(|id| self.database.projects.get(id).cloned()).collect())
    }

    async fn project_is_active(&mut self, id: ProjectId) -> Result<bool> {
        let mut live = self.database.live.values();
        Ok(live.any(|item| self.database.items.get(item).is_some_and(|(_, item)| item.project_id == id)))
    }

    async fn heads(&mut self, ids: &[WorkItemId]) -> Result<Vec<Head>> {
        Ok(ids.iter().filter_map(|id| self.head(*id)).collect())
    }

    async fn items(&mut self, ids: &[WorkItemId]) -> Result<(Vec<Head>, Vec<Placed>)> {
        let heads = ids.iter().filter_map(|id| self.head(*id)).collect();
        Ok((heads, ids.iter().filter_map(|id| self.placed(id)).collect()))
    }

    async fn bodies(&mut self, ids: &[WorkItemId]) -> Result<Vec<Body>> {
        let body = |id: &WorkItemId| {
            let (_, item) = self.database.items.get(id)?;
            let project = self.database.projects.get(&item.project_id)?;
            let (repository, project_limits) = (project.repository.clone(), project.limits.clone());
            Some(Body { item: item.clone(), repository, project_limits })
        };
        Ok(ids.iter().filter_map(body).collect())
    }

    async fn live_runs(&mut self, ids: &[RunId]) -> Result<Vec<Placed>> {
        Ok(ids.iter().filter_map(|id| self.placed(self.database.live.get(id)?)).collect())
    }

    async fn ended_runs(&mut self, ids: &[RunId]) -> Result<Vec<EndedRun>> {
        Ok(ids.iter().filter_map(|id| self.database.ended.get(id).cloned()).collect())
    }

    async fn edges_above(&mut self, children: &[WorkItemId]) -> Result<Vec<EdgeRow>> {
        let rows = children.iter().flat_map(|id| self.database.above.range(all_of(*id)));
        Ok(rows
            .map(|((child, parent), when)| EdgeRow { parent: *parent, child: *child, when: *when })
            .collect())
    }

    async fn edges_below(&mut self, parents: &[WorkItemId]) -> Result<Vec<EdgeRow>> {
        let rows = parents.iter().flat_map(|id| self.database.below.range(all_of(*id)));
        Ok(rows
            .map(|((parent, child), when)| EdgeRow { parent: *parent, child: *child, when: *when })
            .collect())
    }

    async fn ancestry(&mut self, of: WorkItemId) -> Result<Vec<(WorkItemId, WorkItemId)>> {
        let (mut seen, mut next, mut edges) = (BTreeSet::from([of]), vec![of], vec![]);
        while let Some(child) = next.pop() {
            for ((_, parent), _) in self.database.above.range(all_of(child)) {
                edges.push((child, *parent));
                if seen.insert(*parent) {
                    next.push(*parent);
                }
            }
        }
        Ok(edges)
    }

    async fn approvals(&mut self, ids: &[ApprovalId]) -> Result<Vec<Approval>> {
        Ok(ids.iter().filter_map(|id| self.database.approvals.get(id).cloned()).collect())
    }

    async fn approvals_of(&mut self, items: &[WorkItemId]) -> Result<Vec<Approval>> {
        Ok(self.database.approvals.values().filter(|a| items.contains(&a.work_item_id)).cloned().collect())
    }

    async fn log_ends(&mut self, runs: &[RunId]) -> Result<Vec<(RunId, i64)>> {
        let last = |run: &RunId| {
            let chunks = self.database.log_chunks.range((*run, i64::MIN)..=(*run, i64::MAX));
            chunks.last().map(|(_, chunk)| (*run, chunk.first_seq + i64::from(chunk.lines)))
        };
        Ok(runs.iter().filter_map(last).collect())
    }

    async fn queues(&mut self) -> Result<Queues> {
        let projects = &self.database.projects;
        let is_live = |queue: &KnownQueue| {
            projects.get(&queue.key.project_id).is_some_and(|project| project.archived_at.is_none())
        };
        let found = self.known_queues().filter(is_live).collect();
        Ok(Queues { found, is_whole: true })
    }

    async fn find_queues(&mut self, keys: &[QueueKey]) -> Result<Vec<KnownQueue>> {
        Ok(self.known_queues().filter(|queue| keys.contains(&queue.key)).collect())
    }

    async fn load_queues(&mut self, ids: &[QueueId]) -> Result<Vec<KnownQueue>> {
        Ok(self.known_queues().filter(|queue| ids.contains(&queue.id)).collect())
    }

    async fn replies(&mut self, keys: &[String]) -> Result<Vec<KeptReply>> {
        Ok(keys.iter().filter_map(|key| self.database.replies.get(key).cloned()).collect())
    }

    async fn pick_ready(&mut self, queues: &[QueueId], limit: u32) -> Result<Vec<Candidate>> {
        Ok(self.best(&self.database.ready, queues, limit))
    }

    async fn pick_pending(&mut self, queues: &[QueueId], limit: u32, _: bool) -> Result<Vec<Candidate>> {
        Ok(self.best(&self.database.pending, queues, limit))
    }

    async fn pick_due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Placed>> {
        let due = self.database.due.range(..=(now, WorkItemId(i64::MAX)));
        Ok(due.take(limit as usize).filter_map(|((_, id), ())| self.placed(id)).collect())
    }

    async fn pick_overdue(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Placed>> {
        let mut overdue = self.leased(|lease| lease.is_expired(now));
        overdue.truncate(limit as usize);
        Ok(overdue)
    }

    async fn documents(&mut self, kind: Kind, ids: &[i64]) -> Result<Vec<Document>> {
        Ok(ids.iter().filter_map(|id| self.database.documents.get(&(kind, *id)).cloned()).collect())
    }

    async fn documents_of(&mut self, kind: Kind, owner: i64) -> Result<Vec<Document>> {
        Ok(self.database.documents_of(kind).filter(|document| document.owner == owner).cloned().collect())
    }

    async fn document_count(&mut self, kind: Kind) -> Result<u64> {
        Ok(self.database.documents_of(kind).count() as u64)
    }

    async fn artifact_at(&mut self, run: RunId, path: &ArtifactPath) -> Result<(Option<Artifact>, Totals)> {
        let known = self.database.artifacts.get(&(run, path.clone())).cloned();
        Ok((known, self.database.artifact_totals(run)))
    }

    async fn audit_head(&mut self) -> Result<AuditHead> {
        Ok(self.database.audit_head.get(&()).copied().unwrap_or(AuditHead::NONE))
    }

    async fn usage(&mut self, project_id: ProjectId, day: UtcDay) -> Result<Usage> {
        Ok(self.database.usage.get(&(project_id, day)).copied().unwrap_or(Usage::none(day)))
    }

    async fn active_runs(&mut self, project_id: Option<ProjectId>, agent: Option<&str>) -> Result<u32> {
        Ok(self.database.active_runs(project_id, agent))
    }

    async fn reserved(&mut self) -> Result<Vec<HeldRuns>> {
        Ok(self.database.held_runs(false))
    }

    async fn workers(&mut self, since: Timestamp) -> Result<Vec<HeardWorker>> {
        Ok(self.database.heard_since(since))
    }

    async fn first_ready(&mut self, queues: &[QueueId]) -> Result<Vec<(QueueId, WorkItemId)>> {
        let first = |queue: &QueueId| {
            let all = (*queue, i64::MIN, WorkItemId(i64::MIN))..=(*queue, i64::MAX, WorkItemId(i64::MAX));
            self.database.ready.range(all).next().map(|((queue, _, id), ())| (*queue, *id))
        };
        Ok(queues.iter().filter_map(first).collect())
    }

    async fn pick_due_documents(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Document>> {
        let is_due = |document: &&Document| document.due_at.is_some_and(|at| at <= now);
        let mut due: Vec<_> = self.database.documents.values().filter(is_due).cloned().collect();
        due.sort_by_key(|document| (document.due_at, document.kind, document.id));
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn pick_held_by(&mut self, worker: &WorkerId) -> Result<Vec<Placed>> {
        Ok(self.leased(|lease| lease.worker == *worker))
    }

    async fn held_back(&mut self, limit: u32) -> Result<Vec<Placed>> {
        let held = |row: &&PlaceRow| matches!(row.placed.place, Place::Blocked(_) | Place::Delayed { .. });
        Ok(self
            .database
            .places
            .values()
            .filter(held)
            .take(limit as usize)
            .map(|row| row.placed.clone())
            .collect())
    }

    async fn next_moment(&mut self) -> Result<Option<Timestamp>> {
        let due = self.database.due.range(..).next().map(|((at, _), ())| *at);
        let lease = self.leased(|_| true).into_iter().filter_map(|placed| match placed.place {
            Place::Leased(run) => run.lease.map(|lease| lease.until),
            _ => None,
        });
        let documents = self.database.documents.values().filter_map(|document| document.due_at);
        Ok(lease.chain(due).chain(documents).min())
    }

    async fn write(&mut self, changes: Changes) -> Result<Vec<Event>> {
        let database = &mut *self.database;
        write_fixed(database, &changes);
        write_places(database, &changes)?;
        for run in changes.runs_ended {
            check(database.ended.put(run.id, run), "run")?;
        }
        for EdgeRow { parent, child, when } in changes.edges_made {
            check(database.below.put((parent, child), when), "dep")?;
            database.above.put((child, parent), when);
        }
        for chunk in changes.log_chunks {
            check(database.log_chunks.put((chunk.run_id, chunk.first_seq), chunk), "log_chunk")?;
        }
        write_artifacts(database, changes.artifacts_made, changes.artifacts_replaced)?;
        for id in changes.artifact_chunks_gone {
            let of_it = database.artifact_chunks.range((id, 0)..=(id, u32::MAX));
            let places: Vec<_> = of_it.map(|(place, _)| *place).collect();
            places.iter().for_each(|place| drop(database.artifact_chunks.take(place)));
        }
        for ArtifactChunk { artifact_id, place, data } in changes.artifact_chunks {
            check(database.artifact_chunks.put((artifact_id, place), data), "artifact_chunk")?;
        }
        for (project, day, used) in changes.used {
            let usage = database.usage.get(&(project, day)).copied().unwrap_or(Usage::none(day));
            database.usage.put((project, day), usage.plus(used, usage.day.end().plus_ms(-1)));
        }
        for document in changes.documents {
            database.documents.put((document.kind, document.id), document);
        }
        for gone in &changes.documents_gone {
            database.documents.take(gone);
        }
        for worker in changes.workers_heard {
            database.hear(worker);
        }

        if let Some(last) = changes.audited.last() {
            database.audit_head.put((), AuditHead { id: last.id, hash: last.hash });
        }
        for entry in changes.audited {
            check(database.audit.put(entry.id, entry), "audit")?;
        }
        for reply in changes.replies {
            check(database.replies.put(reply.key.clone(), reply), "reply")?;
        }
        let last = database.events.last().map_or(0, |(seq, _)| seq.0);
        let events: Vec<_> = changes
            .events
            .into_iter()
            .zip(last + 1..)
            .map(|(new, seq)| new.numbered(EventSeq(seq)))
            .collect();
        for event in &events {
            database.events.put(event.seq, event.clone());
        }
        Ok(events)
    }
}

fn write_fixed(database: &mut Database, changes: &Changes) {
    for project in changes.projects_made.iter().chain(&changes.projects_changed) {
        database.projects.put(project.id, project.clone());
    }
    for (id, key) in &changes.queues_made {
        database.queues.put(*id, key.clone());
    }
    for (queue, item) in changes.items_made.iter().chain(&changes.items_changed) {
        database.items.put(item.id, (*queue, item.clone()));
    }
    for (_, entry) in changes.entries_made.iter().chain(&changes.entries_changed) {
        database.entries.put(entry.work_item_id, entry.clone());
    }
    for approval in changes.approvals_made.iter().chain(&changes.approvals_decided) {
        database.approvals.put(approval.id, approval.clone());
    }
}

fn write_artifacts(
    database: &mut Database,
    made: Vec<Artifact>,
    replaced: Vec<(ArtifactId, Artifact)>,
) -> Result<()> {
    for artifact in made {
        check(database.artifacts.put((artifact.run_id, artifact.path.clone()), artifact), "artifact")?;
    }
    for (known, artifact) in replaced {
        let key = (artifact.run_id, artifact.path.clone());
        check(database.artifacts.get(&key).is_some_and(|there| there.id == known), "artifact")?;
        database.artifacts.put(key, artifact);
    }
    Ok(())
}

fn write_places(database: &mut Database, changes: &Changes) -> Result<()> {
    for row in &changes.left {
        check(database.leave(row), "place")?;
    }
    for (before, after) in &changes.moved_within {
        check(database.leave(before), "place")?;
        check(database.enter(after.clone()), "place")?;
    }
    for row in &changes.entered {
        check(database.enter(row.clone()), "place")?;
    }
    Ok(())
}

fn check(fits: bool, what: &'static str) -> Result<()> {
    if fits { Ok(()) } else { Err(StoreError::Conflict { what }) }
}
