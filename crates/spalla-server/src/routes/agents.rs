//! What agents do just now.

use crate::access::Reach;
use crate::agents::observe;
use crate::api::Api;
use crate::api::routes;
use crate::extract::Params;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::agent::AgentState;
use crate::wire::number::IdNumber;
use crate::wire::text::Needle;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use spalla_domain::ProjectId;
use spalla_domain::access::{Action, Resource};
use spalla_domain::agent_state::AgentStates;
use spalla_store::view::PoolView;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// How many of an agent's newest runs are looked at for what came of them.
const RUNS_SEEN: u32 = 50;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_agent_states))
}

/// Which agents are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AgentsQuery {
    /// Of this project.
    #[param(inline)]
    project_id: Option<IdNumber>,
    /// The one of this name.
    #[param(inline)]
    agent: Option<Needle>,
}

/// Shows what the agents do that were ever given something to do, in each project, by name
///
/// A change is an event, `agent.state_changed`, with what was before and what is now.
#[utoipa::path(get, path = "/api/agents/state", tag = "observability", params(AgentsQuery),
    responses((status = 200, description = "The agents.", body = Vec<AgentState>)))]
async fn list_agent_states(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<AgentsQuery>,
) -> Result<Json<Vec<AgentState>>, Problem> {
    let mut observed = vec![];
    let named = query.agent.map(String::from);
    for project_id in reach.each(query.project_id.map(|id| ProjectId(id.get()))) {
        observed.extend(observe(&app, project_id, named.clone()).await?);
    }
    let sees_pools = reach.may(Resource::Worker, Action::Read) && !observed.is_empty();
    let pools: BTreeMap<String, PoolView> = match sees_pools {
        false => BTreeMap::new(),
        true => {
            let supply = app.read().supply(app.now()).await?;
            supply.pools.into_iter().map(|pool| (pool.name.clone(), pool)).collect()
        }
    };
    let mut kept = BTreeMap::<ProjectId, Option<AgentStates>>::new();
    let mut shown = Vec::with_capacity(observed.len());
    for observed in observed {
        let project_id = observed.view.project_id;
        if let std::collections::btree_map::Entry::Vacant(vacant) = kept.entry(project_id) {
            vacant.insert(app.kept(project_id.0).await?);
        }
        let known = kept.get(&project_id).and_then(Option::as_ref);
        let known = known.and_then(|states| states.agents.get(&observed.view.agent));
        let since = known.filter(|known| known.state == observed.state).map(|known| known.since);
        let pool = pools.get(&observed.view.agent).or_else(|| pools.get("*"));
        let runs = app.read().agent_outcomes(project_id, observed.view.agent.clone(), RUNS_SEEN).await?;
        shown.push(AgentState::new(observed, &runs, since, pool));
    }
    Ok(Json(shown))
}
