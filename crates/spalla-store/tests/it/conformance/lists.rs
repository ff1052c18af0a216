//! Lists: newest first, filtered, page by page, counted; and how many there are of what.

use crate::fixture::Fixture;
use crate::fixture::snapshot::ALL;
use crate::fixture::verbs::{LEASE_MS, item};
use spalla_domain::problem::Code;
use spalla_domain::run::Status as RunStatus;
use spalla_domain::work_item::{Executor, NewWorkItem, Spec, Status, When};
use spalla_domain::{ProjectId, WorkItemId};
use spalla_store::Command;
use spalla_store::view::{Depths, Page, QueueFilter, RunFilter, WorkItemFilter};

crate::fixture::claims!(
    lists_are_newest_first_and_read_page_by_page,
    work_items_are_found_by_project_status_and_label,
    a_label_that_few_or_many_queues_have_finds_the_newest_of_all,
    work_items_are_found_by_text_in_either_case,
    archived_items_are_listed_only_when_asked_for,
    every_status_of_an_item_is_listed_under_its_name,
    runs_are_found_by_item_project_status_and_agent,
    live_and_ended_runs_are_one_list,
    the_queue_is_found_by_project_and_reason,
    the_queue_is_read_page_by_page,
    approvals_are_found_by_item_and_by_what_is_pending,
    depths_count_what_is_where,
);

fn page(limit: u32, before: Option<i64>, offset: u32) -> Page {
    Page { limit, before, offset }
}

async fn items(f: &Fixture, filter: WorkItemFilter, at: Page) -> Vec<i64> {
    f.store.read().work_items(filter, at).await.unwrap().iter().map(|view| view.item.id.0).collect()
}

async fn runs(f: &Fixture, filter: RunFilter, at: Page) -> Vec<i64> {
    f.store.read().runs(filter, at).await.unwrap().iter().map(|view| view.id.0).collect()
}

/// Checks a list of items and its count.
async fn assert_found(f: &Fixture, filter: WorkItemFilter, expected: &[WorkItemId]) {
    let found: Vec<_> = items(f, filter.clone(), ALL).await;
    assert_eq!(found, expected.iter().rev().map(|id| id.0).collect::<Vec<_>>(), "{filter:?}");
    let count = f.store.read().count_work_items(filter.clone()).await.unwrap();
    assert_eq!(count, expected.len() as u64, "{filter:?}");
}

async fn lists_are_newest_first_and_read_page_by_page(f: Fixture) {
    let ids: [WorkItemId; 7] = f.open_items().await;
    for id in ids {
        f.start(id).await;
        f.request_approval(id).await;
    }
    for _ in 0..6 {
        f.project().await;
    }
    let pages = [
        (page(3, None, 0), vec![7, 6, 5]),
        (page(3, Some(5), 0), vec![4, 3, 2]),
        (page(3, Some(2), 0), vec![1]),
        (page(3, Some(1), 0), vec![]),
        (page(3, None, 2), vec![5, 4, 3]),
        (page(2, Some(6), 3), vec![2, 1]),
        (page(9, Some(i64::MAX), 0), vec![7, 6, 5, 4, 3, 2, 1]),
        (page(9, Some(i64::MIN), 0), vec![]),
        (page(0, None, 0), vec![]),
        (page(9, None, 9), vec![]),
        (page(u32::MAX, None, u32::MAX), vec![]),
    ];
    let read = f.store.read();
    for (at, expected) in pages {
        assert_eq!(items(&f, WorkItemFilter::default(), at).await, expected, "items {at:?}");
        assert_eq!(runs(&f, RunFilter::default(), at).await, expected, "runs {at:?}");
        let projects: Vec<_> = read.projects(at).await.unwrap().iter().map(|project| project.id.0).collect();
        assert_eq!(projects, expected, "projects {at:?}");
        let approvals = read.approvals(None, false, at).await.unwrap();
        assert_eq!(
            approvals.iter().map(|view| view.approval.id.0).collect::<Vec<_>>(),
            expected,
            "approvals {at:?}"
        );
    }
    assert_eq!(read.count_projects().await.unwrap(), 7);
    assert_eq!(read.count_runs(RunFilter::default()).await.unwrap(), 7);
}

fn labelled(project: ProjectId, labels: &[&str]) -> NewWorkItem {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    NewWorkItem { spec: Spec { labels, ..Spec::new("labelled") }, ..item(project) }
}

