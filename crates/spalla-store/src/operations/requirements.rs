//! Requirements: a project's vision, the drafts that are derived from it, and the work items that an approved one
//! becomes, in one transaction.

use super::work_items;
use crate::command::{PlannedItem, Reply};
use crate::desk::{Answer, Desk};
use crate::document::KeptVision;
use crate::tx::{Sequence, Tx};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::requirements::{self, Command, Item, RequirementsDraft, Status, Vision};
use spalla_domain::work_item::{NewWorkItem, When, check_not_archived};
use spalla_domain::{DraftId, ProjectId, Refusal, WorkItemId};

/// Gives a project a new version of its vision.
pub(crate) async fn set_vision<T: Tx>(
    desk: &mut Desk<'_, T>,
    project_id: ProjectId,
    text: &str,
) -> Answer<Reply> {
    check_not_archived(&desk.project(project_id).await?, None)?;
    let newest = newest_vision(desk, project_id).await?.map(|kept| kept.vision.version);
    let vision = Vision::next(project_id, newest, text.to_owned(), desk.context.now)?;
    let version = vision.version;
    let id = desk.next_id(Sequence::Vision).await?;
    desk.keep(&KeptVision { id, vision })?;
    desk.fact(project_id, None, None, Fact::VisionChanged { version });
    Ok(Reply::Vision { version })
}

async fn newest_vision<T: Tx>(desk: &mut Desk<'_, T>, project_id: ProjectId) -> Answer<Option<KeptVision>> {
    let visions: Vec<KeptVision> = desk.documents_of(project_id.0).await?;
    Ok(visions.into_iter().max_by_key(|kept| kept.vision.version))
}

/// Derives a draft from the newest vision, without asking a model.
pub(crate) async fn propose<T: Tx>(desk: &mut Desk<'_, T>, project_id: ProjectId) -> Answer<Reply> {
    check_not_archived(&desk.project(project_id).await?, None)?;
    let Some(KeptVision { vision, .. }) = newest_vision(desk, project_id).await? else {
        let detail = format!("project {project_id} has no vision to derive requirements from");
        return Err(Refusal::new(Code::NoVision, detail).mend("give it one first").into());
    };
    let id = DraftId(desk.next_id(Sequence::Draft).await?);
    let now = desk.context.now;
    desk.keep(&RequirementsDraft {
        id,
        project_id,
        vision_version: vision.version,
        status: Status::Proposed,
        items: requirements::propose(&vision.text),
        created_at: now,
        updated_at: now,
        decided_at: None,
    })?;
    let vision_version = vision.version;
    desk.fact(project_id, None, None, Fact::DraftProposed { draft_id: id, vision_version });
    Ok(Reply::Draft { id, work_items: vec![] })
}

/// Replaces the items of a draft by what a person made of them.
pub(crate) async fn edit<T: Tx>(desk: &mut Desk<'_, T>, id: DraftId, items: &[Item]) -> Answer<Reply> {
    let mut draft = find(desk, id).await?;
    draft.status = requirements::transition(&draft, Command::Edit)?;
    draft.items = checked(items.to_vec())?;
    draft.updated_at = desk.context.now;
    desk.keep(&draft)?;
    desk.fact(draft.project_id, None, None, Fact::DraftEdited { draft_id: id });
    Ok(Reply::Draft { id, work_items: vec![] })
}

/// Takes a person's yes or no; a yes may make the work items at once.
pub(crate) async fn decide<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: DraftId,
    command: Command,
    create_work_items: bool,
) -> Answer<Reply> {
    let mut draft = find(desk, id).await?;
    draft.status = requirements::transition(&draft, command)?;
    check_not_archived(&desk.project(draft.project_id).await?, None)?;
    let work_items = if create_work_items && draft.status == Status::Approved {
        create(desk, &draft).await?
    } else {
        vec![]
    };
    (draft.updated_at, draft.decided_at) = (desk.context.now, Some(desk.context.now));
    desk.keep(&draft)?;
    let (status, made) = (draft.status, work_items.clone());
    desk.fact(draft.project_id, None, None, Fact::DraftDecided { draft_id: id, status, work_items: made });
    Ok(Reply::Draft { id, work_items })
}

async fn find<T: Tx>(desk: &mut Desk<'_, T>, id: DraftId) -> Answer<RequirementsDraft> {
    let draft = desk.document(id.0).await?;
    Ok(draft.ok_or_else(|| Refusal::not_found("requirements draft", id))?)
}

fn checked(items: Vec<Item>) -> Answer<Vec<Item>> {
    Ok(requirements::check(items).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Refusal::new(Code::Invalid, words.join("; "))
    })?)
}

/// Makes the work items; returns their ids in the order of the draft.
async fn create<T: Tx>(desk: &mut Desk<'_, T>, draft: &RequirementsDraft) -> Answer<Vec<WorkItemId>> {
    let items = checked(draft.items.clone())?;
    let order = in_order(&items);
    let place = |index: &usize| order.iter().position(|known| known == index).unwrap_or_default();
    let planned: Vec<PlannedItem> = order
        .iter()
        .map(|index| PlannedItem {
            item: NewWorkItem {
                project_id: draft.project_id,
                spec: items[*index].spec(),
                depends_on: vec![],
            },
            after: items[*index].depends_on.iter().map(|index| (place(index), When::Success)).collect(),
        })
        .collect();
    let Reply::WorkItems(ids) = work_items::create(desk, &planned, false).await? else { return Ok(vec![]) };
    Ok((0..items.len()).map(|index| ids[place(&index)]).collect())
}

/// Returns the places of items in an order in which each comes after what it waits for. There is no circle among them.
fn in_order(items: &[Item]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(items.len());
    while order.len() < items.len() {
        let is_next = |index: &usize| {
            !order.contains(index) && items[*index].depends_on.iter().all(|parent| order.contains(parent))
        };
        match (0..items.len()).find(is_next) {
            Some(index) => order.push(index),
            None => break,
        }
    }
    order
}
