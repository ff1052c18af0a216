//! Real histories keep every law: whatever random scripts ask of the stores, in whatever order, one by one and many at
//! once. The scripts are those that the stores are compared with.

#[path = "../../../spalla-store/tests/it/differential/script.rs"]
mod script;

use crate::world::{Counting, ManualClock};
use script::{Script, Step};
use spalla_domain::event::{Event, Fact};
use spalla_engine::history::{History, Rules, check};
use spalla_store::view::EventFilter;
use spalla_store::{Command, ExecuteError, Location, Options, Read, Request, Settings, Store};
use std::sync::Arc;
use std::time::Duration;

const SEEDS: std::ops::Range<u64> = 0..200;
const SEEDS_TOGETHER: std::ops::Range<u64> = 5_000..5_016;
const STEPS: usize = 200;
const GROUPS: usize = 40;
/// The rows are compared after one step in this many.
const ROWS_EACH: usize = 8;

fn rules(settings: &Settings) -> Rules {
    Rules { approvals_required: settings.require_approval, takeovers_max: Some(settings.takeovers_max) }
}

/// A store in which a script is played, with what its log says so far.
struct Play {
    script: Script,
    store: Store,
    clock: Arc<ManualClock>,
    history: History,
    name: String,
}

impl Play {
    async fn begin(seed: u64, location: Location) -> Self {
        let script = Script::new(seed);
        let settings = script.settings();
        let history = History::new(rules(&settings));
        let clock = Arc::new(ManualClock::new());
        let randomness = Arc::new(Counting::new());
        let options = Options { location, settings, clock: clock.clone(), randomness, gate: None };
        let store = Store::open(options).await.unwrap();
        Self { script, store, clock, history, name: format!("seed {seed}") }
    }

    async fn ask(&self, request: Request) {
        match self.store.execute(request).await {
            Ok(_) | Err(ExecuteError::Refused(_)) => {}
            Err(ExecuteError::Store(error)) => panic!("{}: {error:?}", self.name),
        }
    }

    /// Reads on in the log, and checks what it says.
    async fn read_on(&mut self, with_rows: bool, at: &str) {
        let filter = EventFilter { after: self.history.newest(), ..EventFilter::default() };
        let events = self.store.read().events(filter, 10_000).await.unwrap();
        self.script.learn(&events);
        events.iter().for_each(|event| self.history.take(event));
        self.history.settle();
        if with_rows {
            assert!(self.history.finish(self.store.read(), false).await.unwrap());
        }
        assert!(
            self.history.violations().is_empty(),
            "{}, {at}: {:#?}\n{:#?}",
            self.name,
            self.history.violations(),
            all_events(self.store.read()).await
        );
    }
}

async fn all_events(read: &dyn Read) -> Vec<Event> {
    read.events(EventFilter::default(), 10_000).await.unwrap()
}

#[tokio::test]
async fn no_random_script_breaks_a_law() {
    for seed in SEEDS {
        let mut play = Play::begin(seed, Location::Memory(spalla_store::Memory::default())).await;
        for n in 0..STEPS {
            let step = play.script.next();
            let at = format!("step {n}: {step:?}");
            match step {
                Step::Pass { ms } => {
                    play.clock.advance(Duration::from_millis(ms.unsigned_abs()));
                    play.ask(Command::KeepTime { max: 100 }.into()).await;
                }
                Step::Wait { ms } => play.clock.advance(Duration::from_millis(ms.unsigned_abs())),
                Step::Ask(request) => play.ask(*request).await,
            }
            play.read_on(n.is_multiple_of(ROWS_EACH), &at).await;
        }
        play.read_on(true, "the end").await;
    }
}

#[tokio::test]
async fn requests_that_arrive_together_break_no_law() {
    let folder = tempfile::tempdir().unwrap();
    for seed in SEEDS_TOGETHER {
        let path = folder.path().join(format!("{seed}.db"));
        let mut play = Play::begin(seed, Location::Sqlite(path)).await;
        for n in 0..GROUPS {
            let (wait_ms, group) = play.script.group();
            play.clock.advance(Duration::from_millis(wait_ms.unsigned_abs()));
            futures_util::future::join_all(group.into_iter().map(|request| play.ask(request))).await;
            play.read_on(n.is_multiple_of(ROWS_EACH), &format!("group {n}")).await;
        }
        let rules = rules(&play.script.settings());
        let report = check(play.store.read(), rules, false).await.unwrap();
        assert!(report.is_good() && report.rows_compared, "{report:#?}");
        assert_eq!(report.counts, play.history.counts());
        play.store.close().await;
    }
}

/// Tells whether a log without this event may be the log of another good history with the same end.
fn may_be_missed(event: &Event, log: &[Event]) -> bool {
    let next_of_run = log.iter().find(|later| later.seq > event.seq && later.run_id == event.run_id);
    match &event.fact {
        Fact::ProjectCreated { .. } | Fact::ProjectUpdated {} | Fact::ProjectArchived {} => true,
        Fact::WorkItemUpdated { changed } => !changed.iter().any(|member| member == "critical"),
        // Without the first of two the second did it all.
        Fact::WorkItemQueued { .. } | Fact::WorkItemRequeued { .. } | Fact::RunCreated { .. } => true,
        // The order of the queue is no law of the history.
        Fact::PriorityMoved { .. } => true,
        // The holder may as well have come in time.
        Fact::LeaseExpired { .. } => true,
        // Whoever cancels a run does not ask whether somebody holds it.
        Fact::RunHandedBack { .. } => {
            next_of_run.is_some_and(|next| matches!(next.fact, Fact::RunCancelled {}))
        }
        _ => false,
    }
}

#[tokio::test]
async fn a_log_that_lacks_one_event_is_noticed() {
    for seed in 0..12 {
        let mut play = Play::begin(seed, Location::Memory(spalla_store::Memory::default())).await;
        for _ in 0..120 {
            if let Step::Ask(request) = play.script.next() {
                play.ask(*request).await;
            }
            play.read_on(false, "on the way").await;
        }
        let rules = rules(&play.script.settings());
        let events = all_events(play.store.read()).await;
        for lacking in events.iter().rev().skip(1).filter(|event| !may_be_missed(event, &events)) {
            let mut history = History::new(rules);
            events.iter().filter(|event| *event != lacking).for_each(|event| history.take(event));
            assert!(history.finish(play.store.read(), false).await.unwrap());
            assert!(!history.violations().is_empty(), "{}: {lacking:?}", play.name);
        }
    }
}
