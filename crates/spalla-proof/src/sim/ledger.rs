//! The ledger: what was acknowledged, beside what the event log says. It sees every batch in the order of commits, and
//! finds what breaks a promise at once; what only the end can show it finds there.

use super::caps::Caps;
use super::database::Database;
use super::firings::Firings;
use spalla_domain::claim::{Exchange, LogBatch};
use spalla_domain::event::{Event, Fact};
use spalla_domain::problem::Code;
use spalla_domain::{ApprovalId, EventSeq, Fence, RunId, Timestamp, WorkItemId, WorkerId};
use spalla_engine::history::{History, Rules};
use spalla_store::command::EnqueueWish;
use spalla_store::view::{EventFilter, LogFilter};
use spalla_store::{Command, ExecuteError, Outcome, Reply, Request, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many events are read at once; one batch writes far fewer.
const EVENTS_MAX: u32 = 10_000;

/// What one schedule remembers.
pub(crate) struct Ledger(Mutex<Book>);

struct Book {
    database: Database,
    history: History,
    last: EventSeq,
    events: Vec<Event>,
    commands: u64,
    broken: Vec<String>,
    /// The newest token of each run, and until when its lease lasts at least, where that is known.
    leases: BTreeMap<RunId, Lease>,
    /// The lines of each run that were acknowledged, by their numbers.
    lines: BTreeMap<RunId, BTreeMap<i64, String>>,
    claimed: BTreeSet<(RunId, Fence)>,
    /// Claims that were answered: a kept reply that is given once more tells of a lease as it was.
    answered: BTreeSet<(RunId, Fence)>,
    /// Runs that were given back and not claimed since: no token of them counts.
    handed_back: BTreeSet<RunId>,
    over: BTreeSet<RunId>,
    made: BTreeSet<WorkItemId>,
    queued: BTreeSet<WorkItemId>,
    decided: BTreeSet<ApprovalId>,
    requested: BTreeSet<ApprovalId>,
    /// Work items by how often their making was acknowledged.
    acknowledged: BTreeMap<WorkItemId, u32>,
    forgotten: BTreeSet<WorkerId>,
    caps: Caps,
    firings: Firings,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    fence: Fence,
    until: Option<Timestamp>,
}

impl Ledger {
    /// Makes an empty one.
    pub(crate) fn new(rules: Rules, database: Database) -> Self {
        Self(Mutex::new(Book {
            database,
            history: History::new(rules),
            last: EventSeq(0),
            events: vec![],
            commands: 0,
            broken: vec![],
            leases: BTreeMap::new(),
            lines: BTreeMap::new(),
            claimed: BTreeSet::new(),
            answered: BTreeSet::new(),
            handed_back: BTreeSet::new(),
            over: BTreeSet::new(),
            made: BTreeSet::new(),
            queued: BTreeSet::new(),
            decided: BTreeSet::new(),
            requested: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            caps: Caps::default(),
            firings: Firings::default(),
        }))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what a batch is about to ask.
    pub(crate) fn before(&self, requests: &[Request]) {
        let mut book = self.book();
        book.commands += requests.len() as u64;
        book.forgotten = requests
            .iter()
            .filter_map(|request| match &request.command {
                Command::ForgetWorker { worker, .. } => Some(worker.clone()),
                _ => None,
            })
            .collect();
    }

    /// Takes note of what a batch did, and returns its events.
    pub(crate) fn after(
        &self,
        store: &Store,
        requests: &[Request],
        outcomes: &[Outcome],
        now: Timestamp,
    ) -> Vec<Event> {
        let mut book = self.book();
        let filter = EventFilter { after: Some(book.last), ..EventFilter::default() };
        let events = match book.database.wait_for(store.read().events(filter, EVENTS_MAX)) {
            Ok(events) => events,
            Err(error) => {
                book.broken.push(format!("the event log can't be read: {error}"));
                return vec![];
            }
        };
        // Whoever writes in this batch was to know the tokens of before; claims come last in it.
        for (request, outcome) in requests.iter().zip(outcomes) {
            book.check_token(&request.command, outcome);
        }
        for event in &events {
            book.take(event);
        }
        for outcome in outcomes {
            if let Err(ExecuteError::Store(error @ StoreError::Corrupt(_))) = outcome {
                book.broken.push(format!("the store: {error}"));
            }
        }
        for (request, outcome) in requests.iter().zip(outcomes) {
            book.check_acknowledged(&request.command, outcome, now);
        }
        book.events.extend(events.iter().cloned());
        events
    }

    /// Counts a client's acknowledged work items.
    pub(crate) fn acknowledge(&self, items: &[WorkItemId]) {
        let mut book = self.book();
        for item in items {
            *book.acknowledged.entry(*item).or_default() += 1;
        }
    }

    /// Writes down a broken promise that somebody else noticed.
    pub(crate) fn complain(&self, words: String) {
        self.book().broken.push(words);
    }

    /// Tells whether a promise was broken.
    pub(crate) fn is_broken(&self) -> bool {
        let book = self.book();
        !book.broken.is_empty() || !book.history.violations().is_empty()
    }

    /// Returns how many commands reached the store.
    pub(crate) fn commands(&self) -> u64 {
        self.book().commands
    }

    /// Compares the record with the store at the end, when everything has drained.
    pub(crate) fn close(&self, store: &Store) {
        self.book().close(store);
    }

    /// Returns every broken promise, and the events.
    pub(crate) fn verdict(&self) -> (Vec<String>, Vec<Event>) {
        let book = self.book();
        let broken =
            book.history.violations().iter().map(ToString::to_string).chain(book.broken.iter().cloned());
        (broken.collect(), book.events.clone())
    }
}

impl Book {
    fn take(&mut self, event: &Event) {
        self.last = event.seq;
        self.history.take(event);
        self.broken.extend(self.caps.take(event));
        self.broken.extend(self.firings.take(event));
        if let (Some(run), Fact::LeaseExpired { worker, .. }) = (event.run_id, &event.fact)
            && let Some(Lease { until: Some(until), .. }) = self.leases.get(&run)
            && event.at < *until
            && !self.forgotten.contains(worker)
        {
            self.broken.push(format!("the lease of run {run} lasts until {until} and ended at {}", event.at));
        }
        match (event.run_id, event.work_item_id, &event.fact) {
            (Some(run), _, Fact::RunClaimed { fence, .. }) => {
                self.claimed.insert((run, *fence));
                self.handed_back.remove(&run);
                self.leases.insert(run, Lease { fence: *fence, until: None });
            }
            (Some(run), _, Fact::RunHandedBack { .. }) => {
                self.handed_back.insert(run);
            }
            (
                Some(run),
                _,
                Fact::RunSucceeded { .. }
                | Fact::RunFailed { .. }
                | Fact::RunCancelled {}
                | Fact::RunLost { .. },
            ) => {
                self.over.insert(run);
            }
            (_, Some(item), Fact::WorkItemCreated { .. }) => {
                self.made.insert(item);
            }
            (_, Some(item), Fact::WorkItemQueued { .. } | Fact::WorkItemRequeued { .. }) => {
                self.queued.insert(item);
            }
            (_, _, Fact::ApprovalRequested { approval_id, .. }) => {
                self.requested.insert(*approval_id);
            }
            (_, _, Fact::ApprovalDecided { approval_id, .. }) => {
                self.decided.insert(*approval_id);
            }
            _ => {}
        }
    }

    /// Whoever was told yes has to have held the newest token.
    fn check_token(&mut self, command: &Command, outcome: &Outcome) {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(ExecuteError::Refused(refusal)) => {
                if let Some((run, token)) = token_of(command) {
                    self.check_said_stale(run, token, &[refusal.code.as_str()]);
                }
                return;
            }
            Err(ExecuteError::Store(_)) => return,
        };
        match (command, reply) {
            (Command::AppendLogs(LogBatch { run_id, fencing_token, .. }), _) => {
                self.check_newest("a log batch", *run_id, *fencing_token);
                self.check(!self.handed_back.contains(run_id), || {
                    format!("a log batch of run {run_id}, which was handed back, was accepted")
                });
            }
            (Command::Heartbeat { heartbeat, .. }, _) => {
                self.check_newest("a heartbeat", heartbeat.run_id, heartbeat.fencing_token);
            }
            (Command::HandBack(heartbeat), _) => {
                self.check_newest("a hand-back", heartbeat.run_id, heartbeat.fencing_token);
            }
            (Command::Complete(end), _) => {
                if let Some(token) = end.fencing_token {
                    self.check_newest("a completion", end.run_id, token);
                }
            }
            (Command::Exchange(exchange), Reply::Exchanged(answer)) => {
                let told = |run: RunId| -> Vec<&str> {
                    let told = answer.refused.iter().filter(|refused| refused.run_id == run);
                    told.map(|refused| refused.reason.as_str()).collect()
                };
                let ends = exchange.completed.iter().map(|end| (end.run_id, end.fencing_token));
                let beats = exchange.heartbeats.iter().map(|beat| (beat.run_id, beat.fencing_token));
                for (run, token) in ends.chain(beats).filter(|(run, _)| !told(*run).is_empty()) {
                    self.check_said_stale(run, token, &told(run));
                }
                // A run that was sent under two tokens is in both lists, and which is which is not said.
                let is_refused = |run: RunId| answer.refused.iter().any(|refused| refused.run_id == run);
                for end in &exchange.completed {
                    if !is_refused(end.run_id) && answer.completed.contains(&end.run_id) {
                        self.check_newest("a completion", end.run_id, end.fencing_token);
                    }
                }
                for beat in &exchange.heartbeats {
                    if !is_refused(beat.run_id)
                        && answer.heartbeats.iter().any(|told| told.run_id == beat.run_id)
                    {
                        self.check_newest("a heartbeat", beat.run_id, beat.fencing_token);
                    }
                }
            }
            _ => {}
        }
    }

    fn check_newest(&mut self, what: &str, run: RunId, token: Fence) {
        match self.leases.get(&run) {
            Some(lease) if lease.fence == token => {}
            Some(Lease { fence, .. }) => {
                self.broken.push(format!(
                    "{what} of run {run} with token {token} was accepted, {fence} is the newest"
                ));
            }
            None => self.broken.push(format!("{what} of run {run}, which nobody claimed, was accepted")),
        }
    }

    /// What was acknowledged has to be in the log.
    fn check_acknowledged(&mut self, command: &Command, outcome: &Outcome, now: Timestamp) {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(ExecuteError::Store(StoreError::Unknown { .. })) => return self.forget_leases(command),
            Err(_) => return,
        };
        match (command, reply) {
            (Command::CreateWorkItems { .. }, Reply::WorkItems(items)) => {
                for item in items {
                    self.check(self.made.contains(item), || {
                        format!("work item {item} was acknowledged and not made")
                    });
                }
            }
            (
                Command::Enqueue { work_item_id: item, .. }
                | Command::Requeue { target: spalla_store::command::Requeued::WorkItem(item), .. },
                _,
            ) => {
                self.check(self.queued.contains(item), || {
                    format!("work item {item} was acknowledged and not queued")
                });
            }
            (Command::EnqueueAll { wishes }, Reply::Entries(entries)) => {
                self.check(entries.len() == wishes.len(), || {
                    format!("{} wishes were acknowledged with {} entries", wishes.len(), entries.len())
                });
                for EnqueueWish { work_item_id: item, .. } in wishes {
                    self.check(self.queued.contains(item), || {
                        format!("work item {item} was acknowledged among others and not queued")
                    });
                }
            }
            (Command::CreateSchedule(spec), Reply::Schedule(id)) => self.firings.made(*id, spec),
            (Command::RequestApproval { .. }, Reply::Approval(id)) => {
                self.check(self.requested.contains(id), || {
                    format!("approval {id} was acknowledged and not kept")
                });
            }
            (Command::DecideApproval { id, .. }, _) => {
                self.check(self.decided.contains(id), || {
                    format!("the decision on approval {id} was not kept")
                });
            }
            (Command::Complete(end), _) => self.check_over(end.run_id),
            (Command::CancelRun { run_id }, _) => self.check_over(*run_id),
            (Command::AppendLogs(batch), Reply::Logged { next_seq }) => self.keep_lines(batch, *next_seq),
            (Command::Claim(_) | Command::ClaimRun { .. }, Reply::Claimed(runs)) => self.keep_leases(runs),
            (Command::Heartbeat { heartbeat, ttl_ms, .. }, Reply::Heartbeat { cancel: false, .. }) => {
                self.extend(heartbeat.run_id, heartbeat.fencing_token, now.plus_ms(*ttl_ms));
            }
            (Command::Exchange(exchange), Reply::Exchanged(answer)) => {
                answer.completed.iter().for_each(|run| self.check_over(*run));
                for beat in &exchange.heartbeats {
                    if answer.heartbeats.iter().any(|told| told.run_id == beat.run_id && !told.cancel) {
                        self.extend(beat.run_id, beat.fencing_token, now.plus_ms(exchange.claim.ttl_ms));
                    }
                }
                self.keep_leases(&answer.runs);
            }
            _ => {}
        }
    }

    /// Whoever comes with an old token has to be told just that, so that it stops.
    fn check_said_stale(&mut self, run: RunId, token: Fence, codes: &[&str]) {
        let is_old = self.leases.get(&run).is_some_and(|lease| token < lease.fence);
        let is_told = codes.contains(&Code::StaleToken.as_str());
        self.check(!is_old || is_told, || {
            format!("token {token} of run {run} is old, and its holder was told {codes:?}")
        });
    }

    /// Where nobody knows whether a heartbeat counted, nobody knows how long the lease lasts.
    fn forget_leases(&mut self, command: &Command) {
        let beats: Vec<RunId> = match command {
            Command::Heartbeat { heartbeat, .. } => vec![heartbeat.run_id],
            Command::Exchange(Exchange { heartbeats, .. }) => {
                heartbeats.iter().map(|beat| beat.run_id).collect()
            }
            _ => vec![],
        };
        for run in beats {
            self.leases.entry(run).and_modify(|lease| lease.until = None);
        }
    }

    fn check(&mut self, holds: bool, words: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(words());
        }
    }

    fn check_over(&mut self, run: RunId) {
        self.check(self.over.contains(&run), || {
            format!("the end of run {run} was acknowledged and not kept")
        });
    }

    fn keep_leases(&mut self, runs: &[spalla_domain::claim::Assignment]) {
        for run in runs {
            let is_kept = self.claimed.contains(&(run.run_id, run.fencing_token));
            self.check(is_kept, || format!("a claim of run {} was acknowledged and not kept", run.run_id));
            if self.answered.insert((run.run_id, run.fencing_token)) {
                self.extend(run.run_id, run.fencing_token, run.expires_at);
            }
        }
    }

    fn extend(&mut self, run: RunId, fence: Fence, until: Timestamp) {
        if let Some(lease) = self.leases.get_mut(&run)
            && lease.fence == fence
        {
            lease.until = Some(until);
        }
    }

    fn keep_lines(&mut self, batch: &LogBatch, next_seq: i64) {
        let first = batch.first_seq.unwrap_or(next_seq - batch.lines.len() as i64);
        let lines = self.lines.entry(batch.run_id).or_default();
        let mut broken = None;
        for (seq, line) in (first..next_seq).zip(&batch.lines) {
            let known = lines.entry(seq).or_insert_with(|| line.text.clone());
            if *known != line.text {
                broken = Some(format!("line {seq} of run {} is {known:?} and {:?}", batch.run_id, line.text));
            }
        }
        self.broken.extend(broken);
    }

    fn close(&mut self, store: &Store) {
        for (item, times) in std::mem::take(&mut self.acknowledged) {
            self.check(times == 1, || format!("work item {item} was made for {times} wishes"));
            self.made.remove(&item);
        }
        let unwanted = std::mem::take(&mut self.made);
        self.check(unwanted.is_empty(), || {
            format!("work items {unwanted:?} were made and acknowledged to nobody")
        });
        for (run, lines) in std::mem::take(&mut self.lines) {
            let log = self.database.wait_for(store.read().log(run, LogFilter::default()));
            let log = log.ok().flatten().unwrap_or_default();
            let kept: BTreeMap<i64, String> = log.into_iter().map(|line| (line.seq, line.text)).collect();
            for (seq, text) in lines {
                let is_kept = kept.get(&seq) == Some(&text);
                self.check(is_kept, || {
                    format!("line {seq} of run {run} was acknowledged and is lost: {text:?}")
                });
            }
        }
        self.broken.extend(self.firings.close());
        let finished = self.history.finish(store.read(), true);
        if let Err(error) = self.database.wait_for(finished) {
            self.broken.push(format!("the rows can't be read: {error}"));
        }
    }
}

/// Returns the run and the token that a worker's write bears.
fn token_of(command: &Command) -> Option<(RunId, Fence)> {
    match command {
        Command::AppendLogs(batch) => Some((batch.run_id, batch.fencing_token)),
        Command::Heartbeat { heartbeat, .. } | Command::HandBack(heartbeat) => {
            Some((heartbeat.run_id, heartbeat.fencing_token))
        }
        Command::Complete(end) => end.fencing_token.map(|token| (end.run_id, token)),
        _ => None,
    }
}
