//! The agents' definitions as the server shows them: one registry of what is published, and the aliases of the settings and of
//! people. Somebody else reads the folder anew and tells what became of it.

use crate::alias_queues::AliasGauges;
use crate::problem::Problem;
use crate::state::Shared;
use spalla_domain::alias;
use spalla_registry::alias::Alias;
use spalla_registry::registry::Registry;
use spalla_store::document::Kind;
use spalla_store::view::{DocumentFilter, Page};
use spalla_store::{Read, StoreError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How many aliases are read at once.
const AT_ONCE: u32 = 500;

/// The agents that a server knows.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// What is published, and serves.
    pub registry: Arc<Registry>,
    /// The aliases of the settings: no request changes them.
    pub configured: Arc<BTreeMap<String, Alias>>,
    /// What waits for each alias.
    pub(crate) alias_gauges: Arc<AliasGauges>,
}

impl Definitions {
    /// Makes one that has nothing but what comes with the program.
    pub fn built_in() -> Self {
        Self::new(Arc::new(Registry::built_in(Path::new(""))), BTreeMap::new())
    }

    /// Makes one of a registry and the aliases of the settings.
    pub fn new(registry: Arc<Registry>, configured: BTreeMap<String, Alias>) -> Self {
        Self { registry, configured: Arc::new(configured), alias_gauges: Arc::default() }
    }

    /// Reads the aliases that people made, the newest first, and lets them serve.
    pub async fn refresh(&self, read: &dyn Read) -> Result<Vec<alias::Alias>, StoreError> {
        let filter = DocumentFilter { kind: Kind::Alias, owner: Some(0), status: None };
        let mut all: Vec<alias::Alias> = vec![];
        loop {
            let page = Page { limit: AT_ONCE, before: all.last().map(|alias| alias.id.0), offset: 0 };
            let found = read.documents(filter, page).await?;
            let is_last = found.len() < AT_ONCE as usize;
            for document in &found {
                all.push(document.read()?);
            }
            if is_last {
                break;
            }
        }
        self.serve(&all);
        Ok(all)
    }

    /// Puts the aliases of people beside those of the settings, which win.
    fn serve(&self, kept: &[alias::Alias]) {
        let of = |kept: &alias::Alias| {
            let (id, overrides, domain) = (kept.agent.clone(), kept.overrides.clone(), kept.domain.clone());
            (kept.name.clone(), Alias { id, overrides, domain })
        };
        let mut all: BTreeMap<String, Alias> = kept.iter().map(of).collect();
        all.extend(self.configured.iter().map(|(name, alias)| (name.clone(), alias.clone())));
        self.registry.set_aliases(all);
    }
}

impl Shared {
    /// Reads the aliases that people made, the newest first, and lets them serve.
    pub(crate) async fn read_aliases(&self) -> Result<Vec<alias::Alias>, Problem> {
        Ok(self.definitions.refresh(self.read()).await?)
    }
}
