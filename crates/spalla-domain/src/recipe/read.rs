//! From the YAML tree to a recipe. Goes on after a problem, so that one look shows them all.

use super::{
    ARTIFACTS_MAX, Condition, ENV_MAX, PROBLEMS_MAX, Recipe, RecipeProblem, STEP_RETRIES_MAX,
    STEP_TIMEOUT_MS_MAX, STEPS_MAX, Step, TOOLS_MAX, Tool, check,
};
use crate::yaml::{Node, Tree};
use std::collections::BTreeMap;

const RECIPE_KEYS: [&str; 2] = ["tools", "steps"];
const TOOL_KEYS: [&str; 5] = ["name", "version", "checksum", "env", "network"];
const STEP_KEYS: [&str; 8] = ["run", "env", "timeout", "cwd", "retries", "if", "uses", "artifacts"];

/// Reads the whole recipe.
pub(super) fn recipe(root: &Node) -> Result<Recipe, Vec<RecipeProblem>> {
    let mut reader = Reader::default();
    let mut tools = Vec::new();
    let mut steps = Vec::new();
    if !matches!(root.value, Tree::Null)
        && let Some(fields) = reader.fields(root, "a recipe", &RECIPE_KEYS)
    {
        tools = fields.get("tools").map(|node| reader.tools(node)).unwrap_or_default();
        steps = fields.get("steps").map(|node| reader.steps(node, &tools)).unwrap_or_default();
    }
    reader.problems.sort_by_key(|p| (p.line, p.column));
    reader.problems.truncate(PROBLEMS_MAX);
    if reader.problems.is_empty() {
        Ok(Recipe { tools, steps, warnings: reader.warnings })
    } else {
        Err(reader.problems)
    }
}

/// The values of a mapping whose keys are known.
struct Fields<'a>(Vec<(&'a str, &'a Node)>);

impl<'a> Fields<'a> {
    fn get(&self, key: &str) -> Option<&'a Node> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, node)| *node)
    }
}

#[derive(Default)]
struct Reader {
    problems: Vec<RecipeProblem>,
    warnings: Vec<RecipeProblem>,
}

impl Reader {
    fn problem(&mut self, at: &Node, message: impl Into<String>) {
        self.problem_allowing(at, message, &[]);
    }

    fn problem_allowing(&mut self, at: &Node, message: impl Into<String>, allowed: &[&str]) {
        self.problems.push(problem_at(at, message.into(), allowed));
    }

    fn wrong_type(&mut self, at: &Node, what: &str, expected: &str) {
        self.problem(at, format!("{what} is {}; it has to be {expected}", at.kind()));
    }

