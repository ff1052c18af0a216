//! One item of every kind that a list can show, made through the engine, to be copied until there are a million.

use crate::bench::client::{done, exchange, item, make_project, wish};
use anyhow::{Result, bail, ensure};
use spalla_domain::approval::{Decision, Kind};
use spalla_domain::claim::Assignment;
use spalla_domain::work_item::{Dependency, Executor, NewWorkItem, Policy, SpecPatch, When};
use spalla_domain::{ApprovalId, ProjectId, WorkItemId};
use spalla_engine::EngineHandle;
use spalla_store::{Command, Reply};
use std::time::Duration;

/// Only the one item of the small project bears it.
pub(super) const RARE: &str = "rare";
/// Every item of the large project bears it.
pub(super) const COMMON: &str = "common";
/// The agent of some items.
pub(super) const AGENT: &str = "surveyor";
/// How many items `make_all` makes; one of them is archived.
pub(super) const ITEMS: u64 = 25;

/// Most items have succeeded, as in any history.
const SUCCEED: usize = 13;
const FAIL: usize = 2;
/// Longer than anybody looks.
const LONG_MS: i64 = 30 * 86_400_000;
const LEASE_MS: i64 = 86_400_000;

/// Makes the small project with its only item, which succeeds.
pub(super) async fn make_small(engine: &EngineHandle) -> Result<ProjectId> {
    let project = make_project(engine, "small").await?;
    let mut item = new(project);
    item.spec.labels = vec![RARE.to_owned()];
    item.spec.title = format!("the {RARE} one");
    item.spec.executor = Executor::Agent;
    item.spec.agent = Some(RARE.to_owned());
    make(engine, item, true).await?;
    end_all(engine, take(engine, 1).await?, |_| true).await?;
    Ok(project)
}

/// Makes one item of each kind, and many that succeed.
pub(super) async fn make_all(engine: &EngineHandle, project: ProjectId) -> Result<()> {
    let mut failing = vec![];
    for number in 0..SUCCEED + FAIL {
        let mut item = new(project);
        if number % 5 == 0 {
            item.spec.executor = Executor::Agent;
            item.spec.agent = Some(AGENT.to_owned());
        }
        let id = make(engine, item, true).await?;
        if number >= SUCCEED {
            let policy = Policy { max_retries: Some(0), ..Policy::default() };
            let patch: Box<SpecPatch> = Box::default();
            engine.execute(Command::UpdateWorkItem { id, patch, policy }).await?;
            failing.push(id);
        }
    }
    let taken = take(engine, SUCCEED + FAIL).await?;
    end_all(engine, taken, |run| !failing.contains(&run.work_item_id)).await?;
    make_live(engine, project).await?;
    make_waiting(engine, project, failing[0]).await
}

/// Four items: one that runs, one whose run nobody holds, one that was cancelled, one that was put away.
async fn make_live(engine: &EngineHandle, project: ProjectId) -> Result<()> {
    make(engine, new(project), true).await?;
    let mut wish = wish("holder", 1)?;
    wish.ttl_ms = LEASE_MS;
    ensure!(exchange(engine, vec![], wish, Duration::ZERO).await?.len() == 1, "nothing runs");
    for is_cancelled in [true, false] {
        let id = make(engine, new(project), false).await?;
        let run_id = match engine.execute(Command::Start { work_item_id: id }).await? {
            Reply::Run(id) => id,
            other => bail!("a start answered {other:?}"),
        };
        if is_cancelled {
            engine.execute(Command::CancelRun { run_id }).await?;
        }
    }
    let id = make(engine, new(project), false).await?;
    engine.execute(Command::ArchiveWorkItem { id }).await?;
    Ok(())
}

/// Six items: one that is open, and one for each reason to wait in the queue, or for none.
async fn make_waiting(engine: &EngineHandle, project: ProjectId, failed: WorkItemId) -> Result<()> {
    let open = make(engine, new(project), false).await?;
    for awaited in [open, failed] {
        let mut item = new(project);
        item.depends_on = vec![Dependency { id: awaited, when: When::Success }];
        make(engine, item, true).await?;
    }
    let approved = ask_approval(engine, open).await?;
    let decision = Decision::Approve;
    engine
        .execute(Command::DecideApproval { id: approved, decision, by: None, note: None, roles: vec![] })
        .await?;
    let held = make(engine, new(project), false).await?;
    ask_approval(engine, held).await?;
    for (id, delay_ms) in [(held, 0), (make(engine, new(project), false).await?, LONG_MS)] {
        let (depends_on, priority) = (None, None);
        engine.execute(Command::Enqueue { work_item_id: id, depends_on, priority, delay_ms }).await?;
    }
    make(engine, new(project), true).await.map(drop)
}

async fn ask_approval(engine: &EngineHandle, work_item_id: WorkItemId) -> Result<ApprovalId> {
    match engine
        .execute(Command::RequestApproval { work_item_id, kind: Kind::Deploy, need: Default::default() })
        .await?
    {
        Reply::Approval(id) => Ok(id),
        other => bail!("asking for an approval answered {other:?}"),
    }
}

/// Returns an item that no tick of the engine starts.
fn new(project: ProjectId) -> NewWorkItem {
    let mut item = item(project);
    item.spec.executor = Executor::Recipe;
    item.spec.labels = vec![COMMON.to_owned()];
    item
}

async fn make(engine: &EngineHandle, item: NewWorkItem, enqueue: bool) -> Result<WorkItemId> {
    match engine.execute(Command::CreateWorkItems { items: vec![item.into()], enqueue }).await? {
        Reply::WorkItems(ids) if ids.len() == 1 => Ok(ids[0]),
        other => bail!("making a work item answered {other:?}"),
    }
}

async fn take(engine: &EngineHandle, count: usize) -> Result<Vec<Assignment>> {
    let runs = exchange(engine, vec![], wish("bench", u32::try_from(count)?)?, Duration::ZERO).await?;
    ensure!(runs.len() == count, "{} of {count} runs were taken", runs.len());
    Ok(runs)
}

async fn end_all(
    engine: &EngineHandle,
    runs: Vec<Assignment>,
    succeeds: impl Fn(&Assignment) -> bool,
) -> Result<()> {
    let mut ends: Vec<_> = runs.iter().map(done).collect();
    for (end, run) in ends.iter_mut().zip(&runs) {
        end.success = succeeds(run);
    }
    exchange(engine, ends, wish("bench", 0)?, Duration::ZERO).await.map(drop)
}
