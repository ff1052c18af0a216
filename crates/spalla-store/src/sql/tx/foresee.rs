//! Loads everything at once that a batch is sure to ask for.

use super::ahead::Ahead;
use super::call::{by_ids, once};
use super::spare::Spare;
use super::{PLACES, rows_of, sequence_name, take};
use crate::sql::driver::Driver;
use crate::sql::row::{Fields, approval, each, place, project, work_item};
use crate::sql::statement::{Answer, Call};
use crate::sql::statements as sql;
use crate::tx::{Foreseen, Ids, Result, Sequence};
use spalla_domain::queue::Place;

/// Sends all questions together and keeps the answers; returns the ids that were taken.
pub(super) async fn foresee<D: Driver>(
    driver: &mut D,
    ahead: &mut Ahead,
    spare: &Spare,
    foreseen: &Foreseen,
) -> Result<Vec<(Sequence, Ids)>> {
    let (mut ids, mut missing) = (vec![], vec![]);
    for (sequence, count) in &foreseen.ids {
        match spare.take(*sequence, *count) {
            Some(spare) => ids.push((*sequence, spare)),
            None => missing.push((*sequence, *count)),
        }
    }
    let mut calls = questions(foreseen);
    calls.extend(missing.iter().map(|(sequence, count)| take(sequence_name(*sequence), *count)));
    if calls.is_empty() {
        return Ok(ids);
    }
    let mut answers = driver.run(calls).await?.into_iter();
    keep(ahead, foreseen, &mut answers)?;
    for (sequence, count) in missing {
        let row = rows_of(answers.next()).into_iter().next().unwrap_or_default();
        let first = Fields::new("sequence", row).int("next")?;
        ids.push((sequence, spare.join(sequence, first..first + count as i64)));
    }
    Ok(ids)
}

/// Returns the questions: what locks comes in the order in which single loads lock.
fn questions(foreseen: &Foreseen) -> Vec<Call> {
    let Foreseen { runs, logged, items, enqueued, projects, queues, .. } = foreseen;
    let mut calls = vec![];
    if !runs.is_empty() {
        calls.push(by_ids(&sql::leased::LOAD_BY_RUN, runs));
        calls.push(by_ids(&sql::work_item::HEADS_OF_RUNS, runs));
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
    if !projects.is_empty() {
        calls.push(by_ids(&sql::project::LOAD, projects));
    }
    if !enqueued.is_empty() {
        calls.push(by_ids(&sql::dep::ABOVE, enqueued));
        calls.push(by_ids(&sql::approval::LOAD_OF, enqueued));
    }
    if *queues {
        calls.push(once(&sql::queue::LOAD, vec![]));
    }
    calls
}

/// Keeps the answers, in the order of the questions.
fn keep(ahead: &mut Ahead, foreseen: &Foreseen, answers: &mut impl Iterator<Item = Answer>) -> Result<()> {
    let Foreseen { runs, logged, items, enqueued, projects, queues, .. } = foreseen;
    if !runs.is_empty() {
        keep_runs(ahead, runs, answers)?;
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
    if !projects.is_empty() {
        let rows = each("project", rows_of(answers.next()), project::read)?;
        ahead.projects.keep(projects.iter().copied(), rows, |project| Some(project.id));
    }
    if !enqueued.is_empty() {
        let mut edges = each("dep", rows_of(answers.next()), work_item::read_edge)?;
        edges.sort_unstable_by_key(|edge| (edge.child, edge.parent));
        ahead.above.keep(enqueued.iter().copied(), edges, |edge| Some(edge.child));
        let approvals = each("approval", rows_of(answers.next()), approval::read)?;
        ahead.approvals.keep(enqueued.iter().copied(), approvals, |approval| Some(approval.work_item_id));
    }
    if *queues {
        ahead.queues = Some(project::read_queues(rows_of(answers.next()))?);
    }
    Ok(())
}

/// Keeps what is known of live runs.
pub(super) fn keep_runs(
    ahead: &mut Ahead,
    runs: &[spalla_domain::RunId],
    answers: &mut impl Iterator<Item = Answer>,
) -> Result<()> {
    let places = each("leased", rows_of(answers.next()), place::read_leased)?;
    let heads = each("work_item", rows_of(answers.next()), work_item::read_head)?;
    let mut edges = each("dep", rows_of(answers.next()), work_item::read_edge)?;
    edges.sort_unstable_by_key(|edge| (edge.parent, edge.child));
    let items: Vec<_> = places.iter().map(|placed| placed.id).collect();
    ahead.heads.keep([], heads, |head| Some(head.id));
    ahead.below.keep(items, edges, |edge| Some(edge.parent));
    ahead.live.keep(runs.iter().copied(), places, |placed| match &placed.place {
        Place::Leased(run) => Some(run.id),
        _ => None,
    });
    Ok(())
}
