//! Fair share: where several projects wait for the same claimer, they take turns.

use crate::desk::Desk;
use crate::tx::{Candidate, Placed, Result, Tx};
use spalla_domain::queue::fair_share::Waiting;
use spalla_domain::{ProjectId, QueueId};
use std::sync::PoisonError;

/// Whose a queue is that is not known any more.
const NOBODY: ProjectId = ProjectId(0);

/// Takes the best of what was picked, the projects in turn, passing over what does not fit beside what was taken.
pub(crate) async fn take<T: Tx>(
    desk: &mut Desk<'_, T>,
    mut candidates: Vec<Candidate>,
    limit: u32,
    mut fits: impl FnMut(&Desk<'_, T>, QueueId) -> bool,
) -> Result<Vec<Placed>> {
    let limit = limit as usize;
    let project = |desk: &Desk<'_, T>, queue: &QueueId| desk.project_of(*queue).unwrap_or(NOBODY);
    let chosen: Vec<Candidate> =
        if candidates.windows(2).all(|pair| project(desk, &pair[0].queue) == project(desk, &pair[1].queue)) {
            sort(&mut candidates);
            let fitting = candidates.into_iter().filter(|candidate| fits(desk, candidate.queue));
            fitting.take(limit).collect()
        } else {
            let waiting = |Candidate { queue, priority, placed }: &Candidate| Waiting {
                project_id: project(desk, queue),
                priority: *priority,
                key: placed.standing.prio,
                id: placed.id,
            };
            let mut turns = desk.context.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.take(candidates, waiting, limit, |candidate| fits(desk, candidate.queue))
        };
    let chosen: Vec<_> = chosen.into_iter().map(|candidate| candidate.placed).collect();
    desk.tx.note_chosen(&chosen);
    Ok(chosen)
}

/// Takes the best of one project.
pub(crate) fn best(mut candidates: Vec<Candidate>, limit: usize) -> Vec<Candidate> {
    sort(&mut candidates);
    candidates.truncate(limit);
    candidates
}

fn sort(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by_key(|Candidate { placed, .. }| (placed.standing.prio, placed.id));
}
