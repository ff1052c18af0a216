//! Runs as rows.

use super::{Fields, json, row};
use crate::sql::statement::Row;
use crate::trace::trace_id;
use crate::tx::{EndedRun, Result};
use crate::view::{RunOutcome, RunView};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use spalla_domain::Fence;
use spalla_domain::lease::Lease;
use spalla_domain::retry::ErrorClass;
use spalla_domain::run::{Outcome, Status};
use spalla_domain::work_item::Executor;

/// Writes a run that ended.
pub(crate) fn new(run: EndedRun) -> Result<Row> {
    let class = match run.outcome {
        Outcome::Failed(class) => Some(class_name(class)?),
        Outcome::Succeeded | Outcome::Cancelled | Outcome::Lost => None,
    };
    Ok(row![
        run.id,
        run.work_item_id,
        run.project_id,
        run.attempt,
        run.takeovers,
        run.fence,
        run.ended_under,
        run.created_at,
        run.started_at,
        run.ended_at,
        run.exit_code,
        run.outcome.status().as_str(),
        class,
        run.worker,
        run.usage.as_ref().map(json).transpose()?,
        run.error.as_ref().map(json).transpose()?,
        run.sandbox.as_ref().map(json).transpose()?,
        run.result.map(|result| Box::<str>::from(result).into_string()),
    ])
}

/// Reads a run that ended.
pub(crate) fn read(fields: &mut Fields) -> Result<EndedRun> {
    let (id, work_item_id, project_id) =
        (fields.id("id")?, fields.id("work_item_id")?, fields.id("project_id")?);
    let (attempt, takeovers) = (fields.number("attempt")?, fields.number("takeovers")?);
    let (fence, ended_under) = (fields.id("fence")?, fields.maybe_id("ended_under")?);
    let (created_at, started_at) = (fields.time("created_at")?, fields.maybe_time("started_at")?);
    let (ended_at, exit_code) = (fields.time("ended_at")?, fields.maybe_number("exit_code")?);
    let outcome = read_outcome(fields)?;
    Ok(EndedRun {
        id,
        work_item_id,
        project_id,
        attempt,
        takeovers,
        fence,
        ended_under,
        worker: fields.maybe_worker("worker")?,
        created_at,
        started_at,
        ended_at,
        outcome,
        exit_code,
        usage: fields.maybe_json("usage")?,
        error: fields.maybe_json("error")?,
        sandbox: fields.maybe_json("sandbox")?,
        result: fields.maybe_raw("result")?,
    })
}

fn read_outcome(fields: &mut Fields) -> Result<Outcome> {
    let status = fields.word("status", Status::parse)?;
    let class = fields.maybe_word("class", class_of)?;
    match (status, class) {
        (Status::Succeeded, _) => Ok(Outcome::Succeeded),
        (Status::Cancelled, _) => Ok(Outcome::Cancelled),
        (Status::Lost, _) => Ok(Outcome::Lost),
        (Status::Failed, Some(class)) => Ok(Outcome::Failed(class)),
        (Status::Failed, None) => Err(fields.odd("class", "is missing from a failed run")),
        (Status::Pending | Status::Running | Status::Paused | Status::AwaitingInput, _) => {
            Err(fields.odd("status", "is one of a run that is not over"))
        }
    }
}

/// Reads a run as clients see it, live or over.
pub(crate) fn read_view(fields: &mut Fields, store_id: &str) -> Result<RunView> {
    let (id, work_item_id, project_id) =
        (fields.id("id")?, fields.id("work_item_id")?, fields.id("project_id")?);
    let (attempt, takeovers) = (fields.number("attempt")?, fields.number("takeovers")?);
    let fence: Fence = fields.id("fence")?;
    let (worker, until) = (fields.maybe_worker("worker")?, fields.maybe_time("until")?);
    let (created_at, started_at) = (fields.time("created_at")?, fields.maybe_time("started_at")?);
    let ended_at = fields.maybe_time("ended_at")?;
    let is_live = ended_at.is_none();
    let lease = worker.clone().zip(until).map(|(worker, until)| Lease { worker, until });
    Ok(RunView {
        id,
        work_item_id,
        project_id,
        attempt,
        takeovers,
        lease,
        worker,
        // The token of a live run is its item's: while nobody has claimed the run, it is an earlier one's.
        fence: Some(fence).filter(|fence| if is_live { started_at.is_some() } else { *fence != Fence::NONE }),
        created_at,
        started_at,
        ended_at,
        status: fields.word("status", Status::parse)?,
        exit_code: fields.maybe_number("exit_code")?,
        usage: fields.maybe_json("usage")?,
        error: fields.maybe_json("error")?,
        sandbox: fields.maybe_json("sandbox")?,
        result: fields.maybe_raw("result")?,
        executor: fields.word("executor", Executor::parse)?,
        agent: fields.maybe_text("agent")?,
        title: fields.text("title")?,
        trace_id: trace_id(store_id, id),
    })
}

/// Reads what came of a run.
pub(crate) fn read_in_short(fields: &mut Fields) -> Result<RunOutcome> {
    // By it they are in order.
    fields.int("id")?;
    Ok(RunOutcome {
        status: fields.word("status", Status::parse)?,
        started_at: fields.maybe_time("started_at")?,
        ended_at: fields.maybe_time("ended_at")?,
        usage: fields.maybe_json("usage")?,
    })
}

fn class_name(class: ErrorClass) -> Result<String> {
    let value = serde_json::to_value(class);
    let name = value.ok().and_then(|value| value.as_str().map(str::to_owned));
    name.ok_or_else(|| crate::StoreError::Corrupt(format!("the error class {class:?} has no name")))
}

fn class_of(name: &str) -> Option<ErrorClass> {
    let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
    ErrorClass::deserialize(name).ok()
}
