//! A fleet made ready to be asked: built once for each version, then only read.

use crate::fleet::{Entry, Fleet, Number};
use crate::fold::{folded, singular};
use crate::globs::Globs;
use crate::keywords::{Collected, Texts};
use crate::meaning::Meanings;
use crate::patterns::Patterns;
use crate::problem::Problems;
use crate::published::Details;
use crate::score::Micro;
use crate::source::{Source, Told};
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

/// How much it says that a task calls an agent by its name.
const NAME_WEIGHT: Micro = Micro::of_millionths(1_500_000);
/// How much more a keyword says for an agent whose id has it: enough to decide between equals.
const OWN_WORD_WEIGHT: Micro = Micro::of_millionths(1_080_000);
/// At which place of an agent's keywords one counts half; the first counts in full.
const RANK_HALF: i64 = 10;
/// Shorter names stand in too many texts by chance.
const NAME_BYTES_MIN: usize = 3;
/// How many of the words that an agent is not for are looked at.
const NEGATIVES_MAX: usize = 32;

/// An index of a fleet.
pub struct Index {
    pub(crate) version: String,
    pub(crate) entries: Vec<Entry>,
    /// The number of each agent's domain.
    pub(crate) domain_of: Vec<u32>,
    pub(crate) domains: usize,
    /// The agents that take what nobody else does.
    pub(crate) generalists: Vec<Number>,
    pub(crate) texts: Texts,
    pub(crate) patterns: Patterns,
    pub(crate) globs: Globs,
    details: Vec<OnceLock<Known>>,
    meanings: OnceLock<Result<Meanings, String>>,
    source: Option<Arc<dyn Source>>,
    problems: Problems,
}

/// What is known of an agent once its details are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) details: Details,
    /// What it is not for, as it is compared.
    pub(crate) negatives: Vec<String>,
    /// The keywords that count less for it, in the order of their numbers, each with the part that is missing.
    pub(crate) less: Vec<(u32, Micro)>,
    /// Why its details could not be read.
    pub(crate) unreadable: Option<String>,
}

impl Known {
    fn of(mut details: Details, entry: &Entry, texts: &Texts) -> Self {
        let words = details.negative_keywords.iter().map(|word| folded(word.trim()).into_owned());
        let negatives = words.filter(|word| !word.is_empty()).take(NEGATIVES_MAX).collect();
        let less = less(&std::mem::take(&mut details.ranked_keywords), entry, texts);
        Self { details, negatives, less, unreadable: None }
    }
}

