//! apalis on a SQLite file. No waits are measured: an idle worker was found to start nothing before its heartbeat, after
//! 30 s, whether it polls or is woken by the hook, and that may be our use of it.

use crate::measured::{DRAIN_POLL, FETCHED_AT_ONCE, drain, enqueue};
use apalis::prelude::{BackendExt as _, TaskSink as _, WorkerBuilderExt as _};
use apalis_sqlite::{Config, SqliteStorage};
use measure::{Outcome, Peer, Sizes, pinned};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::str::FromStr as _;

/// Measures it with SQLite's `synchronous` as named, or as apalis sets it.
pub async fn run(file: &str, synchronous: &str) -> Outcome {
    let version = pinned(include_str!("../Cargo.toml"), "apalis-sqlite");
    let peer = Peer::new("apalis", &version, format!("sqlite-{synchronous}"));
    let sizes = Sizes::from_env();
    let url = format!("sqlite://{file}?mode=rwc");
    let options = SqliteConnectOptions::from_str(&url)?.synchronous(match synchronous {
        // Its setup sets this, but on one connection only.
        "default" => SqliteSynchronous::Off,
        named => SqliteSynchronous::from_str(&named.to_lowercase())?,
    });
    let preparing = SqlitePool::connect(&url).await?;
    SqliteStorage::setup(&preparing).await?;
    preparing.close().await;

    // Writers of one file only wait for each other: one connection is the fastest.
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    enqueue!(storage(&pool, "drained"), clear(&pool), peer, sizes);
    drain!(storage(&pool, "drained").poll_with_interval(DRAIN_POLL), left(&pool), peer, sizes);
    pool.close().await;
    peer.peak_rss()
}

fn storage(pool: &SqlitePool, queue: &str) -> SqliteStorage<f64> {
    let config = Config::default().queue(queue).batch_size(FETCHED_AT_ONCE);
    SqliteStorage::new(pool).with_config(config)
}

async fn clear(pool: &SqlitePool) -> Outcome {
    sqlx::query("delete from Jobs").execute(pool).await?;
    Ok(())
}

async fn left(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    let left = "select count(*) from Jobs where job_type = 'drained' and status <> 'Done'";
    sqlx::query_scalar(left).fetch_one(pool).await
}
