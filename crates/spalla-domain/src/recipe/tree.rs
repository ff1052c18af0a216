//! YAML as a tree in which every value knows its line and column, so that each rule can point at what breaks it.

use super::{RecipeProblem, STEPS_MAX, TOOLS_MAX};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// One value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) value: Value,
}

/// What a value is. Scalars keep the text that was written, so that the version `2.10` does not become 2.1.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool { text: String, yes: bool },
    Number { text: String, value: f64 },
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// The most nodes of a recipe, aliases unfolded: far above what the other limits let through, far below what
/// would be felt.
const NODES_MAX: usize = (STEPS_MAX + TOOLS_MAX) * 1_000;
/// The deepest nesting; a recipe needs five levels.
const DEPTH_MAX: usize = 16;
/// The most times one anchor is repeated: once per step and tool, and some.
const ALIASES_MAX: usize = 1_000;

/// Parses the text; an empty one is a null.
pub(super) fn parse(yaml: &str) -> Result<Node, RecipeProblem> {
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
    if yaml.trim().is_empty() {
        return Ok(Node { line: 1, column: 1, value: Value::Null });
    }
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(yaml, options)
        .map(|raw| raw_to_node(raw, yaml))
        .map_err(|error| problem_of(&error))
}

/// Returns what YAML calls the kind of a value.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool { .. } => "true or false",
        Value::Number { .. } => "a number",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

fn problem_of(error: &serde_saphyr::Error) -> RecipeProblem {
    use serde_saphyr::{Error, budget::BudgetBreach};
    let at = error.location().filter(|at| at.line() > 0);
    let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
    let message = match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {key:?} stands here a second time")
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            "a second YAML document begins here; a recipe is one document".into()
        }
        Error::Budget { .. } => "the recipe is too large or too deeply nested".into(),
        other => {
            let text = other.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            let place = format!(" at line {line}, column {column}");
            format!("not valid YAML: {}", text.strip_suffix(&place).unwrap_or(&text))
        }
    };
    RecipeProblem { line, column, message, allowed: Vec::new() }
}

/// A value as the parser hands it over: typed scalars have lost their text, which is read again from the span.
enum Raw {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

fn raw_to_node(raw: Spanned<Raw>, yaml: &str) -> Node {
    let text_or = |typed: String| written(raw.defined, yaml).unwrap_or(typed);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(yes) => Value::Bool { text: text_or(yes.to_string()), yes },
        Raw::Number(value) => Value::Number { text: text_or(value.to_string()), value },
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => Value::List(items.into_iter().map(|item| raw_to_node(item, yaml)).collect()),
        Raw::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| (raw_to_node(key, yaml), raw_to_node(value, yaml)))
                .collect(),
        ),
    };
    Node { line: raw.referenced.line(), column: raw.referenced.column(), value }
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
        Ok(Raw::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
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
