//! Failed runs are tried again after a growing delay, up to a limit; what can't be mended by trying is not.

use crate::fixture::Fixture;
use crate::fixture::verbs::end;
use spalla_domain::claim::RunError;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::recovery::Rules;
use spalla_domain::retry::{Backoff, ErrorClass, RetryPolicy};
use spalla_domain::work_item::{Policy, Status};
use spalla_domain::{Fence, Timestamp, WorkItemId};
use spalla_store::command::{Command, RunEnd};

crate::fixture::claims!(
    a_failed_item_is_tried_again_after_a_growing_delay,
    the_jitter_moves_the_delay_and_stays_within_its_bounds,
    after_the_last_retry_an_item_is_a_dead_letter,
    an_items_own_policy_outweighs_the_servers,
    members_of_a_policy_change_one_by_one,
    a_validation_error_is_not_tried_again,
    other_errors_are_tried_again,
    what_met_a_limit_waits_for_its_end_and_spends_no_retry,
    a_limit_that_says_nothing_is_tried_as_the_network_is,
    rules_of_the_server_decide_which_failures_are_tried_again,
    a_retry_without_delay_is_ready_at_once,
    a_retry_waits_for_dependencies_that_were_reopened_meanwhile,
);

async fn fail(f: &Fixture, class: ErrorClass) -> WorkItemId {
    let run = f.claim_one("w").await;
    let error = RunError::new(class, "it broke");
    let said = RunEnd { error: Some(error), ..end(run.run_id, Some(run.fencing_token), false) };
    f.granted(Command::Complete(said)).await;
    run.work_item_id
}

async fn meet_limit(f: &Fixture, retry_at: Option<Timestamp>) {
    let run = f.claim_one("w").await;
    let error = RunError { retry_at, ..RunError::new(ErrorClass::RateLimited, "come back later") };
    let said = RunEnd { error: Some(error), ..end(run.run_id, Some(run.fencing_token), false) };
    f.granted(Command::Complete(said)).await;
}

async fn what_met_a_limit_waits_for_its_end_and_spends_no_retry(f: Fixture) {
    let f = f.with(|settings| settings.retry = RetryPolicy { max_retries: 0, ..calm(1_000) }).await;
    let [id] = f.queued().await;
    for _ in 0..3 {
        let reset = f.now().plus_ms(3_600_000);
        meet_limit(&f, Some(reset)).await;
        assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::Delayed)));
        assert_eq!(f.queue().await[0].due_at, Some(reset));
        f.clock.advance_ms(3_600_000);
    }
    let past = f.now().plus_ms(-5_000);
    meet_limit(&f, Some(past)).await;
    assert_eq!(f.queue().await[0].due_at, Some(f.now().plus_ms(1_000)), "not in a circle");
    f.clock.advance_ms(1_000);
    assert_eq!(f.run_next(true).await, id);
}

async fn a_limit_that_says_nothing_is_tried_as_the_network_is(f: Fixture) {
    let f = f.with(|settings| settings.retry = RetryPolicy { max_retries: 9, ..calm(60_000) }).await;
    let [id] = f.queued().await;
    for delay_ms in [2_000, 4_000, 8_000] {
        meet_limit(&f, None).await;
        let wait_ms = f.queue().await[0].due_at.unwrap().ms() - f.now().ms();
        assert!((delay_ms - 500..=delay_ms + 500).contains(&wait_ms), "{wait_ms} instead of {delay_ms}");
        f.clock.advance_ms(wait_ms);
    }
    meet_limit(&f, None).await;
    assert_eq!(f.status(id).await, Status::Failed);
}

async fn rules_of_the_server_decide_which_failures_are_tried_again(f: Fixture) {
    let rules = "rules:\n  - {name: once, when: {class: [timed_out]}, attempts: 1, delay_ms: 50}\n";
    let rules = std::sync::Arc::new(Rules::parse(rules).unwrap());
    let f = f.with(|settings| settings.recovery = Some(rules)).await;
    let [id, other] = f.queued().await;
    fail(&f, ErrorClass::TimedOut).await;
    assert_eq!(f.status(id).await, Status::Queued);
    fail(&f, ErrorClass::Failed).await;
    assert_eq!(f.status(other).await, Status::Failed, "no rule applies");
    f.clock.advance_ms(10_000);
    fail(&f, ErrorClass::TimedOut).await;
    assert_eq!(f.status(id).await, Status::Failed);
}

fn calm(base_ms: i64) -> RetryPolicy {
    RetryPolicy { max_retries: 3, backoff_base_ms: base_ms, backoff_jitter_ms: 0, ..RetryPolicy::default() }
}

async fn a_failed_item_is_tried_again_after_a_growing_delay(f: Fixture) {
    let f = f.with(|settings| settings.retry = calm(1_000)).await;
    let [id] = f.queued().await;
    for (attempt, delay_ms) in [(1, 2_000), (2, 4_000), (3, 8_000)] {
        let run = f.claim_one("w").await;
        assert_eq!((run.attempt, run.fencing_token), (attempt, Fence(i64::from(attempt))));
        f.complete(&run, false).await;
        assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::Delayed)));
        let due_at = f.now().plus_ms(delay_ms);
        assert_eq!(f.queue().await[0].due_at, Some(due_at));
        assert!(f.facts(id).await.contains(&Fact::RetryScheduled { failures: attempt, due_at }));
        f.clock.advance_ms(delay_ms - 1);
        assert_eq!(f.claim("w", 1).await, []);
        f.clock.advance_ms(1);
    }
    assert_eq!(f.run_next(true).await, id);
    let runs = f.store.read().runs(Default::default(), crate::fixture::snapshot::ALL).await.unwrap();
    assert_eq!(
        runs.iter().map(|run| (run.id.0, run.attempt)).collect::<Vec<_>>(),
        [(4, 4), (3, 3), (2, 2), (1, 1)]
    );
}

