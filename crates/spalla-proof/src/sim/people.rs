//! The people of one schedule: they make work, change their minds, decide, and repeat each wish until it is answered.

use super::dice::Dice;
use super::ledger::Ledger;
use super::network::{Line, NoAnswer};
use futures_util::FutureExt as _;
use spalla_domain::approval::{Decision, Kind};
use spalla_domain::claim::{Assignment, ClaimRequest, Heartbeat, LogBatch};
use spalla_domain::log::{LogLine, Stream};
use spalla_domain::project::NewProject;
use spalla_domain::quota::Quota;
use spalla_domain::schedule::{self, CatchUp, Overlap, Patch};
use spalla_domain::work_item::{Dependency, Executor, NewWorkItem, Policy, Spec, SpecPatch, When};
use spalla_domain::{
    ApprovalId, Fence, ProjectId, Refusal, RunId, ScheduleId, Timestamp, WorkItemId, WorkerId,
};
use spalla_store::command::{Delay, EnqueueWish, IdempotencyKey, PlannedItem, Requeued, RunEnd};
use spalla_store::{Command, ExecuteError, Reply, Request};
use std::sync::Arc;
use std::time::Duration;

/// How often schedules fire here: often, for a schedule of the simulator is over within a minute.
pub(crate) const EVERY_TWO_SECONDS: &str = "*/2 * * * * *";

/// One person with what they know.
pub(crate) struct Person {
    pub(crate) name: usize,
    pub(crate) dice: Arc<Dice>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) line: Line,
    pub(crate) wishes: u64,
    pub(crate) project: ProjectId,
    pub(crate) items: Vec<WorkItemId>,
    pub(crate) approvals: Vec<ApprovalId>,
    /// The schedules that they made.
    pub(crate) schedules: Vec<ScheduleId>,
    /// What they claimed themselves: leases that may be over, taken over, or given back long since.
    pub(crate) leases: Vec<Heartbeat>,
}

impl Person {
    /// Makes a project and then so many wishes, with pauses.
    pub(crate) async fn act(mut self, wishes: u64) {
        let new =
            NewProject { name: format!("p{}", self.name), description: None, repository: None, limits: None };
        if let Some(Reply::Project(id)) = self.ask(Command::CreateProject(new)).await {
            self.project = id;
        }
        for _ in 0..wishes {
            self.wish().await;
            if self.dice.chance(600) {
                tokio::time::sleep(Duration::from_millis(self.dice.between(1, 400))).await;
            }
        }
        self.come_back_late().await;
    }

    /// Scripts that come back when somebody else has their run, or somebody has stopped it.
    async fn come_back_late(&mut self) {
        for _ in 0..self.leases.len().min(3) {
            tokio::time::sleep(Duration::from_millis(self.dice.between(1, 3_000))).await;
            let stopped = self.dice.one_of(&self.leases).filter(|_| self.dice.chance(300));
            if let Some(run_id) = stopped.map(|lease| lease.run_id) {
                self.ask(Command::CancelRun { run_id }).await;
            }
            self.bear_token().await;
        }
    }

    /// Makes a project with one item that everybody can take at once.
    pub(crate) async fn bring_one_item(&mut self, delay_ms: i64) -> Option<WorkItemId> {
        let new = NewProject { name: "probe".to_owned(), description: None, repository: None, limits: None };
        let Some(Reply::Project(id)) = self.ask(Command::CreateProject(new)).await else { return None };
        self.project = id;
        let items = vec![self.planned(0)];
        let create = Command::CreateWorkItems { items, enqueue: delay_ms == 0 };
        let Some(Reply::WorkItems(items)) = self.ask(create).await else { return None };
        self.ledger.acknowledge(&items);
        let item = *items.first()?;
        if delay_ms > 0 {
            let enqueue = Command::Enqueue { work_item_id: item, depends_on: None, priority: None, delay_ms };
            self.ask(enqueue).await?;
        }
        Some(item)
    }

