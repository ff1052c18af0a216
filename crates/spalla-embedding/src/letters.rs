//! From a text to words as the vocabulary knows them: small letters without accents, divided at spaces and punctuation.
//!
//! Plain ASCII goes a short way; everything else goes through Unicode's tables.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Hands each word of a text on, until `take` wants no more.
pub(crate) fn words(text: &str, take: &mut impl FnMut(&[u8]) -> bool) {
    if text.is_ascii() {
        ascii_words(text.as_bytes(), take);
    } else {
        ascii_words(folded(text).as_bytes(), take);
    }
}

/// The longest word that is looked up, in bytes; the vocabulary has none near it.
pub(crate) const WORD_BYTES_MAX: usize = 200;

/// Bytes beyond ASCII are parts of words: whatever divides there stands between spaces by now.
fn ascii_words(text: &[u8], take: &mut impl FnMut(&[u8]) -> bool) {
    let mut word = [0; WORD_BYTES_MAX];
    let mut length = 0;
    for &byte in text {
        if byte.is_ascii_alphanumeric() || byte >= 0x80 {
            if length < WORD_BYTES_MAX {
                word[length] = byte.to_ascii_lowercase();
            }
            length += 1;
            continue;
        }
        // A control character is as if it were not there.
        if byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r') {
            continue;
        }
        if !flush(&word, &mut length, take) {
            return;
        }
        if byte.is_ascii_punctuation() && !take(&[byte]) {
            return;
        }
    }
    flush(&word, &mut length, take);
}

/// A word that is too long is none that anybody knows.
fn flush(word: &[u8; WORD_BYTES_MAX], length: &mut usize, take: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let taken = std::mem::take(length);
    taken == 0 || taken > WORD_BYTES_MAX || take(&word[..taken])
}

/// Returns small letters without accents, with spaces around what is a word of its own.
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + 16);
    for letter in text.nfd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase) {
        if letter.is_ascii() {
            folded.push(letter);
        } else if letter.is_whitespace() {
            folded.push(' ');
        } else if stands_alone(letter) {
            folded.extend([' ', letter, ' ']);
        } else if !letter.is_control() && letter != '\u{fffd}' && !is_combining_mark(letter) {
            folded.push(letter);
        }
    }
    folded
}

/// Tells whether a character is a word by itself: punctuation, a symbol, or one of the scripts that write no spaces and that
/// the vocabulary knows by the character.
fn stands_alone(letter: char) -> bool {
    let is_ideograph = matches!(letter,
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{2fa1f}');
    is_ideograph || !(letter.is_alphanumeric() || letter.is_control() || letter == '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        words(text, &mut |word| {
            found.push(String::from_utf8(word.to_vec()).unwrap());
            true
        });
        found
    }

    #[test]
    fn words_are_small_and_punctuation_stands_alone() {
        assert_eq!(
            of("Fix src/Main.rs,\tplease!"),
            ["fix", "src", "/", "main", ".", "rs", ",", "please", "!"]
        );
        assert_eq!(of("a\u{7}b"), ["ab"]);
        assert_eq!(of(""), [""; 0]);
    }

    #[test]
    fn accents_go_and_other_scripts_stay() {
        assert_eq!(of("Café ÉLÈVE"), ["cafe", "eleve"]);
        assert_eq!(of("修复bug。"), ["修", "复", "bug", "。"]);
        assert_eq!(of("ПРИВЕТ мир"), ["привет", "мир"]);
        assert_eq!(of("naïve\u{a0}x"), ["naive", "x"]);
    }

    #[test]
    fn what_is_too_long_is_no_word() {
        let long = "a".repeat(WORD_BYTES_MAX + 1);
        assert_eq!(of(&format!("x {long} y")), ["x", "y"]);
        assert_eq!(of(&long[1..]), [&long[1..]]);
    }

    #[test]
    fn whoever_has_enough_is_given_no_more() {
        let mut count = 0;
        words("a b c d", &mut |_| {
            count += 1;
            count < 2
        });
        assert_eq!(count, 2);
    }
}
