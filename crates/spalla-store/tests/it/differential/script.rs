//! Random scripts: wishes that make sense and wishes that don't, about a handful of things that are all in use.

use crate::fixture::scatter;
use crate::fixture::verbs::{LEASE_MS, end, spec, worker};
use spalla_domain::approval::{Decision, Kind};
use spalla_domain::claim::{ClaimRequest, Completion, Exchange, Heartbeat, LogBatch, RunError};
use spalla_domain::event::{Event, Fact};
use spalla_domain::log::{LogLine, Stream};
use spalla_domain::project::{NewProject, ProjectPatch};
use spalla_domain::retry::{ErrorClass, RetryPolicy};
use spalla_domain::work_item::{Dependency, Executor, NewWorkItem, Policy, Spec, SpecPatch, When};
use spalla_domain::{ApprovalId, Fence, ProjectId, RunId, Timestamp, WorkItemId, WorkerId};
use spalla_store::Settings;
use spalla_store::command::{Command, Delay, IdempotencyKey, PlannedItem, Request, Requeued, RunEnd};

/// More items than these would seldom meet.
const ITEMS_MAX: usize = 12;
const PROJECTS_MAX: usize = 3;

/// One step of a script.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The clock moves on, and what is due with it.
    Pass {
        /// How far.
        ms: i64,
    },
    /// The clock moves on, and nobody looks.
    Wait {
        /// How far.
        ms: i64,
    },
    /// Somebody wants something.
    Ask(Request),
}

/// A lease that was once given.
#[derive(Debug, Clone)]
struct Token {
    run_id: RunId,
    fence: Fence,
    worker: WorkerId,
}

/// Makes steps from a seed, and learns from the events what there is to make steps about.
pub(super) struct Script {
    seed: u64,
    throws: u64,
    projects: Vec<ProjectId>,
    items: Vec<WorkItemId>,
    approvals: Vec<ApprovalId>,
    runs: Vec<RunId>,
    tokens: Vec<Token>,
}

impl Script {
    pub(super) fn new(seed: u64) -> Self {
        let (projects, items, approvals, runs, tokens) = Default::default();
        Self { seed, throws: 0, projects, items, approvals, runs, tokens }
    }

    /// Returns the settings of this script's stores.
    pub(super) fn settings(&self) -> Settings {
        let pick = |salt: u64, below: u64| scatter(scatter(self.seed) ^ salt) % below;
        Settings {
            retry: RetryPolicy {
                max_retries: pick(1, 3) as u32,
                backoff_base_ms: pick(2, 2) as i64 * 1_000,
                backoff_jitter_ms: pick(3, 2) as i64 * 700,
            },
            takeovers_max: pick(4, 3) as u32,
            require_approval: pick(5, 4) > 0,
            claims_take_eligible: pick(6, 4) > 0,
        }
    }

    /// Takes note of what there is now.
    pub(super) fn learn(&mut self, events: &[Event]) {
        for event in events {
            match (&event.fact, event.work_item_id, event.run_id) {
                (Fact::ProjectCreated { .. }, ..) => self.projects.push(event.project_id),
                (Fact::WorkItemCreated { .. }, Some(id), _) => self.items.push(id),
                (Fact::ApprovalRequested { approval_id, .. }, ..) => self.approvals.push(*approval_id),
                (Fact::RunCreated { .. }, _, Some(id)) => self.runs.push(id),
                (Fact::RunClaimed { worker, fence, .. }, _, Some(run_id)) => {
                    if !self.runs.contains(&run_id) {
                        self.runs.push(run_id);
                    }
                    self.tokens.push(Token { run_id, fence: *fence, worker: worker.clone() });
                }
                _ => {}
            }
        }
    }

    /// Makes the next step.
    pub(super) fn next(&mut self) -> Step {
        if self.projects.is_empty() {
            return Step::Ask(self.create_project().into());
        }
        match self.below(100) {
            0..5 => Step::Pass { ms: self.span_ms() },
            5..10 => Step::Wait { ms: self.span_ms() },
            _ => {
                let command = self.command();
                Step::Ask(Request { command, idempotency: self.key() })
            }
        }
    }

    fn command(&mut self) -> Command {
        match self.below(100) {
            0..8 => self.create_items(),
            8 => self.create_project(),
            9 => self.update_project(),
            10..21 => self.enqueue(),
            21..25 => self.requeue(),
            25..30 => Command::Start { work_item_id: self.item() },
            30..35 => Command::Tick { max: self.below(4) as u32, external_only: self.one_in(4) },
            35..45 => Command::Claim(self.claim()),
            45..57 => Command::Exchange(self.exchange()),
            57..60 => Command::ClaimRun { run_id: self.run(), worker: self.worker(), ttl_ms: self.ttl_ms() },
            60..65 => self.heartbeat(),
            65..76 => Command::Complete(self.end()),
            76..79 => Command::HandBack(self.beat()),
            79..81 => Command::CancelRun { run_id: self.run() },
            81..86 => Command::AppendLogs(self.logs()),
            86 => Command::ForgetWorker { worker: self.worker() },
            87..90 => self.update_item(),
            90 => self.archive(),
            91..95 => Command::RequestApproval { work_item_id: self.item(), kind: self.approval_kind() },
            95..99 => self.decide(),
            _ => Command::KeepTime { max: self.below(3) as u32 },
        }
    }

