//! The database goes away and comes back.

use super::{all, ids, prepare, rows, store_error, writer};
use crate::error::{ExecuteError, StoreError};
use crate::sql::driver::Reader as _;
use crate::sql::postgres::readers::Readers;
use crate::sql::postgres_fixture::Cluster;
use crate::sql::probe::{Probe, deed, is_done};
use crate::store::Writer as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::task::{JoinSet, block_in_place};

/// How many clients keep a writer busy.
const CLIENTS: u32 = 16;
/// How many requests have to be done before and after the database is taken away.
const DONE_MIN: u32 = 500;

/// Keeps the writer busy while the database is taken away and given back, and returns the ids of the requests that
/// were done, and all errors.
async fn under_load(cluster: &Cluster, interrupt: fn(&Cluster)) -> (Vec<i64>, Vec<StoreError>, Vec<i64>) {
    let target = prepare(&cluster.create_database()).await;
    let (writer, _heard) = writer(&target, &Probe::with_troubles(0));
    let (writer, done, next) = (Arc::new(writer), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(1)));
    let enough = Arc::new(AtomicU32::new(u32::MAX));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (writer, done, next, enough) =
            (Arc::clone(&writer), Arc::clone(&done), Arc::clone(&next), Arc::clone(&enough));
        clients.spawn(async move {
            let (mut did, mut errors) = (vec![], vec![]);
            while done.load(Ordering::SeqCst) < enough.load(Ordering::SeqCst) {
                let id = next.fetch_add(1, Ordering::SeqCst);
                match writer.execute(deed("put", id)).await {
                    Ok(_) => {
                        did.push(i64::from(id));
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(ExecuteError::Store(error)) => errors.push(error),
                    Err(refused) => panic!("{refused}"),
                }
            }
            (did, errors)
        });
    }
    while done.load(Ordering::SeqCst) < DONE_MIN {
        tokio::task::yield_now().await;
    }
    block_in_place(|| interrupt(cluster));
    enough.store(done.load(Ordering::SeqCst) + DONE_MIN, Ordering::SeqCst);
    let (mut did, mut errors) = (vec![], vec![]);
    for (more, worse) in clients.join_all().await {
        did.extend(more);
        errors.extend(worse);
    }
    writer.close().await;
    did.sort_unstable();
    (did, errors, ids(&rows(&target).await))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_under_load_loses_nothing_and_the_writer_heals() {
    let cluster = block_in_place(Cluster::start_new);
    for interrupt in [Cluster::restart, |cluster: &Cluster| {
        cluster.crash();
        cluster.start();
    }] {
        let (did, errors, kept) = under_load(&cluster, interrupt).await;
        let is_unknown = |error: &&StoreError| matches!(error, StoreError::Unknown { .. });
        let unknown = errors.iter().filter(is_unknown).count();
        let other = errors
            .iter()
            .find(|error| !matches!(error, StoreError::Unknown { .. } | StoreError::Unavailable { .. }));
        assert!(other.is_none(), "{other:?}");
        // Two commits can have been under way; whatever else was interrupted was done afterwards or refused.
        assert!(unknown <= CLIENTS as usize, "{unknown} requests of {CLIENTS} clients");
        assert!(
            did.iter().all(|id| kept.binary_search(id).is_ok()),
            "an answer was given and its row is gone"
        );
        assert!(kept.len() <= did.len() + unknown, "a row is there, and its request failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_outage_is_said_and_ends_by_itself() {
    let cluster = block_in_place(Cluster::start_new);
    let target = prepare(&block_in_place(|| cluster.create_database())).await;
    let (writer, _heard) = writer(&target, &Probe::with_troubles(0));
    let readers = Readers::new(Arc::clone(&target));
    assert!(is_done(&writer.execute(deed("put", 1)).await, 1));
    assert_eq!(ids(&readers.read(all()).await.unwrap()), [1]);

    block_in_place(|| cluster.stop());
    assert!(matches!(readers.read(all()).await, Err(StoreError::Unavailable { .. })));
    // Both connections learn of the outage; each of them is patient once.
    let (one, other) = (writer.execute(deed("put", 2)), async {
        tokio::task::yield_now().await;
        writer.execute(deed("put", 3)).await
    });
    let (one, other) = tokio::join!(one, other);
    for outcome in [one, other] {
        let error = store_error(outcome);
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        assert!(error.to_string().contains("check that Postgres runs there"), "{error}");
    }
    assert!(matches!(store_error(writer.execute(deed("put", 4)).await), StoreError::Unavailable { .. }));

    block_in_place(|| cluster.start());
    assert!(is_done(&writer.execute(deed("put", 5)).await, 5));
    assert_eq!(ids(&readers.read(all()).await.unwrap()), [1, 5]);
    writer.close().await;
}
