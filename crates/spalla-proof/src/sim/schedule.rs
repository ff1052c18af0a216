//! One schedule: servers, workers and people do what the dice of a seed say while faults strike; then the faults end,
//! and everything has to drain.

use super::crew::Crew;
use super::database::Database;
use super::dice::{Dice, Fault, Faults, Strikes};
use super::ledger::Ledger;
use super::network::{Line, Network};
use super::people::Person;
use super::servers::Servers;
use super::stall::Stall;
use spalla_domain::approval::{self, Decision};
use spalla_domain::event::Event;
use spalla_domain::quota::Quota;
use spalla_domain::retry::RetryPolicy;
use spalla_domain::{ProjectId, ScheduleId, run};
use spalla_engine::history::Rules;
use spalla_store::document::{Kind, ProjectQuota};
use spalla_store::view::{DocumentFilter, Page, RunFilter};
use spalla_store::{Command, Settings, Store, StoreError};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How often the world is looked at, in milliseconds.
const LOOK_MS: u64 = 250;
/// How often everything is looked at before it is said not to drain: twenty minutes of the schedule's time.
const LOOKS_MAX: u32 = 4_800;
/// How long a waiting worker may take to be given what came, in milliseconds: the disk, the network, another server.
const WAKE_UP_MS: u64 = 200;
/// How long an item of the probe is delayed, where it is, in milliseconds.
const PROBE_DELAY_MS: u64 = 300;
/// Far more commands than any schedule needs: one that goes beyond runs in a circle.
const COMMANDS_MAX: u64 = 20_000;

/// What decides a schedule; the same plan is the same run, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Where chance begins.
    pub(crate) seed: u64,
    /// Which faults may strike.
    pub(crate) faults: Faults,
    /// How many servers.
    pub(crate) servers: usize,
    /// How many workers.
    pub(crate) workers: usize,
    /// How many people.
    pub(crate) people: usize,
    /// How many wishes each of them has.
    pub(crate) wishes: u64,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, faults, servers, workers, people, wishes } = self;
        write!(
            f,
            "seed {seed}, {servers} servers, {workers} workers, {people} people with {wishes} wishes each, "
        )?;
        write!(f, "faults:")?;
        let strike = Fault::ALL.iter().filter(|fault| faults.has(**fault));
        strike.into_iter().try_for_each(|fault| write!(f, " {}", fault.as_str()))
    }
}

impl Plan {
    /// Returns the plan of a seed.
    pub(crate) fn of(seed: u64, servers_max: usize) -> Self {
        let dice = Dice::new(!seed, Faults::NONE);
        Self {
            seed,
            faults: Faults::ALL,
            servers: dice.between(1, servers_max as u64) as usize,
            workers: dice.between(1, 3) as usize,
            people: dice.between(1, 2) as usize,
            wishes: dice.between(3, 7),
        }
    }
}

/// What came of a schedule.
pub(crate) struct Verdict {
    /// Every broken promise.
    pub(crate) broken: Vec<String>,
    /// What happened.
    pub(crate) events: Vec<Event>,
    /// How many commands reached the store.
    pub(crate) steps: u64,
    /// Stands for all that happened, byte for byte.
    pub(crate) digest: u64,
    /// How often each fault struck.
    pub(crate) strikes: Strikes,
}

/// Runs a schedule to its end.
pub(crate) fn run(plan: Plan, database: Database) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        // The world is made inside, where the time is the schedule's own.
        Ok(runtime) => runtime.block_on(async move { World::new(plan, database).run().await }),
        Err(error) => Verdict {
            broken: vec![format!("no runtime: {error}")],
            events: vec![],
            steps: 0,
            digest: 0,
            strikes: Strikes::default(),
        },
    }
}

/// Returns how long after the beginning of the schedule a moment is, in milliseconds.
pub(crate) fn since_begin_ms(at: spalla_domain::Timestamp) -> i64 {
    at.ms() - super::clock::BEGIN_MS
}

struct World {
    plan: Plan,
    dice: Arc<Dice>,
    ledger: Arc<Ledger>,
    database: Database,
    servers: Arc<Servers>,
    network: Arc<Network>,
    crew: Crew,
    takes_eligible: bool,
}