    // Chances.

    fn throw(&mut self) -> u64 {
        self.throws += 1;
        scatter(scatter(self.seed) ^ self.throws)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.throw() % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        let n = self.below(choices.len() as u64) as usize;
        choices[n].clone()
    }

    /// Chooses what was made lately rather than what was made long ago, or something that does not exist.
    fn recent<T: Clone>(&mut self, choices: &[T], otherwise: T) -> T {
        if choices.is_empty() || self.one_in(40) {
            return otherwise;
        }
        let back = self.below(choices.len() as u64).min(self.below(choices.len() as u64)) as usize;
        choices[choices.len() - 1 - back].clone()
    }

    // Things.

    fn project(&mut self) -> ProjectId {
        let choices = self.projects.clone();
        self.recent(&choices, ProjectId(77))
    }

    fn item(&mut self) -> WorkItemId {
        let choices = self.items.clone();
        if choices.is_empty() || self.one_in(50) { WorkItemId(777) } else { self.one_of(&choices) }
    }

    fn run(&mut self) -> RunId {
        let choices = self.runs.clone();
        self.recent(&choices, RunId(777))
    }

    fn worker(&mut self) -> WorkerId {
        worker(self.one_of(&["ada", "bob", "cyd"]))
    }

    /// Chooses a token: mostly one of the last, at times with a number that was never given.
    fn token(&mut self) -> Token {
        let nobody = Token { run_id: RunId(1), fence: Fence(1), worker: worker("ada") };
        let choices: Vec<_> = self.tokens.iter().rev().take(8).rev().cloned().collect();
        let token = self.recent(&choices, nobody);
        if self.one_in(12) {
            let fence = Fence(self.below(5) as i64);
            return Token { fence, ..token };
        }
        token
    }

    fn span_ms(&mut self) -> i64 {
        self.one_of(&[1, 400, 2_500, LEASE_MS / 2, LEASE_MS, LEASE_MS + 1, 3_600_000])
    }

    fn ttl_ms(&mut self) -> i64 {
        self.one_of(&[LEASE_MS, LEASE_MS, 500])
    }

    fn key(&mut self) -> Option<IdempotencyKey> {
        if !self.one_in(6) {
            return None;
        }
        let key = format!("key {}", self.below(12));
        let fingerprint = if self.one_in(4) { [2; 32] } else { [1; 32] };
        Some(IdempotencyKey { key, fingerprint })
    }

    // Wishes.

    fn create_project(&mut self) -> Command {
        if self.projects.len() >= PROJECTS_MAX {
            return self.update_project();
        }
        let repository = self.one_in(2).then(|| "/srv/app".to_owned());
        Command::CreateProject(NewProject { name: "app".into(), description: None, repository })
    }

    fn update_project(&mut self) -> Command {
        let id = self.project();
        if self.one_in(4) {
            return Command::ArchiveProject { id };
        }
        let description = self.one_of(&[None, Some(None), Some(Some("new".to_owned()))]);
        Command::UpdateProject { id, patch: ProjectPatch { description, ..ProjectPatch::default() } }
    }

    fn create_items(&mut self) -> Command {
        if self.items.len() >= ITEMS_MAX {
            return self.enqueue();
        }
        let count = 1 + self.below(3) as usize;
        let items = (0..count).map(|n| self.planned(n)).collect();
        Command::CreateWorkItems { items, enqueue: self.one_in(2) }
    }

    fn planned(&mut self, n: usize) -> PlannedItem {
        let depends_on = (0..self.below(3)).map(|_| Dependency { id: self.item(), when: self.when() }).collect();
        let after = if n > 0 && self.one_in(2) { vec![(self.below(n as u64 + 1) as usize, self.when())] } else { vec![] };
        PlannedItem { item: NewWorkItem { project_id: self.project(), spec: self.spec(), depends_on }, after }
    }

    fn spec(&mut self) -> Spec {
        let executor = self.executor();
        Spec {
            description: self.one_in(2).then(|| "words".to_owned()),
            executor,
            agent: (executor == Executor::Agent).then(|| "surveyor".to_owned()),
            priority: self.below(10) as u8,
            critical: !self.one_in(3),
            timeout_ms: self.one_of(&[None, Some(30_000), Some(900_000)]),
            labels: self.labels(),
            ..spec("something")
        }
    }

    fn executor(&mut self) -> Executor {
        self.one_of(&[Executor::Recipe, Executor::Recipe, Executor::Agent, Executor::External])
    }

    fn labels(&mut self) -> Vec<String> {
        let labels: &[&str] = self.one_of(&[&[][..], &["arm"], &["arm", "gpu"]]);
        labels.iter().map(|label| (*label).to_owned()).collect()
    }

