//! Recipes: the tools a work item needs and the steps to execute, from YAML to types that can't be wrong.
//! `infer` finds steps for a work item that has no recipe.

mod check;
pub mod infer;
mod read;
#[cfg(test)]
mod tests;

pub use check::glob;

use crate::work_item::TIMEOUT_MS_MAX;
use crate::yaml::{self, Fault, FaultKind, Limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The longest recipe, in bytes: more than any hand writes, little enough to parse in a request.
pub const RECIPE_BYTES_MAX: usize = 256 * 1024;
/// The most steps of a recipe: each is reported by itself in the run's result.
pub const STEPS_MAX: usize = 200;
/// The most tools of a recipe: each is checked by a process of its own before the first step.
pub const TOOLS_MAX: usize = 100;
/// The most variables of one `env`.
pub const ENV_MAX: usize = 200;
/// The most artifact patterns of one step.
pub const ARTIFACTS_MAX: usize = 100;
/// The most times one step is tried again.
pub const STEP_RETRIES_MAX: u32 = 100;
/// The longest time limit of a step, in milliseconds.
pub const STEP_TIMEOUT_MS_MAX: i64 = TIMEOUT_MS_MAX;
/// The most problems reported of one recipe: nobody mends more at a time.
pub const PROBLEMS_MAX: usize = 50;

/// How large a recipe may become: far above what the other limits let through, far below what would be felt. It needs five levels,
/// and repeats an anchor once per step and tool, and some.
const LIMITS: Limits = Limits { nodes: (STEPS_MAX + TOOLS_MAX) * 1_000, depth: 16, aliases: 1_000 };

/// A recipe that keeps every rule.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recipe {
    /// The tools, in the order of the text.
    pub tools: Vec<Tool>,
    /// The steps; none means that they are inferred.
    pub steps: Vec<Step>,
    /// What is accepted now and will fail later, such as a checksum of the wrong length.
    pub warnings: Vec<RecipeProblem>,
}

/// A program that has to be there before the first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// The program's name, unique in the recipe.
    pub name: String,
    /// The version asked for; `2.15` is met by every `2.15.x`.
    pub version: Option<String>,
    /// The hexadecimal SHA-256 of the program's file, in small letters; of any length, since one of the wrong
    /// length is stored with a warning and fails the tool check.
    pub sha256: Option<String>,
    /// Variables for the steps that `Recipe::tools_of` gives this tool to.
    pub env: BTreeMap<String, String>,
    /// Whether the steps that use it have network.
    pub network: bool,
}

/// One command of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What the shell is given.
    pub run: String,
    /// Variables of this step alone; they win over those of the tools.
    pub env: BTreeMap<String, String>,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// The folder to run in, relative to the workspace and lexically inside it.
    pub cwd: Option<String>,
    /// How many times it is tried again when it fails.
    pub retries: u32,
    /// When it runs.
    pub condition: Condition,
    /// The tools it names; none where it does not say.
    pub uses: Option<Vec<String>>,
    /// Patterns of files to list in the result, relative to the workspace.
    pub artifacts: Vec<String>,
}

/// When a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Condition {
    /// No earlier step failed.
    #[default]
    Success,
    /// An earlier step failed.
    Failure,
    /// In both cases.
    Always,
}

/// Something in a recipe's text that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeProblem {
    /// The line, from 1.
    pub line: u64,
    /// The column in characters, from 1.
    pub column: u64,
    /// What is wrong, with the value, and how to mend it.
    pub message: String,
    /// What may stand there, where it is a closed list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
}

/// Reads a recipe. Answers every problem that it finds, in the order of the text; an empty text is a recipe
/// without tools and steps.
pub fn parse(yaml: &str) -> Result<Recipe, Vec<RecipeProblem>> {
    if yaml.len() > RECIPE_BYTES_MAX {
        let message = format!("the recipe has {} bytes; at most {RECIPE_BYTES_MAX} are kept", yaml.len());
        return Err(vec![RecipeProblem { line: 1, column: 1, message, allowed: Vec::new() }]);
    }
    let tree = yaml::parse(yaml, 1, LIMITS).map_err(|fault| vec![problem_of(fault)])?;
    read::recipe(&tree)
}

fn problem_of(Fault { line, column, message, kind }: Fault) -> RecipeProblem {
    let message = match kind {
        FaultKind::Syntax => message,
        FaultKind::SecondDocument => format!("{message}; a recipe is one document"),
        FaultKind::Limit => "the recipe is too large or too deeply nested".to_owned(),
    };
    RecipeProblem { line, column, message, allowed: Vec::new() }
}

impl Recipe {
    /// Returns the tools that reach a step. A tool that some step names in `uses` reaches only the steps that
    /// name it; any other reaches every step that has no `uses` of its own.
    pub fn tools_of<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a Tool> {
        self.tools.iter().filter(move |tool| match &step.uses {
            Some(names) => names.contains(&tool.name),
            None => !self.is_named(tool),
        })
    }

    /// Returns the variables of a step: those of its tools in their order, then its own.
    pub fn env_of(&self, step: &Step) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        for tool in self.tools_of(step) {
            env.extend(tool.env.clone());
        }
        env.extend(step.env.clone());
        env
    }

    /// Tells whether a step has network: when a tool that reaches it says so.
    pub fn network_of(&self, step: &Step) -> bool {
        self.tools_of(step).any(|tool| tool.network)
    }

    fn is_named(&self, tool: &Tool) -> bool {
        self.steps.iter().any(|step| step.uses.iter().flatten().any(|name| *name == tool.name))
    }
}

impl Step {
    /// Makes a step that gives the shell one line and nothing else.
    pub fn shell(run: impl Into<String>) -> Self {
        Self {
            run: run.into(),
            env: BTreeMap::new(),
            timeout_ms: None,
            cwd: None,
            retries: 0,
            condition: Condition::default(),
            uses: None,
            artifacts: Vec::new(),
        }
    }
}

impl Condition {
    /// Every condition, as it is written.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Always];

    /// Returns the condition as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success()",
            Self::Failure => "failure()",
            Self::Always => "always()",
        }
    }

    /// Tells whether the step runs, given whether an earlier one failed.
    pub const fn holds(self, failed: bool) -> bool {
        match self {
            Self::Success => !failed,
            Self::Failure => failed,
            Self::Always => true,
        }
    }
}

impl fmt::Display for RecipeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        if !self.allowed.is_empty() {
            write!(f, " (allowed: {})", self.allowed.join(", "))?;
        }
        Ok(())
    }
}
