//! A restart is the ordinary path: everything is there afterwards, and goes on.

use crate::fixture::Fixture;
use crate::fixture::snapshot::everything;
use crate::fixture::verbs::{LEASE_MS, item};
use spalla_domain::work_item::Status;
use spalla_store::{ExecuteError, StoreError};

crate::fixture::claims!(
    a_restart_changes_nothing,
    leases_and_tokens_outlive_a_restart,
    what_came_due_during_a_restart_is_found,
    a_closed_store_takes_no_request,
);

async fn a_restart_changes_nothing(mut f: Fixture) {
    let [parent, child, late, held, done, failed, orphan, running] = f.open_items().await;
    f.enqueue_after(child, parent).await;
    f.enqueue_later(late, 5_000).await;
    f.request_approval(held).await;
    f.enqueue(held).await;
    f.succeed(done).await;
    f.fail_for_good(failed).await;
    f.enqueue_after(orphan, failed).await;
    f.enqueue(running).await;
    let run = f.claim_one("w").await;
    f.log(&run, Some(1), &["one", "two"]).await;
    let before = everything(&f.store).await;
    let trace = f.run(run.run_id).await.trace_id;
    f.restart().await;
    before.assert_same(&everything(&f.store).await, "after a restart");
    assert_eq!(f.run(run.run_id).await.trace_id, trace);
}

async fn leases_and_tokens_outlive_a_restart(mut f: Fixture) {
    let [id, next] = f.queued().await;
    let run = f.claim_one("w").await;
    f.log(&run, Some(1), &["before"]).await;
    f.restart().await;
    f.heartbeat(&run, "w").await;
    assert_eq!(f.log(&run, Some(1), &["before", "after"]).await, 3);
    assert_eq!(f.claimed_items("w", 5).await, [next]);
    f.complete(&run, true).await;
    f.restart().await;
    f.complete(&run, true).await;
    assert_eq!(f.status(id).await, Status::Succeeded);
    let project = f.item(id).await.item.project_id;
    let made = f.make_one(item(project)).await;
    assert_eq!(made.0, next.0 + 1);
    assert_eq!(f.start(made).await, 3.into());
}

async fn what_came_due_during_a_restart_is_found(mut f: Fixture) {
    let [late, running] = f.open_items().await;
    f.enqueue_later(late, 5_000).await;
    f.enqueue(running).await;
    f.claim_one("w").await;
    f.keep_time().await;
    f.clock.advance_ms(LEASE_MS);
    f.restart().await;
    assert!(f.store.next_moment().is_some_and(|at| at <= f.now()));
    assert_eq!(f.claimed_items("v", 5).await, [running, late]);
}

async fn a_closed_store_takes_no_request(f: Fixture) {
    f.project().await;
    f.store.close().await;
    f.store.close().await;
    let command = spalla_store::Command::KeepTime { max: 1 };
    let answer = f.store.execute(command).await;
    assert!(matches!(answer, Err(ExecuteError::Store(StoreError::Closed))), "{answer:?}");
}
