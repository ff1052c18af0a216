//! Idempotency keys: a request that is sent again does nothing twice and gets the same answer.

use crate::fixture::Fixture;
use crate::fixture::snapshot::everything;
use crate::fixture::verbs::{LEASE_MS, complete, enqueue, exchange, item, request};
use futures_util::future::join_all;
use spalla_domain::ProjectId;
use spalla_domain::problem::Code;
use spalla_domain::project::NewProject;
use spalla_domain::work_item::Status;
use spalla_store::command::{Command, IdempotencyKey, Reply, Request};
use spalla_store::{ExecuteError, Store};

crate::fixture::claims!(
    a_repeated_request_gets_the_same_answer_and_has_no_second_effect,
    every_kind_of_answer_is_kept_as_it_was,
    a_key_with_another_request_is_refused,
    a_refusal_is_not_kept,
    a_claim_that_brought_nothing_is_not_kept,
    keys_do_not_touch_each_other,
    requests_that_arrive_at_once_under_one_key_have_one_effect,
    claims_that_arrive_at_once_under_one_key_get_the_same_runs,
    different_requests_that_arrive_at_once_under_one_key_have_one_effect,
    what_is_taken_once_is_told_by_its_key_also_after_a_restart,
);

fn keyed(command: Command, key: &str) -> Request {
    fingerprinted(command, key, 1)
}

fn fingerprinted(command: Command, key: &str, fingerprint: u8) -> Request {
    let key = IdempotencyKey { key: key.into(), fingerprint: [fingerprint; 32] };
    Request { command, idempotency: Some(key), audit: None, scope: None }
}

fn new_project() -> Command {
    Command::CreateProject(NewProject {
        name: "bridge".into(),
        description: None,
        repository: None,
        limits: None,
    })
}

async fn a_repeated_request_gets_the_same_answer_and_has_no_second_effect(mut f: Fixture) {
    let reply = f.granted(keyed(new_project(), "k")).await;
    assert_eq!(reply, Reply::Project(ProjectId(1)));
    let before = everything(&f.store).await;
    for _ in 0..2 {
        f.clock.advance_ms(1_000);
        assert_eq!(f.granted(keyed(new_project(), "k")).await, reply);
        f.restart().await;
    }
    before.assert_same(&everything(&f.store).await, "the same request again");
}

async fn every_kind_of_answer_is_kept_as_it_was(f: Fixture) {
    let [a, b, c] = f.open_items().await;
    let project = f.item(a).await.item.project_id;
    f.enqueue_after(c, b).await;
    let many =
        Command::CreateWorkItems { items: vec![item(project).into(), item(project).into()], enqueue: true };
    let tick = Command::Tick { max: 1, external_only: false };
    for command in [enqueue(a), many, tick, Command::Claim(request("w", 2))] {
        assert_repeats(&f, command).await;
    }
    let runs = f.store.read().runs(Default::default(), crate::fixture::snapshot::ALL).await.unwrap();
    let end = crate::fixture::verbs::end(runs[0].id, runs[0].fence, true);
    assert_repeats(&f, Command::Complete(end)).await;
    f.enqueue(b).await;
    assert_repeats(&f, Command::Exchange(exchange(&[], "w", 5))).await;
    f.clock.advance_ms(LEASE_MS);
    assert_repeats(&f, Command::KeepTime { max: 10 }).await;
    assert_repeats(&f, Command::ArchiveWorkItem { id: f.make_one(item(project)).await }).await;
}

async fn assert_repeats(f: &Fixture, command: Command) {
    let key = format!("{command:?}");
    let reply = f.granted(keyed(command.clone(), &key)).await;
    let before = everything(&f.store).await;
    assert_eq!(f.granted(keyed(command, &key)).await, reply, "{key}");
    before.assert_same(&everything(&f.store).await, &key);
}

async fn a_key_with_another_request_is_refused(f: Fixture) {
    f.granted(keyed(new_project(), "k")).await;
    let [id] = f.open_items().await;
    assert_eq!(f.refused(fingerprinted(new_project(), "k", 2)).await, Code::IdempotencyKeyReused);
    assert_eq!(f.refused(fingerprinted(enqueue(id), "k", 2)).await, Code::IdempotencyKeyReused);
    assert_eq!(
        f.refused(fingerprinted(Command::Claim(request("w", 1)), "k", 2)).await,
        Code::IdempotencyKeyReused
    );
}

async fn a_refusal_is_not_kept(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    assert_eq!(f.refused(keyed(enqueue(id), "k")).await, Code::RunActive);
    assert_eq!(f.refused(fingerprinted(enqueue(id), "k", 2)).await, Code::RunActive);
    f.cancel(run.run_id).await;
    f.requeue(id).await;
    f.granted(keyed(enqueue(id), "k")).await;
    f.run_next(true).await;
    f.granted(keyed(enqueue(id), "k")).await;
    assert_eq!(f.status(id).await, Status::Succeeded);
}

