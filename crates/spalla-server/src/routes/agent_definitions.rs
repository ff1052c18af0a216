//! The agents that are published, and their definitions.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::agent_definition::AgentEntry;
use crate::wire::list::{Listed, list_query};
use crate::wire::text::{Needle, Word};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use spalla_domain::problem::Code;
use spalla_registry::built_in;
use spalla_registry::index::Entry;
use spalla_registry::registry::{Missing, Registry, Snapshot, Trial};
use spalla_registry::schema;
use std::collections::BTreeSet;
use std::sync::Arc;
use utoipa::IntoParams;

/// What the text of a definition is.
const YAML: &str = "application/yaml";
/// The digest of the publication that serves.
const PUBLICATION: HeaderName = HeaderName::from_static("x-agents-digest");
/// Why the newest publication does not serve; missing where it does.
const REFUSED: HeaderName = HeaderName::from_static("x-agents-refused");

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_agents)).add(routes!(get_agent)).add(routes!(agent_schema))
}

list_query! {
    /// Which agents are shown.
    AgentsListQuery {
        /// Of this domain.
        #[param(inline)]
        domain: Option<Word>,
        /// Of this tier, such as `specialist` or `generalist`.
        #[param(inline)]
        tier: Option<Word>,
        /// With this text in id, name, domain, subdomain or a keyword, in either case.
        #[param(inline)]
        q: Option<Needle>,
    }
}

/// Lists the agents that are published, by their ids
///
/// Where none are, the agents that come with the program. `X-Agents-Digest` names the publication that serves, and
/// `X-Agents-Refused` says why a newer one does not; the events are `registry.reloaded` and `registry.refused`.
#[utoipa::path(get, path = "/api/agents", tag = "agents", params(AgentsListQuery),
    responses((status = 200, description = "The agents.", body = Vec<AgentEntry>)))]
async fn list_agents(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<AgentsListQuery>,
) -> Result<Response, Problem> {
    let paging = query.paging().by_offset();
    let registry = Arc::clone(&app.definitions.registry);
    let refused = registry.refused();
    let wanted = Wanted {
        domain: query.domain.map(String::from),
        tier: query.tier.map(String::from),
        text: query.q.map(|text| String::from(text).to_lowercase()),
    };
    let page = (paging.page.offset as usize, paging.page.limit as usize);
    let found = tokio::task::spawn_blocking(move || wanted.find(&registry, page)).await;
    let Found { entries, total, digest } = found.map_err(|_| Problem::internal())?;
    let last = (!entries.is_empty()).then_some(0);
    let listed = Listed::new(entries, last, &uri, paging, paging.count.then_some(total as u64));
    let mut response = listed.into_response();
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&digest).ok().map(|digest| (PUBLICATION, digest)));
    headers.extend(refused.map(|reason| (REFUSED, as_header(&reason))));
    Ok(response)
}

/// A reason names files and what stands in them: what is no plain letter is left out.
fn as_header(text: &str) -> HeaderValue {
    let plain: String =
        text.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { ' ' }).collect();
    HeaderValue::from_str(plain.trim()).unwrap_or_else(|_| HeaderValue::from_static("refused"))
}

/// Which agents are wanted.
struct Wanted {
    domain: Option<String>,
    tier: Option<String>,
    text: Option<String>,
}

struct Found {
    entries: Vec<AgentEntry>,
    total: usize,
    digest: String,
}

impl Wanted {
    fn find(&self, registry: &Registry, (offset, limit): (usize, usize)) -> Found {
        let snapshot = registry.snapshot();
        let own: Vec<Entry>;
        let all = match snapshot.is_published() {
            true => &snapshot.index().agents,
            false => {
                own = built_in::all().iter().map(|own| Entry::of(&own.loaded.definition)).collect();
                &own
            }
        };
        let by_keyword = self.by_keyword(&snapshot);
        let chosen: Vec<&Entry> = all.iter().filter(|entry| self.has(entry, &by_keyword)).collect();
        let show = |entry: &&Entry| {
            let loaded = registry.definition_of_id(&entry.id);
            let read = loaded.as_deref().map_err(ToString::to_string);
            AgentEntry::new(entry, read, snapshot.trial(&entry.id))
        };
        Found {
            total: chosen.len(),
            entries: chosen.iter().skip(offset).take(limit).map(show).collect(),
            digest: snapshot.index().digest.clone(),
        }
    }

