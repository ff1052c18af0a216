//! From one publication to the next: an older one is refused, and a definition that fails its smoke test does not serve.

use super::snapshot::{Before, OpenError, Snapshot};
use super::{Missing, Registry};
use crate::definition::Definition;
use crate::index::DEFINITION_END;
use crate::read::Loaded;
use std::sync::{Arc, PoisonError};

/// What a reload changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Ids whose definitions are new or other ones.
    pub changed: Vec<String>,
    /// Ids that are not published any more.
    pub removed: Vec<String>,
    /// Those whose new definitions do not serve.
    pub held: Vec<Held>,
}

/// A definition that does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// Why.
    pub why: String,
    /// Whether the one before it serves on; otherwise nobody has the id.
    pub old_serves: bool,
}

/// Why nothing was reloaded; what served before serves on.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The folder can't be served.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is older than what serves.
    #[error("the publication of {found} is older than the one of {serving} that serves")]
    Older {
        /// When its newest source changed.
        found: String,
        /// The same of the one that serves.
        serving: String,
    },
}

impl Registry {
    /// Reads the folder anew, and lets it serve. `smoke` runs the command by which a changed definition is tried, and says
    /// why it failed.
    pub fn reload(
        &self,
        mut smoke: impl FnMut(&Definition, &str) -> Result<(), String>,
    ) -> Result<Reloaded, Refused> {
        let reloaded = self.reload_if_fit(&mut smoke);
        let refused = reloaded.as_ref().err().map(ToString::to_string);
        *self.refused.write().unwrap_or_else(PoisonError::into_inner) = refused;
        reloaded
    }

    fn reload_if_fit(
        &self,
        mut smoke: &mut dyn FnMut(&Definition, &str) -> Result<(), String>,
    ) -> Result<Reloaded, Refused> {
        let old = self.snapshot();
        let mut new = Snapshot::open(&self.folder)?;
        if new.generated_at() < old.generated_at() {
            let (found, serving) = (new.index().generated_at.clone(), old.index().generated_at.clone());
            return Err(Refused::Older { found, serving });
        }
        if new.index() == old.index() {
            return Ok(Reloaded::default());
        }
        let mut reloaded = compare(&old, &new);
        for id in reloaded.changed.clone() {
            let why = match tried(&new, &id, &mut smoke) {
                Ok(false) => continue,
                Ok(true) => {
                    new.passed.insert(id);
                    continue;
                }
                Err(why) => why,
            };
            let before = old.definition(&id).ok().map(|loaded| {
                // One that was never used may be gone with its folder.
                let brief = old.shared_brief(&id).ok().flatten();
                Before { loaded, brief }
            });
            reloaded.held.push(Held { id: id.clone(), why, old_serves: before.is_some() });
            new.held.insert(id, before);
        }
        let is_same = |id: &&String| new.entry(id).is_some() && !reloaded.changed.contains(*id);
        let passed: Vec<String> = old.passed.iter().filter(is_same).cloned().collect();
        new.passed.extend(passed);
        for (id, loaded) in old.read_so_far() {
            if new.entry(&id).is_some() && !reloaded.changed.contains(&id) {
                new.warm(&id, loaded);
            }
        }
        self.note_gone(&old, &new);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, &old) {
            new.take_trials(&current, &reloaded.changed);
        }
        *current = Arc::new(new);
        Ok(reloaded)
    }
}

fn compare(old: &Snapshot, new: &Snapshot) -> Reloaded {
    let (before, after) = (old.digests(), new.digests());
    let path = |stem: String| format!("{stem}{DEFINITION_END}");
    let mut reloaded = Reloaded::default();
    for entry in &new.index().agents {
        let path = path(entry.stem());
        let is_same = after.get(&path).is_some_and(|digest| before.get(&path) == Some(digest));
        // What was held back is tried again with each reload.
        if !is_same || old.held.contains_key(&entry.id) {
            reloaded.changed.push(entry.id.clone());
        }
    }
    let gone = old.index().agents.iter().filter(|entry| new.entry(&entry.id).is_none());
    reloaded.removed = gone.map(|entry| entry.id.clone()).collect();
    reloaded
}

/// Tries a definition; tells whether it has a test.
fn tried(
    new: &Snapshot,
    id: &str,
    smoke: &mut dyn FnMut(&Definition, &str) -> Result<(), String>,
) -> Result<bool, String> {
    let loaded: Arc<Loaded> = new.definition(id).map_err(|missing: Missing| missing.to_string())?;
    match &loaded.definition.testing.smoke {
        Some(command) => smoke(&loaded.definition, command).map(|()| true),
        None => Ok(false),
    }
}