async fn work_items_are_found_by_project_status_and_label(f: Fixture) {
    let (here, there) = (f.project().await, f.project().await);
    let ids = f
        .make([
            labelled(here, &["gpu"]),
            labelled(there, &["gpu", "arm"]),
            labelled(here, &["gpu-2", "a\"b", "a%b", "ä"]),
            labelled(here, &[]),
        ])
        .await;
    f.enqueue(ids[1]).await;
    f.enqueue(ids[2]).await;
    let any = WorkItemFilter::default;
    let label = |text: &str| Some(text.to_owned());
    assert_found(&f, WorkItemFilter { project_id: Some(here), ..any() }, &[ids[0], ids[2], ids[3]]).await;
    assert_found(&f, WorkItemFilter { project_id: Some(ProjectId(9)), ..any() }, &[]).await;
    assert_found(&f, WorkItemFilter { label: label("gpu"), ..any() }, &[ids[0], ids[1]]).await;
    for odd in ["a\"b", "a%b", "ä"] {
        assert_found(&f, WorkItemFilter { label: label(odd), ..any() }, &[ids[2]]).await;
    }
    for none in ["gp", "GPU", "%", "gpu\",\"arm", "", "a_b"] {
        assert_found(&f, WorkItemFilter { label: label(none), ..any() }, &[]).await;
    }
    let both = WorkItemFilter { label: label("gpu"), status: Some(Status::Queued), ..any() };
    assert_found(&f, both.clone(), &[ids[1]]).await;
    assert_found(&f, WorkItemFilter { project_id: Some(here), ..both }, &[]).await;
}

async fn a_label_that_few_or_many_queues_have_finds_the_newest_of_all(f: Fixture) {
    let (here, there) = (f.project().await, f.project().await);
    let own = |n: usize| format!("n{}", n / 2);
    let ids = f.make((0..40).map(|n| labelled([here, there][n % 2], &["all", &own(n)]))).await;
    let all = WorkItemFilter { label: Some("all".to_owned()), ..WorkItemFilter::default() };
    assert_found(&f, all.clone(), &ids).await;
    let half: Vec<_> = ids.iter().copied().step_by(2).collect();
    assert_found(&f, WorkItemFilter { project_id: Some(here), ..all.clone() }, &half).await;
    for filter in [all.clone(), WorkItemFilter { q: Some("LABEL".to_owned()), ..all.clone() }] {
        let page = Page { limit: 3, before: Some(ids[30].0), offset: 2 };
        let found = f.store.read().work_items(filter, page).await.unwrap();
        let found: Vec<_> = found.iter().map(|view| view.item.id).collect();
        assert_eq!(found, [ids[27], ids[26], ids[25]]);
    }
    assert_found(&f, WorkItemFilter { q: Some("nothing".to_owned()), ..all }, &[]).await;
}

async fn work_items_are_found_by_text_in_either_case(f: Fixture) {
    let project = f.project().await;
    let spec = |title: &str, description: Option<&str>, prompt: Option<&str>| NewWorkItem {
        spec: Spec {
            description: description.map(Into::into),
            prompt: prompt.map(Into::into),
            ..Spec::new(title)
        },
        ..item(project)
    };
    let ids = f
        .make([
            spec("Paint the Railing", None, None),
            spec("other", Some("the railing"), None),
            spec("other", None, Some("RAILINGS")),
            spec("100% done_now \\ 'x'", None, None),
            spec("Größe ÄNDERN", None, None),
        ])
        .await;
    let q = |text: &str| WorkItemFilter { q: Some(text.to_owned()), ..WorkItemFilter::default() };
    assert_found(&f, q("railing"), &ids[..3]).await;
    assert_found(&f, q("RAILINGS"), &ids[2..3]).await;
    assert_found(&f, q("the r"), &ids[..2]).await;
    for literal in ["100%", "% d", "done_", "\\", "'x'"] {
        assert_found(&f, q(literal), &ids[3..4]).await;
    }
    assert_found(&f, q("e_n"), &ids[3..4]).await;
    assert_found(&f, q("o%r"), &[]).await;
    for cased in ["größe", "GRÖßE", "ändern", "Ändern"] {
        assert_found(&f, q(cased), &ids[4..]).await;
    }
    assert_found(&f, q(""), &ids).await;
}

