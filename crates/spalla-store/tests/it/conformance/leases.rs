//! Leases: exclusive while they last, extended by heartbeats, given back in good order or taken away.

use crate::fixture::Fixture;
use crate::fixture::snapshot::everything;
use crate::fixture::verbs::{
    LEASE_MS, beat, by_hand, claim_run, complete, exchange, hand_back, heartbeat, logs, worker,
};
use spalla_domain::Fence;
use spalla_domain::claim::{Assignment, Heartbeat};
use spalla_domain::event::Fact;
use spalla_domain::lease::Lease;
use spalla_domain::problem::Code;
use spalla_domain::run::Status as RunStatus;
use spalla_domain::work_item::Status;
use spalla_store::Command;

crate::fixture::claims!(
    a_live_lease_is_exclusive,
    a_heartbeat_extends_the_lease_from_now,
    a_heartbeat_with_an_older_token_is_refused,
    the_newest_token_still_counts_after_its_lease_expired,
    an_expired_lease_returns_the_run_and_spends_no_retry,
    nothing_of_a_zombie_leaves_a_trace,
    a_run_that_nobody_claimed_has_no_token,
    a_run_that_was_handed_back_goes_to_the_next_as_if_new,
    a_token_ends_with_its_hand_back,
    forgetting_a_worker_frees_all_it_held,
    forgetting_a_worker_leaves_the_leases_of_runs_that_are_carried_on,
    many_leases_expire_at_once,
);

async fn a_live_lease_is_exclusive(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    assert_eq!(
        f.run(run.run_id).await.lease,
        Some(Lease { worker: worker("w"), until: f.now().plus_ms(LEASE_MS) })
    );
    f.pass_ms(LEASE_MS - 1).await;
    assert_eq!(f.claim("v", 1).await, []);
    assert_eq!(f.refused(claim_run(run.run_id, "v")).await, Code::LeaseHeld);
    assert_eq!(f.refused(by_hand(run.run_id, true)).await, Code::LeaseHeld);
    f.clock.advance_ms(1);
    assert_eq!(f.claim_one("v").await.run_id, run.run_id);
}

async fn a_heartbeat_extends_the_lease_from_now(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.clock.advance_ms(LEASE_MS - 1);
    assert!(!f.heartbeat(&run, "w").await);
    assert_eq!(f.run(run.run_id).await.lease.unwrap().until, f.now().plus_ms(LEASE_MS));
    assert_eq!(f.pass_ms(LEASE_MS - 1).await, 0);
    let shorter = Command::Heartbeat { heartbeat: beat(&run), worker: worker("w"), ttl_ms: 100 };
    f.granted(shorter).await;
    assert_eq!(f.pass_ms(100).await, 1);
    assert_eq!(f.run(run.run_id).await.status, RunStatus::Pending);
}

async fn a_heartbeat_with_an_older_token_is_refused(f: Fixture) {
    f.queued::<1>().await;
    let old = f.claim_one("w").await;
    f.clock.advance_ms(LEASE_MS);
    let new = f.claim_one("v").await;
    assert_eq!((new.run_id, new.fencing_token), (old.run_id, Fence(2)));
    assert_eq!(f.refused(heartbeat(&old, "w")).await, Code::StaleToken);
    assert_eq!(f.refused(heartbeat(&old, "v")).await, Code::StaleToken);
    let future = Assignment { fencing_token: Fence(3), ..new.clone() };
    assert_eq!(f.refused(heartbeat(&future, "v")).await, Code::StaleToken);
    f.heartbeat(&new, "v").await;
}

async fn the_newest_token_still_counts_after_its_lease_expired(f: Fixture) {
    let [first, second] = f.queued().await;
    let runs = f.claim("w", 2).await;
    // Whether the clock has noticed or not.
    f.clock.advance_ms(LEASE_MS);
    f.heartbeat(&runs[0], "w").await;
    assert_eq!(f.keep_time().await, 1);
    assert_eq!(f.run(runs[1].run_id).await.status, RunStatus::Pending);
    f.heartbeat(&runs[1], "w").await;
    assert_eq!(f.claim("v", 2).await, []);
    f.pass_ms(LEASE_MS).await;
    assert_eq!(f.log(&runs[0], Some(1), &["late"]).await, 2);
    f.complete(&runs[0], true).await;
    assert_eq!(f.status(first).await, Status::Succeeded);
    let view = f.run(runs[0].run_id).await;
    assert_eq!((view.takeovers, view.fence), (0, Some(Fence(1))));
    assert_eq!(f.status(second).await, Status::Running);
}

