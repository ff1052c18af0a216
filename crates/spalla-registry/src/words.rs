//! Divides text into words, and finds the words that tell an agent from the others of its fleet (TF-IDF).

use crate::vocabulary::is_stop_word;
use std::collections::BTreeMap;

/// How many words are taken for an agent at most.
pub(crate) const KEYWORDS_MAX: usize = 12;
/// The shortest word that is taken: a shorter one stands within too many others.
const LETTERS_MIN: usize = 3;
/// The longest.
const LETTERS_MAX: usize = 32;
/// From this many agents on a word that more than a quarter of them have is no sign of one of them.
const FLEET_MIN: usize = 12;

/// How often each word stands in an agent's texts, by the weight of the text.
pub(crate) type Counts = BTreeMap<String, u32>;

/// Adds the words of a text, each with this weight.
pub(crate) fn add(counts: &mut Counts, text: &str, weight: u32) {
    for word in words(text) {
        *counts.entry(word).or_default() += weight;
    }
}

/// Returns the words of a text in small letters: letters and digits, with `-`, `.` or an apostrophe only between them,
/// and the signs after `c++` and `c#`.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !(letter.is_alphanumeric() || "+#-.'’".contains(letter))).filter_map(|piece| {
        let word = piece.trim_matches(|letter: char| "-.'’#+".contains(letter));
        let end = &piece[piece.find(word)? + word.len()..];
        let sign =
            ["++", "#"].into_iter().find(|sign| end.starts_with(sign) && word.len() <= 2).unwrap_or("");
        (!word.is_empty()).then(|| format!("{word}{sign}").to_lowercase())
    })
}

/// In how many agents of a fleet each word stands.
#[derive(Debug, Default)]
pub(crate) struct Fleet<'a> {
    agents: usize,
    seen: BTreeMap<&'a str, usize>,
}

impl<'a> Fleet<'a> {
    /// Counts a fleet.
    pub(crate) fn of(all: impl Iterator<Item = &'a Counts>) -> Self {
        let mut fleet = Self::default();
        for counts in all {
            fleet.agents += 1;
            for word in counts.keys() {
                *fleet.seen.entry(word).or_default() += 1;
            }
        }
        fleet
    }

    /// Returns the words that tell an agent from the others, the best first; equal ones by their letters.
    pub(crate) fn keywords(&self, counts: &Counts) -> Vec<String> {
        let mut found: Vec<(u64, &str)> = counts
            .iter()
            .filter(|(word, _)| is_telling(word) && !self.is_everywhere(word))
            .map(|(word, count)| (self.weight(word, *count), word.as_str()))
            .collect();
        found.sort_by(|(a, one), (b, other)| b.cmp(a).then(one.cmp(other)));
        found.into_iter().take(KEYWORDS_MAX).map(|(_, word)| word.to_owned()).collect()
    }

    fn is_everywhere(&self, word: &str) -> bool {
        self.agents >= FLEET_MIN && self.seen(word) * 4 > self.agents
    }

    fn seen(&self, word: &str) -> usize {
        self.seen.get(word).copied().unwrap_or_default()
    }

    /// In thousandths, so that the last bits of a logarithm, which machines compute differently, decide nothing.
    fn weight(&self, word: &str, count: u32) -> u64 {
        let rare = (1.0 + self.agents as f64) / (1.0 + self.seen(word) as f64);
        let often = 1.0 + f64::from(count).ln();
        (often * (1.0 + rare.ln()) * 1_000.0).round() as u64
    }
}

fn is_telling(word: &str) -> bool {
    let letters = word.chars().count();
    (LETTERS_MIN..=LETTERS_MAX).contains(&letters)
        && word.chars().any(char::is_alphabetic)
        && !word.contains(['\'', '’'])
        && !is_stop_word(word)
        && !word.starts_with(|letter: char| letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Counts {
        let mut counts = Counts::new();
        add(&mut counts, text, 1);
        counts
    }

    #[test]
    fn words_keep_what_belongs_to_them() {
        let all: Vec<_> = words("C++ and C#, Node.js/real-time; (CI/CD). Don't #1 'Ünï'").collect();
        assert_eq!(all, ["c++", "and", "c#", "node.js", "real-time", "ci", "cd", "don't", "1", "ünï"]);
    }

    #[test]
    fn the_words_that_others_lack_come_first() {
        let all = [counts("rust borrow checker code"), counts("python code"), counts("rust code")];
        let fleet = Fleet::of(all.iter());
        assert_eq!(fleet.keywords(&all[0]), ["borrow", "checker", "rust", "code"]);
    }

    #[test]
    fn what_most_of_a_fleet_has_tells_nobody_apart() {
        let all: Vec<_> = (0..20).map(|number| counts(&format!("cloud word{number}"))).collect();
        let fleet = Fleet::of(all.iter());
        assert_eq!(fleet.keywords(&all[3]), ["word3"]);
    }
}
