//! Limits of all processes together, by the kernel's groups of them: version 2 where it is delegated to us, version 1
//! as root. Where there is neither, the supervisor watches.

mod v1;
mod v2;

use crate::policy::Limits;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the kernel may take to count out what was killed.
const EMPTY_WITHIN: Duration = Duration::from_secs(2);

/// A group of processes of one run; taken down when it is dropped.
#[derive(Debug)]
pub(crate) enum Cgroup {
    V1(v1::Group),
    V2(v2::Group),
}

impl Cgroup {
    /// Makes a group with these limits; the error says why there is none.
    pub(crate) fn make(limits: &Limits) -> Result<Self, String> {
        let group = Self::create()?;
        group.limit(limits)?;
        Ok(group)
    }

    /// Makes a group without limits.
    pub(crate) fn create() -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
        let name = format!("spalla-{}", std::process::id());
        match v2::Group::create(&own, &mounts, &name) {
            Ok(group) => Ok(Self::V2(group)),
            Err(second) => match v1::Group::create(&own, &mounts, &name) {
                Ok(group) => Ok(Self::V1(group)),
                Err(first) => Err(format!("version 2: {second}; version 1: {first}")),
            },
        }
    }

    /// Limits a group that has no limits yet.
    pub(crate) fn limit(&self, limits: &Limits) -> Result<(), String> {
        let set = match self {
            Self::V1(group) => group.limit(limits),
            Self::V2(group) => group.limit(limits),
        };
        set.map_err(|(path, error)| format!("{}: {error}", path.display()))
    }

    /// Returns the files by which a process of one thread puts itself in, by writing a zero into each; none where it has
    /// to be put in from outside. That somebody else does so makes the kernel wait until no process is born or ends
    /// anywhere, which takes it ten times as long as all else about a group.
    pub(crate) fn entrances(&self) -> io::Result<Vec<File>> {
        match self {
            Self::V1(group) => group.entrances(),
            Self::V2(_) => Ok(Vec::new()),
        }
    }

    /// Puts a process in that did not do so itself, with all that it will start.
    pub(crate) fn add(&self, pid: i32) -> io::Result<()> {
        match self {
            Self::V1(_) => Ok(()),
            Self::V2(group) => group.add(pid),
        }
    }

    /// Ends every process in it, and waits until none is counted any more. Returns how many are left.
    pub(crate) fn end(&self) -> usize {
        let give_up_at = Instant::now() + EMPTY_WITHIN;
        loop {
            let left = match self {
                Self::V1(group) => group.kill(),
                Self::V2(group) => group.kill(),
            };
            if left == 0 || Instant::now() >= give_up_at {
                return left;
            }
            let _ = nix::poll::poll(&mut [], 1_u8);
        }
    }

    /// Tells how often the kernel ended a process because of the memory.
    pub(crate) fn memory_kills(&self) -> u64 {
        match self {
            Self::V1(group) => group.memory_kills(),
            Self::V2(group) => group.memory_kills(),
        }
    }

    /// Returns how much of processors was used in it, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> Option<u64> {
        match self {
            // Version 1 counts that in a tree of its own.
            Self::V1(_) => None,
            Self::V2(group) => group.cpu_ms(),
        }
    }

    /// Returns the most memory that was used in it at once, in bytes.
    pub(crate) fn memory_peak_bytes(&self) -> Option<u64> {
        match self {
            Self::V1(group) => group.memory_peak_bytes(),
            Self::V2(group) => group.memory_peak_bytes(),
        }
    }

    /// Says what it limits.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::V1(_) => "version 1: memory, processes, processor",
            Self::V2(_) => "version 2: memory, processes, processor",
        }
    }
}

/// One line of mountinfo: where a file system of this type is, and its options.
fn mounts_of<'a>(mountinfo: &'a str, file_system: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    mountinfo.lines().filter_map(move |line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        (after.next()? == file_system).then_some(())?;
        Some((before.split(' ').nth(4)?, after.next_back()?))
    })
}

/// Removes groups that a supervisor left behind when it was killed: those named after a process that is gone.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix("spalla-")?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // One that still holds a process can't be removed.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn pids(folder: &Path) -> Vec<i32> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn value_of(file: &Path, key: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let found = text.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == key);
    found.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

fn number_in(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_by_the_type_of_their_file_system() {
        let text = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory\n\
                    41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let v1: Vec<_> = mounts_of(text, "cgroup").collect();
        assert_eq!(v1, [("/sys/fs/cgroup/memory", "rw,memory")]);
        assert_eq!(mounts_of(text, "cgroup2").next(), Some(("/sys/fs/cgroup/unified", "rw")));
    }
}
