//! `index.json` and `triggers.json`: what is published beside the definitions, for readers in any language.

use crate::definition::{Definition, SCHEMA_VERSION};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the index.
pub const INDEX: &str = "index.json";
/// The name of the triggers.
pub const TRIGGERS: &str = "triggers.json";
/// What an id's definition is named after it.
pub const DEFINITION_END: &str = ".codex.yaml";
/// What an id's brief is named after it.
pub const BRIEF_END: &str = ".md";

/// Who is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The version of the format.
    pub version: u32,
    /// When the newest source changed, as `2026-01-31T12:00:00Z`.
    #[serde(rename = "generatedAt")]
    pub generated_at: String,
    /// The digest of everything that is published but the time.
    pub digest: String,
    /// How many agents have each keyword.
    pub keywords: BTreeMap<String, u64>,
    /// The agents, by their ids.
    pub agents: Vec<Entry>,
}

/// One agent of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name for programs.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The first folder of its file.
    pub domain: String,
    /// The second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// How wide its work is.
    pub tier: String,
}

/// What leads work to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggers {
    /// Word → ids.
    pub keywords: BTreeMap<String, Vec<String>>,
    /// Expressions, the highest priority first.
    pub regex: Vec<Expression>,
    /// Glob → ids.
    pub file_patterns: BTreeMap<String, Vec<String>>,
}

/// An expression, and to whom it leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expression {
    /// The expression.
    pub pattern: String,
    /// How early it is tried.
    pub priority: i64,
    /// Ids.
    pub agents: Vec<String>,
}

impl Entry {
    /// Returns where the agent's files stand, without what comes after the id.
    pub fn stem(&self) -> String {
        match &self.subdomain {
            Some(subdomain) => format!("{}/{subdomain}/{}", self.domain, self.id),
            None => format!("{}/{}", self.domain, self.id),
        }
    }

    /// Returns the entry of a definition.
    pub fn of(definition: &Definition) -> Self {
        let agent = &definition.agent;
        let class = agent.classification.clone();
        let (id, name) = (agent.id.clone(), agent.name.clone());
        Self { id, name, domain: class.domain, subdomain: class.subdomain, tier: class.tier }
    }
}

/// Gathers what leads to whom.
pub fn triggers<'a>(definitions: impl Iterator<Item = &'a Definition>) -> Triggers {
    let mut triggers = Triggers::default();
    let mut expressions: BTreeMap<(i64, String), Vec<String>> = BTreeMap::new();
    for definition in definitions {
        let id = &definition.agent.id;
        for keyword in &definition.triggers.keywords {
            triggers.keywords.entry(keyword.clone()).or_default().push(id.clone());
        }
        for glob in &definition.triggers.file_patterns {
            triggers.file_patterns.entry(glob.clone()).or_default().push(id.clone());
        }
        for one in &definition.triggers.regex {
            let key = (one.priority.saturating_neg(), one.pattern.clone());
            expressions.entry(key).or_default().push(id.clone());
        }
    }
    for ids in triggers
        .keywords
        .values_mut()
        .chain(triggers.file_patterns.values_mut())
        .chain(expressions.values_mut())
    {
        ids.sort_unstable();
        ids.dedup();
    }
    let expression = |((negated, pattern), agents): ((i64, String), _)| Expression {
        pattern,
        priority: negated.saturating_neg(),
        agents,
    };
    triggers.regex = expressions.into_iter().map(expression).collect();
    triggers
}

/// Makes the index of what is published.
pub fn index<'a>(
    definitions: impl Iterator<Item = &'a Definition>,
    triggers: &Triggers,
    digest: String,
    generated_at: String,
) -> Index {
    let mut agents: Vec<Entry> = definitions.map(Entry::of).collect();
    agents.sort_by(|a, b| a.id.cmp(&b.id));
    let keywords = triggers.keywords.iter().map(|(word, ids)| (word.clone(), ids.len() as u64)).collect();
    Index { version: SCHEMA_VERSION, generated_at, digest, keywords, agents }
}

/// Writes a value as it is published: over several lines, with a line end.
pub(crate) fn written<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
