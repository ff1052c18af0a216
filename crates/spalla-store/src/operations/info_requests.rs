//! Info requests: a run asks a person for values and waits; a person answers, and only the run reads the values.

use super::claim::{over, over_to};
use super::lease::change_run;
use crate::command::Reply;
use crate::desk::{Answer, Desk, Run};
use crate::document::KeptInfoRequest;
use crate::tx::{Sequence, Tx};
use spalla_domain::event::Fact;
use spalla_domain::info_request::{self, Command, InfoField, InfoRequest, Status};
use spalla_domain::problem::Code;
use spalla_domain::run::{self, LiveRun};
use spalla_domain::{Fence, InfoRequestId, Refusal, RunId, WorkItemId};

/// Asks for values in the name of a run; its holder's token says that it may. The same question once more, such as by
/// the next holder, is the same request.
pub(crate) async fn ask<T: Tx>(
    desk: &mut Desk<'_, T>,
    (run_id, fence): (RunId, Fence),
    reason: &str,
    fields: &[InfoField],
    asked_by: Option<&str>,
) -> Answer<Reply> {
    info_request::check_request(reason, fields).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Refusal::new(Code::Invalid, words.join("; "))
    })?;
    let item = match desk.run(run_id).await? {
        Run::Live(id) => id,
        Run::Ended(run) => return Err(over_to(fence, &run).into()),
    };
    let known: Vec<KeptInfoRequest> = desk.documents_of(run_id.0).await?;
    let is_same = |kept: &&KeptInfoRequest| {
        kept.request.status != Status::Cancelled
            && kept.request.reason == reason
            && kept.request.fields == fields
            && kept.request.asked_by.as_deref() == asked_by
    };
    if let Some(kept) = known.iter().find(is_same) {
        check_token(desk, item, fence).await?;
        return Ok(Reply::InfoRequest(kept.request.id));
    }
    change_run(desk, item, run_id, run::Command::Ask { fence }).await?;
    let id = InfoRequestId(desk.next_id(Sequence::InfoRequest).await?);
    let request = InfoRequest {
        id,
        run_id,
        work_item_id: item,
        reason: reason.to_owned(),
        fields: fields.to_vec(),
        asked_by: asked_by.map(str::to_owned),
        status: Status::Pending,
        requested_at: desk.context.now,
        closed_at: None,
        answered_by: None,
    };
    desk.keep(&KeptInfoRequest { request, sealed: None })?;
    let names = fields.iter().map(|field| field.name.clone()).collect();
    desk.facts(item, Some(run_id), vec![Fact::InfoRequested { info_request_id: id, fields: names }]);
    Ok(Reply::InfoRequest(id))
}

/// Refuses what is asked under an old token.
async fn check_token<T: Tx>(desk: &mut Desk<'_, T>, item: WorkItemId, fence: Fence) -> Answer<()> {
    let item = desk.item(item).await?;
    match item.live_run() {
        Some(live) => Ok(run::may_write(live, item.standing.fence, fence)?),
        None => Ok(()),
    }
}

/// Keeps an answer under another key, unless it changed meanwhile. Nobody is told: it says what it said.
pub(crate) async fn reseal<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: InfoRequestId,
    before: &str,
    sealed: &str,
) -> Answer<Reply> {
    let kept: Option<KeptInfoRequest> = desk.document(id.0).await?;
    let mut kept = kept.ok_or_else(|| Refusal::not_found("info request", id))?;
    if kept.sealed.as_deref() == Some(before) {
        kept.sealed = Some(sealed.to_owned());
        desk.keep(&kept)?;
    }
    Ok(Reply::InfoRequest(id))
}

/// Takes a person's values, encrypted already; the run goes on.
pub(crate) async fn answer<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: InfoRequestId,
    sealed: &str,
    by: &Option<String>,
) -> Answer<Reply> {
    let kept: Option<KeptInfoRequest> = desk.document(id.0).await?;
    let mut kept = kept.ok_or_else(|| Refusal::not_found("info request", id))?;
    kept.request.status = info_request::transition(&kept.request, Command::Answer)?;
    kept.request.closed_at = Some(desk.context.now);
    kept.request.answered_by.clone_from(by);
    kept.sealed = Some(sealed.to_owned());
    let (item, run_id) = (kept.request.work_item_id, kept.request.run_id);
    desk.keep(&kept)?;
    desk.item(item).await?;
    desk.facts(item, Some(run_id), vec![Fact::InfoAnswered { info_request_id: id, by: by.clone() }]);
    if let Run::Live(item) = desk.run(run_id).await? {
        change_run(desk, item, run_id, run::Command::Answered).await?;
    }
    Ok(Reply::InfoRequest(id))
}

/// Withdraws what a run that ends had asked.
pub(crate) async fn withdraw<T: Tx>(desk: &mut Desk<'_, T>, item: WorkItemId, live: &LiveRun) -> Answer<()> {
    if live.questions == 0 {
        return Ok(());
    }
    let requests: Vec<KeptInfoRequest> = desk.documents_of(live.id.0).await?;
    for mut kept in requests {
        if let Ok(status) = info_request::transition(&kept.request, Command::Cancel) {
            (kept.request.status, kept.request.closed_at) = (status, Some(desk.context.now));
            desk.keep(&kept)?;
            let fact = Fact::InfoCancelled { info_request_id: kept.request.id };
            desk.facts(item, Some(live.id), vec![fact]);
        }
    }
    Ok(())
}

/// Lets a run stand still, or go on.
pub(crate) async fn pause<T: Tx>(
    desk: &mut Desk<'_, T>,
    run_id: RunId,
    command: run::Command,
) -> Answer<Reply> {
    match desk.run(run_id).await? {
        Run::Live(item) => change_run(desk, item, run_id, command).await?,
        Run::Ended(run) => return Err(over(run_id, run.outcome.status()).into()),
    }
    Ok(Reply::Run(run_id))
}
