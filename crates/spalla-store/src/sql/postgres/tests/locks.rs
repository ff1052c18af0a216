//! Locks that others hold for too long: the connection that waited for them in vain is fine and serves on.

use super::{Bench, store_error};
use crate::error::StoreError;
use crate::sql::probe::{Probe, deed, insert, is_done};
use crate::store::Writer as _;
use std::sync::atomic::Ordering;
use tokio::task::{block_in_place, yield_now};

const WAITING: &str = "select coalesce(min(pid), 0) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";

impl Bench {
    /// Waits until a connection waits for a lock, and returns its process.
    async fn waiting(&self) -> String {
        loop {
            match block_in_place(|| self.cluster.psql(&self.url, WAITING)) {
                none if none == "0" => yield_now().await,
                pid => return pid,
            }
        }
    }

    /// Ends the statement that waits for a lock, as the database does by itself after its timeouts.
    async fn cut_short(&self) -> String {
        let pid = self.waiting().await;
        block_in_place(|| self.cluster.psql(&self.url, &format!("select pg_cancel_backend({pid})")));
        pid
    }

    fn is_alive(&self, pid: &str) -> bool {
        let count = format!("select count(*) from pg_stat_activity where pid = {pid}");
        block_in_place(|| self.cluster.psql(&self.url, &count)) == "1"
    }
}

async fn wait_for_rollbacks(probe: &Probe, count: u32) {
    while probe.forgotten.load(Ordering::SeqCst) < count {
        yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_met_a_lock_is_tried_again_on_the_same_connection() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    let (writer, _heard) = bench.writer(&probe);
    let mut holder = bench.session().await;
    holder.begin();
    holder.run_calls(&[insert(7, "held")]).await.unwrap();
    let meeting = async {
        // Once a person ends the wait, and once the connection's own timeout does.
        let first = bench.cut_short().await;
        wait_for_rollbacks(&probe, 1).await;
        let second = bench.waiting().await;
        wait_for_rollbacks(&probe, 2).await;
        holder.rollback().await.unwrap();
        (first, second)
    };
    let (outcome, (first, second)) = tokio::join!(writer.execute(deed("put", 7)), meeting);
    assert!(is_done(&outcome, 7), "{outcome:?}");
    assert_eq!(probe.batches(), [1; 3]);
    assert_eq!(first, second);
    assert!(bench.is_alive(&first), "the writer gave up a connection that was fine");
    writer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_never_given_back_is_said_and_the_connection_serves_on() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    let (writer, _heard) = bench.writer(&probe);
    let mut holder = bench.session().await;
    holder.begin();
    holder.run_calls(&[insert(7, "held")]).await.unwrap();
    let cutting = async {
        let mut pids = vec![];
        for count in 1..=3 {
            pids.push(bench.cut_short().await);
            wait_for_rollbacks(&probe, count).await;
        }
        pids
    };
    let (outcome, pids) = tokio::join!(writer.execute(deed("put", 7)), cutting);
    let error = store_error(outcome);
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("waiting 3 times in a row"), "{error}");
    assert!(pids.iter().all(|pid| *pid == pids[0] && bench.is_alive(pid)), "{pids:?}");
    holder.rollback().await.unwrap();
    assert!(is_done(&writer.execute(deed("put", 8)).await, 8));
    writer.close().await;
}
