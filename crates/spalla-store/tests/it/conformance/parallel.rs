//! Many workers at once, and on Postgres two servers: each item succeeds once, and nothing before what it waits for.

use crate::fixture::verbs::{LEASE_MS, completion, item, request};
use crate::fixture::{Fixture, scatter};
use spalla_domain::claim::{Assignment, Exchange};
use spalla_domain::event::{Event, Fact};
use spalla_domain::retry::RetryPolicy;
use spalla_domain::work_item::{Status, When};
use spalla_domain::{EventSeq, Fence, WorkItemId, WorkerId};
use spalla_store::Store;
use spalla_store::command::{Command, PlannedItem, Reply};
use spalla_store::view::WorkItemFilter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

crate::fixture::claims!(
    many_workers_carry_out_a_graph_each_item_once_and_in_order,
    many_workers_never_hold_one_run_together,
    the_next_moment_is_never_later_than_what_was_answered,
);

const ITEMS: usize = 500;
const WORKERS: u64 = 8;
/// Fails one run in this many; the item is tried again at once.
const FAILS: u64 = 7;

/// Makes the items of a random graph in one command: each waits for up to three of those before it.
async fn make_graph(f: &Fixture) -> Vec<WorkItemId> {
    let project = f.project().await;
    let planned = |n: usize| {
        let dice = |k: u64| scatter(n as u64 * 10 + k);
        let after =
            (0..dice(0) % 4).filter(|_| n > 0).map(|k| ((dice(k + 1) % n as u64) as usize, When::Success));
        PlannedItem { item: item(project), after: after.collect() }
    };
    let items = (0..ITEMS).map(planned).collect();
    let Reply::WorkItems(ids) = f.granted(Command::CreateWorkItems { items, enqueue: true }).await else {
        panic!("no items");
    };
    ids
}

/// Exchanges until all items are done. Whoever finds nothing waits until somebody completed something.
async fn work(store: Store, name: String, seed: u64, done: Arc<watch::Sender<usize>>) {
    let (mut runs, mut turn, mut news): (Vec<Assignment>, u64, _) = (vec![], 0, done.subscribe());
    loop {
        if *news.borrow_and_update() >= ITEMS {
            return;
        }
        turn += 1;
        let chance = |run: &Assignment| scatter(seed ^ (run.run_id.0 as u64) << 8 ^ turn);
        // Some go on a turn longer, and are kept by a heartbeat.
        let (later, now): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| chance(run) % 5 == 0);
        let completed: Vec<_> = now.iter().map(|run| completion(run, chance(run) % FAILS != 1)).collect();
        let successes = completed.iter().filter(|end| end.success).count();
        let heartbeats = later.iter().map(crate::fixture::verbs::beat).collect();
        let claim = request(&name, 1 + (turn % 6) as u32);
        let wish = Command::Exchange(Exchange { completed, heartbeats, claim });
        let Ok(Reply::Exchanged(reply)) = store.execute(wish).await else { panic!("no exchange") };
        assert_eq!((&reply.refused, reply.completed.len()), (&vec![], now.len()));
        if !now.is_empty() {
            done.send_modify(|count| *count += successes);
        }
        runs = later;
        runs.extend(reply.runs);
        if runs.is_empty() && *news.borrow() < ITEMS {
            let _ = news.changed().await;
        }
    }
}

async fn many_workers_carry_out_a_graph_each_item_once_and_in_order(f: Fixture) {
    let retry = RetryPolicy {
        max_retries: 1_000,
        backoff_base_ms: 0,
        backoff_jitter_ms: 0,
        ..RetryPolicy::default()
    };
    let f = f.with(|settings| settings.retry = retry).await;
    let ids = make_graph(&f).await;
    let other = f.second_server().await;
    let (done, mut workers) = (Arc::new(watch::Sender::new(0)), JoinSet::new());
    for n in 0..WORKERS {
        let store = if n % 2 == 0 { f.store.clone() } else { other.clone() };
        workers.spawn(work(store, format!("w{n}"), scatter(n), Arc::clone(&done)));
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }

    let succeeded = WorkItemFilter { status: Some(Status::Succeeded), ..WorkItemFilter::default() };
    assert_eq!(f.store.read().count_work_items(succeeded).await.unwrap(), ITEMS as u64);
    let log = History::of(&f.events().await);
    for id in &ids {
        assert_eq!(log.successes.get(id).map(Vec::len), Some(1), "item {id}");
        for parent in f.item(*id).await.depends_on {
            assert!(
                log.first_claims[id] > log.successes[&parent.id][0],
                "item {id} began before {}",
                parent.id
            );
        }
    }
    assert!(log.failures > 0);
}

/// What the events tell of runs.
#[derive(Default)]
struct History {
    successes: BTreeMap<WorkItemId, Vec<EventSeq>>,
    first_claims: BTreeMap<WorkItemId, EventSeq>,
    failures: usize,
}

