//! Tries the definitions that serve already and were not tried here, as after a start. There is none before them: one that
//! fails does not serve from then on, and whoever chooses passes it over.

use super::Registry;
use super::reload::Held;
use super::snapshot::{Snapshot, Trial};
use crate::definition::Definition;
use std::sync::{Arc, PoisonError};

impl Registry {
    /// Tries what was not tried, and returns what does not serve any more. `smoke` runs the command by which a definition is
    /// tried, and says why it failed; none means that nothing more is tried, and nothing changes. Whatever is published
    /// meanwhile is tried when it is read, and not here.
    pub fn try_serving(
        &self,
        mut smoke: impl FnMut(&Definition, &str) -> Option<Result<(), String>>,
    ) -> Vec<Held> {
        let serving = self.snapshot();
        let (mut passed, mut held) = (Vec::new(), Vec::new());
        for entry in &serving.index().agents {
            let id = &entry.id;
            let Some((definition, command)) = testable(&serving, id) else { continue };
            match smoke(&definition, &command) {
                None => return Vec::new(),
                Some(Ok(())) => passed.push(id.clone()),
                Some(Err(why)) => held.push(Held { id: id.clone(), why, old_serves: false }),
            }
        }
        if passed.is_empty() && held.is_empty() {
            return held;
        }
        match Snapshot::open(&self.folder) {
            Ok(mut tried) if tried.index() == serving.index() => {
                tried.take_over(&serving);
                tried.passed.extend(passed);
                tried.held.extend(held.iter().map(|held| (held.id.clone(), None)));
                self.serve_instead(&serving, tried, held)
            }
            _ => Vec::new(),
        }
    }

    /// Lets a publication serve in the place of another, where that still serves.
    fn serve_instead(&self, old: &Arc<Snapshot>, new: Snapshot, held: Vec<Held>) -> Vec<Held> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, old) {
            return Vec::new();
        }
        *current = Arc::new(new);
        held
    }
}

/// Returns a definition with its test; none where it has none, or can't be read, which is said when it is used.
fn testable(serving: &Snapshot, id: &str) -> Option<(Definition, String)> {
    // Most have no test, and reading a text is much less than understanding it.
    let is_open =
        serving.trial(id) == Trial::Untried && serving.text(id).is_ok_and(|text| text.contains("smoke"));
    let loaded = is_open.then(|| serving.read(id).ok()).flatten()?;
    let command = loaded.definition.testing.smoke.clone()?;
    Some((loaded.definition, command))
}

impl Snapshot {
    /// Takes what was tried of the publication before this one while this one was read, but for what is another one here.
    pub(super) fn take_trials(&mut self, before: &Self, changed: &[String]) {
        let is_same = |id: &str| self.entry(id).is_some() && !changed.iter().any(|other| other == id);
        let passed: Vec<_> = before.passed.iter().filter(|id| is_same(id)).cloned().collect();
        let held = before.held.iter().filter(|(id, _)| is_same(id));
        let held: Vec<_> = held.map(|(id, before)| (id.clone(), before.clone())).collect();
        self.passed.extend(passed);
        self.held.extend(held);
    }

    /// Takes what is known of another snapshot of the same publication.
    fn take_over(&mut self, other: &Self) {
        self.held.extend(other.held.iter().map(|(id, before)| (id.clone(), before.clone())));
        self.passed.extend(other.passed.iter().cloned());
        for (id, loaded) in other.read_so_far() {
            self.warm(&id, loaded);
        }
    }
}
