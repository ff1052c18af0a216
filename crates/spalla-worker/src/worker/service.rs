//! The worker's one loop. Calls to the server and runs go on beside each other; the loop only decides.
//!
//! ```text
//! poll ──── waits for runs while slots are free ─────────┐
//! report ── ends of runs, and claims for their slots ────┼─▶ answers ─▶ start, stop or hold runs
//! beat ──── extends all leases ──────────────────────────┤
//! tick ──── has the server make runs of what is eligible ┘
//! ```
//! A slot that a call asks for is reserved until the call is answered, so that calls beside each other never claim
//! more than can be executed.

use super::call::{Answer, Call, exchange_owned};
use super::reports::Reports;
use super::{Error, Options, Phase, Shared, Status};
use crate::backoff::Backoff;
use crate::control::{ControlSender, Stop, control};
use crate::coordinator::CoordinatorError;
use crate::execute::{Outcome, execute};
use futures_util::FutureExt;
use spalla_domain::claim::{
    Assignment, CLAIM_RUNS_MAX, ClaimRequest, Completion, Exchange, Heartbeat, RunError,
};
use spalla_domain::retry::ErrorClass;
use spalla_domain::{Fence, RunId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How long the worker goes on beyond the grace of its processes to report and hand back, in milliseconds.
const FAREWELL_MS: u64 = 15_000;
/// How long one try to hand back may take, in milliseconds.
const HAND_BACK_MS: u64 = 5_000;
/// How soon a claim that brought nothing at once is repeated, in milliseconds.
const IDLE_MS: u64 = 100;
/// The shortest heartbeat interval, in milliseconds.
const HEARTBEAT_MS_MIN: i64 = 10;

/// The loop and its state.
pub(super) struct Service {
    shared: Arc<Shared>,
    status: watch::Sender<Status>,
    runs: JoinSet<Outcome>,
    leases: HashMap<Id, Heartbeat>,
    controls: BTreeMap<(RunId, Fence), ControlSender>,
    reports: Reports,
    poll: Call,
    report: Call,
    beat: Call,
    beating: Vec<Heartbeat>,
    tick: Call<()>,
    returned: Vec<Heartbeat>,
    phase: Phase,
    leave_at: Option<Instant>,
    was_accepted: bool,
    /// Runs that an earlier worker left go on, and nobody has said yet whether their leases are in force. Until then
    /// nothing is claimed: it might be one of them.
    awaits_beat: bool,
}

/// What wakes the loop.
enum Wake {
    RunEnded(Result<(Id, Outcome), JoinError>),
    Polled(Answer),
    Reported(Answer),
    Beaten(Answer),
    Ticked(Answer<()>),
    TickDue,
    BeatDue,
    Told(Phase),
    TimeCame,
}

impl Service {
    pub(super) fn new(shared: Arc<Shared>, status: watch::Sender<Status>) -> Self {
        let first_ms = shared.options.error_backoff_ms;
        Self {
            shared,
            status,
            runs: JoinSet::new(),
            leases: HashMap::new(),
            controls: BTreeMap::new(),
            reports: Reports::default(),
            poll: Call::new(first_ms),
            report: Call::new(first_ms),
            beat: Call::new(first_ms),
            beating: Vec::new(),
            tick: Call::new(first_ms),
            returned: Vec::new(),
            phase: Phase::Working,
            leave_at: None,
            was_accepted: false,
            awaits_beat: false,
        }
    }

    pub(super) async fn run(mut self, mut phase: watch::Receiver<Phase>) -> Result<(), Error> {
        let mut beats = tokio::time::interval(heartbeat_interval(&self.shared.options));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = tick_interval(&self.shared.options);
        let mut is_held = true;
        let left = self.shared.executors.left_behind();
        self.awaits_beat = !left.is_empty();
        self.start_all(left);
        self.shared.executors.get_ready();
        while !self.is_done() {
            self.place_calls();
            let time = self.next_time();
            let wake = tokio::select! {
                biased;
                changed = phase.changed(), if is_held => {
                    // Without anybody who holds the worker it goes on as it was told last.
                    is_held = changed.is_ok();
                    Wake::Told(*phase.borrow_and_update())
                }
                answer = Call::answered(&mut self.poll.answer) => Wake::Polled(answer),
                answer = Call::answered(&mut self.report.answer) => Wake::Reported(answer),
                answer = Call::answered(&mut self.beat.answer) => Wake::Beaten(answer),
                answer = Call::answered(&mut self.tick.answer) => Wake::Ticked(answer),
                Some(ended) = self.runs.join_next_with_id() => Wake::RunEnded(ended),
                _ = beats.tick() => Wake::BeatDue,
                () = next_tick(&mut ticks) => Wake::TickDue,
                () = sleep_until_or_never(time) => Wake::TimeCame,
            };
            self.wake(wake)?;
            self.tell_status();
        }
        let shared = Arc::clone(&self.shared);
        self.leave().await;
        shared.executors.leave().await;
        Ok(())
    }

    fn wake(&mut self, wake: Wake) -> Result<(), Error> {
        match wake {
            Wake::RunEnded(ended) => self.run_ended(ended),
            Wake::Polled(answer) => return self.polled(answer),
            Wake::Reported(answer) => self.reported(answer),
            Wake::Beaten(answer) => self.beaten(answer),
            Wake::BeatDue => self.place_beat(),
            Wake::Ticked(answer) => self.ticked(answer),
            Wake::TickDue => self.place_tick(),
            Wake::Told(phase) => self.told(phase),
            Wake::TimeCame => self.time_came(),
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        let idle = self.runs.is_empty() && self.reports.is_empty();
        match self.phase {
            Phase::Working => false,
            Phase::Draining => idle,
            Phase::Stopping => idle || self.leave_at.is_some_and(|at| Instant::now() >= at),
        }
    }

    fn tell_status(&self) {
        let connected = self.was_accepted
            && [&self.poll, &self.report, &self.beat].iter().all(|call| call.backoff.is_calm());
        let status = Status { running: self.runs.len(), connected };
        self.status.send_if_modified(|known| std::mem::replace(known, status) != status);
    }
}

/// Calls to the server.
impl Service {
    fn place_calls(&mut self) {
        if self.report.is_free()
            && let Some(completed) = self.reports.take()
        {
            let max = self.free_slots();
            let exchange = Exchange { completed, heartbeats: Vec::new(), claim: self.claim(max) };
            self.report.place(exchange_owned(&self.shared.coordinator, exchange, 0), max);
        }
        let free = self.free_slots();
        if self.poll.is_free() && free > 0 && self.reports.is_empty() {
            let exchange =
                Exchange { completed: Vec::new(), heartbeats: Vec::new(), claim: self.claim(free) };
            let wait_ms = self.shared.options.poll_wait_ms;
            self.poll.place(exchange_owned(&self.shared.coordinator, exchange, wait_ms), free);
        }
    }

    fn place_beat(&mut self) {
        if self.beat.answer.is_some() || self.controls.is_empty() {
            return;
        }
        let lease = |(run_id, fencing_token): &(RunId, Fence)| Heartbeat {
            run_id: *run_id,
            fencing_token: *fencing_token,
        };
        self.beating = self.controls.keys().map(lease).collect();
        let heartbeats = self.beating.clone();
        let exchange = Exchange { completed: Vec::new(), heartbeats, claim: self.claim(0) };
        self.beat.place(exchange_owned(&self.shared.coordinator, exchange, 0), 0);
    }

    /// Has the server make runs, also while this worker is busy: others may be free.
    fn place_tick(&mut self) {
        if self.phase == Phase::Working && self.tick.is_free() {
            let coordinator = Arc::clone(&self.shared.coordinator);
            self.tick.place(Box::pin(async move { coordinator.tick().await }), 0);
        }
    }

    fn ticked(&mut self, answer: Answer<()>) {
        self.tick.finish();
        match answer {
            Ok(()) => self.tick.succeeded(),
            Err(error) => self.tick.failed("ticking", &error, &self.shared.options.randomness),
        }
    }

    fn claim(&self, max: u32) -> ClaimRequest {
        let options = &self.shared.options;
        ClaimRequest {
            worker_id: options.worker_id.clone(),
            max: max.min(CLAIM_RUNS_MAX),
            ttl_ms: options.ttl_ms,
            executors: options.executors.clone(),
            labels: options.labels.clone(),
            resources: options.resources.clone().map(Box::new),
        }
    }

    /// Returns how many more runs may be claimed: none once the worker is told to go.
    fn free_slots(&self) -> u32 {
        if self.phase != Phase::Working || self.awaits_beat {
            return 0;
        }
        let running = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        let taken = running.saturating_add(self.poll.reserved).saturating_add(self.report.reserved);
        self.shared.options.concurrency.saturating_sub(taken)
    }

    fn polled(&mut self, answer: Answer) -> Result<(), Error> {
        let waited = self.poll.finish();
        match answer {
            Ok(reply) => {
                self.was_accepted = true;
                self.poll.succeeded();
                // A server that does not let the worker wait is not asked without a pause.
                let pause = Duration::from_millis(IDLE_MS);
                if reply.runs.is_empty() && waited < pause {
                    self.poll.not_before = Some(Instant::now() + pause);
                }
                self.start_all(reply.runs);
            }
            Err(error @ CoordinatorError::Rejected { .. }) if !self.was_accepted => {
                return Err(Error::NotAccepted(error));
            }
            Err(error) => self.poll.failed("claiming runs", &error, &self.shared.options.randomness),
        }
        Ok(())
    }

    fn reported(&mut self, answer: Answer) {
        self.report.finish();
        match answer {
            Ok(reply) => {
                self.was_accepted = true;
                self.report.succeeded();
                self.reports.arrived().iter().for_each(|run| self.shared.executors.forget(run));
                for refused in reply.refused {
                    tracing::warn!(run = %refused.run_id, reason = refused.reason, "the end of a run does not count");
                }
                self.start_all(reply.runs);
            }
            Err(CoordinatorError::Rejected { status, detail }) => {
                tracing::error!(status, detail, "the server calls the end of a run wrong");
                if let Some(run) = self.reports.rejected(&detail) {
                    self.shared.executors.forget(&run);
                    tracing::error!(run = %run.run_id, "the end of the run is given up; its lease will expire");
                }
                self.report.pause(None, &self.shared.options.randomness);
            }
            Err(error) => {
                self.reports.unanswered();
                self.report.failed("reporting runs", &error, &self.shared.options.randomness);
            }
        }
    }

    fn beaten(&mut self, answer: Answer) {
        self.beat.finish();
        let beating = std::mem::take(&mut self.beating);
        match answer {
            Ok(reply) => {
                self.was_accepted = true;
                self.awaits_beat = false;
                self.beat.succeeded();
                let sent = |run: RunId| beating.iter().find(move |lease| lease.run_id == run);
                for refused in reply.refused {
                    if let Some(control) = sent(refused.run_id).and_then(|lease| self.control_of(lease)) {
                        control.stop(Stop::LeaseLost(refused.reason));
                    }
                }
                for told in reply.heartbeats {
                    let Some(control) = sent(told.run_id).and_then(|lease| self.control_of(lease)) else {
                        continue;
                    };
                    control.pause(told.pause);
                    if told.cancel {
                        control.stop(Stop::Cancelled);
                    }
                    control.confirm();
                }
            }
            Err(error) => {
                // Whoever is not accepted at all is told so when it claims.
                self.awaits_beat &= !matches!(error, CoordinatorError::Rejected { .. });
                self.beat.failed("extending leases", &error, &self.shared.options.randomness);
            }
        }
    }

    fn control_of(&self, lease: &Heartbeat) -> Option<&ControlSender> {
        self.controls.get(&(lease.run_id, lease.fencing_token))
    }
}

/// Runs.
impl Service {
    fn start_all(&mut self, assignments: Vec<Assignment>) {
        for assignment in assignments {
            let lease = Heartbeat { run_id: assignment.run_id, fencing_token: assignment.fencing_token };
            if self.phase != Phase::Working {
                self.returned.push(lease);
                continue;
            }
            self.give_up_older(&lease);
            let (sender, receiver) = control();
            self.controls.insert((lease.run_id, lease.fencing_token), sender.clone());
            let run = execute(Arc::clone(&self.shared), assignment, sender, receiver);
            let id = self.runs.spawn(run).id();
            self.leases.insert(id, lease);
        }
    }

    /// A run that this worker lost and took again is carried out once: under the newest token.
    fn give_up_older(&mut self, newest: &Heartbeat) {
        let lost = self.controls.extract_if(.., |(run, _), _| *run == newest.run_id);
        for (_, control) in lost {
            control.stop(Stop::LeaseLost("stale_token".to_owned()));
        }
    }

    fn run_ended(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(error) => (error.id(), None),
        };
        let Some(lease) = self.leases.remove(&id) else { return };
        self.controls.remove(&(lease.run_id, lease.fencing_token));
        if !matches!(outcome, Some(Outcome::Completed(_)) | None) {
            self.shared.executors.forget(&lease);
        }
        match outcome {
            Some(Outcome::Completed(completion)) => self.reports.add(*completion),
            Some(Outcome::HandBack) => self.returned.push(lease),
            Some(Outcome::Held) => {}
            Some(Outcome::LeaseLost) => {
                tracing::warn!(run = %lease.run_id, token = %lease.fencing_token, "the lease is lost; the run was ended");
            }
            None => self.reports.add(panicked(lease)),
        }
    }
}

/// The end.
impl Service {
    fn told(&mut self, phase: Phase) {
        if phase <= self.phase {
            return;
        }
        self.phase = phase;
        // A claim that was answered already is handed back; one that still waits is taken back by dropping it.
        let first_ms = self.shared.options.error_backoff_ms;
        let poll = std::mem::replace(&mut self.poll, Call::new(first_ms));
        if let Some(Ok(reply)) = poll.answer.and_then(FutureExt::now_or_never) {
            self.start_all(reply.runs);
        }
        let options = &self.shared.options;
        let grace = Duration::from_millis(options.drain_grace_ms.max(0).unsigned_abs());
        match self.phase {
            Phase::Working => {}
            Phase::Draining => self.leave_at = Some(Instant::now() + grace),
            Phase::Stopping => self.stop_runs(),
        }
    }

    fn time_came(&mut self) {
        if self.phase == Phase::Draining && self.leave_at.is_some_and(|at| Instant::now() >= at) {
            self.phase = Phase::Stopping;
            self.stop_runs();
        }
    }

    fn stop_runs(&mut self) {
        let grace_ms = self.shared.options.limits.grace_ms.max(0).unsigned_abs();
        self.leave_at = Some(Instant::now() + Duration::from_millis(grace_ms.saturating_add(FAREWELL_MS)));
        for control in self.controls.values() {
            control.stop(Stop::Drained);
        }
    }

    fn next_time(&self) -> Option<Instant> {
        [self.poll.not_before, self.report.not_before, self.leave_at]
            .into_iter()
            .flatten()
            .filter(|at| *at > Instant::now() || Some(*at) == self.leave_at)
            .min()
    }

    /// Ends what did not end by itself, and hands back what is not done.
    async fn leave(mut self) {
        self.returned.extend(self.leases.values());
        self.returned.sort_by_key(|lease| (lease.run_id, lease.fencing_token));
        self.runs.shutdown().await;
        self.shared.executors.close().await;
        if !self.reports.is_empty() {
            tracing::warn!("the ends of some runs are not on the server; their leases will expire");
        }
        if self.returned.is_empty() {
            return;
        }
        // There is no time for long waits.
        let mut backoff = Backoff::default();
        let deadline = Instant::now() + Duration::from_millis(HAND_BACK_MS);
        let hand_back = async {
            loop {
                match self.shared.coordinator.hand_back(self.returned.clone()).await {
                    Err(CoordinatorError::Unavailable { retry_after_ms, .. }) => {
                        let wait = backoff.next(retry_after_ms, &self.shared.options.randomness);
                        tokio::time::sleep(wait).await;
                    }
                    other => return other.map_err(|error| error.to_string()),
                }
            }
        };
        let handed_back = tokio::time::timeout_at(deadline, hand_back).await;
        if let Err(error) = handed_back.unwrap_or_else(|_| Err("the server does not answer".into())) {
            let runs = self.returned.len();
            tracing::warn!(runs, error, "runs could not be handed back; their leases will expire");
        }
    }
}

fn heartbeat_interval(options: &Options) -> Duration {
    let ms = options.heartbeat_interval_ms.min(options.ttl_ms / 3).max(HEARTBEAT_MS_MIN);
    Duration::from_millis(ms.unsigned_abs())
}

fn tick_interval(options: &Options) -> Option<Interval> {
    let every = (options.tick_interval_ms > 0).then(|| Duration::from_millis(options.tick_interval_ms))?;
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(ticks)
}

async fn next_tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}

fn panicked(lease: Heartbeat) -> Completion {
    let message = "the worker failed while it executed the run; its own log says where".to_owned();
    Completion {
        run_id: lease.run_id,
        fencing_token: lease.fencing_token,
        success: false,
        exit_code: None,
        result: None,
        usage: None,
        error: Some(RunError::new(ErrorClass::System, message)),
        sandbox: None,
    }
}

async fn sleep_until_or_never(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
