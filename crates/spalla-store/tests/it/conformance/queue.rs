//! The way through: enqueue, claim, complete; and how wishes for one item become one entry.

use crate::fixture::Fixture;
use crate::fixture::verbs::{enqueue, enqueue_after, exchange, item, item_after};
use spalla_domain::event::{Event, Fact};
use spalla_domain::problem::Code;
use spalla_domain::run::Status as RunStatus;
use spalla_domain::work_item::{Status, When};
use spalla_domain::{Fence, RunId, WorkItemId};
use spalla_store::command::{Command, Delay, EnqueueWish, PlannedItem, Reply, Requeued};
use spalla_store::view::Depths;

crate::fixture::claims!(
    several_entries_are_made_all_or_none,
    an_item_passes_from_the_queue_through_one_run_to_success,
    a_dependent_becomes_ready_in_the_transaction_that_completes_its_parent,
    an_exchange_claims_the_child_that_its_own_completion_made_ready,
    an_exchange_refuses_one_completion_and_keeps_the_others,
    further_wishes_for_an_item_join_its_entry,
    a_joined_entry_waits_for_all_and_runs_once,
    a_joined_entry_waits_for_the_later_of_two_moments,
    an_item_that_runs_or_is_finished_takes_no_further_wish,
    what_does_not_exist_is_not_found,
    a_delayed_entry_is_ready_from_its_moment_on,
    a_claim_finds_what_has_just_come_due,
    a_delayed_entry_also_waits_for_its_dependencies,
    items_made_together_are_enqueued_with_what_they_wait_for,
    items_are_made_all_or_none,
    the_next_moment_is_when_the_clock_is_needed,
);

async fn an_item_passes_from_the_queue_through_one_run_to_success(f: Fixture) {
    let [id] = f.open_items().await;
    assert_eq!(f.standing(id).await, (Status::Open, None));

    f.enqueue(id).await;
    assert_eq!(f.standing(id).await, (Status::Queued, None));

    let run = f.claim_one("w").await;
    assert_eq!((run.work_item_id, run.attempt, run.fencing_token), (id, 1, Fence(1)));
    assert_eq!(f.standing(id).await, (Status::Running, None));
    assert_eq!(f.claim("v", 1).await, []);

    f.clock.advance_ms(1_500);
    f.complete(&run, true).await;
    assert_eq!(f.standing(id).await, (Status::Succeeded, None));
    let view = f.run(run.run_id).await;
    assert_eq!((view.status, view.attempt, view.fence), (RunStatus::Succeeded, 1, Some(Fence(1))));
    assert_eq!(view.ended_at.unwrap().ms() - view.started_at.unwrap().ms(), 1_500);
    assert_eq!((view.lease, view.worker.unwrap().as_str()), (None, "w"));
    assert_eq!(
        f.facts(id).await,
        [
            Fact::WorkItemCreated { title: "raise the arch".into(), critical: true, depends_on: vec![] },
            Fact::WorkItemQueued { unmet: 0, approvals: 0, due_at: None },
            Fact::WorkItemReady {},
            Fact::RunClaimed {
                attempt: 1,
                worker: crate::fixture::verbs::worker("w"),
                fence: Fence(1),
                takeovers: 0
            },
            Fact::RunSucceeded { fence: Some(Fence(1)) },
            Fact::WorkItemFinished { status: Status::Succeeded },
        ]
    );
    assert_eq!(f.store.read().depths().await.unwrap(), Depths::default());
}

async fn a_dependent_becomes_ready_in_the_transaction_that_completes_its_parent(f: Fixture) {
    let [parent, child] = f.open_items().await;
    f.enqueue(parent).await;
    f.enqueue_after(child, parent).await;
    assert_eq!(f.standing(child).await, (Status::Queued, Some(Code::DependenciesUnmet)));
    let run = f.claim_one("w").await;
    let mut commits = f.store.committed();

    f.complete(&run, true).await;

    let succeeded = Fact::RunSucceeded { fence: Some(Fence(1)) };
    let commit = loop {
        // News of what was committed before may still be under way.
        let commit = commits.recv().await.unwrap();
        if commit.events.iter().any(|event| event.fact == succeeded) {
            break commit;
        }
    };
    let is_ready = |event: &Event| event.work_item_id == Some(child) && event.fact == Fact::WorkItemReady {};
    assert!(commit.events.iter().any(is_ready), "{commit:?}");
    assert_eq!(f.standing(child).await, (Status::Queued, None));
    assert_eq!(f.claimed_items("w", 5).await, [child]);
}

