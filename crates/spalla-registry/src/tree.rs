//! YAML as a tree in which every value knows its line and column, read with limits that no honest file comes near.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// The most values of one file, aliases unfolded.
const NODES_MAX: usize = 50_000;
/// The deepest nesting; a definition needs six levels.
const DEPTH_MAX: usize = 24;
/// The most anchors, and the most times that one is repeated.
const ALIASES_MAX: usize = 200;

/// One value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The line, from 1, in the file.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// What it is.
    pub value: Tree,
}

/// What a value is. Numbers keep the text that was written, so that the version `2.10` does not become 2.1.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as it is written and as it is read.
    Number(String, serde_json::Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(Node, Node)>),
}

/// Why a text is no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1, in the file.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// What is wrong.
    pub message: String,
    /// Whether a limit was passed: such a text is not looked at a second time.
    pub is_limit: bool,
}

/// Parses a text that begins at that line of its file; an empty one is a null.
pub fn parse(yaml: &str, first_line: u64) -> Result<Node, Fault> {
    if yaml.trim().is_empty() {
        return Ok(Node { line: first_line, column: 1, value: Tree::Null });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: NODES_MAX,
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: DEPTH_MAX,
            max_alias_expansions_per_anchor: ALIASES_MAX,
        },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let before = first_line.saturating_sub(1);
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(yaml, options)
        .map(|raw| node(raw, yaml, before))
        .map_err(|error| fault(&error, before))
}

fn fault(error: &serde_saphyr::Error, before: u64) -> Fault {
    use serde_saphyr::Error;
    let at = error.location().filter(|at| at.line() > 0);
    let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
    let mut inner = error.without_snippet();
    while let Error::AliasError { error, .. } = inner {
        inner = error;
    }
    // The scanner has a limit of its own, which is known by its words alone.
    let is_scanners =
        || inner.render_with_formatter(&serde_saphyr::UserMessageFormatter).contains("recursion limit");
    let is_limit = matches!(inner, Error::Budget { .. }) || is_alias_limit(inner) || is_scanners();
    let message = match inner {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {key:?} stands here a second time")
        }
        _ if is_limit => "it is too large, too deeply nested, or repeats an alias too often".to_owned(),
        other => {
            let text = other.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            let place = format!(" at line {line}, column {column}");
            format!("not valid YAML: {}", text.strip_suffix(&place).unwrap_or(&text))
        }
    };
    Fault { line: line + before, column, message, is_limit }
}

fn is_alias_limit(error: &serde_saphyr::Error) -> bool {
    use serde_saphyr::Error;
    matches!(
        error,
        Error::AliasReplayLimitExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::AliasReplayCounterOverflow { .. }
    )
}

impl Node {
    /// Returns the members of a mapping; anything else has none.
    pub fn members(&self) -> &[(Node, Node)] {
        match &self.value {
            Tree::Map(members) => members,
            _ => &[],
        }
    }

    /// Returns a scalar as text.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Tree::Text(text) | Tree::Number(text, _) => Some(text.clone()),
            Tree::Bool(yes) => Some(yes.to_string()),
            Tree::Null | Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// Returns the node that a JSON pointer leads to, or the last one on the way there.
    pub fn at(&self, pointer: &str) -> &Node {
        let mut here = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match &here.value {
                Tree::Map(members) => members
                    .iter()
                    .find(|(key, _)| key.scalar().as_deref() == Some(&part))
                    .map(|(_, value)| value),
                Tree::List(items) => part.parse::<usize>().ok().and_then(|place| items.get(place)),
                _ => None,
            };
            let Some(next) = next else { return here };
            here = next;
        }
        here
    }

    /// Returns what it says as JSON, members in the order of their names.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Tree::Null => Value::Null,
            Tree::Bool(yes) => Value::Bool(*yes),
            Tree::Number(text, number) if number.to_string() == *text => Value::Number(number.clone()),
            Tree::Number(text, number) => as_written(text, number),
            Tree::Text(text) => Value::String(text.clone()),
            Tree::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Tree::Map(members) => {
                let name = |key: &Node| key.scalar().unwrap_or_else(|| key.to_json().to_string());
                let mut sorted: Vec<_> =
                    members.iter().map(|(key, value)| (name(key), value.to_json())).collect();
                sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
                Value::Object(sorted.into_iter().collect::<Map<_, _>>())
            }
        }
    }
}

/// A number whose digits would be lost is text, such as the version 1.10; `1.0` and `1e3` stay numbers.
fn as_written(text: &str, number: &serde_json::Number) -> Value {
    let is_version = text.contains('.') && text.ends_with('0') && !text.ends_with(".0");
    let has_prefix =
        text.len() > 1 && text.trim_start_matches(['-', '+']).starts_with('0') && !text.contains('.');
    if is_version || has_prefix { Value::String(text.to_owned()) } else { Value::Number(number.clone()) }
}

/// A value as the parser hands it over: numbers have lost their text, which is read again from the span.
enum Raw {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

fn node(raw: Spanned<Raw>, yaml: &str, before: u64) -> Node {
    let (line, column) = (raw.referenced.line() + before, raw.referenced.column());
    let value = match raw.value {
        Raw::Null => Tree::Null,
        Raw::Bool(yes) => Tree::Bool(yes),
        Raw::Number(number) => {
            Tree::Number(written(raw.defined, yaml).unwrap_or_else(|| number.to_string()), number)
        }
        Raw::Text(text) => Tree::Text(text),
        Raw::List(items) => Tree::List(items.into_iter().map(|item| node(item, yaml, before)).collect()),
        Raw::Map(pairs) => {
            let pair = |(key, value)| (node(key, yaml, before), node(value, yaml, before));
            Tree::Map(pairs.into_iter().map(pair).collect())
        }
    };
    Node { line, column, value }
}

fn written(at: Location, yaml: &str) -> Option<String> {
    let start = usize::try_from(at.span().byte_offset()?).ok()?;
    let len = usize::try_from(at.span().byte_len()?).ok()?;
    let text = yaml.get(start..start.checked_add(len)?)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(yes))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        // JSON has no infinity and no NaN.
        Ok(serde_json::Number::from_f64(value).map_or_else(|| Raw::Text(value.to_string()), Raw::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