    async fn wish(&mut self) {
        match self.dice.below(118) {
            100..=103 => self.set_quota().await,
            104..=107 => self.schedule().await,
            108..=111 => self.enqueue_all().await,
            112..=117 => self.pause_or_resume().await,
            0..=29 => self.make_items().await,
            30..=44 => self.enqueue().await,
            45..=52 => self.ask_for_approval().await,
            53..=60 => self.decide().await,
            61..=67 => self.requeue().await,
            68..=73 => self.cancel().await,
            74..=79 => self.start().await,
            80..=82 => drop(self.ask(Command::Tick { max: 500, external_only: false }).await),
            83..=84 => self.bear_token().await,
            85..=89 => self.complete_by_hand().await,
            90..=93 => self.claim_by_hand().await,
            94..=97 => self.change().await,
            _ => self.archive().await,
        }
    }

    async fn make_items(&mut self) {
        let count = self.dice.between(1, 4) as usize;
        let items = (0..count).map(|place| self.planned(place)).collect();
        let enqueue = self.dice.chance(750);
        let reply = self.ask(Command::CreateWorkItems { items, enqueue }).await;
        if let Some(Reply::WorkItems(items)) = reply {
            self.ledger.acknowledge(&items);
            self.items.extend(items);
        }
    }

    fn planned(&self, place: usize) -> PlannedItem {
        let when = || match self.dice.below(10) {
            0 => When::Failure,
            1..=2 => When::Done,
            _ => When::Success,
        };
        let after = (0..place).filter(|_| self.dice.chance(450)).map(|before| (before, when())).collect();
        let earlier = self.dice.one_of(&self.items).filter(|_| self.dice.chance(200));
        let depends_on = earlier.map(|id| Dependency { id: *id, when: when() }).into_iter().collect();
        let executor = if self.dice.chance(120) { Executor::External } else { Executor::Recipe };
        let spec = Spec {
            executor,
            priority: self.dice.below(10) as u8,
            critical: self.dice.chance(700),
            ..Spec::new("work")
        };
        PlannedItem { item: NewWorkItem { project_id: self.project, spec, depends_on }, after }
    }

    async fn enqueue(&mut self) {
        let Some(work_item_id) = self.some_item() else { return };
        let depends_on = self.some_item().filter(|_| self.dice.chance(400));
        let priority = self.dice.chance(200).then(|| self.dice.below(10) as u8);
        let delay_ms = if self.dice.chance(200) { self.dice.between(1, 3_000) as i64 } else { 0 };
        self.ask(Command::Enqueue { work_item_id, depends_on, priority, delay_ms }).await;
    }

    async fn enqueue_all(&mut self) {
        let count = self.dice.between(1, 4);
        let wishes: Vec<EnqueueWish> = (0..count)
            .filter_map(|_| {
                let depends_on = self.some_item().filter(|_| self.dice.chance(200));
                let delay_ms = if self.dice.chance(200) { self.dice.between(1, 2_000) as i64 } else { 0 };
                Some(EnqueueWish { work_item_id: self.some_item()?, depends_on, priority: None, delay_ms })
            })
            .collect();
        self.ask(Command::EnqueueAll { wishes }).await;
    }

    async fn set_quota(&mut self) {
        let quota = Quota {
            daily_runs: self.dice.chance(300).then(|| self.dice.below(12)),
            max_concurrent_runs: self.dice.chance(600).then(|| self.dice.below(3) as u32),
            ..Quota::default()
        };
        self.ask(Command::SetQuota { project_id: self.project, quota }).await;
    }

