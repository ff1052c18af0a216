//! What the server's policy asks approvals for is asked for with the work item itself, so that no path gets around it.

use super::approvals::request;
use crate::desk::{Answer, Desk};
use crate::tx::Tx;
use spalla_domain::approval::Status;
use spalla_domain::approval_policy::{Requirement, Subject, required};
use spalla_domain::work_item::Spec;
use spalla_domain::{ProjectId, WorkItemId, recipe};

/// Asks for every approval that an item needs by the policy and that nobody waits for yet. What was approved of an item
/// that has changed since is asked for again.
pub(crate) async fn demand<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    project_id: ProjectId,
    spec: &Spec,
) -> Answer<()> {
    if desk.context.settings.approval_policy.rules.is_empty() {
        return Ok(());
    }
    let project = desk.project(project_id).await?;
    let commands = commands(spec);
    let subject = Subject {
        project_id,
        project_name: &project.name,
        title: &spec.title,
        labels: &spec.labels,
        commands: &commands,
        paths: &[],
    };
    let requirements = required(&desk.context.settings.approval_policy, &subject);
    let mut asked: Vec<_> = desk.approvals(id).await?;
    asked.extend(desk.staged.approvals_made.iter().filter(|made| made.work_item_id == id).cloned());
    asked.retain(|approval| approval.status == Status::Pending);
    for Requirement { kind, need, .. } in requirements {
        match asked.iter().position(|approval| approval.kind == kind) {
            Some(known) => drop(asked.swap_remove(known)),
            None => drop(request(desk, id, kind, &need).await?),
        }
    }
    Ok(())
}

fn commands(spec: &Spec) -> Vec<String> {
    let recipe = spec.recipe.as_deref().and_then(|text| recipe::parse(text).ok());
    recipe.map(|recipe| recipe.steps.into_iter().map(|step| step.run).collect()).unwrap_or_default()
}
