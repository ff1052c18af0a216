//! What seldom changes is remembered from one transaction to the next, so that whoever makes items need not ask for it again.
//!
//! - Which queue stands for what: once there, a queue is never changed and never goes. What does change about queues, such as
//!   their caps and what waits in them, is not remembered.
//! - Projects as they were read, each with its version. The transaction that uses one has it confirmed along with its other
//!   statements, and fails where it changed since.

use crate::tx::{KnownQueue, QueueKey};
use spalla_domain::project::Project;
use spalla_domain::{ProjectId, QueueId};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// More queues than most servers ever have; each takes some hundred bytes.
const QUEUES_MAX: usize = 1_024;

/// More projects than are busy at once; each takes less than some kilobytes.
const PROJECTS_MAX: usize = 256;

/// Queues by their keys; shared by the transactions of a process.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<HashMap<QueueKey, QueueId>>);

impl Remembered {
    /// Tells whether none is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.with(|known| known.is_empty())
    }

    /// Remembers queues that are committed.
    pub(super) fn keep<'a>(&self, queues: impl IntoIterator<Item = &'a KnownQueue>) {
        self.with(|known| {
            for KnownQueue { id, key, .. } in queues {
                if known.len() < QUEUES_MAX && !known.contains_key(key) {
                    known.insert(key.clone(), *id);
                }
            }
        });
    }

    /// Finds queues, where all are remembered.
    pub(super) fn find(&self, keys: &BTreeSet<QueueKey>) -> Option<Vec<KnownQueue>> {
        self.with(|known| {
            let queue = |key: &QueueKey| {
                let (id, key) = (*known.get(key)?, key.clone());
                Some(KnownQueue { id, key, is_capped: false, head: None, is_pending: false })
            };
            keys.iter().map(queue).collect()
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<QueueKey, QueueId>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Projects by their ids, each with its version; shared by the transactions of a process that is not alone.
#[derive(Debug, Default)]
pub(crate) struct Projects(Mutex<HashMap<ProjectId, (Project, i64)>>);

impl Projects {
    /// Remembers projects as they were read.
    pub(super) fn keep<'a>(&self, projects: impl IntoIterator<Item = &'a (Project, i64)>) {
        self.with(|known| {
            for (project, version) in projects {
                if known.len() < PROJECTS_MAX || known.contains_key(&project.id) {
                    known.insert(project.id, (project.clone(), *version));
                }
            }
        });
    }

    /// Finds projects, where all are remembered.
    pub(super) fn find(&self, ids: &[ProjectId]) -> Option<Vec<(Project, i64)>> {
        self.with(|known| ids.iter().map(|id| known.get(id).cloned()).collect())
    }

    /// Forgets all: one of them may have changed.
    pub(super) fn forget(&self) {
        self.with(HashMap::clear);
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<ProjectId, (Project, i64)>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
