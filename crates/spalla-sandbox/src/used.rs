//! How much of the machine a command used, with all that it started: for the record of the run.

use crate::cgroup::Cgroup;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};

/// How much was used; what nobody measured is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Used {
    /// Time of processors, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// The most memory that it had at once, in bytes. Where the kernel does not count it, that is what was seen by looking.
    pub memory_bytes: Option<u64>,
    /// Files that came into being where it may write, in bytes, as they were counted last.
    pub disk_bytes: Option<u64>,
}

impl Used {
    /// Reads what the kernel counted of a command that is over and of which nothing is left. `seen_bytes` is the most memory
    /// that was seen by looking.
    pub(crate) fn of(cgroup: Option<&Cgroup>, seen_bytes: Option<u64>, disk_bytes: Option<u64>) -> Self {
        let of_children = getrusage(UsageWho::RUSAGE_CHILDREN).ok();
        let by_children = of_children.map(|used| {
            let ms = used.user_time().num_milliseconds() + used.system_time().num_milliseconds();
            ms.max(0).unsigned_abs()
        });
        // The largest process alone, which a look may have come too late for.
        let largest = of_children.map(|used| used.max_rss().max(0).unsigned_abs().saturating_mul(1024));
        let cpu_ms = cgroup.and_then(Cgroup::cpu_ms).max(by_children);
        let memory_bytes = cgroup.and_then(Cgroup::memory_peak_bytes).or_else(|| seen_bytes.max(largest));
        Self { cpu_ms, memory_bytes, disk_bytes }
    }
}
