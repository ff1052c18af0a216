//! The agents that there are, with what triggers them: what an index is made of.

use crate::published::Details;
use crate::score::{Micro, SCORING};
use std::collections::BTreeMap;

/// How many agents a fleet has at most.
pub(crate) const AGENTS_MAX: usize = 200_000;

/// An agent, as whoever has it at hand hands it over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agent {
    /// Its name among all agents.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The domain that it belongs to.
    pub domain: String,
    /// The part of the domain; empty means none.
    pub subdomain: String,
    /// Its tier, such as `generalist`.
    pub tier: String,
    /// Words and phrases of tasks that it is for.
    pub keywords: Vec<Keyword>,
    /// Patterns of tasks that it is for.
    pub regexes: Vec<Pattern>,
    /// Globs of files that it is for.
    pub file_patterns: Vec<String>,
    /// What is looked at only where it may be chosen.
    pub details: Details,
}

/// A word or a phrase, and how much it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyword {
    /// The word.
    pub text: String,
    /// How much it says for this agent; 1 is usual.
    pub weight: Micro,
}

impl From<&str> for Keyword {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), weight: Micro::ONE }
    }
}

/// A regex, and how much it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    /// The regex, which takes large and small letters for the same.
    pub pattern: String,
    /// The highest are tried first; from 0 to 100 it says the more, the higher it is.
    pub priority: i64,
}

/// An agent's number in its index: its place in the order of ids.
pub(crate) type Number = u32;

/// What is known of an agent before its details are read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) subdomain: String,
    pub(crate) tier: String,
}

/// All agents of one version, and their triggers, each with the agents that have it.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    pub(crate) version: String,
    /// In the order of their ids.
    pub(crate) entries: Vec<Entry>,
    pub(crate) keywords: BTreeMap<String, Vec<(Number, Micro)>>,
    pub(crate) regexes: BTreeMap<Pattern, Vec<Number>>,
    pub(crate) globs: BTreeMap<String, Vec<Number>>,
    /// The details that are at hand; those of the others are read from the source.
    pub(crate) details: Vec<Option<Details>>,
    /// What did not fit.
    pub(crate) problems: crate::problem::Problems,
}

impl Fleet {
    /// Makes a fleet of agents that are at hand. Of two with one id the first counts.
    #[must_use]
    pub fn of(mut agents: Vec<Agent>) -> Self {
        agents.sort_by(|one, other| one.id.cmp(&other.id));
        let mut fleet = Self::default();
        let mut digest = blake3::Hasher::new();
        digest.update(&SCORING.to_le_bytes());
        for agent in agents {
            if fleet.entries.last().is_some_and(|last| last.id == agent.id) {
                fleet.problems.add(&agent.id, "another agent has this id");
            } else if fleet.entries.len() == AGENTS_MAX {
                fleet.problems.add(&agent.id, format!("a fleet has at most {AGENTS_MAX} agents"));
            } else {
                // What `Debug` shows of plain data is all of it.
                digest.update(format!("{agent:?}").as_bytes());
                fleet.add(agent);
            }
        }
        fleet.version = short(&digest.finalize());
        fleet
    }

    fn add(&mut self, agent: Agent) {
        let Ok(number) = Number::try_from(self.entries.len()) else { return };
        for keyword in agent.keywords {
            self.keywords.entry(keyword.text).or_default().push((number, keyword.weight));
        }
        for pattern in agent.regexes {
            self.regexes.entry(pattern).or_default().push(number);
        }
        for glob in agent.file_patterns {
            self.globs.entry(glob).or_default().push(number);
        }
        let Agent { id, name, domain, subdomain, tier, details, .. } = agent;
        self.entries.push(Entry { id, name, domain, subdomain, tier });
        self.details.push(Some(details));
    }

    /// Returns how many agents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Returns the beginning of a digest: enough to tell versions apart.
pub(crate) fn short(digest: &blake3::Hash) -> String {
    digest.to_hex().chars().take(16).collect()
}