impl History {
    /// Reads the events, and checks that claims and ends of an item take turns and its tokens only grow.
    fn of(events: &[Event]) -> Self {
        let (mut log, mut held, mut newest) = (Self::default(), BTreeSet::new(), BTreeMap::new());
        for event in events {
            let Some(id) = event.work_item_id else { continue };
            match &event.fact {
                Fact::RunClaimed { fence, .. } => {
                    assert!(held.insert(id), "item {id} was claimed twice: {event:?}");
                    let before = newest.insert(id, *fence).unwrap_or(Fence::NONE);
                    assert_eq!(*fence, before.next(), "{event:?}");
                    log.first_claims.entry(id).or_insert(event.seq);
                }
                Fact::RunSucceeded { fence } => {
                    assert!(held.remove(&id) && newest.get(&id).copied() == *fence, "{event:?}");
                    log.successes.entry(id).or_default().push(event.seq);
                }
                Fact::RunFailed { fence, .. } => {
                    assert!(held.remove(&id) && newest.get(&id).copied() == *fence, "{event:?}");
                    log.failures += 1;
                }
                _ => {}
            }
        }
        assert!(held.is_empty(), "{held:?}");
        log
    }
}

/// Claims, gives back, lets leases run out and takes over, all at once.
async fn fight(store: Store, clock: Arc<crate::fixture::ManualClock>, worker: WorkerId, seed: u64) {
    for turn in 0..60 {
        let chance = scatter(seed + turn);
        let claim = spalla_domain::claim::ClaimRequest { worker_id: worker.clone(), ..request("w", 2) };
        let Ok(Reply::Claimed(runs)) = store.execute(Command::Claim(claim)).await else { panic!("no claim") };
        for run in &runs {
            let token = crate::fixture::verbs::beat(run);
            // The lease may be lost by now: then it is refused, and the events tell whether rightly so.
            let _ = match (chance ^ run.run_id.0 as u64) % 4 {
                0 => store.execute(Command::HandBack(token)).await,
                1 => store.execute(crate::fixture::verbs::complete(run, true)).await,
                2 => store.execute(crate::fixture::verbs::heartbeat(run, worker.as_str())).await,
                _ => store.execute(Command::KeepTime { max: 10 }).await,
            };
        }
        clock.advance_ms(LEASE_MS / 8);
    }
}

async fn many_workers_never_hold_one_run_together(f: Fixture) {
    let f = f.with(|settings| settings.takeovers_max = 1_000).await;
    f.queued::<40>().await;
    let other = f.second_server().await;
    let mut workers = JoinSet::new();
    for n in 0..WORKERS {
        let store = if n % 2 == 0 { f.store.clone() } else { other.clone() };
        let worker = crate::fixture::verbs::worker(&format!("w{n}"));
        workers.spawn(fight(store, Arc::clone(&f.clock), worker, n << 32));
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    let (mut newest, mut until) = (BTreeMap::new(), BTreeMap::new());
    for event in f.events().await {
        let Some(run) = event.run_id else { continue };
        match event.fact {
            Fact::RunClaimed { fence, .. } => {
                assert_eq!(fence, newest.insert(run, fence).unwrap_or(Fence::NONE).next(), "{event:?}");
                assert!(
                    until.insert(run, event.at.plus_ms(LEASE_MS)).is_none_or(|until| until <= event.at),
                    "{event:?}"
                );
            }
            Fact::RunHandedBack { fence } | Fact::RunSucceeded { fence: Some(fence) } => {
                assert_eq!(newest.get(&run), Some(&fence), "{event:?}");
                until.remove(&run);
            }
            Fact::LeaseExpired { fence, .. } => {
                assert_eq!(newest.get(&run), Some(&fence), "{event:?}");
                assert!(until.remove(&run).is_none_or(|until| until <= event.at), "{event:?}");
            }
            // A heartbeat after the end of a lease brings it back, unless somebody else has claimed since.
            Fact::LeaseResumed { fence, .. } => {
                assert_eq!(newest.get(&run), Some(&fence), "{event:?}");
                assert_eq!(until.insert(run, event.at.plus_ms(LEASE_MS)), None, "{event:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    let succeeded = WorkItemFilter { status: Some(Status::Succeeded), ..WorkItemFilter::default() };
    assert!(f.store.read().count_work_items(succeeded).await.unwrap() > 0);
}

/// While one writer notes a moment, another one may be asking the database when the clock is next needed.
async fn the_next_moment_is_never_later_than_what_was_answered(f: Fixture) {
    let ids: [WorkItemId; 60] = f.open_items().await;
    for (n, id) in ids.into_iter().enumerate() {
        // Each is due before all others.
        let delay_ms = 1_000_000 - n as i64 * 1_000;
        let later = Command::Enqueue { work_item_id: id, depends_on: None, priority: None, delay_ms };
        let looks =
            futures_util::future::join_all((0..3).map(|_| f.store.execute(Command::KeepTime { max: 10 })));
        let (_, enqueued) = tokio::join!(looks, f.store.execute(later));
        enqueued.unwrap();
        let next = f.store.next_moment().map(|at| at.ms() - f.now().ms());
        assert!(next.is_some_and(|next| next <= delay_ms), "{next:?} ms instead of {delay_ms} ms");
    }
}
