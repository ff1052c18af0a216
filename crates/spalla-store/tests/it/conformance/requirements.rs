//! Requirements: visions keep their versions, a draft is decided once, and an approved one becomes work items at once.

use crate::fixture::Fixture;
use crate::fixture::snapshot::ALL;
use spalla_domain::problem::Code;
use spalla_domain::requirements::{Item, RequirementsDraft, Status};
use spalla_domain::{DraftId, ProjectId, WorkItemId};
use spalla_store::Command;
use spalla_store::command::Reply;
use spalla_store::document::{KeptVision, Kind};
use spalla_store::view::DocumentFilter;

crate::fixture::claims!(
    a_vision_keeps_its_versions_and_the_newest_counts,
    nothing_is_derived_from_no_vision,
    an_approved_draft_becomes_work_items_that_wait_for_each_other,
    an_approved_draft_makes_nothing_unless_asked_to,
    a_draft_is_decided_once_and_edited_no_more,
    a_draft_that_breaks_a_rule_is_not_kept,
);

const VISION: &str = "# Shop\n1. Build the API\n2. Test the API\n3. Deploy the API\n";

async fn set_vision(f: &Fixture, project_id: ProjectId, text: &str) -> u32 {
    match f.granted(Command::SetVision { project_id, text: text.to_owned() }).await {
        Reply::Vision { version } => version,
        other => panic!("{other:?}"),
    }
}

async fn propose(f: &Fixture, project_id: ProjectId) -> DraftId {
    match f.granted(Command::ProposeRequirements { project_id }).await {
        Reply::Draft { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

async fn draft(f: &Fixture, id: DraftId) -> RequirementsDraft {
    f.store.read().document(Kind::Draft, id.0).await.unwrap().unwrap().read().unwrap()
}

fn decide(id: DraftId, approved: bool, create_work_items: bool) -> Command {
    Command::DecideDraft { id, approved, create_work_items }
}

async fn a_vision_keeps_its_versions_and_the_newest_counts(f: Fixture) {
    let [one, other] = [f.project().await, f.project().await];
    assert_eq!([set_vision(&f, one, "a").await, set_vision(&f, other, "b").await], [1, 1]);
    assert_eq!(set_vision(&f, one, "c").await, 2);
    let filter = DocumentFilter { kind: Kind::Vision, owner: Some(one.0), status: None };
    let kept = f.store.read().documents(filter, ALL).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|document| document.read::<KeptVision>().unwrap().vision).collect();
    assert_eq!(kept.iter().map(|v| (v.version, v.text.as_str())).collect::<Vec<_>>(), [(2, "c"), (1, "a")]);
    let empty = Command::SetVision { project_id: one, text: " \n".into() };
    assert_eq!(f.refused(empty).await, Code::Invalid);
}

async fn nothing_is_derived_from_no_vision(f: Fixture) {
    let project_id = f.project().await;
    assert_eq!(f.refused(Command::ProposeRequirements { project_id }).await, Code::NoVision);
    let nobody = ProjectId(77);
    assert_eq!(f.refused(Command::ProposeRequirements { project_id: nobody }).await, Code::NotFound);
}

async fn an_approved_draft_becomes_work_items_that_wait_for_each_other(f: Fixture) {
    let project = f.project().await;
    set_vision(&f, project, VISION).await;
    let id = propose(&f, project).await;
    let mut items = draft(&f, id).await.items;
    assert!(items.len() >= 3, "{items:?}");
    // A person may put what waits before what it waits for.
    items = vec![Item { depends_on: vec![1], ..Item::new("second") }, Item::new("first")];
    f.granted(Command::EditDraft { id, items }).await;

    let Reply::Draft { work_items, .. } = f.granted(decide(id, true, true)).await else { panic!("no draft") };

    let [second, first]: [WorkItemId; 2] = work_items.try_into().unwrap();
    let (second, first) = (f.item(second).await, f.item(first).await);
    assert_eq!((second.item.spec.title.as_str(), first.item.spec.title.as_str()), ("second", "first"));
    assert_eq!(second.depends_on.iter().map(|d| d.id).collect::<Vec<_>>(), [first.item.id]);
    assert_eq!(draft(&f, id).await.status, Status::Approved);
}

async fn an_approved_draft_makes_nothing_unless_asked_to(f: Fixture) {
    let project = f.project().await;
    set_vision(&f, project, VISION).await;
    let id = propose(&f, project).await;
    let reply = f.granted(decide(id, true, false)).await;
    assert_eq!(reply, Reply::Draft { id, work_items: vec![] });
    let rejected = propose(&f, project).await;
    let reply = f.granted(decide(rejected, false, true)).await;
    assert_eq!(reply, Reply::Draft { id: rejected, work_items: vec![] });
    assert_eq!(draft(&f, rejected).await.status, Status::Rejected);
}

async fn a_draft_is_decided_once_and_edited_no_more(f: Fixture) {
    let project = f.project().await;
    set_vision(&f, project, VISION).await;
    let id = propose(&f, project).await;
    f.granted(decide(id, false, false)).await;
    assert_eq!(f.refused(decide(id, true, true)).await, Code::AlreadyDecided);
    let edit = Command::EditDraft { id, items: vec![Item::new("x")] };
    assert_eq!(f.refused(edit).await, Code::AlreadyDecided);
    assert_eq!(f.refused(decide(DraftId(99), true, true)).await, Code::NotFound);
}

async fn a_draft_that_breaks_a_rule_is_not_kept(f: Fixture) {
    let project = f.project().await;
    set_vision(&f, project, VISION).await;
    let id = propose(&f, project).await;
    let circle =
        vec![Item { depends_on: vec![1], ..Item::new("a") }, Item { depends_on: vec![0], ..Item::new("b") }];
    for items in [circle, vec![], vec![Item::new("")]] {
        assert_eq!(f.refused(Command::EditDraft { id, items }).await, Code::Invalid);
    }
}
