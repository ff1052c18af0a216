//! What the command policy found in a run's steps: it is recorded, and what waits for a person holds the run.

use crate::fixture::Fixture;
use crate::fixture::verbs::{beat, worker};
use spalla_domain::approval::{Decision, Kind};
use spalla_domain::audit::Outcome;
use spalla_domain::claim::Assignment;
use spalla_domain::event::Fact;
use spalla_domain::found_command::{Answer, FoundCommand, Level};
use spalla_domain::problem::Code;
use spalla_domain::{ApprovalId, Fence};
use spalla_store::Command;
use spalla_store::command::Reply;
use spalla_store::view::AuditFilter;

crate::fixture::claims!(
    a_run_waits_for_a_yes_to_exactly_its_command,
    the_same_command_is_asked_for_once,
    who_asks_again_while_nobody_decided_found_nothing_anew,
    a_refused_command_is_not_asked_for_again,
    what_an_agent_was_refused_in_mid_turn_holds_no_retry,
    a_changed_command_is_asked_for_anew,
    what_was_found_is_recorded_as_event_and_in_the_audit,
    an_old_token_reports_nothing,
    without_approvals_nobody_is_asked,
);

fn found(level: Level, digest: &str) -> FoundCommand {
    FoundCommand {
        step: 2,
        level,
        digest: digest.repeat(32),
        command: "git push origin main".into(),
        folder: ".".into(),
        rule: "git-push".into(),
        reason: "sends commits to others".into(),
        in_turn: false,
    }
}

fn report(run: &Assignment, found: Vec<FoundCommand>) -> Command {
    Command::ReportCommands { holder: beat(run), worker: worker("w"), found }
}

async fn reported(f: &Fixture, run: &Assignment, found: Vec<FoundCommand>) -> Answer {
    match f.granted(report(run, found)).await {
        Reply::CommandsFound(answer) => answer,
        other => panic!("{other:?}"),
    }
}

async fn a_run_waits_for_a_yes_to_exactly_its_command(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let answer = reported(&f, &run, vec![found(Level::Confirm, "a1")]).await;
    let [id] = answer.pending[..] else { panic!("{answer:?}") };
    assert_eq!(answer.rejected, []);
    let asked = f.store.read().approval(id).await.unwrap().unwrap().approval;
    assert_eq!((asked.kind, asked.subject), (Kind::Command, Some(found(Level::Confirm, "a1").subject())));
    f.hand_back(&run).await;
    assert_eq!(f.claim("w", 9).await, []);
    f.decide(id, Decision::Approve).await;
    let again = f.claim_one("w").await;
    assert_eq!((again.run_id, again.attempt), (run.run_id, run.attempt));
    assert_eq!(reported(&f, &again, vec![found(Level::Confirm, "a1")]).await, Answer::default());
}

async fn the_same_command_is_asked_for_once(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let both = || vec![found(Level::Confirm, "a1"), found(Level::Confirm, "a1")];
    let first = reported(&f, &run, both()).await;
    assert_eq!(first.pending.len(), 1);
    assert_eq!(reported(&f, &run, both()).await, first);
}

async fn who_asks_again_while_nobody_decided_found_nothing_anew(f: Fixture) {
    let [item] = f.queued().await;
    let run = f.claim_one("w").await;
    let ask = || reported(&f, &run, vec![found(Level::Confirm, "a1")]);
    let asked = ask().await;
    assert_eq!((ask().await, ask().await), (asked.clone(), asked.clone()));
    let known = f.facts(item).await.into_iter().filter_map(level).count();
    f.decide(asked.pending[0], Decision::Approve).await;
    assert_eq!(ask().await, Answer::default());
    assert_eq!((known, f.facts(item).await.into_iter().filter_map(level).count()), (1, 2));
}

async fn a_refused_command_is_not_asked_for_again(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let answer = reported(&f, &run, vec![found(Level::Confirm, "a1")]).await;
    f.decide(answer.pending[0], Decision::Reject).await;
    let answer = reported(&f, &run, vec![found(Level::Confirm, "a1")]).await;
    assert_eq!(answer, Answer { pending: vec![], rejected: vec![ApprovalId(1)] });
    f.hand_back(&run).await;
    assert_eq!(f.claim("w", 9).await, []);
}

