//! Recipes on the wire.

use super::Body;
use super::problem::FieldProblem;
use super::text::Prose;
use crate::problem::Problem;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use spalla_domain::WorkItemId;
use spalla_domain::problem::Code;
use spalla_domain::recipe::{self, RecipeProblem};
use utoipa::ToSchema;

/// A recipe to be set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecipeBody {
    /// Tools and steps, as YAML.
    #[schema(inline)]
    pub(crate) yaml: Prose,
}

impl Body for RecipeBody {}

/// The recipe of a work item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ToolRecipe {
    /// Whose it is.
    work_item_id: i64,
    /// Tools and steps, as they were written.
    yaml: String,
    /// The names of the tools, in their order.
    tools: Vec<String>,
    /// The commands of the steps, in their order.
    steps: Vec<String>,
    /// What is accepted now and will fail later.
    warnings: Vec<FieldProblem>,
}

impl ToolRecipe {
    /// Shows a kept recipe, which was checked when it came in.
    pub(crate) fn new(work_item_id: WorkItemId, yaml: String) -> Self {
        let recipe = recipe::parse(&yaml).unwrap_or_default();
        Self {
            work_item_id: work_item_id.0,
            yaml,
            tools: recipe.tools.into_iter().map(|tool| tool.name).collect(),
            steps: recipe.steps.into_iter().map(|step| step.run).collect(),
            warnings: recipe.warnings.into_iter().map(|warning| place(warning, "yaml")).collect(),
        }
    }
}

/// Refuses a recipe that breaks a rule, with every place; `path` is the member that holds it.
pub(crate) fn check(yaml: &str, path: &str) -> Result<(), Problem> {
    let Err(problems) = recipe::parse(yaml) else { return Ok(()) };
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    let detail = match problems.len() {
        0 | 1 => format!("the recipe is not valid: {first}"),
        n => format!("the recipe is not valid in {n} places; the first: {first}"),
    };
    let errors = problems.into_iter().map(|problem| place(problem, path)).collect();
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidRecipe.as_str(), detail)
        .mend("mend the recipe there")
        .errors(errors))
}

fn place(problem: RecipeProblem, path: &str) -> FieldProblem {
    FieldProblem {
        line: Some(problem.line),
        column: Some(problem.column),
        path: Some(path.to_owned()),
        message: problem.message,
        allowed: problem.allowed,
    }
}

/// Says that an item has no recipe.
pub(crate) fn none(id: WorkItemId) -> Problem {
    let detail = format!("work item {id} has no recipe; its steps are inferred when it runs");
    Problem::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), detail)
        .mend(format!("set one: POST /work-items/{id}/tool-recipe"))
}
