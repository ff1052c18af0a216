//! A plan that a person, or a model, wrote: strict JSON. Everything that is wrong with it is said at once.

use super::wishes::{Group, OnError, PieceExecutor, Retry, Wishes};
use super::{ITEMS_MAX, Part, Plan, PlanItem, shortened, title_of};
use crate::work_item::TIMEOUT_MS_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The longest plan, in bytes.
pub const PLAN_BYTES_MAX: usize = 1024 * 1024;
/// The longest key, in characters.
const KEY_CHARS_MAX: usize = 64;
/// What may be said for a role, and the agent that takes it.
const ROLES: [(&str, &str); 6] = [
    ("architecture", "gemini"),
    ("design", "gemini"),
    ("implementation", "claude"),
    ("problem-solving", "codex"),
    ("review", "codex"),
    ("survey", "surveyor"),
];

/// The shape of a plan as JSON Schema, for planners that can be held to one: the members that a planner fills in.
pub const SCHEMA: &str = r#"{"type":"object","properties":{"items":{"type":"array","minItems":1,"maxItems":100,"items":{"type":"object","properties":{"key":{"type":"string"},"title":{"type":"string"},"prompt":{"type":"string"},"depends_on":{"type":"array","items":{"type":"string"}},"acceptance":{"type":"string"}},"required":["key","title","prompt","depends_on","acceptance"],"additionalProperties":false}}},"required":["items"],"additionalProperties":false}"#;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    items: Vec<Item>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    prompt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acceptance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    executor: Option<PieceExecutor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimated_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    critical: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<Retry>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Group>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_error: Option<OnError>,
}

/// Reads a plan. `agents` are those that may be named.
pub fn read(text: &str, agents: &[String]) -> Result<Plan, Vec<String>> {
    if text.len() > PLAN_BYTES_MAX {
        return Err(vec![format!("the plan has {} bytes; at most {PLAN_BYTES_MAX} are read", text.len())]);
    }
    let file: File = serde_json::from_str(text).map_err(|error| vec![error.to_string()])?;
    let mut wrong = Vec::new();
    if file.items.is_empty() {
        wrong.push("items is empty; a plan has at least one".to_owned());
    }
    if file.items.len() > ITEMS_MAX {
        wrong.push(format!("{} items; a plan has at most {ITEMS_MAX}", file.items.len()));
    }
    let keys: BTreeSet<&str> = file.items.iter().map(|item| item.key.as_str()).collect();
    let mut seen = BTreeSet::new();
    for item in &file.items {
        item.check(&keys, agents, &mut wrong);
        if !seen.insert(item.key.as_str()) {
            wrong.push(format!("the key {:?} is there twice", item.key));
        }
    }
    if let Some(round) = circle(&file.items) {
        wrong.push(format!("these wait for each other: {}", round.join(", ")));
    }
    if wrong.is_empty() {
        Ok(Plan { items: file.items.into_iter().map(Item::done).collect() })
    } else {
        Err(wrong)
    }
}

/// Writes a plan as it is read.
pub fn written(plan: &Plan) -> String {
    let items = plan.items.iter().cloned().map(Item::from).collect();
    serde_json::to_string_pretty(&File { items }).unwrap_or_default()
}

impl Item {
    fn check(&self, keys: &BTreeSet<&str>, agents: &[String], wrong: &mut Vec<String>) {
        let key = &self.key;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || !key.chars().all(is_plain) {
            wrong.push(format!("the key {key:?} is not of up to {KEY_CHARS_MAX} letters, digits, - and _"));
        }
        if self.prompt.trim().is_empty() {
            wrong.push(format!("{key}: prompt is empty"));
        }
        for before in self.depends_on.iter().filter(|before| !keys.contains(before.as_str())) {
            wrong.push(format!("{key}: depends_on names {before:?}, which is not in the plan"));
        }
        if let Some(agent) = self.agent.as_ref().filter(|agent| !agents.contains(agent)) {
            wrong.push(format!(
                "{key}: there is no agent {agent:?} in this session; it has {}",
                agents.join(", ")
            ));
        }
        if let Some(role) = self.role.as_ref().filter(|role| ROLES.iter().all(|(known, _)| known != role)) {
            let known: Vec<&str> = ROLES.iter().map(|(role, _)| *role).collect();
            wrong.push(format!("{key}: there is no role {role:?}; there are {}", known.join(", ")));
        }
        let most = TIMEOUT_MS_MAX as f64 / 1e3;
        if self.timeout_seconds.is_some_and(|seconds| !(seconds > 0.0 && seconds <= most)) {
            wrong.push(format!("{key}: timeout_seconds is above 0 and at most 30 days"));
        }
        let mut of_wishes = Vec::new();
        self.wishes().check(&mut of_wishes);
        wrong.extend(of_wishes.into_iter().map(|what| format!("{key}: {what}")));
        if self.executor == Some(PieceExecutor::Recipe) {
            let problems = crate::recipe::parse(&self.prompt).err().unwrap_or_default();
            wrong.extend(problems.iter().map(|problem| format!("{key}: the prompt is no recipe: {problem}")));
        }
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            executor: self.executor,
            category: self.category.clone(),
            estimated_tokens: self.estimated_tokens,
            critical: self.critical,
            retry: self.retry,
            parameters: self.parameters.clone(),
            group: self.group.clone(),
            validator: self.validator.clone(),
            on_error: self.on_error,
            policy: None,
        }
    }

    fn done(self) -> PlanItem {
        let by_role = || {
            let role = self.role.as_ref()?;
            ROLES.iter().find(|(known, _)| known == role).map(|(_, agent)| (*agent).to_owned())
        };
        let wishes = self.wishes();
        PlanItem {
            why: None,
            wishes,
            part: Part::default(),
            title: self
                .title
                .as_ref()
                .map_or_else(|| title_of(&self.prompt), |title| shortened(title.trim(), super::TITLE_CHARS)),
            agent: self.agent.clone().or_else(by_role),
            key: self.key,
            prompt: self.prompt,
            depends_on: self.depends_on,
            acceptance: self.acceptance,
            timeout_ms: self.timeout_seconds.map(|seconds| (seconds * 1e3).round() as i64),
        }
    }
}

