//! Carries out a run by somebody's agent command line: in the run's worktree, behind the walls, with a home of its own. What
//! stops it is recovered within the policy, and the next agent goes on where one can't. Whether the work is done is judged by
//! what is different afterwards, never by how the program ends.
//!
//! ```text
//! worktree ─▶ agent: program, home, call ─▶ turn ─▶ diagnosis ─┬─ again, changed as allowed ─▶ turn
//!                                              ▲               ├─ no conversation begins ─▶ the other way of speaking
//!                                              └─ process      ├─ the limit is waited for
//!                                                              ├─ next agent, same worktree, a note
//!                                                              └─ over ─▶ the change is taken ─▶ judged
//! ```

mod around;
mod asked;
mod call;
mod home;
mod judge;
mod keys;
mod least;
mod lines;
mod look;
mod note;
mod person;
pub(super) mod pool;
mod process;
mod program;
mod repeats;
mod review;
mod speech;
mod told;
mod tools;
mod turn;
mod watch;

pub(crate) use home::sweep;

use super::memory::Limit;
use super::{change, end_of};
use crate::limits;
use crate::refusals::Refusals;
use crate::run::{End, Failure, Run};
use crate::sandbox::{CommandSpec, Walls};
use crate::scratchpad::Scratchpad;
use around::Around;
use call::Call;
use home::Home;
use judge::Judged;
use person::Decided;
use pool::Seat;
use process::Process;
use program::Program;
use review::{Review, Subject};
use serde::Serialize;
use spalla_adapter::command_line::Wishes;
use spalla_adapter::definition::Definition;
use spalla_adapter::heard::TurnEnd;
use spalla_adapter::listen::Opening;
use spalla_adapter::recovery::{Action, Allowed, Change, Diagnosis, Ended, diagnose};
use spalla_adapter::trouble::Cause;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::claim::RunError;
use spalla_domain::retry::ErrorClass;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use told::Told;
use turn::{Turn, moment};

/// The longest that a run waits for a limit to end while it holds its worker, in milliseconds. What takes longer is handed to
/// the next agent, or given back until then.
const LONGEST_WAIT_MS: u64 = 120_000;

/// One thing that was done so that an agent could go on.
#[derive(Debug, Clone, Serialize)]
struct Recovery {
    agent: String,
    cause: Option<Cause>,
    action: &'static str,
    reason: String,
}

/// A run by agents' command lines, as it goes on.
struct Work<'a> {
    run: &'a Run<'a>,
    scratchpad: &'a Scratchpad,
    report: &'a Path,
    told: Told<'a>,
    /// What is answered, where nothing is changed.
    review: Option<Review>,
    recoveries: Vec<Recovery>,
    /// The causes about which a person was asked.
    asked: BTreeSet<Cause>,
    turns: u32,
}

/// How an agent left its work.
enum Left {
    /// Its turn is over.
    Over(Box<(Turn, Diagnosis)>),
    /// A conversation with it did not begin; it may be spoken with in another way.
    Unopened(Box<(Turn, Diagnosis)>),
    /// It can't go on, and the next one may.
    Next { reason: String, limit: Option<Limit>, words: Option<String> },
}

/// Carries the run out.
pub(super) async fn execute(run: &Run<'_>) -> Result<End, End> {
    let report = run.scratchpads.report_folder(run).await.map_err(|error| end_of(run, error))?;
    let mut scratchpad = run.scratchpads.prepare(run).await.map_err(|error| end_of(run, error))?;
    let subject = review::subject(run);
    let mut looked_at = None;
    match &subject {
        Some(Subject::Change(item)) => review::show(run, &mut scratchpad, *item).await?,
        Some(Subject::Look(look)) => looked_at = look.show(run, &mut scratchpad, &report).await?,
        Some(Subject::Plan | Subject::Opinion) | None => {}
    }
    let told = Told::begin(run, &report, &scratchpad.folder);
    let review = subject.map(|subject| Review::of(subject, looked_at));
    let (scratchpad, report) = (&scratchpad, report.as_path());
    let (recoveries, asked) = (Vec::new(), BTreeSet::new());
    let mut work = Work { run, scratchpad, report, told, review, recoveries, asked, turns: 0 };
    match run.policy() {
        None => work.by_agents().await,
        Some(policy) => work.by_policy(Around::new(run, scratchpad, policy)).await,
    }
}

