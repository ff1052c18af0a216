//! What a process gives away before it executes somebody's program.

use crate::policy::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};
use std::io;

/// How many files a process may have open, where the machine allows as many.
const OPEN_FILES_MAX: u64 = 65_536;
/// How much a process may keep from being swapped out, in bytes.
const LOCKED_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Limits each process: no core dumps, no file larger than all that may be written, no more processes than allowed.
/// The number of processes counts within the namespace of users, so within this run.
pub(crate) fn limit(limits: &Limits) -> io::Result<()> {
    let disk = limits.disk_mb.saturating_mul(1024 * 1024);
    // The init is one of them.
    let processes = limits.processes.saturating_add(1);
    let wanted = [
        // With 0 a handler to which cores are piped would still get them, on the outside; 1 is the kernel's word for none.
        (Resource::Core, 1),
        (Resource::Fsize, disk),
        (Resource::Nproc, processes),
        (Resource::Nofile, OPEN_FILES_MAX),
        (Resource::Memlock, LOCKED_BYTES_MAX),
    ];
    for (resource, most) in wanted {
        let most = getrlimit(resource).maximum.map_or(most, |allowed| allowed.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Leaves to others what the weight leaves to them, by the priority that comes nearest: each step is a fifth less.
pub(crate) fn give_way(weight: u64) -> io::Result<()> {
    let mut steps = 0;
    let mut share = 100;
    while steps < 19 && share * 9 > weight * 10 {
        share = share * 4 / 5;
        steps += 1;
    }
    rustix::process::nice(steps)?;
    Ok(())
}

/// Gives every capability away for good, and every way to gain one.
pub(crate) fn drop_privileges() -> io::Result<()> {
    clear_ambient_capability_set()?;
    for bit in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            Ok(()) => {}
            // Beyond the last one that the kernel knows.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_no_new_privs(true)?;
    Ok(())
}
