//! Servers that share a database hear of each other's commits.

use super::Bench;
use crate::sql::probe::{KILL_LISTENERS, Probe, deed, is_done};
use crate::store::{Committed, Writer as _};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// Sooner than the poll can have been it.
const AT_ONCE: Duration = Duration::from_millis(1_500);

/// Waits until the writer listens: it wakes its subscribers once when it does.
async fn listening(heard: &mut Receiver<Committed>) {
    assert!(heard.recv().await.unwrap().events.is_empty());
}

#[tokio::test]
async fn a_commit_is_heard_here_with_its_events_and_elsewhere_without() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    let ((here, mut heard_here), (_there, mut heard_there)) = (bench.writer(&probe), bench.writer(&probe));
    listening(&mut heard_here).await;
    listening(&mut heard_there).await;
    let began_at = Instant::now();
    assert!(is_done(&here.execute(deed("put", 7)).await, 7));
    let events = heard_here.recv().await.unwrap().events;
    assert_eq!(events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [7]);
    assert!(heard_there.recv().await.unwrap().events.is_empty());
    assert!(began_at.elapsed() < AT_ONCE, "{:?}", began_at.elapsed());
    // Nobody is woken by a notice of its own.
    assert!(matches!(heard_here.try_recv(), Err(TryRecvError::Empty)));
}

#[tokio::test]
async fn a_listener_that_lost_its_connection_hears_again() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    let ((here, mut heard_here), (_there, mut heard_there)) = (bench.writer(&probe), bench.writer(&probe));
    listening(&mut heard_here).await;
    listening(&mut heard_there).await;
    assert_eq!(bench.cluster.psql(&bench.url, KILL_LISTENERS), "2");
    // Whoever listens again wakes its subscribers, because it may have missed something.
    listening(&mut heard_there).await;
    let began_at = Instant::now();
    assert!(is_done(&here.execute(deed("put", 1)).await, 1));
    listening(&mut heard_there).await;
    assert!(began_at.elapsed() < AT_ONCE, "{:?}", began_at.elapsed());
}

#[tokio::test]
async fn a_poll_wakes_everybody_now_and_then() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    let (_writer, mut heard) = bench.writer(&probe);
    listening(&mut heard).await;
    let began_at = Instant::now();
    listening(&mut heard).await;
    assert!((1..5).contains(&began_at.elapsed().as_secs()), "{:?}", began_at.elapsed());
}

#[tokio::test]
async fn the_last_commit_before_closing_is_still_told() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    let ((here, mut heard_here), (_there, mut heard_there)) = (bench.writer(&probe), bench.writer(&probe));
    listening(&mut heard_here).await;
    listening(&mut heard_there).await;
    let began_at = Instant::now();
    for id in 1..=2 {
        assert!(is_done(&here.execute(deed("put", id)).await, id));
    }
    here.close().await;
    listening(&mut heard_there).await;
    listening(&mut heard_there).await;
    assert!(began_at.elapsed() < AT_ONCE, "{:?}", began_at.elapsed());
}
