//! Watches the memory of all processes together where the kernel does not limit it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where exact counting begins, in percent of the limit: it is slow, and what is shared counts once only there.
const EXACT_FROM_PERCENT: u64 = 80;

/// The watch over one run.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    limit_bytes: u64,
    page_bytes: u64,
    /// The most that was seen.
    seen_bytes: Option<u64>,
}

impl MemoryWatch {
    pub(crate) fn new(limit_mb: u64) -> Self {
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
        Self { limit_bytes: limit_mb.saturating_mul(1024 * 1024), page_bytes, seen_bytes: None }
    }

    /// Returns the most that was seen by looking; none where nobody looked.
    pub(crate) const fn seen_bytes(&self) -> Option<u64> {
        self.seen_bytes
    }

    /// Tells whether more is used than allowed: by the processes of that `/proc`, and by the private files.
    pub(crate) fn is_exceeded(&mut self, processes: &OwnedFd, scratch: &OwnedFd) -> bool {
        let files = rustix::fs::fstatvfs(scratch)
            .map_or(0, |found| found.f_blocks.saturating_sub(found.f_bfree).saturating_mul(found.f_frsize));
        // Who can't be looked at is taken for too large: nobody escapes by using up what the looking needs.
        let Ok(folders) = process_folders(processes) else { return true };
        // Files in memory that have no name belong to no process, and to no file system that is shown.
        let nameless = nameless_bytes(&folders, scratch);
        let quick: u64 = folders.iter().map(|folder| self.resident(folder)).sum();
        let all = quick.saturating_add(files).saturating_add(nameless);
        self.seen_bytes = self.seen_bytes.max(Some(all));
        if all < self.limit_bytes / 100 * EXACT_FROM_PERCENT {
            return false;
        }
        let mut exact = Used::default();
        for folder in &folders {
            let used = proportional(folder).unwrap_or_else(|| Used { own: self.resident(folder), shared: 0 });
            exact = Used {
                own: exact.own.saturating_add(used.own),
                shared: exact.shared.saturating_add(used.shared),
            };
        }
        // What is mapped of the nameless files is shared memory as well, and counts once.
        exact.own.saturating_add(exact.shared.max(nameless)).saturating_add(files) > self.limit_bytes
    }

    /// What a process has for itself; memory that several share after a fork counts for each.
    fn resident(&self, process: &Path) -> u64 {
        let text = fs::read_to_string(process.join("statm")).unwrap_or_default();
        let pages: Vec<u64> = text.split(' ').filter_map(|word| word.trim().parse().ok()).collect();
        let own = pages.get(1).copied().unwrap_or(0).saturating_sub(pages.get(2).copied().unwrap_or(0));
        own.saturating_mul(self.page_bytes)
    }
}

/// What a process uses, in bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Used {
    own: u64,
    /// Its part of what it shares.
    shared: u64,
}

fn proportional(process: &Path) -> Option<Used> {
    let text = fs::read_to_string(process.join("smaps_rollup")).ok()?;
    let mut used = Used::default();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let part = match name {
            "Pss_Anon" | "SwapPss" => &mut used.own,
            "Pss_Shmem" => &mut used.shared,
            _ => continue,
        };
        let kilobytes = value.split_whitespace().next().and_then(|word| word.parse::<u64>().ok())?;
        *part = part.saturating_add(kilobytes.saturating_mul(1024));
    }
    Some(used)
}

/// Counts what processes hold open of memory that looks like a file and has no name, such as that of `memfd_create`. The
/// private files of the run are counted by their file system.
fn nameless_bytes(processes: &[PathBuf], scratch: &OwnedFd) -> u64 {
    let private = rustix::fs::fstat(scratch).map_or(0, |found| found.st_dev);
    let mut seen = BTreeSet::new();
    let mut bytes = 0_u64;
    for entry in processes.iter().flat_map(|process| fs::read_dir(process.join("fd"))).flatten().flatten() {
        // Only what is in memory is named so, or has lost its name; that saves a look at everything else.
        let Ok(to) = fs::read_link(entry.path()) else { continue };
        if !to.as_os_str().as_encoded_bytes().ends_with(b" (deleted)") {
            continue;
        }
        let Ok(found) = fs::metadata(entry.path()) else { continue };
        let is_nameless = found.is_file() && found.nlink() == 0 && found.dev() != private;
        if is_nameless && is_in_memory(&entry.path()) && seen.insert((found.dev(), found.ino())) {
            bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
        }
    }
    bytes
}

fn is_in_memory(file: &Path) -> bool {
    /// `TMPFS_MAGIC` of `linux/magic.h`, which is that of `memfd_create` too.
    const TMPFS: i64 = 0x0102_1994;
    rustix::fs::statfs(file).is_ok_and(|found| found.f_type == TMPFS)
}

/// The folders of the processes of a `/proc`; none once they are all gone. An error means that there is no descriptor left
/// to look with.
pub(crate) fn process_folders(processes: &OwnedFd) -> io::Result<Vec<PathBuf>> {
    let place = format!("/proc/self/fd/{}/.", processes.as_raw_fd());
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM)) => {
            return Err(error);
        }
        Err(_) => return Ok(Vec::new()),
    };
    let entries = entries.flatten();
    let is_process = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.parse::<u32>().is_ok())
    };
    Ok(entries.map(|entry| entry.path()).filter(is_process).collect())
}
