//! Info requests and pauses: a run waits for a person without losing its lease, and asks nothing under an old token.

use crate::fixture::Fixture;
use crate::fixture::verbs::{LEASE_MS, beat, heartbeat};
use spalla_domain::claim::Assignment;
use spalla_domain::info_request::{InfoField, Status as Answer};
use spalla_domain::problem::Code;
use spalla_domain::run::Status;
use spalla_domain::{Fence, InfoRequestId, RunId};
use spalla_store::Command;
use spalla_store::command::Reply;
use spalla_store::document::{KeptInfoRequest, Kind};

crate::fixture::claims!(
    a_run_that_asked_waits_until_it_is_answered,
    an_old_token_asks_nothing,
    the_same_question_once_more_is_the_same_request,
    a_question_is_answered_once,
    a_run_that_ends_withdraws_its_questions,
    a_bad_question_is_refused,
    a_paused_run_is_told_so_until_it_is_resumed,
    a_run_that_nobody_holds_is_not_paused,
    a_paused_run_is_given_on_when_it_is_resumed,
);

fn field(name: &str) -> InfoField {
    InfoField { name: name.into(), secret: true, description: None, example: None, schema: None }
}

fn ask(run_id: RunId, fencing_token: Fence) -> Command {
    Command::AskInfo {
        run_id,
        fencing_token,
        reason: "to deploy".into(),
        fields: vec![field("TOKEN")],
        asked_by: None,
    }
}

fn answer(id: InfoRequestId) -> Command {
    Command::AnswerInfo { id, sealed: "sealed".into(), by: Some("ada".into()) }
}

async fn asked(f: &Fixture, run: &Assignment) -> InfoRequestId {
    match f.granted(ask(run.run_id, run.fencing_token)).await {
        Reply::InfoRequest(id) => id,
        other => panic!("{other:?}"),
    }
}

async fn kept(f: &Fixture, id: InfoRequestId) -> KeptInfoRequest {
    f.store.read().document(Kind::InfoRequest, id.0).await.unwrap().unwrap().read().unwrap()
}

async fn a_run_that_asked_waits_until_it_is_answered(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let one = asked(&f, &run).await;
    let (run_id, fencing_token) = (run.run_id, run.fencing_token);
    let other = Command::AskInfo {
        run_id,
        fencing_token,
        reason: "more".into(),
        fields: vec![field("OTHER")],
        asked_by: None,
    };
    let Reply::InfoRequest(two) = f.granted(other).await else { panic!("no request") };
    assert_eq!(f.run(run.run_id).await.status, Status::AwaitingInput);
    assert!(!f.heartbeat(&run, "w").await);
    f.granted(answer(one)).await;
    assert_eq!(f.run(run.run_id).await.status, Status::AwaitingInput);
    f.granted(answer(two)).await;
    assert_eq!(f.run(run.run_id).await.status, Status::Running);
    let kept = kept(&f, one).await;
    assert_eq!((kept.request.status, kept.sealed.as_deref()), (Answer::Answered, Some("sealed")));
    f.complete(&run, true).await;
}

async fn an_old_token_asks_nothing(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    f.pass_ms(LEASE_MS + 1).await;
    let newer = f.claim_one("v").await;
    assert_eq!(f.refused(ask(run.run_id, run.fencing_token)).await, Code::StaleToken);
    asked(&f, &newer).await;
    assert_eq!(f.refused(ask(RunId(99), Fence(1))).await, Code::NotFound);
}

async fn the_same_question_once_more_is_the_same_request(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let id = asked(&f, &run).await;
    assert_eq!(asked(&f, &run).await, id);
    f.pass_ms(LEASE_MS + 1).await;
    let next = f.claim_one("v").await;
    assert_eq!(f.refused(ask(run.run_id, run.fencing_token)).await, Code::StaleToken);
    assert_eq!(asked(&f, &next).await, id);
    f.granted(answer(id)).await;
    assert_eq!(asked(&f, &next).await, id);
    assert_eq!(f.run(run.run_id).await.status, Status::Running);
}

async fn a_question_is_answered_once(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let id = asked(&f, &run).await;
    f.granted(answer(id)).await;
    assert_eq!(f.refused(answer(id)).await, Code::InfoRequestClosed);
    assert_eq!(f.refused(answer(InfoRequestId(99))).await, Code::NotFound);
}

async fn a_run_that_ends_withdraws_its_questions(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let id = asked(&f, &run).await;
    f.cancel(run.run_id).await;
    assert_eq!(kept(&f, id).await.request.status, Answer::Cancelled);
    assert_eq!(f.refused(answer(id)).await, Code::InfoRequestClosed);
}

async fn a_bad_question_is_refused(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    for fields in [vec![], vec![field("1st")], vec![field("A"), field("A")]] {
        let (run_id, fencing_token) = (run.run_id, run.fencing_token);
        let command =
            Command::AskInfo { run_id, fencing_token, reason: "why".into(), fields, asked_by: None };
        assert_eq!(f.refused(command).await, Code::Invalid);
    }
}

async fn a_paused_run_is_told_so_until_it_is_resumed(f: Fixture) {
    f.queued::<1>().await;
    let run = f.claim_one("w").await;
    let told = |reply| matches!(reply, Reply::Heartbeat { pause: true, cancel: false });
    f.granted(Command::PauseRun { run_id: run.run_id }).await;
    f.granted(Command::PauseRun { run_id: run.run_id }).await;
    assert_eq!(f.run(run.run_id).await.status, Status::Paused);
    assert!(told(f.granted(heartbeat(&run, "w")).await));
    f.granted(Command::ResumeRun { run_id: run.run_id }).await;
    assert_eq!(f.run(run.run_id).await.status, Status::Running);
    assert!(!told(f.granted(heartbeat(&run, "w")).await));
    f.complete(&run, true).await;
    assert_eq!(f.refused(Command::PauseRun { run_id: run.run_id }).await, Code::RunEnded);
}

async fn a_paused_run_is_given_on_when_it_is_resumed(f: Fixture) {
    let [first, second] = f.queued().await;
    let run = f.claim_one("w").await;
    f.granted(Command::PauseRun { run_id: run.run_id }).await;
    f.pass_ms(crate::fixture::verbs::LEASE_MS).await;
    assert_eq!(f.claimed_items("v", 9).await, [second], "what is paused is in nobody's way");
    assert_eq!(f.refused(crate::fixture::verbs::claim_run(run.run_id, "v")).await, Code::RunPaused);
    f.granted(Command::ResumeRun { run_id: run.run_id }).await;
    assert_eq!(f.claimed_items("v", 9).await, [first]);
}

async fn a_run_that_nobody_holds_is_not_paused(f: Fixture) {
    let [id] = f.open_items().await;
    let run = f.start(id).await;
    assert_eq!(f.refused(Command::PauseRun { run_id: run }).await, Code::RunNotHeld);
    let held = f.claim_one("w").await;
    f.granted(Command::HandBack(beat(&held))).await;
    assert_eq!(f.refused(Command::PauseRun { run_id: run }).await, Code::RunNotHeld);
}
