//! What agents do: derived from runs and workers, shown when somebody asks, and noted where it changed, so that each change
//! is an event. Nothing else is told by agents or believed of them.

use crate::problem::Problem;
use crate::state::App;
use spalla_domain::agent_state::{Seen, State};
use spalla_domain::event::Fact;
use spalla_domain::run::Status;
use spalla_domain::work_item::Executor;
use spalla_domain::{EventSeq, ProjectId, Timestamp};
use spalla_store::view::{AgentView, WorkerView};
use spalla_store::{Command, Reply};
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

/// How long a worker may be silent before it is not reckoned with, in milliseconds: three of its notes.
const SILENT_MS_MAX: i64 = 60_000;
/// How long what comes right behind a commit is waited for, so that a busy log is not looked at with every commit.
const TOGETHER: Duration = Duration::from_millis(200);
/// How often is looked whether workers have gone silent.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// What was seen of an agent, and from what.
#[derive(Debug)]
pub(crate) struct Observed {
    /// What it was given to do, and works at.
    pub(crate) view: AgentView,
    /// What it does.
    pub(crate) state: State,
}

impl Observed {
    fn seen(&self) -> Seen {
        let (agent, current) = (self.view.agent.clone(), self.view.held.first().copied());
        Seen { agent, state: self.state, current }
    }
}

/// Looks what the agents of a project do, or those of all; where a name is given, those of this name.
pub(crate) async fn observe(
    app: &App,
    project_id: Option<ProjectId>,
    agent: Option<String>,
) -> Result<Vec<Observed>, Problem> {
    let views = app.read().agents(project_id, agent).await?;
    if views.is_empty() {
        return Ok(vec![]);
    }
    let now = app.now();
    let has_worker = app.read().supply(now).await?.workers.iter().any(|worker| carries_agents(worker, now));
    let observed = views.into_iter().map(|view| {
        let failed_last = matches!(view.last_ended, Some(Status::Failed | Status::Lost));
        let state = State::of(!view.held.is_empty(), has_worker, failed_last);
        Observed { view, state }
    });
    Ok(observed.collect())
}

fn carries_agents(worker: &WorkerView, now: Timestamp) -> bool {
    let executors = &worker.offer.executors;
    let is_heard = now.ms() - worker.heard_at.ms() <= SILENT_MS_MAX;
    is_heard && (executors.is_empty() || executors.contains(&Executor::Agent))
}

/// Notes what agents do, until the shutdown.
pub(crate) async fn follow(app: &App, shutdown: CancellationToken) {
    let mut commits = app.engine.store().committed();
    // What was noted need not be noted again: other servers see the same.
    let mut noted = BTreeMap::new();
    loop {
        if let Err(problem) = note(app, &mut noted).await {
            tracing::warn!(?problem, "what agents do could not be noted; it is tried again");
        }
        // Commits that move nothing don't put the look off.
        let mut look = pin!(tokio::time::sleep(LOOK_EVERY));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                commit = commits.recv() => match commit {
                    Ok(commit) if !commit.events.is_empty() && !commit.events.iter().any(|event| moves(&event.fact)) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return,
                },
                () = &mut look => break,
            }
        }
        tokio::time::sleep(TOGETHER).await;
        while matches!(commits.try_recv(), Ok(_) | Err(TryRecvError::Lagged(_))) {}
    }
}

/// Tells whether an agent may do something else after an event.
const fn moves(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::RunClaimed { .. }
            | Fact::LeaseExpired { .. }
            | Fact::LeaseResumed { .. }
            | Fact::RunHandedBack { .. }
            | Fact::RunSucceeded { .. }
            | Fact::RunFailed { .. }
            | Fact::RunCancelled {}
            | Fact::RunLost { .. }
    )
}

async fn note(app: &App, noted: &mut BTreeMap<ProjectId, Vec<Seen>>) -> Result<(), Problem> {
    // What is seen after this is at least as new.
    let as_of: EventSeq = app.read().newest_event().await?;
    let mut projects = BTreeMap::<ProjectId, Vec<Seen>>::new();
    for observed in observe(app, None, None).await? {
        projects.entry(observed.view.project_id).or_default().push(observed.seen());
    }
    for (project_id, seen) in projects {
        if noted.get(&project_id) == Some(&seen) {
            continue;
        }
        let command = Command::NoteAgents { project_id, as_of, seen: seen.clone() };
        // Where another server has seen something newer it is looked again.
        match app.engine.execute(command).await? {
            Reply::AgentsNoted { is_taken: true } => drop(noted.insert(project_id, seen)),
            _ => drop(noted.remove(&project_id)),
        }
    }
    Ok(())
}