async fn an_exchange_claims_the_child_that_its_own_completion_made_ready(f: Fixture) {
    let [parent, child, grandchild] = f.open_items().await;
    f.enqueue(parent).await;
    f.enqueue_after(child, parent).await;
    f.enqueue_after(grandchild, child).await;
    let first = f.claim("w", 5).await;

    let reply = f.exchange(exchange(&first, "w", 5)).await;

    assert_eq!(reply.completed, [first[0].run_id]);
    assert_eq!(reply.runs.iter().map(|run| run.work_item_id).collect::<Vec<_>>(), [child]);
    let reply = f.exchange(exchange(&reply.runs, "w", 5)).await;
    let reply = f.exchange(exchange(&reply.runs, "w", 5)).await;
    assert_eq!((reply.completed.len(), reply.runs.len()), (1, 0));
    assert_eq!(f.status(grandchild).await, Status::Succeeded);
}

async fn an_exchange_refuses_one_completion_and_keeps_the_others(f: Fixture) {
    let [a, b] = f.queued().await;
    let runs = f.claim("w", 2).await;
    let mut stale = runs[0].clone();
    stale.fencing_token = Fence(7);
    let mut unknown = runs[0].clone();
    unknown.run_id = RunId(99);
    let mut wish = exchange(&[stale, runs[1].clone(), unknown], "w", 0);
    wish.heartbeats = vec![crate::fixture::verbs::beat(&runs[0]), crate::fixture::verbs::beat(&runs[1])];
    f.clock.advance_ms(10);

    let reply = f.exchange(wish).await;

    assert_eq!(reply.completed, [runs[1].run_id]);
    let reasons: Vec<_> = reply.refused.iter().map(|r| (r.run_id, r.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [(runs[0].run_id, "stale_token"), (RunId(99), "not_found"), (runs[1].run_id, "run_ended")]
    );
    assert_eq!(
        reply.heartbeats.iter().map(|h| (h.run_id, h.cancel)).collect::<Vec<_>>(),
        [(runs[0].run_id, false)]
    );
    assert_eq!((f.status(a).await, f.status(b).await), (Status::Running, Status::Succeeded));
    let lease = f.run(runs[0].run_id).await.lease.unwrap();
    assert_eq!(lease.until, f.now().plus_ms(crate::fixture::verbs::LEASE_MS));
}

async fn further_wishes_for_an_item_join_its_entry(f: Fixture) {
    let [id] = f.open_items().await;
    let entry = f.enqueue(id).await;
    assert_eq!(f.enqueue(id).await, entry);
    let louder = Command::Enqueue { work_item_id: id, depends_on: None, priority: Some(9), delay_ms: 0 };
    assert_eq!(f.granted(louder).await, Reply::Entry { id: entry, work_item_id: id });
    let queue = f.queue().await;
    assert_eq!((queue.len(), queue[0].id, queue[0].priority), (1, entry, 9));
    assert_eq!(f.claim("w", 5).await.len(), 1);
}

async fn a_joined_entry_waits_for_all_and_runs_once(f: Fixture) {
    let [a, b, joined] = f.open_items().await;
    f.enqueue(a).await;
    f.enqueue(b).await;
    f.enqueue_after(joined, a).await;
    f.enqueue_after(joined, b).await;
    f.enqueue_after(joined, b).await;
    assert_eq!(f.queue().await.iter().find(|entry| entry.work_item_id == joined).unwrap().unmet, 2);

    let runs = f.claim("w", 5).await;
    assert_eq!(runs.len(), 2);
    f.complete(&runs[0], true).await;
    assert_eq!(f.claim("w", 5).await, []);
    f.complete(&runs[1], true).await;

    assert_eq!(f.run_next(true).await, joined);
    assert_eq!(f.claim("w", 5).await, []);
    assert_eq!(
        f.facts(joined).await.iter().filter(|fact| matches!(fact, Fact::RunClaimed { .. })).count(),
        1
    );
}

async fn a_joined_entry_waits_for_the_later_of_two_moments(f: Fixture) {
    let [id] = f.open_items().await;
    f.enqueue_later(id, 5_000).await;
    f.enqueue_later(id, 1_000).await;
    f.enqueue(id).await;
    assert_eq!(f.queue().await[0].due_at, Some(f.now().plus_ms(5_000)));
    f.enqueue_later(id, 8_000).await;
    assert_eq!(f.queue().await[0].due_at, Some(f.now().plus_ms(8_000)));
}

async fn an_item_that_runs_or_is_finished_takes_no_further_wish(f: Fixture) {
    let [id, other] = f.open_items().await;
    f.enqueue(id).await;
    let run = f.claim_one("w").await;
    assert_eq!(f.refused(enqueue(id)).await, Code::RunActive);
    assert_eq!(f.refused(enqueue_after(id, other)).await, Code::RunActive);
    f.complete(&run, true).await;
    assert_eq!(f.refused(enqueue(id)).await, Code::WorkItemFinished);
    assert_eq!(f.refused(enqueue_after(id, other)).await, Code::WorkItemFinished);
    assert_eq!(f.item(id).await.depends_on, []);
}

async fn what_does_not_exist_is_not_found(f: Fixture) {
    let [id] = f.open_items().await;
    let nothing = WorkItemId(99);
    for command in [
        enqueue(nothing),
        enqueue_after(id, nothing),
        Command::Start { work_item_id: nothing },
        crate::fixture::verbs::requeue(nothing),
        Command::Requeue { target: Requeued::Run(RunId(99)), priority: None, delay: Delay::Backoff },
        Command::ArchiveWorkItem { id: nothing },
        Command::ArchiveProject { id: spalla_domain::ProjectId(99) },
        Command::UpdateProject { id: spalla_domain::ProjectId(99), patch: Default::default() },
        crate::fixture::verbs::update(nothing, Default::default(), Default::default()),
        Command::RequestApproval {
            work_item_id: nothing,
            kind: Default::default(),
            need: Default::default(),
        },
        crate::fixture::verbs::decide(
            spalla_domain::ApprovalId(99),
            spalla_domain::approval::Decision::Approve,
        ),
        Command::CancelRun { run_id: RunId(99) },
        crate::fixture::verbs::claim_run(RunId(99), "w"),
        crate::fixture::verbs::by_hand(RunId(99), true),
        Command::CreateWorkItems { items: vec![item(spalla_domain::ProjectId(99)).into()], enqueue: true },
    ] {
        let name = format!("{command:?}");
        assert_eq!(f.refused(command).await, Code::NotFound, "{name}");
    }
    let read = f.store.read();
    assert!(read.work_item(nothing).await.unwrap().is_none());
    assert!(read.run(RunId(99)).await.unwrap().is_none());
    assert!(read.log(RunId(99), Default::default()).await.unwrap().is_none());
    assert!(read.project(spalla_domain::ProjectId(99)).await.unwrap().is_none());
    assert!(read.approval(spalla_domain::ApprovalId(99)).await.unwrap().is_none());
}

async fn a_delayed_entry_is_ready_from_its_moment_on(f: Fixture) {
    let [id] = f.open_items().await;
    f.enqueue_later(id, 2_000).await;
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::Delayed)));
    assert_eq!(f.pass_ms(1_999).await, 0);
    assert_eq!(f.claim("w", 1).await, []);
    assert_eq!(f.pass_ms(1).await, 1);
    assert_eq!(f.standing(id).await, (Status::Queued, None));
    assert_eq!(f.keep_time().await, 0);
    assert_eq!(f.claimed_items("w", 1).await, [id]);
}

