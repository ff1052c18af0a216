//! What an agent's front matter says, key by key: each finds its place, or is kept as it is.

mod tools;

use crate::front_matter::Parts;
use crate::id;
use crate::lenient;
use crate::problem::{Problem, Severity};
use crate::read::LIMITS;
use crate::regexes;
use crate::schema;
use serde_json::{Map, Value, json};
use spalla_domain::yaml::{self, Node, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// Keys that Claude Code knows and that have no place of their own here: kept without a word.
const KNOWN: &[&str] = &[
    "background",
    "color",
    "effort",
    "hooks",
    "initialPrompt",
    "isolation",
    "maxTurns",
    "mcpServers",
    "memory",
    "model",
    "permissionMode",
    "skills",
];

/// Keys that have a place, unless their value fits none; then that was said.
const PLACED: &[&str] = &[
    "agent",
    "allowed-tools",
    "allowedTools",
    "classification",
    "description",
    "disallowed-tools",
    "disallowedTools",
    "domain",
    "id",
    "long_description",
    "name",
    "subdomain",
    "tier",
    "tools",
];

/// What a front matter says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The id that it asks for.
    pub id: Option<String>,
    /// The name, for people.
    pub name: Option<String>,
    /// When to use it, as it is written.
    pub description: Option<String>,
    /// The same at length, where that is a key of its own.
    pub long_description: Option<String>,
    /// The tools that it may use; none where nothing is said of them.
    pub tools: Option<Vec<String>>,
    /// The tools that it may not use.
    pub restricted: Vec<String>,
    /// The field of work.
    pub domain: Option<String>,
    /// A part of it.
    pub subdomain: Option<String>,
    /// How wide its work is.
    pub tier: Option<String>,
    /// Sections of the definition, as they fit its schema.
    pub sections: BTreeMap<String, Value>,
    /// Whatever begins with `x-`, and what a section had too much.
    pub extra: BTreeMap<String, Value>,
    /// Keys that have no other place.
    pub kept: BTreeMap<String, Value>,
    /// Earlier values of keys that stand there twice.
    pub earlier: BTreeMap<String, Value>,
    /// Lines that belong to no key.
    pub stray: Vec<String>,
}

/// Reads a front matter. The error is one that leaves nothing to be read.
pub(crate) fn read(path: &str, parts: &Parts<'_>, problems: &mut Vec<Problem>) -> Result<Said, Problem> {
    let Some(yaml) = parts.yaml else { return Ok(Said::default()) };
    let mut said = Said::default();
    let members = match yaml::parse(yaml, parts.yaml_line, LIMITS) {
        Ok(Node { value: Tree::Map(members), .. }) => members,
        Ok(Node { value: Tree::Null, .. }) => Vec::new(),
        Ok(node) => {
            let problem = Problem::new(path, Severity::Error, "no-keys", "the front matter has no keys");
            return Err(problem
                .at(node.line, node.column)
                .mend("write `name: …` and `description: …` there"));
        }
        Err(fault) if fault.is_limit() => {
            let problem =
                Problem::new(path, Severity::Error, "limit", format!("the front matter: {}", fault.message));
            return Err(problem.at(fault.line, fault.column).mend("an agent needs a few keys"));
        }
        Err(fault) => {
            let mended = lenient::read(path, yaml, parts.yaml_line, &fault);
            problems.extend(mended.problems);
            mended.earlier.iter().for_each(|(key, value)| said.keep_earlier(key, value.to_json()));
            said.stray = mended.stray;
            mended.members
        }
    };
    let mut reader = Reader { path, said, problems };
    let name_of = |key: &Node| key.scalar().unwrap_or_else(|| key.to_json().to_string());
    let names: BTreeSet<String> = members.iter().map(|(key, _)| name_of(key)).collect();
    for (key, value) in &members {
        let name = name_of(key);
        match PLACED.iter().find(|placed| name != **placed && placed.eq_ignore_ascii_case(&name)) {
            Some(placed) if !names.contains(*placed) => {
                reader.warn("large", key, format!("the key {name:?} is read as {placed:?}"), "write it so");
                reader.key(placed, key, value);
            }
            _ => reader.key(&name, key, value),
        }
    }
    Ok(reader.said)
}

