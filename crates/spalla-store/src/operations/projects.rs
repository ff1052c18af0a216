//! Projects: make, change, put away.

use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::tx::{Sequence, Tx};
use spalla_domain::event::Fact;
use spalla_domain::limits::Limits;
use spalla_domain::problem::Code;
use spalla_domain::project::{NewProject, Project, ProjectPatch};
use spalla_domain::work_item::check_not_archived;
use spalla_domain::{ProjectId, Refusal};

/// Makes a project.
pub(crate) async fn create<T: Tx>(desk: &mut Desk<'_, T>, new: &NewProject) -> Answer<Reply> {
    check(desk, new.limits.as_ref())?;
    let id = ProjectId(desk.next_id(Sequence::Project).await?);
    let project = Project {
        id,
        name: new.name.clone(),
        description: new.description.clone(),
        repository: new.repository.clone(),
        limits: new.limits.clone().filter(|limits| !limits.is_empty()),
        created_at: desk.context.now,
        archived_at: None,
    };
    desk.fact(id, None, None, Fact::ProjectCreated { name: new.name.clone() });
    desk.keep_project(project.clone());
    desk.staged.projects_made.push(project);
    Ok(Reply::Project(id))
}

/// Changes a project.
pub(crate) async fn update<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: ProjectId,
    patch: &ProjectPatch,
) -> Answer<Reply> {
    let mut project = desk.project(id).await?;
    check_not_archived(&project, None)?;
    patch.clone().apply(&mut project);
    check(desk, patch.limits.as_ref().and_then(Option::as_ref))?;
    desk.fact(id, None, None, Fact::ProjectUpdated {});
    write(desk, project);
    Ok(Reply::Project(id))
}

/// Refuses limits that make no sense, and more than the operator allows.
fn check<T: Tx>(desk: &Desk<'_, T>, limits: Option<&Limits>) -> Result<(), Refusal> {
    limits.map_or(Ok(()), Limits::check)?;
    limits.map_or(Ok(()), |limits| desk.context.settings.allowed.check(None, limits))
}

/// Tells something about a project that changes nothing in it.
pub(crate) async fn tell<T: Tx>(desk: &mut Desk<'_, T>, id: ProjectId, fact: Fact) -> Answer<Reply> {
    let project = desk.project(id).await?;
    check_not_archived(&project, None)?;
    desk.fact(id, None, None, fact);
    Ok(Reply::Done)
}

/// Puts a project away. Doing it twice is once.
pub(crate) async fn archive<T: Tx>(desk: &mut Desk<'_, T>, id: ProjectId) -> Answer<Reply> {
    let mut project = desk.project(id).await?;
    if project.archived_at.is_some() {
        return Ok(Reply::Project(id));
    }
    desk.write_rows().await?;
    if desk.tx.project_is_active(id).await? {
        let detail = format!("runs of project {id} are not over");
        return Err(Refusal::new(Code::ProjectActive, detail)
            .mend("wait until they end, or cancel them")
            .into());
    }
    project.archived_at = Some(desk.context.now);
    desk.fact(id, None, None, Fact::ProjectArchived {});
    write(desk, project);
    desk.write_rows().await?;
    desk.forget_queues();
    Ok(Reply::Project(id))
}

fn write<T: Tx>(desk: &mut Desk<'_, T>, project: Project) {
    desk.keep_project(project.clone());
    desk.staged.projects_changed.push(project);
}
