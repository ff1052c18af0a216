//! A coordinator in memory that keeps the rules of the real one: leases under tokens, numbered log lines, refusals.
//! It can be away, lose its answers, and take a lease from a worker.

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use spalla_domain::adapter::Adapter;
use spalla_domain::chosen::ChosenDefinition;
use spalla_domain::claim::{
    Assignment, Completion, Exchange, ExchangeReply, Heartbeat, HeartbeatAnswer, LogBatch, Refused,
};
use spalla_domain::found_command::{self, FoundCommand, Level};
use spalla_domain::info_request::InfoField;
use spalla_domain::limits::Said;
use spalla_domain::log::{LogLine, Stream};
use spalla_domain::refused_host::RefusedHost;
use spalla_domain::run_event::RunEvent;
use spalla_domain::secret::Secret;
use spalla_domain::work_item::Executor;
use spalla_domain::{ApprovalId, Fence, InfoRequestId, ProjectId, RunId, Timestamp, WorkItemId, WorkerId};
use spalla_worker::{Answer, ArtifactFile, Coordinator, CoordinatorError, Grant};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a test waits for what the worker does: far above what any of it needs.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Fake {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) runs: BTreeMap<RunId, Row>,
    /// Nobody answers.
    pub(crate) away: bool,
    /// How many more calls are carried out without an answer.
    pub(crate) lost_answers: u32,
    /// Results of more bytes are called wrong.
    pub(crate) result_bytes_max: Option<usize>,
    pub(crate) held_at_once: usize,
    pub(crate) beats: usize,
    pub(crate) refused_calls: usize,
    /// What was asked: why, and the names of the values.
    pub(crate) asked: Vec<(String, Vec<String>)>,
    /// What was kept, by run and path.
    pub(crate) kept: BTreeMap<(RunId, String), Vec<u8>>,
    /// Which hosts were refused, by what was told while runs go on.
    pub(crate) refused_hosts: Vec<(RunId, RefusedHost)>,
    /// How often the next tellings of events are taken without an answer.
    pub(crate) lost_tellings: u32,
    /// What agents told.
    pub(crate) told: Vec<RunEvent>,
    /// What the command policy found.
    pub(crate) found: Vec<FoundCommand>,
    /// Whether a person has said yes, or no, to what waits for one.
    pub(crate) said: Option<bool>,
    /// What a person answers.
    pub(crate) answers: BTreeMap<String, String>,
    /// Where agents may speak to the server, and by which token.
    pub(crate) grant: Option<(&'static str, &'static str)>,
}

pub(crate) struct Row {
    pub(crate) assignment: Assignment,
    pub(crate) is_held: bool,
    pub(crate) log: Vec<LogLine>,
    pub(crate) completion: Option<Completion>,
    pub(crate) cancel: bool,
    pub(crate) pause: bool,
    pub(crate) handed_back: u32,
}

/// What a test says of a run.
pub(crate) struct Wanted {
    pub(crate) title: &'static str,
    pub(crate) recipe: Option<String>,
    pub(crate) executor: Executor,
    pub(crate) agent: Option<&'static str>,
    pub(crate) adapter: Option<Adapter>,
    pub(crate) definition: Option<Box<ChosenDefinition>>,
    pub(crate) limits: Vec<Said>,
    pub(crate) repository: Option<String>,
    pub(crate) timeout_ms: i64,
    pub(crate) item: i64,
    pub(crate) project: i64,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            title: "a run",
            recipe: None,
            executor: Executor::Recipe,
            agent: None,
            adapter: None,
            definition: None,
            limits: Vec::new(),
            repository: None,
            timeout_ms: 60_000,
            item: 1,
            project: 1,
        }
    }
}

pub(crate) fn recipe(yaml: &str) -> Wanted {
    Wanted { recipe: Some(yaml.into()), ..Wanted::default() }
}

