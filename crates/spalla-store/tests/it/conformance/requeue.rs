//! Requeue: a person brings an item back into the queue, whatever became of it.

use crate::fixture::Fixture;
use crate::fixture::verbs::{item, item_after, requeue};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::retry::RetryPolicy;
use spalla_domain::work_item::{Status, When};
use spalla_domain::{Fence, RunId, WorkItemId};
use spalla_store::command::{Command, Delay, Reply, Requeued};

crate::fixture::claims!(
    a_finished_item_comes_back_with_its_entry_and_all_its_retries,
    a_requeued_item_is_as_old_as_its_requeue,
    requeueing_the_root_unblocks_all_below,
    requeueing_a_parent_holds_its_ready_children_again,
    children_that_run_or_are_finished_stay_as_they_are,
    a_waiting_item_can_be_brought_forward_or_put_off,
    a_running_item_is_not_requeued,
    an_item_is_requeued_by_any_of_its_runs,
    the_policy_may_give_the_delay,
    a_requeue_may_change_the_priority,
    an_open_item_can_be_requeued,
);

async fn a_finished_item_comes_back_with_its_entry_and_all_its_retries(f: Fixture) {
    let f = f.with(|settings| {
        settings.retry = RetryPolicy {
            max_retries: 1,
            backoff_base_ms: 0,
            backoff_jitter_ms: 0,
            ..RetryPolicy::default()
        };
    });
    let f = f.await;
    let [id] = f.open_items().await;
    let entry = f.enqueue(id).await;
    f.run_next(false).await;
    f.run_next(false).await;
    assert_eq!(f.status(id).await, Status::Failed);

    assert_eq!(f.requeue(id).await, entry);

    assert_eq!(f.standing(id).await, (Status::Queued, None));
    let facts = f.facts(id).await;
    let priority_again = Fact::PriorityMoved { priority: 5, set: 5, reasons: vec![] };
    let back = [Fact::WorkItemRequeued { due_at: None }, Fact::WorkItemReady {}, priority_again];
    assert_eq!(facts[facts.len() - 3..], back);
    let run = f.claim_one("w").await;
    assert_eq!((run.attempt, run.fencing_token), (3, Fence(3)));
    f.complete(&run, false).await;
    assert_eq!(f.standing(id).await, (Status::Queued, None), "its retries begin afresh");
    f.run_next(true).await;
    f.requeue(id).await;
    assert_eq!(f.run_next(true).await, id);
}

async fn a_requeued_item_is_as_old_as_its_requeue(f: Fixture) {
    let [first, second] = f.queued().await;
    f.clock.advance_ms(10);
    f.requeue(first).await;
    assert_eq!(f.queue_order().await, [second, first]);
    assert_eq!(f.queue().await[1].enqueued_at, f.now());
}

async fn requeueing_the_root_unblocks_all_below(f: Fixture) {
    let chain: [WorkItemId; 6] = f.open_items().await;
    for pair in chain.windows(2) {
        f.enqueue_after(pair[1], pair[0]).await;
    }
    f.fail_for_good(chain[0]).await;
    f.requeue(chain[0]).await;
    for id in &chain[1..] {
        assert_eq!(f.standing(*id).await, (Status::Queued, Some(Code::DependenciesUnmet)));
        assert_eq!(f.facts(*id).await.last(), Some(&Fact::WorkItemUnblocked {}));
    }
    for id in chain {
        assert_eq!(f.run_next(true).await, id);
    }
}

async fn requeueing_a_parent_holds_its_ready_children_again(f: Fixture) {
    let project = f.project().await;
    let parent = f.make_one(item(project)).await;
    let ids = f
        .make([
            item_after(project, &[(parent, When::Success)]),
            item_after(project, &[(parent, When::Done)]),
            item_after(project, &[(parent, When::Failure)]),
        ])
        .await;
    f.enqueue(ids[0]).await;
    f.granted(Command::Enqueue { work_item_id: ids[1], depends_on: None, priority: None, delay_ms: 5_000 })
        .await;
    f.enqueue(ids[2]).await;
    f.succeed(parent).await;
    assert_eq!(f.standing(ids[0]).await, (Status::Queued, None));
    assert_eq!(f.standing(ids[1]).await, (Status::Queued, Some(Code::Delayed)));
    assert_eq!(f.standing(ids[2]).await, (Status::Blocked, Some(Code::DependencySucceeded)));

    f.requeue(parent).await;

    for id in &ids {
        assert_eq!(f.standing(*id).await, (Status::Queued, Some(Code::DependenciesUnmet)), "{id}");
    }
    assert_eq!(f.run_next(true).await, parent);
    assert_eq!(f.standing(ids[1]).await, (Status::Queued, Some(Code::Delayed)));
    assert_eq!(f.claimed_items("w", 5).await, [ids[0]]);
}

