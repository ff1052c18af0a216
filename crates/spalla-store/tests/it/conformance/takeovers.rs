//! A run whose holders vanish again and again is given up, and its item tried again under the policy.

use crate::fixture::Fixture;
use crate::fixture::verbs::{LEASE_MS, claim_run, complete, heartbeat, logs};
use spalla_domain::Fence;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::run::{Status as RunStatus, TAKEOVERS_MAX_DEFAULT};
use spalla_domain::work_item::{Policy, Status};
use spalla_store::{Clock as _, ExecuteError};

crate::fixture::claims!(
    a_run_is_lost_after_the_last_takeover_and_its_item_tried_again,
    a_run_may_be_lost_without_a_takeover,
    lost_runs_spend_retries_until_the_item_is_a_dead_letter,
    a_hand_back_is_no_takeover,
    forgetting_the_last_holder_loses_the_run,
    a_claim_by_number_notices_that_the_last_holder_vanished,
    a_lost_run_takes_nothing_more,
);

async fn a_run_is_lost_after_the_last_takeover_and_its_item_tried_again(f: Fixture) {
    let [id] = f.queued().await;
    for takeovers in 0..=TAKEOVERS_MAX_DEFAULT {
        let run = f.claim_one("w").await;
        let view = f.run(run.run_id).await;
        assert_eq!((view.takeovers, view.fence.unwrap().0), (takeovers, i64::from(takeovers) + 1));
        assert_eq!(f.pass_ms(LEASE_MS).await, 1);
    }
    let view = f.run(1.into()).await;
    assert_eq!((view.status, view.takeovers), (RunStatus::Lost, TAKEOVERS_MAX_DEFAULT));
    assert_eq!(view.worker.unwrap().as_str(), "w");
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::Delayed)));
    let due_at = f.queue().await[0].due_at.unwrap();
    assert!((7_500..=12_500).contains(&(due_at.ms() - f.now().ms())));
    let facts = f.facts(id).await;
    assert_eq!(
        facts[facts.len() - 4..facts.len() - 1],
        [
            Fact::LeaseExpired { worker: crate::fixture::verbs::worker("w"), fence: Fence(4) },
            Fact::RunLost { takeovers: TAKEOVERS_MAX_DEFAULT },
            Fact::RetryScheduled { failures: 1, due_at },
        ]
    );
    f.clock.set(due_at);
    let next = f.claim_one("v").await;
    assert_eq!((next.run_id, next.attempt, next.fencing_token), (2.into(), 2, Fence(5)));
}

async fn a_run_may_be_lost_without_a_takeover(f: Fixture) {
    let f = f.with(|settings| settings.takeovers_max = 0).await;
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.pass_ms(LEASE_MS).await;
    assert_eq!(f.run(run.run_id).await.status, RunStatus::Lost);
}

async fn lost_runs_spend_retries_until_the_item_is_a_dead_letter(f: Fixture) {
    let f = f.with(|settings| settings.takeovers_max = 0).await;
    let [id] = f.open_items().await;
    f.set_policy(id, Policy { max_retries: Some(1), ..Policy::default() }).await;
    f.enqueue(id).await;
    f.claim_one("w").await;
    f.pass_ms(LEASE_MS).await;
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::Delayed)));
    f.clock.advance_ms(86_400_000);
    f.claim_one("w").await;
    f.pass_ms(LEASE_MS).await;
    assert_eq!(f.standing(id).await, (Status::Failed, None));
}

async fn a_hand_back_is_no_takeover(f: Fixture) {
    let f = f.with(|settings| settings.takeovers_max = 1).await;
    f.queued::<1>().await;
    for _ in 0..5 {
        let run = f.claim_one("w").await;
        f.hand_back(&run).await;
    }
    let run = f.claim_one("w").await;
    f.pass_ms(LEASE_MS).await;
    let view = f.run(run.run_id).await;
    assert_eq!((view.status, view.takeovers), (RunStatus::Pending, 0));
    f.claim_one("w").await;
    f.pass_ms(LEASE_MS).await;
    assert_eq!(f.run(run.run_id).await.status, RunStatus::Lost);
}

async fn forgetting_the_last_holder_loses_the_run(f: Fixture) {
    let f = f.with(|settings| settings.takeovers_max = 0).await;
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    assert_eq!(f.forget("w").await, 1);
    assert_eq!(f.run(run.run_id).await.status, RunStatus::Lost);
}

/// The claim is refused, and that the run is lost is the clock's doing, not the claim's.
async fn a_claim_by_number_notices_that_the_last_holder_vanished(f: Fixture) {
    let f = f.with(|settings| settings.takeovers_max = 1).await;
    f.queued::<1>().await;
    let first = f.claim_one("w").await;
    f.clock.advance_ms(LEASE_MS);
    let second = f.claim_run(first.run_id, "v").await;
    assert_eq!((second.fencing_token, f.run(first.run_id).await.takeovers), (Fence(2), 1));
    f.clock.advance_ms(LEASE_MS);
    let refusal = match f.store.execute(claim_run(first.run_id, "u")).await {
        Err(ExecuteError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal.code, Code::RunEnded);
    let view = f.run(first.run_id).await;
    assert_eq!((view.status, view.ended_at), (RunStatus::Lost, Some(f.clock.now())));
}

async fn a_lost_run_takes_nothing_more(f: Fixture) {
    let f = f.with(|settings| settings.takeovers_max = 0).await;
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.pass_ms(LEASE_MS).await;
    for command in [
        heartbeat(&run, "w"),
        logs(&run, None, &["late"]),
        complete(&run, true),
        complete(&run, false),
        claim_run(run.run_id, "v"),
        crate::fixture::verbs::by_hand(run.run_id, true),
        spalla_store::Command::CancelRun { run_id: run.run_id },
        crate::fixture::verbs::hand_back(&run),
    ] {
        assert_eq!(f.refused(command).await, Code::RunEnded);
    }
}
