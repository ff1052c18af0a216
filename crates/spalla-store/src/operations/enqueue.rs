//! Enqueue: put an item into the queue, or join the entry that it has there.

use super::dependencies::{all_holds, held, parent_of, propagate};
use crate::command::{EnqueueWish, Reply};
use crate::desk::{Answer, Desk, Need};
use crate::error::ExecuteError;
use crate::tx::{EdgeRow, Result, Sequence, Tx};
use spalla_domain::event::Fact;
use spalla_domain::queue::{self, Entry, Holds, Place, edge, rank};
use spalla_domain::work_item::{Dependency, When, check_not_archived};
use spalla_domain::{EntryId, Refusal, Timestamp, WorkItemId, problem::Code};
use std::collections::BTreeSet;

/// Puts an item into the queue. A further wish for the same item joins the first: it waits for all and runs once.
pub(crate) async fn enqueue<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    depends_on: Option<WorkItemId>,
    priority: Option<u8>,
    delay_ms: i64,
) -> Answer<Reply> {
    check_live(desk, id).await?;
    check_fits(desk, id).await?;
    let item = desk.item(id).await?.clone();
    // Whether it can be enqueued at all is asked first, so that a refusal leaves no edge behind.
    queue::transition(
        &item.place,
        item.standing,
        queue::Command::Enqueue(Holds::default()),
        desk.context.now,
    )?;
    if let Some(parent) = depends_on {
        add_dependencies(desk, id, &[Dependency { id: parent, when: When::Success }]).await?;
    }
    let due_at = (delay_ms > 0).then(|| desk.context.now.plus_ms(delay_ms));
    place(desk, id, priority, due_at).await
}

/// Puts several items into the queue, all or none.
pub(crate) async fn enqueue_all<T: Tx>(desk: &mut Desk<'_, T>, wishes: &[EnqueueWish]) -> Answer<Reply> {
    let before = desk.begin_whole().await?;
    let mut entries = Vec::with_capacity(wishes.len());
    for (place, wish) in wishes.iter().enumerate() {
        let EnqueueWish { work_item_id, depends_on, priority, delay_ms } = *wish;
        match enqueue(desk, work_item_id, depends_on, priority, delay_ms).await {
            Ok(Reply::Entry { id, .. }) => entries.push(id),
            Ok(_) => {}
            Err(ExecuteError::Refused(mut refusal)) => {
                desk.abandon(before);
                refusal.detail = format!("entry {place}: {}", refusal.detail);
                return Err(refusal.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Reply::Entries(entries))
}

/// Gives an item its entry and puts it where its holds say.
pub(crate) async fn place<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    priority: Option<u8>,
    due_at: Option<Timestamp>,
) -> Answer<Reply> {
    let mut holds = all_holds(desk, id).await?;
    let item = desk.item(id).await?.clone();
    let before = parent_of(&item);
    holds.due_at = held(&item.place).due_at.max(due_at);
    let entry = enter(desk, id, priority, Entering::Joining).await?;
    let step =
        queue::transition(&item.place, item.standing, queue::Command::Enqueue(holds), desk.context.now)?;
    desk.step(id, step);
    propagate(desk, id, before).await?;
    Ok(Reply::Entry { id: entry, work_item_id: id })
}

/// How an item comes to its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entering {
    /// It joins the entry that it has, if it has one.
    Joining,
    /// It begins anew: its age begins now, and what moved its priority counts no more.
    Afresh {
        /// Whether it mends what blocks others.
        mends_blocker: bool,
    },
}

/// Gives an item an entry or renews the one it has, and renews its ordering key.
pub(crate) async fn enter<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    priority: Option<u8>,
    entering: Entering,
) -> Answer<EntryId> {
    let dependencies = u32::try_from(desk.edges_above(id).await?.len()).unwrap_or(u32::MAX);
    let now = desk.context.now;
    let known = desk.item(id).await?.head.entry.clone();
    let entry_id = match &known {
        Some(entry) => entry.id,
        None => EntryId(desk.next_id(Sequence::Entry).await?),
    };
    let item = desk.item(id).await?;
    let (set, failures) = (item.head.priority, item.standing.failures);
    let fresh =
        Entry { id: entry_id, work_item_id: id, priority: set, moved: None, dependencies, enqueued_at: now };
    let mut entry = Entry { dependencies, ..known.unwrap_or(fresh) };
    if let Some(priority) = priority {
        entry.set_by_person(priority, failures);
    }
    if let Entering::Afresh { mends_blocker } = entering {
        entry.enqueued_at = now;
        entry.begin_anew(mends_blocker);
    }
    item.head.entry = Some(entry);
    rerank(desk, id).await?;
    Ok(entry_id)
}

