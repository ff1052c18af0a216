//! What apalis is asked to do, whatever its store. A macro, since its stores share no type that could be named here.

use apalis::prelude::BoxDynError;
use measure::wall_ms;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Jobs that run at once and that one fetch takes: the fastest of those tried.
pub const SLOTS: usize = 100;
pub const FETCHED_AT_ONCE: usize = 500;
/// How often a drain looks for more: it is not woken.
pub const DRAIN_POLL: Duration = Duration::from_millis(1);
/// Only Postgres takes more than one writer.
pub const CALLERS: usize = 16;

/// Jobs that were handled.
pub static DONE: AtomicUsize = AtomicUsize::new(0);
/// How long paced jobs waited for their handler.
pub static WAITS_MS: Mutex<Vec<f64>> = Mutex::new(vec![]);

/// Handles a job: `sent_ms` is zero for one that only counts.
pub async fn handle(sent_ms: f64) -> Result<(), BoxDynError> {
    if sent_ms > 0.0 {
        WAITS_MS.lock().map_err(|_| "poisoned")?.push(wall_ms() - sent_ms);
    }
    DONE.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Enqueues one by one, then in batches, which stay for the drain.
macro_rules! enqueue {
    ($storage:expr, $clear:expr, $peer:expr, $sizes:expr) => {{
        let mut storage = $storage;
        let began = std::time::Instant::now();
        for _ in 0..$sizes.alone {
            storage.push(0.0_f64).await?;
        }
        $peer.rate("enqueue_seq", $sizes.alone, began, "jobs/s");
        $clear.await?;
        let began = std::time::Instant::now();
        for batch in $sizes.batches() {
            storage.push_bulk(vec![0.0_f64; batch]).await?;
        }
        $peer.rate("enqueue_batch1000", $sizes.jobs, began, "jobs/s");
    }};
}

/// Lets a worker handle all that waits; `left` asks the store how many are not done.
macro_rules! drain {
    ($storage:expr, $left:expr, $peer:expr, $sizes:expr) => {{
        let began = std::time::Instant::now();
        let worker = apalis::prelude::WorkerBuilder::new("drain")
            .backend($storage)
            .concurrency(crate::measured::SLOTS)
            .build(crate::measured::handle);
        let mut running = tokio::task::JoinSet::new();
        running.spawn(async move { worker.run().await.map_err(|error| error.to_string()) });
        let done = || crate::measured::DONE.load(std::sync::atomic::Ordering::Relaxed);
        while done() < $sizes.jobs && began.elapsed() < $sizes.drain_limit {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let left = loop {
            let left: i64 = $left.await?;
            if left == 0 || began.elapsed() >= $sizes.drain_limit {
                break usize::try_from(left)?;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        $peer.rate("drain", $sizes.jobs - left, began, "jobs/s");
    }};
}

/// Sends at a pace to a worker with nothing else to do.
macro_rules! waits {
    ($handled:expr, $sent:expr, $peer:expr, $sizes:expr) => {{
        let worker = apalis::prelude::WorkerBuilder::new("paced")
            .backend($handled)
            .concurrency(10)
            .build(crate::measured::handle);
        let mut running = tokio::task::JoinSet::new();
        running.spawn(async move { worker.run().await.map_err(|error| error.to_string()) });
        // It says nowhere that it listens.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let mut storage = $sent;
        let began = std::time::Instant::now();
        for i in 0..$sizes.paced {
            tokio::time::sleep(measure::until_due(began, i, $sizes.rate)).await;
            storage.push(measure::wall_ms()).await?;
        }
        let taken = || crate::measured::WAITS_MS.lock().map(|waits_ms| waits_ms.len()).unwrap_or(0);
        while taken() < $sizes.paced && began.elapsed() < $sizes.drain_limit {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let waits_ms = std::mem::take(&mut *crate::measured::WAITS_MS.lock().map_err(|_| "poisoned")?);
        $peer.waits("latency", waits_ms);
    }};
}

pub(crate) use {drain, enqueue, waits};
