//! Which words tell an agent from the others of its fleet (TF-IDF). What is counted is kept from one conversion to the next: only
//! what was read anew is counted again, and the outcome is that of counting everything.

use crate::source::{Reading, Source};
use crate::terms::{Kind, Term};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many words are taken of an agent's name, of its description and headings, and of all of its text; and how many phrases.
const NAMES_MAX: usize = 8;
const PROMINENT_MAX: usize = 14;
const ANYWHERE_MAX: usize = 14;
const PHRASES_MAX: usize = 8;
/// How many names of languages, frameworks and tools.
const KNOWN_MAX: usize = 12;
/// How many forms of one word, besides the plainest that anybody of the fleet uses.
const FORMS_MAX: usize = 2;
/// From this many agents on a word that more than a quarter of them have is no sign of one of them.
const FLEET_MIN: usize = 12;
/// How many words that nobody has any more are kept beside as many that somebody has.
const STALE_MIN: usize = 10_000;

/// How often each word stands in the files of a fleet.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    numbers: HashMap<Box<str>, u32>,
    seen: Vec<Seen>,
    /// By path: what was counted, and the numbers of its terms.
    counted: BTreeMap<String, (Arc<Reading>, Arc<[u32]>)>,
    /// In thousandths, how much a word says that so many agents have.
    rarity: Vec<f64>,
}

/// In how many files a word stands, and in how many in each of its plainest forms: as its stem, with an `e`, with a `y`.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    files: u32,
    /// In how many of them it is prominent.
    prominent: u32,
    plain: [u32; 3],
}

/// The endings of the plainest forms.
const PLAIN: [&str; 3] = ["", "e", "y"];

impl Fleet {
    /// Counts what is new among these, and forgets what is not among them.
    pub(crate) fn update(&mut self, readings: &[Arc<Reading>]) {
        if self.numbers.len() > 2 * self.seen.iter().filter(|seen| seen.files > 0).count() + STALE_MIN {
            *self = Self::default();
        }
        let mut before = std::mem::take(&mut self.counted);
        for reading in readings {
            let Reading::Agent(source) = &**reading else { continue };
            let entry = match before.remove(&source.path) {
                Some((old, numbers)) if Arc::ptr_eq(&old, reading) => (old, numbers),
                Some((old, numbers)) => {
                    self.forget(&old, &numbers);
                    self.count(reading, source)
                }
                None => self.count(reading, source),
            };
            self.counted.insert(source.path.clone(), entry);
        }
        for (old, numbers) in before.into_values() {
            self.forget(&old, &numbers);
        }
        let agents = self.counted.len();
        let rarity = |seen: usize| 1.0 + ((1.0 + agents as f64) / (1.0 + seen as f64)).ln();
        self.rarity = (0..=agents).map(rarity).collect();
    }

    fn count(&mut self, reading: &Arc<Reading>, source: &Source) -> (Arc<Reading>, Arc<[u32]>) {
        let numbers: Arc<[u32]> = source.terms.iter().map(|term| self.number(&term.stem)).collect();
        for (number, term) in numbers.iter().zip(&source.terms) {
            self.seen[*number as usize].add(term, 1);
        }
        (reading.clone(), numbers)
    }

    fn forget(&mut self, reading: &Reading, numbers: &[u32]) {
        let Reading::Agent(source) = reading else { return };
        for (number, term) in numbers.iter().zip(&source.terms) {
            self.seen[*number as usize].add(term, -1);
        }
    }

    fn number(&mut self, stem: &str) -> u32 {
        if let Some(number) = self.numbers.get(stem) {
            return *number;
        }
        // A fleet has far fewer words than numbers of this width.
        let number = u32::try_from(self.seen.len()).unwrap_or(u32::MAX);
        self.numbers.insert(stem.into(), number);
        self.seen.push(Seen::default());
        number
    }