impl Fake {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes the state and wakes whoever waits for it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.state());
        self.changed.notify_waiters();
        value
    }

    pub(crate) fn add(&self, wanted: Wanted) -> RunId {
        self.change(|state| {
            let run_id = RunId(state.runs.len() as i64 + 1);
            let assignment = Assignment {
                run_id,
                work_item_id: WorkItemId(wanted.item),
                project_id: ProjectId(wanted.project),
                fencing_token: Fence(0),
                expires_at: Timestamp::from_ms(0),
                attempt: 1,
                trace_id: "0".repeat(32),
                next_log_seq: 2,
                executor: wanted.executor,
                agent: wanted.agent.map(str::to_owned),
                title: wanted.title.into(),
                description: None,
                prompt: None,
                labels: Vec::new(),
                recipe: wanted.recipe,
                adapter: wanted.adapter,
                definition: wanted.definition,
                token_budget: None,
                limits: wanted.limits,
                timeout_ms: wanted.timeout_ms,
                repository: wanted.repository,
            };
            let row = Row {
                assignment,
                is_held: false,
                log: Vec::new(),
                completion: None,
                cancel: false,
                pause: false,
                handed_back: 0,
            };
            state.runs.insert(run_id, row);
            run_id
        })
    }

    /// Waits until the state is as wanted.
    pub(crate) async fn until<T>(&self, what: &str, mut condition: impl FnMut(&State) -> Option<T>) -> T {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if let Some(value) = condition(&self.state()) {
                    return value;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(value) => value,
            Err(_) => panic!("waited in vain until {what}; the logs: {:#?}", self.logs()),
        }
    }

    pub(crate) async fn ended(&self, run: RunId) -> Completion {
        self.until("the run ended", |state| state.runs[&run].completion.clone()).await
    }

    /// Waits until the run's log has a line with these words.
    pub(crate) async fn said(&self, run: RunId, words: &str) {
        self.until(words, |state| state.runs[&run].log.iter().any(|l| l.text.contains(words)).then_some(()))
            .await;
    }

    pub(crate) fn lines(&self, run: RunId, stream: Stream) -> Vec<String> {
        let state = self.state();
        let lines = state.runs[&run].log.iter().filter(|line| line.stream == stream);
        lines.map(|line| line.text.clone()).collect()
    }

    fn logs(&self) -> Vec<Vec<String>> {
        let state = self.state();
        state
            .runs
            .values()
            .map(|row| row.log.iter().take(100).map(|line| line.text.clone()).collect())
            .collect()
    }

    /// Gives the run to somebody else, as after an expired lease.
    pub(crate) fn take_away(&self, run: RunId) {
        self.change(|state| {
            let row = state.runs.get_mut(&run).unwrap();
            row.assignment.fencing_token = row.assignment.fencing_token.next();
        });
    }

    fn answer<T>(&self, value: T) -> Result<T, CoordinatorError> {
        let mut state = self.state();
        if state.lost_answers == 0 {
            return Ok(value);
        }
        state.lost_answers -= 1;
        drop(state);
        self.changed.notify_waiters();
        Err(unavailable())
    }

    fn now(&self, exchange: &Exchange) -> Result<ExchangeReply, CoordinatorError> {
        let mut state = self.state();
        if state.away {
            return Err(unavailable());
        }
        let mut reply = ExchangeReply::default();
        for completion in &exchange.completed {
            let bytes = completion.result.as_ref().map_or(0, |result| result.get().len());
            if state.result_bytes_max.is_some_and(|max| bytes > max) {
                state.refused_calls += 1;
                return Err(CoordinatorError::Rejected { status: 413, detail: "too large".into() });
            }
            state.complete(completion, &mut reply);
        }
        state.beats += usize::from(!exchange.heartbeats.is_empty());
        for lease in &exchange.heartbeats {
            state.beat(lease, &mut reply);
        }
        state.claim(exchange.claim.max as usize, &mut reply);
        drop(state);
        // A claim that found nothing must not wake itself.
        if reply != ExchangeReply::default() {
            self.changed.notify_waiters();
        }
        Ok(reply)
    }
}

