//! Tick and start make runs that nobody holds; claims take those first, or nothing else where told so.

use crate::fixture::Fixture;
use crate::fixture::verbs::{by_hand, item, item_after};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::run::Status as RunStatus;
use spalla_domain::work_item::{Executor, SpecPatch, Status, When};
use spalla_domain::{Fence, RunId};
use spalla_store::command::{Command, Held, Reply, Started};

crate::fixture::claims!(
    a_tick_gives_eligible_items_runs_that_nobody_holds,
    a_tick_starts_the_best_up_to_its_limit,
    a_tick_says_what_is_held_back_and_why,
    a_tick_may_look_at_external_items_alone,
    ticks_from_many_places_start_an_item_once,
    claims_take_pending_runs_first,
    claims_may_leave_eligible_items_to_ticks,
    start_gives_an_open_item_a_run_at_once,
    start_does_not_wait_for_the_clock,
    start_says_what_holds_an_item,
    a_pending_run_is_completed_by_a_person,
    a_claim_of_a_pending_run_keeps_its_number_and_attempt,
);

async fn a_tick_gives_eligible_items_runs_that_nobody_holds(f: Fixture) {
    let [a, b] = f.queued().await;
    assert_eq!(f.tick().await, [a, b]);
    assert_eq!(f.tick().await, []);
    let view = f.run(RunId(1)).await;
    assert_eq!((view.status, view.work_item_id, view.attempt), (RunStatus::Pending, a, 1));
    assert_eq!((view.lease, view.worker, view.fence, view.started_at), (None, None, None, None));
    assert_eq!(f.facts(a).await[3..], [Fact::RunCreated { attempt: 1 }]);
    assert_eq!(f.status(a).await, Status::Running);
    let depths = f.store.read().depths().await.unwrap();
    assert_eq!((depths.pending, depths.running, depths.ready), (2, 0, 0));
}

async fn a_tick_starts_the_best_up_to_its_limit(f: Fixture) {
    let [a, b, c] = f.queued().await;
    f.update(c, SpecPatch { priority: Some(9), ..SpecPatch::default() }).await;
    let Reply::Ticked { started, .. } = f.granted(Command::Tick { max: 2, external_only: false }).await
    else {
        panic!("no tick");
    };
    assert_eq!(
        started,
        [Started { run_id: RunId(1), work_item_id: c }, Started { run_id: RunId(2), work_item_id: a },]
    );
    assert_eq!(f.tick().await, [b]);
}

async fn a_tick_says_what_is_held_back_and_why(f: Fixture) {
    let [parent, child, late, unapproved, rejected, failed, orphan] = f.open_items().await;
    f.enqueue_after(child, parent).await;
    f.enqueue_later(late, 5_000).await;
    f.request_approval(unapproved).await;
    f.enqueue(unapproved).await;
    let approval = f.request_approval(rejected).await;
    f.decide(approval, spalla_domain::approval::Decision::Reject).await;
    f.enqueue(rejected).await;
    f.fail_for_good(failed).await;
    f.enqueue_after(orphan, failed).await;
    let Reply::Ticked { started, mut blocked } =
        f.granted(Command::Tick { max: 9, external_only: false }).await
    else {
        panic!("no tick");
    };
    assert_eq!(started, []);
    blocked.sort_by_key(|held| held.work_item_id);
    let held = |work_item_id, reason| Held { work_item_id, reason };
    assert_eq!(
        blocked,
        [
            held(child, Code::DependenciesUnmet),
            held(late, Code::Delayed),
            held(unapproved, Code::ApprovalPending),
            held(rejected, Code::ApprovalRejected),
            held(orphan, Code::DependencyFailed),
        ]
    );
}

async fn a_tick_may_look_at_external_items_alone(f: Fixture) {
    let project = f.project().await;
    let mut external = item(project);
    external.spec.executor = Executor::External;
    let ids = f.make([item(project), external]).await;
    f.enqueue(ids[0]).await;
    f.enqueue(ids[1]).await;
    let reply = f.granted(Command::Tick { max: 9, external_only: true }).await;
    let started = vec![Started { run_id: RunId(1), work_item_id: ids[1] }];
    assert_eq!(reply, Reply::Ticked { started, blocked: vec![] });
    assert_eq!(f.status(ids[0]).await, Status::Queued);
}

