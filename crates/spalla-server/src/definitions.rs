//! The agents' definitions as the server shows them: one registry of what is published, and the aliases of the settings and of
//! people. Somebody else reads the folder anew and tells what became of it.

use crate::access::Reach;
use crate::problem::Problem;
use crate::state::Shared;
use spalla_domain::alias;
use spalla_domain::problem::Code;
use spalla_domain::work_item::Spec;
use spalla_domain::{Refusal, Timestamp, WorkItemId};
use spalla_registry::alias::Alias;
use spalla_registry::registry::Registry;
use spalla_store::document::Kind;
use spalla_store::view::{DocumentFilter, Page, WorkItemFilter};
use spalla_store::{Read, StoreError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// How many aliases are read at once.
const AT_ONCE: u32 = 500;
/// How long what was counted of an alias's queue counts, in milliseconds.
const FRESH_MS: i64 = 1_000;
/// For how many aliases it is remembered what waits.
const GAUGES_MAX: usize = alias::ALIASES_MAX;

/// The agents that a server knows.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// What is published, and serves.
    pub registry: Arc<Registry>,
    /// The aliases of the settings: no request changes them.
    pub configured: Arc<BTreeMap<String, Alias>>,
}

impl Definitions {
    /// Makes one that has nothing but what comes with the program.
    pub fn built_in() -> Self {
        Self { registry: Arc::new(Registry::built_in(Path::new(""))), configured: Arc::default() }
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

/// What waits for an alias: counted now and then, and what was let in since.
#[derive(Debug, Default)]
pub(crate) struct AliasGauges(Mutex<BTreeMap<String, Level>>);

#[derive(Debug, Clone, Copy)]
struct Level {
    read_at: Timestamp,
    read: u64,
    let_in: u64,
}

impl AliasGauges {
    fn is_fresh(&self, name: &str, now: Timestamp) -> bool {
        let levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        levels.get(name).is_some_and(|level| (0..FRESH_MS).contains(&(now.ms() - level.read_at.ms())))
    }

    fn set(&self, name: &str, now: Timestamp, read: u64) {
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= GAUGES_MAX && !levels.contains_key(name) {
            levels.clear();
        }
        levels.insert(name.to_owned(), Level { read_at: now, read, let_in: 0 });
    }

    fn let_in(&self, name: &str, count: u64, limit: u64) -> Result<(), Refusal> {
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(level) = levels.get_mut(name) else { return Ok(()) };
        let waiting = level.read + level.let_in;
        if waiting + count > limit {
            let detail = format!(
                "{waiting} entries wait for the alias {name:?}, and with {count} more they would be more than {limit}"
            );
            return Err(Refusal::new(Code::AliasQueueFull, detail).mend(
                "wait until some have started, or raise runtime.concurrency.max_parallel_tasks of the alias",
            ));
        }
        level.let_in += count;
        Ok(())
    }
}

impl Shared {
    /// Reads the aliases that people made, the newest first, and lets them serve.
    pub(crate) async fn read_aliases(&self) -> Result<Vec<alias::Alias>, Problem> {
        Ok(self.definitions.refresh(self.read()).await?)
    }

    /// Lets entries of work items into the queues of the aliases that they are for, or says which has no room.
    pub(crate) async fn admit_for_aliases(&self, reach: &Reach, items: &[WorkItemId]) -> Result<(), Problem> {
        let mut wanted = BTreeMap::<String, u64>::new();
        for id in items {
            let Some(view) = self.read().work_item(*id).await? else { continue };
            // What the caller does not see is refused by the store, in its own words.
            if !reach.has(view.item.project_id) {
                continue;
            }
            if let Some(name) = alias_of(&view.item.spec) {
                *wanted.entry(name).or_default() += 1;
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        self.read_aliases().await?;
        for (name, count) in wanted {
            let Some(limit) = self.room_of(&name).await? else { continue };
            if !self.alias_gauges.is_fresh(&name, self.now()) {
                let filter = WorkItemFilter {
                    label: Some(alias::label_of(&name)),
                    status: Some(spalla_domain::work_item::Status::Queued),
                    ..WorkItemFilter::default()
                };
                let waiting = self.read().count_work_items(filter).await?;
                self.alias_gauges.set(&name, self.now(), waiting);
            }
            self.alias_gauges.let_in(&name, count, limit)?;
        }
        Ok(())
    }

    /// Returns how many entries may wait for an alias; none where nobody said how many tasks it has at a time.
    async fn room_of(&self, name: &str) -> Result<Option<u64>, Problem> {
        let (registry, name) = (Arc::clone(&self.definitions.registry), name.to_owned());
        let found = tokio::task::spawn_blocking(move || registry.definition(&name)).await;
        let found = found.map_err(|_| Problem::internal())?;
        let tasks = found.ok().and_then(|loaded| loaded.definition.runtime.concurrency.max_parallel_tasks);
        Ok(tasks.map(|tasks| u64::from(tasks) * alias::WAITING_PER_TASK))
    }
}

fn alias_of(spec: &Spec) -> Option<String> {
    spec.definition.as_ref().and_then(|chosen| chosen.alias.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_an_alias_lets_in_what_it_has_room_for() {
        let (gauges, at) = (AliasGauges::default(), Timestamp::from_ms);
        assert!(!gauges.is_fresh("a", at(0)));
        gauges.set("a", at(0), 8);
        assert!(gauges.is_fresh("a", at(999)) && !gauges.is_fresh("a", at(1_000)));
        assert!(gauges.let_in("a", 2, 10).is_ok());
        assert_eq!(gauges.let_in("a", 1, 10).unwrap_err().code, Code::AliasQueueFull);
        assert!(gauges.let_in("b", 100, 10).is_ok(), "what was not counted is not bounded");
    }
}
