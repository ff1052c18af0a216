//! Archive: what is put away is kept, is out of the lists, and takes no further work.

use crate::fixture::Fixture;
use crate::fixture::snapshot::{ALL, everything};
use crate::fixture::verbs::{enqueue, enqueue_after, item, item_after, requeue, update};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::project::ProjectPatch;
use spalla_domain::work_item::{Policy, SpecPatch, Status, When};
use spalla_store::Command;

crate::fixture::claims!(
    an_archived_item_takes_no_further_work,
    a_queued_item_is_cancelled_when_it_is_archived,
    a_running_item_is_not_archived,
    a_finished_item_keeps_its_end_for_what_waits_for_it,
    archiving_an_item_twice_is_once,
    nothing_new_can_wait_for_an_archived_item,
    a_project_with_live_runs_is_not_archived,
    an_archived_project_takes_no_further_work,
    nothing_of_an_archived_project_is_started,
    archiving_a_project_twice_is_once,
);

async fn an_archived_item_takes_no_further_work(f: Fixture) {
    let [id, other] = f.open_items().await;
    f.granted(Command::ArchiveWorkItem { id }).await;
    let view = f.item(id).await;
    assert_eq!((view.status, view.item.archived_at), (Status::Archived, Some(f.now())));
    for command in [
        enqueue(id),
        enqueue_after(id, other),
        requeue(id),
        Command::Start { work_item_id: id },
        Command::RequestApproval { work_item_id: id, kind: Default::default(), need: Default::default() },
        update(id, SpecPatch { title: Some("again".into()), ..SpecPatch::default() }, Policy::default()),
    ] {
        let name = format!("{command:?}");
        assert_eq!(f.refused(command).await, Code::WorkItemArchived, "{name}");
    }
}

async fn a_queued_item_is_cancelled_when_it_is_archived(f: Fixture) {
    let [ready, delayed, held, parent] = f.open_items().await;
    f.enqueue(ready).await;
    f.enqueue_later(delayed, 5_000).await;
    f.enqueue_after(held, parent).await;
    for id in [ready, delayed, held] {
        f.granted(Command::ArchiveWorkItem { id }).await;
        let facts = f.facts(id).await;
        let end = [Fact::WorkItemFinished { status: Status::Cancelled }, Fact::WorkItemArchived {}];
        assert_eq!(facts[facts.len() - 2..], end);
        assert_eq!(f.standing(id).await, (Status::Archived, None));
    }
    f.pass_ms(5_000).await;
    f.succeed(parent).await;
    assert_eq!((f.queue().await, f.claim("w", 5).await), (vec![], vec![]));
}

async fn a_running_item_is_not_archived(f: Fixture) {
    let [claimed, pending] = f.queued().await;
    f.claim_one("w").await;
    f.start(pending).await;
    for id in [claimed, pending] {
        assert_eq!(f.refused(Command::ArchiveWorkItem { id }).await, Code::RunActive);
    }
}

async fn a_finished_item_keeps_its_end_for_what_waits_for_it(f: Fixture) {
    let project = f.project().await;
    let parents = f.make([item(project), item(project)]).await;
    let below = |n: usize, when| item_after(project, &[(parents[n], when)]);
    let children = f.make([below(0, When::Success), below(1, When::Failure), below(1, When::Success)]).await;
    f.succeed(parents[0]).await;
    f.fail_for_good(parents[1]).await;
    for id in parents {
        f.granted(Command::ArchiveWorkItem { id }).await;
    }
    for child in &children {
        f.enqueue(*child).await;
    }
    assert_eq!(f.standing(children[0]).await, (Status::Queued, None));
    assert_eq!(f.standing(children[1]).await, (Status::Queued, None));
    assert_eq!(f.standing(children[2]).await, (Status::Blocked, Some(Code::DependencyFailed)));
}

