//! What a run needs is reserved with the claim, of what the worker has and of its agent's pool, and is free again with the
//! end of the lease.

use crate::fixture::Fixture;
use crate::fixture::verbs::{LEASE_MS, exchange, item, request, worker};
use spalla_domain::WorkItemId;
use spalla_domain::claim::ClaimRequest;
use spalla_domain::problem::Code;
use spalla_domain::resources::{Amounts, Capacity, Pools};
use spalla_domain::work_item::{Executor, NewWorkItem, SpecPatch};
use spalla_store::Command;
use spalla_store::view::Supply;
use std::collections::BTreeMap;
use std::sync::Arc;

crate::fixture::claims!(
    a_worker_takes_no_more_than_it_has_for,
    what_does_not_fit_is_passed_over_by_what_does,
    a_worker_that_says_nothing_takes_anything,
    a_lease_that_ends_in_whatever_way_makes_room,
    a_run_that_nobody_holds_waits_for_a_worker_that_has_enough,
    an_agents_pool_is_shared_by_all_workers,
    what_no_pool_could_ever_hold_is_refused,
    the_workers_are_known_with_what_they_have,
    a_queue_that_finds_nothing_is_short,
    a_silent_worker_is_heard_of_by_its_heartbeats,
);

fn mb(memory_mb: u64) -> Amounts {
    Amounts { memory_mb, ..Amounts::default() }
}

fn with_mb(memory_mb: u64) -> Capacity {
    Capacity { memory_mb: Some(memory_mb), ..Capacity::default() }
}

fn offering(name: &str, memory_mb: u64) -> ClaimRequest {
    ClaimRequest { resources: Some(Box::new(with_mb(memory_mb))), ..request(name, 9) }
}

async fn queued(f: &Fixture, needs: &[u64]) -> Vec<WorkItemId> {
    let project = f.project().await;
    let needing = |need: &u64| {
        let mut new = item(project);
        new.spec.resources = Some(mb(*need)).filter(|wish| !wish.is_nothing());
        new
    };
    let ids = f.make(needs.iter().map(needing)).await;
    for id in &ids {
        f.enqueue(*id).await;
    }
    ids
}

async fn items(f: &Fixture, request: ClaimRequest) -> Vec<WorkItemId> {
    f.claim_as(request).await.into_iter().map(|run| run.work_item_id).collect()
}

async fn supply(f: &Fixture) -> Supply {
    f.store.read().supply(f.now()).await.unwrap()
}

async fn a_worker_takes_no_more_than_it_has_for(f: Fixture) {
    let ids = queued(&f, &[4, 4, 4]).await;
    assert_eq!(items(&f, offering("w", 9)).await, ids[..2]);
    assert_eq!(items(&f, offering("w", 9)).await, []);
    assert_eq!(items(&f, offering("v", 4)).await, ids[2..]);
}

async fn what_does_not_fit_is_passed_over_by_what_does(f: Fixture) {
    let ids = queued(&f, &[16, 4, 0, 6]).await;
    assert_eq!(items(&f, offering("w", 8)).await, ids[1..3]);
    assert_eq!(items(&f, offering("w", 8)).await, []);
    assert_eq!(items(&f, offering("v", 22)).await, [ids[0], ids[3]]);
}

async fn a_worker_that_says_nothing_takes_anything(f: Fixture) {
    let ids = queued(&f, &[16, 400]).await;
    assert_eq!(f.claimed_items("w", 9).await, ids);
}

async fn a_lease_that_ends_in_whatever_way_makes_room(f: Fixture) {
    let ids = queued(&f, &[4, 4, 4, 4]).await;
    let one = || f.claim_as(offering("w", 4));
    let first = one().await;
    let after = exchange(&first, "w", 9);
    let claim = ClaimRequest { resources: Some(Box::new(with_mb(4))), ..after.claim.clone() };
    let runs = f.exchange(spalla_domain::claim::Exchange { claim, ..after }).await.runs;
    assert_eq!(runs[0].work_item_id, ids[1], "the exchange that ends one takes the next");
    f.hand_back(&runs[0]).await;
    let again = one().await;
    assert_eq!(again[0].work_item_id, ids[1]);
    assert_eq!(one().await, []);
    f.cancel(again[0].run_id).await;
    assert_eq!(one().await[0].work_item_id, ids[2]);
    f.pass_ms(LEASE_MS).await;
    assert_eq!(one().await[0].work_item_id, ids[2]);
    assert_eq!(one().await, []);
}

async fn a_run_that_nobody_holds_waits_for_a_worker_that_has_enough(f: Fixture) {
    let ids = queued(&f, &[4, 4]).await;
    assert_eq!(f.tick().await, ids);
    assert_eq!(items(&f, offering("w", 3)).await, []);
    assert_eq!(items(&f, offering("w", 5)).await, ids[..1]);
    assert_eq!(items(&f, offering("v", 8)).await, ids[1..]);
}

