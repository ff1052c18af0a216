//! Work items: make, change, put away.

use super::approval_policy::demand;
use super::dependencies::{parent_of, propagate};
use super::enqueue::{check_can_be_waited_for, check_live, is_queued, place, rerank};
use crate::command::{PlannedItem, Reply};
use crate::desk::{Answer, Desk};
use crate::error::ExecuteError;
use crate::tx::{EdgeRow, Head, QueueKey, Sequence, Tx};
use spalla_domain::chosen::StandsIn;
use spalla_domain::event::Fact;
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::queue::critical_path::on_longest_chain;
use spalla_domain::queue::{self, Place};
use spalla_domain::work_item::{
    Dependency, NewWorkItem, Policy, Spec, SpecPatch, When, WorkItem, check_not_archived,
};
use spalla_domain::{ProjectId, QueueId, Refusal, WorkItemId, problem::Code};
use std::collections::BTreeSet;

/// Makes work items with their dependencies, all or none.
pub(crate) async fn create<T: Tx>(
    desk: &mut Desk<'_, T>,
    planned: &[PlannedItem],
    enqueue: bool,
) -> Answer<Reply> {
    check(desk, planned).await?;
    desk.reserve(Sequence::WorkItem, planned.len()).await?;
    if enqueue {
        desk.reserve(Sequence::Entry, planned.len()).await?;
    }
    desk.look_for_queues(planned.iter().map(|new| queue_key(new.item.project_id, &new.item.spec))).await?;
    let mut ids: Vec<WorkItemId> = Vec::with_capacity(planned.len());
    let after: Vec<Vec<usize>> =
        planned.iter().map(|planned| planned.after.iter().map(|(index, _)| *index).collect()).collect();
    let path = on_longest_chain(&after);
    for (PlannedItem { item, after }, on_critical_path) in planned.iter().zip(path) {
        let id = WorkItemId(desk.next_id(Sequence::WorkItem).await?);
        // A new item closes no circle: nothing waits for it yet.
        let among = after.iter().filter_map(|(index, when)| ids.get(*index).map(|parent| (*parent, *when)));
        let others = item.depends_on.iter().map(|dependency| (dependency.id, dependency.when));
        let mut parents: Vec<_> = others.chain(among).collect();
        parents.sort_by_key(|(parent, _)| *parent);
        parents.dedup_by_key(|(parent, _)| *parent);
        make(desk, id, item, on_critical_path, &parents).await?;
        for (parent, when) in parents {
            desk.add_edge(EdgeRow { parent, child: id, when }).await?;
        }
        demand(desk, id, item.project_id, &item.spec).await?;
        ids.push(id);
    }
    if enqueue {
        for id in &ids {
            place(desk, *id, None, None).await?;
        }
    }
    Ok(Reply::WorkItems(ids))
}

async fn check<T: Tx>(desk: &mut Desk<'_, T>, planned: &[PlannedItem]) -> Answer<()> {
    let parents = planned.iter().flat_map(|planned| &planned.item.depends_on);
    desk.load_items(parents.map(|dependency| dependency.id)).await?;
    let mut known = BTreeSet::new();
    for (place, PlannedItem { item, after }) in planned.iter().enumerate() {
        if known.insert(item.project_id) {
            let project =
                desk.project(item.project_id).await.map_err(|error| of_entry(error, place, planned))?;
            check_not_archived(&project, None).map_err(|refusal| of_entry(refusal.into(), place, planned))?;
        }
        check_fits(desk, &item.spec).map_err(|refusal| of_entry(refusal.into(), place, planned))?;
        for dependency in &item.depends_on {
            let parent = desk.item(dependency.id).await.map_err(|error| of_entry(error, place, planned))?;
            check_can_be_waited_for(dependency.id, parent.head.archived_at)
                .map_err(|refusal| of_entry(refusal.into(), place, planned))?;
        }
        if let Some((later, _)) = after.iter().find(|(index, _)| *index >= place) {
            let detail = format!("item {place} waits for item {later}, which does not come before it");
            return Err(Refusal::new(Code::DependencyCycle, detail).into());
        }
    }
    Ok(())
}