async fn an_expired_lease_returns_the_run_and_spends_no_retry(f: Fixture) {
    let [id] = f.queued().await;
    let old = f.claim_one("w").await;
    assert_eq!(f.pass_ms(LEASE_MS).await, 1);
    let view = f.run(old.run_id).await;
    assert_eq!((view.status, view.lease, view.fence), (RunStatus::Pending, None, Some(Fence(1))));
    assert_eq!(f.status(id).await, Status::Running);

    let new = f.claim_one("v").await;

    assert_eq!((new.run_id, new.attempt, new.fencing_token), (old.run_id, 1, Fence(2)));
    let view = f.run(new.run_id).await;
    assert_eq!((view.takeovers, view.started_at), (1, Some(crate::fixture::START)));
    assert_eq!(
        f.facts(id).await[4..],
        [
            Fact::LeaseExpired { worker: worker("w"), fence: Fence(1) },
            Fact::RunClaimed { attempt: 1, worker: worker("v"), fence: Fence(2), takeovers: 1 },
        ]
    );
    f.complete(&new, false).await;
    assert!(
        f.facts(id)
            .await
            .contains(&Fact::RetryScheduled { failures: 1, due_at: f.queue().await[0].due_at.unwrap() })
    );
}

async fn nothing_of_a_zombie_leaves_a_trace(f: Fixture) {
    f.queued::<2>().await;
    let zombie = f.claim_one("w").await;
    f.log(&zombie, Some(1), &["alive"]).await;
    f.clock.advance_ms(LEASE_MS);
    let heir = f.claim_run(zombie.run_id, "v").await;
    assert_all_refused(&f, &zombie, Code::StaleToken).await;
    f.complete(&heir, true).await;
    assert_all_refused(&f, &zombie, Code::StaleToken).await;
}

/// Checks that no write under a token that is not the newest is taken.
async fn assert_all_refused(f: &Fixture, zombie: &Assignment, code: Code) {
    for command in [
        heartbeat(zombie, "w"),
        logs(zombie, Some(2), &["undead"]),
        logs(zombie, None, &["undead"]),
        complete(zombie, true),
        complete(zombie, false),
        Command::Complete(spalla_store::command::RunEnd {
            result: Some(serde_json::value::RawValue::from_string("{}".into()).unwrap()),
            exit_code: Some(7),
            ..crate::fixture::verbs::end(zombie.run_id, Some(zombie.fencing_token), true)
        }),
    ] {
        let name = format!("{command:?}");
        assert_eq!(f.refused(command).await, code, "{name}");
    }
    let before = everything(&f.store).await;
    let mut wish = exchange(std::slice::from_ref(zombie), "w", 0);
    wish.heartbeats = vec![beat(zombie)];
    let reply = f.exchange(wish).await;
    assert_eq!((reply.completed.len(), reply.heartbeats.len()), (0, 0));
    assert_eq!(reply.refused.iter().map(|r| r.reason.as_str()).collect::<Vec<_>>(), [code.as_str(); 2]);
    before.assert_same(&everything(&f.store).await, "an exchange of a zombie");
}

