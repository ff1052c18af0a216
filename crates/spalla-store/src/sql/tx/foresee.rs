//! Loads everything at once that a batch is sure to ask for.

use super::ahead::Ahead;
use super::call::{by_ids, by_rows, once};
use super::pipeline::Pipeline;
use super::{PLACES, Shared, pick, rows_of, sequence_name, take};
use crate::sql::driver::Driver;
use crate::sql::row::{Fields, approval, each, place, project, row, work_item};
use crate::sql::statement::{Answer, Call};
use crate::sql::statements as sql;
use crate::tx::{Foreseen, Ids, Placed, Result, Sequence};
use spalla_domain::project::Project;
use spalla_domain::queue::Place;
use spalla_domain::{ProjectId, QueueId, RunId, WorkItemId, WorkerId};
use std::collections::BTreeSet;

/// Sends all questions together and keeps the answers; returns the ids that were taken.
pub(super) async fn foresee<D: Driver>(
    driver: &mut Pipeline<D>,
    ahead: &mut Ahead,
    shared: &Shared,
    foreseen: &Foreseen,
) -> Result<Vec<(Sequence, Ids)>> {
    let (mut ids, mut missing) = (vec![], vec![]);
    for (sequence, count) in &foreseen.ids {
        match shared.spare.take(*sequence, *count) {
            Some(spare) => ids.push((*sequence, spare)),
            None => missing.push((*sequence, *count, shared.spare.wish(*sequence, *count))),
        }
    }
    let asks = Asks {
        heads_of_runs: !shared.warm.knows(&foreseen.runs),
        // Behind new items the queues are asked for when these are written, along with what waits in them then.
        queues: match foreseen.places_items && foreseen.runs.is_empty() {
            true => shared.queues.is_empty(),
            false => foreseen.queues,
        },
        projects: !remember_projects(driver, ahead, shared, &foreseen.projects),
    };
    let guess = foreseen.claim.as_ref().filter(|_| asks.queues && !foreseen.places_items);
    let guess = guess.and_then(|claim| guess_of(shared, claim));
    let mut calls = questions(foreseen, asks);
    calls.extend(guess.iter().flat_map(picks));
    calls.extend(missing.iter().map(|(sequence, _, wish)| take(sequence_name(*sequence), *wish)));
    if calls.is_empty() {
        return Ok(ids);
    }
    let mut answers = driver.run(calls).await?.into_iter();
    let unknown = keep(ahead, shared, foreseen, asks, &mut answers)?;
    keep_picks(ahead, guess, &mut answers)?;
    for (sequence, count, wish) in missing {
        let row = rows_of(answers.next()).into_iter().next().unwrap_or_default();
        let first = Fields::new("sequence", row).int("next")?;
        ids.push((sequence, shared.spare.receive(sequence, count, first..first + wish as i64)));
    }
    if !unknown.is_empty() {
        let answer = driver.run(vec![by_ids(&sql::work_item::HEADS, &unknown)]).await?.pop();
        let heads = each("work_item", rows_of(answer), work_item::read_head)?;
        ahead.heads.keep([], heads, |head| Some(head.id));
    }
    Ok(ids)
}

/// From which queues a claim is served, as far as one can guess, and of how many runs it is.
pub(super) type Guess = (Vec<QueueId>, u32);

/// Guesses from which queues a claim is served.
pub(super) fn guess_of(shared: &Shared, (worker, most): &(WorkerId, u32)) -> Option<Guess> {
    shared.guesses.of(worker).map(|queues| (queues, *most))
}

/// Picks what a claim is served with: the runs that nobody holds, and what is ready.
pub(super) fn picks((queues, most): &Guess) -> [Call; 2] {
    [&sql::leased::PICK_PENDING, &sql::ready::PICK].map(|statement| pick(statement, queues, *most))
}

/// Keeps what was picked.
pub(super) fn keep_picks(
    ahead: &mut Ahead,
    guess: Option<Guess>,
    answers: &mut impl Iterator<Item = Answer>,
) -> Result<()> {
    let Some((queues, most)) = guess else { return Ok(()) };
    let pending = each("leased", rows_of(answers.next()), place::read_leased_candidate)?;
    let ready = each("ready", rows_of(answers.next()), place::read_ready_candidate)?;
    ahead.pending = Some((queues.clone(), most, pending));
    ahead.ready = Some((queues, ready));
    Ok(())
}

/// Takes projects from memory, where all are there, and has them confirmed along with what is sent next.
fn remember_projects<D: Driver>(
    driver: &mut Pipeline<D>,
    ahead: &mut Ahead,
    shared: &Shared,
    ids: &[ProjectId],
) -> bool {
    let Some(found) = shared.projects.find(ids) else { return false };
    if found.is_empty() {
        return true;
    }
    let rows = found.iter().map(|(project, version)| row![project.id, *version]).collect();
    let confirm = Call { scalars: row![found.len() as i64], ..by_rows(&sql::project::CONFIRM, rows) };
    driver.send_along(vec![confirm]);
    let projects = found.into_iter().map(|(project, _)| project).collect();
    ahead.projects.keep(ids.iter().copied(), projects, |project: &Project| Some(project.id));
    true
}

/// What is asked of what may be remembered.
#[derive(Clone, Copy)]
struct Asks {
    heads_of_runs: bool,
    queues: bool,
    projects: bool,
}

