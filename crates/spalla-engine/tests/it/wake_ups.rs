//! Who waits is woken by what happens, and by nothing else. Tokio's clock is paused, so a wait that only ends by its
//! deadline shows as time that passed.

use crate::world::{World, request};
use spalla_domain::claim::Heartbeat;
use spalla_domain::event::Fact;
use spalla_domain::run::Status;
use spalla_domain::work_item::Executor;
use spalla_store::view::{Page, RunFilter};
use spalla_store::{Command, Reply};
use std::time::Duration;
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_waiting_claimer_gets_an_item_as_soon_as_it_is_enqueued() {
    let world = World::new().await;
    let item = world.item(Executor::Recipe).await;
    let began = Instant::now();
    let (runs, ()) = tokio::join!(world.claim("w", LONG), async {
        tokio::task::yield_now().await;
        world.enqueue(item, 0).await;
    });
    assert_eq!(runs.iter().map(|run| run.work_item_id).collect::<Vec<_>>(), [item]);
    assert!(began.elapsed() < Duration::from_secs(1));
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_enqueued_is_claimed_by_who_waits_in_the_same_commit() {
    let world = World::new().await;
    let item = world.item(Executor::Recipe).await;
    let mut commits = world.handle.store().committed();
    let (runs, ()) = tokio::join!(world.claim("w", LONG), async {
        tokio::task::yield_now().await;
        world.enqueue(item, 0).await;
    });
    assert_eq!(runs.len(), 1);
    let commit = commits.recv().await.unwrap();
    let has = |wanted: fn(&Fact) -> bool| commit.events.iter().any(|event| wanted(&event.fact));
    assert!(has(|fact| matches!(fact, Fact::WorkItemReady {})));
    assert!(has(|fact| matches!(fact, Fact::RunClaimed { .. })));
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_claimer_that_what_was_enqueued_is_not_for_waits_on() {
    let world = World::new().await;
    let (for_people, for_recipes) =
        (world.item(Executor::External).await, world.item(Executor::Recipe).await);
    let recipes = vec![Executor::Recipe];
    let (runs, ()) = tokio::join!(world.claim_of("w", recipes, LONG), async {
        tokio::task::yield_now().await;
        world.enqueue(for_people, 0).await;
        world.enqueue(for_recipes, 0).await;
    });
    assert_eq!(runs.iter().map(|run| run.work_item_id).collect::<Vec<_>>(), [for_recipes]);
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_claimer_whose_time_is_over_gets_nothing() {
    let world = World::new().await;
    assert_eq!(world.claim("w", Duration::from_secs(5)).await, []);
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_item_goes_to_one_of_many_waiting_claimers_first_come_first_served() {
    let world = World::new().await;
    let item = world.item(Executor::Recipe).await;
    let wait = Duration::from_secs(60);
    let (first, second, ()) = tokio::join!(world.claim("a", wait), world.claim("b", wait), async {
        tokio::task::yield_now().await;
        world.enqueue(item, 0).await;
    });
    assert_eq!((first.len(), second.len()), (1, 0));
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_claimer_that_went_away_takes_nothing() {
    let world = World::new().await;
    let item = world.item(Executor::Recipe).await;
    let gone = tokio::time::timeout(Duration::from_millis(10), world.claim("gone", LONG)).await;
    assert!(gone.is_err(), "it waited");
    world.enqueue(item, 0).await;
    assert_eq!(world.claim("here", Duration::ZERO).await.len(), 1);
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delayed_item_reaches_a_waiting_claimer_when_its_time_comes() {
    let world = World::new().await;
    let item = world.item(Executor::Recipe).await;
    world.enqueue(item, 5_000).await;
    let (runs, ()) = tokio::join!(world.claim("w", LONG), async {
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_secs(5));
    });
    assert_eq!(runs.len(), 1);
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_holder_vanished_reaches_a_waiting_claimer() {
    let world = World::new().await;
    let item = world.item(Executor::Recipe).await;
    world.enqueue(item, 0).await;
    let lost = world.claim("vanishing", Duration::ZERO).await.remove(0);
    let (runs, ()) = tokio::join!(world.claim("heir", LONG), async {
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_secs(10));
    });
    assert_eq!(runs[0].run_id, lost.run_id);
    assert_eq!(runs[0].fencing_token, lost.fencing_token.next());
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_eligible_external_item_gets_a_run_without_being_claimed() {
    an_external_item_gets_a_run().await;
}

/// A clock that moves between two looks at it shows what a paused one hides.
#[tokio::test]
async fn an_eligible_external_item_gets_a_run_while_the_clock_goes_on() {
    tokio::time::timeout(Duration::from_secs(30), an_external_item_gets_a_run()).await.unwrap();
}

async fn an_external_item_gets_a_run() {
    let world = World::new().await;
    let item = world.item(Executor::External).await;
    let mut commits = world.handle.store().committed();
    world.enqueue(item, 0).await;
    commits.recv().await.unwrap();
    commits.recv().await.unwrap();
    let page = Page { limit: 10, before: None, offset: 0 };
    let runs = world.handle.store().read().runs(RunFilter::default(), page).await.unwrap();
    assert_eq!(
        runs.iter().map(|run| (run.work_item_id, run.status)).collect::<Vec<_>>(),
        [(item, Status::Pending)]
    );
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_exchange_is_answered_with_what_it_completed_and_what_came() {
    let world = World::new().await;
    let (first, second) = (world.item(Executor::Recipe).await, world.item(Executor::Recipe).await);
    world.enqueue(first, 0).await;
    let run = world.claim("w", Duration::ZERO).await.remove(0);
    let heartbeat = Heartbeat { run_id: run.run_id, fencing_token: run.fencing_token };
    let exchange = spalla_domain::claim::Exchange {
        completed: vec![],
        heartbeats: vec![heartbeat],
        claim: request("w"),
    };
    let (reply, ()) = tokio::join!(world.handle.claim(Command::Exchange(exchange), LONG), async {
        tokio::task::yield_now().await;
        world.enqueue(second, 0).await;
    });
    let Ok(Reply::Exchanged(reply)) = reply else { panic!("{reply:?}") };
    assert_eq!((reply.heartbeats.len(), reply.runs.len()), (1, 1));
    world.engine.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stopping_answers_whoever_waits() {
    let world = World::new().await;
    let handle = world.handle.clone();
    let waiting = handle.claim(Command::Claim(request("w")), LONG);
    let (reply, ()) = tokio::join!(waiting, async {
        tokio::task::yield_now().await;
        world.engine.stop().await;
    });
    assert!(matches!(reply, Ok(Reply::Claimed(runs)) if runs.is_empty()));
}
