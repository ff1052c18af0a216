//! Many who look at logs while they grow and the server is started again and again.

use crate::log_follow::write;
use crate::viewer::{Seen, Viewer, Way};
use crate::world::{Setup, World};
use futures_util::future::join_all;
use serde_json::json;
use spalla_store::{Location, Memory};
use tokio::sync::RwLock;

const VIEWERS: usize = 20;
const RUNS: usize = 4;
const BATCHES: usize = 60;
const BATCH_LINES: usize = 7;
const RESTART_EVERY: usize = 20;

/// Looks at a log to its end, coming back by number whenever the connection breaks, and returns the numbers it saw.
async fn look(world: &RwLock<World>, way: Way, run: i64) -> (Vec<i64>, usize) {
    let (mut seen, mut breaks) = (vec![], 0);
    loop {
        let from = seen.last().map_or(0, |last| last + 1);
        let viewer = Viewer::begin(&*world.read().await, way, run, &format!("from={from}")).await;
        let Some(mut viewer) = viewer else {
            tokio::task::yield_now().await;
            continue;
        };
        loop {
            match viewer.next().await {
                Seen::Line(line) => {
                    let number = line["seq"].as_i64().unwrap();
                    if number > 0 {
                        assert_eq!(line["text"], format!("line {number}"));
                    }
                    seen.push(number);
                }
                Seen::End(_) => return (seen, breaks),
                Seen::Broken => break,
            }
        }
        breaks += 1;
    }
}

async fn print(world: &RwLock<World>, runs: &[(i64, i64)]) {
    for batch in 0..BATCHES {
        for (run, token) in runs {
            let first = batch * BATCH_LINES + 1;
            let texts = (first..first + BATCH_LINES).map(|number| format!("line {number}"));
            write(&*world.read().await, *run, *token, texts).await;
        }
        if batch % RESTART_EVERY == RESTART_EVERY / 2 {
            world.write().await.restart().await;
        }
        tokio::task::yield_now().await;
    }
    for (run, token) in runs {
        world.read().await.complete(*run, *token).await;
    }
}

async fn everybody_sees_every_line_once(location: Location) {
    let world = World::with(Setup { location: Some(location), ..Setup::default() }).await;
    let mut runs = vec![];
    for _ in 0..RUNS {
        runs.push(world.claimed_run(json!({})).await);
    }
    let world = RwLock::new(world);
    let viewers = (0..VIEWERS).map(|number| {
        let way = if number % 2 == 0 { Way::WebSocket } else { Way::Events };
        look(&world, way, runs[number / 2 % RUNS].0)
    });
    let (seen, ()) = tokio::join!(join_all(viewers), print(&world, &runs));
    let all: Vec<i64> = (0..=(BATCHES * BATCH_LINES) as i64).collect();
    for (number, (seen, breaks)) in seen.into_iter().enumerate() {
        assert_eq!(seen, all, "viewer {number}");
        assert!(breaks >= 1, "viewer {number} saw no restart");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory_every_viewer_goes_on_by_number_and_sees_every_line_once() {
    everybody_sees_every_line_once(Location::Memory(Memory::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_file_every_viewer_goes_on_by_number_and_sees_every_line_once() {
    let folder = tempfile::tempdir().unwrap();
    everybody_sees_every_line_once(Location::Sqlite(folder.path().join("spalla.db"))).await;
}
