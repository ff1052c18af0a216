//! Quotas: what a project may use on a day and at once is looked at whenever a run would start. What it used is added up
//! in the transaction of the change.

use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::document::ProjectQuota;
use crate::tx::{EndedRun, Placed, Result, Tx};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::quota::{self, Active, Held, MicroUsd, Quota, Used, UtcDay};
use spalla_domain::work_item::check_not_archived;
use spalla_domain::{ProjectId, QueueId, Refusal};
use std::collections::BTreeMap;

/// Sets the caps of a project; the new ones count at once.
pub(crate) async fn set<T: Tx>(desk: &mut Desk<'_, T>, project_id: ProjectId, quota: Quota) -> Answer<Reply> {
    check_not_archived(&desk.project(project_id).await?, None)?;
    let updated_at = desk.context.now;
    desk.keep(&ProjectQuota { project_id, quota, updated_at })?;
    desk.fact(project_id, None, None, Fact::QuotaChanged { quota });
    desk.write_rows().await?;
    desk.forget_queues();
    Ok(Reply::Project(project_id))
}

/// Counts what a run that ended has used.
pub(crate) fn use_up<T: Tx>(desk: &mut Desk<'_, T>, run: &EndedRun) {
    let Some(usage) = &run.usage else { return };
    let tokens = usage.input_tokens.unwrap_or(0).saturating_add(usage.output_tokens.unwrap_or(0));
    let cost = usage.cost_usd.and_then(MicroUsd::from_usd).unwrap_or(MicroUsd::ZERO);
    desk.use_up(run.project_id, Used::end(tokens, cost));
}

/// Why a project may start no further run, or how many it may.
enum Room {
    Held(Held),
    Runs(u32),
}

async fn room<T: Tx>(desk: &mut Desk<'_, T>, project_id: ProjectId) -> Result<Room> {
    desk.write_rows().await?;
    let limit = desk.context.settings.limits.project;
    let kept: Option<ProjectQuota> = desk.document(project_id.0).await?;
    let quota = kept.map(|kept| kept.quota).unwrap_or_default();
    let active = match quota.max_concurrent_runs.or(limit) {
        Some(_) => desk.tx.active_runs(Some(project_id)).await?,
        None => 0,
    };
    let now = desk.context.now;
    let usage = desk.tx.usage(project_id, UtcDay::of(now)).await?;
    if let Some(held) = quota::hold(&quota, usage, Active::runs(active), now) {
        return Ok(Room::Held(held));
    }
    let of_day = quota.daily_runs.map(|cap| u32::try_from(cap - usage.runs.min(cap)).unwrap_or(u32::MAX));
    let at_once = [quota.max_concurrent_runs, limit].into_iter().flatten();
    let at_once = at_once.map(|cap| cap.saturating_sub(active));
    Ok(Room::Runs(of_day.into_iter().chain(at_once).min().unwrap_or(u32::MAX)))
}

/// Returns how many more runs may be going on in all.
async fn room_in_all<T: Tx>(desk: &mut Desk<'_, T>) -> Result<u32> {
    let Some(cap) = desk.context.settings.limits.global else { return Ok(u32::MAX) };
    desk.write_rows().await?;
    Ok(cap.saturating_sub(desk.tx.active_runs(None).await?))
}

/// Refuses to start a run where a quota or a limit of runs at once is used up.
pub(crate) async fn check<T: Tx>(desk: &mut Desk<'_, T>, project_id: ProjectId) -> Answer<()> {
    let is_one_to_end = "wait until a run ends";
    if room_in_all(desk).await? == 0 {
        let detail = "as many runs are going on as the server allows at once";
        return Err(Refusal::new(Code::ConcurrencyLimit, detail).mend(is_one_to_end).into());
    }
    match room(desk, project_id).await? {
        Room::Runs(1..) => Ok(()),
        Room::Runs(0) => {
            let detail = format!("as many runs of project {project_id} are going on as are allowed at once");
            Err(Refusal::new(Code::ConcurrencyLimit, detail).mend(is_one_to_end).into())
        }
        Room::Held(Held { which, until }) => {
            let detail = format!("project {project_id} has used up {}", which.as_str());
            let mend = until.map_or_else(|| is_one_to_end.to_owned(), |until| format!("wait until {until}"));
            Err(Refusal::new(Code::Quota, detail).mend(format!("{mend}, or raise the quota")).into())
        }
    }
}

/// Picks the best ready items of these queues, as far as the quotas of their projects let them start.
pub(crate) async fn pick_ready<T: Tx>(
    desk: &mut Desk<'_, T>,
    queues: &[QueueId],
    limit: u32,
) -> Result<Vec<Placed>> {
    let limit = limit.min(room_in_all(desk).await?);
    let (free, capped) = part(desk, queues);
    if capped.is_empty() || limit == 0 {
        return if limit == 0 { Ok(vec![]) } else { desk.tx.pick_ready(queues, limit).await };
    }
    let mut picked = if free.is_empty() { vec![] } else { desk.tx.pick_ready(&free, limit).await? };
    for (project_id, queues) in capped {
        if let Room::Runs(room @ 1..) = room(desk, project_id).await? {
            picked.extend(desk.tx.pick_ready(&queues, room.min(limit)).await?);
        }
    }
    picked.sort_unstable_by_key(|placed| (placed.standing.prio, placed.id));
    picked.truncate(limit as usize);
    Ok(picked)
}

/// Tells whether a pick from these queues has to look at quotas.
pub(crate) fn is_capped<T: Tx>(desk: &Desk<'_, T>, queues: &[QueueId]) -> bool {
    desk.context.settings.limits.global.is_some() || !part(desk, queues).1.is_empty()
}

/// Picks ready items that only a quota holds.
pub(crate) async fn pick_held<T: Tx>(desk: &mut Desk<'_, T>, limit: u32) -> Result<Vec<Placed>> {
    let queues: Vec<QueueId> = desk.queues().await?.values().copied().collect();
    let mut held = vec![];
    for (project_id, queues) in part(desk, &queues).1 {
        if held.len() < limit as usize && matches!(room(desk, project_id).await?, Room::Held(_)) {
            held.extend(desk.tx.pick_ready(&queues, limit - held.len() as u32).await?);
        }
    }
    Ok(held)
}

/// Parts queues into those of projects that nothing caps, and the others by their project.
fn part<T: Tx>(desk: &Desk<'_, T>, queues: &[QueueId]) -> (Vec<QueueId>, BTreeMap<ProjectId, Vec<QueueId>>) {
    let (mut free, mut capped) = (vec![], BTreeMap::<_, Vec<_>>::new());
    for queue in queues {
        match desk.capped_project(*queue) {
            Some(project) => capped.entry(project).or_default().push(*queue),
            None => free.push(*queue),
        }
    }
    (free, capped)
}