impl State {
    fn refusal(&self, run_id: RunId, token: Fence) -> Option<Refused> {
        let row = &self.runs[&run_id];
        let reason = if row.assignment.fencing_token != token || !row.is_held {
            "stale_token"
        } else if row.completion.is_some() {
            "run_ended"
        } else {
            return None;
        };
        Some(Refused { run_id, reason: reason.into() })
    }

    fn complete(&mut self, completion: &Completion, reply: &mut ExchangeReply) {
        let run_id = completion.run_id;
        match self.refusal(run_id, completion.fencing_token) {
            // The same end a second time.
            Some(refused) if refused.reason == "run_ended" => reply.completed.push(run_id),
            Some(refused) => reply.refused.push(refused),
            None => {
                self.runs.get_mut(&run_id).unwrap().completion = Some(completion.clone());
                reply.completed.push(run_id);
            }
        }
    }

    fn beat(&mut self, lease: &Heartbeat, reply: &mut ExchangeReply) {
        match self.refusal(lease.run_id, lease.fencing_token) {
            Some(refused) => reply.refused.push(refused),
            None => {
                let row = &self.runs[&lease.run_id];
                let (cancel, pause) = (row.cancel, row.pause);
                reply.heartbeats.push(HeartbeatAnswer { run_id: lease.run_id, cancel, pause });
            }
        }
    }

    fn claim(&mut self, max: usize, reply: &mut ExchangeReply) {
        // What waits for a person is not given out.
        let waits = |row: &&mut Row| row.handed_back > 0 && self.said.is_none() && !self.found.is_empty();
        let free = self.runs.values_mut().filter(|row| !row.is_held && row.completion.is_none());
        for row in free.filter(|row| !waits(row)).take(max) {
            row.is_held = true;
            row.assignment.fencing_token = row.assignment.fencing_token.next();
            row.assignment.next_log_seq = row.log.len() as i64 + 2;
            reply.runs.push(row.assignment.clone());
        }
        let held = self.runs.values().filter(|row| row.is_held && row.completion.is_none()).count();
        self.held_at_once = self.held_at_once.max(held);
    }

    fn append(&mut self, batch: LogBatch) -> Result<(), CoordinatorError> {
        if let Some(refused) = self.refusal(batch.run_id, batch.fencing_token) {
            self.refused_calls += 1;
            return Err(CoordinatorError::Refused { code: refused.reason, detail: "not yours".into() });
        }
        let log = &mut self.runs.get_mut(&batch.run_id).unwrap().log;
        let next = log.len() as i64 + 2;
        let known = next - batch.first_seq.unwrap_or(next);
        if known < 0 {
            return Err(CoordinatorError::Refused {
                code: "log_gap".into(),
                detail: format!("next is {next}"),
            });
        }
        log.extend(batch.lines.into_iter().skip(known as usize));
        Ok(())
    }
}

