//! The agents' definitions of a project: where they stand, when they changed, and how one is tried.

mod changed_at;
mod publishing;
mod smoke;
mod watching;

pub(crate) use publishing::{Asked, Memories, Outcome, convert};
pub(crate) use smoke::Smoke;
pub(crate) use watching::Watching;

use crate::failure::{Failure, Result};
use crate::likeness::nearest;
use clap::Args;
use spalla_registry::built_in;
use spalla_registry::index::INDEX;
use spalla_registry::read::Loaded;
use spalla_registry::registry::{Missing, OpenError, Registry};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where people write their agents.
pub(crate) const SOURCE: &str = ".claude/agents";
/// Where they are published.
pub(crate) const PUBLISHED: &str = "codex/agents";

/// Where the published definitions are.
#[derive(Debug, Clone, Args)]
pub(crate) struct PublishedArgs {
    /// The folder of published definitions
    #[arg(long, value_name = "DIR", default_value = PUBLISHED)]
    pub(crate) agents: PathBuf,
}

impl PublishedArgs {
    /// Opens the folder. Where nothing was published there is what comes with the program.
    pub(crate) fn open(&self) -> Result<Registry> {
        if !self.agents.join(INDEX).exists() && self.agents == Path::new(PUBLISHED) {
            return Ok(Registry::built_in(&self.agents));
        }
        Registry::open(&self.agents).map_err(refused)
    }
}

/// Says why a folder can't be served.
pub(crate) fn refused(error: OpenError) -> Failure {
    let why = std::error::Error::source(&error).map(|why| format!(": {why}")).unwrap_or_default();
    Failure::usage(format!("{error}{why}")).mend("publish with `spalla convert`")
}

/// Finds one definition; an id that is like it is offered where there is none.
pub(crate) fn find(registry: &Registry, id: &str) -> Result<Arc<Loaded>> {
    registry.definition(id).map_err(|missing| {
        let failure = Failure::usage(missing.to_string());
        let snapshot = registry.snapshot();
        let published = snapshot.index().agents.iter().map(|entry| entry.id.as_str());
        let ours = built_in::all().iter().map(|agent| agent.loaded.definition.agent.id.as_str());
        match (missing, nearest(id, published.chain(ours))) {
            (Missing::Unknown(_), Some(near)) => failure.mend(format!("did you mean `{near}`?")),
            (Missing::Unknown(_), None) => failure.mend("`spalla agents list` lists all of them"),
            _ => failure,
        }
    })
}

/// Returns the prompt of an agent; empty where it has none.
pub(crate) fn brief(registry: &Registry, id: &str) -> Result<String> {
    let snapshot = registry.snapshot();
    if snapshot.entry(id).is_some() {
        let brief = snapshot.brief(id);
        return brief
            .map(Option::unwrap_or_default)
            .map_err(|error| Failure::failed(format!("the brief of {id}: {error}")));
    }
    let ours = built_in::all().iter().find(|agent| agent.loaded.definition.agent.id == id);
    Ok(ours.map(|agent| agent.brief.to_owned()).unwrap_or_default())
}