async fn ticks_from_many_places_start_an_item_once(f: Fixture) {
    let ids: [_; 20] = f.queued().await;
    let other = f.second_server().await;
    let ticks = (0..16).map(|n| {
        let store = if n % 2 == 0 { &f.store } else { &other };
        store.execute(Command::Tick { max: 7, external_only: false })
    });
    let mut started = vec![];
    for reply in futures_util::future::join_all(ticks).await {
        let Ok(Reply::Ticked { started: new, .. }) = reply else { panic!("{reply:?}") };
        started.extend(new);
    }
    started.extend(f.tick().await.into_iter().map(|work_item_id| Started { run_id: RunId(0), work_item_id }));
    let mut items: Vec<_> = started.iter().map(|started| started.work_item_id).collect();
    items.sort();
    assert_eq!(items, ids);
}

async fn claims_take_pending_runs_first(f: Fixture) {
    let [low, high] = f.queued().await;
    f.update(low, SpecPatch { priority: Some(0), ..SpecPatch::default() }).await;
    let pending = f.start(low).await;
    let runs = f.claim("w", 2).await;
    assert_eq!(runs.iter().map(|run| run.work_item_id).collect::<Vec<_>>(), [low, high]);
    assert_eq!(runs[0].run_id, pending);
}

async fn claims_may_leave_eligible_items_to_ticks(f: Fixture) {
    let f = f.with(|settings| settings.claims_take_eligible = false).await;
    let [a, b, c] = f.queued().await;
    assert_eq!(f.claim("w", 5).await, []);
    f.start(b).await;
    assert_eq!(f.claimed_items("w", 5).await, [b]);
    assert_eq!(f.tick().await, [a, c]);
    assert_eq!(f.claimed_items("w", 5).await, [a, c]);
}

async fn start_gives_an_open_item_a_run_at_once(f: Fixture) {
    let [id] = f.open_items().await;
    let run = f.start(id).await;
    assert_eq!(
        f.facts(id).await[1..],
        [
            Fact::WorkItemQueued { unmet: 0, approvals: 0, due_at: None },
            Fact::WorkItemReady {},
            Fact::RunCreated { attempt: 1 },
        ]
    );
    assert_eq!(f.refused(Command::Start { work_item_id: id }).await, Code::RunActive);
    f.complete_by_hand(run, true).await;
    assert_eq!(f.refused(Command::Start { work_item_id: id }).await, Code::WorkItemFinished);
}

async fn start_does_not_wait_for_the_clock(f: Fixture) {
    let [id] = f.open_items().await;
    f.enqueue_later(id, 90_000).await;
    let run = f.start(id).await;
    assert_eq!(f.claim_one("w").await.run_id, run);
    f.pass_ms(30_000).await;
    assert_eq!(f.queue().await, []);
}

async fn start_says_what_holds_an_item(f: Fixture) {
    let project = f.project().await;
    let parent = f.make_one(item(project)).await;
    let child = f.make_one(item_after(project, &[(parent, When::Success)])).await;
    let start = || Command::Start { work_item_id: child };
    assert_eq!(f.refused(start()).await, Code::DependenciesUnmet);
    f.enqueue(child).await;
    assert_eq!(f.refused(start()).await, Code::DependenciesUnmet);
    f.fail_for_good(parent).await;
    assert_eq!(f.refused(start()).await, Code::DependencyFailed);
    f.requeue(parent).await;
    f.succeed(parent).await;
    f.start(child).await;
}

async fn a_pending_run_is_completed_by_a_person(f: Fixture) {
    let [good, bad] = f.open_items().await;
    let run = f.start(good).await;
    f.complete_by_hand(run, true).await;
    assert_eq!(f.status(good).await, Status::Succeeded);
    let view = f.run(run).await;
    assert_eq!((view.status, view.worker, view.started_at), (RunStatus::Succeeded, None, None));
    assert_eq!(view.ended_at, Some(f.now()));
    let run = f.start(bad).await;
    f.complete_by_hand(run, false).await;
    assert_eq!(f.standing(bad).await, (Status::Queued, Some(Code::Delayed)));
    assert_eq!(f.refused(by_hand(run, true)).await, Code::RunEnded);
}

async fn a_claim_of_a_pending_run_keeps_its_number_and_attempt(f: Fixture) {
    let [id] = f.open_items().await;
    let made = f.start(id).await;
    f.clock.advance_ms(700);
    let run = f.claim_run(made, "w").await;
    assert_eq!((run.run_id, run.attempt, run.fencing_token), (made, 1, Fence(1)));
    let view = f.run(made).await;
    assert_eq!(view.started_at.unwrap().ms() - view.created_at.ms(), 700);
    assert_eq!((view.status, view.takeovers), (RunStatus::Running, 0));
}
