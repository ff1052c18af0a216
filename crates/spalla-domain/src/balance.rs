//! Load balancing: which of several instances of one capability does the next piece of work. One that is not healthy is left
//! out until its check passes.

use serde::{Deserialize, Serialize};

/// How an instance is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One after another.
    RoundRobin,
    /// The one with the least to do.
    #[default]
    LeastConnections,
    /// The one with the least to do for its weight.
    Weighted,
}

impl Strategy {
    /// Returns the name in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::LeastConnections => "least_connections",
            Self::Weighted => "weighted",
        }
    }
}

/// An instance that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// How much it has to do.
    pub active: u32,
    /// What it bears in comparison with others; 0 is nothing as long as there are others.
    pub weight: u32,
    /// Whether its last check passed.
    pub is_healthy: bool,
}

/// What was chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its place in the list.
    pub place: usize,
    /// Why.
    pub why: String,
}

/// Chooses an instance for the work with this number, from 0; none where there is none that is healthy. Of equals the first in
/// the order of turns is taken, so that the same question has the same answer.
pub fn choose(strategy: Strategy, instances: &[Instance], turn: usize) -> Option<Chosen> {
    let healthy: Vec<usize> = (0..instances.len()).filter(|place| instances[*place].is_healthy).collect();
    let count = healthy.len();
    let first = turn.checked_rem(count)?;
    let in_turn = (0..count).map(|step| healthy[(first + step) % count]);
    let of = |place: &usize| &instances[*place];
    let place = match strategy {
        Strategy::RoundRobin => healthy[first],
        Strategy::LeastConnections => in_turn.min_by_key(|place| of(place).active)?,
        Strategy::Weighted => {
            let bears = |place: &usize| of(place).weight > 0;
            let is_any = healthy.iter().any(bears);
            in_turn.filter(|place| !is_any || bears(place)).min_by(|one, other| {
                let (one, other) = (of(one), of(other));
                // (active + 1) / weight, compared without dividing.
                let load =
                    |a: &Instance, b: &Instance| (u64::from(a.active) + 1) * u64::from(b.weight.max(1));
                load(one, other).cmp(&load(other, one))
            })?
        }
    };
    let Instance { name, active, weight, .. } = &instances[place];
    let left_out = instances.len() - count;
    let mut why = match strategy {
        Strategy::RoundRobin => format!("{name} has its turn"),
        Strategy::LeastConnections => format!("{name} has the least to do: {active}"),
        Strategy::Weighted => format!("{name} has the least to do for its weight: {active} for {weight}"),
    };
    if left_out > 0 {
        why.push_str(&format!("; {left_out} not healthy"));
    }
    Some(Chosen { place, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instances(all: &[(u32, u32, bool)]) -> Vec<Instance> {
        let make = |(place, (active, weight, is_healthy)): (usize, &(u32, u32, bool))| Instance {
            name: format!("i{place}"),
            active: *active,
            weight: *weight,
            is_healthy: *is_healthy,
        };
        all.iter().enumerate().map(make).collect()
    }

    fn place(strategy: Strategy, all: &[(u32, u32, bool)], turn: usize) -> Option<usize> {
        choose(strategy, &instances(all), turn).map(|chosen| chosen.place)
    }

    /// Gives out work one by one, and returns who got how much.
    fn spread(strategy: Strategy, all: &[(u32, u32, bool)], count: usize) -> Vec<u32> {
        let mut all = instances(all);
        let before: Vec<u32> = all.iter().map(|instance| instance.active).collect();
        for turn in 0..count {
            let chosen = choose(strategy, &all, turn).unwrap();
            all[chosen.place].active += 1;
        }
        all.iter().zip(before).map(|(instance, before)| instance.active - before).collect()
    }

    #[test]
    fn each_has_its_turn_whatever_it_has_to_do() {
        let all = [(9, 1, true), (0, 1, true), (5, 1, true)];
        assert_eq!([0, 1, 2, 3].map(|turn| place(Strategy::RoundRobin, &all, turn).unwrap()), [0, 1, 2, 0]);
    }

    #[test]
    fn the_one_with_the_least_to_do_is_taken_and_equals_take_turns() {
        assert_eq!(
            place(Strategy::LeastConnections, &[(2, 1, true), (1, 1, true), (3, 1, true)], 0),
            Some(1)
        );
        let equal = [(1, 1, true), (1, 1, true)];
        assert_eq!([0, 1].map(|turn| place(Strategy::LeastConnections, &equal, turn).unwrap()), [0, 1]);
        assert_eq!(spread(Strategy::LeastConnections, &[(4, 1, true), (0, 1, true)], 6), [1, 5]);
    }

    #[test]
    fn work_is_spread_by_weight_and_who_has_none_gets_none_while_there_are_others() {
        let all = [(0, 3, true), (0, 1, true), (0, 0, true)];
        assert_eq!(spread(Strategy::Weighted, &all, 8), [6, 2, 0]);
        assert_eq!(place(Strategy::Weighted, &[(0, 0, true), (1, 0, true)], 0), Some(0));
    }

    #[test]
    fn who_is_not_healthy_leaves_until_its_check_passes() {
        for strategy in [Strategy::RoundRobin, Strategy::LeastConnections, Strategy::Weighted] {
            let mut all = [(0, 1, false), (7, 1, true)];
            assert_eq!([0, 1, 2].map(|turn| place(strategy, &all, turn).unwrap()), [1, 1, 1], "{strategy:?}");
            let chosen = choose(strategy, &instances(&all), 0).unwrap();
            assert!(chosen.why.ends_with("; 1 not healthy"), "{}", chosen.why);
            all[0].2 = true;
            assert_eq!(place(strategy, &all, 0), Some(0));
            assert_eq!(place(strategy, &[(0, 1, false)], 0), None);
            assert_eq!(place(strategy, &[], 3), None);
        }
    }
}
