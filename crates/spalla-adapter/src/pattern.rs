//! Patterns that are written in the code, and those that files of data have.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer};
use std::sync::OnceLock;

/// Compiles one that is written in the code.
#[expect(clippy::expect_used, reason = "the patterns are written in the code, and tests use each")]
pub(crate) fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that compiles")
}

/// A regular expression of a file, without regard to case. A server that starts reads hundreds of them and may never need one: to
/// compile them all would take more time and memory than the rest of its start. So the grammar alone is looked at first.
#[derive(Debug, Clone)]
pub struct Words {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Words {
    /// Reads an expression.
    ///
    /// # Errors
    /// Says what is wrong with its grammar.
    pub fn read(text: String) -> Result<Self, String> {
        let mut parser = regex_syntax::ParserBuilder::new().case_insensitive(true).build();
        parser.parse(&text).map_err(|error| error.to_string())?;
        Ok(Self { text, compiled: OnceLock::new() })
    }

    /// Tells whether it can be used: one may be too large whose grammar is right.
    ///
    /// # Errors
    /// Says that it is.
    pub fn check(&self) -> Result<(), String> {
        match self.compiled() {
            Some(_) => Ok(()),
            None => Err(format!("{:?} is too large an expression", self.text)),
        }
    }

    /// Tells whether a text has them.
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled().is_some_and(|words| words.is_match(text))
    }

    /// Returns where a text has them first.
    pub(crate) fn find<'t>(&self, text: &'t str) -> Option<regex::Match<'t>> {
        self.compiled()?.find(text)
    }

    fn compiled(&self) -> Option<&Regex> {
        let compile = || RegexBuilder::new(&self.text).case_insensitive(true).build().ok();
        self.compiled.get_or_init(compile).as_ref()
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
