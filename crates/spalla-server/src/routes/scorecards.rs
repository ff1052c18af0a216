//! The measured records of agents.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::documents::Which;
use crate::extract::Params;
use crate::problem::Problem;
use crate::state::{App, Shared};
use crate::wire::number::IdNumber;
use crate::wire::scorecard::{Scorecard, TriggerScorecard};
use crate::wire::text::Needle;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use spalla_domain::ProjectId;
use spalla_domain::scorecard::{Scorecard as Card, Scorecards};
use spalla_store::view::Page;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// How many projects are read at once.
const AT_ONCE: u32 = 100;

/// Adds the route.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_scorecards))
}

/// Whose records are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ScorecardsQuery {
    /// Of this project alone; of all together without.
    #[param(inline)]
    project_id: Option<IdNumber>,
    /// The one of this name.
    #[param(inline)]
    agent: Option<Needle>,
}

/// The measured records of agents.
#[derive(Debug, Serialize, ToSchema)]
struct ScorecardsBody {
    /// Of each agent, by name.
    agents: Vec<Scorecard>,
    /// Of each way that led work to an agent.
    triggers: Vec<TriggerScorecard>,
}

/// Shows how the runs of agents went: how often they succeeded, how long they took, what they cost
///
/// A run counts 1 when it ends and half after a week. Quantiles are told to a twentieth.
#[utoipa::path(get, path = "/api/scorecards", tag = "observability", params(ScorecardsQuery),
    responses((status = 200, description = "The records.", body = ScorecardsBody)))]
async fn list_scorecards(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<ScorecardsQuery>,
) -> Result<Json<ScorecardsBody>, Problem> {
    let wanted = query.agent.map(String::from);
    let is_wanted = |agent: &str| wanted.as_ref().is_none_or(|wanted| wanted == agent);
    let (mut agents, mut triggers) = (BTreeMap::<String, Card>::new(), BTreeMap::<String, Card>::new());
    for cards in app.scorecards(&reach, query.project_id.map(|id| ProjectId(id.get()))).await? {
        for (name, card) in cards.agents.into_iter().filter(|(name, _)| is_wanted(name)) {
            add_to(&mut agents, name, card, &app);
        }
        let of_wanted = |name: &str| name.rsplit_once(" → ").is_some_and(|(_, agent)| is_wanted(agent));
        for (name, card) in cards.triggers.into_iter().filter(|(name, _)| of_wanted(name)) {
            add_to(&mut triggers, name, card, &app);
        }
    }
    let agents = agents.into_iter().map(|(name, card)| Scorecard::new(name, &card)).collect();
    let triggers = triggers.into_iter().map(|(name, card)| TriggerScorecard::new(&name, &card)).collect();
    Ok(Json(ScorecardsBody { agents, triggers }))
}

fn add_to(all: &mut BTreeMap<String, Card>, name: String, mut card: Card, app: &App) {
    card.fade(app.now());
    match all.get_mut(&name) {
        Some(known) => known.join(&card),
        None => {
            all.insert(name, card);
        }
    }
}

impl Shared {
    /// Reads the records of the projects that somebody may see.
    async fn scorecards(&self, reach: &Reach, only: Option<ProjectId>) -> Result<Vec<Scorecards>, Problem> {
        let mut found = Vec::new();
        for project in reach.each(only) {
            match project {
                Some(project) => found.extend(self.kept::<Scorecards>(project.0).await?),
                None => self.add_every(&mut found).await?,
            }
        }
        Ok(found)
    }

    async fn add_every(&self, found: &mut Vec<Scorecards>) -> Result<(), Problem> {
        let mut page = Page { limit: AT_ONCE, before: None, offset: 0 };
        loop {
            let read: Vec<Scorecards> = self.page_of(Which::default(), page).await?;
            page.before = read.last().map(|cards| cards.project_id.0);
            let is_last = read.len() < AT_ONCE as usize;
            found.extend(read);
            if is_last {
                return Ok(());
            }
        }
    }
}