impl World {
    fn new(plan: Plan, database: Database) -> Self {
        let dice = Arc::new(Dice::new(plan.seed, plan.faults));
        let takes_eligible = dice.chance(850);
        let settings = Settings {
            retry: RetryPolicy {
                max_retries: 2,
                backoff_base_ms: 200,
                backoff_jitter_ms: 100,
                ..RetryPolicy::default()
            },
            takeovers_max: dice.between(1, 3) as u32,
            require_approval: true,
            claims_take_eligible: takes_eligible,
            ..Settings::default()
        };
        let rules = Rules { approvals_required: true, takeovers_max: Some(settings.takeovers_max) };
        let ledger = Arc::new(Ledger::new(rules, database.clone()));
        let means = (Arc::clone(&dice), Arc::clone(&ledger));
        let servers = Servers::new(plan.servers, means, database.clone(), settings);
        let network = Network::new(Arc::clone(&dice), Arc::clone(&servers));
        let crew = Crew::new(plan.workers, Arc::clone(&network));
        Self { plan, dice, ledger, database, servers, network, crew, takes_eligible }
    }

    async fn run(mut self) -> Verdict {
        (0..self.servers.count()).for_each(|number| self.servers.start(number));
        self.crew.recover();
        self.live().await;
        self.heal();
        self.drain().await;
        if self.takes_eligible && self.dice.chance(60) && !self.ledger.is_broken() {
            self.probe().await;
        }
        self.crew.dismiss().await;
        if let Some(store) = self.some_store() {
            self.ledger.close(&store);
        }
        (0..self.servers.count()).for_each(|number| self.servers.kill(number));
        let (broken, events) = self.ledger.verdict();
        // Whatever happened otherwise would have thrown the dice otherwise.
        let digest = self.dice.number() ^ self.ledger.commands();
        Verdict { broken, events, steps: self.ledger.commands(), digest, strikes: self.dice.all_strikes() }
    }

    /// People act while faults strike.
    async fn live(&mut self) {
        let mut people = JoinSet::new();
        for name in 0..self.plan.people {
            people.spawn(self.person(name).act(self.plan.wishes));
        }
        let mut looks = 0;
        loop {
            tokio::select! {
                biased;
                ended = people.join_next() => if ended.is_none() { return },
                () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {
                    looks += 1;
                    self.strike();
                    if looks > LOOKS_MAX || self.ledger.commands() > COMMANDS_MAX {
                        return self.ledger.complain("people are never answered".to_owned());
                    }
                }
            }
        }
    }

    fn person(&self, name: usize) -> Person {
        Person {
            name,
            dice: Arc::clone(&self.dice),
            ledger: Arc::clone(&self.ledger),
            line: Line::new(Arc::clone(&self.network), Stall::default()),
            wishes: 0,
            project: ProjectId(0),
            items: vec![],
            approvals: vec![],
            schedules: vec![],
            leases: vec![],
        }
    }

    fn strike(&mut self) {
        for number in 0..self.servers.count() {
            if !self.servers.is_alive(number) {
                if self.dice.chance(500) {
                    self.servers.start(number);
                }
            } else if self.dice.strikes(Fault::ServerDied, 25) {
                self.servers.kill(number);
            }
            if self.dice.strikes(Fault::ClockJumped, 15) {
                let ms = self.dice.between(1, 40_000) as i64 - 20_000;
                self.servers.clock(number).set_by_ms(ms);
            }
        }
        self.crew.suffer();
    }

    fn heal(&mut self) {
        self.dice.calm_down();
        self.servers.set_clocks_right();
        for number in 0..self.servers.count() {
            if !self.servers.is_alive(number) {
                self.servers.start(number);
            }
        }
        self.crew.recover();
    }

    /// Lets everything come to its end, with somebody who answers what is asked.
    async fn drain(&mut self) {
        let mut caretaker = self.person(self.plan.people);
        for _ in 0..LOOKS_MAX {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            self.crew.recover();
            let Some(store) = self.some_store() else { continue };
            self.ease(&store, &mut caretaker).await;
            self.answer(&store, &mut caretaker).await;
            self.resume(&store, &mut caretaker).await;
            if !self.takes_eligible {
                caretaker.ask(Command::Tick { max: 500, external_only: false }).await;
            }
            if self.ledger.is_broken() || self.ledger.commands() > COMMANDS_MAX || self.is_quiet(&store) {
                break;
            }
        }
        let is_quiet = self.some_store().is_some_and(|store| self.is_quiet(&store));
        if !is_quiet && !self.ledger.is_broken() {
            self.ledger.complain("it does not drain".to_owned());
        }
    }