async fn a_claim_finds_what_has_just_come_due(f: Fixture) {
    let [id, ticked] = f.open_items().await;
    f.enqueue_later(id, 2_000).await;
    assert_eq!(f.claim("w", 1).await, []);
    f.clock.advance_ms(2_000);
    assert_eq!(f.claimed_items("w", 1).await, [id]);
    f.enqueue_later(ticked, 2_000).await;
    assert!(f.tick().await.is_empty());
    f.clock.advance_ms(2_000);
    assert_eq!(f.tick().await, [ticked]);
}

async fn a_delayed_entry_also_waits_for_its_dependencies(f: Fixture) {
    let [parent, child] = f.open_items().await;
    let later =
        Command::Enqueue { work_item_id: child, depends_on: Some(parent), priority: None, delay_ms: 5_000 };
    f.granted(later).await;
    assert_eq!(f.standing(child).await, (Status::Queued, Some(Code::DependenciesUnmet)));
    f.succeed(parent).await;
    assert_eq!(f.standing(child).await, (Status::Queued, Some(Code::Delayed)));
    f.pass_ms(5_000).await;
    assert_eq!(f.claimed_items("w", 1).await, [child]);
}

async fn items_made_together_are_enqueued_with_what_they_wait_for(f: Fixture) {
    let project = f.project().await;
    let known = f.make_one(item(project)).await;
    let planned = |after: Vec<(usize, When)>, parents: &[(WorkItemId, When)]| PlannedItem {
        item: item_after(project, parents),
        after,
    };
    let items = vec![
        planned(vec![], &[]),
        planned(vec![(0, When::Success)], &[(known, When::Done)]),
        planned(vec![(0, When::Success), (1, When::Failure), (1, When::Failure)], &[]),
    ];
    let Reply::WorkItems(ids) = f.granted(Command::CreateWorkItems { items, enqueue: true }).await else {
        panic!("no items");
    };
    let unmet: Vec<_> = f.queue().await.into_iter().map(|entry| (entry.work_item_id, entry.unmet)).collect();
    assert_eq!(unmet, [(ids[0], 0), (ids[1], 2), (ids[2], 2)]);
    let waits: Vec<_> = f.item(ids[2]).await.depends_on.iter().map(|d| (d.id, d.when)).collect();
    assert_eq!(waits, [(ids[0], When::Success), (ids[1], When::Failure)]);
    assert_eq!(f.claimed_items("w", 5).await, [ids[0]]);
}

