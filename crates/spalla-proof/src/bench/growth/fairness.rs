//! A long queue of one project, and a few entries of another behind it with the same priority: when is their turn.

use super::{Arguments, Database};
use crate::bench::client::{done, exchange, make_project, submit, wish};
use crate::bench::figure::{Figures, percentile};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

const BATCH: usize = 1_000;
/// The entries that come last.
const FEW: usize = 10;
/// How many one claim takes.
const SLOTS: u32 = 50;

/// Claims until the few are served, and says at which place each of them was.
pub(super) async fn measure(arguments: &Arguments, figures: Figures) -> Result<()> {
    let database = Database::make(arguments.store).await?;
    let node = database.node().await?;
    let many = make_project(&node.engine, "many").await?;
    for start in (0..arguments.entries).step_by(BATCH) {
        submit(&node.engine, many, BATCH.min(arguments.entries - start)).await?;
    }
    let few = make_project(&node.engine, "few").await?;
    submit(&node.engine, few, FEW).await?;
    let (mut claimed, mut places, mut times, mut completed) = (0_usize, vec![], vec![], vec![]);
    while places.len() < FEW {
        let began = Instant::now();
        let runs = exchange(&node.engine, completed, wish("bench", SLOTS)?, Duration::ZERO).await?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        ensure!(!runs.is_empty(), "after {claimed} runs only {} of {FEW} were served", places.len());
        for run in &runs {
            claimed += 1;
            if run.project_id == few {
                places.push(claimed as f64);
            }
        }
        completed = runs.iter().map(done).collect();
    }
    if let Some(middle) = percentile(&places, 50) {
        figures.print("fairness_position_p50", middle, "runs");
    }
    figures.print_latency(&format!("fairness_exchange_of_{SLOTS}"), times);
    node.stop().await;
    Ok(())
}
