//! No core files: whoever holds secrets in memory must not leave them on a disk when it crashes, nor show its memory to
//! another process of the same user, such as an agent.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// Too little for a core file to be begun; and where the machine hands cores to a program, only exactly one byte keeps it
/// from being called: nothing at all would be no limit to it.
const CORE_BYTES: u64 = 1;

/// Keeps this process from being dumped or traced, and what it starts from leaving core files and from having the machine's
/// program for cores called as root. A system that does not let it is not worse than before.
pub(crate) fn leave_none() {
    let _ = setrlimit(Resource::RLIMIT_CORE, CORE_BYTES, CORE_BYTES);
    let _ = set_dumpable(false);
}
