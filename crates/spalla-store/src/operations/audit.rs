//! The audit: an entry for each call of a person or a token, in the transaction of what it changed, at the end of the
//! chain that all entries make.

use crate::command::{Command, Reply, Request};
use crate::desk::Desk;
use crate::tx::{Result, Tx};
use spalla_domain::Refusal;
use spalla_domain::audit::{NewEntry, Outcome};

/// Adds what came of the requests of a batch, each with its answer, and what operations noted. It comes last: the end of the chain is one row, which
/// is held until the commit.
pub(crate) async fn record<T: Tx>(
    desk: &mut Desk<'_, T>,
    requests: &[Request],
    answers: &[Option<std::result::Result<Reply, Refusal>>],
) -> Result<()> {
    let answered = requests.iter().zip(answers);
    let answered: Vec<_> =
        answered.filter_map(|(request, answer)| entry(request, answer.as_ref()?.as_ref())).collect();
    let entries: Vec<_> = answered.into_iter().chain(std::mem::take(&mut desk.noted)).collect();
    if entries.is_empty() {
        return Ok(());
    }
    // Whoever holds the end of the chain must wait for no row any more.
    desk.write_rows().await?;
    let (now, mut head) = (desk.context.now, desk.tx.audit_head().await?);
    desk.staged.audited.extend(entries.into_iter().map(|entry| head.add(entry, now)));
    Ok(())
}

fn entry(request: &Request, answer: std::result::Result<&Reply, &Refusal>) -> Option<NewEntry> {
    if let Command::Record(entry) = &request.command {
        return Some((**entry).clone());
    }
    let call = *request.audit.clone()?;
    match answer {
        // Workers tick all the time, and mostly to no effect.
        Ok(Reply::Ticked { started, .. }) if started.is_empty() => None,
        // It may be asked again and again while its sender waits, and is recorded once where nothing came.
        Ok(reply) if reply.brought_nothing() => None,
        Ok(_) => Some(call.ended(Outcome::Done, None)),
        Err(refusal) => Some(call.ended(Outcome::Refused, Some(refusal.code.as_str().to_owned()))),
    }
}
