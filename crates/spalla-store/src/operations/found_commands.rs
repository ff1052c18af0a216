//! What the command policy found in a run's steps: everything is recorded, and what waits for a person is asked for.

use super::approvals;
use super::claim::held;
use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::tx::Tx;
use spalla_domain::approval::{Approval, Kind, Status};
use spalla_domain::audit::{Call, Outcome};
use spalla_domain::claim::Heartbeat;
use spalla_domain::event::Fact;
use spalla_domain::found_command::{self, COMMANDS_MAX, FoundCommand, Level};
use spalla_domain::problem::Code;
use spalla_domain::{Refusal, WorkItemId, WorkerId};

/// Records what was found, and asks for the approvals that are missing. Nothing of the run was carried out yet.
pub(crate) async fn report<T: Tx>(
    desk: &mut Desk<'_, T>,
    holder: Heartbeat,
    worker: &WorkerId,
    found: &[FoundCommand],
) -> Answer<Reply> {
    if found.len() > COMMANDS_MAX {
        let detail = format!("{} commands; at most {COMMANDS_MAX} are taken at once", found.len());
        return Err(Refusal::new(Code::Invalid, detail).into());
    }
    found.iter().try_for_each(FoundCommand::check)?;
    let item = held(desk, holder).await?;
    let mut answer = found_command::Answer::default();
    for command in found {
        let needs_yes = command.level == Level::Confirm && desk.context.settings.require_approval;
        let standing = match needs_yes {
            true => found_command::standing(command, &approvals_of(desk, item).await?),
            false => None,
        };
        // Whoever waits for the answer asks again and again, and found nothing anew.
        if !matches!(standing, Some((_, Status::Pending))) {
            record(desk, item, holder, worker, command);
        }
        match standing {
            _ if !needs_yes => {}
            Some((_, Status::Approved)) => {}
            Some((id, Status::Pending)) => answer.pending.push(id),
            Some((id, Status::Rejected)) => answer.rejected.push(id),
            None => answer.pending.push(approvals::ask_for(desk, item, command.subject()).await?),
        }
    }
    for list in [&mut answer.pending, &mut answer.rejected] {
        list.sort();
        list.dedup();
    }
    Ok(Reply::CommandsFound(answer))
}

fn record<T: Tx>(
    desk: &mut Desk<'_, T>,
    item: WorkItemId,
    holder: Heartbeat,
    worker: &WorkerId,
    found: &FoundCommand,
) {
    let (rule, command) = (found.rule.clone(), found.command.clone());
    let fact = Fact::CommandFound { step: found.step, level: found.level, rule, command };
    desk.facts(item, Some(holder.run_id), vec![fact]);
    let call = Call {
        principal: format!("worker {worker}"),
        client: format!("run {}", holder.run_id),
        operation: format!("command {}", found.level.as_str()),
        resource: found.command.clone(),
        request_id: format!("run {} step {}", holder.run_id, found.step),
    };
    let entry = match found.level {
        Level::Blocked => call.ended(Outcome::Refused, Some("command_blocked".to_owned())),
        Level::Confirm | Level::Watched => call.ended(Outcome::Done, None),
    };
    desk.noted.push(entry);
}

/// Returns the approvals of an item as they are at this point of the batch.
async fn approvals_of<T: Tx>(desk: &mut Desk<'_, T>, item: WorkItemId) -> Answer<Vec<Approval>> {
    let mut approvals = desk.approvals(item).await?;
    let made = desk.staged.approvals_made.iter().filter(|made| made.work_item_id == item);
    approvals.extend(made.cloned());
    approvals.retain(|approval| approval.kind == Kind::Command);
    for decided in &desk.staged.approvals_decided {
        approvals
            .iter_mut()
            .filter(|known| known.id == decided.id)
            .for_each(|known| known.status = decided.status);
    }
    Ok(approvals)
}
