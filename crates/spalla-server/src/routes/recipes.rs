//! The recipe of a work item.

use super::work_items::find;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::number::IdInPath;
use crate::wire::recipe::{self, RecipeBody, ToolRecipe};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use spalla_domain::WorkItemId;
use spalla_domain::work_item::{Policy, SpecPatch};
use spalla_store::Command;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(set_recipe, get_recipe))
}

/// Sets the tools and steps of a work item
#[utoipa::path(post, path = "/work-items/{id}/tool-recipe", tag = "work items", params(IdInPath),
    request_body = RecipeBody, responses((status = 201, description = "The recipe.", body = ToolRecipe)))]
async fn set_recipe(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    wish: Wish<RecipeBody>,
) -> Result<impl IntoResponse, Problem> {
    let yaml = String::from(wish.body.yaml);
    recipe::check(&yaml, "yaml")?;
    let patch = Box::new(SpecPatch { recipe: Some(Some(yaml.clone())), ..SpecPatch::default() });
    app.execute(Command::UpdateWorkItem { id, patch, policy: Policy::default() }, wish.key).await?;
    let location = [(header::LOCATION, format!("/work-items/{id}/tool-recipe"))];
    Ok((StatusCode::CREATED, location, Json(ToolRecipe::new(id, yaml))))
}

/// Shows the tools and steps of a work item
#[utoipa::path(get, path = "/work-items/{id}/tool-recipe", tag = "work items", params(IdInPath),
    responses((status = 200, description = "The recipe.", body = ToolRecipe)))]
async fn get_recipe(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    _: Params<NoParams>,
) -> Result<Json<ToolRecipe>, Problem> {
    let recipe = find(&app, id).await?.item.spec.recipe.ok_or_else(|| recipe::none(id))?;
    Ok(Json(ToolRecipe::new(id, recipe)))
}
