//! Events: numbered in the order in which they can be seen, so that a number is a safe cursor.

use crate::fixture::Fixture;
use crate::fixture::snapshot::EVENTS_MAX;
use crate::fixture::verbs::{LEASE_MS, enqueue, exchange, item, item_after, worker};
use spalla_domain::event::{Event, Fact};
use spalla_domain::work_item::{Dependency, NewWorkItem, Spec, When};
use spalla_domain::{EventSeq, Fence};
use spalla_store::view::EventFilter;
use spalla_store::{Command, Reply, Store};
use std::sync::atomic::{AtomicBool, Ordering};

crate::fixture::claims!(
    events_are_numbered_from_one_without_holes,
    an_empty_store_has_no_event,
    events_are_read_from_a_number_on,
    events_are_filtered_by_project_and_run,
    events_of_a_small_project_are_found_between_many_of_another,
    an_event_says_what_it_is_about,
    events_say_all_that_a_history_follows_from,
    commits_bring_the_events_that_are_read,
    a_reader_that_follows_the_numbers_misses_nothing,
);

async fn after(store: &Store, seq: EventSeq, limit: u32) -> Vec<Event> {
    store.read().events(EventFilter { after: Some(seq), ..EventFilter::default() }, limit).await.unwrap()
}

async fn events_are_numbered_from_one_without_holes(f: Fixture) {
    let [id, _] = f.queued().await;
    f.run_next(true).await;
    f.run_next(false).await;
    f.refused(enqueue(id)).await;
    f.requeue(id).await;
    let events = f.events().await;
    let numbers: Vec<_> = events.iter().map(|event| event.seq.0).collect();
    assert_eq!(numbers, (1..=events.len() as i64).collect::<Vec<_>>());
    assert_eq!(f.store.read().newest_event().await.unwrap().0, events.len() as i64);
}

async fn an_empty_store_has_no_event(f: Fixture) {
    assert_eq!(f.store.read().newest_event().await.unwrap(), EventSeq(0));
    assert_eq!(f.events().await, []);
}

async fn events_are_read_from_a_number_on(f: Fixture) {
    f.queued::<3>().await;
    let all = f.events().await;
    assert_eq!(after(&f.store, EventSeq(0), 100).await, all);
    assert_eq!(after(&f.store, EventSeq(-5), 100).await, all);
    assert_eq!(after(&f.store, EventSeq(4), 2).await, all[4..6]);
    assert_eq!(after(&f.store, EventSeq(4), 0).await, []);
    assert_eq!(after(&f.store, all.last().unwrap().seq, 5).await, []);
    assert_eq!(after(&f.store, EventSeq(i64::MAX), 5).await, []);
}

async fn events_are_filtered_by_project_and_run(f: Fixture) {
    let (here, there) = (f.project().await, f.project().await);
    for project in [here, there] {
        let id = f.make_one(item(project)).await;
        f.enqueue(id).await;
    }
    let runs = f.claim("w", 2).await;
    f.complete(&runs[1], true).await;
    let all = f.events().await;
    for project_id in [here, there] {
        let of = EventFilter { project_id: Some(project_id), ..EventFilter::default() };
        let expected: Vec<_> = all.iter().filter(|event| event.project_id == project_id).cloned().collect();
        assert_eq!(f.store.read().events(of, 100).await.unwrap(), expected);
    }
    let of = EventFilter { run_id: Some(runs[1].run_id), ..EventFilter::default() };
    let facts: Vec<_> = f.store.read().events(of.clone(), 100).await.unwrap();
    assert!(matches!(facts[0].fact, Fact::RunClaimed { .. }), "{facts:?}");
    assert!(matches!(facts[1].fact, Fact::RunSucceeded { .. }), "{facts:?}");
    let both = EventFilter { project_id: Some(here), after: Some(EventSeq(2)), ..of };
    assert_eq!(f.store.read().events(both, 100).await.unwrap(), []);
}

async fn events_of_a_small_project_are_found_between_many_of_another(f: Fixture) {
    let (small, large) = (f.project().await, f.project().await);
    let mut run = None;
    for count in [700, 1_300, 0] {
        let id = f.make_one(item(small)).await;
        f.enqueue(id).await;
        let claimed = f.claim_one("w").await;
        f.complete(&claimed, true).await;
        run = Some(claimed.run_id);
        if count > 0 {
            f.make((0..count).map(|_| item(large))).await;
        }
    }
    let all = f.events().await;
    let of_small: Vec<_> = all.iter().filter(|event| event.project_id == small).cloned().collect();
    for after in [0, 1, 5, 699, 1_024, 2_000, all.len() as i64 - 2] {
        let filter = EventFilter { project_id: Some(small), after: Some(EventSeq(after)), run_id: None };
        let found = f.store.read().events(filter.clone(), 100).await.unwrap();
        let wanted: Vec<_> = of_small.iter().filter(|event| event.seq.0 > after).cloned().collect();
        assert_eq!(found, wanted);
        let filter = EventFilter { run_id: run, ..filter };
        let found = f.store.read().events(filter, 100).await.unwrap();
        assert_eq!(found, wanted.into_iter().filter(|event| event.run_id == run).collect::<Vec<_>>());
    }
}

