//! `index.json` and `triggers.json`: what is published beside the definitions, for readers in any language.

use crate::definition::{Definition, SCHEMA_VERSION};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

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

/// [`Triggers`] while they are written, with the words of the definitions.
#[derive(Debug, Serialize)]
pub(crate) struct Gathered<'a> {
    keywords: BTreeMap<&'a str, Vec<&'a str>>,
    regex: Vec<GatheredExpression<'a>>,
    file_patterns: BTreeMap<&'a str, Vec<&'a str>>,
}

#[derive(Debug, Serialize)]
struct GatheredExpression<'a> {
    pattern: &'a str,
    priority: i64,
    agents: Vec<&'a str>,
}

/// [`Index`] while it is written.
#[derive(Debug, Serialize)]
pub(crate) struct Listed<'a> {
    version: u32,
    #[serde(rename = "generatedAt")]
    generated_at: &'a str,
    digest: &'a str,
    keywords: BTreeMap<&'a str, usize>,
    agents: Vec<Entry>,
}

/// Gathers what leads to whom.
pub fn triggers<'a>(definitions: impl Iterator<Item = &'a Definition>) -> Triggers {
    let mut definitions: Vec<&Definition> = definitions.collect();
    definitions.sort_by_key(|one| &one.agent.id);
    let Gathered { keywords, regex, file_patterns } = gather(&definitions);
    let ids = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let owned = |all: BTreeMap<&str, Vec<&str>>| {
        all.into_iter().map(|(word, agents)| (word.to_owned(), ids(agents))).collect()
    };
    let expression = |one: GatheredExpression<'_>| Expression {
        pattern: one.pattern.to_owned(),
        priority: one.priority,
        agents: ids(one.agents),
    };
    let regex = regex.into_iter().map(expression).collect();
    Triggers { keywords: owned(keywords), regex, file_patterns: owned(file_patterns) }
}

/// Gathers what leads to whom. The definitions come in the order of their ids.
pub(crate) fn gather<'a>(definitions: &[&'a Definition]) -> Gathered<'a> {
    let mut expressions: BTreeMap<(i64, &str), Vec<&str>> = BTreeMap::new();
    for (id, triggers) in definitions.iter().map(|one| (&one.agent.id, &one.triggers)) {
        for one in &triggers.regex {
            expressions.entry((one.priority.saturating_neg(), &one.pattern)).or_default().push(id);
        }
    }
    let expression = |((negated, pattern), mut agents): ((i64, _), Vec<_>)| {
        agents.dedup();
        GatheredExpression { pattern, priority: negated.saturating_neg(), agents }
    };
    Gathered {
        keywords: gathered(definitions, |one| &one.triggers.keywords),
        regex: expressions.into_iter().map(expression).collect(),
        file_patterns: gathered(definitions, |one| &one.triggers.file_patterns),
    }
}

fn gathered<'a>(
    definitions: &[&'a Definition],
    words: impl Fn(&'a Definition) -> &'a [String],
) -> BTreeMap<&'a str, Vec<&'a str>> {
    // Most words come more than once, and finding them by their order takes longer than by their digest.
    let mut gathered: HashMap<&str, Vec<&str>> = HashMap::new();
    for definition in definitions {
        for word in words(definition) {
            let ids = gathered.entry(word).or_default();
            if ids.last() != Some(&definition.agent.id.as_str()) {
                ids.push(&definition.agent.id);
            }
        }
    }
    gathered.into_iter().collect()
}

/// Makes the index of what is published. The definitions come in the order of their ids.
pub(crate) fn index<'a>(
    definitions: &[&Definition],
    triggers: &Gathered<'a>,
    digest: &'a str,
    generated_at: &'a str,
) -> Listed<'a> {
    let agents = definitions.iter().map(|one| Entry::of(one)).collect();
    let keywords = triggers.keywords.iter().map(|(word, ids)| (*word, ids.len())).collect();
    Listed { version: SCHEMA_VERSION, generated_at, digest, keywords, agents }
}

/// Writes a value as it is published: over several lines, with a line end.
pub(crate) fn written<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
