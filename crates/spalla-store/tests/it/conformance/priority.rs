//! A priority moves by itself around what a person set, each time with its reason, and never further than 2.

use crate::fixture::Fixture;
use crate::fixture::verbs::item;
use spalla_domain::WorkItemId;
use spalla_domain::event::Fact;
use spalla_domain::queue::priority::Reason;
use spalla_domain::retry::RetryPolicy;
use spalla_domain::work_item::{SpecPatch, When};
use spalla_store::command::{Command, Delay, PlannedItem, Reply, Requeued};

crate::fixture::claims!(
    each_failed_attempt_lowers_a_priority_down_to_two_below,
    a_requeue_gives_back_the_priority_that_a_person_set,
    what_mends_a_blocker_is_more_urgent,
    what_is_on_the_critical_path_is_more_urgent,
    a_person_who_sets_a_priority_outweighs_what_moved_it,
    a_requeue_with_a_priority_sets_it_anew,
    priorities_stay_as_they_were_set_where_that_is_wished,
);

/// Retries follow at once, so that a claim takes the item again.
async fn impatient(f: Fixture) -> Fixture {
    let retry =
        RetryPolicy { max_retries: 5, backoff_base_ms: 0, backoff_jitter_ms: 0, ..RetryPolicy::default() };
    f.with(|settings| settings.retry = retry).await
}

/// Returns the priorities of the only entry: the one in force, and the one that a person set.
async fn priorities(f: &Fixture) -> (u8, u8) {
    let entry = f.queue().await.pop().unwrap();
    (entry.priority, entry.set_priority)
}

async fn moves(f: &Fixture, id: WorkItemId) -> Vec<(u8, u8, Vec<Reason>)> {
    let facts = f.facts(id).await.into_iter();
    facts
        .filter_map(|fact| match fact {
            Fact::PriorityMoved { priority, set, reasons } => Some((priority, set, reasons)),
            _ => None,
        })
        .collect()
}

const fn failed(count: u32) -> Reason {
    Reason::FailedAttempts { count }
}

async fn each_failed_attempt_lowers_a_priority_down_to_two_below(f: Fixture) {
    let f = impatient(f).await;
    let [id] = f.queued().await;
    for expected in [5, 4, 3, 3] {
        assert_eq!(priorities(&f).await, (expected, 5));
        f.run_next(false).await;
    }
    let expected = [(4, 5, vec![failed(1)]), (3, 5, vec![failed(2)])];
    assert_eq!(moves(&f, id).await, expected);
    assert_eq!(f.item(id).await.item.spec.priority, 5);
}

async fn a_requeue_gives_back_the_priority_that_a_person_set(f: Fixture) {
    let f = impatient(f).await;
    let [id] = f.queued().await;
    f.run_next(false).await;
    let [later] = f.queued().await;
    assert_eq!(f.queue_order().await, [later, id]);
    f.requeue(id).await;
    let entries = f.queue().await;
    assert!(entries.iter().all(|entry| (entry.priority, entry.set_priority) == (5, 5)), "{entries:?}");
    assert_eq!(moves(&f, id).await, [(4, 5, vec![failed(1)]), (5, 5, vec![])]);
}

async fn what_mends_a_blocker_is_more_urgent(f: Fixture) {
    let f = impatient(f).await;
    let [parent, child, alone] = f.open_items().await;
    f.enqueue_after(child, parent).await;
    f.fail_for_good(parent).await;
    f.fail_for_good(alone).await;
    f.requeue(parent).await;
    f.requeue(alone).await;
    let of = |id| moves(&f, id);
    assert_eq!(of(parent).await.last(), Some(&(6, 5, vec![Reason::MendsBlocker])));
    assert_eq!(of(alone).await, []);
    assert_eq!(f.queue_order().await[0], parent);
    f.run_next(false).await;
    assert_eq!(of(parent).await.last(), Some(&(5, 5, vec![Reason::MendsBlocker, failed(1)])));
}

/// Makes four items: a chain of three, and one beside its last.
async fn plan(f: &Fixture) -> Vec<WorkItemId> {
    let project = f.project().await;
    let after = [vec![], vec![0], vec![1], vec![0]];
    let items = after.map(|after: Vec<usize>| PlannedItem {
        item: item(project),
        after: after.into_iter().map(|index| (index, When::Success)).collect(),
    });
    let made = f.granted(Command::CreateWorkItems { items: items.into(), enqueue: true }).await;
    let Reply::WorkItems(ids) = made else { panic!("no items") };
    ids
}

async fn what_is_on_the_critical_path_is_more_urgent(f: Fixture) {
    let ids = plan(&f).await;
    let mut on_path = vec![];
    for id in &ids {
        on_path.push(f.item(*id).await.item.on_critical_path);
    }
    assert_eq!(on_path, [true, true, true, false]);
    f.run_next(true).await;
    assert_eq!(f.claimed_items("w", 5).await, [ids[1], ids[3]]);
    assert_eq!(moves(&f, ids[1]).await, [(6, 5, vec![Reason::CriticalPath])]);
    assert_eq!(moves(&f, ids[3]).await, []);
}

async fn a_person_who_sets_a_priority_outweighs_what_moved_it(f: Fixture) {
    let f = impatient(f).await;
    let [id] = f.queued().await;
    f.run_next(false).await;
    assert_eq!(priorities(&f).await, (4, 5));
    let set = |priority| SpecPatch { priority: Some(priority), ..SpecPatch::default() };
    f.update(id, set(5)).await;
    assert_eq!(priorities(&f).await, (5, 5));
    f.update(id, set(8)).await;
    assert_eq!(priorities(&f).await, (8, 8));
    f.run_next(false).await;
    assert_eq!(priorities(&f).await, (7, 8));
    assert_eq!(moves(&f, id).await.last(), Some(&(7, 8, vec![failed(1)])));
}

async fn a_requeue_with_a_priority_sets_it_anew(f: Fixture) {
    let f = impatient(f).await;
    let [id] = f.queued().await;
    f.run_next(false).await;
    let target = Requeued::WorkItem(id);
    f.granted(Command::Requeue { target, priority: Some(2), delay: Delay::Ms(0) }).await;
    assert_eq!(priorities(&f).await, (2, 2));
    f.run_next(false).await;
    assert_eq!(priorities(&f).await, (1, 2));
}

async fn priorities_stay_as_they_were_set_where_that_is_wished(f: Fixture) {
    let f = impatient(f).await.with(|settings| settings.priority_auto = false).await;
    let [id] = f.queued().await;
    f.run_next(false).await;
    assert_eq!(priorities(&f).await, (5, 5));
    assert_eq!(moves(&f, id).await, []);
    let ids = plan(&f).await;
    assert_eq!(moves(&f, ids[0]).await, []);
}