async fn children_that_run_or_are_finished_stay_as_they_are(f: Fixture) {
    let [parent, running, done, pending] = f.open_items().await;
    f.succeed(parent).await;
    for child in [running, done, pending] {
        f.enqueue_after(child, parent).await;
    }
    f.start(pending).await;
    assert_eq!(f.claim_one("w").await.work_item_id, pending);
    f.claim_run(f.start(running).await, "w").await;
    f.succeed(done).await;
    f.requeue(parent).await;
    assert_eq!(f.status(running).await, Status::Running);
    assert_eq!(f.status(pending).await, Status::Running);
    assert_eq!(f.status(done).await, Status::Succeeded);
}

async fn a_waiting_item_can_be_brought_forward_or_put_off(f: Fixture) {
    let [late, ready, held, parent] = f.open_items().await;
    f.enqueue_later(late, 60_000).await;
    f.enqueue(ready).await;
    f.enqueue_after(held, parent).await;
    f.requeue(late).await;
    assert_eq!(f.standing(late).await, (Status::Queued, None));
    let put_off =
        Command::Requeue { target: Requeued::WorkItem(ready), priority: None, delay: Delay::Ms(700) };
    f.granted(put_off).await;
    assert_eq!(f.standing(ready).await, (Status::Queued, Some(Code::Delayed)));
    f.requeue(held).await;
    assert_eq!(f.standing(held).await, (Status::Queued, Some(Code::DependenciesUnmet)));
}

async fn a_running_item_is_not_requeued(f: Fixture) {
    let [id, pending] = f.queued().await;
    let run = f.claim_one("w").await;
    f.start(pending).await;
    assert_eq!(f.refused(requeue(id)).await, Code::RunActive);
    assert_eq!(f.refused(requeue(pending)).await, Code::RunActive);
    let by_run =
        Command::Requeue { target: Requeued::Run(run.run_id), priority: None, delay: Delay::Backoff };
    assert_eq!(f.refused(by_run).await, Code::RunActive);
}

async fn an_item_is_requeued_by_any_of_its_runs(f: Fixture) {
    let [id] = f.open_items().await;
    let entry = f.enqueue(id).await;
    let by_run =
        |run| Command::Requeue { target: Requeued::Run(RunId(run)), priority: None, delay: Delay::Ms(0) };
    f.run_next(true).await;
    for _ in 0..2 {
        assert_eq!(f.granted(by_run(1)).await, Reply::Entry { id: entry, work_item_id: id });
        assert_eq!(f.run_next(true).await, id);
    }
}

async fn the_policy_may_give_the_delay(f: Fixture) {
    let f = f.with(|settings| settings.retry.backoff_jitter_ms = 0).await;
    let [id] = f.open_items().await;
    let again = || Command::Requeue { target: Requeued::WorkItem(id), priority: None, delay: Delay::Backoff };
    f.granted(again()).await;
    assert_eq!(f.queue().await[0].due_at, Some(f.now().plus_ms(10_000)));
    f.start(id).await;
    f.complete_by_hand(RunId(1), false).await;
    f.pass_ms(20_000).await;
    f.run_next(false).await;
    f.granted(again()).await;
    assert_eq!(f.queue().await[0].due_at, Some(f.now().plus_ms(20_000)));
}

async fn a_requeue_may_change_the_priority(f: Fixture) {
    let [a, b] = f.queued().await;
    f.granted(Command::Requeue { target: Requeued::WorkItem(b), priority: Some(8), delay: Delay::Ms(0) })
        .await;
    assert_eq!(f.queue_order().await, [b, a]);
    f.requeue(b).await;
    assert_eq!(f.queue().await[0].priority, 8);
}

async fn an_open_item_can_be_requeued(f: Fixture) {
    let [id] = f.open_items().await;
    f.requeue(id).await;
    assert_eq!(f.run_next(true).await, id);
}