async fn archived_items_are_listed_only_when_asked_for(f: Fixture) {
    let [a, b] = f.open_items().await;
    f.granted(Command::ArchiveWorkItem { id: a }).await;
    assert_found(&f, WorkItemFilter::default(), &[b]).await;
    let archived = WorkItemFilter { status: Some(Status::Archived), ..WorkItemFilter::default() };
    assert_found(&f, archived, &[a]).await;
    let open = WorkItemFilter { status: Some(Status::Open), ..WorkItemFilter::default() };
    assert_found(&f, open, &[b]).await;
}

async fn every_status_of_an_item_is_listed_under_its_name(f: Fixture) {
    let ids: [WorkItemId; 12] = f.open_items().await;
    let [
        open,
        ready,
        delayed,
        waiting,
        held,
        blocked,
        running,
        pending,
        succeeded,
        failed,
        cancelled,
        archived,
    ] = ids;
    f.enqueue(ready).await;
    f.enqueue_later(delayed, 9_000).await;
    f.enqueue_after(waiting, open).await;
    f.request_approval(held).await;
    f.enqueue(held).await;
    f.claim_run(f.start(running).await, "w").await;
    f.start(pending).await;
    f.succeed(succeeded).await;
    f.fail_for_good(failed).await;
    f.enqueue_after(blocked, failed).await;
    f.cancel(f.start(cancelled).await).await;
    f.granted(Command::ArchiveWorkItem { id: archived }).await;
    for (status, expected) in [
        (Status::Open, vec![open]),
        (Status::Queued, vec![ready, delayed, waiting, held]),
        (Status::Blocked, vec![blocked]),
        (Status::Running, vec![running, pending]),
        (Status::Succeeded, vec![succeeded]),
        (Status::Failed, vec![failed]),
        (Status::Cancelled, vec![cancelled]),
        (Status::Archived, vec![archived]),
    ] {
        assert_found(&f, WorkItemFilter { status: Some(status), ..WorkItemFilter::default() }, &expected)
            .await;
        for id in expected {
            assert_eq!(f.status(id).await, status);
        }
    }
}

async fn runs_are_found_by_item_project_status_and_agent(f: Fixture) {
    let (here, there) = (f.project().await, f.project().await);
    let mut agents = item(there);
    (agents.spec.executor, agents.spec.agent) = (Executor::Agent, Some("surveyor".into()));
    let ids = f.make([item(here), agents]).await;
    for id in &ids {
        f.start(*id).await;
    }
    f.claim_run(2.into(), "w").await;
    f.complete_by_hand(1.into(), false).await;
    f.start(ids[0]).await;
    let any = RunFilter::default;
    for (filter, expected) in [
        (RunFilter { work_item_id: Some(ids[0]), ..any() }, vec![3, 1]),
        (RunFilter { project_id: Some(here), ..any() }, vec![3, 1]),
        (RunFilter { project_id: Some(there), ..any() }, vec![2]),
        (RunFilter { status: Some(RunStatus::Pending), ..any() }, vec![3]),
        (RunFilter { status: Some(RunStatus::Failed), ..any() }, vec![1]),
        (RunFilter { status: Some(RunStatus::Lost), ..any() }, vec![]),
        (RunFilter { agent: Some("surveyor".into()), ..any() }, vec![2]),
        (RunFilter { agent: Some("Surveyor".into()), ..any() }, vec![]),
        (RunFilter { status: Some(RunStatus::Running), agent: Some("surveyor".into()), ..any() }, vec![2]),
        (RunFilter { work_item_id: Some(ids[0]), status: Some(RunStatus::Failed), ..any() }, vec![1]),
        (RunFilter { work_item_id: Some(ids[0]), project_id: Some(there), ..any() }, vec![]),
    ] {
        assert_eq!(runs(&f, filter.clone(), ALL).await, expected, "{filter:?}");
        let count = f.store.read().count_runs(filter.clone()).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{filter:?}");
    }
}

async fn live_and_ended_runs_are_one_list(f: Fixture) {
    let ids: [WorkItemId; 8] = f.open_items().await;
    for (n, id) in ids.into_iter().enumerate() {
        let run = f.start(id).await;
        if n % 2 == 0 {
            f.complete_by_hand(run, true).await;
        }
    }
    assert_eq!(runs(&f, RunFilter::default(), page(3, Some(7), 1)).await, [5, 4, 3]);
    let of = RunFilter { project_id: Some(ProjectId(1)), ..RunFilter::default() };
    assert_eq!(runs(&f, of, page(4, None, 0)).await, [8, 7, 6, 5]);
}

