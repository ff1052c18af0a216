//! One automaton for all texts that are looked for in a task: keywords, and the literals without which a regex can't match.

use crate::everyday;
use crate::fleet::Number;
use crate::fold::{folded, is_whole_word, singular};
use crate::hits::Postings;
use crate::problem::Problems;
use crate::score::Micro;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use foldhash::fast::RandomState;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The longest keyword, in bytes.
pub(crate) const KEYWORD_BYTES_MAX: usize = 128;
/// How many different texts there are at most.
pub(crate) const TEXTS_MAX: usize = 1_000_000;
/// How many bytes they have together: an automaton takes some ten times as many.
pub(crate) const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Up to here every step of the automaton is one look into a table; with more texts the table would be too large.
const TABLE_TEXTS_MAX: usize = 5_000;
const NONE: u32 = u32::MAX;

/// The texts that are looked for.
#[derive(Debug)]
pub(crate) struct Texts {
    automaton: Option<AhoCorasick>,
    entries: Vec<Stands>,
    /// The keywords, one after another.
    words: String,
    /// Where each keyword ends.
    word_ends: Vec<u32>,
    /// The regexes of all literals, one literal's after another's.
    regexes: Vec<u32>,
    /// The agents of each keyword.
    pub(crate) agents: Postings,
}

/// What a text stands for.
#[derive(Debug, Clone, Copy)]
struct Stands {
    /// The keyword's number, or none.
    keyword: u32,
    /// Its place among the regexes of literals, and how many they are.
    regexes: (u32, u32),
}

/// What was found at a place of a text.
pub(crate) struct Found<'a> {
    /// The number of what was found, among all texts.
    pub(crate) text: usize,
    /// Where it begins.
    pub(crate) start: usize,
    /// The keyword, if it is one and a word of its own here.
    pub(crate) keyword: Option<u32>,
    /// The regexes that may match.
    pub(crate) regexes: &'a [u32],
}

/// What a text stands for while texts are collected.
#[derive(Default)]
struct Meaning {
    agents: Vec<(Number, Micro)>,
    regexes: Vec<u32>,
}

/// Collects texts.
#[derive(Default)]
pub(crate) struct Collected {
    texts: HashMap<String, Meaning, RandomState>,
    bytes: usize,
}

impl Collected {
    /// Makes one with room for about so many texts.
    pub(crate) fn with_room(texts: usize) -> Self {
        Self {
            texts: HashMap::with_capacity_and_hasher(texts.min(TEXTS_MAX), RandomState::default()),
            bytes: 0,
        }
    }

    /// Adds a keyword of some agents.
    pub(crate) fn keyword(
        &mut self,
        word: &str,
        agents: impl IntoIterator<Item = (Number, Micro)>,
        problems: &mut Problems,
    ) {
        // Whitespace at its ends would never be a part of a word.
        let word = word.trim();
        if word.is_empty() {
            return problems.add(word, "it is empty");
        }
        if word.len() > KEYWORD_BYTES_MAX {
            return problems.add(word, format!("it has {} bytes, at most {KEYWORD_BYTES_MAX}", word.len()));
        }
        // Found in the plural as well, so that a keyword in the plural is one in the singular.
        if let Some(meaning) = self.place(singular(&folded(word)), problems) {
            meaning.agents.extend(agents);
        }
    }

    /// Adds a literal of a regex. Tells whether there was room for it.
    pub(crate) fn literal(&mut self, literal: &str, regex: u32, problems: &mut Problems) -> bool {
        let place = self.place(literal, problems);
        place.map(|meaning| meaning.regexes.push(regex)).is_some()
    }

    fn place(&mut self, text: &str, problems: &mut Problems) -> Option<&mut Meaning> {
        let text = folded(text);
        let (count, bytes) = (self.texts.len(), self.bytes);
        match self.texts.entry(text.into_owned()) {
            Entry::Occupied(place) => Some(place.into_mut()),
            Entry::Vacant(place) if count == TEXTS_MAX || bytes + place.key().len() > TEXT_BYTES_MAX => {
                problems.add(place.key(), format!("there are {count} texts with {bytes} bytes already"));
                None
            }
            Entry::Vacant(place) => {
                self.bytes += place.key().len();
                Some(place.insert(Meaning::default()))
            }
        }
    }