    /// Chooses the words that tell an agent from the others: those of its name, those that the vocabulary knows, the most telling
    /// ones of its description and headings, those of all of its text, and phrases; of each the best first, and equal ones by
    /// their letters.
    pub(crate) fn choose(&self, source: &Source) -> Vec<Choice> {
        let Some((_, numbers)) = self.counted.get(&source.path) else { return Vec::new() };
        let [mut names, mut known, mut prominent, mut anywhere, mut phrases] = [const { Vec::new() }; 5];
        for ((term, number), place) in source.terms.iter().zip(numbers.iter()).zip(0..) {
            let seen = self.seen[*number as usize];
            let has_many = self.is_everywhere(seen.files);
            let take = |list: &mut Vec<Weighed>, often: f64, seen_by: u32| {
                list.push((Reverse(self.weight(often, seen_by)), place));
            };
            match term.kind {
                Kind::Name => take(&mut names, term.prominent, seen.prominent),
                Kind::Known if !has_many => take(&mut known, term.anywhere, seen.files),
                Kind::Phrase if !has_many => take(&mut phrases, term.anywhere, seen.files),
                Kind::Word if term.prominent > 0.0 && !self.is_everywhere(seen.prominent) => {
                    take(&mut prominent, term.prominent, seen.prominent);
                }
                Kind::Word if !has_many => take(&mut anywhere, term.anywhere, seen.files),
                _ => {}
            }
        }
        let mut chosen = Vec::new();
        for (mut list, most) in [
            (names, NAMES_MAX),
            (known, KNOWN_MAX),
            (prominent, PROMINENT_MAX),
            (anywhere, ANYWHERE_MAX),
            (phrases, PHRASES_MAX),
        ] {
            best(&mut list, most);
            let choice = |(_, place): &Weighed| Choice {
                term: *place,
                plain: self.seen[numbers[*place as usize] as usize].plainest(),
            };
            chosen.extend(list.iter().map(choice));
        }
        chosen
    }

    fn is_everywhere(&self, seen: u32) -> bool {
        let agents = self.counted.len();
        agents >= FLEET_MIN && seen as usize * 4 > agents
    }

    /// In thousandths, so that the last bits of a logarithm, which machines compute differently, decide nothing.
    fn weight(&self, often: f64, seen: u32) -> u64 {
        let rarity = self.rarity.get(seen as usize).copied().unwrap_or(1.0);
        (often * rarity * 1_000.0).round() as u64
    }
}

/// A word that an agent's file has, and the plainest form that anybody of its fleet uses: a place in [`PLAIN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    term: u32,
    plain: Option<usize>,
}

/// How much a term says, and its place; the terms of a file stand in the order of their stems.
type Weighed = (Reverse<u64>, u32);

/// Keeps the best of a list, the best first.
fn best(list: &mut Vec<Weighed>, most: usize) {
    if list.len() > most {
        list.select_nth_unstable(most);
        list.truncate(most);
    }
    list.sort_unstable();
}

/// Writes the words that were chosen for an agent, each in some of its forms.
pub(crate) fn keywords(source: &Source, chosen: &[Choice]) -> Vec<String> {
    let mut keywords = Vec::new();
    for Choice { term, plain } in chosen {
        let term = &source.terms[*term as usize];
        keywords.extend(term.forms.iter().take(FORMS_MAX).map(|form| form.to_string()));
        keywords.extend(plain.map(|plain| format!("{}{}", term.stem, PLAIN[plain])));
    }
    crate::description::distinct(&mut keywords);
    keywords
}

impl Seen {
    fn add(&mut self, term: &Term, much: i32) {
        self.files = self.files.saturating_add_signed(much);
        if term.prominent > 0.0 {
            self.prominent = self.prominent.saturating_add_signed(much);
        }
        if term.kind == Kind::Phrase {
            return;
        }
        for (plain, ending) in self.plain.iter_mut().zip(PLAIN) {
            let is_it = |form: &str| form.strip_prefix(&*term.stem) == Some(ending);
            if term.forms.iter().any(|form| is_it(form)) {
                *plain = plain.saturating_add_signed(much);
            }
        }
    }

    fn plainest(&self) -> Option<usize> {
        self.plain.iter().position(|files| *files > 0)
    }
}
