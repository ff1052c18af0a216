//! An agent whose entries wait while no worker takes them is told of, once.

use crate::fixture::Fixture;
use crate::fixture::verbs::{item, request};
use spalla_domain::WorkItemId;
use spalla_domain::claim::ClaimRequest;
use spalla_domain::event::Fact;
use spalla_domain::work_item::Executor;

crate::fixture::claims!(
    an_agent_that_nobody_takes_is_told_of_once,
    a_worker_that_takes_the_agent_ends_it_and_its_silence_begins_another,
    a_worker_that_takes_something_else_does_not_count,
    nobody_looks_where_there_are_no_agents_or_where_it_is_off,
);

const PATIENCE_MS: i64 = 60_000;

async fn queued(f: &Fixture) -> WorkItemId {
    let mut new = item(f.project().await);
    (new.spec.executor, new.spec.agent) = (Executor::Agent, Some("a".to_owned()));
    let id = f.make_one(new).await;
    f.enqueue(id).await;
    id
}

async fn told(f: &Fixture) -> Vec<(Option<WorkItemId>, String)> {
    let events = f.events().await.into_iter();
    events
        .filter_map(|event| match event.fact {
            Fact::HeartbeatMiss { agent, .. } => Some((event.work_item_id, agent)),
            _ => None,
        })
        .collect()
}

/// Lets time pass as a server does that looks whenever the clock says so.
async fn pass_ms(f: &Fixture, ms: i64) {
    let end = f.now().plus_ms(ms);
    while let Some(next) = f.store.next_moment().filter(|next| *next <= end) {
        f.clock.set(next.max(f.now()));
        f.keep_time().await;
    }
    f.clock.set(end);
}

async fn an_agent_that_nobody_takes_is_told_of_once(f: Fixture) {
    let id = queued(&f).await;
    pass_ms(&f, PATIENCE_MS / 2).await;
    assert_eq!(told(&f).await, []);
    pass_ms(&f, 10 * PATIENCE_MS).await;
    assert_eq!(told(&f).await, [(Some(id), "a".to_owned())]);
}

async fn a_worker_that_takes_the_agent_ends_it_and_its_silence_begins_another(f: Fixture) {
    let (first, second) = (queued(&f).await, queued(&f).await);
    pass_ms(&f, 2 * PATIENCE_MS).await;
    assert_eq!(told(&f).await.len(), 2, "one for each project");
    for _ in 0..10 {
        f.claim_as(ClaimRequest { max: 0, ..request("w", 0) }).await;
        pass_ms(&f, PATIENCE_MS / 2).await;
    }
    assert_eq!(told(&f).await.len(), 2);
    pass_ms(&f, 3 * PATIENCE_MS).await;
    let told = told(&f).await;
    assert_eq!(told[2..], [(Some(first), "a".to_owned()), (Some(second), "a".to_owned())]);
}

async fn a_worker_that_takes_something_else_does_not_count(f: Fixture) {
    queued(&f).await;
    for _ in 0..6 {
        let other = ClaimRequest { executors: vec![Executor::Recipe], ..request("w", 1) };
        f.claim_as(other).await;
        pass_ms(&f, PATIENCE_MS / 2).await;
    }
    assert_eq!(told(&f).await.len(), 1);
}

async fn nobody_looks_where_there_are_no_agents_or_where_it_is_off(f: Fixture) {
    f.queued::<1>().await;
    f.keep_time().await;
    assert_eq!(f.store.next_moment(), None);
    let f = f.with(|settings| settings.heartbeat_miss_ms = 0).await;
    queued(&f).await;
    f.keep_time().await;
    assert_eq!(f.store.next_moment(), None);
}
