//! Quotas and limits: what a project may use on a day, and how many runs it and each agent may have at once, is looked at
//! whenever a run would start. What a project used is added up in the transaction of the change.

use super::fair_share;
use super::stock::Stock;
use crate::command::Reply;
use crate::desk::{Answer, Caps, Desk};
use crate::document::ProjectQuota;
use crate::tx::{EndedRun, Placed, Result, Tx};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::quota::{self, Active, Held, MicroUsd, Quota, Used};
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
        Some(_) => desk.tx.active_runs(Some(project_id), None).await?,
        None => 0,
    };
    let now = desk.context.now;
    let usage = desk.usage(project_id).await?;
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
    Ok(cap.saturating_sub(desk.tx.active_runs(None, None).await?))
}

/// Returns how many more runs of an agent may be going on.
async fn room_of_alias<T: Tx>(desk: &mut Desk<'_, T>, agent: &str) -> Result<u32> {
    let Some(cap) = desk.context.settings.limits.alias else { return Ok(u32::MAX) };
    desk.write_rows().await?;
    Ok(cap.saturating_sub(desk.tx.active_runs(None, Some(agent)).await?))
}

/// Refuses to start a run of a queue where a quota or a limit of runs at once is used up.
pub(crate) async fn check<T: Tx>(
    desk: &mut Desk<'_, T>,
    project_id: ProjectId,
    queue: QueueId,
) -> Answer<()> {
    let is_one_to_end = "wait until a run ends";
    let too_many = |detail: String| Refusal::new(Code::ConcurrencyLimit, detail).mend(is_one_to_end).into();
    if room_in_all(desk).await? == 0 {
        return Err(too_many("as many runs are going on as the server allows at once".to_owned()));
    }
    if desk.context.settings.limits.alias.is_some() {
        desk.know_queue(queue).await?;
        if let Some(Caps { alias: Some(agent), .. }) = desk.caps(queue).cloned()
            && room_of_alias(desk, &agent).await? == 0
        {
            return Err(too_many(format!(
                "as many runs of agent {agent} are going on as are allowed at once"
            )));
        }
    }
    match room(desk, project_id).await? {
        Room::Runs(1..) => Ok(()),
        Room::Runs(0) => {
            Err(too_many(format!("as many runs of project {project_id} are going on as are allowed at once")))
        }
        Room::Held(Held { which, until }) => {
            let detail = format!("project {project_id} has used up {}", which.as_str());
            let mend = until.map_or_else(|| is_one_to_end.to_owned(), |until| format!("wait until {until}"));
            Err(Refusal::new(Code::Quota, detail).mend(format!("{mend}, or raise the quota")).into())
        }
    }
}

/// How many more runs of projects and agents may start, as far as it was asked.
#[derive(Default)]
struct Rooms {
    projects: BTreeMap<ProjectId, u32>,
    aliases: BTreeMap<String, u32>,
}

impl Rooms {
    /// Returns how many more runs may start under these caps.
    async fn of<T: Tx>(&mut self, desk: &mut Desk<'_, T>, caps: &Caps) -> Result<u32> {
        if let Some(project) = caps.project
            && !self.projects.contains_key(&project)
        {
            let runs = match room(desk, project).await? {
                Room::Runs(runs) => runs,
                Room::Held(_) => 0,
            };
            self.projects.insert(project, runs);
        }
        if let Some(alias) = &caps.alias
            && !self.aliases.contains_key(alias)
        {
            let runs = room_of_alias(desk, alias).await?;
            self.aliases.insert(alias.clone(), runs);
        }
        Ok(self.known(caps))
    }

    fn known(&self, caps: &Caps) -> u32 {
        let project = caps.project.and_then(|project| self.projects.get(&project));
        let alias = caps.alias.as_ref().and_then(|alias| self.aliases.get(alias));
        project.into_iter().chain(alias).copied().min().unwrap_or(u32::MAX)
    }