/// Renews the priority and the ordering key of an item from what they depend on.
pub(crate) async fn rerank<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<()> {
    let (server, by_itself) = (desk.context.settings.retry, desk.context.settings.priority_auto);
    let item = desk.item(id).await?;
    let failures = item.standing.failures;
    let Some(entry) = &mut item.head.entry else { return Ok(()) };
    let moved = entry.move_priority(by_itself, item.head.on_critical_path, failures);
    let retries_left = item.head.policy.retries(server).retries_left(failures);
    item.standing.prio = rank::key(entry, retries_left, item.head.timeout_ms);
    desk.facts(id, None, moved.into_iter().collect());
    Ok(())
}

/// Refuses an item that needs more than the configured pools ever have: they may be other ones than when it was made.
async fn check_fits<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<()> {
    if desk.context.settings.pools.0.is_empty() {
        return Ok(());
    }
    let queue = desk.item(id).await?.head.queue;
    desk.know_queue(queue).await?;
    match desk.need(queue) {
        Some(Need { agent, wish }) => Ok(desk.context.settings.pools.check(agent.as_deref(), wish)?),
        None => Ok(()),
    }
}

/// Refuses work on an item that is put away, or whose project is.
pub(crate) async fn check_live<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<()> {
    let head = desk.item(id).await?.head.clone();
    let project = desk.project(head.project_id).await?;
    check_not_archived(&project, None)?;
    if head.archived_at.is_some() {
        return Err(Refusal::new(Code::WorkItemArchived, format!("work item {id} is archived")).into());
    }
    Ok(())
}

/// Refuses a new dependency on what is put away.
pub(crate) fn check_can_be_waited_for(
    id: WorkItemId,
    archived_at: Option<Timestamp>,
) -> std::result::Result<(), Refusal> {
    match archived_at {
        None => Ok(()),
        Some(_) => Err(Refusal::new(
            Code::WorkItemArchived,
            format!("work item {id} is archived, so nothing can wait for it"),
        )),
    }
}

/// Adds edges above an item, unless they are there or would close a circle.
pub(crate) async fn add_dependencies<T: Tx>(
    desk: &mut Desk<'_, T>,
    child: WorkItemId,
    wanted: &[Dependency],
) -> Answer<()> {
    desk.load_items(wanted.iter().map(|dependency| dependency.id)).await?;
    let known = desk.edges_above(child).await?;
    let mut new: Vec<Dependency> = vec![];
    for dependency in wanted {
        let archived_at = desk.item(dependency.id).await?.head.archived_at;
        let has = known.iter().any(|edge| edge.parent == dependency.id)
            || new.iter().any(|d| d.id == dependency.id);
        if !has {
            check_can_be_waited_for(dependency.id, archived_at)?;
            new.push(*dependency);
        }
    }
    let edges = ancestry(desk, &new).await?;
    edge::check_cycle(child, &new, &edges)?;
    for Dependency { id: parent, when } in new {
        desk.add_edge(EdgeRow { parent, child, when }).await?;
        desk.facts(child, None, vec![Fact::DependencyAdded { depends_on: parent, when }]);
    }
    Ok(())
}

/// Loads all edges above items, to the roots. A way there may lead through edges of this batch, which are not written
/// yet, and from there on through older ones.
async fn ancestry<T: Tx>(desk: &mut Desk<'_, T>, of: &[Dependency]) -> Result<Vec<(WorkItemId, WorkItemId)>> {
    let staged: Vec<_> = desk.staged.edges_made.iter().map(|edge| (edge.child, edge.parent)).collect();
    let (mut edges, mut reached) = (vec![], BTreeSet::new());
    let mut next: Vec<_> = of.iter().map(|dependency| dependency.id).collect();
    while let Some(id) = next.pop() {
        if reached.contains(&id) {
            continue;
        }
        let above = desk.tx.ancestry(id).await?;
        let new: BTreeSet<_> =
            above.iter().flat_map(|(child, parent)| [*child, *parent]).chain([id]).collect();
        next.extend(staged.iter().filter(|(child, _)| new.contains(child)).map(|(_, parent)| *parent));
        reached.extend(new);
        edges.extend(above);
    }
    edges.extend(staged);
    Ok(edges)
}

/// Tells whether an item waits in the queue, so that its order there matters.
pub(crate) fn is_queued(place: &Place) -> bool {
    matches!(place, Place::Blocked(_) | Place::Delayed { .. } | Place::Ready)
}
