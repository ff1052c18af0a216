//! The queues of aliases: each holds ten entries for each task that its agent has at a time, and whoever brings more is told to
//! come back later.

use crate::access::Reach;
use crate::definitions::Definitions;
use crate::problem::Problem;
use crate::state::Shared;
use spalla_domain::problem::Code;
use spalla_domain::work_item::{Spec, Status};
use spalla_domain::{Refusal, Timestamp, WorkItemId, alias};
use spalla_store::view::WorkItemFilter;
use spalla_store::{ExecuteError, Read};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long what was counted of an alias's queue counts, in milliseconds.
const FRESH_MS: i64 = 1_000;
/// For how many aliases it is remembered what waits.
const GAUGES_MAX: usize = alias::ALIASES_MAX;

/// What waits for each alias: counted now and then, and what was let in since.
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

impl Definitions {
    /// Lets so many entries into the queue of an alias, as its definition is now, or refuses them where it has no room.
    pub async fn admit(
        &self,
        read: &dyn Read,
        (name, count): (&str, u64),
        now: Timestamp,
    ) -> Result<(), ExecuteError> {
        let Some(limit) = self.room_of(name).await else { return Ok(()) };
        if !self.alias_gauges.is_fresh(name, now) {
            let filter = WorkItemFilter {
                label: Some(alias::label_of(name)),
                status: Some(Status::Queued),
                ..WorkItemFilter::default()
            };
            let waiting = read.count_work_items(filter).await?;
            self.alias_gauges.set(name, now, waiting);
        }
        Ok(self.alias_gauges.let_in(name, count, limit)?)
    }

    /// Returns how many entries may wait for an alias; none where nobody said how many tasks it has at a time.
    async fn room_of(&self, name: &str) -> Option<u64> {
        let (registry, name) = (Arc::clone(&self.registry), name.to_owned());
        let found = tokio::task::spawn_blocking(move || registry.definition(&name)).await;
        let loaded = found.ok()?.ok()?;
        let tasks = loaded.definition.runtime.concurrency.max_parallel_tasks;
        tasks.map(|tasks| u64::from(tasks) * alias::WAITING_PER_TASK)
    }
}

impl Shared {
    /// Lets entries of work items into the queues of the aliases that they are for, or says which has no room.
    pub(crate) async fn admit_for_aliases(&self, reach: &Reach, items: &[WorkItemId]) -> Result<(), Problem> {
        let mut wanted = BTreeMap::<String, u64>::new();
        for id in items {
            let Some(view) = self.read().work_item(*id).await? else { continue };
            // What the caller does not see is refused by the store, in its own words; what waits already takes no more room.
            if !reach.has(view.item.project_id) || view.status == Status::Queued {
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
            self.definitions.admit(self.read(), (&name, count), self.now()).await?;
        }
        Ok(())
    }
}

fn alias_of(spec: &Spec) -> Option<String> {
    spec.definition.as_ref().and_then(|chosen| chosen.alias.clone())
}

#[cfg(test)]
mod tests {
    //! When a queue of an alias lets in what.

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
