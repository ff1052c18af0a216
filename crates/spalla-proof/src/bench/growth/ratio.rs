//! The same work on an empty database and on a full one, in turns, and what the full one changes.

use super::copies::{Copies, Mould};
use super::{Arguments, Database};
use crate::bench::client::{done, exchange, item, make_project, submit, wish};
use crate::bench::figure::{Figures, percentile};
use crate::bench::queue;
use anyhow::{Result, bail, ensure};
use spalla_domain::RunId;
use spalla_domain::work_item::{Dependency, When};
use spalla_engine::EngineHandle;
use spalla_store::{Command, Reply};
use std::time::{Duration, Instant};

/// How many runs are claimed one by one in a round.
const CLAIMED: usize = 500;
/// The claims, and the items of each caller, before the first round: they prepare statements and fill caches.
const WARM_UP: usize = 50;
/// Callers that submit beside one another, and what they submit in a round.
const CALLERS: usize = 16;
const SUBMITTED: usize = 8_000;
/// Longer than any claim takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Claims one by one, without a history and with a long one.
pub(super) async fn claims(arguments: &Arguments, figures: Figures) -> Result<()> {
    let (empty, full) = (Database::make(arguments.store).await?, Database::make(arguments.store).await?);
    let began = Instant::now();
    fill_history(&full, arguments.runs).await?;
    figures.print("history_filled_in", began.elapsed().as_secs_f64(), "s");
    figures.print("history_size", size_mib(&full).await?, "MiB");
    let (empty_node, full_node) = (empty.node().await?, full.node().await?);
    let newest = RunId(i64::try_from(arguments.runs)?);
    ensure!(full_node.engine.store().read().run(newest).await?.is_some(), "the store sees no run {newest}");
    let (mut without, mut with) = (vec![], vec![]);
    for node in [&empty_node, &full_node] {
        time_claims(&node.engine, WARM_UP).await?;
    }
    for _ in 0..arguments.rounds {
        without.push(time_claims(&empty_node.engine, CLAIMED).await?);
        with.push(time_claims(&full_node.engine, CLAIMED).await?);
    }
    for (suffix, percent) in [("p50", 50), ("p99", 99)] {
        let of_rounds = |rounds: &[Vec<f64>]| {
            median(rounds.iter().filter_map(|times| percentile(times, percent)).collect())
        };
        let (without, with) = (of_rounds(&without), of_rounds(&with));
        figures.print(&format!("claim_{suffix}_empty"), without, "ms");
        figures.print(&format!("claim_{suffix}_history"), with, "ms");
        figures.print(&format!("claim_{suffix}_history_over_empty"), with / without, "ratio");
    }
    empty_node.stop().await;
    full_node.stop().await;
    Ok(())
}

/// Lets one item come to its end, and copies what is left of it. Its events are left out: claims read none of them.
async fn fill_history(database: &Database, runs: u64) -> Result<()> {
    let (node, administrator) = (database.node().await?, database.administrator());
    let project = make_project(&node.engine, "history").await?;
    let mould = Mould::begin(&administrator).await?;
    submit(&node.engine, project, 1).await?;
    let taken = exchange(&node.engine, vec![], wish("bench", 1)?, Duration::ZERO).await?;
    exchange(&node.engine, taken.iter().map(done).collect(), wish("bench", 0)?, Duration::ZERO).await?;
    node.stop().await;
    mould.multiply(&administrator, Copies { count: runs.saturating_sub(1), events: false }).await
}

/// Returns the times in milliseconds, ascending.
async fn time_claims(engine: &EngineHandle, count: usize) -> Result<Vec<f64>> {
    let project = make_project(engine, "claims").await?;
    submit(engine, project, count).await?;
    let (mut times, mut completed) = (vec![], vec![]);
    for number in 0..count {
        let began = Instant::now();
        // Where others write as well, the tick may hold all of them for a moment.
        let runs = exchange(engine, completed, wish("bench", 1)?, PATIENCE).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        ensure!(runs.len() == 1, "claim {number} of {count} got {} runs", runs.len());
        completed = runs.iter().map(done).collect();
    }
    exchange(engine, completed, wish("bench", 0)?, Duration::ZERO).await?;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Concurrent callers submit, without blocked items and with very many.
pub(super) async fn enqueues(arguments: &Arguments, figures: Figures) -> Result<()> {
    let (empty, full) = (Database::make(arguments.store).await?, Database::make(arguments.store).await?);
    fill_blocked(&full, arguments.blocked).await?;
    let (empty_node, full_node) = (empty.node().await?, full.node().await?);
    let blocked = full_node.engine.store().read().depths().await?.blocked;
    ensure!(blocked == arguments.blocked, "the store sees {blocked} of {} blocked items", arguments.blocked);
    let (mut without, mut with) = (vec![], vec![]);
    for node in [&empty_node, &full_node] {
        queue::enqueue(node, CALLERS, CALLERS * WARM_UP).await?;
    }
    for _ in 0..arguments.rounds {
        without.push(queue::enqueue(&empty_node, CALLERS, SUBMITTED).await?);
        with.push(queue::enqueue(&full_node, CALLERS, SUBMITTED).await?);
    }
    let (without, with) = (median(without), median(with));
    figures.print("enqueue_conc16_empty", without, "jobs/s");
    figures.print("enqueue_conc16_blocked", with, "jobs/s");
    figures.print("enqueue_conc16_blocked_over_empty", with / without, "ratio");
    empty_node.stop().await;
    full_node.stop().await;
    Ok(())
}

/// Lets one item wait for another that nobody does, and copies the one that waits.
async fn fill_blocked(database: &Database, blocked: u64) -> Result<()> {
    let (node, administrator) = (database.node().await?, database.administrator());
    let project = make_project(&node.engine, "blocked").await?;
    let create = |item, enqueue| Command::CreateWorkItems { items: vec![item], enqueue };
    let awaited = match node.engine.execute(create(item(project).into(), false)).await? {
        Reply::WorkItems(ids) if ids.len() == 1 => ids[0],
        other => bail!("making a work item answered {other:?}"),
    };
    let mould = Mould::begin(&administrator).await?;
    let mut waits = item(project);
    waits.depends_on = vec![Dependency { id: awaited, when: When::Success }];
    node.engine.execute(create(waits.into(), true)).await?;
    node.stop().await;
    mould.multiply(&administrator, Copies { count: blocked.saturating_sub(1), events: true }).await
}

async fn size_mib(database: &Database) -> Result<f64> {
    let administrator = database.administrator();
    let ask = if administrator.is_postgres() {
        "select pg_database_size(current_database())"
    } else {
        "select page_count * page_size from pragma_page_count(), pragma_page_size()"
    };
    Ok(administrator.number(ask).await? as f64 / (1_024.0 * 1_024.0))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