impl From<PlanItem> for Item {
    fn from(item: PlanItem) -> Self {
        let Wishes {
            executor,
            category,
            estimated_tokens,
            critical,
            retry,
            parameters,
            group,
            validator,
            on_error,
            policy,
        } = item.wishes;
        let definition = policy.map(|policy| policy.name().to_owned());
        Self {
            key: item.key,
            title: Some(item.title),
            prompt: item.prompt,
            role: None,
            agent: item.agent.or(definition),
            depends_on: item.depends_on,
            acceptance: item.acceptance,
            timeout_seconds: item.timeout_ms.map(|ms| ms as f64 / 1e3),
            executor,
            category,
            estimated_tokens,
            critical,
            retry,
            parameters,
            group,
            validator,
            on_error,
        }
    }
}

/// Returns items that wait for each other; none where every one can be done.
fn circle(items: &[Item]) -> Option<Vec<String>> {
    let mut waits: BTreeMap<&str, BTreeSet<&str>> = items
        .iter()
        .map(|item| (item.key.as_str(), item.depends_on.iter().map(String::as_str).collect()))
        .collect();
    loop {
        let free: Vec<&str> = waits.iter().filter(|(_, on)| on.is_empty()).map(|(key, _)| *key).collect();
        if free.is_empty() {
            break;
        }
        for key in free {
            waits.remove(key);
            for on in waits.values_mut() {
                on.remove(key);
            }
        }
    }
    let known: BTreeSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
    // What waits for something that is not there is told already.
    let round: Vec<String> = waits
        .iter()
        .filter(|(_, on)| on.iter().all(|key| known.contains(key)))
        .map(|(key, _)| (*key).to_owned())
        .collect();
    (!round.is_empty()).then_some(round)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        read(text, &["codex".into()]).unwrap_err().join("; ")
    }

    #[test]
    fn a_plan_is_read_with_roles_and_dependencies() {
        let plan = read(
            r#"{"items": [
                {"key": "a", "prompt": "Do a", "agent": "codex", "timeout_seconds": 1.5},
                {"key": "b", "title": "B", "prompt": "Do b", "role": "implementation", "depends_on": ["a"], "acceptance": "x"}
            ]}"#,
            &["codex".into()],
        )
        .unwrap();
        let [a, b] = &plan.items[..] else { panic!("{plan:?}") };
        assert_eq!(
            (a.title.as_str(), a.agent.as_deref(), a.timeout_ms),
            ("Do a", Some("codex"), Some(1_500))
        );
        assert_eq!(
            (b.title.as_str(), b.agent.as_deref(), &b.depends_on),
            ("B", Some("claude"), &vec!["a".to_owned()])
        );
    }

    #[test]
    fn a_plan_is_written_as_it_is_read() {
        let text = r#"{"items": [
            {"key": "a", "prompt": "steps: [make]", "executor": "recipe", "category": "build", "critical": false},
            {"key": "b", "title": "B", "prompt": "Do b", "agent": "codex", "depends_on": ["a"], "acceptance": "x",
             "timeout_seconds": 1.5, "estimated_tokens": 900, "parameters": {"port": 8080}, "validator": "make check",
             "retry": {"attempts": 3, "backoff": "fixed", "base_ms": 100}, "on_error": "stop",
             "group": {"name": "g", "concurrency": 2, "resource_limits": {"memory_mb": 512}}}
        ]}"#;
        let plan = read(text, &["codex".into()]).unwrap();
        assert_eq!(read(&written(&plan), &["codex".into()]).unwrap(), plan);
        assert!(
            wrong(r#"{"items": [{"key": "a", "prompt": "steps: 3", "executor": "recipe"}]}"#)
                .contains("no recipe")
        );
        assert!(
            wrong(r#"{"items": [{"key": "a", "prompt": "x", "retry": {"attempts": 99}}]}"#)
                .contains("a: retry")
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let said = wrong(
            r#"{"items": [
                {"key": "a b", "prompt": " ", "agent": "clod", "role": "boss", "timeout_seconds": 0},
                {"key": "c", "prompt": "x", "depends_on": ["none"]},
                {"key": "c", "prompt": "x"}
            ]}"#,
        );
        for part in ["\"a b\"", "prompt is empty", "clod", "boss", "timeout_seconds", "\"none\"", "twice"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(wrong("{\"items\": []}").contains("at least one"));
        assert!(wrong("{\"items\": [], \"colour\": 1}").contains("colour"));
        assert!(wrong("[").contains("EOF"));
        assert!(wrong(&" ".repeat(PLAN_BYTES_MAX + 1)).contains("bytes"));
    }

    #[test]
    fn items_that_wait_for_each_other_are_named() {
        let item =
            |key: &str, on: &str| format!(r#"{{"key": "{key}", "prompt": "x", "depends_on": ["{on}"]}}"#);
        let text = format!("{{\"items\": [{}, {}, {}]}}", item("a", "b"), item("b", "a"), item("c", "a"));
        assert!(wrong(&text).contains("wait for each other: a, b"), "{}", wrong(&text));
    }
}
