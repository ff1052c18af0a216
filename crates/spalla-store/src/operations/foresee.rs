//! What commands are sure to ask for, read off them before the first is applied.

use super::picks;
use crate::command::{Command, Request, Sender};
use crate::tx::{Foreseen, Sequence};
use spalla_domain::claim::CLAIM_RUNS_MAX;

/// Returns what a batch is sure to ask for.
pub(crate) fn foresee(requests: &[Request]) -> Foreseen {
    let mut foreseen = Foreseen::default();
    let (mut items, mut entries) = (0, 0);
    for Request { command, .. } in requests {
        name(command, &mut foreseen);
        match command {
            Command::CreateWorkItems { items: new, enqueue } => {
                items += new.len();
                entries += if *enqueue { new.len() } else { 0 };
            }
            Command::Enqueue { .. } => entries += 1,
            _ => {}
        }
    }
    foreseen.queues = requests.iter().any(|request| picks(&request.command));
    foreseen.places_items = items > 0;
    let ids = [(Sequence::WorkItem, items), (Sequence::Entry, entries)];
    foreseen.ids = ids.into_iter().filter(|(_, count)| *count > 0).collect();
    ascend(&mut foreseen.runs);
    ascend(&mut foreseen.ended);
    ascend(&mut foreseen.logged);
    ascend(&mut foreseen.items);
    ascend(&mut foreseen.enqueued);
    ascend(&mut foreseen.projects);
    if foreseen.runs.is_empty() && foreseen.items.is_empty() {
        foreseen.claim = requests.iter().find_map(|request| match &request.command {
            Command::Claim(claim) => Some((claim.worker_id.clone(), claim.max.min(CLAIM_RUNS_MAX))),
            _ => None,
        });
    }
    foreseen
}

fn ascend<T: Ord>(ids: &mut Vec<T>) {
    ids.sort_unstable();
    ids.dedup();
}

/// Adds the rows that a command names.
fn name(command: &Command, foreseen: &mut Foreseen) {
    match command {
        Command::Exchange(exchange) => {
            foreseen.runs.extend(exchange.completed.iter().map(|c| c.run_id));
            foreseen.ended.extend(exchange.completed.iter().map(|c| c.run_id));
            foreseen.runs.extend(exchange.heartbeats.iter().map(|h| h.run_id));
        }
        Command::Complete(end) => {
            foreseen.runs.push(end.run_id);
            foreseen.ended.push(end.run_id);
        }
        Command::Heartbeat { heartbeat, .. } | Command::HandBack(heartbeat) => {
            foreseen.runs.push(heartbeat.run_id);
        }
        Command::ClaimRun { run_id, .. } | Command::CancelRun { run_id } => foreseen.runs.push(*run_id),
        Command::ReportCommands { holder, .. }
        | Command::ReportRefusedHosts { holder, .. }
        | Command::TellEvents { holder, .. }
        | Command::SendMessage { sender: Sender::Run(holder), .. }
        | Command::AcknowledgeMessage { reader: Some(holder), .. } => {
            foreseen.runs.push(holder.run_id);
        }
        Command::StoreArtifact(new) => foreseen.runs.push(new.run_id),
        Command::BeginUpload { run_id, .. } => foreseen.runs.push(*run_id),
        Command::AppendLogs(batch) => {
            foreseen.runs.push(batch.run_id);
            foreseen.logged.push(batch.run_id);
        }
        Command::Enqueue { work_item_id, depends_on, .. } => {
            foreseen.items.push(*work_item_id);
            foreseen.items.extend(depends_on);
            foreseen.enqueued.push(*work_item_id);
        }
        Command::Start { work_item_id } | Command::RequestApproval { work_item_id, .. } => {
            foreseen.items.push(*work_item_id);
        }
        Command::CreateWorkItems { items: new, .. } => {
            foreseen.projects.extend(new.iter().map(|planned| planned.item.project_id));
            foreseen
                .items
                .extend(new.iter().flat_map(|planned| planned.item.depends_on.iter().map(|d| d.id)));
        }
        _ => {}
    }
}