    fn fields<'a>(&mut self, node: &'a Node, what: &str, allowed: &[&str]) -> Option<Fields<'a>> {
        let Tree::Map(pairs) = &node.value else {
            self.wrong_type(node, what, &format!("a mapping with the keys {}", allowed.join(", ")));
            return None;
        };
        let mut fields = Vec::new();
        for (key, value) in pairs {
            match key.text() {
                Some(name) if allowed.contains(&name) => fields.push((name, value)),
                name => self.unknown_key(key, name.unwrap_or(key.kind()), what, allowed),
            }
        }
        Some(Fields(fields))
    }

    fn unknown_key(&mut self, key: &Node, name: &str, what: &str, allowed: &[&str]) {
        let meant = check::meant(name, allowed).map(|m| format!("; did you mean {m:?}?")).unwrap_or_default();
        self.problem_allowing(key, format!("{what} has no key {name:?}{meant}"), allowed);
    }

    fn items<'a>(&mut self, node: &'a Node, what: &str, max: usize) -> &'a [Node] {
        match &node.value {
            Tree::List(items) if items.len() <= max => items,
            Tree::List(items) => {
                self.problem(node, format!("{what} has {} entries; at most {max} are allowed", items.len()));
                &[]
            }
            Tree::Null => {
                self.problem(node, format!("{what} says nothing; write a list, or leave the key out"));
                &[]
            }
            _ => {
                self.wrong_type(node, what, "a list");
                &[]
            }
        }
    }

    /// Reads any scalar as the text that was written.
    fn scalar(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = node.text().map(str::to_owned);
        match &text {
            None if matches!(node.value, Tree::Null) => {
                self.problem(node, format!("{what} says nothing; write \"\" for an empty text"));
            }
            None => self.wrong_type(node, what, "text"),
            Some(_) => {}
        }
        text
    }

    /// Reads a scalar and holds it against a rule.
    fn checked(&mut self, node: &Node, what: &str, rule: fn(&str) -> Result<(), String>) -> Option<String> {
        let text = self.scalar(node, what)?;
        match rule(&text) {
            Ok(()) => Some(text),
            Err(message) => {
                self.problem(node, format!("{what}: {message}"));
                None
            }
        }
    }

    fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Tree::Bool { yes, .. } = node.value {
            return Some(yes);
        }
        self.problem_allowing(
            node,
            format!("{what} is {}; it has to be true or false", node.kind()),
            &["true", "false"],
        );
        None
    }

    fn env(&mut self, node: &Node) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        let Tree::Map(pairs) = &node.value else {
            self.wrong_type(node, "env", "a mapping of variable names to values");
            return env;
        };
        if pairs.len() > ENV_MAX {
            self.problem(node, format!("env has {} variables; at most {ENV_MAX} are allowed", pairs.len()));
            return env;
        }
        for (key, value) in pairs {
            let name = self.checked(key, "env", check::env_name);
            let what = format!("env {}", name.as_deref().unwrap_or("value"));
            let text = self.checked(value, &what, check::no_nul);
            if let (Some(name), Some(text)) = (name, text) {
                env.insert(name, text);
            }
        }
        env
    }
}

/// Tools.
impl Reader {
    fn tools(&mut self, node: &Node) -> Vec<Tool> {
        let mut tools: Vec<Tool> = Vec::new();
        let mut places: BTreeMap<String, u64> = BTreeMap::new();
        for item in self.items(node, "tools", TOOLS_MAX) {
            let Some(tool) = self.tool(item) else { continue };
            if let Some(line) = places.insert(tool.name.clone(), item.line) {
                let message =
                    format!("the tool {:?} is declared twice; it stands in line {line} already", tool.name);
                self.problem(item, message);
            }
            tools.push(tool);
        }
        tools
    }

    fn tool(&mut self, node: &Node) -> Option<Tool> {
        let fields = self.fields(node, "a tool", &TOOL_KEYS)?;
        let version = fields.get("version").and_then(|n| self.checked(n, "version", check::version));
        let sha256 = fields.get("checksum").and_then(|n| self.checksum(n));
        let env = fields.get("env").map(|n| self.env(n)).unwrap_or_default();
        let network = fields.get("network").and_then(|n| self.boolean(n, "network")).unwrap_or_default();
        let Some(name) = fields.get("name") else {
            self.problem(node, "a tool has to have a name, such as {name: kubectl}");
            return None;
        };
        let name = self.checked(name, "name", check::tool_name)?;
        Some(Tool { name, version, sha256, env, network })
    }

    fn checksum(&mut self, node: &Node) -> Option<String> {
        let text = self.scalar(node, "checksum")?;
        match check::checksum(&text) {
            Ok(checksum) => {
                self.warnings.extend(checksum.warning.map(|message| problem_at(node, message, &[])));
                Some(checksum.sha256)
            }
            Err(message) => {
                self.problem(node, format!("checksum: {message}"));
                None
            }
        }
    }
}

/// Steps.
impl Reader {
    fn steps(&mut self, node: &Node, tools: &[Tool]) -> Vec<Step> {
        let items = self.items(node, "steps", STEPS_MAX);
        items.iter().filter_map(|item| self.step(item, tools)).collect()
    }