fn of(agent: &str, project: spalla_domain::ProjectId, need: u64) -> NewWorkItem {
    let mut new = item(project);
    (new.spec.executor, new.spec.agent) = (Executor::Agent, Some(agent.to_owned()));
    new.spec.resources = Some(mb(need));
    new
}

async fn pooled(f: Fixture) -> Fixture {
    let pools = Pools(BTreeMap::from([("a".to_owned(), with_mb(8)), ("*".to_owned(), with_mb(4))]));
    f.with(|settings| settings.pools = Arc::new(pools)).await
}

async fn an_agents_pool_is_shared_by_all_workers(f: Fixture) {
    let f = pooled(f).await;
    let project = f.project().await;
    let ids =
        f.make([of("a", project, 5), of("a", project, 4), of("b", project, 3), of("c", project, 2)]).await;
    for id in &ids {
        f.enqueue(*id).await;
    }
    assert_eq!(f.claimed_items("w", 1).await, ids[..1]);
    assert_eq!(items(&f, offering("v", 100)).await, ids[2..3], "b and c share what is for others");
    assert_eq!(items(&f, offering("v", 100)).await, []);
    let pools = supply(&f).await.pools;
    let shown: Vec<_> = pools.iter().map(|view| (view.name.as_str(), view.pool.reserved.memory_mb)).collect();
    assert_eq!(shown, [("*", 3), ("a", 5)]);
    f.forget("w").await;
    assert_eq!(items(&f, offering("v", 100)).await, ids[..1], "it fits, and the other beside it does not");
}

async fn what_no_pool_could_ever_hold_is_refused(f: Fixture) {
    let f = pooled(f).await;
    let project = f.project().await;
    let create = |new: NewWorkItem| Command::CreateWorkItems { items: vec![new.into()], enqueue: false };
    for new in [of("a", project, 9), of("b", project, 5)] {
        assert_eq!(f.refused(create(new)).await, Code::InsufficientResources);
    }
    let id = f.make_one(of("a", project, 8)).await;
    let patch = SpecPatch { agent: Some(Some("b".into())), ..SpecPatch::default() };
    let command = Command::UpdateWorkItem { id, patch: Box::new(patch), policy: Default::default() };
    assert_eq!(f.refused(command).await, Code::InsufficientResources);
    f.enqueue(id).await;
    assert_eq!(f.claimed_items("w", 9).await, [id]);
}

async fn the_workers_are_known_with_what_they_have(f: Fixture) {
    let ids = queued(&f, &[4, 2]).await;
    let claim = ClaimRequest { executors: vec![Executor::Recipe], labels: vec![], ..offering("w", 9) };
    assert_eq!(items(&f, claim.clone()).await, ids);
    f.claim("idle", 1).await;
    let workers = supply(&f).await.workers;
    let names: Vec<_> = workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["idle", "w"]);
    assert_eq!((workers[1].leases, &workers[1].reserved), (2, &mb(6)));
    assert_eq!((&workers[1].offer, workers[1].heard_at), (&claim.offer(), f.now()));
    assert_eq!((workers[0].leases, &workers[0].offer.resources), (0, &None));
    f.clock.advance_ms(2 * 86_400_000);
    f.claim("late", 1).await;
    let workers = supply(&f).await.workers;
    assert_eq!(workers.iter().map(|worker| worker.name.as_str()).collect::<Vec<_>>(), ["late"]);
}

async fn a_queue_that_finds_nothing_is_short(f: Fixture) {
    let ids = queued(&f, &[4, 4, 16]).await;
    let queues: Vec<_> = f.queue().await.into_iter().map(|entry| (entry.work_item_id, entry.queue)).collect();
    let of = |id| queues.iter().find(|(item, _)| *item == id).unwrap().1;
    assert!(supply(&f).await.short.is_empty(), "nobody is known who could take them");
    assert_eq!(items(&f, ClaimRequest { max: 1, ..offering("w", 8) }).await, ids[..1]);
    let short = supply(&f).await.short;
    assert_eq!((short.contains(&of(ids[1])), short.contains(&of(ids[2]))), (false, true));
    assert_eq!(items(&f, offering("w", 8)).await, ids[1..2]);
    assert!(supply(&f).await.short.contains(&of(ids[1])));
    f.claim_as(ClaimRequest { max: 0, ..request("v", 0) }).await;
    assert!(supply(&f).await.short.is_empty(), "somebody came for whom nothing is counted");
}

async fn a_silent_worker_is_heard_of_by_its_heartbeats(f: Fixture) {
    queued(&f, &[4]).await;
    let run = f.claim_as(offering("w", 9)).await.remove(0);
    f.clock.advance_ms(LEASE_MS / 2);
    f.clock.advance_ms(20_000);
    f.heartbeat(&run, "w").await;
    let workers = supply(&f).await.workers;
    assert_eq!((&workers[0].name, workers[0].heard_at), (&worker("w"), f.now()));
    assert_eq!(workers[0].offer.resources, Some(with_mb(9)), "what it said before still counts");
}
