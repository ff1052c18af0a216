//! What is done to the site, and in which order: a deck of cards, so that even a short soak sees every kind.

use super::Store;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A server is killed and started again.
    ServerKill,
    /// A worker is killed and started again.
    WorkerKill,
    /// A worker is stopped past its lease and goes on.
    WorkerStop,
    /// The database is restarted at once.
    PostgresRestart,
    /// The disk of the database is full for a while.
    DiskFull,
    /// The disk of the database is read-only for a while.
    ReadOnly,
    /// A server runs for a while with a clock that is an hour late.
    ClockBack,
    /// A server runs for a while with a clock that is an hour early.
    ClockForward,
    /// All connections break.
    Cut,
    /// Nothing gets through for a while.
    Stall,
    /// Requests arrive, and their answers are lost.
    HalfClose,
    /// A server may open no further file for a while.
    TooFewFiles,
}

impl Fault {
    /// Returns the word under which it is counted.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ServerKill => "server_kill",
            Self::WorkerKill => "worker_kill",
            Self::WorkerStop => "worker_stop",
            Self::PostgresRestart => "postgres_restart",
            Self::DiskFull => "disk_full",
            Self::ReadOnly => "read_only",
            Self::ClockBack => "clock_back",
            Self::ClockForward => "clock_forward",
            Self::Cut => "connections_cut",
            Self::Stall => "connections_stalled",
            Self::HalfClose => "connections_half_closed",
            Self::TooFewFiles => "too_few_files",
        }
    }
}

/// How often each kind is in the deck.
const CARDS: &[(Fault, usize)] = &[
    (Fault::ServerKill, 6),
    (Fault::WorkerKill, 5),
    (Fault::WorkerStop, 3),
    (Fault::PostgresRestart, 2),
    (Fault::DiskFull, 1),
    (Fault::ReadOnly, 1),
    (Fault::ClockBack, 1),
    (Fault::ClockForward, 1),
    (Fault::Cut, 2),
    (Fault::Stall, 1),
    (Fault::HalfClose, 2),
    (Fault::TooFewFiles, 1),
];

/// Faults to come.
pub(crate) struct Deck {
    store: Store,
    random: StdRng,
    cards: Vec<Fault>,
}

impl Deck {
    /// Makes a deck that deals the same cards for the same randomness.
    pub(crate) fn new(store: Store, random: StdRng) -> Self {
        Self { store, random, cards: vec![] }
    }

    /// Deals the next fault.
    pub(crate) fn deal(&mut self) -> Fault {
        loop {
            if let Some(card) = self.cards.pop() {
                return card;
            }
            let kinds = CARDS
                .iter()
                .filter(|(fault, _)| self.store == Store::Postgres || *fault != Fault::PostgresRestart);
            self.cards = kinds.flat_map(|(fault, count)| std::iter::repeat_n(*fault, *count)).collect();
            self.cards.shuffle(&mut self.random);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use std::collections::BTreeSet;

    fn dealt(store: Store, seed: u64) -> Vec<Fault> {
        let mut deck = Deck::new(store, StdRng::seed_from_u64(seed));
        (0..26).map(|_| deck.deal()).collect()
    }

    #[test]
    fn one_deck_has_every_kind_and_the_same_seed_deals_the_same() {
        assert_eq!(dealt(Store::Postgres, 7), dealt(Store::Postgres, 7));
        assert_ne!(dealt(Store::Postgres, 7), dealt(Store::Postgres, 8));
        let kinds: BTreeSet<Fault> = dealt(Store::Postgres, 7).into_iter().collect();
        assert_eq!(kinds.len(), CARDS.len());
        assert!(!dealt(Store::Sqlite, 7).contains(&Fault::PostgresRestart));
    }
}
