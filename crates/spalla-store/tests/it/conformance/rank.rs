//! The order of the queue: what the rank is made of, and that claims and the list keep it.

use crate::fixture::Fixture;
use crate::fixture::verbs::{item, item_after, request};
use spalla_domain::queue::rank;
use spalla_domain::work_item::{Executor, NewWorkItem, Policy, Spec, SpecPatch, When};
use spalla_domain::{ProjectId, WorkItemId};
use spalla_store::Command;

const HOUR_MS: i64 = 3_600_000;

crate::fixture::claims!(
    a_higher_priority_comes_first,
    among_equals_the_oldest_comes_first,
    ten_hours_of_age_outweigh_one_step_of_priority,
    more_dependencies_come_later,
    a_shorter_time_limit_comes_first,
    more_retries_left_come_first,
    a_retried_item_comes_behind_its_equals,
    one_order_goes_through_all_queues,
    equally_urgent_projects_take_turns,
    pending_runs_of_projects_take_turns,
    a_more_urgent_project_does_not_wait_for_its_turn,
    the_rank_is_the_formula,
    a_wish_with_a_priority_outweighs_the_items_own,
    a_new_priority_changes_the_order_at_once,
    a_new_time_limit_or_policy_changes_the_order_at_once,
);

async fn queue_up(f: &Fixture, items: impl IntoIterator<Item = NewWorkItem>) -> Vec<WorkItemId> {
    let ids = f.make(items).await;
    for id in &ids {
        f.enqueue(*id).await;
    }
    ids
}

fn with(project: ProjectId, change: impl FnOnce(&mut Spec)) -> NewWorkItem {
    let mut new = item(project);
    change(&mut new.spec);
    new
}

/// Checks that the list and the claims have the items in this order.
async fn assert_order(f: &Fixture, expected: &[WorkItemId]) {
    assert_eq!(f.queue_order().await, expected);
    let mut claimed = vec![];
    for _ in expected {
        claimed.push(f.claim_one("w").await.work_item_id);
    }
    assert_eq!(claimed, expected);
}

async fn a_higher_priority_comes_first(f: Fixture) {
    let project = f.project().await;
    let priorities = [5, 0, 9, 7];
    let ids = queue_up(&f, priorities.map(|priority| with(project, |spec| spec.priority = priority))).await;
    assert_order(&f, &[ids[2], ids[3], ids[0], ids[1]]).await;
}

async fn among_equals_the_oldest_comes_first(f: Fixture) {
    let ids: [WorkItemId; 4] = f.open_items().await;
    for id in [ids[2], ids[0], ids[3]] {
        f.enqueue(id).await;
        f.clock.advance_ms(1);
    }
    // A further wish does not make an entry younger, and the same moment leaves the order of the numbers.
    f.enqueue(ids[2]).await;
    f.clock.set(crate::fixture::START.plus_ms(2));
    f.enqueue(ids[1]).await;
    assert_order(&f, &[ids[2], ids[0], ids[1], ids[3]]).await;
}

async fn ten_hours_of_age_outweigh_one_step_of_priority(f: Fixture) {
    let project = f.project().await;
    let [low, late, early]: [WorkItemId; 3] = f
        .make([4, 5, 5].map(|priority| with(project, |spec| spec.priority = priority)))
        .await
        .try_into()
        .unwrap();
    f.enqueue(low).await;
    f.clock.advance_ms(10 * HOUR_MS - 1);
    f.enqueue(early).await;
    f.clock.advance_ms(2);
    f.enqueue(late).await;
    assert_order(&f, &[early, low, late]).await;
}

async fn more_dependencies_come_later(f: Fixture) {
    let project = f.project().await;
    let parents = f.make([item(project), item(project)]).await;
    for parent in &parents {
        f.succeed(*parent).await;
    }
    let on = |parents: &[WorkItemId]| {
        item_after(project, &parents.iter().map(|id| (*id, When::Success)).collect::<Vec<_>>())
    };
    let ids = queue_up(&f, [on(&parents), on(&parents[..1]), item(project)]).await;
    assert_order(&f, &[ids[2], ids[1], ids[0]]).await;
}

async fn a_shorter_time_limit_comes_first(f: Fixture) {
    let project = f.project().await;
    let limits = [None, Some(60_000), Some(600_000), Some(2 * HOUR_MS)];
    let ids = queue_up(&f, limits.map(|limit| with(project, |spec| spec.timeout_ms = limit))).await;
    assert_order(&f, &[ids[1], ids[2], ids[0], ids[3]]).await;
}

async fn more_retries_left_come_first(f: Fixture) {
    let project = f.project().await;
    let ids = f.make([item(project), item(project), item(project)]).await;
    f.set_policy(ids[0], Policy { max_retries: Some(0), ..Policy::default() }).await;
    f.set_policy(ids[2], Policy { max_retries: Some(9), ..Policy::default() }).await;
    for id in &ids {
        f.enqueue(*id).await;
    }
    assert_order(&f, &[ids[2], ids[1], ids[0]]).await;
}