    /// Lets nothing begin again and again, and nothing wait for another day.
    async fn ease(&self, store: &Store, caretaker: &mut Person) {
        let all = |kind| DocumentFilter { kind, owner: None, status: None };
        let page = Page { limit: 500, before: None, offset: 0 };
        for schedule in self.read(store.read().documents(all(Kind::Schedule), page)).unwrap_or_default() {
            caretaker.ask(Command::RemoveSchedule { id: ScheduleId(schedule.id) }).await;
        }
        for document in self.read(store.read().documents(all(Kind::Quota), page)).unwrap_or_default() {
            let (project_id, quota) = (ProjectId(document.id), Quota::default());
            if document.read::<ProjectQuota>().is_ok_and(|kept| kept.quota != quota) {
                caretaker.ask(Command::SetQuota { project_id, quota }).await;
            }
        }
    }

    /// Lets runs go on that stand still; a person paused them and went away.
    async fn resume(&self, store: &Store, caretaker: &mut Person) {
        let page = Page { limit: 100, before: None, offset: 0 };
        for status in [run::Status::Paused, run::Status::Pending] {
            let filter = RunFilter { status: Some(status), ..RunFilter::default() };
            for view in self.read(store.read().runs(filter, page)).unwrap_or_default() {
                caretaker.ask(Command::ResumeRun { run_id: view.id }).await;
            }
        }
    }

    async fn answer(&self, store: &Store, caretaker: &mut Person) {
        let page = Page { limit: 100, before: None, offset: 0 };
        for view in self.read(store.read().approvals(None, true, page)).unwrap_or_default() {
            let decide = Command::DecideApproval {
                id: view.approval.id,
                decision: Decision::Approve,
                by: None,
                note: None,
                roles: vec![],
            };
            caretaker.ask(decide).await;
        }
        // A run that was given back when its item had been refused is nobody's any more; a person ends it.
        let filter = RunFilter { status: Some(run::Status::Pending), ..RunFilter::default() };
        for view in self.read(store.read().runs(filter, page)).unwrap_or_default() {
            let approvals =
                self.read(store.read().approvals(Some(view.work_item_id), false, page)).unwrap_or_default();
            if approvals.iter().any(|view| view.approval.status == approval::Status::Rejected) {
                caretaker.ask(Command::CancelRun { run_id: view.id }).await;
            }
        }
    }

    /// Looks whether a waiting worker is woken at once when something comes: by then every worker waits.
    async fn probe(&mut self) {
        // Who was told to go before the faults ended is gone by then; somebody comes instead, and waits.
        tokio::time::sleep(Duration::from_secs(20)).await;
        self.crew.recover();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let mut person = self.person(self.plan.people + 1);
        // What is brought at once is handed over by whoever brings it, what comes later by a wake-up.
        let delay_ms = if self.dice.chance(500) { PROBE_DELAY_MS } else { 0 };
        let Some(item) = person.bring_one_item(delay_ms as i64).await else { return };
        tokio::time::sleep(Duration::from_millis(delay_ms + WAKE_UP_MS)).await;
        let waits =
            self.some_store().and_then(|store| self.read(store.read().depths())).is_some_and(|d| d.ready > 0);
        if waits {
            self.ledger.complain(format!("work item {item} waits, and nobody woke a worker"));
        }
        self.drain().await;
    }

    fn some_store(&self) -> Option<Store> {
        self.servers.some(&self.dice).map(|(server, _)| server.store().clone())
    }

    /// Tells whether nothing is on its way.
    fn is_quiet(&self, store: &Store) -> bool {
        let depths = self.read(store.read().depths());
        self.network.is_silent()
            && depths.is_some_and(|depths| {
                depths.ready == 0 && depths.delayed == 0 && depths.pending == 0 && depths.running == 0
            })
    }

    fn read<T>(&self, what: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        self.database.wait_for(what).ok()
    }
}
