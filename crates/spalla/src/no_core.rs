//! No core files: whoever holds secrets in memory must not leave them on a disk when it crashes, nor show its memory to
//! another process of the same user, such as an agent.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// Keeps this process from being dumped or traced, and what it starts from leaving core files. A system that does not let
/// it is not worse than before.
pub(crate) fn leave_none() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = set_dumpable(false);
}
