//! Random scripts: wishes that make sense and wishes that don't, about a handful of things that are all in use.

use crate::fixture::scatter;
use crate::fixture::verbs::{LEASE_MS, end, worker};
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
const ITEMS_MAX: usize = 16;
/// Fewer items than these would leave most wishes without an object.
const ITEMS_MIN: usize = 5;
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
    Ask(Box<Request>),
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
    undecided: Vec<ApprovalId>,
    runs: Vec<RunId>,
    live: Vec<RunId>,
    tokens: Vec<Token>,
    leases: Vec<Token>,
}

impl Script {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            throws: 0,
            projects: vec![],
            items: vec![],
            approvals: vec![],
            undecided: vec![],
            runs: vec![],
            live: vec![],
            tokens: vec![],
            leases: vec![],
        }
    }

    /// Returns the settings of this script's stores.
    pub(super) fn settings(&self) -> Settings {
        let pick = |salt: u64, below: u64| scatter(scatter(self.seed) ^ salt) % below;
        Settings {
            retry: RetryPolicy {
                max_retries: pick(1, 3) as u32,
                backoff_base_ms: pick(2, 2) as i64 * 1_000,
                backoff_jitter_ms: pick(3, 2) as i64 * 700,
                ..RetryPolicy::default()
            },
            takeovers_max: pick(4, 3) as u32,
            require_approval: pick(5, 4) > 0,
            claims_take_eligible: pick(6, 4) > 0,
            ..Settings::default()
        }
    }

    /// Takes note of what there is now.
    pub(super) fn learn(&mut self, events: &[Event]) {
        for event in events {
            match (&event.fact, event.work_item_id, event.run_id) {
                (Fact::ProjectCreated { .. }, ..) => self.projects.push(event.project_id),
                (Fact::WorkItemCreated { .. }, Some(id), _) => self.items.push(id),
                (Fact::ApprovalRequested { approval_id, .. }, ..) => {
                    self.approvals.push(*approval_id);
                    self.undecided.push(*approval_id);
                }
                (Fact::ApprovalDecided { approval_id, .. }, ..) => {
                    self.undecided.retain(|id| id != approval_id)
                }
                (fact, _, Some(run)) => self.learn_of_run(run, fact),
                _ => {}
            }
        }
    }

    fn learn_of_run(&mut self, run_id: RunId, fact: &Fact) {
        if !self.runs.contains(&run_id) {
            self.runs.push(run_id);
            self.live.push(run_id);
        }
        // Whatever happens to a run ends its lease or begins a new one.
        self.leases.retain(|token| token.run_id != run_id);
        match fact {
            Fact::RunClaimed { worker, fence, .. } => {
                let token = Token { run_id, fence: *fence, worker: worker.clone() };
                self.leases.push(token.clone());
                self.tokens.push(token);
            }
            Fact::RunCreated { .. } | Fact::LeaseExpired { .. } | Fact::RunHandedBack { .. } => {}
            _ => self.live.retain(|live| *live != run_id),
        }
    }

    /// Makes the next step.
    pub(super) fn next(&mut self) -> Step {
        if self.projects.is_empty() {
            return Step::Ask(Box::new(self.create_project().into()));
        }
        if self.items.len() < ITEMS_MIN {
            return Step::Ask(Box::new(self.create_items().into()));
        }
        match self.below(100) {
            0..4 => Step::Pass { ms: self.span_ms() },
            4..8 => Step::Wait { ms: self.span_ms() },
            _ => {
                let command = self.command();
                Step::Ask(Box::new(Request { command, idempotency: self.key(), audit: None, scope: None }))
            }
        }
    }

    /// Makes a group of requests that arrive together, with the time that passes before. Whoever looks for runs comes
    /// last, as in a batch, and who completes runs before that comes first among them; the clock's own work, which a
    /// batch does once, and what is made in one more command than that is left out.
    pub(super) fn group(&mut self) -> (i64, Vec<Request>) {
        let wait_ms = if self.one_in(4) { self.span_ms() } else { 1 };
        let (mut settled, mut exchanges, mut picks) = (vec![], vec![], vec![]);
        let mut makes = false;
        for _ in 0..2 + self.below(14) {
            let Step::Ask(request) = self.next() else { continue };
            let request = *request;
            match &request.command {
                Command::KeepTime { .. } | Command::ForgetWorker { .. } => {}
                Command::CreateWorkItems { .. } if makes => {}
                Command::CreateWorkItems { .. } => {
                    makes = true;
                    settled.push(request);
                }
                Command::Exchange(_) => exchanges.push(request),
                Command::Claim(_) | Command::Tick { .. } => picks.push(request),
                _ => settled.push(request),
            }
        }
        exchanges.truncate(1);
        (wait_ms, settled.into_iter().chain(exchanges).chain(picks).collect())
    }

    fn command(&mut self) -> Command {
        match self.below(100) {
            0..7 => self.create_items(),
            7 => self.create_project(),
            8 => self.update_project(),
            9..22 => self.enqueue(),
            22..28 => self.requeue(),
            28..33 => Command::Start { work_item_id: self.item() },
            33..37 => Command::Tick { max: self.below(4) as u32, external_only: self.one_in(4) },
            37..45 => Command::Claim(self.claim()),
            45..58 => Command::Exchange(self.exchange()),
            58..61 => Command::ClaimRun { run_id: self.run(), worker: self.worker(), ttl_ms: self.ttl_ms() },
            61..66 => self.heartbeat(),
            66..79 => Command::Complete(self.end()),
            79..82 => Command::HandBack(self.beat()),
            82 => Command::CancelRun { run_id: self.run() },
            83..88 => Command::AppendLogs(self.logs()),
            88 => Command::ForgetWorker { worker: self.worker(), but: vec![self.run()] },
            89..92 => self.update_item(),
            92 => self.archive(),
            93..95 => Command::RequestApproval {
                work_item_id: self.item(),
                kind: self.approval_kind(),
                need: Default::default(),
            },
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

    /// Chooses mostly among the likely ones, at times among all, and seldom what does not exist.
    fn likely<T: Clone>(&mut self, likely: &[T], all: &[T], none: T) -> T {
        let choices = if likely.is_empty() || self.one_in(3) { all } else { likely };
        if choices.is_empty() || self.one_in(60) { none } else { self.one_of(choices) }
    }

    // Things.

    fn project(&mut self) -> ProjectId {
        let choices = self.projects.clone();
        self.likely(&choices, &choices, ProjectId(77))
    }

    fn item(&mut self) -> WorkItemId {
        let choices = self.items.clone();
        self.likely(&choices, &choices, WorkItemId(777))
    }

    fn run(&mut self) -> RunId {
        let (live, all) = (self.live.clone(), self.runs.clone());
        self.likely(&live, &all, RunId(777))
    }

    fn worker(&mut self) -> WorkerId {
        worker(self.one_of(&["ada", "bob", "cyd"]))
    }

    /// Chooses a token: mostly of a live lease, at times an old one, or a number that was never given.
    fn token(&mut self) -> Token {
        let nobody = Token { run_id: RunId(1), fence: Fence(1), worker: worker("ada") };
        let (leases, all) = (self.leases.clone(), self.tokens.clone());
        let token = self.likely(&leases, &all, nobody);
        if self.one_in(15) {
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
        Command::CreateProject(NewProject { name: "app".into(), description: None, repository, limits: None })
    }

    fn update_project(&mut self) -> Command {
        let id = self.project();
        if self.one_in(8) {
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
        let parents = if self.items.is_empty() { 0 } else { self.below(5) / 2 };
        let depends_on = (0..parents).map(|_| Dependency { id: self.item(), when: self.when() }).collect();
        let is_after = n > 0 && self.one_in(2);
        let after = if is_after { vec![(self.below(n as u64) as usize, self.when())] } else { vec![] };
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
            ..Spec::new("something")
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
        let depends_on = self.one_in(4).then(|| self.item());
        // A child that is younger than its parent closes no circle.
        let item = self.item();
        let work_item_id =
            if self.one_in(5) { item } else { depends_on.map_or(item, |parent| parent.max(item)) };
        let delay_ms = self.one_of(&[0, 0, 0, 2_500]);
        Command::Enqueue { work_item_id, depends_on, priority: self.priority(), delay_ms }
    }

    fn requeue(&mut self) -> Command {
        let target = if self.one_in(3) { Requeued::Run(self.run()) } else { Requeued::WorkItem(self.item()) };
        let delay = self.one_of(&[Delay::Ms(0), Delay::Ms(0), Delay::Ms(2_500), Delay::Backoff]);
        Command::Requeue { target, priority: self.priority(), delay }
    }

    fn claim(&mut self) -> ClaimRequest {
        let executors = if self.one_in(5) { vec![self.executor()] } else { vec![] };
        let labels = if self.one_in(5) { vec!["gpu".to_owned()] } else { vec![] };
        ClaimRequest {
            worker_id: self.worker(),
            max: self.below(4) as u32,
            ttl_ms: self.ttl_ms(),
            executors,
            labels,
            resources: None,
        }
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
            sandbox: said.sandbox,
        }
    }

    fn end(&mut self) -> RunEnd {
        if self.one_in(5) {
            let run = self.run();
            return self.end_of(run, None);
        }
        let token = self.token();
        self.end_of(token.run_id, Some(token.fence))
    }

    fn end_of(&mut self, run_id: RunId, fence: Option<Fence>) -> RunEnd {
        let success = !self.one_in(3);
        let class = self.one_of(&[ErrorClass::Failed, ErrorClass::Network, ErrorClass::Validation]);
        let error = (!success && self.one_in(2)).then(|| RunError::new(class, "it broke"));
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
        let line =
            |n| LogLine { at: Timestamp::from_ms(n), stream, step: None, text: format!("line {n} \u{0}") };
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
        let (undecided, all) = (self.undecided.clone(), self.approvals.clone());
        let id = self.likely(&undecided, &all, ApprovalId(777));
        let decision = if self.one_in(8) { Decision::Reject } else { Decision::Approve };
        Command::DecideApproval {
            id,
            decision,
            by: self.one_in(2).then(|| "ada".into()),
            note: None,
            roles: vec![],
        }
    }
}