/// Refuses what no configured pool could ever hold, and more than the operator allows.
fn check_fits<T: Tx>(desk: &Desk<'_, T>, spec: &Spec) -> Result<(), Refusal> {
    check_pools(desk, spec)?;
    check_limits(desk, spec)
}

fn check_pools<T: Tx>(desk: &Desk<'_, T>, spec: &Spec) -> Result<(), Refusal> {
    match &spec.resources {
        Some(wish) => desk.context.settings.pools.check(spec.agent.as_deref(), wish),
        None => Ok(()),
    }
}

fn check_limits<T: Tx>(desk: &Desk<'_, T>, spec: &Spec) -> Result<(), Refusal> {
    match &spec.limits {
        Some(limits) => desk.context.settings.allowed.check(spec.agent.as_deref(), limits),
        None => Ok(()),
    }
}

/// Says which of several items was refused.
fn of_entry(error: ExecuteError, place: usize, planned: &[PlannedItem]) -> ExecuteError {
    match error {
        ExecuteError::Refused(refusal) if planned.len() > 1 => {
            let detail = format!("entry {place}: {}", refusal.detail);
            Refusal { detail, ..refusal }.into()
        }
        error => error,
    }
}

async fn make<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    new: &NewWorkItem,
    on_critical_path: bool,
    parents: &[(WorkItemId, When)],
) -> Answer<()> {
    let NewWorkItem { project_id, spec, .. } = new;
    let project_id = *project_id;
    let queue = desk.queue(queue_key(project_id, spec)).await?;
    let now = desk.context.now;
    let item = WorkItem {
        id,
        project_id,
        spec: spec.clone(),
        policy: Policy::default(),
        on_critical_path,
        created_at: now,
        updated_at: now,
        archived_at: None,
    };
    desk.make_item(head(queue, &item));
    desk.make_edges(id);
    desk.staged.items_made.push((queue, item));
    let depends_on = parents.iter().map(|(id, when)| Dependency { id: *id, when: *when }).collect();
    let made = Fact::WorkItemCreated { title: spec.title.clone(), critical: spec.critical, depends_on };
    let mut facts = vec![made];
    if let Some(chosen) = &spec.definition
        && let Some(StandsIn { wanted, notify }) = chosen.stands_in.clone()
    {
        facts.push(Fact::AgentMissing { wanted, used: chosen.id.clone(), notify });
    }
    desk.facts(id, None, facts);
    Ok(())
}

fn queue_key(project_id: ProjectId, spec: &Spec) -> QueueKey {
    let Spec { executor, labels, agent, resources, .. } = spec.clone();
    QueueKey { project_id, executor, labels, agent, resources }
}

fn head(queue: QueueId, item: &WorkItem) -> Head {
    Head {
        id: item.id,
        project_id: item.project_id,
        queue,
        priority: item.spec.priority,
        critical: item.spec.critical,
        on_critical_path: item.on_critical_path,
        timeout_ms: item.spec.timeout_ms,
        policy: item.policy,
        archived_at: item.archived_at,
        entry: None,
        line: None,
    }
}

/// Changes a work item, its recipe or its policy; where it waits in the queue, its order there follows.
pub(crate) async fn update<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    patch: &SpecPatch,
    policy: Policy,
) -> Answer<Reply> {
    check_live(desk, id).await?;
    let mut item = body(desk, id).await?;
    let spec = patch.clone().apply(&item.spec).checked()?;
    check_pools(desk, &spec)?;
    // What was asked for when the operator allowed more stays, and gives no more than what is allowed by now.
    if (&spec.limits, &spec.agent) != (&item.spec.limits, &item.spec.agent) {
        check_limits(desk, &spec)?;
    }
    let mut changed = changed_members(&item.spec, &spec);
    let has_moved = desk.item(id).await?.head.entry.as_ref().is_some_and(|entry| entry.moved.is_some());
    let sets_priority = spec.priority != item.spec.priority || (patch.priority.is_some() && has_moved);
    if sets_priority && spec.priority == item.spec.priority {
        changed.push("priority".to_owned());
    }
    if policy != Policy::default() {
        changed.push("policy".to_owned());
    }
    if changed.is_empty() {
        return Ok(Reply::WorkItems(vec![id]));
    }
    item.spec = spec;
    item.policy = item.policy.overlaid(policy);
    item.updated_at = desk.context.now;
    let key = queue_key(item.project_id, &item.spec);
    desk.look_for_queues([key.clone()]).await?;
    let queue = desk.queue(key).await?;
    let (project_id, spec) = (item.project_id, item.spec.clone());
    let is_other = changed.iter().any(|member| ["title", "recipe", "labels"].contains(&member.as_str()));
    // The cause is told before what it means for those that wait for the item.
    desk.facts(id, None, vec![Fact::WorkItemUpdated { changed }]);
    rewrite(desk, queue, item, sets_priority).await?;
    if is_other {
        demand(desk, id, project_id, &spec).await?;
    }
    Ok(Reply::WorkItems(vec![id]))
}