    /// Makes a schedule, or changes or removes one.
    async fn schedule(&mut self) {
        if let Some(id) = self.dice.one_of(&self.schedules).copied().filter(|_| self.dice.chance(500)) {
            let change = match self.dice.below(3) {
                0 => Command::RemoveSchedule { id },
                1 => {
                    let enabled = Some(self.dice.chance(500));
                    Command::UpdateSchedule { id, patch: Patch { enabled, ..Patch::default() } }
                }
                _ => {
                    let overlap = Some(Overlap::Queue);
                    Command::UpdateSchedule { id, patch: Patch { overlap, ..Patch::default() } }
                }
            };
            self.ask(change).await;
            return;
        }
        let Some(item) = self.some_item() else { return };
        let overlap = if self.dice.chance(700) { Overlap::Skip } else { Overlap::Queue };
        let catch_up = if self.dice.chance(700) { CatchUp::All } else { CatchUp::Last };
        let spec = schedule::Spec { overlap, catch_up, ..schedule::Spec::new(item, EVERY_TWO_SECONDS) };
        if let Some(Reply::Schedule(id)) = self.ask(Command::CreateSchedule(spec)).await {
            self.schedules.push(id);
        }
    }

    async fn pause_or_resume(&mut self) {
        let run_id = self.leases.last().map_or_else(|| self.some_run(), |lease| lease.run_id);
        let run_id = if self.dice.chance(700) { self.some_run() } else { run_id };
        let pauses = self.dice.chance(650);
        self.ask(if pauses { Command::PauseRun { run_id } } else { Command::ResumeRun { run_id } }).await;
    }

    async fn ask_for_approval(&mut self) {
        let Some(work_item_id) = self.some_item() else { return };
        let reply = self
            .ask(Command::RequestApproval { work_item_id, kind: Kind::Deploy, need: Default::default() })
            .await;
        if let Some(Reply::Approval(id)) = reply {
            self.approvals.push(id);
        }
    }

    async fn decide(&mut self) {
        let Some(id) = self.dice.one_of(&self.approvals).copied() else { return };
        let decision = if self.dice.chance(750) { Decision::Approve } else { Decision::Reject };
        self.ask(Command::DecideApproval { id, decision, by: None, note: None, roles: vec![] }).await;
    }

    async fn requeue(&mut self) {
        let target = match self.some_item() {
            Some(item) if self.dice.chance(700) => Requeued::WorkItem(item),
            _ => Requeued::Run(self.some_run()),
        };
        let delay = match self.dice.below(3) {
            0 => Delay::Backoff,
            1 => Delay::Ms(self.dice.between(1, 2_000) as i64),
            _ => Delay::Ms(0),
        };
        self.ask(Command::Requeue { target, priority: None, delay }).await;
    }

    async fn cancel(&mut self) {
        let run_id = self.some_run();
        self.ask(Command::CancelRun { run_id }).await;
    }

    async fn start(&mut self) {
        let Some(work_item_id) = self.some_item() else { return };
        self.ask(Command::Start { work_item_id }).await;
    }

    async fn complete_by_hand(&mut self) {
        let end = self.end_of(self.some_run(), None);
        self.ask(Command::Complete(end)).await;
    }

    fn end_of(&self, run_id: RunId, fencing_token: Option<Fence>) -> RunEnd {
        RunEnd {
            run_id,
            fencing_token,
            success: self.dice.chance(700),
            exit_code: None,
            result: None,
            usage: None,
            error: None,
            sandbox: None,
        }
    }

    /// Takes a run like a script that then forgets it, or goes on with it.
    async fn claim_by_hand(&mut self) {
        let Ok(worker) = WorkerId::new(format!("script-{}", self.name)) else { return };
        let ttl_ms = self.dice.between(200, 2_000) as i64;
        let claim = if self.dice.chance(400) {
            Command::ClaimRun { run_id: self.some_run(), worker, ttl_ms }
        } else {
            let (executors, labels) = (vec![], vec![]);
            Command::Claim(ClaimRequest {
                worker_id: worker,
                max: 1,
                ttl_ms,
                executors,
                labels,
                resources: None,
            })
        };
        let reply = self.ask(claim).await;
        if let Some(Reply::Claimed(runs)) = reply {
            let lease = |run: &Assignment| Heartbeat { run_id: run.run_id, fencing_token: run.fencing_token };
            self.leases.extend(runs.iter().map(lease));
            if self.dice.chance(700) {
                self.bear_token().await;
            }
        }
    }

