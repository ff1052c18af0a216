//! Work items: made and changed member by member.

use crate::fixture::Fixture;
use crate::fixture::snapshot::everything;
use crate::fixture::verbs::{item, update};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::work_item::{Executor, Policy, SpecPatch, Status};

crate::fixture::claims!(
    each_member_of_an_item_changes_by_itself,
    a_change_names_the_members_that_changed,
    a_change_that_changes_nothing_leaves_no_trace,
    what_does_not_fit_is_refused,
    a_running_item_hears_of_changes_with_its_next_run,
    a_finished_item_can_be_changed,
);

async fn each_member_of_an_item_changes_by_itself(f: Fixture) {
    let [id] = f.open_items().await;
    let none = SpecPatch::default;
    let patches = [
        SpecPatch { title: Some("paint".into()), ..none() },
        SpecPatch { description: Some(Some("red".into())), ..none() },
        SpecPatch { prompt: Some(Some("two coats".into())), ..none() },
        SpecPatch { agent: Some(Some("painter".into())), ..none() },
        SpecPatch { executor: Some(Executor::Agent), ..none() },
        SpecPatch { category: Some(Some("finish".into())), ..none() },
        SpecPatch { priority: Some(0), ..none() },
        SpecPatch { critical: Some(false), ..none() },
        SpecPatch { timeout_ms: Some(Some(1)), ..none() },
        SpecPatch { recipe: Some(Some("steps: []".into())), ..none() },
        SpecPatch { labels: Some(vec!["b".into(), "a".into()]), ..none() },
        SpecPatch { description: Some(None), ..none() },
        SpecPatch { prompt: Some(None), ..none() },
        SpecPatch { executor: Some(Executor::External), agent: Some(None), ..none() },
        SpecPatch { category: Some(None), ..none() },
        SpecPatch { timeout_ms: Some(None), ..none() },
        SpecPatch { recipe: Some(None), ..none() },
        SpecPatch { labels: Some(vec![]), ..none() },
    ];
    for patch in patches {
        f.clock.advance_ms(1);
        let expected = patch.clone().apply(&f.item(id).await.item.spec).checked().unwrap();
        f.update(id, patch).await;
        let kept = f.item(id).await.item;
        assert_eq!(kept.spec, expected);
        assert_eq!((kept.created_at, kept.updated_at), (crate::fixture::START, f.now()));
    }
}

async fn a_change_names_the_members_that_changed(f: Fixture) {
    let [id] = f.open_items().await;
    let patch = SpecPatch {
        title: Some("raise the arch".into()),
        priority: Some(3),
        timeout_ms: Some(Some(9_000)),
        ..SpecPatch::default()
    };
    f.granted(update(id, patch, Policy { max_retries: Some(1), ..Policy::default() })).await;
    let changed = ["priority", "timeout_seconds", "policy"].map(str::to_owned).to_vec();
    assert_eq!(f.facts(id).await.last(), Some(&Fact::WorkItemUpdated { changed }));
}

async fn a_change_that_changes_nothing_leaves_no_trace(f: Fixture) {
    let [id] = f.queued().await;
    let before = everything(&f.store).await;
    f.clock.advance_ms(1);
    f.update(id, SpecPatch::default()).await;
    f.update(id, SpecPatch { priority: Some(5), labels: Some(vec![]), ..SpecPatch::default() }).await;
    before.assert_same(&everything(&f.store).await, "nothing was changed");
}

async fn what_does_not_fit_is_refused(f: Fixture) {
    let [id] = f.queued().await;
    for patch in [
        SpecPatch { title: Some("  ".into()), ..SpecPatch::default() },
        SpecPatch { priority: Some(10), ..SpecPatch::default() },
        SpecPatch { timeout_ms: Some(Some(0)), ..SpecPatch::default() },
        SpecPatch { executor: Some(Executor::Agent), ..SpecPatch::default() },
        SpecPatch { labels: Some(vec!["".into()]), ..SpecPatch::default() },
    ] {
        let name = format!("{patch:?}");
        assert_eq!(f.refused(update(id, patch, Policy::default())).await, Code::Invalid, "{name}");
    }
}

async fn a_running_item_hears_of_changes_with_its_next_run(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    f.update(
        id,
        SpecPatch { title: Some("lower the arch".into()), priority: Some(9), ..SpecPatch::default() },
    )
    .await;
    assert_eq!(f.status(id).await, Status::Running);
    f.heartbeat(&run, "w").await;
    f.complete(&run, false).await;
    let entry = &f.queue().await[0];
    assert_eq!((entry.priority, entry.set_priority), (8, 9), "an attempt failed since");
    f.pass_ms(86_400_000).await;
    assert_eq!(f.claim_one("w").await.title, "lower the arch");
}

async fn a_finished_item_can_be_changed(f: Fixture) {
    let project = f.project().await;
    let id = f.make_one(item(project)).await;
    f.succeed(id).await;
    f.update(id, SpecPatch { labels: Some(vec!["old".into()]), priority: Some(1), ..SpecPatch::default() })
        .await;
    assert_eq!(f.standing(id).await, (Status::Succeeded, None));
    f.requeue(id).await;
    assert_eq!(f.queue().await[0].priority, 1);
    assert_eq!(f.claim_one("w").await.labels, ["old"]);
}
