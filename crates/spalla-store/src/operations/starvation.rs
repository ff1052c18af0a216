//! Starvation: an agent whose entries are ready starves when no worker that takes them was heard of for a time. The clock
//! looks now and then, while there are items of agents at all, and tells it once until somebody comes.

use crate::desk::Desk;
use crate::document::{Document, Starvation, Starving};
use crate::tx::{HeardWorker, QueueKey, Result, Tx};
use spalla_domain::event::Fact;
use spalla_domain::{ProjectId, QueueId, Timestamp, WorkItemId};
use std::collections::BTreeMap;

/// The queues of one agent in one project.
type Group = BTreeMap<(ProjectId, String), Vec<QueueId>>;

/// Looks whether an agent starves; returns whether one began to.
pub(crate) async fn come_due<T: Tx>(desk: &mut Desk<'_, T>, document: &Document) -> Result<bool> {
    let (now, patience_ms) = (desk.context.now, desk.context.settings.heartbeat_miss_ms);
    if patience_ms <= 0 {
        desk.remove(document.kind, document.id);
        return Ok(false);
    }
    let before: Starvation = document.read()?;
    let heard = desk.tx.workers(now.plus_ms(-patience_ms)).await?;
    let lonely = lonely(desk, &heard).await?;
    let queues: Vec<QueueId> = lonely.values().flatten().copied().collect();
    let ready: BTreeMap<QueueId, WorkItemId> = if queues.is_empty() {
        BTreeMap::new()
    } else {
        desk.tx.first_ready(&queues).await?.into_iter().collect()
    };
    let (mut waiting, mut has_told) = (vec![], false);
    for ((project_id, agent), queues) in lonely {
        let Some(item) = queues.iter().find_map(|queue| ready.get(queue)) else { continue };
        let known =
            before.waiting.iter().find(|known| known.project_id == project_id && known.agent == agent);
        let since = known.map_or(now, |known| known.since);
        let mut is_told = known.is_some_and(|known| known.is_told);
        if !is_told && since.plus_ms(patience_ms) <= now {
            let miss = Fact::HeartbeatMiss { agent: agent.clone(), since };
            desk.fact(project_id, Some(*item), None, miss);
            (is_told, has_told) = (true, true);
        }
        waiting.push(Starving { project_id, agent, since, is_told });
    }
    desk.keep(&Starvation { waiting, look_at: next_look(now, patience_ms) })?;
    Ok(has_told)
}

/// Returns when to look again: twice within the time that an agent may wait.
pub(crate) fn next_look(now: Timestamp, patience_ms: i64) -> Timestamp {
    now.plus_ms((patience_ms / 2).max(1))
}

/// Returns the queues of agents that none of these workers takes.
async fn lonely<T: Tx>(desk: &mut Desk<'_, T>, heard: &[HeardWorker]) -> Result<Group> {
    let is_taken = |key: &QueueKey| {
        heard.iter().any(|worker| match &worker.offer {
            Some(offer) => offer.takes(key.executor, &key.labels),
            None => true,
        })
    };
    let mut lonely = Group::new();
    for (key, id) in desk.waiting_queues().await? {
        if let Some(agent) = key.agent.clone().filter(|_| !is_taken(key)) {
            lonely.entry((key.project_id, agent)).or_default().push(*id);
        }
    }
    Ok(lonely)
}
