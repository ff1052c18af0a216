//! The workers of one schedule: real ones, whose runs only let time pass and print lines. They stand still, die, and
//! come back.

use super::dice::{Dice, Fault};
use super::network::{Line, Network};
use super::stall::Stall;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use spalla_domain::claim::Assignment;
use spalla_domain::log::Stream;
use spalla_domain::retry::ErrorClass;
use spalla_domain::work_item::Executor;
use spalla_domain::{Timestamp, WorkerId};
use spalla_worker::{
    Control, End, Execute, Failure, Finished, Handle, Options, RunLog, Stop, Supervisor, Worker,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long a lease lasts, in milliseconds: short, so that a schedule sees many end.
pub(crate) const TTL_MS: i64 = 1_500;

/// One worker.
struct Member {
    handle: Handle,
    stall: Stall,
    task: JoinSet<()>,
    stalled_at: Option<Instant>,
}

/// All workers.
pub(crate) struct Crew {
    network: Arc<Network>,
    dice: Arc<Dice>,
    members: Vec<Option<Member>>,
    hired: u64,
}

impl Crew {
    /// Makes so many places for workers.
    pub(crate) fn new(count: usize, network: Arc<Network>) -> Self {
        let dice = Arc::clone(&network.dice);
        Self { network, dice, members: (0..count).map(|_| None).collect(), hired: 0 }
    }

    /// Starts a worker in a free place, with a new name or now and then with the one that its place had before.
    pub(crate) fn hire(&mut self, place: usize) {
        self.hired += u64::from(!self.dice.chance(200));
        let name = format!("w{place}-{}", self.hired);
        let Ok(worker_id) = WorkerId::new(name) else { return };
        let stall = Stall::default();
        let line = Arc::new(Line::new(Arc::clone(&self.network), stall.clone()));
        let acted = Acted { dice: Arc::clone(&self.dice), stall: stall.clone() };
        let (worker, handle) = Worker::with_executors(self.options(worker_id), line, Arc::new(acted));
        let mut task = JoinSet::new();
        // A worker that leaves by itself was told to.
        task.spawn(async move { drop(worker.run().await) });
        self.members[place] = Some(Member { handle, stall, task, stalled_at: None });
    }

    fn options(&self, worker_id: WorkerId) -> Options {
        let (begin, dice) = (Instant::now(), Arc::clone(&self.dice));
        let clock =
            move || Timestamp::from_ms(i64::try_from(begin.elapsed().as_millis()).unwrap_or_default());
        let nowhere = PathBuf::from("/nonexistent");
        let supervisor = Supervisor { program: nowhere.clone(), args: vec![] };
        let mut options = Options::new(worker_id, nowhere, BTreeMap::new(), supervisor, Arc::new(clock));
        options.concurrency = u32::try_from(self.dice.between(1, 3)).unwrap_or(1);
        options.ttl_ms = TTL_MS;
        options.heartbeat_interval_ms = 500;
        options.poll_wait_ms = 3_000;
        options.executors = vec![Executor::Recipe, Executor::External];
        options.drain_grace_ms = 500;
        options.randomness = Arc::new(move || dice.number());
        options
    }

    /// Lets faults strike among the workers.
    pub(crate) fn suffer(&mut self) {
        for place in 0..self.members.len() {
            let Some(member) = &mut self.members[place] else {
                self.hire(place);
                continue;
            };
            match member.stalled_at {
                Some(since) if self.dice.chance(400) => member.move_on(since, &self.dice),
                Some(_) => {}
                None if self.dice.strikes(Fault::WorkerStalled, 60) => {
                    member.stalled_at = Some(Instant::now());
                    member.stall.stand();
                }
                None if self.dice.strikes(Fault::WorkerDied, 60) => self.members[place] = None,
                // Now and then one is told to go in good order.
                None if self.dice.chance(20) => member.handle.drain(),
                None if member.task.try_join_next().is_some() => self.members[place] = None,
                None => {}
            }
        }
    }

    /// Lets everybody work.
    pub(crate) fn recover(&mut self) {
        for place in 0..self.members.len() {
            match &mut self.members[place] {
                Some(member) => {
                    if let Some(since) = member.stalled_at {
                        member.move_on(since, &self.dice);
                    }
                    if member.task.try_join_next().is_some() {
                        self.hire(place);
                    }
                }
                None => self.hire(place),
            }
        }
    }

    /// Lets everybody go in good order.
    pub(crate) async fn dismiss(&mut self) {
        for mut member in self.members.drain(..).flatten() {
            member.handle.drain();
            while member.task.join_next().await.is_some() {}
        }
    }
}

impl Member {
    fn move_on(&mut self, since: Instant, dice: &Dice) {
        if since.elapsed() > Duration::from_millis(TTL_MS.unsigned_abs()) {
            dice.count(Fault::ZombieReturned);
        }
        self.stalled_at = None;
        self.stall.move_on();
    }
}

/// What stands for recipes and agents: time that passes, lines, and an end by the dice.
struct Acted {
    dice: Arc<Dice>,
    stall: Stall,
}

impl Execute for Acted {
    fn execute<'a>(
        &'a self,
        assignment: &'a Assignment,
        log: &'a RunLog,
        control: &'a Control,
    ) -> BoxFuture<'a, Finished> {
        async move {
            let parts = self.dice.between(1, 3);
            for part in 0..parts {
                let wait = Duration::from_millis(self.dice.between(1, 500));
                tokio::select! {
                    biased;
                    stop = control.stopped() => return End::Stopped(stop).into(),
                    () = tokio::time::sleep(wait) => {}
                }
                self.stall.moving().await;
                let line = format!("token {} part {part}", assignment.fencing_token);
                log.output(Stream::Stdout, 1, vec![line]).await;
            }
            self.end(control).into()
        }
        .boxed()
    }
}

impl Acted {
    fn end(&self, control: &Control) -> End {
        if let Some(stop @ (Stop::Cancelled | Stop::LeaseLost(_))) = control.stop() {
            return End::Stopped(stop);
        }
        match self.dice.below(100) {
            0..=69 => End::Succeeded { result: serde_json::json!({"done": true}) },
            70..=94 => Failure::new(ErrorClass::Failed, "as the dice say").into(),
            _ => Failure::new(ErrorClass::Validation, "as the dice say").into(),
        }
    }
}
