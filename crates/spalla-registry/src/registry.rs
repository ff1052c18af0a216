//! The published agents as they serve: the index read once, definitions on first use and then frozen, and a reload that
//! swaps one pointer. Whoever has a definition keeps it, whatever is published later.

mod given;
mod reload;
mod snapshot;
mod trying;

pub use given::Given;
pub use reload::{Held, Refused, Reloaded};
pub use snapshot::{OpenError, Snapshot, Trial};

use crate::alias::{self, Alias};
use crate::built_in;
use crate::index::INDEX;
use crate::read::Loaded;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// How many definitions are kept in memory beside those that somebody uses.
pub const HOT_MAX: usize = 256;
/// How many are read ahead.
pub const PRELOAD: usize = 64;
/// The tier of the agent that takes what is meant for one that is not there.
pub const GENERALIST: &str = "generalist";

/// All agents of a published folder.
#[derive(Debug)]
pub struct Registry {
    folder: PathBuf,
    current: RwLock<Arc<Snapshot>>,
    aliases: RwLock<Arc<BTreeMap<String, Alias>>>,
    /// Why the newest publication does not serve.
    refused: RwLock<Option<String>>,
    /// Where those stood that are not published any more: id → domain.
    gone: RwLock<BTreeMap<String, String>>,
}

/// How many agents are remembered that are not published any more.
const GONE_MAX: usize = 10_000;

/// Why a definition is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Nobody has that name.
    #[error("there is no agent {0:?}")]
    Unknown(String),
    /// Its definition can't be used.
    #[error("the agent {id:?} can't be used: {why}")]
    Broken {
        /// The id.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// The alias can't be used.
    #[error("the alias {name:?} can't be used: {why}")]
    Alias {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Who does what was meant for a name.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The definition.
    pub loaded: Arc<Loaded>,
    /// Who has to be told that somebody else does it.
    pub escalation: Option<Escalated>,
}

/// That an agent was missing, and who took its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalated {
    /// The name that was asked for.
    pub wanted: String,
    /// The id of the one that does it.
    pub used: String,
    /// Who is told.
    pub notify: Vec<String>,
}

impl Registry {
    /// Opens a published folder. Only its index is read.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Ok(Self::of(folder, Snapshot::open(folder)?))
    }

    /// Makes one that has nothing but what is built in.
    pub fn built_in(folder: &Path) -> Self {
        Self::of(folder, Snapshot::empty())
    }

    /// Opens a folder for a server, which goes on without it: what can't be served is kept as refused, and there is what comes
    /// with the program until something can be.
    pub fn serve(folder: &Path) -> Self {
        match Snapshot::open(folder) {
            Ok(snapshot) => Self::of(folder, snapshot),
            Err(error) => {
                let registry = Self::built_in(folder);
                let is_there = folder.join(INDEX).exists();
                let refused = is_there.then(|| Refused::from(error).to_string());
                Self { refused: RwLock::new(refused), ..registry }
            }
        }
    }

    fn of(folder: &Path, snapshot: Snapshot) -> Self {
        Self {
            folder: folder.to_owned(),
            current: RwLock::new(Arc::new(snapshot)),
            aliases: RwLock::default(),
            refused: RwLock::default(),
            gone: RwLock::default(),
        }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns why the newest publication does not serve; none where it does.
    pub fn refused(&self) -> Option<String> {
        self.refused.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers where those stood that go, so that the generalist of their domain can stand in for them.
    fn note_gone(&self, old: &Snapshot, new: &Snapshot) {
        let mut gone = self.gone.write().unwrap_or_else(PoisonError::into_inner);
        gone.retain(|id, _| new.entry(id).is_none());
        for entry in old.index().agents.iter().filter(|entry| new.entry(&entry.id).is_none()) {
            if gone.len() < GONE_MAX {
                gone.insert(entry.id.clone(), entry.domain.clone());
            }
        }
    }

    /// Tells whether a name is that of an alias, or of an agent that is or was published or comes with the program.
    pub fn knows(&self, name: &str) -> bool {
        self.aliases().contains_key(name) || self.domain_of(name).is_some() || built_in::find(name).is_some()
    }

    /// Returns the domain of whoever a name means, or meant.
    fn domain_of(&self, name: &str) -> Option<String> {
        let aliases = self.aliases();
        let alias = aliases.get(name);
        let id = alias.map_or(name, |alias| alias.id.as_str());
        if let Some(entry) = self.snapshot().entry(id) {
            return Some(entry.domain.clone());
        }
        let gone = self.gone.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        gone.or_else(|| alias.and_then(|alias| alias.domain.clone()))
    }

    /// Returns what is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says which aliases there are; those that were there go.
    pub fn set_aliases(&self, aliases: BTreeMap<String, Alias>) {
        *self.aliases.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(aliases);
    }

    /// Returns the aliases.
    pub fn aliases(&self) -> Arc<BTreeMap<String, Alias>> {
        self.aliases.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the definition of an id or alias.
    pub fn definition(&self, name: &str) -> Result<Arc<Loaded>, Missing> {
        if let Some(alias) = self.aliases().get(name) {
            return self.aliased(name, alias);
        }
        self.of_id(name)
    }

    /// Returns the definition of an id, whatever aliases there are.
    pub fn definition_of_id(&self, id: &str) -> Result<Arc<Loaded>, Missing> {
        self.of_id(id)
    }

    fn of_id(&self, id: &str) -> Result<Arc<Loaded>, Missing> {
        match self.snapshot().definition(id) {
            Err(Missing::Unknown(id)) => built_in::find(&id).ok_or(Missing::Unknown(id)),
            found => found,
        }
    }

    fn aliased(&self, name: &str, alias: &Alias) -> Result<Arc<Loaded>, Missing> {
        let base = self.of_id(&alias.id)?;
        let definition = alias::apply(&base.definition, name, &alias.overrides)
            .map_err(|why| Missing::Alias { name: name.to_owned(), why })?;
        Ok(Arc::new(Loaded { definition, raw: base.raw.clone(), problems: base.problems.clone() }))
    }

    /// Returns who does what is meant for a name: the agent, or, where it is not there, the generalist of the domain.
    pub fn resolve(&self, name: &str, domain: Option<&str>) -> Result<Resolved, Missing> {
        let missing = match self.definition(name) {
            Ok(loaded) => return Ok(Resolved { loaded, escalation: None }),
            Err(missing) => missing,
        };
        let snapshot = self.snapshot();
        let known = self.domain_of(name);
        let domain = domain.or(known.as_deref());
        let fits = |entry: &&crate::index::Entry| {
            entry.tier == GENERALIST && Some(entry.domain.as_str()) == domain && entry.id != name
        };
        for entry in snapshot.index().agents.iter().filter(fits) {
            let Ok(loaded) = snapshot.definition(&entry.id) else { continue };
            let notify = loaded.definition.metrics.escalation.notify.clone();
            let escalated = Escalated { wanted: name.to_owned(), used: entry.id.clone(), notify };
            return Ok(Resolved { loaded, escalation: Some(escalated) });
        }
        Err(missing)
    }

    /// Reads the definitions ahead that work most often leads to; returns how many.
    pub fn preload(&self, count: usize) -> usize {
        let snapshot = self.snapshot();
        let ids = snapshot.most_frequent(count);
        ids.iter().filter(|id| snapshot.definition(id).is_ok()).count()
    }
}
