//! What a worker remembers of agents between runs: what their programs can do, and which of them met a limit that is not over.
//! An agent is not called again before its limit ends, also not by a worker that was started meanwhile.

use super::cli::pool::{Pool, PoolBoard, PoolOptions};
use super::keeper::Keeper;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use spalla_adapter::installed::Installed;
use spalla_crash::crash_point;
use spalla_domain::ProjectId;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The file of the limits, in the worker's data folder.
const LIMITS: &str = "agent-limits.json";

/// What a program was when it was asked, and by which adapter with which first arguments: another file, or another state of
/// it, is asked anew.
pub(super) type Asked = (PathBuf, Option<SystemTime>, u64, Vec<String>);

/// What is remembered.
#[derive(Debug)]
pub(crate) struct Memory {
    programs: Mutex<HashMap<Asked, Installed>>,
    limits: Mutex<BTreeMap<String, Limit>>,
    merging: Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<()>>>>,
    /// What goes on beside the runs, each to the end of one process.
    keeper: Keeper,
    /// The processes that serve one run after another.
    pool: Arc<Pool>,
    path: PathBuf,
}

/// A limit that an agent met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limit {
    /// When it is over.
    pub(super) until: Timestamp,
    /// What was said.
    pub(super) reason: String,
}

/// Returns the agents that the workers of a data folder do not call now, each with the moment at which its limit ends.
pub fn agents_at_limits(data_dir: &Path, now: Timestamp) -> BTreeMap<String, Timestamp> {
    let text = fs::read(data_dir.join(LIMITS)).unwrap_or_default();
    let limits: BTreeMap<String, Limit> = serde_json::from_slice(&text).unwrap_or_default();
    let open = limits.into_iter().filter(|(_, limit)| limit.until > now);
    open.map(|(agent, limit)| (agent, limit.until)).collect()
}

impl Memory {
    /// Remembers what an earlier worker of the data folder knew of limits.
    pub(crate) fn open(data_dir: &Path, pool: PoolOptions, board: PoolBoard) -> Self {
        let keeper = Keeper::default();
        let path = data_dir.join(LIMITS);
        let limits = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self {
            programs: Mutex::default(),
            limits: Mutex::new(limits.unwrap_or_default()),
            merging: Mutex::default(),
            pool: Pool::new(data_dir, pool, board, keeper.clone()),
            keeper,
            path,
        }
    }

    /// Returns what carries on each process to its end.
    pub(super) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Returns the processes that serve one run after another.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Ends every process that waits for a run, and waits until all are gone.
    pub(crate) async fn close(&self) {
        self.pool.close();
        self.keeper.close().await;
    }

    /// Returns what a program is known to be able to do.
    pub(super) fn program(&self, asked: &Asked) -> Option<Installed> {
        self.programs().get(asked).cloned()
    }

    /// Remembers what a program can do.
    pub(super) fn learn(&self, asked: Asked, installed: Installed) {
        self.programs().insert(asked, installed);
    }

    /// Returns the limit that an agent met, as long as it is not over.
    pub(super) fn limit(&self, agent: &str, now: Timestamp) -> Option<Limit> {
        self.limits().get(agent).filter(|limit| limit.until > now).cloned()
    }

    /// Remembers that an agent met a limit.
    pub(super) fn wall(&self, agent: &str, limit: Limit) {
        let mut limits = self.limits();
        limits.insert(agent.to_owned(), limit);
        let new = self.path.with_extension("new");
        let text = serde_json::to_vec(&*limits).unwrap_or_default();
        let written = crash_point!("worker.limits.write", fs::write(&new, text))
            .and_then(|()| crash_point!("worker.limits.rename", fs::rename(&new, &self.path)));
        if let Err(error) = written {
            tracing::warn!(%error, "a limit that an agent met is remembered by this process alone");
        }
    }

    /// Returns what one merge at a time of a session holds.
    pub(super) fn merging(&self, project: ProjectId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.merging.lock().unwrap_or_else(PoisonError::into_inner).entry(project).or_default())
    }

    fn programs(&self) -> MutexGuard<'_, HashMap<Asked, Installed>> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limits(&self) -> MutexGuard<'_, BTreeMap<String, Limit>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(data: &Path) -> Memory {
        Memory::open(data, PoolOptions::default(), PoolBoard::default())
    }

    #[test]
    fn a_limit_is_kept_over_a_restart_until_it_is_over() {
        let data = tempfile::tempdir().unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        open(data.path()).wall("codex", Limit { until: at(100), reason: "limit".into() });
        let memory = open(data.path());
        assert_eq!(memory.limit("codex", at(99)).map(|limit| limit.reason), Some("limit".into()));
        assert_eq!(memory.limit("codex", at(100)), None);
        assert_eq!(memory.limit("claude", at(99)), None);
        assert_eq!(agents_at_limits(data.path(), at(99)), [("codex".to_owned(), at(100))].into());
        assert_eq!(agents_at_limits(data.path(), at(100)), BTreeMap::new());
    }
}
