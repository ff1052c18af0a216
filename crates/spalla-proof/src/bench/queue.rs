//! How fast work items pass through: submitted by one caller, by many, in batches; drained; started; logged.

use super::client::{done, exchange, make_project, submit, wish};
use super::figure::{Figures, peak_rss_mib};
use super::is_wanted;
use super::site::{Ground, Kind, Node};
use anyhow::{Result, ensure};
use clap::Args;
use spalla_domain::claim::{Assignment, LogBatch};
use spalla_domain::log::{LogLine, Stream};
use spalla_domain::{ProjectId, Timestamp};
use spalla_engine::EngineHandle;
use spalla_store::Command;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// How many items one batch call brings.
const BATCH: usize = 1_000;
/// Claimers at work in a drain; together they have the thousand slots of a busy node.
const CLAIMERS: usize = 4;
const SLOTS_EACH: u32 = 250;
/// Slots that wait for something to start.
const IDLE_SLOTS: u32 = 64;
/// As many 100-byte lines fit into a chunk of 32 KiB.
const LINES_OF_CHUNK: usize = 327;
const LINE_BYTES: usize = 100;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What can be measured by itself.
const PARTS: [&str; 8] = [
    "enqueue",
    "enqueue_seq",
    "enqueue_conc16",
    "enqueue_conc64",
    "enqueue_batch1000",
    "drain",
    "latency",
    "log_append",
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the rows are kept
    #[arg(long, value_enum)]
    store: Kind,
    /// How many items are drained
    #[arg(long, default_value_t = 20_000)]
    jobs: usize,
    /// How many items one caller submits, one after the other
    #[arg(long, default_value_t = 2_000)]
    alone: usize,
    /// How many items concurrent callers submit together
    #[arg(long, default_value_t = 8_000)]
    together: usize,
    /// How many items a second are submitted where starts are timed
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// For how many seconds starts are timed
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// Measures only these parts
    #[arg(long, value_delimiter = ',', value_parser = PARTS)]
    only: Vec<String>,
    /// Prints one line of JSON for each figure, which is the only form there is
    #[arg(long)]
    json: bool,
}

/// Measures everything.
pub(crate) async fn measure(arguments: &Arguments) -> Result<()> {
    let ground = Ground::prepare(arguments.store).await?;
    let figures = Figures { store: arguments.store.name() };
    for callers in [1, 16, 64] {
        let (name, count) = match callers {
            1 => ("enqueue_seq".to_owned(), arguments.alone),
            _ => (format!("enqueue_conc{callers}"), arguments.together),
        };
        if is_wanted(&arguments.only, "enqueue") || is_wanted(&arguments.only, &name) {
            let node = Node::start(ground.fresh().await?).await?;
            figures.print(&name, enqueue(&node, callers, count).await?, "jobs/s");
            node.stop().await;
        }
    }
    if is_wanted(&arguments.only, "enqueue_batch1000") {
        let node = Node::start(ground.fresh().await?).await?;
        figures.print("enqueue_batch1000", enqueue_batches(&node, arguments.jobs).await?, "jobs/s");
        node.stop().await;
    }
    if is_wanted(&arguments.only, "drain") {
        let node = Node::start(ground.fresh().await?).await?;
        drain(&node, arguments.jobs, figures).await?;
        node.stop().await;
    }
    if is_wanted(&arguments.only, "latency") {
        time_starts(&ground, arguments, figures).await?;
    }
    if is_wanted(&arguments.only, "log_append") {
        let node = Node::start(ground.fresh().await?).await?;
        figures.print("log_append", append_logs(&node).await?, "lines/s");
        node.stop().await;
    }
    figures.print("peak_rss", peak_rss_mib(), "MiB");
    Ok(())
}

fn rate(count: usize, began: Instant) -> f64 {
    count as f64 / began.elapsed().as_secs_f64()
}

/// Callers that each submit one item after the other, the next one when the last one is on the disk; returns how many
/// a second.
pub(super) async fn enqueue(node: &Node, callers: usize, count: usize) -> Result<f64> {
    let project = make_project(&node.engine, "bench").await?;
    let each = count / callers;
    let began = Instant::now();
    let mut submitting = JoinSet::new();
    for _ in 0..callers {
        submitting.spawn(submit_one_by_one(node.engine.clone(), project, each));
    }
    submitting.join_all().await.into_iter().collect::<Result<()>>()?;
    Ok(rate(callers * each, began))
}

async fn submit_one_by_one(engine: EngineHandle, project: ProjectId, count: usize) -> Result<()> {
    for _ in 0..count {
        submit(&engine, project, 1).await?;
    }
    Ok(())
}

pub(super) async fn enqueue_batches(node: &Node, count: usize) -> Result<f64> {
    let project = make_project(&node.engine, "bench").await?;
    let began = Instant::now();
    for start in (0..count).step_by(BATCH) {
        submit(&node.engine, project, BATCH.min(count - start)).await?;
    }
    Ok(rate(count, began))
}

/// Claimers that do nothing but complete what they took and take more, until nothing is left.
/// Returns how many a second.
pub(super) async fn drain(node: &Node, count: usize, figures: Figures) -> Result<f64> {
    enqueue_batches(node, count).await?;
    let (commits, began) = (node.commits(), Instant::now());
    let mut claimers = JoinSet::new();
    for number in 0..CLAIMERS {
        claimers.spawn(drain_alone(node.engine.clone(), number));
    }
    let drained: usize = claimers.join_all().await.into_iter().sum::<Result<usize>>()?;
    let per_second = rate(count, began);
    ensure!(drained == count, "{drained} of {count} items were drained");
    figures.print("drain", per_second, "jobs/s");
    figures.print("drain_commits_per_job", (node.commits() - commits) as f64 / count as f64, "commits");
    Ok(per_second)
}