    fn step(&mut self, node: &Node, tools: &[Tool]) -> Option<Step> {
        if node.text().is_some() {
            return self.command(node).map(Step::shell);
        }
        if !matches!(node.value, Tree::Map(_)) {
            self.wrong_type(node, "a step", "a command, or a mapping with the key run");
            return None;
        }
        let fields = self.fields(node, "a step", &STEP_KEYS)?;
        let mut step = Step::shell(String::new());
        step.env = fields.get("env").map(|n| self.env(n)).unwrap_or_default();
        step.timeout_ms = fields.get("timeout").and_then(|n| self.timeout_ms(n));
        step.cwd = fields.get("cwd").and_then(|n| self.checked(n, "cwd", check::inside));
        step.retries = fields.get("retries").and_then(|n| self.retries(n)).unwrap_or_default();
        step.condition = fields.get("if").and_then(|n| self.condition(n)).unwrap_or_default();
        step.uses = fields.get("uses").map(|n| self.uses(n, tools));
        step.artifacts = fields.get("artifacts").map(|n| self.artifacts(n)).unwrap_or_default();
        let Some(run) = fields.get("run") else {
            self.problem(node, "a step has to say what to run, such as {run: make test}");
            return None;
        };
        step.run = self.command(run)?;
        Some(step)
    }

    fn command(&mut self, node: &Node) -> Option<String> {
        let run = self.checked(node, "run", check::no_nul)?;
        if run.trim().is_empty() {
            self.problem(node, "run is empty; write the command, or leave the step out");
            return None;
        }
        Some(run)
    }

    fn timeout_ms(&mut self, node: &Node) -> Option<i64> {
        let Tree::Number { number, .. } = &node.value else {
            self.wrong_type(node, "timeout", "a number of seconds");
            return None;
        };
        let value = number.as_f64().unwrap_or_default();
        if value > 0.0 && value * 1e3 <= STEP_TIMEOUT_MS_MAX as f64 {
            return Some(((value * 1e3).round() as i64).max(1));
        }
        let most = STEP_TIMEOUT_MS_MAX / 1_000;
        self.problem(node, format!("timeout is {value}; it is in seconds, above 0 and at most {most}"));
        None
    }

    fn retries(&mut self, node: &Node) -> Option<u32> {
        let fits = |value: f64| value.fract() == 0.0 && (0.0..=f64::from(STEP_RETRIES_MAX)).contains(&value);
        let number = match &node.value {
            Tree::Number { number, .. } => number.as_f64(),
            _ => None,
        };
        match number {
            Some(value) if fits(value) => Some(value as u32),
            Some(value) => {
                self.problem(
                    node,
                    format!("retries is {value}; it is a whole number from 0 to {STEP_RETRIES_MAX}"),
                );
                None
            }
            _ => {
                self.wrong_type(node, "retries", "a whole number");
                None
            }
        }
    }

    fn condition(&mut self, node: &Node) -> Option<Condition> {
        let text = self.scalar(node, "if")?;
        let found = Condition::ALL.into_iter().find(|c| c.as_str() == text.trim());
        if found.is_none() {
            let allowed = Condition::ALL.map(Condition::as_str);
            let meant =
                check::meant(&text, &allowed).map(|m| format!("; did you mean {m}?")).unwrap_or_default();
            self.problem_allowing(node, format!("if: {text:?} is no condition{meant}"), &allowed);
        }
        found
    }

    fn uses(&mut self, node: &Node, tools: &[Tool]) -> Vec<String> {
        let declared: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        let mut names = Vec::new();
        for item in self.items(node, "uses", TOOLS_MAX) {
            let Some(name) = self.scalar(item, "uses") else {
                continue;
            };
            if declared.contains(&name.as_str()) {
                names.push(name);
                continue;
            }
            let meant = check::meant(&name, &declared).map(|m| format!("; did you mean {m:?}?"));
            let mend = meant.unwrap_or_else(|| "; declare it under tools".into());
            self.problem_allowing(
                item,
                format!("uses names the tool {name:?}, which is not declared{mend}"),
                &declared,
            );
        }
        names
    }

    fn artifacts(&mut self, node: &Node) -> Vec<String> {
        let items = self.items(node, "artifacts", ARTIFACTS_MAX);
        items.iter().filter_map(|item| self.checked(item, "artifacts", check::pattern)).collect()
    }
}

fn problem_at(at: &Node, message: String, allowed: &[&str]) -> RecipeProblem {
    let allowed = allowed.iter().map(|&word| word.to_owned()).collect();
    RecipeProblem { line: at.line, column: at.column, message, allowed }
}
