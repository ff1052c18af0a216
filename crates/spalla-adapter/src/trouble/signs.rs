//! What a text means by the kinds of its words, where no rule knows it: words that speak of a login and words that say that
//! something failed, near each other, speak of a login that failed, however that is put. Each sign weighs for its cause, and
//! a cause has to weigh more than all others. A table in data; nothing here is learned or drawn at random.

use super::Cause;
use crate::pattern::{Words, compiled};
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Words further on are not read: what matters is said first.
const WORDS_MAX: usize = 200;
/// How many places may lie between words that belong together.
const NEAR: usize = 5;
/// A cause that weighs less is not told.
const LEAST: u32 = 4;
/// How much more it has to weigh than the next one.
const AHEAD: u32 = 2;
/// How much a cause has to weigh, and how much more than the next one, where a weak rule says something else.
const PLAIN: (u32, u32) = (6, 5);

static TABLE: LazyLock<Table> = LazyLock::new(table);
/// What an error in JSON says in words, however often it is quoted.
static SAID: LazyLock<Regex> =
    LazyLock::new(|| compiled(r#"(?:message|detail)[\\"]+\s*:\s*[\\"]+([^"\\{}\[][^"\\]*)"#));
/// Addresses and paths, whose words are names.
static NAMES: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"https?://\S+|(?:^|[\s'\x22(`=])~?/[\w.-]+(?:/[\w.-]*)+"));
/// A flag of a command line, which is one kind of word.
static FLAG: LazyLock<Regex> = LazyLock::new(|| compiled(r#"(^|[\s`'"(=])--[a-z][\w-]+(=\S+)?"#));
/// Where one word of `ConnectionRefused` ends.
static HUMP: LazyLock<Regex> = LazyLock::new(|| compiled("([a-z])([A-Z])"));

/// What a text means by its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    /// The cause.
    pub(super) cause: Cause,
    /// Whether it says more than a weak rule.
    pub(super) is_plain: bool,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    wrappers: Vec<Words>,
    failure: Vec<String>,
    groups: BTreeMap<String, Vec<String>>,
    sign: Vec<Signs>,
}

/// The signs of one cause, each list with its weight.
#[derive(Debug, Deserialize)]
struct Signs {
    cause: Cause,
    #[serde(flatten)]
    by_weight: BTreeMap<String, Vec<String>>,
}

/// What is read of it.
#[derive(Debug, Default)]
struct Table {
    /// Words around an error, which say nothing where more is said.
    wrappers: Vec<Words>,
    signs: Vec<Sign>,
    /// Words that say that something is wrong, one of which a line has to have that nobody called an error.
    failure: Vec<String>,
}

/// Words that have to stand near each other.
#[derive(Debug)]
struct Sign {
    cause: Cause,
    weight: u32,
    /// For each of the words, how it may be put.
    words: Vec<Vec<String>>,
}

/// Says what a text means by its words, if one cause weighs most.
pub(super) fn guess(text: &str) -> Option<Guess> {
    let words = words_of(text);
    let mut weights: BTreeMap<Cause, u32> = BTreeMap::new();
    for sign in TABLE.signs.iter().filter(|sign| sign.is_in(&words)) {
        *weights.entry(sign.cause).or_default() += sign.weight;
    }
    let (cause, most) =
        weights.iter().map(|(cause, weight)| (*cause, *weight)).max_by_key(|found| found.1)?;
    let next =
        weights.iter().filter(|(other, _)| **other != cause).map(|(_, weight)| *weight).max().unwrap_or(0);
    let is_known = most >= LEAST && most - next >= AHEAD && cause != Cause::Unknown;
    let is_plain = most >= PLAIN.0 && most - next >= PLAIN.1;
    is_known.then_some(Guess { cause, is_plain })
}

/// Tells whether a text says at all that something is wrong.
pub(super) fn is_of_failure(text: &str) -> bool {
    let words = words_of(text);
    words.iter().any(|word| TABLE.failure.iter().any(|way| is_way(way, word)))
}

impl Sign {
    fn is_in(&self, words: &[String]) -> bool {
        let places = |ways: &Vec<String>| -> Vec<usize> {
            let of_way = |word: &String| ways.iter().any(|way| is_way(way, word));
            words.iter().enumerate().filter(|(_, word)| of_way(word)).map(|(place, _)| place).collect()
        };
        let Some((first, others)) = self.words.split_first() else { return false };
        let others: Vec<Vec<usize>> = others.iter().map(places).collect();
        let is_near = |place: usize, other: usize| place != other && place.abs_diff(other) <= NEAR;
        let is_whole =
            |place: &usize| others.iter().all(|all| all.iter().any(|other| is_near(*place, *other)));
        places(first).iter().any(is_whole)
    }
}

/// Tells whether a word is put in this way: `fund*` is any word that begins so.
fn is_way(way: &str, word: &str) -> bool {
    way.strip_suffix('*').map_or(way == word, |stem| word.starts_with(stem))
}

fn words_of(text: &str) -> Vec<String> {
    let said: Vec<&str> = SAID.captures_iter(text).filter_map(|found| Some(found.get(1)?.as_str())).collect();
    let mut text = if said.is_empty() { text.to_owned() } else { said.join(" . ") };
    for wrapper in &TABLE.wrappers {
        let found = wrapper.find(&text).map(|found| found.range());
        if let Some(range) = found.filter(|range| text[range.end..].split_whitespace().nth(1).is_some()) {
            text.replace_range(range, " ");
        }
    }
    let text = NAMES.replace_all(&text, " ");
    let text = FLAG.replace_all(&text, " flagword ").replace(['\'', '’'], "");
    let text = HUMP.replace_all(&text, "$1 $2").to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    words.take(WORDS_MAX).map(str::to_owned).collect()
}

/// Reads the table; a test keeps it readable.
fn table() -> Table {
    let file: File = toml::from_str(include_str!("signs.toml")).unwrap_or_default();
    let ways = |part: &str| file.groups.get(part).cloned().unwrap_or_else(|| vec![part.to_owned()]);
    let mut signs = vec![];
    for of_cause in &file.sign {
        for (weight, all) in &of_cause.by_weight {
            let Ok(weight) = weight.parse() else { continue };
            for sign in all {
                signs.push(Sign {
                    cause: of_cause.cause,
                    weight,
                    words: sign.split('+').map(ways).collect(),
                });
            }
        }
    }
    let of_groups = file.failure.iter().flat_map(|part| ways(part));
    Table { wrappers: file.wrappers, failure: of_groups.collect(), signs }
}

#[cfg(test)]
mod tests {
    //! What words mean by their kinds.

    use super::*;

    #[test]
    fn words_that_no_rule_has_mean_what_most_of_their_signs_say() {
        assert!(!TABLE.wrappers.is_empty() && !TABLE.signs.is_empty());
        assert!(TABLE.wrappers.iter().all(|wrapper| wrapper.check().is_ok()));
        for (text, wanted) in [
            ("No usable shell could be located, a posix shell is required", Some(Cause::Machine)),
            ("The prepaid credits of this team are all spent", Some(Cause::Quota)),
            ("[API Error: That credential is one we no longer accept]", Some(Cause::Auth)),
            ("stream disconnected before completion: the socket hung up on us", Some(Cause::Network)),
            ("5 tests failed, the compiler is content", None),
            ("Everything is fine", None),
            ("", None),
        ] {
            assert_eq!(guess(text).map(|guess| guess.cause), wanted, "{text}");
        }
    }

    #[test]
    fn paths_and_addresses_and_names_for_programs_are_no_words() {
        for text in [
            "opened /srv/credential/login/key",
            "see https://billing.example/credits/balance",
            "my_credential_login_test",
        ] {
            assert_eq!(guess(text), None, "{text}");
        }
    }

    #[test]
    fn one_cause_has_to_weigh_more_than_all_others() {
        assert_eq!(guess("credential balance"), None);
    }
}
