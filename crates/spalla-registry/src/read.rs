//! Reads a definition: YAML by the published schema. What it does not know is kept under `x-` and told; what it refuses is
//! told with line and column.

use crate::definition::{Definition, SCHEMA_VERSION};
use crate::id;
use crate::problem::{Problem, Severity};
use crate::regexes;
use crate::schema;
use serde_json::Value;
use spalla_domain::yaml::{self, Limits, Node};
use std::sync::Arc;

/// The largest definition, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How large the tree of a front matter may become, which no honest file comes near.
pub(crate) const LIMITS: Limits = Limits { nodes: 50_000, depth: 24, aliases: 200 };
/// The same of a definition, which keeps its front matter some levels deeper, and may say a part of it twice.
const DEFINITION_LIMITS: Limits = Limits { nodes: 3 * LIMITS.nodes, depth: LIMITS.depth + 8, ..LIMITS };

/// A definition as it was read, which nobody changes any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub definition: Definition,
    /// The text that it was read from.
    pub raw: Arc<str>,
    /// What is to be said about it; none of it is an error.
    pub problems: Vec<Problem>,
}

/// Reads the text of a definition; `path` is for the problems.
pub fn definition(path: &str, text: &str) -> Result<Loaded, Vec<Problem>> {
    let error = |code, message: String| Problem::new(path, Severity::Error, code, message);
    if text.len() > DEFINITION_BYTES_MAX {
        return Err(vec![error(
            "too-large",
            format!("it has {} bytes; at most {DEFINITION_BYTES_MAX} are read", text.len()),
        )]);
    }
    let node = yaml::parse(text, 1, DEFINITION_LIMITS)
        .map_err(|fault| vec![error("not-yaml", fault.message).at(fault.line, fault.column)])?;
    let mut value = node.to_json();
    check_version(path, &node, &value)?;
    let problems = set_aside(path, &node, &mut value);
    let mut errors: Vec<Problem> = schema::faults(&value)
        .into_iter()
        .map(|(pointer, why)| {
            let at = node.at(&pointer);
            let field = pointer.trim_start_matches('/').replace('/', ".");
            error("schema", if field.is_empty() { why } else { format!("{field}: {why}") })
                .at(at.line, at.column)
        })
        .collect();
    if !errors.is_empty() {
        errors.sort();
        return Err(errors);
    }
    let definition: Definition =
        serde_json::from_value(value).map_err(|wrong| vec![error("schema", wrong.to_string())])?;
    errors.extend(unsafe_parts(path, &node, &definition));
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Loaded { definition, raw: Arc::from(text), problems })
}

fn check_version(path: &str, node: &Node, value: &Value) -> Result<(), Vec<Problem>> {
    let version = &value["schema_version"];
    if version.as_u64() == Some(u64::from(SCHEMA_VERSION)) {
        return Ok(());
    }
    let at = node.at("/schema_version");
    let message = format!("schema_version is {version}; {SCHEMA_VERSION} is read");
    let problem = Problem::new(path, Severity::Error, "version", message).at(at.line, at.column);
    Err(vec![
        problem.mend(format!("write `schema_version: {SCHEMA_VERSION}`, or use the program that wrote it")),
    ])
}

fn set_aside(path: &str, node: &Node, value: &mut Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (pointer, unknown) in schema::take_unknown(value) {
        let key = format!("x{}", pointer.replace('/', "-"));
        let at = node.at(&pointer);
        let message = format!("{} is not known; it is kept as {key}", pointer[1..].replace('/', "."));
        problems.push(Problem::new(path, Severity::Warning, "unknown-key", message).at(at.line, at.column));
        if let Some(members) = value.as_object_mut() {
            members.entry(key).or_insert(unknown);
        }
    }
    problems
}

/// What a schema can't say.
fn unsafe_parts(path: &str, node: &Node, definition: &Definition) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |pointer: &str, code, message: String| {
        let at = node.at(pointer);
        problems.push(Problem::new(path, Severity::Error, code, message).at(at.line, at.column));
    };
    let agent = &definition.agent;
    if !id::is_id(&agent.id) {
        wrong("/agent/id", "id", format!("agent.id {:?} is no id", agent.id));
    }
    let class = &agent.classification;
    for (field, name) in [("domain", Some(&class.domain)), ("subdomain", class.subdomain.as_ref())] {
        if let Some(name) = name.filter(|name| !id::is_folder(name)) {
            let pointer = format!("/agent/classification/{field}");
            wrong(&pointer, "id", format!("agent.classification.{field} {name:?} is no name of a folder"));
        }
    }
    for (place, one) in definition.triggers.regex.iter().enumerate() {
        if let Err(why) = regexes::check(&one.pattern) {
            wrong(
                &format!("/triggers/regex/{place}/pattern"),
                "regex",
                format!("the expression {:?}: {why}", one.pattern),
            );
        }
    }
    for (place, glob) in definition.triggers.file_patterns.iter().enumerate() {
        if let Err(why) = globset::Glob::new(glob) {
            wrong(&format!("/triggers/file_patterns/{place}"), "glob", why.to_string());
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "schema_version: 1\nagent:\n  id: a\n  name: A\n  description: d\n  classification:\n    domain: x\n    tier: specialist\n";

    #[test]
    fn a_plain_definition_is_read_and_keeps_its_text() {
        let loaded = definition("a.yaml", PLAIN).unwrap();
        assert_eq!((loaded.definition.agent.id.as_str(), &*loaded.raw), ("a", PLAIN));
        assert!(loaded.problems.is_empty());
    }

    #[test]
    fn what_is_not_known_is_kept_and_told_with_its_place() {
        let text = format!("{PLAIN}flavour: mild\nruntime:\n  colour: red\n  timeout_ms: 5\nx-own: 1\n");
        let loaded = definition("a.yaml", &text).unwrap();
        let told: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter().any(|told| told.starts_with("a.yaml:11:") && told.contains("x-runtime-colour")),
            "{told:?}"
        );
        let extra = &loaded.definition.extra;
        assert_eq!(extra["x-flavour"], "mild");
        assert_eq!(extra["x-runtime-colour"], "red");
        assert_eq!(extra["x-own"], 1);
        assert_eq!(loaded.definition.runtime.timeout_ms, Some(5));
    }

    #[test]
    fn what_is_refused_is_told_with_its_place() {
        for (more, line, part) in [
            ("runtime:\n  autonomy_level: 2\n", 10, "autonomy_level"),
            ("triggers:\n  keywords: rust\n", 10, "keywords"),
            ("triggers:\n  regex:\n    - pattern: (a+)+\n", 11, "exponential"),
            ("triggers:\n  file_patterns:\n    - \"[\"\n", 11, "glob"),
            ("agent: {}\n", 9, "second time"),
            ("runtime: [\n", 9, "YAML"),
        ] {
            let problems = definition("a.yaml", &format!("{PLAIN}{more}")).unwrap_err();
            assert!(problems[0].to_string().contains(part), "{more}: {}", problems[0]);
            assert!(problems[0].line >= line, "{more}: {}", problems[0]);
        }
        let old = definition("a.yaml", &PLAIN.replace("schema_version: 1", "schema_version: 2")).unwrap_err();
        assert_eq!(old[0].code, "version");
        let path = definition("a.yaml", &PLAIN.replace("id: a", "id: ../a")).unwrap_err();
        assert!(path[0].to_string().starts_with("a.yaml:3:"), "{}", path[0]);
    }
}