    /// Says something under a token that counts or not, like a script that does not know; now and then it gives the
    /// run back first and goes on all the same.
    async fn bear_token(&mut self) {
        let Some(lease) = self.dice.one_of(&self.leases).copied() else { return };
        let Ok(worker) = WorkerId::new(format!("script-{}", self.name)) else { return };
        if self.dice.chance(400) {
            self.say_once(Command::HandBack(lease)).await;
        }
        let command = match self.dice.below(3) {
            0 => {
                Command::Heartbeat { heartbeat: lease, worker, ttl_ms: self.dice.between(200, 2_000) as i64 }
            }
            1 => Command::AppendLogs(LogBatch {
                run_id: lease.run_id,
                fencing_token: lease.fencing_token,
                first_seq: None,
                lines: vec![LogLine {
                    at: Timestamp::from_ms(0),
                    stream: Stream::Stdout,
                    step: None,
                    text: format!("token {} of a script", lease.fencing_token),
                }],
            }),
            _ => Command::Complete(self.end_of(lease.run_id, Some(lease.fencing_token))),
        };
        self.say_once(command).await;
    }

    /// Says what bears no key, and so must not be repeated: whether it is answered does not matter.
    async fn say_once(&self, command: Command) {
        drop(self.say(Request::from(command)).await);
    }

    async fn change(&mut self) {
        let Some(id) = self.some_item() else { return };
        let patch = SpecPatch {
            priority: Some(self.dice.below(10) as u8),
            critical: self.dice.chance(300).then(|| self.dice.chance(500)),
            ..SpecPatch::default()
        };
        let policy = Policy {
            max_retries: self.dice.chance(500).then(|| self.dice.below(3) as u32),
            ..Policy::default()
        };
        self.ask(Command::UpdateWorkItem { id, patch: Box::new(patch), policy }).await;
    }

    async fn archive(&mut self) {
        let Some(id) = self.some_item() else { return };
        self.ask(Command::ArchiveWorkItem { id }).await;
    }

    fn some_item(&self) -> Option<WorkItemId> {
        self.dice.one_of(&self.items).copied()
    }

    /// Returns a run that there may be: they are numbered from 1, and so may be guessed.
    fn some_run(&self) -> RunId {
        RunId(self.dice.between(1, 1 + self.items.len() as u64) as i64)
    }

    /// Repeats a wish with one key until it is answered; returns what was granted.
    pub(crate) async fn ask(&mut self, command: Command) -> Option<Reply> {
        self.wishes += 1;
        let key = IdempotencyKey { key: format!("{}-{}", self.name, self.wishes), fingerprint: [0; 32] };
        let request = Request { command, idempotency: Some(key), audit: None, scope: None };
        loop {
            let answer = self.say(request.clone()).await;
            match answer {
                Ok(Ok(reply)) => return Some(reply),
                Ok(Err(_)) => return None,
                Err(NoAnswer) => {
                    tokio::time::sleep(Duration::from_millis(self.dice.between(20, 200))).await;
                }
            }
        }
    }

    async fn say(&self, request: Request) -> Result<Result<Reply, Refusal>, NoAnswer> {
        let call = |server: spalla_engine::EngineHandle| {
            let request = request.clone();
            async move { server.execute(request).await }.boxed()
        };
        match self.line.call(call).await? {
            Ok(reply) => Ok(Ok(reply)),
            Err(ExecuteError::Refused(refusal)) => Ok(Err(refusal)),
            Err(ExecuteError::Store(_)) => Err(NoAnswer),
        }
    }
}
