//! The processes beneath another one, read from /proc, and signals that reach the process that was meant.

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

/// How long processes are killed again and again before those that remain are given up, in milliseconds: only
/// what hangs in the kernel takes longer.
pub const KILL_MS_MAX: u64 = 5_000;
const PROC: &str = "/proc";

/// Returns the processes that descend from `root`, living ones only, parents before children.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, parent) in pids().filter_map(|pid| Some((pid, parent_of(pid)?))) {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        for &child in children.get(&pid).into_iter().flatten() {
            found.push(child);
            next.push(child);
        }
    }
    found
}

/// Sends a signal to every descendant of `root`. An id that was given to a foreign process since the look is
/// recognised: the signal goes through a handle on the process, taken before its parent is read again.
pub(crate) fn signal_descendants(root: u32, signal: Signal) -> usize {
    let found = descendants(root);
    let family: BTreeSet<u32> = found.iter().copied().chain([root]).collect();
    found
        .iter()
        .filter(|pid| signal_if(**pid, signal, || parent_of(**pid).is_some_and(|p| family.contains(&p))))
        .count()
}

/// Ends every descendant of a process, which may hang itself. A process that only waits to be reaped is gone.
pub fn end_descendants(root: u32) {
    let deadline = Instant::now() + Duration::from_millis(KILL_MS_MAX);
    while signal_descendants(root, Signal::KILL) > 0 && Instant::now() < deadline {
        wait_a_moment();
    }
}

/// Ends every process whose environment holds the mark, and everything beneath it. Returns how many are left.
pub fn end_marked(mark: &str) -> u32 {
    let deadline = Instant::now() + Duration::from_millis(KILL_MS_MAX);
    loop {
        let marked: Vec<u32> =
            pids().filter(|pid| parent_of(*pid).is_some() && has_mark(*pid, mark)).collect();
        for &pid in &marked {
            signal_descendants(pid, Signal::KILL);
            signal_if(pid, Signal::KILL, || has_mark(pid, mark));
        }
        if marked.is_empty() || Instant::now() >= deadline {
            return u32::try_from(marked.len()).unwrap_or(u32::MAX);
        }
        wait_a_moment();
    }
}

/// Waits a few milliseconds for the kernel to do what was asked.
fn wait_a_moment() {
    let _ = nix::poll::poll(&mut [], 5_u8);
}

/// Sends a signal when the condition holds for the process that the id names now.
fn signal_if(pid: u32, signal: Signal, condition: impl FnOnce() -> bool) -> bool {
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    match pidfd_open(id, PidfdFlags::empty()) {
        Ok(handle) => condition() && pidfd_send_signal(handle, signal).is_ok(),
        Err(rustix::io::Errno::SRCH) => false,
        // A kernel without such handles, or no room for one: the plain way is better than none.
        Err(_) => condition() && kill_process(id, signal).is_ok(),
    }
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir(PROC)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Returns the parent of a process that lives; none for one that only waits to be reaped.
fn parent_of(pid: u32) -> Option<u32> {
    parent_in(&fs::read_to_string(format!("{PROC}/{pid}/stat")).ok()?)
}

/// Reads state and parent behind the name, which may hold anything, blanks and brackets too.
fn parent_in(stat: &str) -> Option<u32> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X" | "x")).then_some(parent)
}

fn has_mark(pid: u32, mark: &str) -> bool {
    let env = fs::read(format!("{PROC}/{pid}/environ")).unwrap_or_default();
    env.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_behind_a_name_that_looks_like_more() {
        assert_eq!(parent_in("7 (a) S (b) R 4 7 7 0"), Some(4));
        assert_eq!(parent_in("7 (sh) S 12 7 7 0"), Some(12));
        assert_eq!(parent_in("7 (sh) Z 12 7 7 0"), None);
        assert_eq!(parent_in("nonsense"), None);
    }

    #[test]
    fn a_process_is_no_descendant_of_itself() {
        assert!(!descendants(std::process::id()).contains(&std::process::id()));
    }
}
