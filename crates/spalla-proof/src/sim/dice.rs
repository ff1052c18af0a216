//! Chance, from one seed, and the faults that it brings: which kinds may strike, and how often each did.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What goes wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault { $($(#[$doc])* $variant,)* }

        impl Fault {
            /// Every kind.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the kind's name in reports.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

faults! {
    /// A call or its answer never arrives.
    MessageDropped = "message_dropped",
    /// A call arrives twice.
    MessageDoubled = "message_doubled",
    /// A call arrives after one that was sent later.
    MessageReordered = "message_reordered",
    /// A call or its answer arrives when its sender has given up on it.
    MessageLate = "message_late",
    /// A worker neither sends nor hears for a while.
    WorkerStalled = "worker_stalled",
    /// A worker that lost its leases while it stood still goes on as if it had not.
    ZombieReturned = "zombie_returned",
    /// A worker is gone, with all its runs.
    WorkerDied = "worker_died",
    /// A server is gone, with everything it had not committed.
    ServerDied = "server_died",
    /// A transaction fails when everything is written and nothing committed.
    TornCommit = "torn_commit",
    /// A row seems moved by somebody else between its load and its change.
    RowOvertaken = "row_overtaken",
    /// A transaction is committed and nobody hears of it.
    AnswerLost = "answer_lost",
    /// The store takes nothing.
    StoreError = "store_error",
    /// The disk is full when a transaction is to be committed.
    DiskFull = "disk_full",
    /// A server's clock is set forward or back.
    ClockJumped = "clock_jumped",
    /// Another server never hears of a commit.
    WakeUpLost = "wake_up_lost",
}

/// A set of kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Faults(u32);

impl Faults {
    /// Every kind.
    pub(crate) const ALL: Self = Self(u32::MAX);
    /// No kind.
    pub(crate) const NONE: Self = Self(0);

    /// Returns the set without one kind.
    pub(crate) const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u32))
    }

    /// Tells whether the set has a kind.
    pub(crate) const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u32) != 0
    }
}

/// How often each kind of fault struck, in the order of `Fault::ALL`.
pub(crate) type Strikes = [u64; Fault::ALL.len()];

/// The only source of chance in a schedule.
pub(crate) struct Dice {
    random: Mutex<SmallRng>,
    allowed: Faults,
    is_calm: AtomicBool,
    strikes: [AtomicU64; Fault::ALL.len()],
}

impl Dice {
    /// Makes the dice of a seed.
    pub(crate) fn new(seed: u64, allowed: Faults) -> Self {
        let random = Mutex::new(SmallRng::seed_from_u64(seed));
        Self { random, allowed, is_calm: AtomicBool::new(false), strikes: Default::default() }
    }

    /// Returns a number.
    pub(crate) fn number(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    /// Returns a number below `end`, which is above 0.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.number() % end
    }

    /// Returns a number from `first` to `last`.
    pub(crate) fn between(&self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// Tells whether what happens so many times in a thousand happens now.
    pub(crate) fn chance(&self, per_thousand: u64) -> bool {
        self.below(1_000) < per_thousand
    }

    /// Returns one of several, or none of none.
    pub(crate) fn one_of<'a, T>(&self, several: &'a [T]) -> Option<&'a T> {
        (!several.is_empty()).then(|| &several[self.below(several.len() as u64) as usize])
    }

    /// Tells whether a fault that strikes so many times in a thousand strikes now, and counts it.
    pub(crate) fn strikes(&self, fault: Fault, per_thousand: u64) -> bool {
        // The dice are thrown in any case, so that a forbidden kind changes as little as possible of the rest.
        let strikes = self.chance(per_thousand) && self.allowed.has(fault) && !self.is_calm();
        if strikes {
            self.count(fault);
        }
        strikes
    }

    /// Counts a fault that came about by itself.
    pub(crate) fn count(&self, fault: Fault) {
        self.strikes[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Lets no fault strike any more.
    pub(crate) fn calm_down(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    /// Tells whether no fault strikes any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }

    /// Returns how often each kind struck.
    pub(crate) fn all_strikes(&self) -> Strikes {
        std::array::from_fn(|kind| self.strikes[kind].load(Ordering::Relaxed))
    }
}

impl spalla_store::Randomness for Dice {
    fn next(&self) -> u64 {
        self.number()
    }
}