async fn an_event_says_what_it_is_about(f: Fixture) {
    let [id] = f.queued().await;
    f.clock.advance_ms(77);
    let run = f.claim_one("w").await;
    let event = f.events().await.pop().unwrap();
    let project_id = f.item(id).await.item.project_id;
    assert_eq!(
        (event.project_id, event.work_item_id, event.run_id),
        (project_id, Some(id), Some(run.run_id))
    );
    assert_eq!(event.at, f.now());
    let first = f.events().await.remove(0);
    assert_eq!((first.project_id, first.work_item_id, first.run_id), (project_id, None, None));
}

async fn events_say_all_that_a_history_follows_from(f: Fixture) {
    let project = f.project().await;
    let parent =
        f.make_one(NewWorkItem { spec: Spec { critical: false, ..Spec::new("p") }, ..item(project) }).await;
    let child = f.make_one(item_after(project, &[(parent, When::Done)])).await;
    let title = "p".to_owned();
    let made = Fact::WorkItemCreated { title, critical: false, depends_on: vec![] };
    assert_eq!(f.facts(parent).await, [made]);
    let depends_on = vec![Dependency { id: parent, when: When::Done }];
    let made = Fact::WorkItemCreated { title: item(project).spec.title, critical: true, depends_on };
    assert_eq!(f.facts(child).await, [made]);

    f.enqueue_later(parent, 9_000).await;
    f.start(parent).await;
    let ready = [Fact::WorkItemQueued { unmet: 0, approvals: 0, due_at: None }, Fact::WorkItemReady {}];
    assert_eq!(f.facts(parent).await[2..4], ready, "a person's start outweighs the delay, and it is said so");
    let run = f.claim_one("w").await;
    f.pass_ms(LEASE_MS).await;
    f.heartbeat(&run, "w").await;
    f.clock.advance_ms(LEASE_MS);
    f.complete_by_hand(run.run_id, true).await;
    let expired = Fact::LeaseExpired { worker: worker("w"), fence: Fence(1) };
    let resumed = Fact::LeaseResumed { worker: worker("w"), fence: Fence(1) };
    let ends = [expired.clone(), resumed, expired, Fact::RunSucceeded { fence: None }];
    assert_eq!(f.facts(parent).await[6..10], ends);
    let events = f.events().await;
    assert!(
        events.iter().filter(|e| matches!(e.fact, Fact::LeaseResumed { .. })).all(|e| e.run_id.is_some())
    );
}

async fn commits_bring_the_events_that_are_read(f: Fixture) {
    let mut commits = f.store.committed();
    f.queued::<3>().await;
    f.run_next(true).await;
    f.tick().await;
    let all = f.events().await;
    let mut heard = vec![];
    while heard.len() < all.len() {
        heard.extend(commits.recv().await.unwrap().events.iter().cloned());
    }
    assert_eq!(heard, all);
}

/// Reads on from the last number it saw until the writers are done, and once more.
async fn follow(store: &Store, are_done: &AtomicBool) -> Vec<Event> {
    let mut seen: Vec<Event> = vec![];
    loop {
        let is_last = are_done.load(Ordering::SeqCst);
        loop {
            let next = after(store, seen.last().map_or(EventSeq(0), |event| event.seq), 7).await;
            if next.is_empty() {
                break;
            }
            seen.extend(next);
        }
        if is_last {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}

async fn write(store: Store, project: spalla_domain::ProjectId, name: String) {
    let mut runs = vec![];
    for _ in 0..25 {
        let items = (0..3).map(|_| item(project).into()).collect();
        store.execute(Command::CreateWorkItems { items, enqueue: true }).await.unwrap();
        let Reply::Exchanged(reply) =
            store.execute(Command::Exchange(exchange(&runs, &name, 3))).await.unwrap()
        else {
            panic!("no exchange");
        };
        runs = reply.runs;
    }
}

async fn a_reader_that_follows_the_numbers_misses_nothing(f: Fixture) {
    let (project, other, are_done) = (f.project().await, f.second_server().await, AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = if n % 2 == 0 { f.store.clone() } else { other.clone() };
        writers.spawn(write(store, project, format!("w{n}")));
    }
    let finish = async {
        while let Some(ended) = writers.join_next().await {
            ended.unwrap();
        }
        are_done.store(true, Ordering::SeqCst);
    };
    let (seen, also_seen, ()) = tokio::join!(follow(&f.store, &are_done), follow(&other, &are_done), finish);
    let all = after(&f.store, EventSeq(0), EVENTS_MAX).await;
    assert!(all.len() > 8 * 25 * 8, "{}", all.len());
    assert!(all.is_sorted_by(|a, b| a.seq < b.seq));
    assert!(seen == all, "a reader saw {} of {} events", seen.len(), all.len());
    assert!(also_seen == all, "a reader saw {} of {} events", also_seen.len(), all.len());
}