    /// Makes the automaton.
    pub(crate) fn build(self, agents: u32, problems: &mut Problems) -> Texts {
        let mut sorted: Vec<(String, Meaning)> = self.texts.into_iter().collect();
        sorted.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut texts = Texts {
            automaton: automaton(sorted.iter().map(|(text, _)| text), problems),
            entries: Vec::with_capacity(sorted.len()),
            words: String::new(),
            word_ends: Vec::new(),
            regexes: Vec::new(),
            agents: Postings::new(),
        };
        for (text, meaning) in sorted {
            let mut entry = Stands { keyword: NONE, regexes: (index(texts.regexes.len()), 0) };
            if !meaning.agents.is_empty() {
                let says = everyday::says(&text);
                let worth = meaning.agents.into_iter().map(|(agent, weight)| (agent, weight.times(says)));
                entry.keyword = texts.agents.push(worth.collect(), agents);
                texts.words.push_str(&text);
                texts.word_ends.push(index(texts.words.len()));
            }
            entry.regexes.1 = index(meaning.regexes.len());
            texts.regexes.extend(meaning.regexes);
            texts.entries.push(entry);
        }
        texts
    }
}

fn automaton<'a>(
    texts: impl ExactSizeIterator<Item = &'a String>,
    problems: &mut Problems,
) -> Option<AhoCorasick> {
    let kind =
        if texts.len() <= TABLE_TEXTS_MAX { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
    if texts.len() == 0 {
        return None;
    }
    let built = AhoCorasick::builder().kind(Some(kind)).prefilter(false).build(texts.map(String::as_bytes));
    built.map_err(|error| problems.add("", format!("the automaton can't be built: {error}"))).ok()
}

impl Texts {
    /// Hands on everything that is found in a folded text, in the order of its ends, until `take` wants no more.
    pub(crate) fn find<'a>(&'a self, text: &str, mut take: impl FnMut(Found<'a>) -> bool) {
        let Some(automaton) = &self.automaton else { return };
        for found in automaton.find_overlapping_iter(text) {
            let number = found.pattern().as_usize();
            let Stands { keyword, regexes: (from, count) } = self.entries[number];
            let (start, end) = (found.start(), found.end());
            let is_word = keyword != NONE && is_whole_word(text, start, end);
            let found = Found {
                text: number,
                start,
                keyword: is_word.then_some(keyword),
                regexes: &self.regexes[from as usize..(from + count) as usize],
            };
            if !take(found) {
                return;
            }
        }
    }

    /// Returns how many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns a keyword as it is compared.
    pub(crate) fn word(&self, keyword: u32) -> &str {
        let at = keyword as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.word_ends[before] as usize);
        &self.words[start..self.word_ends[at] as usize]
    }

    /// Returns the number of a keyword, written as it is compared.
    pub(crate) fn number(&self, word: &str) -> Option<u32> {
        // Their numbers are in their order.
        let (mut from, mut to) = (0, self.word_ends.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.word(index(middle)).cmp(word) {
                Ordering::Less => from = middle + 1,
                Ordering::Greater => to = middle,
                Ordering::Equal => return Some(index(middle)),
            }
        }
        None
    }

    /// Returns how many bytes of memory the automaton has.
    pub(crate) fn automaton_bytes(&self) -> usize {
        self.automaton.as_ref().map_or(0, AhoCorasick::memory_usage)
    }
}

/// Texts and their bytes are bounded far below this.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> (Texts, Problems) {
        let (mut collected, mut problems) = (Collected::default(), Problems::default());
        for (agent, word) in (0..).zip(words) {
            collected.keyword(word, [(agent, Micro::ONE)], &mut problems);
        }
        assert!(collected.literal("COMPOSE", 4, &mut problems));
        (collected.build(9, &mut problems), problems)
    }

    fn found(texts: &Texts, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        texts.find(text, |found| {
            words.extend(found.keyword.map(|keyword| texts.word(keyword).to_owned()));
            words.extend(found.regexes.iter().map(|regex| format!("regex {regex}")));
            true
        });
        words
    }

    #[test]
    fn words_phrases_and_literals_are_found_together() {
        let (texts, problems) = texts(&["Docker", "docker compose", "go", " Über ", "docker"]);
        assert_eq!(problems.count, 0);
        assert_eq!(found(&texts, "a docker compose file"), ["docker", "docker compose", "regex 4"]);
        assert_eq!(found(&texts, "django good dockerfile decomposed"), ["regex 4"]);
        assert_eq!(found(&texts, "go über"), ["go", "über"]);
        let docker = 0;
        assert_eq!((texts.word(docker), texts.agents.len_of(docker)), ("docker", 2));
    }

    #[test]
    fn what_is_no_keyword_is_told() {
        let long = "x".repeat(KEYWORD_BYTES_MAX + 1);
        let (texts, problems) = texts(&["", "  ", &long, "fine"]);
        assert_eq!((problems.count, texts.len()), (3, 2));
        assert_eq!(problems.told[2].why, "it has 129 bytes, at most 128");
    }

    #[test]
    fn whoever_has_enough_gets_no_more() {
        let (texts, _) = texts(&["a"]);
        let mut count = 0;
        texts.find("a a a a", |_| {
            count += 1;
            count < 2
        });
        assert_eq!(count, 2);
    }
}
