//! Which agent does a piece that names none: by strategy, among those that can be called now.

use crate::config::Settings;
use crate::failure::{Failure, Result};
use spalla_domain::Timestamp;
use spalla_domain::balance::{Chosen, Instance, Strategy, choose};
use spalla_domain::scorecard::TRUST_UNKNOWN;
use spalla_domain::session::Selector;
use std::collections::{BTreeMap, BTreeSet};

/// The largest weight.
const WEIGHT_MAX: u32 = 1_000;
/// What of an agent's weight is one as people write it: records are finer.
const ONE: u32 = 100;

/// How work is spread, and who can't be called now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Balance {
    strategy: Strategy,
    /// What the settings say.
    weights: BTreeMap<String, u32>,
    /// How far agents are trusted by their records.
    trust: BTreeMap<String, f64>,
    at_limit: BTreeSet<String>,
}

impl Balance {
    /// Reads how work is spread, and which agents wait for the end of a limit: they get nothing until it is over.
    pub(crate) fn of(settings: &Settings, now: Timestamp) -> Result<Self> {
        let weights = read_weights(&settings.balance.weights);
        let weights = weights.map_err(|wrong| Failure::usage(format!("balance.weights: {wrong}")))?;
        // A clock beyond what a calendar holds knows no limits.
        let now = jiff::Timestamp::from_millisecond(now.ms()).unwrap_or_default();
        let at_limit = spalla_worker::agents_at_limits(&settings.data, now).into_keys().collect();
        Ok(Self { strategy: settings.balance.strategy, weights, trust: BTreeMap::new(), at_limit })
    }

    /// Has agents bear what their records say, as far as the settings do not say it.
    #[must_use]
    pub(crate) fn by_records(self, trust: &BTreeMap<String, f64>) -> Self {
        Self { trust: trust.clone(), ..self }
    }

    /// Tells whether it matters what the records of agents say.
    pub(crate) fn asks_for_records(&self, selector: Selector) -> bool {
        self.strategy == Strategy::Weighted || selector == Selector::Tiny
    }

    /// Returns what an agent bears in comparison with others, in hundredths: as the settings say; else by its record, up to twice of
    /// what somebody bears of whom nothing is known.
    pub(super) fn weight(&self, name: &str) -> u32 {
        let by_record = || {
            let trust = self.trust.get(name).copied().unwrap_or(TRUST_UNKNOWN);
            ((trust / TRUST_UNKNOWN * f64::from(ONE)).round() as u32).max(1)
        };
        self.weights.get(name).map_or_else(by_record, |weight| weight * ONE)
    }

    /// Tells whether an agent can be called now.
    pub(super) fn is_called(&self, name: &str) -> bool {
        !self.at_limit.contains(name)
    }

    /// Chooses among agents, given how many pieces each has to do already. Where all wait for the end of a limit, the one
    /// is taken that would be if none did: the run waits for it.
    pub(crate) fn choose(
        &self,
        names: &[String],
        load: &BTreeMap<String, u32>,
        turn: usize,
    ) -> Option<Chosen> {
        let instance = |is_healthy: &dyn Fn(&str) -> bool| -> Vec<Instance> {
            let make = |name: &String| Instance {
                name: name.clone(),
                active: load.get(name).copied().unwrap_or(0),
                weight: self.weight(name),
                is_healthy: is_healthy(name),
            };
            names.iter().map(make).collect()
        };
        let healthy = choose(self.strategy, &instance(&|name| !self.at_limit.contains(name)), turn);
        healthy.or_else(|| choose(self.strategy, &instance(&|_| true), turn))
    }
}

/// Reads weights as `codex=2`.
pub(crate) fn read_weights(words: &[String]) -> std::result::Result<BTreeMap<String, u32>, String> {
    let read = |word: &String| {
        let (name, weight) = word.split_once('=').unwrap_or((word, ""));
        let weight = weight.trim().parse::<u32>().ok().filter(|weight| *weight <= WEIGHT_MAX);
        match weight {
            Some(weight) if !name.trim().is_empty() => Ok((name.trim().to_lowercase(), weight)),
            _ => Err(format!("{word:?} is no AGENT=WEIGHT with a weight from 0 to {WEIGHT_MAX}")),
        }
    };
    words.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> [String; 3] {
        ["claude", "codex", "gemini"].map(str::to_owned)
    }

    fn spread(balance: &Balance, pinned: &[(&str, u32)], pieces: usize) -> Vec<String> {
        let mut load: BTreeMap<String, u32> =
            pinned.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let mut spread = vec![];
        for turn in 0..pieces {
            let chosen = balance.choose(&names(), &load, turn).unwrap();
            let name = names()[chosen.place].clone();
            *load.entry(name.clone()).or_default() += 1;
            spread.push(name);
        }
        spread
    }

    #[test]
    fn pieces_go_round_and_whoever_has_pieces_of_its_own_gets_fewer() {
        let balance = Balance::default();
        assert_eq!(spread(&balance, &[], 4), ["claude", "codex", "gemini", "claude"]);
        let mut beside = spread(&balance, &[("claude", 2)], 4);
        beside.sort();
        assert_eq!(beside, ["codex", "codex", "gemini", "gemini"]);
        assert_eq!(balance.choose(&[], &BTreeMap::new(), 0), None);
    }

    #[test]
    fn an_agent_at_a_limit_gets_nothing_until_it_is_over() {
        let walled = |names: &[&str]| Balance {
            at_limit: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Balance::default()
        };
        assert_eq!(spread(&walled(&["claude"]), &[], 3), ["codex", "gemini", "codex"]);
        assert_eq!(spread(&walled(&["claude", "codex", "gemini"]), &[], 3), ["claude", "codex", "gemini"]);
    }

    fn weighted(weights: &[(&str, u32)], trust: &[(&str, f64)]) -> Balance {
        let weights = weights.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        let trust = trust.iter().map(|(name, trust)| ((*name).to_owned(), *trust)).collect();
        Balance { strategy: Strategy::Weighted, weights, ..Balance::default() }.by_records(&trust)
    }

    #[test]
    fn work_is_spread_by_what_records_say_as_far_as_the_settings_do_not_say_it() {
        let count = |balance: &Balance| {
            let spread = spread(balance, &[], 9);
            names().map(|name| spread.iter().filter(|given| **given == name).count())
        };
        assert_eq!(count(&weighted(&[], &[])), [3, 3, 3]);
        assert_eq!(count(&weighted(&[], &[("claude", 1.0), ("codex", 0.25)])), [5, 1, 3]);
        assert_eq!(count(&weighted(&[("codex", 2)], &[("claude", 0.5), ("codex", 0.0)])), [2, 5, 2]);
        assert_eq!(count(&weighted(&[], &[("claude", 0.0), ("codex", 0.0), ("gemini", 0.0)])), [3, 3, 3]);
        assert_eq!(weighted(&[("codex", 0)], &[("codex", 1.0)]).weight("codex"), 0);
    }

    #[test]
    fn weights_are_read_strictly() {
        let read =
            |words: &[&str]| read_weights(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            read(&["Codex=2", " claude = 0"]).unwrap(),
            BTreeMap::from([("codex".into(), 2), ("claude".into(), 0)])
        );
        for odd in ["codex", "codex=", "=2", "codex=-1", "codex=1001", "codex=x"] {
            assert!(read(&[odd]).is_err(), "{odd}");
        }
    }
}