/// Returns the keywords that count less, the later they stand in a list whose first ones tell most of its agent. Its own names count
/// in full.
fn less(ranked: &[String], entry: &Entry, texts: &Texts) -> Vec<(u32, Micro)> {
    let names = names(entry);
    let numbered = ranked.iter().zip(0_i64..).filter_map(|(word, rank)| {
        let word = folded(word.trim());
        let is_name = names.iter().any(|name| singular(name) == singular(&word));
        let number = texts.number(singular(&word)).filter(|_| !is_name)?;
        Some((number, Micro::of_millionths(1_000_000 * rank / (rank + RANK_HALF))))
    });
    let mut less: Vec<(u32, Micro)> = numbered.collect();
    // Of one that stands there twice the first counts.
    less.sort_unstable();
    less.dedup_by_key(|(number, _)| *number);
    less
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index")
            .field("version", &self.version)
            .field("agents", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl Index {
    /// Builds an index. What is read late comes from the source; without one, the fleet's own details are all there is.
    #[must_use]
    pub fn build(fleet: Fleet, source: Option<Arc<dyn Source>>) -> Self {
        let Fleet { version, entries, keywords, regexes, globs, details, mut problems } = fleet;
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        // Each agent has an id and a name, and few share a regex.
        let mut collected = Collected::with_room(keywords.len() + 2 * entries.len() + regexes.len());
        let parts = parts(&entries);
        for (word, agents) in keywords {
            collected.keyword(&word, named(&parts, &word, agents), &mut problems);
        }
        add_names(&entries, &mut collected, &mut problems);
        let patterns = Patterns::build(regexes, count, &mut collected, &mut problems);
        let globs = Globs::build(globs, count, &mut problems);
        let texts = collected.build(count, &mut problems);
        let (domain_of, domains) = domains(&entries);
        let known = |(details, entry): (Option<Details>, &Entry)| {
            details.map_or_else(OnceLock::new, |own| Known::of(own, entry, &texts).into())
        };
        let details = details.into_iter().zip(&entries).map(known).collect();
        Self {
            version,
            domain_of,
            domains,
            generalists: generalists(&entries),
            texts,
            patterns,
            globs,
            details,
            meanings: OnceLock::new(),
            source,
            problems,
            entries,
        }
    }

    /// Returns the version: an index of other agents or triggers has another one.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns how many agents there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the triggers that are not used.
    #[must_use]
    pub const fn problems(&self) -> &Problems {
        &self.problems
    }

    /// Returns the triggers that are not used, with those that show only when they are compiled. Takes long.
    #[must_use]
    pub fn lint(&self) -> Problems {
        let mut problems = self.problems.clone();
        self.patterns.lint(&mut problems);
        problems
    }

    /// Returns how many bytes of memory the automaton has.
    #[must_use]
    pub fn automaton_bytes(&self) -> usize {
        self.texts.automaton_bytes()
    }

    /// Returns what is known of an agent, read when it is first asked for.
    pub(crate) fn known(&self, agent: Number) -> &Known {
        self.details[agent as usize].get_or_init(|| self.read(agent))
    }

    fn read(&self, agent: Number) -> Known {
        let entry = &self.entries[agent as usize];
        let told = Told { id: &entry.id, domain: &entry.domain, subdomain: &entry.subdomain };
        match self.source.as_ref().map(|source| source.details(told)) {
            Some(Ok(details)) => Known::of(details, entry, &self.texts),
            Some(Err(why)) => Known { unreadable: Some(why), ..Known::default() },
            None => Known::default(),
        }
    }

    /// Returns what the agents are for; in words why that is not known.
    pub(crate) fn meanings(&self) -> Result<&Meanings, &str> {
        let read = || {
            let source = self.source.as_ref().ok_or("there is no table of meanings")?;
            Meanings::read(&self.entries, source.as_ref(), |agent| {
                self.known(agent).details.description.clone()
            })
        };
        self.meanings.get_or_init(read).as_ref().map_err(String::as_str)
    }
}

/// Returns what an agent is called, as it is compared.
fn names(entry: &Entry) -> [String; 3] {
    let spaced = entry.id.replace(['-', '_'], " ");
    [entry.id.as_str(), &spaced, &entry.name].map(|name| folded(name).into_owned())
}

/// Whoever calls an agent by its name means it.
fn add_names(entries: &[Entry], collected: &mut Collected, problems: &mut Problems) {
    for (entry, number) in entries.iter().zip(0..) {
        let own = names(entry);
        for (place, name) in own.iter().enumerate() {
            let is_long = name.len() >= NAME_BYTES_MIN && name.len() <= crate::keywords::KEYWORD_BYTES_MAX;
            if is_long && !own[..place].contains(name) {
                collected.keyword(name, [(number, NAME_WEIGHT)], problems);
            }
        }
    }
}

/// Of each part of ids the agents that have it.
type Parts<'a> = HashMap<Cow<'a, str>, Vec<Number>, RandomState>;

/// Returns of each part of an id, without large letters and plural, the agents whose ids have it, in their order.
fn parts(entries: &[Entry]) -> Parts<'_> {
    let mut parts = Parts::with_capacity_and_hasher(2 * entries.len(), RandomState::default());
    for (entry, number) in entries.iter().zip(0..) {
        for part in entry.id.split(['-', '_', '.']).map(singular) {
            let is_small = part.bytes().all(|byte| !byte.is_ascii_uppercase());
            let small = if is_small { Cow::Borrowed(part) } else { Cow::Owned(part.to_ascii_lowercase()) };
            parts.entry(small).or_default().push(number);
        }
    }
    parts
}

/// A keyword that is a part of the agent's own id says a little more for it than for others.
fn named<'a>(
    parts: &'a Parts<'_>,
    word: &str,
    agents: Vec<(Number, Micro)>,
) -> impl Iterator<Item = (Number, Micro)> + use<'a> {
    let own = parts.get(&*folded(singular(word.trim())));
    let is_own = move |number: &Number| own.is_some_and(|own| own.binary_search(number).is_ok());
    agents.into_iter().map(move |(number, weight)| {
        (number, if is_own(&number) { weight.times(OWN_WORD_WEIGHT) } else { weight })
    })
}

/// The tier that takes what nobody else does.
const GENERALIST: &str = "generalist";

fn generalists(entries: &[Entry]) -> Vec<Number> {
    let all = entries.iter().zip(0..).filter(|(entry, _)| entry.tier == GENERALIST);
    all.map(|(_, number)| number).collect()
}

/// Numbers the domains, and returns each agent's and how many there are.
fn domains(entries: &[Entry]) -> (Vec<u32>, usize) {
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut numbered = Vec::with_capacity(entries.len());
    for entry in entries {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        numbered.push(*numbers.entry(entry.domain.as_str()).or_insert(next));
    }
    (numbered, numbers.len())
}
