//! YAML as a tree in which every value knows its line and column, so that each rule can point at what breaks it; read with limits.

mod raw;
#[cfg(test)]
mod tests;

use raw::Raw;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// How large a text may become: whoever reads one knows what an honest one needs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most values, aliases unfolded.
    pub nodes: usize,
    /// The deepest nesting.
    pub depth: usize,
    /// The most anchors, and the most times that one is repeated.
    pub aliases: usize,
}

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

/// What a value is. Scalars keep the text that was written, so that the version `2.10` does not become 2.1.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// True or false.
    Bool {
        /// As it is written.
        text: String,
        /// As it is read.
        yes: bool,
    },
    /// A number that is finite.
    Number {
        /// As it is written.
        text: String,
        /// As it is read.
        number: serde_json::Number,
    },
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
    /// Of which kind it is.
    pub kind: FaultKind,
}

/// Of which kind a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not well written.
    Syntax,
    /// A second document begins.
    SecondDocument,
    /// Another limit was passed.
    Limit,
}

impl Fault {
    /// Tells whether a limit was passed: such a text is not looked at a second time.
    pub fn is_limit(&self) -> bool {
        self.kind != FaultKind::Syntax
    }
}

/// Parses a text that begins at that line of its file; an empty one is a null.
pub fn parse(yaml: &str, first_line: u64, limits: Limits) -> Result<Node, Fault> {
    let Limits { nodes, depth, aliases } = limits;
    if yaml.trim().is_empty() {
        return Ok(Node { line: first_line, column: 1, value: Tree::Null });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: nodes,
            max_nodes: nodes,
            max_depth: depth,
            max_aliases: aliases,
            max_anchors: aliases,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: nodes,
            max_replay_stack_depth: depth,
            max_alias_expansions_per_anchor: aliases,
        },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let before = first_line.saturating_sub(1);
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(yaml, options)
        .map(|raw| raw::node(raw, yaml, before))
        .map_err(|error| fault(&error, before))
}

fn fault(error: &serde_saphyr::Error, before: u64) -> Fault {
    use serde_saphyr::{Error, budget::BudgetBreach};
    let at = error.location().filter(|at| at.line() > 0);
    let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
    let mut inner = error.without_snippet();
    while let Error::AliasError { error, .. } = inner {
        inner = error;
    }
    // The scanner has a limit of its own, which is known by its words alone.
    let is_scanners =
        || inner.render_with_formatter(&serde_saphyr::UserMessageFormatter).contains("recursion limit");
    let kind = match inner {
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => FaultKind::SecondDocument,
        Error::Budget { .. } => FaultKind::Limit,
        _ if is_alias_limit(inner) || is_scanners() => FaultKind::Limit,
        _ => FaultKind::Syntax,
    };
    let message = match (inner, kind) {
        (Error::DuplicateMappingKey { key: Some(key), .. }, _) => {
            format!("the key {key:?} stands here a second time")
        }
        (_, FaultKind::SecondDocument) => "a second YAML document begins here".to_owned(),
        (_, FaultKind::Limit) => {
            "it is too large, too deeply nested, or repeats an alias too often".to_owned()
        }
        (other, FaultKind::Syntax) => {
            let text = other.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            let place = format!(" at line {line}, column {column}");
            format!("not valid YAML: {}", text.strip_suffix(&place).unwrap_or(&text))
        }
    };
    Fault { line: line + before, column, message, kind }
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
    /// Returns what YAML calls the kind of the value.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Tree::Null => "nothing",
            Tree::Bool { .. } => "true or false",
            Tree::Number { .. } => "a number",
            Tree::Text(_) => "text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a mapping",
        }
    }

    /// Returns a scalar as it is written.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Tree::Text(text) | Tree::Bool { text, .. } | Tree::Number { text, .. } => Some(text),
            Tree::Null | Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// Returns the members of a mapping; anything else has none.
    pub fn members(&self) -> &[(Node, Node)] {
        match &self.value {
            Tree::Map(members) => members,
            _ => &[],
        }
    }

    /// Returns a scalar as text; true and false by these words.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Tree::Text(text) | Tree::Number { text, .. } => Some(text.clone()),
            Tree::Bool { yes, .. } => Some(yes.to_string()),
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
            Tree::Bool { yes, .. } => Value::Bool(*yes),
            Tree::Number { text, number } if number.to_string() == *text => Value::Number(number.clone()),
            Tree::Number { text, number } => as_written(text, number),
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
