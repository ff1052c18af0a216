//! The same random scripts on every store: whatever is asked, in whatever order, all answer alike, show the same and
//! keep the invariants. A script is made from its seed alone, so that a failure can be repeated.

mod invariants;
mod script;

use crate::fixture::snapshot::{Snapshot, everything, state};
use crate::fixture::{Fixture, Kind, run};
use futures_util::FutureExt as _;
use invariants::Watch;
use script::{Script, Step};
use spalla_domain::Refusal;
use spalla_domain::event::Event;
use spalla_store::command::{Command, Reply, Request};
use spalla_store::view::EventFilter;
use spalla_store::{ExecuteError, Store};

/// Scripts for all stores: each needs a Postgres database, so that there are few.
const SEEDS: std::ops::Range<u64> = 0..16;
/// Scripts for the store in memory alone, which is fast.
const SEEDS_IN_MEMORY: std::ops::Range<u64> = 1_000..1_150;
/// Scripts of groups, for the store in memory, which takes one request at a time, and SQLite, which collects them.
const SEEDS_TOGETHER: std::ops::Range<u64> = 2_000..2_016;
const STEPS: usize = 160;
const GROUPS: usize = 40;
/// Answers and events are compared after each step, the state after one step in this many,
const STATE_EACH: usize = 4;
/// and what every way of reading shows, which takes long, after one step in this many.
const EVERYTHING_EACH: usize = 40;

#[test]
fn all_stores_answer_alike_whatever_is_asked() {
    for seed in SEEDS {
        run(play(seed, &[Kind::Memory, Kind::Sqlite, Kind::Postgres]).boxed_local());
    }
}

#[test]
fn the_invariants_hold_whatever_is_asked() {
    for seed in SEEDS_IN_MEMORY {
        run(play(seed, &[Kind::Memory]).boxed_local());
    }
}

#[test]
fn requests_that_arrive_together_are_answered_as_if_one_after_another() {
    for seed in SEEDS_TOGETHER {
        run(play_together(seed).boxed_local());
    }
}

/// Plays one script on stores of these kinds and compares them after each step.
async fn play(seed: u64, kinds: &'static [Kind]) {
    let mut script = Script::new(seed);
    let mut players = vec![];
    for kind in kinds {
        let f = Fixture::open(*kind).await.with(|settings| *settings = script.settings()).await;
        players.push(Player { kind: *kind, f, last: 0 });
    }
    let mut watch = Watch::new(script.settings());
    let mut before = Snapshot::default();
    for n in 0..STEPS {
        let step = script.next();
        let at = format!("seed {seed}, step {n}, {step:?}");
        let mut seen: Option<Seen> = None;
        for player in &mut players {
            let now = player.take(&step, seed << 32 | n as u64, n).await;
            match &seen {
                None => seen = Some(now),
                Some(first) => first.assert_same(&now, &format!("{:?}: {at}", player.kind)),
            }
        }
        let Some(seen) = seen else { return };
        let state = seen.state.unwrap_or_default();
        if seen.answer.is_err() && !may_notice_the_clock(&step) {
            before.assert_same(&state, format!("a refusal left a trace: {at}"));
        }
        before = state;
        script.learn(&seen.events);
        watch.see(&seen.events, &at);
        watch.check(&players[0].f, &at).await;
    }
}

