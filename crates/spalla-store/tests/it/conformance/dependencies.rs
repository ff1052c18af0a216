//! Dependencies: which end of a parent meets an edge, what fails closed, and how far that reaches.

use crate::fixture::Fixture;
use crate::fixture::verbs::{enqueue_after, item, item_after};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::work_item::{NewWorkItem, Spec, SpecPatch, Status, When};
use spalla_domain::{ProjectId, WorkItemId};
use spalla_store::{Command, ExecuteError};

crate::fixture::claims!(
    every_end_of_a_parent_means_what_the_edge_says,
    a_failure_blocks_all_that_wait_for_success_however_far,
    a_cancelled_item_blocks_what_waits_for_it,
    an_archived_item_blocks_what_waits_for_it,
    an_item_with_two_broken_dependencies_stays_blocked_until_both_are_mended,
    what_is_enqueued_below_a_failure_is_blocked_at_once,
    a_diamond_is_counted_once,
    what_became_less_critical_unblocks_what_waits_for_it_to_be_done,
    an_item_that_waits_for_itself_is_refused,
    a_circle_is_refused_by_name,
    a_long_circle_is_refused,
    a_circle_closed_by_two_requests_at_once_is_refused,
    the_same_dependency_said_again_adds_nothing,
    a_dependency_reaches_across_projects,
    a_wide_fan_of_dependents_becomes_ready_at_once,
    many_parents_completed_at_once_release_their_child,
);

const ENDS: [&str; 4] = ["succeeded", "failed critically", "failed uncritically", "cancelled"];

/// Brings an item to one of its ends.
async fn bring_to(f: &Fixture, id: WorkItemId, end: &str) {
    match end {
        "succeeded" => f.succeed(id).await,
        "cancelled" => {
            let run = f.start(id).await;
            f.cancel(run).await;
        }
        _ => {
            f.update(id, SpecPatch { critical: Some(end == "failed critically"), ..SpecPatch::default() })
                .await;
            f.fail_for_good(id).await;
        }
    }
}

async fn every_end_of_a_parent_means_what_the_edge_says(f: Fixture) {
    use Code::{DependencyCancelled, DependencyFailed, DependencySucceeded};
    let blocked = |code| (Status::Blocked, Some(code));
    let ready = (Status::Queued, None);
    let waiting = (Status::Queued, Some(Code::DependenciesUnmet));
    let table = [
        (
            When::Success,
            [ready, blocked(DependencyFailed), blocked(DependencyFailed), blocked(DependencyCancelled)],
        ),
        (When::Failure, [blocked(DependencySucceeded), ready, ready, blocked(DependencyCancelled)]),
        (When::Done, [ready, blocked(DependencyFailed), ready, blocked(DependencyCancelled)]),
    ];
    let project = f.project().await;
    for (when, expected) in table {
        for (end, expected) in ENDS.into_iter().zip(expected) {
            let parent = f.make_one(item(project)).await;
            let child = f.make_one(item_after(project, &[(parent, when)])).await;
            let below = |when| item_after(project, &[(child, when)]);
            let grandchildren = f.make([below(When::Success), below(When::Failure), below(When::Done)]).await;
            f.enqueue(child).await;
            for grandchild in &grandchildren {
                f.enqueue(*grandchild).await;
            }
            bring_to(&f, parent, end).await;

            let case = format!("{when:?} when the parent {end}");
            assert_eq!(f.standing(child).await, expected, "{case}");
            let hangs = if expected == ready { waiting } else { expected };
            assert_eq!(f.standing(grandchildren[0]).await, hangs, "success below {case}");
            assert_eq!(f.standing(grandchildren[1]).await, waiting, "failure below {case}");
            assert_eq!(f.standing(grandchildren[2]).await, hangs, "done below {case}");
        }
    }
}

async fn a_failure_blocks_all_that_wait_for_success_however_far(f: Fixture) {
    let chain: [WorkItemId; 30] = f.open_items().await;
    for pair in chain.windows(2) {
        f.enqueue_after(pair[1], pair[0]).await;
    }
    f.fail_for_good(chain[0]).await;
    for pair in chain.windows(2) {
        assert_eq!(f.standing(pair[1]).await, (Status::Blocked, Some(Code::DependencyFailed)));
        let blocked = Fact::WorkItemBlocked { reason: Code::DependencyFailed, by: pair[0] };
        assert_eq!(f.facts(pair[1]).await.last(), Some(&blocked));
        assert_eq!(f.refused(Command::Start { work_item_id: pair[1] }).await, Code::DependencyFailed);
    }
    assert_eq!((f.tick().await, f.claim("w", 9).await), (vec![], vec![]));
}

