//! The servers of one schedule: each a real engine over a real store, which dies and comes back. What they share is
//! the database.

use super::clock::{ServerClock, ShownClock};
use super::database::Database;
use super::dice::{Dice, Fault};
use super::disk::{Disk, Gate, Mounted};
use super::ledger::Ledger;
use spalla_engine::{Engine, EngineHandle};
use spalla_store::{Clock, CommitGate, Randomness, Settings, Store};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// All servers, alive or not.
pub(crate) struct Servers {
    dice: Arc<Dice>,
    ledger: Arc<Ledger>,
    database: Database,
    settings: Settings,
    background_interval: Option<Duration>,
    clocks: Vec<Arc<ServerClock>>,
    alive: Mutex<Vec<Option<Server>>>,
}

/// A server that is alive. When it is dropped, its tasks are aborted wherever they are.
struct Server {
    handle: EngineHandle,
    _engine: Engine,
    _tasks: JoinSet<()>,
    died: CancellationToken,
    heard: watch::Sender<u64>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.died.cancel();
    }
}

impl Servers {
    /// Makes so many servers, none of which is alive.
    pub(crate) fn new(
        count: usize,
        (dice, ledger): (Arc<Dice>, Arc<Ledger>),
        database: Database,
        settings: Settings,
    ) -> Arc<Self> {
        let begin = tokio::time::Instant::now();
        let background_interval = settings.claims_take_eligible.then_some(Duration::from_secs(1));
        Arc::new(Self {
            dice,
            ledger,
            database,
            settings,
            background_interval,
            clocks: (0..count).map(|_| ServerClock::new(begin)).collect(),
            alive: Mutex::new((0..count).map(|_| None).collect()),
        })
    }

    /// Starts a server that is not alive.
    pub(crate) fn start(self: &Arc<Self>, number: usize) {
        let clock = Arc::clone(&self.clocks[number]);
        let (shown, gate) = (Arc::new(ShownClock::default()), Arc::new(Gate::default()));
        shown.show(clock.now());
        let options = spalla_store::Options {
            location: self.database.location.clone(),
            settings: self.settings.clone(),
            clock: Arc::clone(&shown) as Arc<dyn Clock>,
            randomness: Arc::clone(&self.dice) as Arc<dyn Randomness>,
            gate: Some(Arc::clone(&gate) as Arc<dyn CommitGate>),
        };
        let store = match self.database.wait_for(Store::open(options)) {
            Ok(store) => store,
            Err(error) => return self.ledger.complain(format!("a server can't open its store: {error}")),
        };
        let mounted = Mounted::new(store);
        let store = mounted.store.clone();
        let (dice, ledger) = (Arc::clone(&self.dice), Arc::clone(&self.ledger));
        let database = self.database.clone();
        let disk = Disk { dice, clock: Arc::clone(&clock), shown, gate, ledger, database };
        let mut tasks = JoinSet::new();
        let others = Arc::downgrade(self);
        tasks.spawn(mounted.run(disk, move || {
            if let Some(others) = others.upgrade() {
                others.tell_all_but(number);
            }
        }));
        let (heard, hears) = watch::channel(0);
        tasks.spawn(hear(store.clone(), hears, Arc::clone(&self.dice)));
        let options = spalla_engine::Options { clock, background_interval: self.background_interval };
        let (handle, engine) = Engine::start(store, options);
        let died = CancellationToken::new();
        self.alive()[number] = Some(Server { handle, _engine: engine, _tasks: tasks, died, heard });
    }

    /// Ends a server without a word.
    pub(crate) fn kill(&self, number: usize) {
        let server = self.alive()[number].take();
        drop(server);
    }

    /// Tells whether a server is alive.
    pub(crate) fn is_alive(&self, number: usize) -> bool {
        self.alive()[number].is_some()
    }

    /// Returns how many servers there are.
    pub(crate) fn count(&self) -> usize {
        self.clocks.len()
    }

    /// Returns some server that is alive, and what tells that it died.
    pub(crate) fn some(&self, dice: &Dice) -> Option<(EngineHandle, CancellationToken)> {
        let alive = self.alive();
        let alive: Vec<&Server> = alive.iter().flatten().collect();
        dice.one_of(&alive).map(|server| (server.handle.clone(), server.died.clone()))
    }

    /// Returns the clock of a server.
    pub(crate) fn clock(&self, number: usize) -> &ServerClock {
        &self.clocks[number]
    }

    /// Lets all clocks agree: with the one that is ahead of all others.
    pub(crate) fn set_clocks_right(&self) {
        let most = self.clocks.iter().map(|clock| clock.ahead_ms()).max().unwrap_or_default();
        for clock in &self.clocks {
            clock.set_by_ms(most - clock.ahead_ms());
        }
    }

    /// Tells the other servers that something was committed; they may not hear it.
    fn tell_all_but(&self, number: usize) {
        for (other, server) in self.alive().iter().enumerate() {
            let Some(server) = server else { continue };
            if other != number && !self.dice.strikes(Fault::WakeUpLost, 100) {
                server.heard.send_modify(|times| *times += 1);
            }
        }
    }

    fn alive(&self) -> MutexGuard<'_, Vec<Option<Server>>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes a server when another one committed, soon after it heard so, and now and then in case it did not.
async fn hear(store: Store, mut heard: watch::Receiver<u64>, dice: Arc<Dice>) {
    loop {
        let poll = Duration::from_millis(dice.between(2_000, 4_000));
        tokio::select! {
            biased;
            told = heard.changed() => {
                if told.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(dice.between(1, 10))).await;
            }
            () = tokio::time::sleep(poll) => {}
        }
        store.publish([].into());
    }
}