async fn items_are_made_all_or_none(f: Fixture) {
    let project = f.project().await;
    let unknown = item_after(project, &[(WorkItemId(99), When::Success)]);
    let items = vec![item(project).into(), unknown.into()];
    assert_eq!(f.refused(Command::CreateWorkItems { items, enqueue: true }).await, Code::NotFound);
    let forward = PlannedItem { item: item(project), after: vec![(1, When::Success)] };
    let items = vec![item(project).into(), forward];
    assert_eq!(f.refused(Command::CreateWorkItems { items, enqueue: true }).await, Code::DependencyCycle);
    assert_eq!(f.make([]).await, []);
}

async fn the_next_moment_is_when_the_clock_is_needed(f: Fixture) {
    let [id, other] = f.open_items().await;
    f.keep_time().await;
    assert_eq!(f.store.next_moment(), None);
    f.enqueue_later(id, 90_000).await;
    assert_eq!(f.store.next_moment(), Some(f.now().plus_ms(90_000)));
    f.enqueue(other).await;
    let run = f.claim_one("w").await;
    assert_eq!(f.store.next_moment(), Some(run.expires_at));
    f.complete(&run, true).await;
    f.keep_time().await;
    assert_eq!(f.store.next_moment(), Some(f.now().plus_ms(90_000)));
}

async fn several_entries_are_made_all_or_none(f: Fixture) {
    let [one, two, three] = f.open_items().await;
    let wish =
        |work_item_id, depends_on| EnqueueWish { work_item_id, depends_on, priority: None, delay_ms: 0 };
    // The last one closes a circle: the first two are not enqueued either.
    let circle = vec![wish(one, Some(two)), wish(two, Some(three)), wish(three, Some(one))];
    assert_eq!(f.refused(Command::EnqueueAll { wishes: circle }).await, Code::DependencyCycle);
    let nobody = vec![wish(one, None), wish(WorkItemId(99), None)];
    assert_eq!(f.refused(Command::EnqueueAll { wishes: nobody }).await, Code::NotFound);
    assert_eq!(f.queue_order().await, []);
    let all = Command::EnqueueAll { wishes: vec![wish(one, None), wish(two, Some(one)), wish(three, None)] };
    let Reply::Entries(entries) = f.granted(all).await else { panic!("no entries") };
    assert_eq!(entries.len(), 3);
    assert_eq!(f.standing(two).await.1, Some(Code::DependenciesUnmet));
    assert_eq!(f.queue_order().await.len(), 3);
}
