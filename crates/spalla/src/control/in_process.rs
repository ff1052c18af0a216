//! The control plane in this process: commands to the engine, reads from the store.

use super::{ItemState, LOG_LINES_MAX, NewItem, RunState, ToldEvent};
use crate::clock::SystemClock;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::routing::scorecards;
use serde_json::Value;
use serde_json::value::RawValue;
use spalla_domain::adapter::Adapter;
use spalla_domain::event::{Event, Fact};
use spalla_domain::project::NewProject;
use spalla_domain::scorecard::Scorecard;
use spalla_domain::session_event::{SessionChange, SessionNews};
use spalla_domain::work_item::{Dependency, NewWorkItem, Policy, Spec, When};
use spalla_domain::{EventSeq, ProjectId, Refusal, RunId, WorkItemId};
use spalla_engine::EngineHandle;
use spalla_store::command::{Delay, Requeued};
use spalla_store::view::{EventFilter, LogFilter, Page, RunFilter, RunView, WorkItemFilter};
use spalla_store::{Clock as _, Command, ExecuteError, Read, Reply, StoreError};
use std::collections::BTreeMap;

/// How many projects are looked at for one with the repository: the newest.
const PROJECTS_MAX: u32 = 500;
/// How many events are read at once.
const EVENTS_MAX: u32 = 200;

