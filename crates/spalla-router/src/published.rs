//! The fleet as the registry publishes it: `index.json`, `triggers.json`, and a YAML file an agent.

mod triggers;

use crate::fleet::{AGENTS_MAX, Entry, Fleet, short};
use crate::score::{Micro, SCORING};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The largest `index.json` that is read, in bytes: ten times that of 20,000 agents.
pub const INDEX_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The largest `triggers.json` that is read, in bytes.
pub const TRIGGERS_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Why what was published can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishedError {
    /// A file is too large.
    #[error("{file} has {bytes} bytes, at most {most}")]
    TooLarge {
        /// Which.
        file: &'static str,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        most: usize,
    },
    /// A file is not what it should be.
    #[error("{file} can't be read: {why}")]
    Unreadable {
        /// Which.
        file: &'static str,
        /// What the reader says, with the place.
        why: String,
    },
    /// There are too many agents.
    #[error("index.json names {0} agents, at most {AGENTS_MAX}")]
    TooMany(usize),
    /// Two agents have one id.
    #[error("index.json names {0:?} twice")]
    Twice(String),
}

/// What is looked at only where an agent may be chosen, or where a meaning is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// What it is for.
    pub description: String,
    /// The tools that it may use; none means that nothing is said, and `*` is all.
    pub tools_allowed: Vec<String>,
    /// The tools that it may not use; `*` is all.
    pub tools_restricted: Vec<String>,
    /// What it is not for: a task that says so counts against it.
    pub negative_keywords: Vec<String>,
    /// The agents that may read its memory, besides itself.
    pub share_with: Vec<String>,
    /// The keywords that were taken from its texts, the most telling first; empty where somebody wrote its keywords, which all count
    /// in full.
    pub ranked_keywords: Vec<String>,
    /// How well it is thought of before anything is measured, from 0 to 1; none means middling.
    pub prior: Option<Micro>,
}

#[derive(Deserialize)]
struct IndexFile {
    agents: Vec<AgentLine>,
}

#[derive(Deserialize)]
struct AgentLine {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    domain: String,
    #[serde(default)]
    subdomain: Option<String>,
    /// A word, or a number in fleets that count their tiers.
    #[serde(default)]
    tier: Value,
}

impl Fleet {
    /// Reads a fleet from the two files that are published for all agents. What they say of agents that are not in the index is
    /// passed over and told.
    ///
    /// # Errors
    /// Where one is too large, is no such file, or names an agent twice.
    pub fn published(index: &[u8], triggers: &[u8]) -> Result<Self, PublishedError> {
        let read: IndexFile = parse("index.json", index, INDEX_BYTES_MAX)?;
        let mut fleet = Self { version: version(index, triggers), ..Self::default() };
        fleet.entries = entries(read.agents)?;
        fleet.details = vec![None; fleet.entries.len()];
        let text = text("triggers.json", triggers, TRIGGERS_BYTES_MAX)?;
        triggers::read(text, &mut fleet)
            .map_err(|error| PublishedError::Unreadable { file: "triggers.json", why: error.to_string() })?;
        Ok(fleet)
    }
}

fn parse<'a, T: Deserialize<'a>>(
    file: &'static str,
    bytes: &'a [u8],
    most: usize,
) -> Result<T, PublishedError> {
    serde_json::from_str(text(file, bytes, most)?)
        .map_err(|error| PublishedError::Unreadable { file, why: error.to_string() })
}

/// Looks at the letters of a file once, and not at those of each text in it.
fn text<'a>(file: &'static str, bytes: &'a [u8], most: usize) -> Result<&'a str, PublishedError> {
    if bytes.len() > most {
        return Err(PublishedError::TooLarge { file, bytes: bytes.len(), most });
    }
    std::str::from_utf8(bytes).map_err(|error| PublishedError::Unreadable { file, why: error.to_string() })
}

fn entries(lines: Vec<AgentLine>) -> Result<Vec<Entry>, PublishedError> {
    if lines.len() > AGENTS_MAX {
        return Err(PublishedError::TooMany(lines.len()));
    }
    let entry = |line: AgentLine| Entry {
        name: if line.name.is_empty() { line.id.clone() } else { line.name },
        id: line.id,
        domain: line.domain,
        subdomain: line.subdomain.unwrap_or_default(),
        tier: match line.tier {
            Value::String(word) => word,
            other => other.to_string(),
        },
    };
    let mut entries: Vec<Entry> = lines.into_iter().map(entry).collect();
    entries.sort();
    match entries.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => Err(PublishedError::Twice(pair[0].id.clone())),
        None => Ok(entries),
    }
}