    /// Takes room for one run, if there is any.
    fn take(&mut self, caps: &Caps) -> bool {
        if self.known(caps) == 0 {
            return false;
        }
        let project = caps.project.and_then(|project| self.projects.get_mut(&project));
        let alias = caps.alias.as_ref().and_then(|alias| self.aliases.get_mut(alias));
        project.into_iter().chain(alias).for_each(|runs| *runs -= 1);
        true
    }
}

/// Picks the best ready items of these queues, projects in turn, as far as the limits and the quotas of their projects let them start,
/// and as far as there is in stock what they need.
pub(crate) async fn pick_ready<T: Tx>(
    desk: &mut Desk<'_, T>,
    queues: &[QueueId],
    limit: u32,
    stock: &mut Stock,
) -> Result<Vec<Placed>> {
    let limit = limit.min(room_in_all(desk).await?);
    if limit == 0 {
        return Ok(vec![]);
    }
    let (free, groups) = part(desk, queues, stock);
    let free = desk.best_queues(free, limit);
    let mut picked = if free.is_empty() { vec![] } else { desk.tx.pick_ready(&free, limit).await? };
    let mut rooms = Rooms::default();
    for (terms, queues) in &groups {
        let room = match &terms.caps {
            Some(caps) => rooms.of(desk, caps).await?,
            None => u32::MAX,
        };
        let room = terms.queue.map_or(room, |queue| stock.fit_at_most(desk.need(queue), room));
        if room > 0 {
            picked.extend(desk.tx.pick_ready(queues, room.min(limit)).await?);
        }
    }
    let fits = |desk: &Desk<'_, T>, queue| {
        let caps = desk.caps(queue);
        let is_free = caps.is_none_or(|caps| rooms.known(caps) > 0) && stock.reserve(desk.need(queue));
        is_free && caps.is_none_or(|caps| rooms.take(caps))
    };
    fair_share::take(desk, picked, limit, fits).await
}

/// Tells whether a pick from these queues has to look at quotas, limits or what is in stock.
pub(crate) fn is_capped<T: Tx>(desk: &Desk<'_, T>, queues: &[QueueId], stock: &Stock) -> bool {
    desk.context.settings.limits.global.is_some() || !part(desk, queues, stock).1.is_empty()
}

/// Picks ready items that only a quota holds.
pub(crate) async fn pick_held<T: Tx>(desk: &mut Desk<'_, T>, limit: u32) -> Result<Vec<Placed>> {
    let mut of_projects = BTreeMap::<ProjectId, Vec<QueueId>>::new();
    let queues: Vec<QueueId> = desk.waiting_queues().await?.values().copied().collect();
    for queue in queues {
        if let Some(Caps { project: Some(project), .. }) = desk.caps(queue) {
            of_projects.entry(*project).or_default().push(queue);
        }
    }
    let mut held = vec![];
    for (project_id, queues) in of_projects {
        if held.len() < limit as usize && matches!(room(desk, project_id).await?, Room::Held(_)) {
            let picked = desk.tx.pick_ready(&queues, limit - held.len() as u32).await?;
            let picked = fair_share::best(picked, limit as usize - held.len());
            held.extend(picked.into_iter().map(|candidate| candidate.placed));
        }
    }
    Ok(held)
}

/// What queues have in common that are picked from together.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Terms {
    caps: Option<Caps>,
    /// The queue itself, where its runs need something that is counted.
    queue: Option<QueueId>,
}

/// Parts queues into those that nothing caps, and the others by what does.
fn part<T: Tx>(
    desk: &Desk<'_, T>,
    queues: &[QueueId],
    stock: &Stock,
) -> (Vec<QueueId>, BTreeMap<Terms, Vec<QueueId>>) {
    let (mut free, mut groups) = (vec![], BTreeMap::<_, Vec<_>>::new());
    for queue in queues {
        let caps = desk.caps(*queue).cloned();
        let counted = desk.need(*queue).is_some_and(|need| stock.counts(need)).then_some(*queue);
        match (Terms { caps, queue: counted }) {
            Terms { caps: None, queue: None } => free.push(*queue),
            terms => groups.entry(terms).or_default().push(*queue),
        }
    }
    (free, groups)
}
