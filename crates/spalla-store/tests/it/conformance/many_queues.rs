//! Many kinds of items, more than are looked at together: each with labels of its own, or in a project of its own.

use crate::fixture::Fixture;
use crate::fixture::verbs::{end, item, request};
use spalla_domain::claim::ClaimRequest;
use spalla_domain::project::NewProject;
use spalla_domain::quota::Quota;
use spalla_domain::resources::{Amounts, Capacity};
use spalla_domain::work_item::{NewWorkItem, Spec, SpecPatch, Status};
use spalla_domain::{ProjectId, WorkItemId};
use spalla_store::command::{Command, Reply};

crate::fixture::claims!(
    the_best_of_many_kinds_is_claimed_first,
    several_at_once_are_the_best_of_all,
    a_label_finds_its_item_among_many,
    a_kind_that_nothing_waits_in_is_used_again,
    a_run_that_nobody_holds_is_found_among_many,
    what_others_hold_of_a_worker_counts_although_nothing_of_its_kind_waits,
    a_quota_holds_among_many,
    many_projects_take_turns,
    what_was_given_back_is_found_again,
);

const MANY: usize = 100;

fn labelled(project: ProjectId, number: usize) -> NewWorkItem {
    let labels = vec![format!("l{number}")];
    NewWorkItem { spec: Spec { labels, ..Spec::new(format!("kind {number}")) }, ..item(project) }
}

/// Queues so many items, each of a kind of its own, and returns them in the order in which they were made.
async fn many(f: &Fixture, project: ProjectId) -> Vec<WorkItemId> {
    let ids = f.make((0..MANY).map(|number| labelled(project, number))).await;
    for id in &ids {
        f.enqueue(*id).await;
    }
    ids
}

async fn items(f: &Fixture, request: ClaimRequest) -> Vec<WorkItemId> {
    f.claim_as(request).await.into_iter().map(|run| run.work_item_id).collect()
}

async fn raise(f: &Fixture, id: WorkItemId, priority: u8) {
    f.update(id, SpecPatch { priority: Some(priority), ..SpecPatch::default() }).await;
}

async fn the_best_of_many_kinds_is_claimed_first(f: Fixture) {
    let project = f.project().await;
    let ids = many(&f, project).await;
    raise(&f, ids[70], 9).await;
    raise(&f, ids[30], 8).await;
    for expected in [ids[70], ids[30], ids[0], ids[1]] {
        assert_eq!(items(&f, request("w", 1)).await, [expected]);
    }
}

async fn several_at_once_are_the_best_of_all(f: Fixture) {
    let project = f.project().await;
    let ids = many(&f, project).await;
    for place in [99, 50, 98] {
        raise(&f, ids[place], 9).await;
    }
    assert_eq!(items(&f, request("w", 5)).await, [ids[50], ids[98], ids[99], ids[0], ids[1]]);
    assert_eq!(items(&f, request("w", 500)).await.len(), MANY - 5);
    assert_eq!(items(&f, request("w", 500)).await, []);
}

async fn a_label_finds_its_item_among_many(f: Fixture) {
    let project = f.project().await;
    let ids = many(&f, project).await;
    let of = |label: &str| ClaimRequest { labels: vec![label.to_owned()], ..request("w", 9) };
    assert_eq!(items(&f, of("l77")).await, [ids[77]]);
    assert_eq!(items(&f, of("l77")).await, []);
    assert_eq!(items(&f, of("none")).await, []);
}

async fn a_kind_that_nothing_waits_in_is_used_again(f: Fixture) {
    let project = f.project().await;
    many(&f, project).await;
    assert_eq!(items(&f, request("w", 500)).await.len(), MANY);
    let again = f.make([labelled(project, 3), labelled(project, 3), labelled(project, MANY)]).await;
    for id in &again {
        f.enqueue(*id).await;
    }
    let labels = vec!["l3".to_owned()];
    f.update(again[2], SpecPatch { labels: Some(labels.clone()), ..SpecPatch::default() }).await;
    assert_eq!(items(&f, ClaimRequest { labels, ..request("w", 9) }).await, again);
}

async fn a_run_that_nobody_holds_is_found_among_many(f: Fixture) {
    let project = f.project().await;
    let ids = many(&f, project).await;
    f.start(ids[60]).await;
    assert_eq!(items(&f, request("w", 2)).await, [ids[60], ids[0]]);
}

async fn what_others_hold_of_a_worker_counts_although_nothing_of_its_kind_waits(f: Fixture) {
    let project = f.project().await;
    let needs = |mb: u64, label: &str| {
        let resources = Some(Amounts { memory_mb: mb, ..Amounts::default() });
        NewWorkItem {
            spec: Spec { resources, labels: vec![label.into()], ..Spec::new("large") },
            ..item(project)
        }
    };
    let [large, small] = f.make([needs(6, "a"), needs(4, "b")]).await[..] else { panic!("two items") };
    f.enqueue(large).await;
    let capacity = Capacity { memory_mb: Some(8), ..Capacity::default() };
    let with = |max| ClaimRequest { resources: Some(Box::new(capacity.clone())), ..request("w", max) };
    let held = f.claim_as(with(1)).await.remove(0);
    let rest = many(&f, project).await;
    f.enqueue(small).await;
    raise(&f, small, 9).await;
    assert_eq!(items(&f, with(2)).await, [rest[0], rest[1]], "the large one holds what the small one needs");
    f.complete(&held, true).await;
    assert_eq!(items(&f, with(1)).await, [small]);
}

async fn a_quota_holds_among_many(f: Fixture) {
    let project = f.project().await;
    let other = another_project(&f, "capped").await;
    let rest = many(&f, project).await;
    let held = f.make_one(item(other)).await;
    f.enqueue(held).await;
    raise(&f, held, 9).await;
    let quota = Quota { daily_runs: Some(0), ..Quota::default() };
    f.granted(Command::SetQuota { project_id: other, quota }).await;
    assert_eq!(items(&f, request("w", 1)).await, [rest[0]]);
    f.granted(Command::SetQuota { project_id: other, quota: Quota::default() }).await;
    assert_eq!(items(&f, request("w", 1)).await, [held]);
}

async fn many_projects_take_turns(f: Fixture) {
    let mut firsts = vec![];
    for number in 0..MANY {
        let project = another_project(&f, &format!("project {number}")).await;
        let ids = f.make([item(project), item(project)]).await;
        for id in &ids {
            f.enqueue(*id).await;
        }
        firsts.push(ids[0]);
    }
    let mut taken = items(&f, request("w", MANY as u32)).await;
    taken.sort_unstable();
    assert_eq!(taken, firsts);
}

async fn what_was_given_back_is_found_again(f: Fixture) {
    let project = f.project().await;
    let ids = many(&f, project).await;
    let run = f.claim_one("w").await;
    f.hand_back(&run).await;
    assert_eq!(f.claim_one("w").await.work_item_id, ids[0]);
    let failed = end(f.claim_one("w").await.run_id, None, false);
    assert!(f.execute(Command::Complete(failed)).await.is_err(), "somebody holds it");
    assert_eq!(f.status(ids[1]).await, Status::Running);
}

async fn another_project(f: &Fixture, name: &str) -> ProjectId {
    let new = NewProject { name: name.into(), description: None, repository: None, limits: None };
    match f.granted(Command::CreateProject(new)).await {
        Reply::Project(id) => id,
        other => panic!("{other:?}"),
    }
}