/// The two files decide what an index is, and how it is scored.
fn version(index: &[u8], triggers: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&SCORING.to_le_bytes());
    hasher.update(&(index.len() as u64).to_le_bytes()).update(index).update(triggers);
    short(&hasher.finalize())
}

/// What of an agent's file is looked at; all else is somebody else's.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AgentFile {
    agent: AgentPart,
    capabilities: CapabilitiesPart,
    memory: MemoryPart,
    triggers: TriggersPart,
    provenance: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AgentPart {
    description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CapabilitiesPart {
    detail: DetailPart,
    quality: QualityPart,
    levels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DetailPart {
    tools: ToolsPart,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolsPart {
    allowed: Vec<String>,
    restricted: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct QualityPart {
    reliability: Option<f64>,
    responsiveness: Option<f64>,
    quality: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MemoryPart {
    sharing_policy: SharingPart,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SharingPart {
    share_with: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TriggersPart {
    avoid: Vec<String>,
    keywords: Vec<String>,
}

/// What the rule is called by which keywords are taken from texts.
const BY_TEXTS: &str = "tf-idf";

impl Details {
    /// Reads what an agent's YAML file says of it.
    ///
    /// # Errors
    /// With the reader's words where it is no such file.
    pub fn parse(yaml: &str) -> Result<Self, String> {
        let file: AgentFile = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
        let CapabilitiesPart { detail, quality, levels } = file.capabilities;
        let said = [quality.reliability, quality.responsiveness, quality.quality].into_iter().flatten();
        let mut told: Vec<f64> = said.collect();
        if told.is_empty() {
            told.extend(levels.values().filter_map(|level| of_level(level)));
        }
        let prior = (!told.is_empty()).then(|| told.iter().sum::<f64>() / told.len() as f64);
        let ToolsPart { allowed, mut restricted } = detail.tools;
        if allowed.is_empty() {
            // A definition that names none has none.
            restricted.push("*".to_owned());
        }
        let rule = file.provenance.get("triggers.keywords");
        let are_ranked = rule.is_some_and(|rule| rule.contains(BY_TEXTS));
        let ranked_keywords = if are_ranked { file.triggers.keywords } else { Vec::new() };
        Ok(Self {
            description: file.agent.description,
            tools_allowed: allowed,
            tools_restricted: restricted,
            negative_keywords: file.triggers.avoid,
            share_with: file.memory.sharing_policy.share_with,
            ranked_keywords,
            prior: prior.map(|prior| Micro::of(prior.clamp(0.0, 1.0))),
        })
    }
}

/// What is thought of an agent that calls itself so.
fn of_level(level: &str) -> Option<f64> {
    match level {
        "expert" => Some(0.8),
        "advanced" => Some(0.65),
        "basic" => Some(0.4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{"version": 1, "generatedAt": "2026-01-01T00:00:00Z", "digest": "d", "keywords": {"go": 1},
        "agents": [{"id": "b", "name": "B", "domain": "x", "subdomain": "y", "tier": "specialist"}, {"id": "a", "domain": "x"}]}"#;

    #[test]
    fn the_two_files_make_a_fleet() {
        let triggers = r#"{"keywords": {"go": ["b", "a"], "c": ["nobody"]}, "regex": [
            {"pattern": "x+", "priority": 7, "agents": ["a"]}, {"pattern": "y", "priority": -5, "agents": ["b"]},
            {"pattern": "z", "agents": []}], "file_patterns": {"*.go": ["a"]}}"#;
        let fleet = Fleet::published(INDEX.as_bytes(), triggers.as_bytes()).unwrap();
        assert_eq!(fleet.entries.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(fleet.keywords["go"], [(1, Micro::ONE), (0, Micro::ONE)]);
        assert_eq!(fleet.regexes.keys().map(|pattern| pattern.priority).collect::<Vec<_>>(), [7, -5, 0]);
        assert_eq!((fleet.globs["*.go"].as_slice(), fleet.problems.count), (&[0][..], 1));
        assert_eq!((fleet.entries[0].name.as_str(), fleet.entries[1].tier.as_str()), ("a", "specialist"));
    }

    #[test]
    fn members_stand_in_any_order_and_each_part_stands_once() {
        let read = |triggers: &str| Fleet::published(INDEX.as_bytes(), triggers.as_bytes());
        let fleet = read(
            r#"{"more": [1, {"x": 2}], "regex": [{"agents": ["b", "lost"], "pattern": "x\\d"}],
            "keywords": {"go": ["a"], "\u0067o": ["b"]}}"#,
        )
        .unwrap();
        assert_eq!(
            fleet.keywords["go"],
            [(1, Micro::ONE)],
            "of a word that stands there twice the last counts"
        );
        let (pattern, agents) = fleet.regexes.iter().next().unwrap();
        assert_eq!((pattern.pattern.as_str(), agents.as_slice()), (r"x\d", &[1][..]));
        let told = &fleet.problems.told[0];
        assert_eq!((told.trigger.as_str(), told.why.as_str()), (r"x\d", "index.json has no agent \"lost\""));
        for (wrong, why) in [
            (r#"{"keywords": {}, "keywords": {}}"#, "twice"),
            (r#"{"keywords": {"go": "a"}}"#, "a list of ids"),
            (r#"{"keywords": ["go"]}"#, "a mapping of words"),
            (r#"{"regex": [{"agents": []}]}"#, "pattern"),
            ("{} x", "trailing"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.starts_with("triggers.json can't be read") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn another_content_is_another_version() {
        let version = |index: &str, triggers: &str| {
            Fleet::published(index.as_bytes(), triggers.as_bytes()).unwrap().version
        };
        assert_eq!(version(INDEX, "{}"), version(INDEX, "{}"));
        assert_ne!(version(INDEX, "{}"), version(INDEX, "{ }"));
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_its_reason() {
        let refused = |index: &[u8]| Fleet::published(index, b"{}").unwrap_err().to_string();
        assert!(refused(b"{").starts_with("index.json can't be read: EOF"));
        assert!(refused(b"\xff\xfe").starts_with("index.json can't be read"));
        assert!(refused(br#"{"agents": [{"id": "\ud800"}]}"#).contains("at line 1"));
        assert_eq!(refused(br#"{"agents": [{"id": "a"}, {"id": "a"}]}"#), "index.json names \"a\" twice");
        let large = vec![b' '; INDEX_BYTES_MAX + 1];
        assert!(refused(&large).contains("at most"));
    }

    #[test]
    fn a_file_tells_tools_and_what_an_agent_is_not_for() {
        let yaml = "agent:\n  id: a\n  description: Mends Go.\ncapabilities:\n  core: [go]\n  detail:\n    \
            tools: {allowed: [Read], restricted: [Bash]}\n  quality: {reliability: 0.9, quality: 0.7}\ntriggers:\n  \
            avoid: [python, web pages]\nmemory:\n  sharing_policy: {share_with: [b]}\n";
        let details = Details::parse(yaml).unwrap();
        assert_eq!(details.negative_keywords, ["python", "web pages"]);
        assert_eq!(
            (details.tools_allowed, details.tools_restricted),
            (vec!["Read".into()], vec!["Bash".into()])
        );
        assert_eq!((details.prior, details.share_with), (Some(Micro::of(0.8)), vec!["b".into()]));
        let levels = Details::parse("capabilities: {levels: {go: expert, web: advanced, x: none}}").unwrap();
        assert_eq!(levels.prior, Some(Micro::of(0.725)));
        assert!(Details::parse("agent: [").is_err());
        let none = Details { tools_restricted: vec!["*".into()], ..Details::default() };
        assert_eq!(Details::parse("{}").unwrap(), none, "who names no tools has none");
    }

    #[test]
    fn keywords_that_were_taken_from_texts_have_ranks_and_those_of_people_do_not() {
        let read = |rule: &str| {
            let yaml =
                format!("triggers: {{keywords: [b, a]}}\nprovenance: {{triggers.keywords: {rule:?}}}\n");
            Details::parse(&yaml).unwrap().ranked_keywords
        };
        assert_eq!(read("name, vocabulary, tf-idf"), ["b", "a"]);
        assert!(read("lines of the description").is_empty());
        assert!(Details::parse("triggers: {keywords: [b, a]}").unwrap().ranked_keywords.is_empty());
    }
}
