//! apalis on an empty Postgres database.

use crate::measured::{CALLERS, DRAIN_POLL, FETCHED_AT_ONCE, drain, enqueue, waits};
use apalis::prelude::{BackendExt as _, TaskSink as _, WorkerBuilderExt as _};
use apalis_postgres::{Config, PostgresStorage};
use measure::{Outcome, Peer, Sizes, pinned};
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::time::Instant;
use tokio::task::JoinSet;

/// Measures it.
pub async fn run(url: &str) -> Outcome {
    let version = pinned(include_str!("../Cargo.toml"), "apalis-postgres");
    let peer = Peer::new("apalis", &version, "postgres");
    let sizes = Sizes::from_env();
    let pool = PgPoolOptions::new().max_connections(16).connect(url).await?;
    sqlx::query("create extension if not exists hstore").execute(&pool).await?;
    PostgresStorage::setup(&pool).await?;
    let storage = |queue: &str| {
        let config = Config::default().queue(queue).batch_size(FETCHED_AT_ONCE);
        PostgresStorage::<f64>::new(&pool).with_config(config)
    };

    crowd(&pool, &peer, sizes).await?;
    clear(&pool).await?;
    enqueue!(storage("drained"), clear(&pool), peer, sizes);
    drain!(storage("drained").poll_with_interval(DRAIN_POLL), left(&pool), peer, sizes);
    waits!(storage("paced").with_pubsub(), storage("paced"), peer, sizes);
    peer.peak_rss()
}

async fn crowd(pool: &PgPool, peer: &Peer, sizes: Sizes) -> Outcome {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for share in sizes.shares(CALLERS) {
        let mut storage = PostgresStorage::<f64>::new(pool).with_config(Config::default().queue("crowd"));
        callers.spawn(async move {
            for _ in 0..share {
                storage.push(0.0).await.map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    peer.rate("enqueue_conc16", sizes.crowd, began, "jobs/s");
    Ok(())
}

async fn clear(pool: &PgPool) -> Outcome {
    sqlx::query("truncate apalis.jobs cascade").execute(pool).await?;
    Ok(())
}

async fn left(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let left = "select count(*) from apalis.jobs where job_type = 'drained' and status <> 'Done'";
    sqlx::query_scalar(left).fetch_one(pool).await
}