async fn what_an_agent_was_refused_in_mid_turn_holds_no_retry(f: Fixture) {
    let [item] = f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let asked = || vec![FoundCommand { in_turn: true, ..found(Level::Confirm, "a1") }];
    let answer = reported(&f, &run, asked()).await;
    let [id] = answer.pending[..] else { panic!("{answer:?}") };
    f.decide(id, Decision::Reject).await;
    assert_eq!(reported(&f, &run, asked()).await.rejected, [id]);
    f.complete(&run, false).await;
    f.pass_ms(3_600_000).await;
    let again = f.claim_one("w").await;
    assert_eq!((again.work_item_id, again.attempt), (item, 2));
    assert_eq!(reported(&f, &again, asked()).await.rejected, [id], "it is not asked for again");
}

async fn a_changed_command_is_asked_for_anew(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let first = reported(&f, &run, vec![found(Level::Confirm, "a1")]).await;
    f.decide(first.pending[0], Decision::Approve).await;
    let second = reported(&f, &run, vec![found(Level::Confirm, "b2")]).await;
    assert_eq!((second.pending.len(), second.pending == first.pending), (1, false));
}

async fn what_was_found_is_recorded_as_event_and_in_the_audit(f: Fixture) {
    let [item] = f.queued().await;
    let run = f.claim_one("w").await;
    let answer = reported(&f, &run, vec![found(Level::Watched, "a1"), found(Level::Blocked, "b2")]).await;
    assert_eq!(answer, Answer::default());
    let levels: Vec<Level> = f.facts(item).await.into_iter().filter_map(level).collect();
    assert_eq!(levels, [Level::Watched, Level::Blocked]);
    let audit = f.store.read().audit(AuditFilter::default(), crate::fixture::snapshot::ALL).await.unwrap();
    let told: Vec<_> =
        audit.iter().map(|e| (e.call.operation.as_str(), e.outcome, e.code.as_deref())).collect();
    let blocked = ("command blocked", Outcome::Refused, Some("command_blocked"));
    assert_eq!(told, [blocked, ("command watched", Outcome::Done, None)]);
    assert_eq!(
        (audit[0].call.principal.as_str(), audit[0].call.resource.as_str()),
        ("worker w", "git push origin main")
    );
}

fn level(fact: Fact) -> Option<Level> {
    match fact {
        Fact::CommandFound { level, .. } => Some(level),
        _ => None,
    }
}

async fn an_old_token_reports_nothing(f: Fixture) {
    let [item] = f.queued().await;
    let run = f.claim_one("w").await;
    let before = f.facts(item).await;
    let stale = Assignment { fencing_token: Fence(run.fencing_token.0 + 1), ..run.clone() };
    let refused = f.execute(report(&stale, vec![found(Level::Confirm, "a1")])).await.unwrap_err();
    assert_eq!(refused.code, Code::StaleToken);
    let long = FoundCommand { digest: "a".into(), ..found(Level::Confirm, "a1") };
    assert_eq!(f.execute(report(&run, vec![long])).await.unwrap_err().code, Code::Invalid);
    assert_eq!(f.facts(item).await, before);
    f.complete(&run, true).await;
    let late = f.execute(report(&run, vec![found(Level::Confirm, "a1")])).await.unwrap_err();
    assert_eq!(late.code, Code::RunEnded);
    assert_eq!(f.store.read().approvals(None, false, crate::fixture::snapshot::ALL).await.unwrap(), []);
}

async fn without_approvals_nobody_is_asked(f: Fixture) {
    let f = f.with(|settings| settings.require_approval = false).await;
    let [item] = f.queued().await;
    let run = f.claim_one("w").await;
    assert_eq!(reported(&f, &run, vec![found(Level::Confirm, "a1")]).await, Answer::default());
    assert_eq!(f.facts(item).await.into_iter().filter_map(level).count(), 1);
    assert!(f.store.read().approvals(None, true, crate::fixture::snapshot::ALL).await.unwrap().is_empty());
}