impl Coordinator for Fake {
    fn exchange(
        &self,
        exchange: Exchange,
        wait_ms: i64,
    ) -> BoxFuture<'_, Result<ExchangeReply, CoordinatorError>> {
        Box::pin(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_millis(wait_ms as u64);
            loop {
                let changed = self.changed.notified();
                let reply = self.now(&exchange)?;
                let waits = exchange.claim.max > 0 && reply.runs.is_empty() && exchange.completed.is_empty();
                if !waits || tokio::time::timeout_at(deadline, changed).await.is_err() {
                    return self.answer(reply);
                }
            }
        })
    }

    fn append_logs(&self, batch: LogBatch) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            if self.state().away {
                return Err(unavailable());
            }
            self.change(|state| state.append(batch))?;
            self.answer(())
        })
    }

    fn keep_artifact(
        &self,
        run: Heartbeat,
        file: ArtifactFile,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            if self.state().away {
                return Err(unavailable());
            }
            let pieces: Vec<Vec<u8>> = file.pieces().try_collect().await.unwrap();
            self.change(|state| {
                if let Some(refused) = state.refusal(run.run_id, run.fencing_token) {
                    return Err(CoordinatorError::Refused {
                        code: refused.reason,
                        detail: "not yours".into(),
                    });
                }
                state.kept.insert((run.run_id, file.path().to_string()), pieces.concat());
                Ok(())
            })?;
            self.answer(())
        })
    }

    fn report_commands(
        &self,
        run: Heartbeat,
        _: WorkerId,
        found: Vec<FoundCommand>,
    ) -> BoxFuture<'_, Result<found_command::Answer, CoordinatorError>> {
        let answer = self.change(|state| {
            assert_eq!(state.refusal(run.run_id, run.fencing_token), None);
            let waits = found.iter().any(|command| command.level == Level::Confirm);
            state.found.extend(found);
            let ids = if waits { vec![ApprovalId(7)] } else { vec![] };
            match state.said {
                None => found_command::Answer { pending: ids, rejected: vec![] },
                Some(false) => found_command::Answer { pending: vec![], rejected: ids },
                Some(true) => found_command::Answer::default(),
            }
        });
        Box::pin(std::future::ready(self.answer(answer)))
    }

    fn grant(&self, _run: Heartbeat) -> BoxFuture<'_, Result<Option<Grant>, CoordinatorError>> {
        let grant = self.state().grant;
        let grant = grant.map(|(url, token)| Grant { url: url.to_owned(), token: token.into() });
        Box::pin(std::future::ready(Ok(grant)))
    }

    fn report_refused_hosts(
        &self,
        run: Heartbeat,
        hosts: Vec<RefusedHost>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        self.change(|state| {
            assert_eq!(state.refusal(run.run_id, run.fencing_token), None);
            state.refused_hosts.extend(hosts.into_iter().map(|host| (run.run_id, host)));
        });
        Box::pin(std::future::ready(self.answer(())))
    }

    fn tell_events(
        &self,
        run: Heartbeat,
        events: Vec<RunEvent>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        let is_lost = self.change(|state| {
            assert_eq!(state.refusal(run.run_id, run.fencing_token), None);
            for event in events {
                if !state.told.iter().any(|told| told.id == event.id) {
                    state.told.push(event);
                }
            }
            let is_lost = state.lost_tellings > 0;
            state.lost_tellings = state.lost_tellings.saturating_sub(1);
            is_lost
        });
        Box::pin(std::future::ready(if is_lost { Err(unavailable()) } else { Ok(()) }))
    }

    fn ask(
        &self,
        _: Heartbeat,
        reason: String,
        fields: Vec<InfoField>,
    ) -> BoxFuture<'_, Result<InfoRequestId, CoordinatorError>> {
        let names = fields.into_iter().map(|field| field.name).collect();
        let id = self.change(|state| {
            state.asked.push((reason, names));
            InfoRequestId(state.asked.len() as i64)
        });
        Box::pin(std::future::ready(Ok(id)))
    }

    fn answer(
        &self,
        _: Heartbeat,
        _: InfoRequestId,
    ) -> BoxFuture<'_, Result<Option<Answer>, CoordinatorError>> {
        let answers = self.state().answers.clone();
        let answer = answers.into_iter().map(|(name, value)| (name, Secret::from(value))).collect();
        Box::pin(std::future::ready(Ok(Some(answer))))
    }

    fn hand_back(&self, runs: Vec<Heartbeat>) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            self.change(|state| {
                for lease in runs {
                    let row = state.runs.get_mut(&lease.run_id).unwrap();
                    assert_eq!(row.assignment.fencing_token, lease.fencing_token);
                    row.is_held = false;
                    row.handed_back += 1;
                }
            });
            Ok(())
        })
    }
}

fn unavailable() -> CoordinatorError {
    CoordinatorError::Unavailable { retry_after_ms: None, detail: "away".into() }
}
