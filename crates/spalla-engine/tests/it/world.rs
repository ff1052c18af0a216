//! A store in memory with an engine on it, and short words for what the tests ask of them.

use spalla_domain::claim::{Assignment, ClaimRequest};
use spalla_domain::project::NewProject;
use spalla_domain::work_item::{Executor, NewWorkItem, Spec};
use spalla_domain::{ProjectId, Timestamp, WorkItemId, WorkerId};
use spalla_engine::{Engine, EngineHandle, Options};
use spalla_store::{Clock, Command, Location, Randomness, Reply, Settings, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A clock that stands still until the test moves it.
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) const fn new() -> Self {
        Self(AtomicI64::new(1_000_000))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

/// Numbers that are the same in each run.
pub(crate) struct Counting(AtomicU64);

impl Counting {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Randomness for Counting {
    fn next(&self) -> u64 {
        self.0.fetch_add(7_919, Ordering::SeqCst)
    }
}

/// A store, an engine on it, and a project.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) handle: EngineHandle,
    pub(crate) engine: Engine,
    project: ProjectId,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let options = spalla_store::Options {
            location: Location::Memory(spalla_store::Memory::default()),
            settings: Settings::default(),
            clock: clock.clone(),
            randomness: Arc::new(Counting::new()),
            gate: None,
        };
        let store = Store::open(options).await.unwrap();
        let options = Options { clock: clock.clone(), background_interval: Some(Duration::from_secs(1)) };
        let (handle, engine) = Engine::start(store, options);
        let new = NewProject { name: "p".into(), description: None, repository: None, limits: None };
        let Ok(Reply::Project(project)) = handle.execute(Command::CreateProject(new)).await else { panic!() };
        Self { clock, handle, engine, project }
    }

    pub(crate) async fn item(&self, executor: Executor) -> WorkItemId {
        let spec = Spec { executor, ..Spec::new("an item") };
        let item = NewWorkItem { project_id: self.project, spec, depends_on: vec![] };
        let command = Command::CreateWorkItems { items: vec![item.into()], enqueue: false };
        match self.handle.execute(command).await {
            Ok(Reply::WorkItems(ids)) => ids[0],
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn enqueue(&self, work_item_id: WorkItemId, delay_ms: i64) {
        let command = Command::Enqueue { work_item_id, depends_on: None, priority: None, delay_ms };
        self.handle.execute(command).await.unwrap();
    }

    pub(crate) async fn claim(&self, worker: &str, wait: Duration) -> Vec<Assignment> {
        self.claim_of(worker, vec![], wait).await
    }

    pub(crate) async fn claim_of(
        &self,
        worker: &str,
        executors: Vec<Executor>,
        wait: Duration,
    ) -> Vec<Assignment> {
        let claim = ClaimRequest { executors, ..request(worker) };
        match self.handle.claim(Command::Claim(claim), wait).await {
            Ok(Reply::Claimed(runs)) => runs,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn request(worker: &str) -> ClaimRequest {
    let worker_id = WorkerId::new(worker).unwrap();
    ClaimRequest { worker_id, max: 1, ttl_ms: 10_000, executors: vec![], labels: vec![], resources: None }
}
