//! Which words tell an agent from the others of its fleet (TF-IDF). What is counted is kept from one conversion to the next: only
//! what was read anew is counted again, and the outcome is that of counting everything.

use crate::source::{Reading, Source};
use crate::terms::Term;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How many words are taken for an agent beside those of its name, and how many phrases.
const WORDS_MAX: usize = 24;
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

    /// Returns the words that tell an agent from the others: those of its name, then those that the vocabulary knows, then the
    /// most telling; of each the best first, and equal ones by their letters.
    pub(crate) fn keywords(&self, source: &Source) -> Vec<String> {
        let Some((_, numbers)) = self.counted.get(&source.path) else { return Vec::new() };
        let mut found: Vec<(u64, &Term, Seen)> = source
            .terms
            .iter()
            .zip(numbers.iter())
            .map(|(term, number)| (term, self.seen[*number as usize]))
            .filter(|(_, seen)| !self.is_everywhere(*seen))
            .map(|(term, seen)| (self.weight(term, seen), term, seen))
            .collect();
        found.sort_unstable_by(|(a, one, _), (b, other, _)| b.cmp(a).then_with(|| one.stem.cmp(&other.stem)));
        let mut keywords = Vec::new();
        let mut take = |most: usize, fits: &dyn Fn(&Term) -> bool| {
            for (_, term, seen) in found.iter().filter(|(_, term, _)| fits(term)).take(most) {
                written(term, *seen, &mut keywords);
            }
        };
        take(WORDS_MAX, &|term| term.is_name);
        take(KNOWN_MAX, &|term| !term.is_name && term.is_known);
        take(WORDS_MAX, &|term| !term.is_name && !term.is_known && !term.is_phrase);
        take(PHRASES_MAX, &|term| !term.is_name && !term.is_known && term.is_phrase);
        crate::description::distinct(&mut keywords);
        keywords
    }

    fn is_everywhere(&self, seen: Seen) -> bool {
        let agents = self.counted.len();
        agents >= FLEET_MIN && seen.files as usize * 4 > agents
    }

    /// In thousandths, so that the last bits of a logarithm, which machines compute differently, decide nothing.
    fn weight(&self, term: &Term, seen: Seen) -> u64 {
        let often = 1.0 + f64::from(term.weight).ln();
        let rarity = self.rarity.get(seen.files as usize).copied().unwrap_or(1.0);
        (often * rarity * 1_000.0).round() as u64
    }
}

impl Seen {
    fn add(&mut self, term: &Term, much: i32) {
        self.files = self.files.saturating_add_signed(much);
        if term.is_phrase {
            return;
        }
        for (plain, ending) in self.plain.iter_mut().zip(PLAIN) {
            let is_it = |form: &str| form.strip_prefix(&*term.stem) == Some(ending);
            if term.forms.iter().any(|form| is_it(form)) {
                *plain = plain.saturating_add_signed(much);
            }
        }
    }
}

/// Writes the forms of a term.
fn written(term: &Term, seen: Seen, keywords: &mut Vec<String>) {
    keywords.extend(term.forms.iter().take(FORMS_MAX).map(|form| form.to_string()));
    let plain = PLAIN.iter().zip(seen.plain).find(|(_, files)| *files > 0);
    keywords.extend(plain.map(|(ending, _)| format!("{}{ending}", term.stem)));
}
