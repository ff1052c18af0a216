//! Divides text into words, and tells which of them say something.

use crate::vocabulary::is_stop_word;
use std::collections::BTreeMap;

/// The shortest word that is taken: a shorter one stands within too many others.
const LETTERS_MIN: usize = 3;
/// The longest.
const LETTERS_MAX: usize = 32;

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
    pieces(text).map(str::to_lowercase)
}

/// Returns the words of a text that is in small letters already.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    pieces(text)
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let is_around = |letter: char| "-.'’#+".contains(letter);
    let divides = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '+' | '#' | '-' | '.' | '\'' | '’' => false,
        other => !other.is_alphanumeric(),
    };
    text.split(divides).filter_map(move |piece| {
        let start = piece.trim_start_matches(is_around);
        let word = start.trim_end_matches(is_around);
        let end = &start[word.len()..];
        let sign = ["++", "#"].iter().find(|sign| word.len() <= 2 && end.starts_with(**sign));
        (!word.is_empty()).then(|| &start[..word.len() + sign.map_or(0, |sign| sign.len())])
    })
}

/// Tells whether a word says something of an agent's work.
pub(crate) fn is_telling(word: &str) -> bool {
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

    #[test]
    fn words_keep_what_belongs_to_them() {
        let all: Vec<_> = words("C++ and C#, Node.js/real-time; (CI/CD). Don't #1 'Ünï'").collect();
        assert_eq!(all, ["c++", "and", "c#", "node.js", "real-time", "ci", "cd", "don't", "1", "ünï"]);
    }
}
