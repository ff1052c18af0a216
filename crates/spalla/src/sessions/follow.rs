//! Follows work items to their ends: says when runs start and end, and passes their log lines on as they come.

use super::screen::Screen;
use crate::control::{Control, ItemState, Question, RunState};
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{self, plain};
use spalla_domain::Timestamp;
use spalla_domain::retry::ErrorClass;
use spalla_domain::run;
use spalla_domain::work_item::Status;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often the items are looked at: seldom enough for the server, often enough for the eye.
const LOOK: Duration = Duration::from_millis(150);
/// How long items may wait for a worker before that is said.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server that went away has to come back.
const ABSENCE: Duration = Duration::from_secs(30);

/// Follows some work items.
pub(crate) struct Follower<'a> {
    control: &'a Control,
    screen: &'a Screen,
    items: Vec<Followed>,
    quiet_since: Instant,
    said_to_wait: bool,
    /// How many items rested when that was looked at last.
    rested: usize,
    live: LiveRuns,
}

/// A run that is under way, as it was seen last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveRun {
    /// Its id.
    pub(crate) id: i64,
    /// Where it stands.
    pub(crate) status: run::Status,
    /// When it was first claimed.
    pub(crate) started_at: Timestamp,
}

/// The runs under way of the items that are followed, for whoever looks on meanwhile; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveRuns(Arc<Mutex<BTreeMap<i64, LiveRun>>>);

impl LiveRuns {
    /// Returns the run under way of a work item.
    pub(crate) fn of(&self, item: i64) -> Option<LiveRun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&item).copied()
    }

    /// Takes note of the newest run of a work item.
    fn note(&self, item: i64, run: Option<&RunState>) {
        let live = run.filter(|run| run.ended_at.is_none()).and_then(|run| {
            let (id, status, started_at) = (run.id, run.status, run.started_at?);
            Some(LiveRun { id, status, started_at })
        });
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match live {
            Some(live) => runs.insert(item, live),
            None => runs.remove(&item),
        };
    }
}

/// A work item with what was seen of it.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    /// Its id.
    pub(crate) id: i64,
    /// What it is called.
    pub(crate) title: String,
    /// Its newest run.
    pub(crate) run: Option<RunState>,
    /// The runs before that one, the newest first.
    pub(crate) earlier: Vec<RunState>,
    /// Where it stood when it was looked at last.
    pub(crate) state: Option<ItemState>,
    /// What its run waits for a person to answer.
    question: Option<Question>,
    lines: usize,
    /// Whether it was over when it was followed last, so that all it said was passed on then.
    is_old: bool,
}

impl Followed {
    /// Begins with a work item of which nothing was seen.
    pub(crate) const fn new(id: i64, title: String) -> Self {
        Self {
            id,
            title,
            run: None,
            earlier: Vec::new(),
            state: None,
            question: None,
            lines: 0,
            is_old: false,
        }
    }

    /// Says whether it was over when it was followed last: then nothing of it is told once more.
    pub(crate) fn that_was_over(self, is_old: bool) -> Self {
        Self { is_old, ..self }
    }

    /// Returns how many lines of its newest run's log were seen.
    pub(crate) const fn lines(&self) -> usize {
        self.lines
    }

    /// Returns where it stands, as far as it is known.
    pub(crate) fn status(&self) -> Status {
        self.state.as_ref().map_or(Status::Open, |state| state.status)
    }

    /// Returns how the program ends for this work item alone.
    pub(crate) fn exit(&self) -> Exit {
        let timed_out = || {
            self.run
                .as_ref()
                .and_then(|run| run.error.as_ref())
                .is_some_and(|error| error.class == ErrorClass::TimedOut)
        };
        match self.status() {
            Status::Succeeded => Exit::Done,
            Status::Failed if timed_out() => Exit::TimedOut,
            Status::Failed => Exit::Failed,
            Status::Cancelled | Status::Archived | Status::Blocked => Exit::Stopped,
            Status::Open | Status::Queued | Status::Running => Exit::Waits,
        }
    }

    fn is_over(&self) -> bool {
        self.state.as_ref().is_some_and(ItemState::is_over)
    }

    /// Tells whether nothing will happen to it unless a person does something.
    fn rests(&self) -> bool {
        let held = |state: &ItemState| state.waits_for_a_person() || state.status == Status::Blocked;
        // An agent that asked by itself goes on by itself.
        let is_asked = self.question.as_ref().is_some_and(|question| question.asked_by.is_none());
        self.is_over() || is_asked || self.state.as_ref().is_some_and(held)
    }
}