/// Plays groups of requests: one after another in memory, all at once on SQLite, whose one writer takes them in order.
async fn play_together(seed: u64) {
    let mut script = Script::new(seed);
    let alone = Fixture::open(Kind::Memory).await.with(|settings| *settings = script.settings()).await;
    let together = Fixture::open(Kind::Sqlite).await.with(|settings| *settings = script.settings()).await;
    let mut last = 0;
    for n in 0..GROUPS {
        let (wait_ms, group) = script.group();
        let at = format!("seed {seed}, group {n}: {group:#?}");
        for f in [&alone, &together] {
            f.clock.advance_ms(wait_ms);
            f.dice.hold(seed << 32 | n as u64);
        }
        let mut expected = vec![];
        for request in &group {
            expected.push(ask(&alone.store, request.clone(), Kind::Memory).await);
        }
        let asked = group.iter().map(|request| ask(&together.store, request.clone(), Kind::Sqlite));
        assert_eq!(futures_util::future::join_all(asked).await, expected, "{at}");
        let events = events_after(&alone.store, last).await;
        assert_eq!(events_after(&together.store, last).await, events, "{at}");
        last = events.last().map_or(last, |event| event.seq.0);
        state(&alone.store).await.assert_same(&state(&together.store).await, &at);
        script.learn(&events);
    }
}

async fn events_after(store: &Store, seq: i64) -> Vec<Event> {
    let filter = EventFilter { after: Some(seq.into()), ..EventFilter::default() };
    store.read().events(filter, 10_000).await.unwrap()
}

/// Whoever looks for runs may find that a holder vanished or a moment came: that is the clock's doing, granted or not.
fn may_notice_the_clock(step: &Step) -> bool {
    use Command::{Claim, ClaimRun, Exchange, Tick};
    let Step::Ask(request) = step else { return false };
    matches!(request.command, ClaimRun { .. } | Claim(_) | Exchange(_) | Tick { .. })
}

/// One store in the play.
struct Player {
    kind: Kind,
    f: Fixture,
    /// The number of the last event it showed.
    last: i64,
}

/// What a store shows after a step.
struct Seen {
    answer: Result<Reply, Refusal>,
    events: Vec<Event>,
    state: Option<Snapshot>,
    everything: Option<Snapshot>,
}

impl Player {
    async fn take(&mut self, step: &Step, throw: u64, n: usize) -> Seen {
        self.f.dice.hold(throw);
        let answer = match step {
            Step::Pass { ms } => {
                self.f.clock.advance_ms(*ms);
                ask(&self.f.store, Command::KeepTime { max: 100 }.into(), self.kind).await
            }
            Step::Wait { ms } => {
                self.f.clock.advance_ms(*ms);
                Ok(Reply::Done)
            }
            Step::Ask(request) => ask(&self.f.store, (**request).clone(), self.kind).await,
        };
        let events = events_after(&self.f.store, self.last).await;
        self.last = events.last().map_or(self.last, |event| event.seq.0);
        let (is_cheap, store) = (self.kind == Kind::Memory, &self.f.store);
        let state = if is_cheap || n.is_multiple_of(STATE_EACH) { Some(state(store).await) } else { None };
        let everything = if n.is_multiple_of(EVERYTHING_EACH) { Some(everything(store).await) } else { None };
        Seen { answer, events, state, everything }
    }
}

async fn ask(store: &Store, request: Request, kind: Kind) -> Result<Reply, Refusal> {
    match store.execute(request.clone()).await {
        Ok(reply) => Ok(without_traces(reply)),
        Err(ExecuteError::Refused(refusal)) => Err(refusal),
        Err(ExecuteError::Store(error)) => panic!("{kind:?} failed: {error:?} at {request:?}"),
    }
}

/// Leaves out what is made from the store's own id.
fn without_traces(mut reply: Reply) -> Reply {
    let runs = match &mut reply {
        Reply::Claimed(runs) => runs,
        Reply::Exchanged(exchanged) => &mut exchanged.runs,
        _ => return reply,
    };
    runs.iter_mut().for_each(|run| run.trace_id.clear());
    reply
}

impl Seen {
    fn assert_same(&self, other: &Self, context: &str) {
        assert_eq!(self.answer, other.answer, "{context}");
        assert_eq!(self.events, other.events, "{context}");
        for (this, that) in [(&self.state, &other.state), (&self.everything, &other.everything)] {
            if let (Some(this), Some(that)) = (this, that) {
                this.assert_same(that, context);
            }
        }
    }
}
