//! Cancel: a person stops a run, and with it its item.

use crate::fixture::Fixture;
use crate::fixture::snapshot::everything;
use crate::fixture::verbs::{LEASE_MS, beat, complete, exchange, hand_back, heartbeat, logs};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::run::Status as RunStatus;
use spalla_domain::work_item::Status;
use spalla_store::Command;

crate::fixture::claims!(
    a_cancelled_run_cancels_its_item,
    the_holder_of_a_cancelled_run_is_told_so,
    a_cancelled_run_takes_nothing_more,
    cancelling_twice_is_once,
    a_run_that_ended_otherwise_is_not_cancelled,
    a_pending_run_is_cancelled_too,
    a_cancelled_item_comes_back_by_requeue_alone,
);

async fn a_cancelled_run_cancels_its_item(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    f.cancel(run.run_id).await;
    assert_eq!(f.standing(id).await, (Status::Cancelled, None));
    let view = f.run(run.run_id).await;
    assert_eq!(
        (view.status, view.ended_at, view.worker.unwrap().as_str()),
        (RunStatus::Cancelled, Some(f.now()), "w")
    );
    let facts = f.facts(id).await;
    let end = [Fact::RunCancelled {}, Fact::WorkItemFinished { status: Status::Cancelled }];
    assert_eq!(facts[facts.len() - 2..], end);
}

async fn the_holder_of_a_cancelled_run_is_told_so(f: Fixture) {
    f.queued::<1>().await;
    let old = f.claim_one("old").await;
    f.clock.advance_ms(LEASE_MS);
    let run = f.claim_one("w").await;
    f.cancel(run.run_id).await;
    assert!(f.heartbeat(&run, "w").await);
    assert!(f.heartbeat(&run, "w").await);
    let mut wish = exchange(&[], "w", 0);
    wish.heartbeats = vec![beat(&run)];
    assert!(f.exchange(wish).await.heartbeats[0].cancel);
    assert_eq!(f.refused(heartbeat(&old, "old")).await, Code::StaleToken);
}

async fn a_cancelled_run_takes_nothing_more(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.log(&run, Some(1), &["so far"]).await;
    f.cancel(run.run_id).await;
    for command in [complete(&run, true), complete(&run, false), hand_back(&run), logs(&run, None, &["more"])]
    {
        assert_eq!(f.refused(command).await, Code::RunEnded);
    }
    assert_eq!(f.read_log(run.run_id, Default::default()).await.len(), 2);
}

async fn cancelling_twice_is_once(f: Fixture) {
    let [id] = f.open_items().await;
    let run = f.start(id).await;
    f.cancel(run).await;
    let before = everything(&f.store).await;
    f.clock.advance_ms(1);
    f.cancel(run).await;
    before.assert_same(&everything(&f.store).await, "cancelled again");
}

async fn a_run_that_ended_otherwise_is_not_cancelled(f: Fixture) {
    f.queued::<2>().await;
    for success in [true, false] {
        let run = f.claim_one("w").await;
        f.complete(&run, success).await;
        assert_eq!(f.refused(Command::CancelRun { run_id: run.run_id }).await, Code::RunEnded);
    }
}

async fn a_pending_run_is_cancelled_too(f: Fixture) {
    let [held, vanished] = f.open_items().await;
    let run = f.start(held).await;
    f.request_approval(held).await;
    f.cancel(run).await;
    assert_eq!(f.status(held).await, Status::Cancelled);
    f.enqueue(vanished).await;
    let run = f.claim_one("w").await;
    f.pass_ms(LEASE_MS).await;
    f.cancel(run.run_id).await;
    assert_eq!(f.claim("w", 5).await, []);
}

async fn a_cancelled_item_comes_back_by_requeue_alone(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    f.cancel(run.run_id).await;
    assert_eq!(f.refused(crate::fixture::verbs::enqueue(id)).await, Code::WorkItemFinished);
    assert_eq!(f.refused(Command::Start { work_item_id: id }).await, Code::WorkItemFinished);
    f.requeue(id).await;
    let next = f.claim_one("w").await;
    assert_eq!((next.attempt, next.fencing_token), (2, run.fencing_token.next()));
    // The end of the first run stays what it was.
    assert!(f.heartbeat(&run, "w").await);
    f.complete(&next, true).await;
}