/// Reads an item with its texts, as it is at this point of the batch.
pub(super) async fn body<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<WorkItem> {
    desk.write_rows().await?;
    let body = desk.tx.bodies(&[id]).await?.pop();
    Ok(body.ok_or_else(|| Refusal::not_found("work item", id))?.item)
}

async fn rewrite<T: Tx>(
    desk: &mut Desk<'_, T>,
    queue: QueueId,
    item: WorkItem,
    sets_priority: bool,
) -> Answer<()> {
    let id = item.id;
    let before = parent_of(desk.item(id).await?);
    let on_desk = desk.item(id).await?;
    let mut entry = on_desk.head.entry.take();
    if let Some(entry) = entry.as_mut().filter(|_| sets_priority) {
        entry.set_by_person(item.spec.priority, on_desk.standing.failures);
    }
    on_desk.head = Head { entry, ..head(queue, &item) };
    if is_queued(&on_desk.place) {
        rerank(desk, id).await?;
    }
    desk.staged.items_changed.push((queue, item));
    propagate(desk, id, before).await
}

fn changed_members(old: &Spec, new: &Spec) -> Vec<String> {
    // Every member is named here, so that a new one can't be forgotten: its change would not be written.
    let Spec {
        title,
        description,
        prompt,
        executor,
        agent,
        category,
        priority,
        critical,
        timeout_ms,
        recipe,
        labels,
        resources,
        adapter,
        definition,
        limits,
    } = old;
    let members = [
        ("title", *title != new.title),
        ("description", *description != new.description),
        ("prompt", *prompt != new.prompt),
        ("executor", *executor != new.executor),
        ("agent", *agent != new.agent),
        ("category", *category != new.category),
        ("priority", *priority != new.priority),
        ("critical", *critical != new.critical),
        ("timeout_seconds", *timeout_ms != new.timeout_ms),
        ("recipe", *recipe != new.recipe),
        ("labels", *labels != new.labels),
        ("resources", *resources != new.resources),
        ("adapter", *adapter != new.adapter),
        ("definition", *definition != new.definition),
        ("limits", *limits != new.limits),
    ];
    members.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name.to_owned()).collect()
}

/// Puts a work item away. In the queue it is cancelled first; doing it twice is once.
pub(crate) async fn archive<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<Reply> {
    let on_desk = desk.item(id).await?.clone();
    if on_desk.head.archived_at.is_some() {
        return Ok(Reply::WorkItems(vec![id]));
    }
    let before = parent_of(&on_desk);
    if !matches!(on_desk.place, Place::Open | Place::Finished(_)) {
        let cancel = queue::Command::Cancel;
        let step = queue::transition(&on_desk.place, on_desk.standing, cancel, desk.context.now)?;
        desk.step(id, step);
    }
    let mut item = body(desk, id).await?;
    item.archived_at = Some(desk.context.now);
    let on_desk = desk.item(id).await?;
    on_desk.head.archived_at = item.archived_at;
    let queue = on_desk.head.queue;
    desk.staged.items_changed.push((queue, item));
    desk.facts(id, None, vec![Fact::WorkItemArchived {}]);
    #[cfg(debug_assertions)]
    if plant::is(Plant::ArchiveUntold) {
        return Ok(Reply::WorkItems(vec![id]));
    }
    propagate(desk, id, before).await?;
    Ok(Reply::WorkItems(vec![id]))
}