    fn when(&mut self) -> When {
        self.one_of(&[When::Success, When::Success, When::Failure, When::Done])
    }

    fn priority(&mut self) -> Option<u8> {
        self.one_in(5).then(|| self.below(10) as u8)
    }

    fn enqueue(&mut self) -> Command {
        let depends_on = self.one_in(3).then(|| self.item());
        let delay_ms = self.one_of(&[0, 0, 0, 2_500]);
        Command::Enqueue { work_item_id: self.item(), depends_on, priority: self.priority(), delay_ms }
    }

    fn requeue(&mut self) -> Command {
        let target = if self.one_in(3) { Requeued::Run(self.run()) } else { Requeued::WorkItem(self.item()) };
        let delay = self.one_of(&[Delay::Ms(0), Delay::Ms(0), Delay::Ms(2_500), Delay::Backoff]);
        Command::Requeue { target, priority: self.priority(), delay }
    }

    fn claim(&mut self) -> ClaimRequest {
        let executors = if self.one_in(5) { vec![self.executor()] } else { vec![] };
        let labels = if self.one_in(5) { vec!["gpu".to_owned()] } else { vec![] };
        ClaimRequest { worker_id: self.worker(), max: self.below(4) as u32, ttl_ms: self.ttl_ms(), executors, labels }
    }

    fn exchange(&mut self) -> Exchange {
        let completed = (0..self.below(3)).map(|_| self.completion()).collect();
        let heartbeats = (0..self.below(2)).map(|_| self.beat()).collect();
        Exchange { completed, heartbeats, claim: self.claim() }
    }

    fn completion(&mut self) -> Completion {
        let token = self.token();
        let said = self.end_of(token.run_id, Some(token.fence));
        Completion {
            run_id: said.run_id,
            fencing_token: token.fence,
            success: said.success,
            exit_code: said.exit_code,
            result: said.result,
            usage: said.usage,
            error: said.error,
        }
    }

    fn end(&mut self) -> RunEnd {
        if self.one_in(4) {
            let run = self.run();
            return self.end_of(run, None);
        }
        let token = self.token();
        self.end_of(token.run_id, Some(token.fence))
    }

    fn end_of(&mut self, run_id: RunId, fence: Option<Fence>) -> RunEnd {
        let success = !self.one_in(3);
        let class = self.one_of(&[ErrorClass::Failed, ErrorClass::Network, ErrorClass::Validation]);
        let error = (!success && self.one_in(2)).then(|| RunError { class, message: "it broke".into() });
        let exit_code = self.one_in(2).then(|| self.below(3) as i32);
        RunEnd { error, exit_code, ..end(run_id, fence, success) }
    }

    fn beat(&mut self) -> Heartbeat {
        let token = self.token();
        Heartbeat { run_id: token.run_id, fencing_token: token.fence }
    }

    fn heartbeat(&mut self) -> Command {
        let token = self.token();
        let heartbeat = Heartbeat { run_id: token.run_id, fencing_token: token.fence };
        Command::Heartbeat { heartbeat, worker: token.worker, ttl_ms: self.ttl_ms() }
    }

    fn logs(&mut self) -> LogBatch {
        let token = self.token();
        let first_seq = self.one_of(&[None, None, Some(0), Some(1), Some(2), Some(4)]);
        let stream = self.one_of(&[Stream::Stdout, Stream::Stderr]);
        let line = |n| LogLine { at: Timestamp::from_ms(n), stream, step: None, text: format!("line {n} \u{0}") };
        let lines = (0..self.below(4) as i64).map(line).collect();
        LogBatch { run_id: token.run_id, fencing_token: token.fence, first_seq, lines }
    }

    fn update_item(&mut self) -> Command {
        let none = SpecPatch::default;
        let patch = match self.below(6) {
            0 => SpecPatch { priority: Some(self.below(11) as u8), ..none() },
            1 => SpecPatch { critical: Some(self.one_in(2)), ..none() },
            2 => SpecPatch { labels: Some(self.labels()), ..none() },
            3 => SpecPatch { executor: Some(self.executor()), ..none() },
            4 => SpecPatch { timeout_ms: Some(self.one_of(&[None, Some(60_000)])), ..none() },
            _ => none(),
        };
        let max_retries = self.one_in(4).then(|| self.below(3) as u32);
        let policy = Policy { max_retries, ..Policy::default() };
        Command::UpdateWorkItem { id: self.item(), patch: Box::new(patch), policy }
    }

    fn archive(&mut self) -> Command {
        if self.one_in(2) { Command::ArchiveWorkItem { id: self.item() } } else { self.enqueue() }
    }

    fn approval_kind(&mut self) -> Kind {
        self.one_of(&[Kind::Start, Kind::Deploy, Kind::Spend])
    }

    fn decide(&mut self) -> Command {
        let choices = self.approvals.clone();
        let id = self.recent(&choices, ApprovalId(777));
        let decision = if self.one_in(4) { Decision::Reject } else { Decision::Approve };
        Command::DecideApproval { id, decision, by: self.one_in(2).then(|| "ada".into()), note: None }
    }
}