async fn a_cancelled_item_blocks_what_waits_for_it(f: Fixture) {
    let [parent, child] = f.open_items().await;
    f.enqueue_after(child, parent).await;
    bring_to(&f, parent, "cancelled").await;
    assert_eq!(f.standing(child).await, (Status::Blocked, Some(Code::DependencyCancelled)));
}

async fn an_archived_item_blocks_what_waits_for_it(f: Fixture) {
    let [open, queued, done, a, b, c] = f.open_items().await;
    f.enqueue(queued).await;
    f.enqueue_after(a, open).await;
    f.enqueue_after(b, queued).await;
    f.succeed(done).await;
    f.enqueue_after(c, done).await;
    for id in [open, queued, done] {
        f.granted(Command::ArchiveWorkItem { id }).await;
    }
    assert_eq!(f.standing(a).await, (Status::Blocked, Some(Code::DependencyCancelled)));
    assert_eq!(f.standing(b).await, (Status::Blocked, Some(Code::DependencyCancelled)));
    assert_eq!(f.standing(c).await, (Status::Queued, None));
}

async fn an_item_with_two_broken_dependencies_stays_blocked_until_both_are_mended(f: Fixture) {
    let [failed, cancelled, child] = f.open_items().await;
    f.enqueue_after(child, failed).await;
    f.enqueue_after(child, cancelled).await;
    f.fail_for_good(failed).await;
    bring_to(&f, cancelled, "cancelled").await;
    assert_eq!(f.standing(child).await, (Status::Blocked, Some(Code::DependencyFailed)));
    f.requeue(failed).await;
    assert_eq!(f.standing(child).await, (Status::Blocked, Some(Code::DependencyCancelled)));
    f.requeue(cancelled).await;
    assert_eq!(f.standing(child).await, (Status::Queued, Some(Code::DependenciesUnmet)));
    assert_eq!(f.facts(child).await.last(), Some(&Fact::WorkItemUnblocked {}));
    f.run_next(true).await;
    f.run_next(true).await;
    assert_eq!(f.standing(child).await, (Status::Queued, None));
}

async fn what_is_enqueued_below_a_failure_is_blocked_at_once(f: Fixture) {
    let [parent, child, grandchild] = f.open_items().await;
    f.fail_for_good(parent).await;
    f.enqueue_after(grandchild, child).await;
    assert_eq!(f.standing(grandchild).await, (Status::Queued, Some(Code::DependenciesUnmet)));
    f.enqueue_after(child, parent).await;
    assert_eq!(f.standing(child).await, (Status::Blocked, Some(Code::DependencyFailed)));
    assert_eq!(f.standing(grandchild).await, (Status::Blocked, Some(Code::DependencyFailed)));
}

async fn a_diamond_is_counted_once(f: Fixture) {
    let [top, left, right, bottom] = f.open_items().await;
    for (child, parent) in [(left, top), (right, top), (bottom, left), (bottom, right), (bottom, top)] {
        f.enqueue_after(child, parent).await;
    }
    f.fail_for_good(top).await;
    assert_eq!(f.standing(bottom).await, (Status::Blocked, Some(Code::DependencyFailed)));
    let unmet =
        async || f.queue().await.iter().find(|entry| entry.work_item_id == bottom).map(|entry| entry.unmet);
    let blocked =
        f.facts(bottom).await.iter().filter(|fact| matches!(fact, Fact::WorkItemBlocked { .. })).count();
    assert_eq!(blocked, 1);
    f.requeue(top).await;
    f.run_next(true).await;
    assert_eq!(unmet().await, Some(2));
    f.run_next(true).await;
    assert_eq!(unmet().await, Some(1));
    f.run_next(true).await;
    assert_eq!(f.run_next(true).await, bottom);
}

async fn what_became_less_critical_unblocks_what_waits_for_it_to_be_done(f: Fixture) {
    let project = f.project().await;
    let parent = f.make_one(item(project)).await;
    let child = f.make_one(item_after(project, &[(parent, When::Done)])).await;
    f.enqueue(child).await;
    f.fail_for_good(parent).await;
    assert_eq!(f.status(child).await, Status::Blocked);
    f.update(parent, SpecPatch { critical: Some(false), ..SpecPatch::default() }).await;
    assert_eq!(f.standing(child).await, (Status::Queued, None));
    f.update(parent, SpecPatch { critical: Some(true), ..SpecPatch::default() }).await;
    assert_eq!(f.standing(child).await, (Status::Blocked, Some(Code::DependencyFailed)));
}

async fn an_item_that_waits_for_itself_is_refused(f: Fixture) {
    let [id] = f.open_items().await;
    assert_eq!(f.refused(enqueue_after(id, id)).await, Code::DependencyCycle);
    f.enqueue(id).await;
    assert_eq!(f.refused(enqueue_after(id, id)).await, Code::DependencyCycle);
    assert_eq!(f.standing(id).await, (Status::Queued, None));
}

