//! What graphile_worker is asked to do.

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, Worker, WorkerContext, WorkerOptions,
};
use measure::{Outcome, Peer, Sizes, pinned, until_due, wall_ms};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Jobs that run at once, and how many it fetches ahead: the fastest of those tried.
const SLOTS: usize = 24;
const FETCHED_AHEAD: usize = 500;
const CALLERS: usize = 16;

static DONE: AtomicUsize = AtomicUsize::new(0);
static WAITS_MS: Mutex<Vec<f64>> = Mutex::new(vec![]);

#[derive(Clone, Deserialize, Serialize)]
struct NoOp {
    i: usize,
}

impl TaskHandler for NoOp {
    const IDENTIFIER: &'static str = "no_op";

    async fn run(self, _context: WorkerContext) -> impl IntoTaskHandlerResult {
        DONE.fetch_add(1, Ordering::Relaxed);
        Ok::<(), String>(())
    }
}

#[derive(Clone, Deserialize, Serialize)]
struct Paced {
    sent_ms: f64,
}

impl TaskHandler for Paced {
    const IDENTIFIER: &'static str = "paced";

    async fn run(self, _context: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Ok(mut waits_ms) = WAITS_MS.lock() {
            waits_ms.push(wall_ms() - self.sent_ms);
        }
        Ok::<(), String>(())
    }
}

/// Measures it on an empty database.
pub async fn run(url: &str) -> Outcome {
    let version = pinned(include_str!("../Cargo.toml"), "graphile_worker");
    let peer = Peer::new("graphile_worker (Rust)", &version, "postgres");
    let sizes = Sizes::from_env();
    let pool = PgPoolOptions::new().max_connections(20).connect(url).await?;
    let batching = options(&pool)
        .local_queue(LocalQueueConfig::default().with_size(FETCHED_AHEAD))
        .complete_job_batch_delay(Duration::from_millis(1));
    let worker = batching.init().await?;
    enqueue(&worker, &pool, &peer, sizes).await?;
    drain(worker, &pool, &peer, sizes).await?;
    waits(options(&pool).init().await?, &peer, sizes).await?;
    peer.peak_rss()
}

fn options(pool: &PgPool) -> WorkerOptions {
    WorkerOptions::default()
        .concurrency(SLOTS)
        .schema("graphile_worker")
        .poll_interval(Duration::from_secs(2))
        .define_job::<NoOp>()
        .define_job::<Paced>()
        .pg_pool(pool.clone())
}

async fn clear(pool: &PgPool) -> Outcome {
    sqlx::query("truncate graphile_worker._private_jobs cascade").execute(pool).await?;
    Ok(())
}

async fn enqueue(worker: &Worker, pool: &PgPool, peer: &Peer, sizes: Sizes) -> Outcome {
    let utils = worker.create_utils();
    let began = Instant::now();
    for i in 0..sizes.alone {
        utils.add_job(NoOp { i }, JobSpec::default()).await?;
    }
    peer.rate("enqueue_seq", sizes.alone, began, "jobs/s");
    clear(pool).await?;

    let began = Instant::now();
    let mut callers = JoinSet::new();
    for share in sizes.shares(CALLERS) {
        let utils = worker.create_utils();
        callers.spawn(async move {
            for i in 0..share {
                utils.add_job(NoOp { i }, JobSpec::default()).await?;
            }
            Ok::<(), graphile_worker::errors::GraphileWorkerError>(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    peer.rate("enqueue_conc16", sizes.crowd, began, "jobs/s");
    clear(pool).await?;

    let spec = JobSpec::default();
    let began = Instant::now();
    for batch in sizes.batches() {
        let jobs: Vec<_> = (0..batch).map(|i| (NoOp { i }, &spec)).collect();
        utils.add_jobs::<NoOp>(&jobs).await?;
    }
    peer.rate("enqueue_batch1000", sizes.jobs, began, "jobs/s");
    Ok(())
}

async fn drain(worker: Worker, pool: &PgPool, peer: &Peer, sizes: Sizes) -> Outcome {
    let began = Instant::now();
    let mut running = JoinSet::new();
    running.spawn(async move { worker.run().await.map_err(|error| error.to_string()) });
    while DONE.load(Ordering::Relaxed) < sizes.jobs && began.elapsed() < sizes.drain_limit {
        sleep(Duration::from_millis(2)).await;
    }
    let left = loop {
        let left: i64 =
            sqlx::query_scalar("select count(*) from graphile_worker._private_jobs").fetch_one(pool).await?;
        if left == 0 || began.elapsed() >= sizes.drain_limit {
            break usize::try_from(left)?;
        }
        sleep(Duration::from_millis(5)).await;
    };
    peer.rate("drain", sizes.jobs - left, began, "jobs/s");
    Ok(())
}

async fn waits(worker: Worker, peer: &Peer, sizes: Sizes) -> Outcome {
    let utils = worker.create_utils();
    let mut running = JoinSet::new();
    running.spawn(async move { worker.run().await.map_err(|error| error.to_string()) });
    // It says nowhere that it listens.
    sleep(Duration::from_millis(500)).await;
    let mut callers = JoinSet::new();
    let began = Instant::now();
    for i in 0..sizes.paced {
        sleep(until_due(began, i, sizes.rate)).await;
        let utils = utils.clone();
        callers.spawn(async move { utils.add_job(Paced { sent_ms: wall_ms() }, JobSpec::default()).await });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    while WAITS_MS.lock().map_err(|_| "poisoned")?.len() < sizes.paced && began.elapsed() < sizes.drain_limit
    {
        sleep(Duration::from_millis(10)).await;
    }
    let waits_ms = std::mem::take(&mut *WAITS_MS.lock().map_err(|_| "poisoned")?);
    peer.waits("latency", waits_ms);
    Ok(())
}
