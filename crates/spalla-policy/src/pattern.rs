//! A pattern of names or words. A policy is read with every start, and to build an automaton for each of its hundreds of
//! patterns would take longer than all else then. So plain words are compared, and the others made when first needed.

use globset::{Glob, GlobMatcher};
use std::sync::OnceLock;

/// What words are held against; `*` stands for anything.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Word(String),
    Glob(Glob, OnceLock<GlobMatcher>),
}

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty pattern matches nothing".to_owned());
        }
        if !text.contains(['*', '?', '[', ']', '{', '}', '\\']) {
            return Ok(Self::Word(text.to_owned()));
        }
        Glob::new(text).map(|glob| Self::Glob(glob, OnceLock::new())).map_err(|error| error.to_string())
    }

    /// Tells whether a word is of it.
    pub(crate) fn is_match(&self, word: &str) -> bool {
        match self {
            Self::Word(own) => own == word,
            Self::Glob(glob, made) => made.get_or_init(|| glob.compile_matcher()).is_match(word),
        }
    }

    /// Returns it as it was written.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Word(own) => own,
            Self::Glob(glob, _) => glob.glob(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_matched_by_itself_alone_and_a_pattern_by_what_it_stands_for() {
        for (pattern, word, wanted) in [
            ("rm", "rm", true),
            ("rm", "rmdir", false),
            ("a.b", "axb", false),
            ("mkfs*", "mkfs.ext4", true),
            ("python?", "python3", true),
            ("{a,b}", "b", true),
            ("a\\*", "a*", true),
        ] {
            let read = Pattern::new(pattern).unwrap();
            assert_eq!((read.is_match(word), read.text()), (wanted, pattern), "{pattern} {word}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert!(Pattern::new("").is_err() && Pattern::new("[").is_err() && Pattern::new("{a").is_err());
    }
}