impl<'a> Work<'a> {
    /// Lets one agent after another go on, until one comes to an end.
    async fn by_agents(&mut self) -> Result<End, End> {
        let agents = self.agents();
        let mut before: Option<(String, String, Option<String>)> = None;
        let mut earliest: Option<Limit> = None;
        let mut reasons = Vec::new();
        for definition in &agents {
            if let Some(limit) = self.run.agents.limit(&definition.name, moment(self.run)) {
                let text = format!("{} is not called: its limit ends at {}", definition.title, limit.until);
                self.told.own(AgentEvent::new(AgentEventType::Status, &text)).await;
                reasons.push(format!("{text} ({})", limit.reason));
                earliest = sooner(earliest, Some(limit));
                continue;
            }
            let handed = before.as_ref().map(|(name, reason, words)| note::Handed {
                name,
                reason,
                words: words.as_deref(),
            });
            match self.by(definition, handed).await? {
                Left::Over(over) | Left::Unopened(over) => {
                    let (turn, diagnosis) = *over;
                    return match &self.review {
                        Some(review) => Ok(review.end(definition, &turn, self.told.path(), self.turns)),
                        None => self.judged(definition, turn, diagnosis).await,
                    };
                }
                Left::Next { reason, limit, words } => {
                    if let Some(limit) = &limit {
                        self.run.agents.wall(&definition.name, limit.clone());
                    }
                    reasons.push(format!("{}: {reason}", definition.title));
                    earliest = sooner(earliest, limit);
                    before = Some((definition.title.clone(), reason, words));
                }
            }
        }
        Err(self.nobody_goes_on(&reasons, earliest).await)
    }