impl Said {
    /// Keeps the earlier value of a key; of several all.
    fn keep_earlier(&mut self, key: &str, value: Value) {
        match self.earlier.get_mut(key) {
            None => drop(self.earlier.insert(key.to_owned(), value)),
            Some(Value::Array(all)) => all.push(value),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
}

struct Reader<'a> {
    path: &'a str,
    said: Said,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn key(&mut self, name: &str, key: &Node, value: &Node) {
        let is_placed = match name {
            "name" => self.text(name, value, |said| &mut said.name),
            "description" => self.text(name, value, |said| &mut said.description),
            "long_description" => self.text(name, value, |said| &mut said.long_description),
            "id" => self.word(name, value, id::id, |said| &mut said.id),
            "domain" => self.word(name, value, id::folder, |said| &mut said.domain),
            "subdomain" => self.word(name, value, id::folder, |said| &mut said.subdomain),
            "tier" => self.word(name, value, id::folder, |said| &mut said.tier),
            "tools" | "allowed-tools" | "allowedTools" => self.tools(value),
            "disallowedTools" | "disallowed-tools" => self.restricted(value),
            "agent" | "classification" => self.nested(value),
            "meta" => self.said.extra.insert("x-meta".into(), value.to_json()).is_none(),
            name if name.starts_with("x-") && name != "x-source" => {
                self.said.extra.insert(name.into(), value.to_json()).is_none()
            }
            name if schema::is_section(name) => self.section(name, value),
            _ => false,
        };
        if !is_placed {
            self.keep(name, key, value);
        }
    }

    fn keep(&mut self, name: &str, key: &Node, value: &Node) {
        if !KNOWN.contains(&name) && !PLACED.contains(&name) && !schema::is_section(name) {
            let message = format!("the key {name:?} has no place in a definition; it is kept in x-source");
            let problem = Problem::new(self.path, Severity::Note, "unknown-key", message);
            self.problems.push(problem.at(key.line, key.column));
        }
        self.said.kept.insert(name.to_owned(), value.to_json());
    }

    fn warn(&mut self, code: &'static str, at: &Node, message: String, mend: &str) {
        let problem = Problem::new(self.path, Severity::Warning, code, message);
        self.problems.push(problem.at(at.line, at.column).mend(mend));
    }

    fn text(&mut self, name: &str, value: &Node, of: impl Fn(&mut Said) -> &mut Option<String>) -> bool {
        let text = match &value.value {
            Tree::List(items) => {
                items.iter().map(Node::scalar).collect::<Option<Vec<_>>>().map(|all| all.join("\n"))
            }
            _ => value.scalar(),
        };
        match text {
            Some(text) if !text.trim().is_empty() => {
                self.set(name, text, of);
                true
            }
            _ => {
                self.warn("no-text", value, format!("{name} says nothing"), "write a line of text");
                false
            }
        }
    }

    fn word(
        &mut self,
        name: &str,
        value: &Node,
        made: impl Fn(&str) -> Option<String>,
        of: impl Fn(&mut Said) -> &mut Option<String>,
    ) -> bool {
        let written = value.scalar().unwrap_or_default();
        let Some(word) = made(&written) else {
            self.warn(
                "no-word",
                value,
                format!("{name} {written:?} has no letters of ASCII"),
                "use small letters",
            );
            return false;
        };
        if word != written {
            let message = format!("{name} {written:?} is used as {word:?}");
            self.warn("no-word", value, message, "write it so");
            self.said.kept.insert(name.to_owned(), json!(written));
        }
        self.set(name, word, of);
        true
    }

    /// The later of two values holds, and the earlier is kept.
    fn set(&mut self, name: &str, text: String, of: impl Fn(&mut Said) -> &mut Option<String>) {
        if let Some(earlier) = of(&mut self.said).replace(text) {
            self.said.keep_earlier(name, json!(earlier));
        }
    }

    fn tools(&mut self, value: &Node) -> bool {
        if matches!(value.value, Tree::Null) {
            let message = "tools says nothing, so that all of them may be used".to_owned();
            self.warn("no-tools", value, message, "write `tools: []` for none, or name some");
            return false;
        }
        let Some((allowed, restricted)) = tools::read(value) else {
            self.warn(
                "no-tools",
                value,
                "the tools are neither text nor a list".into(),
                "write `tools: Read, Grep`",
            );
            return false;
        };
        if allowed.is_empty() && restricted.is_empty() {
            // None is not all.
            self.said.restricted.push("*".to_owned());
        }
        self.said.tools.get_or_insert_default().extend(allowed);
        self.said.restricted.extend(restricted);
        true
    }

    fn restricted(&mut self, value: &Node) -> bool {
        let Some((restricted, _)) = tools::read(value) else { return false };
        self.said.restricted.extend(restricted);
        true
    }

    /// `agent` and `classification` as a definition has them.
    fn nested(&mut self, value: &Node) -> bool {
        let is_whole = |member: &(Node, Node)| {
            member.0.scalar().is_some_and(|key| PLACED.contains(&key.as_str()) && key != "agent")
        };
        if value.members().is_empty() || !value.members().iter().all(is_whole) {
            return false;
        }
        for (key, value) in value.members() {
            self.key(&key.scalar().unwrap_or_default(), key, value);
        }
        true
    }

    fn section(&mut self, name: &str, value: &Node) -> bool {
        let mut said = match (name, &value.value) {
            ("capabilities", Tree::List(_)) => json!({ "core": value.to_json() }),
            ("triggers", Tree::List(_)) => json!({ "keywords": value.to_json() }),
            ("triggers", Tree::Text(_)) => json!({ "keywords": tools::words(value) }),
            (_, Tree::Map(_)) => value.to_json(),
            _ => return false,
        };
        let unknown = schema::take_unknown_of(name, &mut said);
        // A mapping that shares no key with the section is something else of the same name.
        if said.as_object().is_none_or(Map::is_empty) {
            return false;
        }
        if name == "triggers" && !self.patterns(value, &mut said) {
            return false;
        }
        let mut whole = json!({"schema_version": 1, "agent": {"id": "a", "name": "a", "description": "",
            "classification": {"domain": "a", "tier": "a"}}});
        whole[name] = said.clone();
        if let Some((pointer, why)) = schema::faults(&whole).into_iter().next() {
            let at = value.at(pointer.trim_start_matches('/').trim_start_matches(name));
            let (line, column) = (at.line, at.column);
            let problem = Problem::new(self.path, Severity::Warning, "no-fit", format!("{name}: {why}"));
            self.problems
                .push(problem.at(line, column).mend("see docs/agents.md; until then it is kept in x-source"));
            return false;
        }
        for (pointer, unknown) in unknown {
            let key = format!("x{}", pointer.replace('/', "-"));
            let message = format!("{} is not known; it is kept as {key}", &pointer[1..].replace('/', "."));
            self.warn(
                "unknown-key",
                value.at(pointer.trim_start_matches('/').trim_start_matches(name)),
                message,
                "",
            );
            self.said.extra.insert(key, unknown);
        }
        self.said.sections.insert(name.to_owned(), said);
        true
    }

    /// Takes out the expressions that are not safe, or not read alike everywhere, and the globs that are none.
    fn patterns(&mut self, value: &Node, said: &mut Value) -> bool {
        let mut refused = Vec::new();
        if let Some(Value::Array(patterns)) = said.get_mut("regex") {
            for pattern in patterns.iter_mut().filter(|pattern| pattern.is_string()) {
                *pattern = json!({ "pattern": pattern.take() });
            }
            patterns.retain(|pattern| {
                let text = pattern["pattern"].as_str().unwrap_or_default();
                let why = regexes::check(text).err();
                let why = why.map(|why| format!("the expression {text:?} is not used: {why}"));
                refused.extend(why.iter().map(|why| ("regex", pattern.clone(), why.clone())));
                why.is_none()
            });
        }
        if let Some(Value::Array(globs)) = said.get_mut("file_patterns") {
            globs.retain(|glob| {
                let why = glob.as_str().and_then(|text| globset::Glob::new(text).err());
                let why = why.map(|why| format!("the glob is not used: {why}"));
                refused.extend(why.iter().map(|why| ("file_patterns", glob.clone(), why.clone())));
                why.is_none()
            });
        }
        for (field, pattern, why) in refused {
            let code = if field == "regex" { "regex" } else { "glob" };
            self.warn(code, value.at(&format!("/{field}")), why, "write it without, or use keywords");
            let kept = self.said.extra.entry(format!("x-triggers-{field}")).or_insert_with(|| json!([]));
            if let Some(kept) = kept.as_array_mut() {
                kept.push(pattern);
            }
        }
        true
    }
}