async fn the_queue_is_found_by_project_and_reason(f: Fixture) {
    let (here, there) = (f.project().await, f.project().await);
    let ids = f.make([item(here), item(there), item(here), item(there)]).await;
    f.enqueue(ids[0]).await;
    f.enqueue(ids[1]).await;
    f.enqueue_later(ids[2], 5_000).await;
    f.enqueue_after(ids[3], ids[0]).await;
    let any = QueueFilter::default;
    for (filter, expected) in [
        (any(), vec![ids[0], ids[1], ids[2], ids[3]]),
        (QueueFilter { project_id: Some(here), ..any() }, vec![ids[0], ids[2]]),
        (QueueFilter { reason: Some(None), ..any() }, vec![ids[0], ids[1]]),
        (QueueFilter { reason: Some(Some(Code::Delayed)), ..any() }, vec![ids[2]]),
        (QueueFilter { reason: Some(Some(Code::DependenciesUnmet)), ..any() }, vec![ids[3]]),
        (QueueFilter { reason: Some(Some(Code::ApprovalPending)), ..any() }, vec![]),
        (QueueFilter { project_id: Some(there), reason: Some(None) }, vec![ids[1]]),
        (QueueFilter { project_id: Some(here), reason: Some(Some(Code::DependenciesUnmet)) }, vec![]),
    ] {
        let found = f.store.read().queue(filter.clone(), ALL).await.unwrap();
        let found: Vec<_> = found.iter().map(|entry| entry.work_item_id).collect();
        assert_eq!(found, expected, "{filter:?}");
        assert_eq!(
            f.store.read().count_queue(filter.clone()).await.unwrap(),
            expected.len() as u64,
            "{filter:?}"
        );
    }
}

async fn the_queue_is_read_page_by_page(f: Fixture) {
    let ids: [WorkItemId; 5] = f.open_items().await;
    for (n, id) in ids.into_iter().enumerate() {
        // Held and free entries take turns in one order.
        if n % 2 == 0 {
            f.enqueue(id).await
        } else {
            f.enqueue_later(id, 9_000).await
        };
    }
    for (at, expected) in [
        (page(2, None, 0), &ids[..2]),
        (page(2, None, 2), &ids[2..4]),
        (page(2, None, 4), &ids[4..]),
        (page(2, None, 5), &[]),
    ] {
        let found = f.store.read().queue(QueueFilter::default(), at).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.work_item_id).collect::<Vec<_>>(), expected, "{at:?}");
    }
}

async fn approvals_are_found_by_item_and_by_what_is_pending(f: Fixture) {
    let [a, b] = f.open_items().await;
    let (first, second, third) =
        (f.request_approval(a).await, f.request_approval(b).await, f.request_approval(a).await);
    f.decide(first, spalla_domain::approval::Decision::Approve).await;
    let list = |item, pending_only| {
        let found = f.store.read().approvals(item, pending_only, ALL);
        async move { found.await.unwrap().iter().map(|view| view.approval.id).collect::<Vec<_>>() }
    };
    assert_eq!(list(None, false).await, [third, second, first]);
    assert_eq!(list(None, true).await, [third, second]);
    assert_eq!(list(Some(a), false).await, [third, first]);
    assert_eq!(list(Some(a), true).await, [third]);
    assert_eq!(list(Some(WorkItemId(9)), false).await, []);
}

async fn depths_count_what_is_where(f: Fixture) {
    let [ready, late, held, unapproved, pending, vanished, running, parent] = f.open_items().await;
    f.enqueue(running).await;
    f.enqueue(vanished).await;
    let runs = f.claim("w", 2).await;
    f.clock.advance_ms(LEASE_MS);
    for run in &runs {
        f.heartbeat(run, "w").await;
    }
    f.enqueue(ready).await;
    f.enqueue_later(late, 5_000).await;
    f.enqueue_after(held, parent).await;
    f.request_approval(unapproved).await;
    f.enqueue(unapproved).await;
    let held_run = f.start(pending).await;
    f.request_approval(pending).await;
    f.hand_back(&runs[0]).await;
    let expected = Depths { ready: 1, delayed: 1, blocked: 2, pending: 2, running: 1 };
    assert_eq!(f.store.read().depths().await.unwrap(), expected);
    f.cancel(held_run).await;
    let expected = Depths { pending: 1, ..expected };
    assert_eq!(f.store.read().depths().await.unwrap(), expected);
    let below = f.item(held).await.depends_on;
    assert_eq!(below.iter().map(|d| (d.id, d.when)).collect::<Vec<_>>(), [(parent, When::Success)]);
}
