//! Which agents have which trigger, and what each trigger says for them.

use crate::fleet::Number;
use crate::score::{Micro, rarity};

/// Of each trigger, by its number, the agents that have it.
#[derive(Debug)]
pub(crate) struct Postings {
    /// Where each trigger's agents begin; one more entry says where the last end.
    starts: Vec<u32>,
    agents: Vec<Number>,
    /// What the trigger says for the agent, in millionths.
    worth: Vec<u32>,
    /// What triggers say that few agents have: most are such, and a logarithm takes its time.
    rarities: [Option<Micro>; FEW],
}

/// How many agents are few.
const FEW: usize = 64;

impl Postings {
    pub(crate) fn new() -> Self {
        Self { starts: vec![0], agents: Vec::new(), worth: Vec::new(), rarities: [None; FEW] }
    }

    /// Adds the next trigger, with how much it says for each agent if it alone has it; of an agent that is named twice the
    /// greater counts. Returns the trigger's number.
    pub(crate) fn push(&mut self, mut agents: Vec<(Number, Micro)>, all: u32) -> u32 {
        agents.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        agents.dedup_by_key(|(agent, _)| *agent);
        let rarity = match self.rarities.get_mut(agents.len()) {
            // All triggers of one index come with the same number of agents.
            Some(known) => *known.get_or_insert_with(|| rarity(count(agents.len()), all)),
            None => rarity(count(agents.len()), all),
        };
        for (agent, weight) in agents {
            self.agents.push(agent);
            self.worth.push(u32::try_from(weight.times(rarity).millionths().max(0)).unwrap_or(u32::MAX));
        }
        self.starts.push(count(self.agents.len()));
        count(self.starts.len() - 2)
    }

    /// Returns the agents of a trigger, in the order of their numbers, with what it says for each.
    pub(crate) fn of(&self, trigger: u32) -> impl ExactSizeIterator<Item = (Number, Micro)> {
        let range = self.range(trigger);
        self.agents[range.clone()].iter().copied().zip(self.worth[range].iter().map(|worth| micro(*worth)))
    }

    /// Returns how many agents a trigger has.
    pub(crate) fn len_of(&self, trigger: u32) -> u32 {
        count(self.range(trigger).len())
    }

    /// Tells whether an agent has a trigger.
    pub(crate) fn has(&self, trigger: u32, agent: Number) -> bool {
        self.agents[self.range(trigger)].binary_search(&agent).is_ok()
    }

    /// Returns what a trigger says for an agent; nothing where that does not have it.
    pub(crate) fn worth_of(&self, trigger: u32, agent: Number) -> Micro {
        let range = self.range(trigger);
        let place = self.agents[range.clone()].binary_search(&agent);
        place.map_or(Micro::ZERO, |place| micro(self.worth[range][place]))
    }

    fn range(&self, trigger: u32) -> std::ops::Range<usize> {
        let at = trigger as usize;
        self.starts[at] as usize..self.starts[at + 1] as usize
    }
}

fn micro(worth: u32) -> Micro {
    Micro::of_millionths(i64::from(worth))
}

/// Indexes are bounded far below this.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_trigger_says_more_and_an_agent_has_it_once() {
        let mut postings = Postings::new();
        let rare = postings.push(vec![(7, Micro::ONE)], 100);
        let common = postings.push((0..100).map(|agent| (agent, Micro::ONE)).collect(), 100);
        let twice = postings.push(vec![(3, Micro::of(0.5)), (3, Micro::of(2.0))], 100);
        assert_eq!(postings.of(rare).collect::<Vec<_>>(), [(7, Micro::ONE)]);
        assert!(postings.of(common).all(|(_, worth)| worth < Micro::of(0.01)));
        assert_eq!(postings.of(twice).collect::<Vec<_>>(), [(3, Micro::of(2.0))]);
        assert!(postings.has(common, 99) && !postings.has(rare, 3));
        assert_eq!(postings.len_of(common), 100);
    }
}