    /// Returns the agents of the run: its own, and those that may go on for it.
    fn agents(&self) -> Vec<Definition> {
        let assignment = self.run.assignment;
        let fallback = assignment.adapter.iter().flat_map(|adapter| &adapter.fallback);
        let mut names: Vec<&String> = assignment.agent.iter().chain(fallback).collect();
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.as_str()));
        let all = &self.run.options.adapters;
        names.iter().filter_map(|name| all.iter().find(|adapter| adapter.name == **name)).cloned().collect()
    }

    /// Lets one agent work until it is over or can't go on.
    async fn by(&mut self, definition: &Definition, handed: Option<note::Handed<'_>>) -> Result<Left, End> {
        let run = self.run;
        self.told.of_agent(&definition.name);
        let mut seat = run.agents.pool().seat(run, definition, self.review.is_some());
        let mut home = Home::make(run, definition, seat.as_ref()).map_err(|error| {
            End::from(Failure::new(ErrorClass::System, format!("making the agent's home: {error}")))
        })?;
        let program = match program::find(run, definition, &home.folder).await {
            Ok(program) => program,
            // One that stands in for another may be missing.
            Err(End::Failed(failure)) if handed.is_some() => {
                return Ok(Left::Next { reason: failure.error.message, limit: None, words: None });
            }
            Err(end) => return Err(end),
        };
        let way = definition.way(&program.installed, &Wishes::from(call::said_of(run, definition)));
        let left = self.in_way(&way, (&program, &mut home, &mut seat), handed.as_ref()).await?;
        match (left, way.other_way()) {
            (Left::Unopened(over), Some(other)) => {
                let diagnosis = over.1;
                self.recover(definition, &diagnosis, "another_way_of_speaking").await;
                self.in_way(&other, (&program, &mut home, &mut seat), handed.as_ref()).await
            }
            (left, _) => Ok(left),
        }
    }

    /// Lets one agent work that is called and spoken with in one way.
    async fn in_way(
        &mut self,
        definition: &Definition,
        (program, home, seat): (&Program, &mut Home, &mut Option<Seat>),
        handed: Option<&note::Handed<'_>>,
    ) -> Result<Left, End> {
        let run = self.run;
        tools::give(run, definition, home).await;
        let mut call = Call::new(run, definition, program, home, self.review.as_ref());
        let own = note::own_words(run);
        let mut prompt = handed.map_or_else(|| own.clone(), |handed| note::of_handed(handed, &own));
        let mut tried = BTreeSet::new();
        loop {
            run.hold().await;
            if let Some(interruption) = run.interruption() {
                return Err(run.end_by(interruption));
            }
            let turn = self.turn(definition, (&call, seat.as_mut()), &prompt).await?;
            if let Some(why) = self.told.watch.ends() {
                return self.broken(definition, turn, why);
            }
            if let Some(act) = &turn.loops {
                self.tell_loop(definition, act).await;
                return Ok(Left::Over(Box::new((turn, looping(definition)))));
            }
            let diagnosis = self.diagnosed(definition, &turn, &tried).await?;
            if definition.fallback.is_some() && turn.is_unopened() {
                return Ok(Left::Unopened(Box::new((turn, diagnosis))));
            }
            let words = turn.words.clone();
            if let Some(told) = self.mended(definition, &diagnosis).await? {
                prompt = format!("{told}\n\n{}", call.go_on(turn.thread.as_deref(), &own, words.as_deref()));
                continue;
            }
            match diagnosis.action.clone() {
                Action::None | Action::Ask { .. } | Action::Fail { .. } => {
                    let again = self.review.as_mut().and_then(|review| review.ask_again(&turn));
                    if let Some(words) = again {
                        call.go_on(turn.thread.as_deref(), &own, None);
                        prompt = if turn.thread.is_some() { words } else { format!("{own}\n\n{words}") };
                        continue;
                    }
                    return Ok(Left::Over(Box::new((turn, diagnosis))));
                }
                Action::NextAgent { walled_until } => {
                    self.recover(definition, &diagnosis, "next_agent").await;
                    let reason = diagnosis.reason;
                    let limit = walled_until.map(|until| Limit { until, reason: reason.clone() });
                    return Ok(Left::Next { reason, limit, words });
                }
                Action::Wait { until } => {
                    self.recover(definition, &diagnosis, "wait").await;
                    self.wait(until).await?;
                    prompt = call.go_on(turn.thread.as_deref(), &own, words.as_deref());
                }
                Action::Relaunch { change } => {
                    self.recover(definition, &diagnosis, name_of(&change)).await;
                    prompt = match change {
                        Change::Compact => {
                            call.begin_anew();
                            note::of_full_context(words.as_deref(), &own)
                        }
                        change => {
                            call.allow(change);
                            call.go_on(turn.thread.as_deref(), &own, words.as_deref())
                        }
                    };
                }
            }
            tried.extend(diagnosis.cause);
        }
    }

    /// Lets a person mend what an agent was kept from, once for each cause; returns what the agent is told where they did. A
    /// review is not waited for.
    async fn mended(
        &mut self,
        definition: &Definition,
        diagnosis: &Diagnosis,
    ) -> Result<Option<String>, End> {
        let Action::Ask { suggestions } = &diagnosis.action else { return Ok(None) };
        let is_asked = diagnosis.cause.is_some_and(|cause| self.asked.contains(&cause));
        if self.review.is_some() || is_asked || !person::may_mend(diagnosis.cause) {
            return Ok(None);
        }
        self.asked.extend(diagnosis.cause);
        self.recover(definition, diagnosis, "ask_a_person").await;
        let why = format!("{} can't go on: {}", definition.title, diagnosis.reason);
        match person::decide(self.run, &why, suggestions).await? {
            Decided::Over => Ok(None),
            Decided::Again(words) => Ok(Some(note::of_person(words.as_deref()))),
        }
    }

    /// Says that a turn begins, and on which commit: whoever looks at the work while it goes on sees what is different from there.
    fn begins(&self, text: String) -> AgentEvent {
        let begins = AgentEvent::new(AgentEventType::Status, text);
        match &self.scratchpad.commit {
            Some(commit) => begins.with("base", commit.clone()),
            None => begins,
        }
    }

    /// Takes a turn with the process of the seat, or with a new one.
    async fn turn(
        &mut self,
        definition: &Definition,
        (call, seat): (&Call<'_>, Option<&mut Seat>),
        prompt: &str,
    ) -> Result<Turn, End> {
        let run = self.run;
        self.turns += 1;
        let title = &definition.title;
        let Some(seat) = seat.filter(|_| definition.is_dialogue()) else {
            let (spec, opening) =
                call.of(prompt, (self.scratchpad, &self.scratchpad.folder), self.turns).await;
            let process = self.start(definition, call, spec, opening).await?;
            self.told.own(self.begins(format!("{title} begins"))).await;
            let (turn, _) = turn::take(run, process, (definition.output, false), &mut self.told).await?;
            run.log.remark(format!("{title}: {}", turn.how())).await;
            return Ok(turn);
        };
        let files = &self.scratchpad.place;
        seat.move_in(files).await.map_err(|error| end_of(run, error))?;
        let taken = self.turn_in(definition, (call, seat), prompt).await;
        // Whatever became of the turn, what it changed is the run's.
        seat.move_out(files).await.map_err(|error| end_of(run, error))?;
        taken
    }

    /// Takes a turn in a seat that has the run's files.
    async fn turn_in(
        &mut self,
        definition: &Definition,
        (call, seat): (&Call<'_>, &mut Seat),
        prompt: &str,
    ) -> Result<Turn, End> {
        let (run, title) = (self.run, &definition.title);
        let (mut spec, opening) = call.of(prompt, (self.scratchpad, &seat.work()), self.turns).await;
        seat.share(&mut spec);
        let mut warm = match (seat.take(&spec, limits::of_events(&run.limits)), opening) {
            (Some(mut warm), Some(opening)) => {
                warm.process.listener.speak(opening);
                warm
            }
            (_, opening) => {
                let mut refusals = None;
                if let Walls::Up(confined) = &mut spec.walls {
                    confined.refusals = Refusals::default();
                    refusals = Some(confined.refusals.clone());
                }
                let mut process = self.start(definition, call, spec.clone(), opening).await?;
                process.refusals = refusals;
                seat.begin(process, &spec)
            }
        };
        let which = if warm.is_reused() { " with a process that was there" } else { "" };
        self.told.own(self.begins(format!("{title} begins{which}"))).await;
        seat.count(&mut warm);
        let (process, rest) = warm.apart();
        let output = (definition.output, call.may_be_shared());
        let (turn, process) = match turn::take(run, process, output, &mut self.told).await {
            Ok(taken) => taken,
            Err(end) => {
                seat.lost(false);
                return Err(end);
            }
        };
        match process {
            Some(process) => seat.keep(rest.with(process)),
            None => seat.lost(turn.end != Some(TurnEnd::Completed)),
        }
        run.log.remark(format!("{title}: {}", turn.how())).await;
        Ok(turn)
    }

    /// Starts a process of an agent.
    async fn start(
        &self,
        definition: &Definition,
        call: &Call<'_>,
        mut spec: CommandSpec,
        opening: Option<Opening>,
    ) -> Result<Process, End> {
        let run = self.run;
        let mut listener = call.listener();
        let speech = match definition.is_dialogue() {
            true => Some(call.speech().map_err(|error| {
                End::from(Failure::new(ErrorClass::System, format!("making the way to the agent: {error}")))
            })?),
            false => None,
        };
        if let Some(speech) = &speech {
            speech.lead_to(&mut spec);
        }
        opening.into_iter().for_each(|opening| listener.speak(opening));
        let walls = spec.walls.clone();
        let child = run.sandbox.spawn(spec).await;
        let child = child.map_err(|error| End::from(Failure::of(run.unstarted(&walls, &error))))?;
        Ok(Process::of(child, (listener, speech), call.tools(), run.agents.keeper()))
    }

    async fn diagnosed(
        &self,
        definition: &Definition,
        turn: &Turn,
        tried: &BTreeSet<Cause>,
    ) -> Result<Diagnosis, End> {
        // What a reviewer changes is of no account, since it is never taken.
        let has_changed = self.review.is_some() || change::is_there(self.run, self.scratchpad).await?;
        let ended = Ended {
            troubles: &turn.troubles,
            denied: &turn.denied,
            end: turn.end,
            // A shell tells of a signal so; git, npm and others end with greater numbers of their own, or with 128.
            exit_code: turn.exit_code().filter(|code| !(129..=192).contains(code)),
            has_changed,
            thread: turn.thread.as_deref(),
        };
        let allowed = Allowed { trust: true, longest_wait_ms: LONGEST_WAIT_MS, ..Allowed::default() };
        Ok(diagnose(definition, &ended, &allowed, tried, moment(self.run)))
    }

    /// Tells that an agent was stopped, since it did the same again and again.
    async fn tell_loop(&mut self, definition: &Definition, act: &str) {
        let rounds = self.run.options.limits.repeats_max;
        let text =
            format!("{} was stopped: it did the same {rounds} times, with nothing new", definition.title);
        let event = AgentEvent::new(AgentEventType::Blocker, text)
            .with("cause", "loop")
            .with("act", act)
            .with("rounds", rounds);
        self.told.own(event).await;
    }

    /// Takes note of a recovery, and tells of it.
    async fn recover(&mut self, definition: &Definition, diagnosis: &Diagnosis, action: &'static str) {
        let text = format!("recovery: {} ({})", action.replace('_', " "), diagnosis.reason);
        let cause = diagnosis.cause;
        let event = AgentEvent::new(AgentEventType::Status, text)
            .with("recovery", action)
            .with("cause", serde_json::json!(cause));
        self.told.own(event).await;
        let (agent, reason) = (definition.name.clone(), diagnosis.reason.clone());
        self.recoveries.push(Recovery { agent, cause, action, reason });
    }

    /// Waits for the end of a limit, or until the run is interrupted.
    async fn wait(&self, until: jiff::Timestamp) -> Result<(), End> {
        let ms = until.as_millisecond().saturating_sub((self.run.options.clock)().ms()).max(0).unsigned_abs();
        tokio::select! {
            interruption = self.run.interrupted() => Err(self.run.end_by(interruption)),
            () = tokio::time::sleep(Duration::from_millis(ms)) => Ok(()),
        }
    }

    async fn judged(
        &mut self,
        definition: &Definition,
        turn: Turn,
        diagnosis: Diagnosis,
    ) -> Result<End, End> {
        let change = change::take(self.run, self.scratchpad, self.report).await?;
        let judged =
            Judged { run: self.run, definition, turn: &turn, diagnosis: &diagnosis, change: change.as_ref() };
        let result = judge::result(&judged, self.told.path(), &self.recoveries, self.turns, self.report);
        match judge::judge(&judged) {
            None => {
                let done = AgentEvent::new(AgentEventType::Milestone, judge::summary(&judged));
                self.told.own(done.with("ends_turn", true)).await;
                Ok(End::Succeeded { result })
            }
            Some(error) => {
                self.told.own(AgentEvent::new(AgentEventType::Error, &error.message)).await;
                let exit_code = turn.exit_code();
                Ok(End::Failed(Failure { error, exit_code, result: Some(result) }))
            }
        }
    }

    /// No agent is left. What they changed is kept; the run is given back until a limit ends, where one does.
    async fn nobody_goes_on(&mut self, reasons: &[String], earliest: Option<Limit>) -> End {
        let message = format!("no agent can go on: {}", reasons.join("; "));
        if self.review.is_some() {
            // A review is not waited for; who does not answer now is absent.
            return Failure::new(ErrorClass::Validation, message).into();
        }
        let change = match change::take(self.run, self.scratchpad, self.report).await {
            Ok(change) => change,
            Err(end) => return end,
        };
        let error = match earliest {
            Some(limit) => {
                let retry_at = spalla_domain::Timestamp::from_ms(limit.until.as_millisecond());
                RunError { retry_at: Some(retry_at), ..RunError::new(ErrorClass::RateLimited, message) }
            }
            None => RunError::new(ErrorClass::Failed, message),
        };
        let result = serde_json::json!({ "change": change, "recoveries": self.recoveries, "events": self.told.path() });
        End::Failed(Failure { error, exit_code: None, result: Some(result) })
    }
}

fn sooner(one: Option<Limit>, other: Option<Limit>) -> Option<Limit> {
    one.into_iter().chain(other).min_by_key(|limit| limit.until)
}

fn looping(definition: &Definition) -> Diagnosis {
    Diagnosis {
        cause: None,
        reason: format!("{} did the same again and again", definition.title),
        resets_at: None,
        action: Action::Fail { class: ErrorClass::Failed },
        may_succeed: false,
    }
}

fn name_of(change: &Change) -> &'static str {
    match change {
        Change::Folders(_) => "relaunch_with_folders",
        Change::Trust => "relaunch_trusted",
        Change::Tools(_) => "relaunch_with_tool",
        Change::Compact => "compact_and_resume",
        Change::Restart => "restart",
    }
}