async fn a_circle_is_refused_by_name(f: Fixture) {
    let [a, b, c] = f.open_items().await;
    f.enqueue_after(b, a).await;
    f.enqueue_after(c, b).await;
    assert_eq!(f.refused(enqueue_after(a, c)).await, Code::DependencyCycle);
    let refusal = f.execute(enqueue_after(a, c)).await.unwrap_err();
    assert!(refusal.detail.ends_with(&format!("{a} -> {c} -> {b} -> {a}")), "{}", refusal.detail);
    f.enqueue_after(c, a).await;
}

async fn a_long_circle_is_refused(f: Fixture) {
    let chain: [WorkItemId; 120] = f.open_items().await;
    for pair in chain.windows(2) {
        f.enqueue_after(pair[1], pair[0]).await;
    }
    let refusal = f.execute(enqueue_after(chain[0], chain[119])).await.unwrap_err();
    assert_eq!(refusal.code, Code::DependencyCycle);
    assert_eq!(refusal.detail.matches(" -> ").count(), 120);
}

/// Neither request closes the circle alone; together with an edge that is kept they do.
async fn a_circle_closed_by_two_requests_at_once_is_refused(f: Fixture) {
    let other = f.second_server().await;
    for round in 0..12 {
        let [a, b, c] = f.open_items().await;
        f.enqueue_after(c, a).await;
        // While these are committed, the two that matter meet in one batch.
        let crowd = (0..8).map(|_| f.store.execute(crate::fixture::verbs::enqueue(c)));
        let crowd = futures_util::future::join_all(crowd);
        let second = if round % 2 == 0 { &f.store } else { &other };
        let (_, first, second) =
            tokio::join!(crowd, f.store.execute(enqueue_after(b, c)), second.execute(enqueue_after(a, b)),);
        let refused = |answer: &Result<_, ExecuteError>| match answer {
            Ok(_) => false,
            Err(ExecuteError::Refused(refusal)) if refusal.code == Code::DependencyCycle => true,
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(
            [refused(&first), refused(&second)].iter().filter(|refused| **refused).count(),
            1,
            "{round}"
        );
    }
}

async fn the_same_dependency_said_again_adds_nothing(f: Fixture) {
    let project = f.project().await;
    let parent = f.make_one(item(project)).await;
    let child = f.make_one(item_after(project, &[(parent, When::Done)])).await;
    f.enqueue_after(child, parent).await;
    f.enqueue_after(child, parent).await;
    let waits: Vec<_> = f.item(child).await.depends_on.iter().map(|d| (d.id, d.when)).collect();
    assert_eq!(waits, [(parent, When::Done)]);
    assert_eq!(f.queue().await[0].unmet, 1);
}

async fn a_dependency_reaches_across_projects(f: Fixture) {
    let (here, there) = (f.project().await, f.project().await);
    let parent = f.make_one(item(here)).await;
    let child = f.make_one(item_after(there, &[(parent, When::Success)])).await;
    f.enqueue(child).await;
    f.succeed(parent).await;
    assert_eq!(f.claimed_items("w", 5).await, [child]);
}

fn below(project: ProjectId, parents: &[WorkItemId]) -> NewWorkItem {
    let parents: Vec<_> = parents.iter().map(|id| (*id, When::Success)).collect();
    NewWorkItem { spec: Spec { priority: 1, ..Spec::new("below") }, ..item_after(project, &parents) }
}

async fn a_wide_fan_of_dependents_becomes_ready_at_once(f: Fixture) {
    let project = f.project().await;
    let parent = f.make_one(item(project)).await;
    let items = (0..200).map(|_| below(project, &[parent]).into()).collect();
    f.granted(Command::CreateWorkItems { items, enqueue: true }).await;
    assert_eq!(f.store.read().depths().await.unwrap().blocked, 200);
    f.succeed(parent).await;
    assert_eq!(f.claim("w", 500).await.len(), 200);
}

async fn many_parents_completed_at_once_release_their_child(f: Fixture) {
    let project = f.project().await;
    let other = f.second_server().await;
    let parents = f.make((0..40).map(|_| item(project))).await;
    let child = f.make_one(below(project, &parents)).await;
    for id in parents.iter().chain([&child]) {
        f.enqueue(*id).await;
    }
    let runs = f.claim("w", 40).await;
    let ends = runs.iter().enumerate().map(|(n, run)| {
        let store = if n % 2 == 0 { &f.store } else { &other };
        store.execute(crate::fixture::verbs::complete(run, true))
    });
    for reply in futures_util::future::join_all(ends).await {
        reply.unwrap();
    }
    assert_eq!(f.claimed_items("w", 5).await, [child]);
}
