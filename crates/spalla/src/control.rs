//! The control plane as a session sees it: the few calls that a goal and a demo need, over HTTP to a running server
//! or straight to the engine of this process.

mod in_process;
mod question;
mod remote;

use crate::client::Client;
use crate::failure::Result;
pub(crate) use in_process::trust as trust_in;
pub(crate) use question::Question;
use serde::Deserialize;
use serde_json::Value;
use spalla_domain::Timestamp;
use spalla_domain::agent_policy::AgentPolicy;
use spalla_domain::chosen::ChosenDefinition;
use spalla_domain::claim::RunError;
use spalla_domain::resources::Amounts;
use spalla_domain::run;
use spalla_domain::session::Session;
use spalla_domain::session_event::{SessionChange, SessionNews};
use spalla_domain::work_item::{self, Executor, Policy};
use spalla_engine::EngineHandle;
use std::collections::BTreeMap;

/// How many log lines are read at once.
const LOG_LINES_MAX: usize = 500;
/// How many runs of one work item are read: an agent's is tried again once, and people try some again.
const RUNS_MAX: u32 = 100;

/// A way to the control plane; cheap to clone.
#[derive(Clone)]
pub(crate) enum Control {
    /// Over HTTP.
    Remote(Client),
    /// In this process.
    InProcess(EngineHandle),
}

/// A work item to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewItem {
    /// Whose it is.
    pub(crate) project_id: i64,
    /// What it is called.
    pub(crate) title: String,
    /// What an agent is told.
    pub(crate) prompt: Option<String>,
    /// What carries it out.
    pub(crate) executor: Executor,
    /// The agent, where the executor is one.
    pub(crate) agent: Option<String>,
    /// The agent's definition by which it is done.
    pub(crate) definition: Option<Box<ChosenDefinition>>,
    /// Its steps, as YAML.
    pub(crate) recipe: Option<String>,
    /// The work items whose success it waits for.
    pub(crate) depends_on: Vec<i64>,
    /// Words to find it by.
    pub(crate) labels: Vec<String>,
    /// The agents that may go on for its own.
    pub(crate) fallback: Vec<String>,
    /// The model that is asked for.
    pub(crate) model: Option<String>,
    /// How long a run may take, in milliseconds; none is as usual.
    pub(crate) timeout_ms: Option<i64>,
    /// What kind of work it is.
    pub(crate) category: Option<String>,
    /// What a run needs.
    pub(crate) resources: Option<Amounts>,
    /// How it is tried again; what is not said is as the server says.
    pub(crate) policy: Policy,
    /// What the agent's definition says of its runs.
    pub(crate) agent_policy: Option<Box<AgentPolicy>>,
}

impl NewItem {
    /// Makes an item of which no more is said than whose it is and what it is called.
    pub(crate) fn new(project_id: i64, title: impl Into<String>, executor: Executor) -> Self {
        Self {
            project_id,
            title: title.into(),
            prompt: None,
            executor,
            agent: None,
            definition: None,
            recipe: None,
            depends_on: Vec::new(),
            labels: Vec::new(),
            fallback: Vec::new(),
            model: None,
            timeout_ms: None,
            category: None,
            resources: None,
            policy: Policy::default(),
            agent_policy: None,
        }
    }
}

/// Where a work item stands.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ItemState {
    /// Where it stands.
    pub(crate) status: work_item::Status,
    /// Why it does not start, where something holds it.
    pub(crate) reason: Option<String>,
}

/// Where a run stands, and what became of it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RunState {
    /// Its id.
    pub(crate) id: i64,
    /// Where it stands.
    pub(crate) status: run::Status,
    /// Its ordinal among the item's attempts.
    pub(crate) attempt: u32,
    /// When it was first claimed.
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    pub(crate) ended_at: Option<Timestamp>,
    /// What it produced.
    pub(crate) result: Option<Value>,
    /// Why it failed.
    pub(crate) error: Option<RunError>,
    /// What it used.
    #[serde(default)]
    pub(crate) usage: Option<Value>,
    /// Which walls stood around its commands.
    #[serde(default)]
    pub(crate) sandbox: Option<Value>,
}

/// An event of a run.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ToldEvent {
    /// Its number.
    pub(crate) id: i64,
    /// What happened.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// When.
    pub(crate) timestamp: Timestamp,
    /// The particulars.
    pub(crate) payload: Value,
}

impl ItemState {
    /// Tells whether nothing more will happen to it by itself.
    pub(crate) const fn is_over(&self) -> bool {
        use work_item::Status::{Archived, Cancelled, Failed, Succeeded};
        matches!(self.status, Succeeded | Failed | Cancelled | Archived)
    }

    /// Tells whether only a person can bring it further.
    pub(crate) fn waits_for_a_person(&self) -> bool {
        self.status == work_item::Status::Queued && self.reason.as_deref() == Some("approval_pending")
    }
}

impl RunState {
    /// Returns how long it took, in milliseconds; none while it goes on.
    pub(crate) fn duration_ms(&self) -> Option<i64> {
        self.started_at.zip(self.ended_at).map(|(start, end)| end.ms() - start.ms())
    }
}