async fn drain_alone(engine: EngineHandle, number: usize) -> Result<usize> {
    let claim = wish(&format!("bench-{number}"), SLOTS_EACH)?;
    let (mut completed, mut drained) = (vec![], 0);
    loop {
        let runs = exchange(&engine, std::mem::take(&mut completed), claim.clone(), Duration::ZERO).await?;
        if runs.is_empty() {
            return Ok(drained);
        }
        drained += runs.len();
        completed = runs.iter().map(done).collect();
    }
}

/// From the call that submits an item to the moment at which a waiting worker has its run: on the same node, and on
/// another one that shares the database.
async fn time_starts(ground: &Ground, arguments: &Arguments, figures: Figures) -> Result<()> {
    let location = ground.fresh().await?;
    let node = Node::start(location.clone()).await?;
    let handed = start_times(&node.engine, &node.engine, arguments).await?;
    match arguments.store {
        // One file, one node: whatever starts, starts on it.
        Kind::Sqlite => figures.print_latency("latency", handed),
        Kind::Postgres => {
            figures.print_latency("latency_handoff", handed);
            let other = Node::start(location).await?;
            let woken = start_times(&node.engine, &other.engine, arguments).await?;
            figures.print_latency("latency", woken);
            other.stop().await;
        }
    }
    node.stop().await;
    Ok(())
}

async fn start_times(
    submits: &EngineHandle,
    works: &EngineHandle,
    arguments: &Arguments,
) -> Result<Vec<f64>> {
    let total = (arguments.rate * arguments.seconds) as usize;
    let (starts, mut started) = mpsc::channel(total);
    let (ends, ended) = mpsc::channel(total);
    let mut worker = JoinSet::new();
    worker.spawn(take_all(works.clone(), total, starts, ends));
    worker.spawn(end_all(works.clone(), ended));
    let project = make_project(submits, "latency").await?;
    let sent: Arc<Mutex<HashMap<_, _>>> = Arc::default();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / arguments.rate);
    let mut callers = JoinSet::new();
    for _ in 0..total {
        ticks.tick().await;
        let (engine, sent) = (submits.clone(), Arc::clone(&sent));
        callers.spawn(async move {
            let began = Instant::now();
            let ids = submit(&engine, project, 1).await?;
            sent.lock().await.extend(ids.into_iter().map(|id| (id, began)));
            anyhow::Ok(())
        });
    }
    callers.join_all().await.into_iter().collect::<Result<()>>()?;
    worker.join_all().await.into_iter().collect::<Result<()>>()?;
    let (sent, mut times) = (sent.lock().await, Vec::with_capacity(total));
    while let Some((id, at)) = started.recv().await {
        let Some(began) = sent.get(&id) else {
            anyhow::bail!("work item {id} started and was not submitted")
        };
        times.push(at.saturating_duration_since(*began).as_secs_f64() * 1_000.0);
    }
    ensure!(times.len() == total, "{} of {total} items were started", times.len());
    Ok(times)
}

type Started = (spalla_domain::WorkItemId, Instant);

/// A worker with free slots: waits for runs, and waits again while it carries them out.
async fn take_all(
    engine: EngineHandle,
    total: usize,
    starts: mpsc::Sender<Started>,
    ends: mpsc::Sender<Assignment>,
) -> Result<()> {
    let (claim, mut taken) = (wish("bench", IDLE_SLOTS)?, 0);
    while taken < total {
        for run in exchange(&engine, vec![], claim.clone(), PATIENCE).await? {
            taken += 1;
            starts.send((run.work_item_id, Instant::now())).await?;
            ends.send(run).await?;
        }
    }
    Ok(())
}

async fn end_all(engine: EngineHandle, mut ended: mpsc::Receiver<Assignment>) -> Result<()> {
    let claim = wish("bench", 0)?;
    let mut runs = vec![];
    while ended.recv_many(&mut runs, BATCH).await > 0 {
        exchange(&engine, runs.drain(..).map(|run| done(&run)).collect(), claim.clone(), Duration::ZERO)
            .await?;
    }
    Ok(())
}

/// One run's lines, in chunks of which each is on the disk before the next one is sent.
async fn append_logs(node: &Node) -> Result<f64> {
    const CHUNKS: usize = 122;
    let project = make_project(&node.engine, "logs").await?;
    submit(&node.engine, project, 1).await?;
    let runs = exchange(&node.engine, vec![], wish("bench", 1)?, PATIENCE).await?;
    let began = Instant::now();
    for run in &runs {
        for chunk in 0..CHUNKS {
            node.engine.execute(Command::AppendLogs(lines(run, chunk))).await?;
        }
    }
    ensure!(runs.len() == 1, "one item gave {} runs", runs.len());
    Ok(rate(CHUNKS * LINES_OF_CHUNK, began))
}

fn lines(run: &Assignment, chunk: usize) -> LogBatch {
    let line = |number| LogLine {
        at: Timestamp::from_ms(0),
        stream: Stream::Stdout,
        step: None,
        text: format!("{number:0>LINE_BYTES$}"),
    };
    let first = chunk * LINES_OF_CHUNK;
    LogBatch {
        run_id: run.run_id,
        fencing_token: run.fencing_token,
        first_seq: None,
        lines: (first..first + LINES_OF_CHUNK).map(line).collect(),
    }
}
