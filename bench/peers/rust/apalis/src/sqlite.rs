//! apalis on a SQLite file.

use crate::measured::{DRAIN_POLL, FETCHED_AT_ONCE, drain, enqueue, waits};
use apalis::prelude::{BackendExt as _, TaskSink as _, WorkerBuilderExt as _};
use apalis_sqlite::{Config, SqliteStorage};
use measure::{Outcome, Peer, Sizes, pinned};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use std::time::Duration;

/// How often the worker looks for more while waits are measured: it is not woken.
const PACED_POLL: Duration = Duration::from_millis(10);

/// Measures it with SQLite's `synchronous` as named, or as apalis sets it.
pub async fn run(file: &str, synchronous: &str) -> Outcome {
    let version = pinned(include_str!("../Cargo.toml"), "apalis-sqlite");
    let peer = Peer::new("apalis", &version, format!("sqlite-{synchronous}"));
    let sizes = Sizes::from_env();
    let pool =
        SqlitePoolOptions::new().max_connections(1).connect(&format!("sqlite://{file}?mode=rwc")).await?;
    SqliteStorage::setup(&pool).await?;
    if synchronous != "default" {
        let pragma = AssertSqlSafe(format!("pragma synchronous = {synchronous}"));
        sqlx::query(pragma).execute(&pool).await?;
    }
    let storage = |queue: &str| {
        let config = Config::default().queue(queue).batch_size(FETCHED_AT_ONCE);
        SqliteStorage::<f64>::new(&pool).with_config(config)
    };

    enqueue!(storage("drained"), clear(&pool), peer, sizes);
    drain!(storage("drained").poll_with_interval(DRAIN_POLL), left(&pool), peer, sizes);
    waits!(storage("paced").poll_with_interval(PACED_POLL), storage("paced"), peer, sizes);
    peer.peak_rss()
}

async fn clear(pool: &SqlitePool) -> Outcome {
    sqlx::query("delete from Jobs").execute(pool).await?;
    Ok(())
}

async fn left(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    let left = "select count(*) from Jobs where job_type = 'drained' and status <> 'Done'";
    sqlx::query_scalar(left).fetch_one(pool).await
}