impl Control {
    /// Returns the project of a repository: the newest that has it, or a new one.
    pub(crate) async fn project(&self, name: &str, repository: &str) -> Result<i64> {
        match self {
            Self::Remote(client) => remote::project(client, name, repository).await,
            Self::InProcess(engine) => in_process::project(engine, name, repository).await,
        }
    }

    /// Tells what became of a session.
    pub(crate) async fn tell_session(
        &self,
        session: &Session,
        change: SessionChange,
        why: Option<&str>,
    ) -> Result<()> {
        let Some(project) = session.project_id else { return Ok(()) };
        match self {
            Self::Remote(client) => remote::tell_session(client, &session.id, change, why).await,
            Self::InProcess(engine) => {
                let Session { id, goal, status, .. } = session;
                let news = SessionNews::new(id, goal, status.as_str(), why);
                in_process::tell_session(engine, project, change, news).await
            }
        }
    }

    /// Makes a work item; it is not in the queue yet.
    pub(crate) async fn create(&self, item: &NewItem) -> Result<i64> {
        match self {
            Self::Remote(client) => remote::create(client, item).await,
            Self::InProcess(engine) => in_process::create(engine, item).await,
        }
    }

    /// Returns the work item of a project that bears a label.
    pub(crate) async fn labelled(&self, project: i64, label: &str) -> Result<Option<i64>> {
        match self {
            Self::Remote(client) => remote::labelled(client, project, label).await,
            Self::InProcess(engine) => in_process::labelled(engine, project, label).await,
        }
    }

    /// Puts a work item into the queue.
    pub(crate) async fn enqueue(&self, item: i64) -> Result<()> {
        match self {
            Self::Remote(client) => remote::enqueue(client, item).await,
            Self::InProcess(engine) => in_process::enqueue(engine, item).await,
        }
    }

    /// Returns where a work item stands.
    pub(crate) async fn item(&self, item: i64) -> Result<ItemState> {
        match self {
            Self::Remote(client) => remote::item(client, item).await,
            Self::InProcess(engine) => in_process::item(engine, item).await,
        }
    }

    /// Returns the newest run of a work item.
    pub(crate) async fn newest_run(&self, item: i64) -> Result<Option<RunState>> {
        let newest = match self {
            Self::Remote(client) => remote::runs(client, item, 1).await?,
            Self::InProcess(engine) => in_process::runs(engine, item, 1).await?,
        };
        Ok(newest.into_iter().next())
    }

    /// Returns the runs of a work item, the newest first, as many as one record has room for.
    pub(crate) async fn runs(&self, item: i64) -> Result<Vec<RunState>> {
        match self {
            Self::Remote(client) => remote::runs(client, item, RUNS_MAX).await,
            Self::InProcess(engine) => in_process::runs(engine, item, RUNS_MAX).await,
        }
    }

    /// Returns how far agents are trusted by their records, from 0 to 1; those without a record are left out.
    pub(crate) async fn trust(&self) -> Result<BTreeMap<String, f64>> {
        match self {
            Self::Remote(client) => remote::trust(client).await,
            Self::InProcess(engine) => in_process::trust(engine.store().read()).await,
        }
    }

    /// Returns what a run waits for an answer to.
    pub(crate) async fn question(&self, run: i64) -> Result<Option<Question>> {
        match self {
            Self::Remote(client) => question::over_http(client, run).await,
            Self::InProcess(engine) => question::in_process(engine, run).await,
        }
    }

    /// Returns the next events of a run after a number.
    pub(crate) async fn events(&self, run: i64, after: i64) -> Result<Vec<ToldEvent>> {
        match self {
            Self::Remote(client) => remote::events(client, run, after).await,
            Self::InProcess(engine) => in_process::events(engine, run, after).await,
        }
    }

    /// Returns the next lines of a run's log from a number on; none when these are all that are there.
    pub(crate) async fn log(&self, run: i64, from: usize) -> Result<Vec<String>> {
        match self {
            Self::Remote(client) => remote::log(client, run, from).await,
            Self::InProcess(engine) => in_process::log(engine, run, from).await,
        }
    }

    /// Puts a work item that ended badly, or was stopped, into the queue again.
    pub(crate) async fn requeue(&self, item: i64) -> Result<()> {
        match self {
            Self::Remote(client) => remote::requeue(client, item).await,
            Self::InProcess(engine) => in_process::requeue(engine, item).await,
        }
    }

    /// Holds a run before its next step, or lets it go on.
    pub(crate) async fn hold_run(&self, run: i64, held: bool) -> Result<()> {
        match self {
            Self::Remote(client) => remote::hold_run(client, run, held).await,
            Self::InProcess(engine) => in_process::hold_run(engine, run, held).await,
        }
    }

    /// Stops a work item for good: its run, or, where it has none, its place in the queue.
    pub(crate) async fn stop(&self, item: i64) -> Result<()> {
        if self.item(item).await?.is_over() {
            return Ok(());
        }
        let live = self.newest_run(item).await?.filter(|run| run.ended_at.is_none());
        match (self, live) {
            (Self::Remote(client), Some(run)) => remote::cancel_run(client, run.id).await,
            (Self::InProcess(engine), Some(run)) => in_process::cancel_run(engine, run.id).await,
            (Self::Remote(client), None) => remote::archive(client, item).await,
            (Self::InProcess(engine), None) => in_process::archive(engine, item).await,
        }
    }
}