impl<'a> Follower<'a> {
    /// Begins to follow.
    pub(crate) fn new(control: &'a Control, screen: &'a Screen, items: Vec<Followed>) -> Self {
        Self {
            control,
            screen,
            items,
            quiet_since: Instant::now(),
            said_to_wait: false,
            rested: 0,
            live: LiveRuns::default(),
        }
    }

    /// Returns what was seen so far.
    pub(crate) fn items(&self) -> &[Followed] {
        &self.items
    }

    /// Returns the runs under way, as they are seen from now on.
    pub(crate) fn live(&self) -> LiveRuns {
        self.live.clone()
    }

    /// Follows further items as well; those that are followed already stay as they are.
    pub(crate) fn adopt(&mut self, items: Vec<Followed>) {
        for item in items {
            if self.items.iter().all(|known| known.id != item.id) {
                self.items.push(item);
            }
        }
    }

    /// Tells whether nothing will happen to any of them by itself.
    pub(crate) fn all_rest(&self) -> bool {
        self.items.iter().all(Followed::rests)
    }

    /// Returns what was seen, for good.
    pub(crate) fn into_items(self) -> Vec<Followed> {
        self.items
    }

    /// Follows until every work item is over or waits for a person. Nothing is lost when this is dropped half-way
    /// and called again.
    pub(crate) async fn follow(&mut self) -> Result<()> {
        self.follow_until(Self::all_rest).await
    }

    /// Follows until something happens to an item of which nothing was expected.
    pub(crate) async fn stirs(&mut self) -> Result<()> {
        self.follow_until(|follower| !follower.all_rest()).await
    }

    /// Follows until one more of the items is over or waits for a person, or all do.
    pub(crate) async fn next(&mut self) -> Result<()> {
        let rested = |follower: &Self| follower.items.iter().filter(|item| item.rests()).count();
        let before = self.rested;
        self.follow_until(|follower| rested(follower) != before || follower.all_rest()).await?;
        self.rested = rested(self);
        Ok(())
    }

