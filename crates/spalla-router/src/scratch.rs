//! What one decision writes on: kept from one to the next, so that nothing is cleared that was not touched.

use crate::fleet::Number;
use crate::score::Micro;

/// Numbers that were met in this round. A mark of an earlier round is as if it were not there.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    round: u32,
    rounds: Vec<u32>,
    values: Vec<u32>,
}

impl Marks {
    fn new(length: usize) -> Self {
        Self { round: 1, rounds: vec![0; length], values: vec![0; length] }
    }

    fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.rounds.fill(0);
            self.round = 1;
        }
    }

    /// Marks a number with a value, and returns the one that it had.
    fn mark(&mut self, at: usize, value: u32) -> Option<u32> {
        if self.rounds[at] == self.round {
            return Some(self.values[at]);
        }
        self.rounds[at] = self.round;
        self.values[at] = value;
        None
    }
}

/// A trigger that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    /// A glob, and the file.
    Glob { number: u32, file: u32 },
    /// A keyword, and where it begins in the folded text.
    Keyword { number: u32, at: u32 },
    /// A regex.
    Regex { number: u32 },
}

/// An agent that something speaks for, and how much.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Touched {
    pub(crate) agent: Number,
    pub(crate) files: Micro,
    pub(crate) keyword: Micro,
    pub(crate) regex: Micro,
    pub(crate) semantic: Micro,
}

/// What one decision writes on.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The folded text.
    pub(crate) folded: String,
    /// Where each of its bytes comes from; empty where that is the same place.
    pub(crate) places: Vec<u32>,
    /// The regexes that may match.
    pub(crate) regexes: Vec<u32>,
    /// What was found.
    pub(crate) hits: Vec<Hit>,
    /// The agents that something speaks for.
    pub(crate) touched: Vec<Touched>,
    /// How much of what was found points to each domain.
    domains: Vec<Micro>,
    domains_met: Vec<u32>,
    texts: Marks,
    agents: Marks,
}

impl Scratch {
    pub(crate) fn new(texts: usize, agents: usize, domains: usize) -> Self {
        Self {
            domains: vec![Micro::ZERO; domains],
            texts: Marks::new(2 * texts),
            agents: Marks::new(agents),
            ..Self::default()
        }
    }

    /// Forgets the decision before.
    pub(crate) fn begin(&mut self) {
        self.regexes.clear();
        self.hits.clear();
        self.touched.clear();
        self.texts.begin();
        self.agents.begin();
        for domain in self.domains_met.drain(..) {
            self.domains[domain as usize] = Micro::ZERO;
        }
    }

    /// Tells whether something is met for the first time: each text has a number as a keyword, and one as a literal.
    pub(crate) fn is_new(&mut self, number: usize) -> bool {
        self.texts.mark(number, 0).is_none()
    }

    /// Returns the agent's place, to add to.
    pub(crate) fn touch(&mut self, agent: Number) -> &mut Touched {
        let next = self.touched.len();
        // There are no more places than agents, whose numbers are as wide.
        let place = match self.agents.mark(agent as usize, u32::try_from(next).unwrap_or(u32::MAX)) {
            Some(place) => place as usize,
            None => {
                self.touched.push(Touched { agent, ..Touched::default() });
                next
            }
        };
        &mut self.touched[place]
    }

    /// Adds to what points to a domain.
    pub(crate) fn point_to(&mut self, domain: u32, much: Micro) {
        let place = &mut self.domains[domain as usize];
        if *place == Micro::ZERO {
            self.domains_met.push(domain);
        }
        *place += much;
    }

    /// Returns how much of everything that was found points to a domain.
    pub(crate) fn affinity(&self, domain: u32, all: Micro) -> Micro {
        self.domains[domain as usize].share_of(all)
    }

    /// Returns what points to any domain.
    pub(crate) fn pointed(&self) -> Micro {
        self.domains_met.iter().map(|domain| self.domains[*domain as usize]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_knows_nothing_of_the_one_before() {
        let mut scratch = Scratch::new(3, 3, 2);
        for _ in 0..3 {
            scratch.begin();
            assert!(scratch.is_new(1) && !scratch.is_new(1));
            scratch.touch(2).keyword += Micro::ONE;
            scratch.touch(0).keyword += Micro::ONE;
            scratch.touch(2).keyword += Micro::ONE;
            let found: Vec<_> = scratch.touched.iter().map(|one| (one.agent, one.keyword)).collect();
            assert_eq!(found, [(2, Micro::of(2.0)), (0, Micro::ONE)]);
            scratch.point_to(1, Micro::of(0.25));
            assert_eq!(scratch.affinity(1, scratch.pointed()), Micro::ONE);
            assert_eq!(scratch.affinity(0, scratch.pointed()), Micro::ZERO);
        }
    }

    #[test]
    fn a_round_whose_number_comes_again_begins_anew() {
        let mut marks = Marks::new(1);
        marks.mark(0, 5);
        marks.round = u32::MAX;
        marks.begin();
        assert_eq!(marks.mark(0, 6), None);
        assert_eq!(marks.mark(0, 7), Some(6));
    }
}
