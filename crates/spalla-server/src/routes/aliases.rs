//! Aliases: agents under other names, with some fields of their definitions said otherwise.

use super::agent_definitions::no_agent;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{Params, Wish};
use crate::problem::Problem;
use crate::state::{App, Shared};
use crate::wire::Empty;
use crate::wire::alias::{Alias, NewAlias};
use crate::wire::list::{Listed, list_query};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use serde_json::Value;
use spalla_domain::problem::Code;
use spalla_domain::{Refusal, alias};
use spalla_store::{Command, Reply};
use std::sync::Arc;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(set_alias, list_aliases)).add(routes!(remove_alias))
}

list_query! {
    /// Which aliases are shown.
    AliasesQuery {}
}

/// Gives an agent another name, with some fields of its definition said otherwise
///
/// The agent itself stays as it is. One of the same name is said anew. Work items name an alias as they name an agent; what waits
/// for one is bounded: ten entries for each of its `runtime.concurrency.max_parallel_tasks`.
#[utoipa::path(post, path = "/api/aliases", tag = "agents",
    request_body(content = NewAlias, example = json!({
        "name": "careful-reviewer", "id": "reviewer", "overrides": {"runtime": {"autonomy_level": 0.2}}})),
    responses((status = 201, description = "The new alias.", body = Alias),
        (status = 200, description = "The alias as it is now.", body = Alias)))]
async fn set_alias(State(app): State<App>, wish: Wish<NewAlias>) -> Result<impl IntoResponse, Problem> {
    let NewAlias { name, id, overrides } = wish.body;
    let (name, agent, overrides) = (String::from(name), String::from(id), Value::Object(overrides));
    check_not_configured(&app, &name)?;
    let domain = check(&app, &name, &agent, &overrides).await?;
    let new = alias::NewAlias { name: name.clone(), agent, domain, overrides };
    let is_new = match app.execute(Command::SetAlias(Box::new(new)), wish.key).await? {
        Reply::Alias { is_new, .. } => is_new,
        other => return Err(Problem::unexpected_reply(&other)),
    };
    let kept = app.read_aliases().await?.into_iter().find(|alias| alias.name == name);
    let kept = kept.ok_or_else(|| Problem::not_found("alias", &name))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, [(header::LOCATION, format!("/api/agents/{name}"))], Json(Alias::from(kept))))
}

/// Looks whether the agent is there and what is said otherwise fits; returns the agent's domain.
async fn check(app: &Shared, name: &str, agent: &str, overrides: &Value) -> Result<Option<String>, Problem> {
    let registry = Arc::clone(&app.definitions.registry);
    let (alias, id, said) = (name.to_owned(), agent.to_owned(), overrides.clone());
    let checked = tokio::task::spawn_blocking(move || {
        let snapshot = registry.snapshot();
        if snapshot.entry(&alias).is_some() {
            return Err(Problem::invalid("name", format!("an agent has the id {alias:?}")));
        }
        let base = registry
            .definition_of_id(&id)
            .map_err(|missing| no_agent(&missing, snapshot.trial(&id)).naming("id"))?;
        spalla_registry::alias::apply(&base.definition, &alias, &said)
            .map_err(|why| Problem::invalid("overrides", why).naming_one_of(&["overrides", "name"]))?;
        Ok(Some(base.definition.agent.classification.domain.clone()))
    });
    checked.await.map_err(|_| Problem::internal())?
}

fn check_not_configured(app: &Shared, name: &str) -> Result<(), Problem> {
    if app.definitions.configured.contains_key(name) {
        let detail = format!("the alias {name:?} stands in the server's settings");
        return Err(Refusal::new(Code::AliasConfigured, detail).mend("change [alias] there").into());
    }
    Ok(())
}

/// Lists the aliases, those of the settings first, and why each can't be used where that is so
#[utoipa::path(get, path = "/api/aliases", tag = "agents", params(AliasesQuery),
    responses((status = 200, description = "The aliases.", body = Vec<Alias>)))]
async fn list_aliases(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<AliasesQuery>,
) -> Result<Listed<Alias>, Problem> {
    let paging = query.paging().by_offset();
    let kept = app.read_aliases().await?;
    let configured = &app.definitions.configured;
    let own = configured.iter().map(|(name, alias)| Alias::configured(name, alias));
    let others = kept.into_iter().filter(|alias| !configured.contains_key(&alias.name)).map(Alias::from);
    let all: Vec<Alias> = own.chain(others).collect();
    let total = paging.count.then_some(all.len() as u64);
    let (offset, limit) = (paging.page.offset as usize, paging.page.limit as usize);
    let mut page: Vec<Alias> = all.into_iter().skip(offset).take(limit).collect();
    let registry = Arc::clone(&app.definitions.registry);
    let looked = tokio::task::spawn_blocking(move || {
        for alias in &mut page {
            alias.problem = registry.definition(&alias.name).err().map(|missing| missing.to_string());
        }
        page
    });
    let page = looked.await.map_err(|_| Problem::internal())?;
    let last = (!page.is_empty()).then_some(0);
    Ok(Listed::new(page, last, &uri, paging, total))
}

/// Removes an alias; work items that were made for it keep what they began with
#[utoipa::path(delete, path = "/api/aliases/{name}", tag = "agents",
    params(("name" = String, Path, description = "Its name.")),
    responses((status = 204, description = "It is gone.")))]
async fn remove_alias(
    State(app): State<App>,
    Path(name): Path<String>,
    wish: Wish<Empty>,
) -> Result<StatusCode, Problem> {
    check_not_configured(&app, &name)?;
    app.execute(Command::RemoveAlias { name }, wish.key).await?;
    app.read_aliases().await?;
    Ok(StatusCode::NO_CONTENT)
}