    async fn follow_until(&mut self, is_enough: impl Fn(&Self) -> bool) -> Result<()> {
        let mut absent_since = None;
        // What was seen before may be old: a person may have said yes meanwhile.
        loop {
            match self.look().await {
                Ok(()) => absent_since = None,
                Err(failure) => {
                    let since = *absent_since.get_or_insert_with(Instant::now);
                    if matches!(self.control, Control::InProcess(_))
                        || since.elapsed() > ABSENCE
                        || failure.is_silent()
                    {
                        return Err(failure);
                    }
                    tracing::info!("{failure}");
                }
            }
            if absent_since.is_none() && is_enough(self) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&mut self) -> Result<()> {
        for index in 0..self.items.len() {
            if !self.items[index].is_over() {
                self.look_at(index).await?;
            }
        }
        self.say_if_nobody_works()
    }

    /// Looks at one item. Its state is read before its log, so that the log of an item that is over is whole.
    async fn look_at(&mut self, index: usize) -> Result<()> {
        let id = self.items[index].id;
        let state = self.control.item(id).await?;
        let run = self.control.newest_run(id).await?;
        self.live.note(id, run.as_ref());
        self.look_at_earlier(index, run.as_ref()).await?;
        let item = &mut self.items[index];
        if item.is_old && state.is_over() {
            (item.state, item.run) = (Some(state), run);
            return Ok(());
        }
        item.is_old = false;
        let known = item.state.replace(state.clone());
        let is_news = known.is_none_or(|known| known.status != state.status || known.reason != state.reason);
        let before = item.run.clone().map(|run| run.id);
        if let Some(run) = run {
            item.run = Some(run.clone());
            if before != Some(run.id) {
                // A run that was tried again meanwhile has lines that nobody looked at.
                self.pass_on_all(index, before).await?;
                self.items[index].lines = 0;
                self.announce_start(index, &run)?;
            }
            if state.is_over() {
                self.pass_on_all(index, Some(run.id)).await?;
            } else {
                self.pass_on(index, run.id).await?;
            }
        }
        self.look_for_question(index).await?;
        if is_news { self.announce(index) } else { Ok(()) }
    }

    /// Sees to the runs before a newest one that was not seen yet: one that failed is tried again without anybody being woken, and
    /// what it used counts all the same.
    async fn look_at_earlier(&mut self, index: usize, newest: Option<&RunState>) -> Result<()> {
        let item = &self.items[index];
        let is_new = |run: &&RunState| item.run.as_ref().is_none_or(|known| known.id != run.id);
        let Some(newest) = newest.filter(|run| run.attempt > 1).filter(is_new) else { return Ok(()) };
        let mut runs = self.control.runs(item.id).await?;
        runs.retain(|run| run.id < newest.id);
        self.items[index].earlier = runs;
        Ok(())
    }

    /// Sees whether the run waits for a person, and says once what it asks.
    async fn look_for_question(&mut self, index: usize) -> Result<()> {
        let item = &mut self.items[index];
        let waits = item.run.as_ref().filter(|run| run.status == run::Status::AwaitingInput);
        let Some(run) = waits else {
            item.question = None;
            return Ok(());
        };
        // Asked for each time: the worker's question holds the run, whatever its agent asked before.
        let Some(question) = self.control.question(run.id).await? else { return Ok(()) };
        if item.question.as_ref().is_some_and(|known| known.id == question.id) {
            return Ok(());
        }
        let name = format!("[{}] {}", item.id, plain(&item.title));
        self.screen.say(format_args!("{name}: a person is asked: {}", plain(&question.reason)))?;
        self.screen.say(format_args!("  to answer: {}", plain(&question.command())))?;
        item.question = Some(question);
        Ok(())
    }

    /// Prints what is left of the log of a run that ended.
    async fn pass_on_all(&mut self, index: usize, run: Option<i64>) -> Result<()> {
        if let Some(run) = run {
            while self.pass_on(index, run).await? > 0 {}
        }
        Ok(())
    }

    /// Prints what the log has beyond what was printed, as far as one look brings it; returns how many lines that was.
    async fn pass_on(&mut self, index: usize, run: i64) -> Result<usize> {
        let item = &mut self.items[index];
        let lines = self.control.log(run, item.lines).await?;
        let seen = lines.len();
        item.lines += seen;
        if seen > 0 {
            self.quiet_since = Instant::now();
        }
        for line in lines {
            tracing::info!(item = item.id, run, "{line}");
            self.screen.progress(format_args!("[{}] {}", item.id, plain(&line)))?;
        }
        Ok(seen)
    }

    fn announce_start(&mut self, index: usize, run: &RunState) -> Result<()> {
        self.quiet_since = Instant::now();
        let item = &self.items[index];
        let again = if run.attempt > 1 { format!(", attempt {}", run.attempt) } else { String::new() };
        self.screen.progress(format_args!("[{}] {}: run {}{again}", item.id, plain(&item.title), run.id))
    }

    fn announce(&mut self, index: usize) -> Result<()> {
        self.quiet_since = Instant::now();
        let item = &self.items[index];
        let took = item
            .run
            .as_ref()
            .and_then(RunState::duration_ms)
            .map(|ms| format!(" in {}", seconds(ms)))
            .unwrap_or_default();
        let why = item.state.as_ref().and_then(|state| state.reason.as_deref());
        let name = format!("[{}] {}", item.id, plain(&item.title));
        let said = match item.status() {
            Status::Succeeded => format!("{name}: {}{took}", output::good("succeeded")),
            Status::Failed => format!("{name}: {}{took}{}", output::bad("failed"), reason(item.run.as_ref())),
            status @ (Status::Cancelled | Status::Archived) => {
                format!("{name}: {}", output::bad(status.as_str()))
            }
            Status::Running => return Ok(()),
            status => match why {
                Some(why) => format!("{name}: {} ({})", status.as_str(), why.replace('_', " ")),
                None => return Ok(()),
            },
        };
        tracing::info!("{}", anstream::adapter::strip_str(&said));
        self.screen.progress(said)
    }

    /// A server without a worker lets work wait for ever; the person should know.
    fn say_if_nobody_works(&mut self) -> Result<()> {
        let waits = |item: &Followed| {
            item.state.as_ref().is_some_and(|state| state.status == Status::Queued && state.reason.is_none())
        };
        if self.said_to_wait || !self.items.iter().any(waits) || self.quiet_since.elapsed() < PATIENCE {
            return Ok(());
        }
        self.said_to_wait = true;
        self.screen
            .progress("still waiting for a worker; if the server has none, start one with `spalla worker`")
    }
}

fn reason(run: Option<&RunState>) -> String {
    let error = run.and_then(|run| run.error.as_ref());
    error.map(|error| format!(": {}", plain(&error.message))).unwrap_or_default()
}

/// Returns a time as a person reads it.
pub(crate) fn seconds(ms: i64) -> String {
    format!("{:.1} s", ms as f64 / 1e3)
}
