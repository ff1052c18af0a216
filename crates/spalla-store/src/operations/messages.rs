//! Messages: each waits in the mailbox of whom it is for until it is acknowledged, and goes when its time is over.

use super::claim::held;
use super::{run_documents, work_items};
use crate::command::{Reply, Sender};
use crate::desk::{Answer, Desk};
use crate::document::{Document, Kind};
use crate::error::ExecuteError;
use crate::tx::{Result, Sequence, Tx};
use spalla_domain::claim::Heartbeat;
use spalla_domain::event::Fact;
use spalla_domain::message::{Address, Mailboxes, Message, NewMessage, RUN_MESSAGES_MAX};
use spalla_domain::problem::Code;
use spalla_domain::run_event::RunEvents;
use spalla_domain::work_item::check_not_archived;
use spalla_domain::{MessageId, ProjectId, Refusal, WorkItemId};

/// Sends a message.
pub(crate) async fn send<T: Tx>(desk: &mut Desk<'_, T>, sender: &Sender, new: &NewMessage) -> Answer<Reply> {
    let answered: Option<Message> = match new.in_reply_to {
        Some(id) => desk.document(id.0).await?,
        None => None,
    };
    let (project_id, from, run) = match sender {
        Sender::Run(holder) => {
            let (project_id, item, known) = speaker(desk, *holder).await?;
            (project_id, address(&known), Some((item, known)))
        }
        Sender::Named { project_id, address } => {
            let of_answered = || answered.as_ref().map(|message| message.project_id);
            let project_id = project_id.or_else(of_answered).ok_or_else(|| {
                Refusal::new(Code::Invalid, "project_id: no project is named in which it is said")
            })?;
            (project_id, address.clone(), None)
        }
    };
    check_not_archived(&desk.project(project_id).await?, None)?;
    let (run_id, now) = (run.as_ref().map(|(_, known)| known.run_id), desk.context.now);
    let make = |id| new.clone().make(id, (project_id, from.clone(), run_id), answered.as_ref(), now);
    // A number is taken only for what is kept.
    let trial = make(MessageId(0))?;
    let mut boxes = mailboxes(desk, project_id).await?;
    boxes.clone().put(&trial)?;
    if let Some((_, mut known)) = run.clone() {
        if known.messages >= RUN_MESSAGES_MAX {
            let detail =
                format!("run {} has sent {RUN_MESSAGES_MAX} messages, as many as it may", known.run_id);
            return Err(Refusal::new(Code::MessagesFull, detail).into());
        }
        known.messages += 1;
        run_documents::keep(desk, &known)?;
    }
    let message = make(MessageId(desk.next_id(Sequence::Message).await?))?;
    boxes.put(&message)?;
    desk.keep(&boxes)?;
    desk.keep(&message)?;
    let fact = Fact::MessageSent {
        message_id: message.id,
        session_id: message.session_id,
        from: message.from,
        to: message.to,
        kind: message.kind,
        priority: message.priority,
        in_reply_to: message.in_reply_to,
    };
    tell(desk, project_id, run, fact);
    Ok(Reply::Message(message.id))
}

/// Takes note that whom a message is for has taken it. Doing so again changes nothing.
pub(crate) async fn acknowledge<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: MessageId,
    reader: Option<Heartbeat>,
) -> Answer<Reply> {
    let reader = match reader {
        Some(holder) => Some(speaker(desk, holder).await?),
        None => None,
    };
    let found: Option<Message> = desk.document(id.0).await?;
    let is_for = |message: &Message| {
        reader.as_ref().is_none_or(|(project_id, _, known)| {
            *project_id == message.project_id && address(known) == message.receiver()
        })
    };
    let mut message = found.filter(is_for).ok_or_else(|| Refusal::not_found("message", id))?;
    if message.acknowledge(desk.context.now) {
        take_out(desk, &message).await?;
        desk.keep(&message)?;
        let Message { session_id, to, project_id, .. } = message;
        let fact = Fact::MessageAcknowledged { message_id: id, session_id, to };
        tell(desk, project_id, reader.map(|(_, item, known)| (item, known)), fact);
    }
    Ok(Reply::Message(id))
}

/// Removes a message whose time is over; tells of one that nobody had taken.
pub(crate) async fn come_due<T: Tx>(desk: &mut Desk<'_, T>, due: &Document) -> Result<bool> {
    let message: Message = due.read()?;
    if message.acknowledged_at.is_none() {
        take_out(desk, &message).await?;
        let Message { session_id, to, project_id, id: message_id, .. } = message;
        desk.fact(project_id, None, None, Fact::MessageExpired { message_id, session_id, to });
    }
    desk.remove(Kind::Message, due.id);
    Ok(true)
}

async fn take_out<T: Tx>(desk: &mut Desk<'_, T>, message: &Message) -> Result<()> {
    let mut boxes = mailboxes(desk, message.project_id).await?;
    boxes.take(message);
    desk.keep(&boxes)
}

async fn mailboxes<T: Tx>(desk: &mut Desk<'_, T>, project_id: ProjectId) -> Result<Mailboxes> {
    let known = desk.document_to_make(project_id.0).await?;
    Ok(known.unwrap_or_else(|| Mailboxes::new(project_id)))
}

/// Returns whose agent speaks, for whoever holds the run.
async fn speaker<T: Tx>(
    desk: &mut Desk<'_, T>,
    holder: Heartbeat,
) -> std::result::Result<(ProjectId, WorkItemId, RunEvents), ExecuteError> {
    let item = held(desk, holder).await?;
    let known: RunEvents = match desk.document(holder.run_id.0).await? {
        Some(known) => known,
        None => {
            let spec = work_items::body(desk, item).await?.spec;
            RunEvents::new(holder.run_id, spec.agent, &spec.labels)
        }
    };
    Ok((desk.item(item).await?.head.project_id, item, known))
}

fn address(known: &RunEvents) -> Address {
    Address::of_run(known.run_id, known.agent.as_deref(), known.session_id.as_deref())
}

fn tell<T: Tx>(
    desk: &mut Desk<'_, T>,
    project_id: ProjectId,
    run: Option<(WorkItemId, RunEvents)>,
    fact: Fact,
) {
    match run {
        Some((item, known)) => desk.facts(item, Some(known.run_id), vec![fact]),
        None => desk.fact(project_id, None, None, fact),
    }
}
