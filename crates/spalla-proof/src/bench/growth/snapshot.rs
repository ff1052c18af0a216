//! A snapshot that somebody holds keeps the database from tidying up. Work goes on beside it at a steady pace: workers
//! end what they took, take more, and submit as much again.

use super::{Arguments, Database};
use crate::bench::client::{done, exchange, make_project, submit, wish};
use crate::bench::figure::Figures;
use crate::bench::site::Node;
use anyhow::Result;
use spalla_domain::ProjectId;
use spalla_engine::EngineHandle;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const WORKERS: usize = 4;
const SLOTS: u32 = 250;
/// What waits in the queue all the time.
const BACKLOG: usize = 20_000;
const BATCH: usize = 1_000;
/// Until the pace is steady.
const WARM_UP: Duration = Duration::from_secs(5);
/// The beginning and the end that are compared are such a part of the whole.
const PARTS: u32 = 5;

/// The pace in jobs a second.
struct Pace {
    first: f64,
    last: f64,
    whole: f64,
}

/// Measures the pace without a snapshot and with one.
pub(super) async fn measure(arguments: &Arguments, figures: Figures) -> Result<()> {
    let without = work_beside(arguments, false).await?;
    let with = work_beside(arguments, true).await?;
    for (name, pace) in [("steady", &without), ("snapshot", &with)] {
        figures.print(&format!("{name}_first_fifth"), pace.first, "jobs/s");
        figures.print(&format!("{name}_last_fifth"), pace.last, "jobs/s");
        figures.print(&format!("{name}_last_over_first"), pace.last / pace.first, "ratio");
    }
    figures.print("snapshot_over_steady", with.whole / without.whole, "ratio");
    Ok(())
}

async fn work_beside(arguments: &Arguments, holds: bool) -> Result<Pace> {
    let database = Database::make(arguments.store).await?;
    let node = database.node().await?;
    let project = make_project(&node.engine, "steady").await?;
    for _ in 0..BACKLOG / BATCH {
        submit(&node.engine, project, BATCH).await?;
    }
    work(&node, project, WARM_UP).await?;
    let snapshot = if holds { Some(database.administrator().hold_snapshot().await?) } else { None };
    let whole = Duration::from_secs(arguments.seconds);
    let taken = work(&node, project, whole).await?;
    drop(snapshot);
    node.stop().await;
    let part = whole / PARTS;
    let within = |from: Duration, to: Duration| {
        let count: usize = taken.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, n)| n).sum();
        count as f64 / (to - from).as_secs_f64()
    };
    let last = within(whole.saturating_sub(part), whole);
    Ok(Pace { first: within(Duration::ZERO, part), last, whole: within(Duration::ZERO, whole) })
}

/// How many runs were taken, and when.
type Taken = Vec<(Duration, usize)>;

async fn work(node: &Node, project: ProjectId, time: Duration) -> Result<Taken> {
    let (mut workers, began) = (JoinSet::new(), Instant::now());
    for number in 0..WORKERS {
        workers.spawn(work_alone(node.engine.clone(), number, project, began, time));
    }
    let mut taken = vec![];
    while let Some(worker) = workers.join_next().await {
        taken.extend(worker??);
    }
    Ok(taken)
}

async fn work_alone(
    engine: EngineHandle,
    number: usize,
    project: ProjectId,
    began: Instant,
    time: Duration,
) -> Result<Taken> {
    let name = format!("bench-{number}");
    let (mut taken, mut completed) = (vec![], vec![]);
    while began.elapsed() < time {
        let runs = exchange(&engine, completed, wish(&name, SLOTS)?, Duration::ZERO).await?;
        taken.push((began.elapsed(), runs.len()));
        completed = runs.iter().map(done).collect();
        if !runs.is_empty() {
            submit(&engine, project, runs.len()).await?;
        }
    }
    exchange(&engine, completed, wish(&name, 0)?, Duration::ZERO).await?;
    Ok(taken)
}