async fn archiving_an_item_twice_is_once(f: Fixture) {
    let [id] = f.queued().await;
    f.granted(Command::ArchiveWorkItem { id }).await;
    let before = everything(&f.store).await;
    f.clock.advance_ms(1);
    f.granted(Command::ArchiveWorkItem { id }).await;
    before.assert_same(&everything(&f.store).await, "archived again");
}

async fn nothing_new_can_wait_for_an_archived_item(f: Fixture) {
    let [id] = f.open_items().await;
    f.granted(Command::ArchiveWorkItem { id }).await;
    let project_id = f.item(id).await.item.project_id;
    let new = item_after(project_id, &[(id, When::Success)]);
    let make = Command::CreateWorkItems { items: vec![new.into()], enqueue: false };
    assert_eq!(f.refused(make).await, Code::WorkItemArchived);
    let other = f.make_one(item(project_id)).await;
    assert_eq!(f.refused(enqueue_after(other, id)).await, Code::WorkItemArchived);
}

async fn a_project_with_live_runs_is_not_archived(f: Fixture) {
    let [claimed, pending] = f.queued().await;
    let id = f.item(claimed).await.item.project_id;
    let run = f.claim_one("w").await;
    let waiting = f.start(pending).await;
    assert_eq!(f.refused(Command::ArchiveProject { id }).await, Code::ProjectActive);
    f.complete(&run, true).await;
    assert_eq!(f.refused(Command::ArchiveProject { id }).await, Code::ProjectActive);
    f.cancel(waiting).await;
    let other = f.project().await;
    f.start(f.make_one(item(other)).await).await;
    f.granted(Command::ArchiveProject { id }).await;
    assert_eq!(f.store.read().project(id).await.unwrap().unwrap().archived_at, Some(f.now()));
    let listed = f.store.read().projects(ALL).await.unwrap();
    assert_eq!(listed.iter().map(|project| project.id).collect::<Vec<_>>(), [other]);
}

async fn an_archived_project_takes_no_further_work(f: Fixture) {
    let [open, done] = f.open_items().await;
    f.succeed(done).await;
    let id = f.item(open).await.item.project_id;
    f.granted(Command::ArchiveProject { id }).await;
    for command in [
        enqueue(open),
        requeue(done),
        Command::Start { work_item_id: open },
        Command::CreateWorkItems { items: vec![item(id).into()], enqueue: false },
        Command::RequestApproval { work_item_id: open, kind: Default::default(), need: Default::default() },
        Command::UpdateProject {
            id,
            patch: ProjectPatch { name: Some("again".into()), ..ProjectPatch::default() },
        },
        update(open, SpecPatch { priority: Some(9), ..SpecPatch::default() }, Policy::default()),
    ] {
        let name = format!("{command:?}");
        assert_eq!(f.refused(command).await, Code::ProjectArchived, "{name}");
    }
}

async fn nothing_of_an_archived_project_is_started(f: Fixture) {
    let [ready, delayed, child, parent] = f.open_items().await;
    f.enqueue(ready).await;
    f.enqueue_later(delayed, 5_000).await;
    f.enqueue_after(child, parent).await;
    let id = f.item(ready).await.item.project_id;
    f.granted(Command::ArchiveProject { id }).await;
    f.pass_ms(5_000).await;
    assert_eq!(f.tick().await, []);
    assert_eq!(f.claim("w", 5).await, []);
    let elsewhere = f.make_one(item(f.project().await)).await;
    f.enqueue(elsewhere).await;
    assert_eq!(f.claimed_items("w", 5).await, [elsewhere]);
}

async fn archiving_a_project_twice_is_once(f: Fixture) {
    let id = f.project().await;
    f.granted(Command::ArchiveProject { id }).await;
    let before = everything(&f.store).await;
    f.clock.advance_ms(1);
    f.granted(Command::ArchiveProject { id }).await;
    before.assert_same(&everything(&f.store).await, "archived again");
}