async fn a_run_that_nobody_claimed_has_no_token(f: Fixture) {
    let [id] = f.open_items().await;
    f.start(id).await;
    let guess = |fencing_token| Heartbeat { run_id: 1.into(), fencing_token };
    for fence in [Fence(0), Fence(1)] {
        let beat = Command::Heartbeat { heartbeat: guess(fence), worker: worker("w"), ttl_ms: LEASE_MS };
        assert_eq!(f.refused(beat).await, Code::StaleToken);
        assert_eq!(f.refused(Command::HandBack(guess(fence))).await, Code::StaleToken);
        let end = crate::fixture::verbs::end(1.into(), Some(fence), true);
        assert_eq!(f.refused(Command::Complete(end)).await, Code::StaleToken);
        let lines = spalla_domain::claim::LogBatch {
            run_id: 1.into(),
            fencing_token: fence,
            first_seq: None,
            lines: vec![],
        };
        assert_eq!(f.refused(Command::AppendLogs(lines)).await, Code::StaleToken);
    }
}

async fn a_run_that_was_handed_back_goes_to_the_next_as_if_new(f: Fixture) {
    let [id] = f.queued().await;
    let first = f.claim_one("w").await;
    f.log(&first, Some(1), &["begun"]).await;
    f.hand_back(&first).await;
    let view = f.run(first.run_id).await;
    assert_eq!((view.status, view.lease, view.started_at), (RunStatus::Pending, None, None));
    assert_eq!(f.facts(id).await.last(), Some(&Fact::RunHandedBack { fence: Fence(1) }));

    let second = f.claim_one("v").await;

    assert_eq!((second.run_id, second.attempt, second.fencing_token), (first.run_id, 1, Fence(2)));
    assert_eq!((second.next_log_seq, f.run(second.run_id).await.takeovers), (2, 0));
}

async fn a_token_ends_with_its_hand_back(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.hand_back(&run).await;
    for command in [hand_back(&run), heartbeat(&run, "w"), complete(&run, true), logs(&run, None, &["more"])]
    {
        assert_eq!(f.refused(command).await, Code::StaleToken);
    }
    let next = f.claim_one("v").await;
    assert_eq!(f.refused(hand_back(&run)).await, Code::StaleToken);
    f.complete(&next, true).await;
    assert_eq!(f.refused(hand_back(&next)).await, Code::RunEnded);
}

async fn forgetting_a_worker_leaves_the_leases_of_runs_that_are_carried_on(f: Fixture) {
    let [a, b, _] = f.queued().await;
    let gone = f.claim("gone", 2).await;
    let kept = gone.iter().find(|run| run.work_item_id == b).expect("its second").clone();

    assert_eq!(f.forget_but("gone", &[kept.run_id]).await, 1);

    let taken = f.claim_one("w").await;
    assert_eq!((taken.work_item_id, taken.fencing_token), (a, Fence(2)));
    f.granted(heartbeat(&kept, "gone")).await;
    f.complete(&kept, true).await;
    assert_eq!(f.run(kept.run_id).await.takeovers, 0);
}

async fn forgetting_a_worker_frees_all_it_held(f: Fixture) {
    let [a, b, c] = f.queued().await;
    let gone = f.claim("gone", 2).await;
    let other = f.claim_one("other").await;

    assert_eq!(f.forget("gone").await, 2);

    assert_eq!(
        f.facts(a).await.last(),
        Some(&Fact::LeaseExpired { worker: worker("gone"), fence: Fence(1) })
    );
    assert_eq!(f.run(other.run_id).await.status, RunStatus::Running);
    assert_eq!(f.forget("gone").await, 0);
    assert_eq!(f.forget("nobody").await, 0);
    let taken = f.claim("w", 5).await;
    assert_eq!(
        taken.iter().map(|run| (run.work_item_id, run.fencing_token)).collect::<Vec<_>>(),
        [(a, Fence(2)), (b, Fence(2)),]
    );
    assert_eq!(f.refused(complete(&gone[0], true)).await, Code::StaleToken);
    assert_eq!(f.status(c).await, Status::Running);
}

async fn many_leases_expire_at_once(f: Fixture) {
    let ids: [_; 30] = f.queued().await;
    f.claim("w", 30).await;
    f.clock.advance_ms(LEASE_MS);
    for moved in [20, 10, 0] {
        assert_eq!(f.granted(Command::KeepTime { max: 20 }).await, spalla_store::Reply::Moved(moved));
    }
    assert_eq!(f.claimed_items("v", 30).await, ids);
}