    /// Returns the ids to which a keyword leads that has the text in it.
    fn by_keyword(&self, snapshot: &Snapshot) -> BTreeSet<String> {
        let Some(text) = &self.text else { return BTreeSet::new() };
        let triggers = snapshot.triggers().unwrap_or_default();
        let found = triggers.keywords.into_iter().filter(|(word, _)| word.to_lowercase().contains(text));
        found.flat_map(|(_, ids)| ids).collect()
    }

    fn has(&self, entry: &Entry, by_keyword: &BTreeSet<String>) -> bool {
        let has_text = |text: &String| {
            let words = [Some(&entry.id), Some(&entry.name), Some(&entry.domain), entry.subdomain.as_ref()];
            words.into_iter().flatten().any(|word| word.to_lowercase().contains(text))
                || by_keyword.contains(&entry.id)
        };
        self.domain.as_ref().is_none_or(|domain| *domain == entry.domain)
            && self.tier.as_ref().is_none_or(|tier| *tier == entry.tier)
            && self.text.as_ref().is_none_or(has_text)
    }
}

/// How a definition is shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AgentQuery {
    /// Shows the published text, to the byte; so does `Accept: application/yaml`.
    raw: Option<bool>,
}

/// Shows the definition of an agent, or of an alias with what it says otherwise
///
/// Its members are those of `GET /schemas/agent.json`. The text of an alias is that of its agent.
#[utoipa::path(get, path = "/api/agents/{id}", tag = "agents", params(("id" = String, Path, description = "Its id, or an alias."), AgentQuery),
    responses((status = 200, description = "The definition.", content(
        (Object = "application/json"), (String = "application/yaml")))))]
async fn get_agent(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Params(query): Params<AgentQuery>,
) -> Result<Response, Problem> {
    app.read_aliases().await?;
    let registry = Arc::clone(&app.definitions.registry);
    let name = id.clone();
    let found = tokio::task::spawn_blocking(move || {
        let trial = registry.snapshot().trial(&name);
        (registry.definition(&name), trial)
    });
    let (found, trial) = found.await.map_err(|_| Problem::internal())?;
    let loaded = found.map_err(|missing| no_agent(&missing, trial))?;
    if query.raw.unwrap_or_else(|| wants_yaml(&headers)) {
        return Ok(([(header::CONTENT_TYPE, YAML)], loaded.raw.to_string()).into_response());
    }
    let shown: Value = serde_json::to_value(&loaded.definition).map_err(|_| Problem::internal())?;
    Ok(Json(shown).into_response())
}

/// Tells whether a client names YAML, and not JSON before it.
fn wants_yaml(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kinds = accept.split(',').filter_map(|kind| kind.split(';').next()).map(str::trim);
    let known = kinds.map(str::to_ascii_lowercase);
    let mut known =
        known.filter(|kind| matches!(kind.as_str(), "application/json" | "application/*" | "*/*" | YAML));
    known.next().as_deref() == Some(YAML)
}

/// Says why an agent can't be shown.
pub(super) fn no_agent(missing: &Missing, trial: Trial) -> Problem {
    let failed = matches!(trial, Trial::Failed { .. });
    let detail = match failed {
        true => format!("{missing}: its definition failed its smoke test"),
        false => missing.to_string(),
    };
    match missing {
        Missing::Unknown(_) => Problem::new(StatusCode::NOT_FOUND, Code::NotFound.as_str(), detail)
            .mend("GET /api/agents lists them, GET /api/aliases their other names"),
        Missing::Broken { .. } | Missing::Alias { .. } => {
            Problem::new(StatusCode::CONFLICT, "agent_unusable", detail)
                .mend("convert the agents anew, or say the alias otherwise")
        }
    }
}

/// Shows the JSON Schema of agents' definitions
#[utoipa::path(get, path = "/schemas/agent.json", tag = "agents",
    responses((status = 200, description = "The schema.", body = Object, content_type = "application/schema+json")))]
async fn agent_schema(_: Params<NoParams>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], schema::text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_for_whoever_names_it_first() {
        let wants =
            |accept: &str| wants_yaml(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]));
        for (accept, wanted) in [
            ("application/yaml", true),
            ("Application/YAML; q=0.9", true),
            ("application/json, application/yaml", false),
            ("*/*", false),
            ("text/html, application/yaml", true),
            ("", false),
        ] {
            assert_eq!(wants(accept), wanted, "{accept}");
        }
    }
}