async fn the_jitter_moves_the_delay_and_stays_within_its_bounds(f: Fixture) {
    let ids: [_; 20] = f.queued().await;
    let mut delays = vec![];
    for _ in ids {
        let id = f.run_next(false).await;
        let entry = f.queue().await.into_iter().find(|entry| entry.work_item_id == id).unwrap();
        delays.push(entry.due_at.unwrap().ms() - f.now().ms());
    }
    assert!(delays.iter().all(|delay| (7_500..=12_500).contains(delay)), "{delays:?}");
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 10, "{delays:?}");
}

async fn after_the_last_retry_an_item_is_a_dead_letter(f: Fixture) {
    let f = f.with(|settings| settings.retry = calm(0)).await;
    let [id] = f.queued().await;
    for _ in 0..4 {
        assert_eq!(f.run_next(false).await, id);
    }
    assert_eq!(f.standing(id).await, (Status::Failed, None));
    assert_eq!(f.claim("w", 1).await, []);
    assert_eq!(f.facts(id).await.last(), Some(&Fact::WorkItemFinished { status: Status::Failed }));
    let history = f
        .store
        .read()
        .count_runs(spalla_store::view::RunFilter { work_item_id: Some(id), ..Default::default() });
    assert_eq!(history.await.unwrap(), 4);
}

async fn an_items_own_policy_outweighs_the_servers(f: Fixture) {
    let [once, slow, jittery, steady] = f.open_items().await;
    f.set_policy(once, Policy { max_retries: Some(0), ..Policy::default() }).await;
    let own = Policy { backoff_base_ms: Some(60_000), backoff_jitter_ms: Some(0), ..Policy::default() };
    f.set_policy(slow, own).await;
    f.set_policy(jittery, Policy { backoff_base_ms: Some(10_000), ..Policy::default() }).await;
    let fixed = Policy {
        backoff: Some(Backoff::Fixed),
        backoff_base_ms: Some(30_000),
        backoff_jitter_ms: Some(0),
        ..Policy::default()
    };
    f.set_policy(steady, fixed).await;
    for id in [once, slow, jittery, steady] {
        f.enqueue(id).await;
        f.run_next(false).await;
    }
    assert_eq!(f.status(once).await, Status::Failed);
    let delay = |id| {
        let f = &f;
        async move {
            let queue = f.queue().await;
            let entry = queue.iter().find(|entry| entry.work_item_id == id).unwrap();
            entry.due_at.unwrap().ms() - f.now().ms()
        }
    };
    assert_eq!((delay(slow).await, delay(steady).await), (120_000, 30_000));
    assert!((15_000..=25_000).contains(&delay(jittery).await));
}

async fn members_of_a_policy_change_one_by_one(f: Fixture) {
    let [id] = f.open_items().await;
    f.set_policy(id, Policy { max_retries: Some(7), ..Policy::default() }).await;
    f.set_policy(id, Policy { backoff_base_ms: Some(1_000), ..Policy::default() }).await;
    f.set_policy(
        id,
        Policy { backoff_base_ms: Some(2_000), backoff_jitter_ms: Some(5), ..Policy::default() },
    )
    .await;
    let expected = Policy {
        max_retries: Some(7),
        backoff_base_ms: Some(2_000),
        backoff_jitter_ms: Some(5),
        ..Policy::default()
    };
    assert_eq!(f.item(id).await.item.policy, expected);
    assert_eq!(f.facts(id).await.last(), Some(&Fact::WorkItemUpdated { changed: vec!["policy".into()] }));
}

async fn a_validation_error_is_not_tried_again(f: Fixture) {
    let [id] = f.queued().await;
    fail(&f, ErrorClass::Validation).await;
    assert_eq!(f.standing(id).await, (Status::Failed, None));
}

async fn other_errors_are_tried_again(f: Fixture) {
    f.queued::<5>().await;
    let classes =
        [ErrorClass::Failed, ErrorClass::TimedOut, ErrorClass::Network, ErrorClass::System, ErrorClass::Lost];
    for class in classes {
        let id = fail(&f, class).await;
        assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::Delayed)), "{class:?}");
    }
}

async fn a_retry_without_delay_is_ready_at_once(f: Fixture) {
    let f = f.with(|settings| settings.retry = calm(0)).await;
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    let mut wish = crate::fixture::verbs::exchange(&[], "w", 1);
    wish.completed = vec![crate::fixture::verbs::completion(&run, false)];
    let reply = f.exchange(wish).await;
    assert_eq!(reply.runs.iter().map(|run| (run.work_item_id, run.attempt)).collect::<Vec<_>>(), [(id, 2)]);
}

async fn a_retry_waits_for_dependencies_that_were_reopened_meanwhile(f: Fixture) {
    let f = f.with(|settings| settings.retry = calm(0)).await;
    let [parent, child] = f.open_items().await;
    f.succeed(parent).await;
    f.enqueue_after(child, parent).await;
    let run = f.claim_one("w").await;
    f.requeue(parent).await;
    // What runs goes on.
    assert_eq!(f.status(child).await, Status::Running);
    f.complete(&run, false).await;
    assert_eq!(f.standing(child).await, (Status::Queued, Some(Code::DependenciesUnmet)));
    assert_eq!(f.run_next(true).await, parent);
    assert_eq!(f.run_next(true).await, child);
}
