//! What agents do: what a server derived is kept where it is news, and told with what was before.

use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::tx::Tx;
use spalla_domain::agent_state::{AgentStates, Change, Seen};
use spalla_domain::event::Fact;
use spalla_domain::{EventSeq, ProjectId};

/// Takes note of what the agents of a project do, unless something newer is known.
pub(crate) async fn note<T: Tx>(
    desk: &mut Desk<'_, T>,
    project_id: ProjectId,
    as_of: EventSeq,
    seen: &[Seen],
) -> Answer<Reply> {
    let now = desk.context.now;
    let known = desk.document_to_make(project_id.0).await?;
    let mut states = known.unwrap_or_else(|| AgentStates::new(project_id));
    let Some(changes) = states.take(as_of, seen, now) else {
        return Ok(Reply::AgentsNoted { is_taken: false });
    };
    if changes.is_empty() {
        return Ok(Reply::AgentsNoted { is_taken: true });
    }
    desk.keep(&states)?;
    for Change { agent, before, after, current } in changes {
        let (work_item_id, run_id) = current.unzip();
        // Another item is the same state: it is kept, and its run's own events tell of it.
        if before != Some(after) {
            desk.fact(project_id, work_item_id, run_id, Fact::AgentStateChanged { agent, before, after });
        }
    }
    Ok(Reply::AgentsNoted { is_taken: true })
}
