//! Reads `triggers.json` into a fleet whose agents are known: an id becomes the agent's number where it stands, and is never copied.

use crate::fleet::{Entry, Fleet, Number, Pattern};
use crate::problem::Problems;
use crate::score::Micro;
use foldhash::fast::RandomState;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// Reads the file's text. What it says of agents that the fleet does not have is passed over and told.
pub(super) fn read(text: &str, fleet: &mut Fleet) -> serde_json::Result<()> {
    let Fleet { entries, problems, .. } = fleet;
    let mut known = Known { numbers: numbers(entries), problems };
    let mut reader = serde_json::Deserializer::from_str(text);
    let Triggers { keywords, regexes, globs } = File(&mut known).deserialize(&mut reader)?;
    reader.end()?;
    drop(known);
    // Of a word that stands there twice the last counts.
    fleet.keywords = keywords.into_iter().collect();
    fleet.globs = globs.into_iter().collect();
    fleet.regexes = regexes;
    Ok(())
}

fn numbers(entries: &[Entry]) -> HashMap<&str, Number, RandomState> {
    entries.iter().zip(0..).map(|(entry, number)| (entry.id.as_str(), number)).collect()
}

/// The agents that there are, and what is said of others.
struct Known<'a> {
    numbers: HashMap<&'a str, Number, RandomState>,
    problems: &'a mut Problems,
}

/// What of each kind leads to whom.
#[derive(Default)]
struct Triggers {
    keywords: Vec<(String, Vec<(Number, Micro)>)>,
    regexes: BTreeMap<Pattern, Vec<Number>>,
    globs: Vec<(String, Vec<Number>)>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Part {
    Keywords,
    Regex,
    FilePatterns,
    #[serde(other)]
    Other,
}

struct File<'a, 'k>(&'a mut Known<'k>);

impl<'de> DeserializeSeed<'de> for File<'_, '_> {
    type Value = Triggers;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Triggers, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_, '_> {
    type Value = Triggers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with keywords, regex and file_patterns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Triggers, A::Error> {
        let (mut read, mut seen) = (Triggers::default(), BTreeSet::new());
        while let Some(part) = map.next_key::<Part>()? {
            if part != Part::Other && !seen.insert(part) {
                return Err(A::Error::custom("a part of it stands there twice"));
            }
            match part {
                Part::Keywords => {
                    read.keywords = map.next_value_seed(Leading { known: self.0, of: weighed })?;
                }
                Part::FilePatterns => {
                    read.globs = map.next_value_seed(Leading { known: self.0, of: |number| number })?;
                }
                Part::Regex => read.regexes = map.next_value_seed(Regexes(self.0))?,
                Part::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(read)
    }
}

fn weighed(number: Number) -> (Number, Micro) {
    (number, Micro::ONE)
}

/// A mapping of words to lists of ids, in the order of the file.
struct Leading<'a, 'k, T> {
    known: &'a mut Known<'k>,
    of: fn(Number) -> T,
}

impl<'de, T> DeserializeSeed<'de> for Leading<'_, '_, T> {
    type Value = Vec<(String, Vec<T>)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T> Visitor<'de> for Leading<'_, '_, T> {
    type Value = Vec<(String, Vec<T>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of words to lists of ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(word) = map.next_key::<String>()? {
            let ids = Ids { trigger: &word, known: self.known, of: self.of };
            let agents = map.next_value_seed(ids)?;
            members.push((word, agents));
        }
        Ok(members)
    }
}

/// A list of ids.
struct Ids<'a, 'k, T> {
    trigger: &'a str,
    known: &'a mut Known<'k>,
    of: fn(Number) -> T,
}

impl<'de, T> DeserializeSeed<'de> for Ids<'_, '_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T> Visitor<'de> for Ids<'_, '_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of ids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<Vec<T>, A::Error> {
        let mut agents = Vec::new();
        while let Some(found) = ids.next_element_seed(Id(self.trigger, self.known))? {
            agents.extend(found.map(self.of));
        }
        Ok(agents)
    }
}

/// An id, for a trigger.
struct Id<'a, 'k>(&'a str, &'a mut Known<'k>);

impl<'de> DeserializeSeed<'de> for Id<'_, '_> {
    type Value = Option<Number>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Number>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Id<'_, '_> {
    type Value = Option<Number>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E>(self, id: &str) -> Result<Option<Number>, E> {
        let Self(trigger, known) = self;
        let found = known.numbers.get(id).copied();
        if found.is_none() {
            known.problems.add(trigger, format!("index.json has no agent {id:?}"));
        }
        Ok(found)
    }
}

#[derive(Deserialize)]
struct RegexLine<'a> {
    pattern: String,
    #[serde(default)]
    priority: Value,
    #[serde(default, borrow)]
    agents: Vec<Text<'a>>,
}

/// A text as it stands in the file, unless it is escaped there.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The list of regexes.
struct Regexes<'a, 'k>(&'a mut Known<'k>);

impl<'de> DeserializeSeed<'de> for Regexes<'_, '_> {
    type Value = BTreeMap<Pattern, Vec<Number>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Regexes<'_, '_> {
    type Value = BTreeMap<Pattern, Vec<Number>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of regexes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<Self::Value, A::Error> {
        let mut regexes: Self::Value = BTreeMap::new();
        while let Some(RegexLine { pattern, priority, agents }) = lines.next_element()? {
            // The ids may stand before the pattern that a problem names.
            let find = |Text(id): &Text<'_>| Id(&pattern, &mut *self.0).visit_str::<A::Error>(id);
            let numbers = agents.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            // A priority is a whole number; what is left out is 0.
            let pattern = Pattern { priority: priority.as_i64().unwrap_or_default(), pattern };
            regexes.entry(pattern).or_default().extend(numbers.into_iter().flatten());
        }
        Ok(regexes)
    }
}