/// Returns the questions: what locks comes in the order in which single loads lock.
fn questions(foreseen: &Foreseen, asks: Asks) -> Vec<Call> {
    let Foreseen { runs, logged, items, enqueued, projects, .. } = foreseen;
    let mut calls = vec![];
    if !runs.is_empty() {
        calls.push(by_ids(&sql::leased::LOAD_BY_RUN, runs));
        if asks.heads_of_runs {
            calls.push(by_ids(&sql::work_item::HEADS_OF_RUNS, runs));
        }
        calls.push(by_ids(&sql::dep::BELOW_RUNS, runs));
    }
    if !logged.is_empty() {
        calls.push(by_ids(&sql::log_chunk::ENDS, logged));
    }
    if !items.is_empty() {
        calls.push(by_ids(&sql::work_item::LOCK, items));
        calls.extend(PLACES.map(|(_, statement, _)| by_ids(statement, items)));
        calls.push(by_ids(&sql::work_item::HEADS, items));
    }
    if asks.projects {
        calls.push(by_ids(&sql::project::LOAD, projects));
    }
    if !enqueued.is_empty() {
        calls.push(by_ids(&sql::dep::ABOVE, enqueued));
        calls.push(by_ids(&sql::approval::LOAD_OF, enqueued));
    }
    if asks.queues {
        calls.push(once(&sql::queue::LOAD, vec![]));
    }
    calls
}

/// Keeps the answers, in the order of the questions. Returns the items of runs that were not as they were remembered.
fn keep(
    ahead: &mut Ahead,
    shared: &Shared,
    foreseen: &Foreseen,
    asks: Asks,
    answers: &mut impl Iterator<Item = Answer>,
) -> Result<Vec<WorkItemId>> {
    let Foreseen { runs, logged, items, enqueued, projects, .. } = foreseen;
    let mut unknown = vec![];
    if !runs.is_empty() {
        unknown = keep_runs(ahead, shared, runs, asks, answers)?;
    }
    if !logged.is_empty() {
        let ends = super::read_log_ends(rows_of(answers.next()))?;
        ahead.log_ends.keep(logged.iter().copied(), ends, |(run, _)| Some(*run));
    }
    if !items.is_empty() {
        let _locks = answers.next();
        let mut places = Vec::with_capacity(items.len());
        for (table, _, read) in PLACES {
            places.extend(each(table, rows_of(answers.next()), read)?);
        }
        ahead.places.keep(items.iter().copied(), places, |placed| Some(placed.id));
        let heads = each("work_item", rows_of(answers.next()), work_item::read_head)?;
        ahead.heads.keep(items.iter().copied(), heads, |head| Some(head.id));
    }
    if asks.projects {
        let rows = each("project", rows_of(answers.next()), project::read_with_version)?;
        shared.projects.keep(&rows);
        let rows = rows.into_iter().map(|(project, _)| project).collect();
        ahead.projects.keep(projects.iter().copied(), rows, |project: &Project| Some(project.id));
    }
    if !enqueued.is_empty() {
        let mut edges = each("dep", rows_of(answers.next()), work_item::read_edge)?;
        edges.sort_unstable_by_key(|edge| (edge.child, edge.parent));
        ahead.above.keep(enqueued.iter().copied(), edges, |edge| Some(edge.child));
        let approvals = each("approval", rows_of(answers.next()), approval::read)?;
        ahead.approvals.keep(enqueued.iter().copied(), approvals, |approval| Some(approval.work_item_id));
    }
    if asks.queues {
        ahead.queues = Some(project::read_queues(rows_of(answers.next()))?);
    }
    Ok(unknown)
}

/// Keeps what is known of live runs; returns the items of which it is not all.
fn keep_runs(
    ahead: &mut Ahead,
    shared: &Shared,
    runs: &[RunId],
    asks: Asks,
    answers: &mut impl Iterator<Item = Answer>,
) -> Result<Vec<WorkItemId>> {
    let found = each("leased", rows_of(answers.next()), place::read_leased_with_revision)?;
    let run_of = |placed: &Placed| match &placed.place {
        Place::Leased(run) => Some(run.id),
        _ => None,
    };
    let revised = || found.iter().filter_map(|(placed, revision)| Some((run_of(placed)?, *revision)));
    ahead.revisions.extend(revised());
    let heads = match asks.heads_of_runs {
        true => each("work_item", rows_of(answers.next()), work_item::read_head)?,
        false => shared.warm.heads(revised()),
    };
    let places: Vec<_> = found.into_iter().map(|(placed, _)| placed).collect();
    let known: BTreeSet<_> = heads.iter().map(|head| head.id).collect();
    let unknown = places.iter().map(|placed| placed.id).filter(|id| !known.contains(id)).collect();
    let mut edges = each("dep", rows_of(answers.next()), work_item::read_edge)?;
    edges.sort_unstable_by_key(|edge| (edge.parent, edge.child));
    let items: Vec<_> = places.iter().map(|placed| placed.id).collect();
    ahead.heads.keep([], heads, |head| Some(head.id));
    ahead.below.keep(items, edges, |edge| Some(edge.parent));
    ahead.live.keep(runs.iter().copied(), places, run_of);
    Ok(unknown)
}