async fn a_retried_item_comes_behind_its_equals(f: Fixture) {
    let [first, second] = f.queued().await;
    assert_eq!(f.run_next(false).await, first);
    f.pass_ms(HOUR_MS).await;
    assert_order(&f, &[second, first]).await;
}

async fn one_order_goes_through_all_queues(f: Fixture) {
    let (here, there) = (f.project().await, f.project().await);
    let ids = queue_up(
        &f,
        [
            with(here, |spec| spec.priority = 1),
            with(there, |spec| (spec.priority, spec.executor) = (8, Executor::External)),
            with(here, |spec| (spec.priority, spec.labels) = (4, vec!["arm".into(), "gpu".into()])),
            with(there, |spec| spec.priority = 6),
            with(here, |spec| (spec.priority, spec.labels) = (9, vec!["gpu".into()])),
        ],
    )
    .await;
    assert_eq!(f.queue_order().await, [ids[4], ids[1], ids[3], ids[2], ids[0]]);
    assert_eq!(f.claimed_items("w", 2).await, [ids[4], ids[1]]);
    assert_eq!(f.claimed_items("w", 9).await, [ids[3], ids[2], ids[0]]);
}

async fn the_rank_is_the_formula(f: Fixture) {
    let project = f.project().await;
    let parent = f.make_one(item(project)).await;
    let mut new = item_after(project, &[(parent, When::Success)]);
    new.spec = Spec { priority: 7, timeout_ms: Some(60_000), ..Spec::new("urgent") };
    queue_up(&f, [new]).await;
    f.clock.advance_ms(2 * HOUR_MS);
    let entry = f.queue().await.remove(0);
    assert_eq!(rank::rank(entry.prio, f.now()), 7.0 * 100.0 + 2.0 * 10.0 + 3.0 * 5.0 + 20.0 - 3.0);
}

async fn a_wish_with_a_priority_outweighs_the_items_own(f: Fixture) {
    let [first, second] = f.queued().await;
    let wish = Command::Enqueue { work_item_id: second, depends_on: None, priority: Some(6), delay_ms: 0 };
    f.granted(wish).await;
    assert_order(&f, &[second, first]).await;
}

async fn a_new_priority_changes_the_order_at_once(f: Fixture) {
    let [first, second, third] = f.queued().await;
    f.update(third, SpecPatch { priority: Some(9), ..SpecPatch::default() }).await;
    f.update(first, SpecPatch { priority: Some(0), ..SpecPatch::default() }).await;
    assert_eq!(f.queue().await.iter().map(|entry| entry.priority).collect::<Vec<_>>(), [9, 5, 0]);
    assert_order(&f, &[third, second, first]).await;
}

async fn a_new_time_limit_or_policy_changes_the_order_at_once(f: Fixture) {
    let [first, second, third] = f.queued().await;
    f.update(second, SpecPatch { timeout_ms: Some(Some(60_000)), ..SpecPatch::default() }).await;
    f.set_policy(first, Policy { max_retries: Some(0), ..Policy::default() }).await;
    assert_order(&f, &[second, third, first]).await;
    let worker = request("w", 1);
    assert_eq!(f.claim_as(worker).await, []);
}

async fn equally_urgent_projects_take_turns(f: Fixture) {
    let (long, short) = (f.project().await, f.project().await);
    let many = queue_up(&f, (0..6).map(|_| item(long))).await;
    // However long the others have waited already.
    f.clock.advance_ms(1_000 * HOUR_MS);
    let few = queue_up(&f, (0..2).map(|_| item(short))).await;
    assert_eq!(f.claimed_items("w", 1).await, [many[0]]);
    assert_eq!(f.claimed_items("w", 3).await, [few[0], many[1], few[1]]);
    assert_eq!(f.claimed_items("w", 9).await, many[2..]);
}

async fn pending_runs_of_projects_take_turns(f: Fixture) {
    let (long, short) = (f.project().await, f.project().await);
    let many = queue_up(&f, (0..4).map(|_| item(long))).await;
    f.tick().await;
    let few = queue_up(&f, [item(short)]).await;
    f.tick().await;
    assert_eq!(f.claimed_items("w", 3).await, [many[0], few[0], many[1]]);
}

async fn a_more_urgent_project_does_not_wait_for_its_turn(f: Fixture) {
    let (calm, urgent) = (f.project().await, f.project().await);
    let calm = queue_up(&f, (0..2).map(|_| item(calm))).await;
    f.clock.advance_ms(1);
    let urgent = queue_up(&f, (0..2).map(|_| with(urgent, |spec| spec.priority = 6))).await;
    assert_eq!(f.claimed_items("w", 9).await, [urgent[0], urgent[1], calm[0], calm[1]]);
}