pub(super) async fn project(engine: &EngineHandle, name: &str, repository: &str) -> Result<i64> {
    let page = Page { limit: PROJECTS_MAX, before: None, offset: 0 };
    let projects = engine.store().read().projects(page).await.map_err(unavailable)?;
    if let Some(known) = projects.iter().find(|project| project.repository.as_deref() == Some(repository)) {
        return Ok(known.id.0);
    }
    let new = NewProject {
        name: name.into(),
        description: None,
        repository: Some(repository.into()),
        limits: None,
    };
    match execute(engine, Command::CreateProject(new)).await? {
        Reply::Project(id) => Ok(id.0),
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn tell_session(
    engine: &EngineHandle,
    project: i64,
    change: SessionChange,
    news: SessionNews,
) -> Result<()> {
    let command = Command::NoteSession { project_id: ProjectId(project), change, news: Box::new(news) };
    execute(engine, command).await.map(drop)
}

pub(super) async fn create(engine: &EngineHandle, item: &NewItem) -> Result<i64> {
    let spec = Spec {
        prompt: item.prompt.clone(),
        executor: item.executor,
        agent: item.agent.clone(),
        definition: item.definition.clone(),
        recipe: item.recipe.clone(),
        labels: item.labels.clone(),
        timeout_ms: item.timeout_ms,
        category: item.category.clone(),
        resources: item.resources.clone(),
        adapter: Some(Adapter {
            fallback: item.fallback.clone(),
            model: item.model.clone(),
            policy: item.agent_policy.clone(),
            ..Adapter::default()
        }),
        ..Spec::new(&item.title)
    };
    let depends_on = item.depends_on.iter().map(|id| Dependency { id: WorkItemId(*id), when: When::Success });
    let new = NewWorkItem {
        project_id: ProjectId(item.project_id),
        spec: spec.checked().map_err(refused)?,
        depends_on: depends_on.collect(),
    };
    let id =
        match execute(engine, Command::CreateWorkItems { items: vec![new.into()], enqueue: false }).await? {
            Reply::WorkItems(ids) if ids.len() == 1 => ids[0],
            other => return Err(unexpected(&other)),
        };
    if item.policy != Policy::default() {
        let policy = item.policy;
        execute(engine, Command::UpdateWorkItem { id, patch: Box::default(), policy }).await?;
    }
    Ok(id.0)
}

pub(super) async fn labelled(engine: &EngineHandle, project: i64, label: &str) -> Result<Option<i64>> {
    let filter = WorkItemFilter {
        project_id: Some(ProjectId(project)),
        label: Some(label.to_owned()),
        ..WorkItemFilter::default()
    };
    let page = Page { limit: 1, before: None, offset: 0 };
    let found = engine.store().read().work_items(filter, page).await.map_err(unavailable)?;
    Ok(found.first().map(|view| view.item.id.0))
}

pub(super) async fn enqueue(engine: &EngineHandle, item: i64) -> Result<()> {
    let command =
        Command::Enqueue { work_item_id: WorkItemId(item), depends_on: None, priority: None, delay_ms: 0 };
    execute(engine, command).await.map(drop)
}

pub(super) async fn requeue(engine: &EngineHandle, item: i64) -> Result<()> {
    let target = Requeued::WorkItem(WorkItemId(item));
    execute(engine, Command::Requeue { target, priority: None, delay: Delay::Ms(0) }).await.map(drop)
}

pub(super) async fn hold_run(engine: &EngineHandle, run: i64, held: bool) -> Result<()> {
    let run_id = RunId(run);
    let command = if held { Command::PauseRun { run_id } } else { Command::ResumeRun { run_id } };
    execute(engine, command).await.map(drop)
}

pub(super) async fn item(engine: &EngineHandle, item: i64) -> Result<ItemState> {
    let view = engine.store().read().work_item(WorkItemId(item)).await.map_err(unavailable)?;
    let view = view.ok_or_else(|| Failure::failed(format!("work item {item} does not exist")))?;
    Ok(ItemState { status: view.status, reason: view.reason.map(|code| code.as_str().to_owned()) })
}

pub(super) async fn runs(engine: &EngineHandle, item: i64, most: u32) -> Result<Vec<RunState>> {
    let filter = RunFilter { work_item_id: Some(WorkItemId(item)), ..RunFilter::default() };
    let page = Page { limit: most, before: None, offset: 0 };
    let runs = engine.store().read().runs(filter, page).await.map_err(unavailable)?;
    runs.into_iter().map(state).collect()
}

pub(crate) async fn trust(read: &dyn Read) -> Result<BTreeMap<String, f64>> {
    let now = SystemClock.now();
    let mut joined = BTreeMap::<String, Scorecard>::new();
    for cards in scorecards(read).await.map_err(unavailable)? {
        for (name, mut card) in cards.agents {
            card.fade(now);
            match joined.get_mut(&name) {
                Some(known) => known.join(&card),
                None => drop(joined.insert(name, card)),
            }
        }
    }
    Ok(joined.into_iter().map(|(name, card)| (name, card.trust())).collect())
}

fn state(run: RunView) -> Result<RunState> {
    let read = |result: Box<RawValue>| {
        serde_json::from_str(result.get())
            .map_err(|error| Failure::failed(format!("reading the result of run {}: {error}", run.id)))
    };
    Ok(RunState {
        id: run.id.0,
        status: run.status,
        attempt: run.attempt,
        started_at: run.started_at,
        ended_at: run.ended_at,
        result: run.result.map(read).transpose()?,
        error: run.error,
        usage: run.usage.and_then(|usage| serde_json::to_value(usage).ok()),
        sandbox: run.sandbox.and_then(|walls| serde_json::to_value(walls).ok()),
    })
}

pub(super) async fn events(engine: &EngineHandle, run: i64, after: i64) -> Result<Vec<ToldEvent>> {
    let filter = EventFilter { project_id: None, run_id: Some(RunId(run)), after: Some(EventSeq(after)) };
    let events = engine.store().read().events(filter, EVENTS_MAX).await.map_err(unavailable)?;
    let told = |event: Event| {
        let (kind, payload) = match event.fact {
            Fact::AgentTold(told) => (told.kind.as_str().to_owned(), Value::Object(told.payload)),
            // Of what else happened it is enough that it did.
            _ => (String::new(), Value::Null),
        };
        ToldEvent { id: event.seq.0, kind, timestamp: event.at, payload }
    };
    Ok(events.into_iter().map(told).collect())
}

pub(super) async fn log(engine: &EngineHandle, run: i64, from: usize) -> Result<Vec<String>> {
    let filter = LogFilter { offset: from as u64, limit: Some(LOG_LINES_MAX as u64), ..LogFilter::default() };
    let lines = engine.store().read().log(RunId(run), filter).await.map_err(unavailable)?;
    Ok(lines.unwrap_or_default().into_iter().map(|line| line.text).collect())
}

pub(super) async fn cancel_run(engine: &EngineHandle, run: i64) -> Result<()> {
    execute(engine, Command::CancelRun { run_id: RunId(run) }).await.map(drop)
}

pub(super) async fn archive(engine: &EngineHandle, item: i64) -> Result<()> {
    execute(engine, Command::ArchiveWorkItem { id: WorkItemId(item) }).await.map(drop)
}

async fn execute(engine: &EngineHandle, command: Command) -> Result<Reply> {
    engine.execute(command).await.map_err(|error| match error {
        ExecuteError::Refused(refusal) => refused(refusal),
        ExecuteError::Store(error) => unavailable(error),
    })
}

fn refused(refusal: Refusal) -> Failure {
    let failure = Failure::new(Exit::Stopped, refusal.detail);
    match refusal.mend {
        Some(mend) => failure.mend(mend),
        None => failure,
    }
}

pub(super) fn unavailable(error: StoreError) -> Failure {
    Failure::failed(error.to_string())
}

fn unexpected(reply: &Reply) -> Failure {
    Failure::failed(format!("the store answered {reply:?}, which does not fit the question"))
}
