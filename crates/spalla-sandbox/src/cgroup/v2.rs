//! Version 2: one tree for all limits; an ordinary user may use the part of it that is delegated to them.

use super::{mounts_of, number_in, pids, sweep, value_of};
use crate::policy::Limits;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What has to be limited.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];
/// Over what time a hard limit of the processor counts, in microseconds.
const PERIOD_US: u64 = 100_000;

/// The folder of one group.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
}

impl Group {
    pub(super) fn create(own: &str, mounts: &str, name: &str) -> Result<Self, String> {
        let (tree, _) = mounts_of(mounts, "cgroup2").next().ok_or("it is not mounted")?;
        let own =
            own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("this process is in no group")?;
        let own = Path::new(tree).join(own.trim_start_matches('/'));
        let parent = place(&own)?;
        let group = Self { folder: parent.join(name) };
        group.make_folder().map_err(|(path, error)| format!("{}: {error}", path.display()))?;
        Ok(group)
    }

    fn make_folder(&self) -> Result<(), (PathBuf, io::Error)> {
        self.folder.parent().into_iter().for_each(sweep);
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(|error| (self.folder.clone(), error))?,
        }
        Ok(())
    }

    pub(super) fn limit(&self, limits: &Limits) -> Result<(), (PathBuf, io::Error)> {
        let set = |file: &str, value: String| {
            let file = self.folder.join(file);
            fs::write(&file, value).map_err(|error| (file, error))
        };
        set("memory.max", limits.memory_mb.saturating_mul(1024 * 1024).to_string())?;
        if self.folder.join("memory.swap.max").exists() {
            set("memory.swap.max", "0".into())?;
        }
        // The init is one of them.
        set("pids.max", limits.processes.saturating_add(1).to_string())?;
        set("cpu.weight", limits.cpu_weight.to_string())?;
        if let Some(percent) = limits.cpu_percent {
            set("cpu.max", format!("{} {PERIOD_US}", (PERIOD_US * percent / 100).max(1_000)))?;
        }
        Ok(())
    }

    pub(super) fn add(&self, pid: i32) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string())
    }

    pub(super) fn kill(&self) -> usize {
        if fs::write(self.folder.join("cgroup.kill"), "1").is_err() {
            // A kernel before 5.14.
            let _ = fs::write(self.folder.join("pids.max"), "0");
            let left = pids(&self.folder);
            for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        pids(&self.folder).len()
    }

    pub(super) fn memory_kills(&self) -> u64 {
        value_of(&self.folder.join("memory.events"), "oom_kill")
    }

    pub(super) fn cpu_ms(&self) -> Option<u64> {
        let file = self.folder.join("cpu.stat");
        file.exists().then(|| value_of(&file, "usage_usec") / 1_000)
    }

    /// A kernel before 5.19 does not tell.
    pub(super) fn memory_peak_bytes(&self) -> Option<u64> {
        number_in(&self.folder.join("memory.peak"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Finds where groups may be made: beside this process's own, or beneath it. A group that holds processes can't hand
/// its limits on, so ours is used only where it is a leaf whose parent is delegated, or is empty but for the root's.
fn place(own: &Path) -> Result<PathBuf, String> {
    let mut reasons = Vec::new();
    for folder in [Some(own), own.parent()].into_iter().flatten() {
        match hands_on(folder) {
            Ok(()) => return Ok(folder.to_owned()),
            Err(reason) => reasons.push(format!("{}: {reason}", folder.display())),
        }
    }
    Err(reasons.join(", "))
}

/// Tells whether a group hands its limits on, and makes it do so where it may.
fn hands_on(folder: &Path) -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).map_err(|error| error.to_string());
    let lacks = |text: &str| {
        CONTROLLERS.iter().find(|name| !text.split_whitespace().any(|word| word == **name)).copied()
    };
    if let Some(controller) = lacks(&read("cgroup.controllers")?) {
        return Err(format!("{controller} is not delegated"));
    }
    if lacks(&read("cgroup.subtree_control")?).is_some() {
        let wish = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
        fs::write(folder.join("cgroup.subtree_control"), wish).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delegated() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (file, text) in
            [("cgroup.controllers", "cpu io memory pids\n"), ("cgroup.subtree_control", "cpu memory pids\n")]
        {
            fs::write(tree.path().join(file), text).unwrap();
        }
        fs::create_dir(tree.path().join("daemon")).unwrap();
        fs::write(tree.path().join("daemon/cgroup.controllers"), "memory\n").unwrap();
        tree
    }

    #[test]
    fn a_group_is_made_where_all_limits_are_delegated() {
        let tree = delegated();
        assert_eq!(place(&tree.path().join("daemon")), Ok(tree.path().to_owned()));
    }

    #[test]
    fn what_is_not_delegated_is_named() {
        let tree = delegated();
        fs::write(tree.path().join("cgroup.controllers"), "cpu pids\n").unwrap();
        let reason = place(&tree.path().join("daemon")).unwrap_err();
        assert!(reason.contains("memory is not delegated"), "{reason}");
    }

    #[test]
    fn every_limit_is_written() {
        let tree = delegated();
        let mounts = format!("1 1 0:1 / {} rw - cgroup2 cgroup2 rw", tree.path().display());
        let limits = Limits { cpu_percent: Some(150), ..Limits::default() };
        let group = Group::create("0::/daemon\n", &mounts, "one").unwrap();
        group.limit(&limits).unwrap();
        let read = |file: &str| fs::read_to_string(group.folder.join(file)).unwrap();
        assert_eq!(read("memory.max"), "2147483648");
        assert_eq!(read("pids.max"), "513");
        assert_eq!(read("cpu.max"), "150000 100000");
    }

    #[test]
    fn what_was_used_is_read_where_the_kernel_tells() {
        let tree = delegated();
        let mounts = format!("1 1 0:1 / {} rw - cgroup2 cgroup2 rw", tree.path().display());
        let group = Group::create("0::/daemon\n", &mounts, "one").unwrap();
        assert_eq!((group.cpu_ms(), group.memory_peak_bytes()), (None, None));
        fs::write(group.folder.join("cpu.stat"), "usage_usec 1234567\nuser_usec 1\n").unwrap();
        fs::write(group.folder.join("memory.peak"), "4096\n").unwrap();
        assert_eq!((group.cpu_ms(), group.memory_peak_bytes()), (Some(1_234), Some(4_096)));
    }
}
