//! What clients of the engine do: submit no-op items, take runs, end them.

use anyhow::{Result, bail};
use spalla_domain::claim::{Assignment, ClaimRequest, Completion, Exchange, LEASE_TTL_MS_DEFAULT};
use spalla_domain::project::NewProject;
use spalla_domain::work_item::{Executor, NewWorkItem, Spec};
use spalla_domain::{ProjectId, WorkItemId, WorkerId};
use spalla_engine::EngineHandle;
use spalla_store::{Command, Reply};
use std::time::Duration;

/// How many bytes an item carries.
const PAYLOAD_BYTES: usize = 100;

/// Makes a project.
pub(crate) async fn make_project(engine: &EngineHandle, name: &str) -> Result<ProjectId> {
    let new = NewProject { name: name.to_owned(), description: None, repository: None, limits: None };
    match engine.execute(Command::CreateProject(new)).await? {
        Reply::Project(id) => Ok(id),
        other => bail!("making a project answered {other:?}"),
    }
}

/// Makes items and puts them into the queue, in one transaction.
pub(crate) async fn submit(
    engine: &EngineHandle,
    project_id: ProjectId,
    count: usize,
) -> Result<Vec<WorkItemId>> {
    let items = (0..count).map(|_| item(project_id).into()).collect();
    match engine.execute(Command::CreateWorkItems { items, enqueue: true }).await? {
        Reply::WorkItems(ids) => Ok(ids),
        other => bail!("making work items answered {other:?}"),
    }
}

/// Returns an item that has nothing to do.
pub(crate) fn item(project_id: ProjectId) -> NewWorkItem {
    let spec =
        Spec { prompt: Some("x".repeat(PAYLOAD_BYTES)), executor: Executor::External, ..Spec::new("no-op") };
    NewWorkItem { project_id, spec, depends_on: vec![] }
}

/// Returns a wish for runs.
pub(crate) fn wish(worker: &str, max: u32) -> Result<ClaimRequest> {
    let worker_id = WorkerId::new(worker).map_err(anyhow::Error::msg)?;
    Ok(ClaimRequest {
        worker_id,
        max,
        ttl_ms: LEASE_TTL_MS_DEFAULT,
        executors: vec![],
        labels: vec![],
        resources: None,
    })
}

/// Returns the end of a run that did what was asked.
pub(crate) fn done(run: &Assignment) -> Completion {
    Completion {
        run_id: run.run_id,
        fencing_token: run.fencing_token,
        success: true,
        exit_code: Some(0),
        result: None,
        usage: None,
        error: None,
        sandbox: None,
    }
}

/// Completes runs and takes the next ones; waits until there are some.
pub(crate) async fn exchange(
    engine: &EngineHandle,
    completed: Vec<Completion>,
    claim: ClaimRequest,
    wait: Duration,
) -> Result<Vec<Assignment>> {
    let wanted = completed.len();
    let exchange = Exchange { completed, heartbeats: vec![], claim };
    match engine.claim(Command::Exchange(exchange), wait).await? {
        Reply::Exchanged(reply) if reply.completed.len() == wanted => Ok(reply.runs),
        other => bail!("an exchange with {wanted} completions answered {other:?}"),
    }
}
