//! Version 1: one tree for each kind of limit; only root may use them.

use super::{mounts_of, number_in, pids, sweep, value_of};
use crate::policy::Limits;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The share of the processor of an ordinary group.
const ORDINARY_SHARES: u64 = 1_024;
/// Over what time a hard limit of the processor counts, in microseconds.
const PERIOD_US: u64 = 100_000;

/// The folders of one group, one in each tree.
#[derive(Debug)]
pub(crate) struct Group {
    memory: PathBuf,
    pids: PathBuf,
    cpu: PathBuf,
}

impl Group {
    pub(super) fn create(own: &str, mounts: &str, name: &str) -> Result<Self, String> {
        let place = |controller: &str| {
            let tree = mounts_of(mounts, "cgroup")
                .find(|(_, options)| options.split(',').any(|option| option == controller))
                .ok_or_else(|| format!("no tree of {controller} is mounted"))?;
            Ok::<PathBuf, String>(beneath_own(own, Path::new(tree.0), controller).join(name))
        };
        let group = Self { memory: place("memory")?, pids: place("pids")?, cpu: place("cpu")? };
        group.make_folders().map_err(|(path, error)| format!("{}: {error}", path.display()))?;
        Ok(group)
    }

    fn make_folders(&self) -> Result<(), (PathBuf, io::Error)> {
        for folder in self.folders() {
            folder.parent().into_iter().for_each(sweep);
            match fs::create_dir(folder) {
                // Left behind by a supervisor that was killed and had the same id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.map_err(|error| (folder.to_owned(), error))?,
            }
        }
        Ok(())
    }

    pub(super) fn limit(&self, limits: &Limits) -> Result<(), (PathBuf, io::Error)> {
        let set =
            |file: PathBuf, value: u64| fs::write(&file, value.to_string()).map_err(|error| (file, error));
        let bytes = limits.memory_mb.saturating_mul(1024 * 1024);
        set(self.memory.join("memory.limit_in_bytes"), bytes)?;
        let with_swap = self.memory.join("memory.memsw.limit_in_bytes");
        if with_swap.exists() {
            set(with_swap, bytes)?;
        }
        // The init is one of them.
        set(self.pids.join("pids.max"), limits.processes.saturating_add(1))?;
        set(self.cpu.join("cpu.shares"), (ORDINARY_SHARES * limits.cpu_weight / 100).max(2))?;
        if let Some(percent) = limits.cpu_percent {
            set(self.cpu.join("cpu.cfs_period_us"), PERIOD_US)?;
            set(self.cpu.join("cpu.cfs_quota_us"), (PERIOD_US * percent / 100).max(1_000))?;
        }
        Ok(())
    }

    fn folders(&self) -> [&Path; 3] {
        [&self.memory, &self.pids, &self.cpu]
    }

    pub(super) fn entrances(&self) -> io::Result<Vec<File>> {
        self.folders().iter().map(|folder| File::options().write(true).open(folder.join("tasks"))).collect()
    }

    pub(super) fn kill(&self) -> usize {
        // What forks faster than it is killed can't fork any more.
        let _ = fs::write(self.pids.join("pids.max"), "0");
        let left = pids(&self.pids);
        for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            let _ = kill_process(pid, Signal::KILL);
        }
        left.len()
    }

    pub(super) fn memory_kills(&self) -> u64 {
        value_of(&self.memory.join("memory.oom_control"), "oom_kill")
    }
}

impl Group {
    pub(super) fn memory_peak_bytes(&self) -> Option<u64> {
        number_in(&self.memory.join("memory.max_usage_in_bytes"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in self.folders() {
            // What is left holds no process; the kernel's own cleaning takes it at the next start otherwise.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The folder of this process's own group in a tree, so that limits around it count too; the tree itself if that is
/// not seen from here.
fn beneath_own(own: &str, tree: &Path, controller: &str) -> PathBuf {
    let line = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let is_it = fields.next()?.split(',').any(|name| name == controller);
        is_it.then(|| fields.next())?
    });
    let folder = line.map(|path| tree.join(path.trim_start_matches('/')));
    folder.filter(|folder| folder.is_dir()).unwrap_or_else(|| tree.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_made_beneath_our_own() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("service")).unwrap();
        let own = "8:pids:/\n4:memory,other:/service\n";
        assert_eq!(beneath_own(own, tree.path(), "memory"), tree.path().join("service"));
        assert_eq!(beneath_own(own, tree.path(), "pids"), tree.path().join(""));
        assert_eq!(beneath_own("4:memory:/elsewhere\n", tree.path(), "memory"), tree.path());
    }
}
