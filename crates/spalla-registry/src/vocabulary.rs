//! The words behind what is derived: fields of work, languages, frameworks, and the files that they are about. The tables
//! are data: `vocabulary.toml` and `stop_words.txt`.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

/// The fields of work, languages and frameworks that are known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    domain: Vec<Named>,
    language: Vec<Named>,
    framework: Vec<Named>,
    /// Names of tools, services and formats, in small letters.
    tools: Vec<String>,
}

/// Something that words speak for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    /// In small letters.
    words: Vec<String>,
    /// As they are written, where small letters would mean something else.
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    patterns: Vec<String>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let tables = toml::from_str(include_str!("vocabulary.toml"));
    // The table is part of the program, and a test reads it.
    tables.unwrap_or(Tables {
        domain: Vec::new(),
        language: Vec::new(),
        framework: Vec::new(),
        tools: Vec::new(),
    })
});

static STOP_WORDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("stop_words.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});

/// What was found of a kind: its names and the globs of its files, each in the order of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// Globs of the files that they are about.
    pub(crate) patterns: Vec<String>,
}

/// Tells whether a word says nothing about an agent's work.
pub(crate) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.contains(word)
}

static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let named = TABLES.language.iter().chain(&TABLES.framework).flat_map(|named| &named.words);
    named.chain(&TABLES.tools).map(String::as_str).collect()
});

/// Tells whether a word or two name a language, a framework or a tool.
pub(crate) fn is_name(words: &str) -> bool {
    NAMES.contains(words)
}

/// Returns the field of work that most of the words speak for; of two, the one that stands first in the table.
pub(crate) fn domain(counts: &BTreeMap<String, u32>) -> Option<&'static str> {
    let mut best: Option<(&'static str, u32)> = None;
    for domain in &TABLES.domain {
        let points = domain.words.iter().filter_map(|word| counts.get(word)).sum();
        if points > best.map_or(0, |(_, most)| most) {
            best = Some((&domain.name, points));
        }
    }
    best.map(|(name, _)| name)
}

/// Returns the languages that a text names.
pub(crate) fn languages(counts: &BTreeMap<String, u32>, text: &str) -> Found {
    found(&TABLES.language, counts, text)
}

/// Returns the frameworks that a text names.
pub(crate) fn frameworks(counts: &BTreeMap<String, u32>, text: &str) -> Found {
    found(&TABLES.framework, counts, text)
}

fn found(table: &[Named], counts: &BTreeMap<String, u32>, text: &str) -> Found {
    let is_named = |named: &&Named| {
        named.words.iter().any(|word| counts.contains_key(word))
            || named.names.iter().any(|name| has(text, name))
    };
    let mut found = Found::default();
    for named in table.iter().filter(is_named) {
        found.names.push(named.name.clone());
        let new: Vec<_> =
            named.patterns.iter().filter(|one| !found.patterns.contains(one)).cloned().collect();
        found.patterns.extend(new);
    }
    found
}

/// Tells whether a text has a name with nothing of a word beside it.
fn has(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        let is_apart =
            |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric() && letter != '-');
        is_apart(before) && is_apart(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read_and_their_globs_are_globs() {
        assert!(TABLES.domain.len() > 10 && TABLES.language.len() > 20 && TABLES.framework.len() > 15);
        for named in TABLES.language.iter().chain(&TABLES.framework) {
            assert!(!named.patterns.is_empty(), "{}", named.name);
            for pattern in &named.patterns {
                globset::Glob::new(pattern).unwrap();
            }
        }
        let names: BTreeSet<_> = TABLES.domain.iter().map(|domain| &domain.name).collect();
        assert_eq!(names.len(), TABLES.domain.len());
    }

    #[test]
    fn a_language_whose_name_is_a_word_is_found_as_a_name_alone() {
        let none = BTreeMap::new();
        assert_eq!(languages(&none, "services in Go and more").names, ["go"]);
        assert!(languages(&none, "ready to go; Google").names.is_empty());
    }
}