async fn a_claim_that_brought_nothing_is_not_kept(f: Fixture) {
    let claim = || keyed(Command::Claim(request("w", 1)), "claim");
    let wish = || keyed(Command::Exchange(exchange(&[], "w", 1)), "exchange");
    assert_eq!(f.granted(claim()).await, Reply::Claimed(vec![]));
    f.granted(wish()).await;
    f.queued::<3>().await;
    let Reply::Claimed(runs) = f.granted(claim()).await else { panic!("no claim") };
    let Reply::Exchanged(reply) = f.granted(wish()).await else { panic!("no exchange") };
    assert_eq!((runs.len(), reply.runs.len()), (1, 1));
    assert_eq!(f.granted(claim()).await, Reply::Claimed(runs));
    assert_eq!(f.granted(wish()).await, Reply::Exchanged(reply));
}

async fn keys_do_not_touch_each_other(f: Fixture) {
    for (n, key) in ["k", "K", "k ", "", "ключ", "'; drop table reply; --"].into_iter().enumerate() {
        assert_eq!(
            f.granted(keyed(new_project(), key)).await,
            Reply::Project(ProjectId(n as i64 + 1)),
            "{key:?}"
        );
    }
}

/// Sends requests at once, half of them to a second server where there is one.
async fn at_once(f: &Fixture, requests: impl IntoIterator<Item = Request>) -> Vec<Result<Reply, Code>> {
    let other: Store = f.second_server().await;
    let sent = requests.into_iter().enumerate().map(|(n, request)| {
        let store = if n % 2 == 0 { f.store.clone() } else { other.clone() };
        async move {
            match store.execute(request).await {
                Ok(reply) => Ok(reply),
                Err(ExecuteError::Refused(refusal)) => Err(refusal.code),
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    join_all(sent).await
}

async fn requests_that_arrive_at_once_under_one_key_have_one_effect(f: Fixture) {
    f.project().await;
    let replies = at_once(&f, (0..16).map(|_| keyed(new_project(), "k"))).await;
    assert_eq!(replies, vec![Ok(Reply::Project(ProjectId(2))); 16]);
    assert_eq!(f.store.read().count_projects().await.unwrap(), 2);
}

async fn claims_that_arrive_at_once_under_one_key_get_the_same_runs(f: Fixture) {
    f.queued::<40>().await;
    for round in 0..5 {
        let claims = (0..8).map(|_| keyed(Command::Claim(request("w", 2)), &format!("claim {round}")));
        let replies = at_once(&f, claims).await;
        let Ok(Reply::Claimed(runs)) = &replies[0] else { panic!("{replies:?}") };
        assert_eq!(runs.len(), 2);
        assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");

        let exchanges =
            (0..8).map(|_| keyed(Command::Exchange(exchange(runs, "w", 2)), &format!("exchange {round}")));
        let replies = at_once(&f, exchanges).await;
        let Ok(Reply::Exchanged(reply)) = &replies[0] else { panic!("{replies:?}") };
        assert_eq!((reply.completed.len(), reply.refused.len(), reply.runs.len()), (2, 0, 2));
        assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
    }
    assert_eq!(f.store.read().depths().await.unwrap().running, 10);
}

async fn different_requests_that_arrive_at_once_under_one_key_have_one_effect(f: Fixture) {
    f.queued::<20>().await;
    for round in 0..6 {
        let run = f.claim_one("w").await;
        let key = format!("{round}");
        let requests = vec![
            fingerprinted(Command::Claim(request("w", 1)), &key, 1),
            fingerprinted(complete(&run, true), &key, 2),
            fingerprinted(Command::Exchange(exchange(std::slice::from_ref(&run), "w", 1)), &key, 3),
            fingerprinted(new_project(), &key, 4),
        ];
        let (before, turn) = (f.events().await.len(), round % requests.len());
        let mut turned = requests;
        turned.rotate_left(turn);
        let replies = at_once(&f, turned).await;
        let granted = replies.iter().filter(|reply| reply.is_ok()).count();
        assert_eq!(granted, 1, "{replies:?}");
        assert!(
            replies.iter().all(|reply| matches!(reply, Ok(_) | Err(Code::IdempotencyKeyReused))),
            "{replies:?}"
        );
        assert!(f.events().await.len() > before);
    }
}

async fn what_is_taken_once_is_told_by_its_key_also_after_a_restart(mut f: Fixture) {
    let take = |taking| fingerprinted(Command::TakeOnce, " github one", taking);
    assert_eq!(f.granted(take(1)).await, Reply::Done);
    f.restart().await;
    assert_eq!(f.refused(take(2)).await, Code::IdempotencyKeyReused);
    let other = fingerprinted(Command::TakeOnce, " github two", 2);
    assert_eq!(f.granted(other).await, Reply::Done);
}
