//! The end of a run: said once, or twice in the same words; kept with what the run brought.

use crate::fixture::Fixture;
use crate::fixture::snapshot::everything;
use crate::fixture::verbs::{LEASE_MS, by_hand, complete, end};
use serde_json::value::RawValue;
use spalla_domain::Fence;
use spalla_domain::claim::{RunError, Usage};
use spalla_domain::limits::{Effective, Limit, Limits, Source, effective};
use spalla_domain::problem::Code;
use spalla_domain::retry::ErrorClass;
use spalla_domain::run::Status as RunStatus;
use spalla_domain::sandbox::{Attested, AttestedLayer, LayerState, PolicyObject, Used};
use spalla_domain::work_item::Status;
use spalla_store::Command;
use spalla_store::command::{Reply, RunEnd};

crate::fixture::claims!(
    the_same_end_said_twice_is_once,
    another_end_of_a_run_that_is_over_is_refused,
    a_person_ends_a_run_only_while_nobody_holds_it,
    an_end_said_by_a_person_twice_is_once,
    what_a_run_brought_is_kept,
    a_policy_that_is_not_what_is_attested_is_refused,
    a_failure_is_kept_with_its_class,
    several_runs_end_in_one_batch,
);

async fn the_same_end_said_twice_is_once(f: Fixture) {
    f.queued::<2>().await;
    let runs = f.claim("w", 2).await;
    f.complete(&runs[0], true).await;
    f.complete(&runs[1], false).await;
    let before = everything(&f.store).await;
    for _ in 0..3 {
        f.complete(&runs[0], true).await;
        f.complete(&runs[1], false).await;
        f.clock.advance_ms(1);
    }
    before.assert_same(&everything(&f.store).await, "ends said again");
}

async fn another_end_of_a_run_that_is_over_is_refused(f: Fixture) {
    f.queued::<2>().await;
    let runs = f.claim("w", 2).await;
    f.complete(&runs[0], true).await;
    assert_eq!(f.refused(complete(&runs[0], false)).await, Code::RunEnded);
    assert_eq!(f.refused(by_hand(runs[0].run_id, true)).await, Code::RunEnded);
    let other = |fence| Command::Complete(end(runs[0].run_id, Some(Fence(fence)), true));
    assert_eq!(f.refused(other(0)).await, Code::StaleToken);
    assert_eq!(f.refused(other(2)).await, Code::RunEnded);
    f.complete(&runs[1], false).await;
    assert_eq!(f.refused(complete(&runs[1], true)).await, Code::RunEnded);
}

async fn a_person_ends_a_run_only_while_nobody_holds_it(f: Fixture) {
    let [a, b] = f.queued().await;
    let runs = f.claim("w", 2).await;
    assert_eq!(f.refused(by_hand(runs[0].run_id, true)).await, Code::LeaseHeld);
    f.clock.advance_ms(LEASE_MS);
    // Not noticed by the clock, and noticed.
    f.complete_by_hand(runs[0].run_id, true).await;
    f.keep_time().await;
    f.complete_by_hand(runs[1].run_id, true).await;
    assert_eq!((f.status(a).await, f.status(b).await), (Status::Succeeded, Status::Succeeded));
    assert_eq!(f.refused(complete(&runs[0], true)).await, Code::RunEnded);
}

async fn an_end_said_by_a_person_twice_is_once(f: Fixture) {
    let [id] = f.open_items().await;
    let run = f.start(id).await;
    f.complete_by_hand(run, true).await;
    let before = everything(&f.store).await;
    f.complete_by_hand(run, true).await;
    before.assert_same(&everything(&f.store).await, "an end said again");
    assert_eq!(f.refused(by_hand(run, false)).await, Code::RunEnded);
}

async fn what_a_run_brought_is_kept(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let result = r#"{"b": 1.50, "a": [null, "naïve \u0000 \n"],  "b": 2e400}"#;
    let usage = Usage { input_tokens: Some(u64::MAX), output_tokens: None, cost_usd: Some(0.1 + 0.2) };
    let layer = AttestedLayer {
        layer: "seccomp".into(),
        state: LayerState::Off,
        detail: "allowed by the operator".into(),
    };
    let policy = PolicyObject::parse(r#"{"preset":"strict","workspace":"/w \u0000 ï"}"#).unwrap();
    let sandbox = Attested {
        preset: "strict".into(),
        policy_hash: policy.hash(),
        policy: Some(policy),
        layers: vec![layer],
        others: vec![],
        refused_hosts: vec!["example.org:443: not on the list".into()],
        limits: effective([(Source::Item, &Limits([(Limit::MemoryMb, 64)].into()))]),
        used: Some(Used { cpu_ms: Some(u64::MAX), memory_bytes: Some(0), disk_bytes: None }),
    };
    let said = RunEnd {
        exit_code: Some(-9),
        result: Some(RawValue::from_string(result.into()).unwrap()),
        usage: Some(usage.clone()),
        sandbox: Some(Box::new(sandbox.clone())),
        ..end(run.run_id, Some(run.fencing_token), true)
    };
    assert_eq!(f.granted(Command::Complete(said)).await, Reply::Run(run.run_id));
    let view = f.run(run.run_id).await;
    assert_eq!(view.result.unwrap().get(), result);
    assert_eq!((view.exit_code, view.usage, view.error), (Some(-9), Some(usage), None));
    assert_eq!(view.sandbox.as_deref(), Some(&sandbox));
}

async fn a_policy_that_is_not_what_is_attested_is_refused(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let sandbox = |policy_hash: String| Attested {
        preset: "strict".into(),
        policy_hash,
        policy: PolicyObject::parse("{}"),
        layers: vec![],
        others: vec![],
        refused_hosts: vec![],
        limits: Effective::default(),
        used: None,
    };
    let said = |hash: String| {
        let sandbox = Some(Box::new(sandbox(hash)));
        Command::Complete(RunEnd { sandbox, ..end(run.run_id, Some(run.fencing_token), true) })
    };
    assert_eq!(f.refused(said("ab".repeat(32))).await, Code::Invalid);
    assert_eq!(f.run(run.run_id).await.status, RunStatus::Running);
    f.granted(said(PolicyObject::parse("{}").unwrap().hash())).await;
}

async fn a_failure_is_kept_with_its_class(f: Fixture) {
    f.queued::<6>().await;
    let classes = [
        ErrorClass::Failed,
        ErrorClass::TimedOut,
        ErrorClass::Network,
        ErrorClass::System,
        ErrorClass::Validation,
        ErrorClass::Lost,
    ];
    for class in classes {
        let run = f.claim_one("w").await;
        let error = RunError::new(class, "disk \u{0} full");
        let said = RunEnd { error: Some(error.clone()), ..end(run.run_id, Some(run.fencing_token), false) };
        f.granted(Command::Complete(said)).await;
        let view = f.run(run.run_id).await;
        assert_eq!((view.status, view.error), (RunStatus::Failed, Some(error)));
    }
}

async fn several_runs_end_in_one_batch(f: Fixture) {
    let ids: [_; 40] = f.queued().await;
    let runs = f.claim("w", 40).await;
    let ends = runs.iter().enumerate().map(|(n, run)| f.store.execute(complete(run, n % 2 == 0)));
    for reply in futures_util::future::join_all(ends).await {
        assert!(matches!(reply, Ok(Reply::Run(_))), "{reply:?}");
    }
    for (n, id) in ids.iter().enumerate() {
        let expected = if n % 2 == 0 { Status::Succeeded } else { Status::Queued };
        assert_eq!(f.status(*id).await, expected, "{id}");
    }
}
