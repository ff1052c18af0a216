//! What the server has to remember beyond a request: how often somebody came, and since when a fault lasts. Everything
//! is counted per run or per key, so that agents in parallel don't use up each other's faults.

use crate::asked::Asked;
use crate::provider::Provider;
use crate::script::{Scope, Spell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Counts are kept for so many runs and keys; a test that has more has lost its way, and the oldest are forgotten.
const WHOM_MAX: usize = 100_000;

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    visits: BTreeMap<Whom, u64>,
    faults: BTreeMap<(Whom, Place), Fault>,
}

/// Where a fault stands in the script: the numbers of its rule and its act.
pub(crate) type Place = (usize, usize);

/// For whom something is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Whom {
    provider: Provider,
    key: String,
    run: Option<String>,
}

/// What is remembered of a fault.
#[derive(Debug, Clone, Copy)]
struct Fault {
    met: u64,
    since_ms: i64,
}

/// How many requests have come, with the one that is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visits {
    /// Of this run.
    pub(crate) of_run: u64,
    /// With this key.
    pub(crate) of_key: u64,
}

impl Visits {
    /// Returns the number in a scope.
    pub(crate) fn within(self, scope: Scope) -> u64 {
        match scope {
            Scope::Run => self.of_run,
            Scope::Key => self.of_key,
        }
    }
}

impl Whom {
    fn of(asked: &Asked, scope: Scope) -> Self {
        Self {
            provider: asked.dialect.provider(),
            key: asked.key.clone(),
            run: (scope == Scope::Run).then(|| asked.run.clone()),
        }
    }
}

impl Counters {
    /// Counts a request.
    pub(crate) fn visit(&mut self, asked: &Asked) -> Visits {
        let mut count = |scope| {
            if self.visits.len() >= WHOM_MAX {
                self.visits.pop_first();
            }
            let visits = self.visits.entry(Whom::of(asked, scope)).or_insert(0);
            *visits += 1;
            *visits
        };
        Visits { of_run: count(Scope::Run), of_key: count(Scope::Key) }
    }

    /// Returns since when a fault lasts, in milliseconds since 1970, and counts that it was met; nothing where it is over.
    pub(crate) fn meet(&mut self, asked: &Asked, place: Place, spell: Spell) -> Option<i64> {
        if self.faults.len() >= WHOM_MAX {
            self.faults.pop_first();
        }
        match self.faults.entry((Whom::of(asked, spell.per), place)) {
            Entry::Vacant(entry) => {
                entry.insert(Fault { met: 1, since_ms: asked.at_ms });
                Some(asked.at_ms)
            }
            Entry::Occupied(mut entry) => {
                let fault = entry.get_mut();
                let in_number = spell.times.is_none_or(|times| fault.met < times);
                let in_time = spell.end_ms(fault.since_ms).is_none_or(|end_ms| asked.at_ms < end_ms);
                fault.met += u64::from(in_number && in_time);
                (in_number && in_time).then_some(fault.since_ms)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counters;
    use crate::asked::{Asked, Conversation, Letterhead};
    use crate::provider::Dialect;
    use crate::script::{Scope, Spell};

    fn asked(key: &str, run: &str, at_ms: i64) -> Asked {
        let head = Letterhead {
            key: key.to_owned(),
            run: Some(run.to_owned()),
            digest: String::new(),
            bytes: 0,
            at_ms,
        };
        Asked::new(Dialect::Chat, head, Conversation::default())
    }

    #[test]
    fn a_fault_of_a_run_is_met_by_each_run_on_its_own() {
        let mut counters = Counters::default();
        let twice = Spell { times: Some(2), ..Spell::default() };
        let mut meet = |run: &str| counters.meet(&asked("k", run, 0), (0, 0), twice).is_some();
        let met = [meet("a"), meet("b"), meet("a"), meet("a"), meet("b"), meet("b")];
        assert_eq!(met, [true, true, true, false, true, false]);
    }

    #[test]
    fn a_fault_of_a_key_is_met_by_all_its_runs_together() {
        let mut counters = Counters::default();
        let twice = Spell { times: Some(2), seconds: None, per: Scope::Key };
        let mut meet = |key: &str, run: &str| counters.meet(&asked(key, run, 0), (0, 0), twice).is_some();
        assert_eq!(
            [meet("k", "a"), meet("k", "b"), meet("k", "c"), meet("l", "c")],
            [true, true, false, true]
        );
    }

    #[test]
    fn a_fault_of_some_seconds_ends_with_them() {
        let mut counters = Counters::default();
        let minute = Spell { seconds: Some(60), ..Spell::default() };
        let mut meet = |at_ms: i64| counters.meet(&asked("k", "a", at_ms), (0, 0), minute);
        assert_eq!([meet(5_000), meet(64_999), meet(65_000)], [Some(5_000), Some(5_000), None]);
    }

    #[test]
    fn visits_are_counted_for_the_run_and_for_the_key() {
        let mut counters = Counters::default();
        counters.visit(&asked("k", "a", 0));
        let visits = counters.visit(&asked("k", "b", 0));
        assert_eq!((visits.within(Scope::Run), visits.within(Scope::Key)), (1, 2));
    }
}
