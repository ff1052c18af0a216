//! What honker is asked to do.

use honker::{Database, EnqueueOpts, Queue, QueueOpts};
use measure::{Outcome, Peer, Sizes, pinned, until_due, wall_ms};
use serde_json::json;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

/// How many jobs are claimed at once: more does not make it faster.
const CLAIM: i64 = 128;

/// Measures it on one file.
pub fn run(file: &str, synchronous: &str) -> Outcome {
    let version = pinned(include_str!("../Cargo.toml"), "honker");
    let peer = Peer::new("honker", &version, format!("sqlite-{synchronous}"));
    let sizes = Sizes::from_env();
    let database = Database::open(file)?;
    if synchronous != "default" {
        database.with_conn(|connection| {
            connection.execute_batch(&format!("pragma synchronous = {synchronous}"))
        })?;
    }
    enqueue(&database, &peer, sizes)?;
    drain(&database.queue("drained", QueueOpts::default()), &peer, sizes)?;
    waits(&database, file, &peer, sizes)?;
    peer.peak_rss()
}

fn enqueue(database: &Database, peer: &Peer, sizes: Sizes) -> Outcome {
    let alone = database.queue("alone", QueueOpts::default());
    let began = Instant::now();
    for i in 0..sizes.alone {
        alone.enqueue(&json!({ "i": i }), EnqueueOpts::default())?;
    }
    peer.rate("enqueue_seq", sizes.alone, began, "jobs/s");

    let drained = database.queue("drained", QueueOpts::default());
    let began = Instant::now();
    for batch in sizes.batches() {
        let transaction = database.transaction()?;
        for i in 0..batch {
            drained.enqueue_tx(&transaction, &json!({ "i": i }), EnqueueOpts::default())?;
        }
        transaction.commit()?;
    }
    peer.rate("enqueue_batch1000", sizes.jobs, began, "jobs/s");
    Ok(())
}

fn drain(queue: &Queue, peer: &Peer, sizes: Sizes) -> Outcome {
    let began = Instant::now();
    let mut done = 0;
    while done < sizes.jobs && began.elapsed() < sizes.drain_limit {
        let jobs = queue.claim_batch("worker", CLAIM)?;
        let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
        done += queue.ack_batch(&ids, "worker")? as usize;
    }
    peer.rate("drain", done, began, "jobs/s");
    Ok(())
}

fn waits(database: &Database, file: &str, peer: &Peer, sizes: Sizes) -> Outcome {
    let there = Database::open(file)?.queue("paced", QueueOpts::default());
    let (ready, is_ready) = mpsc::sync_channel(1);
    let handler = thread::spawn(move || -> Outcome<Vec<f64>> {
        let waker = there.claim_waker();
        ready.send(())?;
        let mut waits_ms = vec![];
        while waits_ms.len() < sizes.paced {
            let job = waker.next("worker")?.ok_or("the waker ended")?;
            let sent_ms: f64 = job.payload_as()?;
            waits_ms.push(wall_ms() - sent_ms);
            job.ack()?;
        }
        Ok(waits_ms)
    });
    is_ready.recv()?;
    let here = database.queue("paced", QueueOpts::default());
    let began = Instant::now();
    for i in 0..sizes.paced {
        thread::sleep(until_due(began, i, sizes.rate));
        here.enqueue(&wall_ms(), EnqueueOpts::default())?;
    }
    peer.waits("latency", handler.join().map_err(|_| "the handler panicked")??);
    Ok(())
}
