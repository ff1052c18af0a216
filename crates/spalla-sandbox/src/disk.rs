//! Watches how much a command writes into the folders that it may write. No file system limits a folder of its own, so
//! this is done by looking: at the whole file system often, at the folders when it grew by more than allowed, and at what
//! is new in them now and then and when the command is over, since a file system where others remove files does not grow.

use crate::memory::process_folders;
use crate::policy::Limits;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Statx, StatxFlags, openat, statx};
use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The unit of the count of blocks.
const BLOCK_BYTES: u64 = 512;
/// How deep folders are looked into; what is deeper counts as everything.
const DEPTH_MAX: usize = 256;
/// How often what is new is counted at most.
const COUNT: Duration = Duration::from_millis(250);
/// Counting takes at most one part of so many of the time.
const COUNT_SHARE: u32 = 50;
/// How long the last count may take at least; a command that ran for long is worth more.
const LAST_COUNT: Duration = Duration::from_millis(50);

/// How much was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Growth {
    bytes: u64,
    files: u64,
}

impl Growth {
    const ALL: Self = Self { bytes: u64::MAX, files: u64::MAX };

    fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), files: self.files.saturating_add(other.files) }
    }

    fn is_over(self, limit: Self) -> bool {
        self.bytes > limit.bytes || self.files > limit.files
    }
}

/// The watch over the folders of one run.
#[derive(Debug)]
pub(crate) struct DiskWatch {
    folders: Vec<Watched>,
    limit: Growth,
    since: Since,
    began: Instant,
    count_at: Instant,
    /// How many bytes were new when they were counted last.
    new_bytes: Option<u64>,
}

/// The beginning, by the clock of files.
#[derive(Debug, Clone, Copy)]
struct Since {
    s: i64,
    ns: u32,
}

#[derive(Debug)]
struct Watched {
    folder: PathBuf,
    /// What the file system held at the beginning, and what others added since.
    before: Growth,
}

impl DiskWatch {
    /// Begins to watch.
    pub(crate) fn new(folders: Vec<PathBuf>, limits: &Limits) -> Self {
        let folders = folders.into_iter().map(|folder| Watched { before: used(&folder), folder }).collect();
        let limit = Growth { bytes: limits.disk_mb.saturating_mul(1024 * 1024), files: limits.files };
        let began = Instant::now();
        Self { folders, limit, since: Since::now(), began, count_at: began + COUNT, new_bytes: None }
    }

    /// Tells whether more was written than allowed.
    pub(crate) fn is_exceeded(&mut self, processes: &OwnedFd) -> bool {
        let mut all = Growth::default();
        for watched in &mut self.folders {
            let now = used(&watched.folder);
            let grown = Growth {
                bytes: now.bytes.saturating_sub(watched.before.bytes),
                files: now.files.saturating_sub(watched.before.files),
            };
            if !grown.is_over(self.limit) {
                continue;
            }
            let own = Count::of(&watched.folder, self.since, None).changed.plus(unlinked(processes));
            // What others wrote meanwhile is none of this run's.
            watched.before.bytes = watched.before.bytes.saturating_add(grown.bytes.saturating_sub(own.bytes));
            watched.before.files = watched.before.files.saturating_add(grown.files.saturating_sub(own.files));
            all = all.plus(own);
        }
        all.is_over(self.limit) || self.is_new_exceeded()
    }

    /// Tells, when it is time to count, whether more is new than allowed. That is less than all that was written, but
    /// surely the command's own.
    fn is_new_exceeded(&mut self) -> bool {
        let now = Instant::now();
        if now < self.count_at {
            return false;
        }
        let is_over = self.new_until(None).is_over(self.limit);
        self.count_at = Instant::now() + COUNT.max(now.elapsed() * COUNT_SHARE);
        is_over
    }

    /// Tells, when the command is over, whether more is new than allowed.
    pub(crate) fn is_exceeded_at_end(&mut self) -> bool {
        let most = LAST_COUNT.max(self.began.elapsed() / COUNT_SHARE);
        self.new_until(Some(Instant::now() + most)).is_over(self.limit)
    }

    /// Returns how many bytes were new when they were counted last; none where nobody counted.
    pub(crate) const fn new_bytes(&self) -> Option<u64> {
        self.new_bytes
    }

    fn new_until(&mut self, end: Option<Instant>) -> Growth {
        let new = self.folders.iter().map(|watched| Count::of(&watched.folder, self.since, end).new);
        let new = new.fold(Growth::default(), Growth::plus);
        self.new_bytes = Some(new.bytes);
        new
    }
}

impl Since {
    /// The clock of files goes on with the kernel's tick, and this one with it.
    fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        Self { s: now.tv_sec, ns: u32::try_from(now.tv_nsec).unwrap_or_default() }
    }

    /// Tells whether a file was changed since, or in the second before where the file system has no finer clock.
    fn is_before_change(self, file: &Statx) -> bool {
        let changed = file.stx_ctime;
        match changed.tv_nsec {
            0 => changed.tv_sec >= self.s - 1,
            ns => (changed.tv_sec, ns) >= (self.s, self.ns),
        }
    }

    /// Tells whether a file is new; of a file system that does not keep that, none is.
    fn is_before_birth(self, file: &Statx) -> bool {
        let born = file.stx_btime;
        file.stx_mask & StatxFlags::BTIME.bits() != 0 && (born.tv_sec, born.tv_nsec) >= (self.s, self.ns)
    }
}

/// What the file system of a folder holds.
fn used(folder: &Path) -> Growth {
    rustix::fs::statvfs(folder).map_or(Growth::default(), |found| Growth {
        bytes: found.f_blocks.saturating_sub(found.f_bfree).saturating_mul(found.f_frsize),
        files: found.f_files.saturating_sub(found.f_ffree),
    })
}

/// The count of one folder. No link is followed.
struct Count {
    since: Since,
    /// When to stop, with whatever was counted by then.
    end: Option<Instant>,
    /// What was written or changed. What can't be looked at counts as everything: nobody hides what they wrote.
    changed: Growth,
    /// What came into being.
    new: Growth,
    /// The new files with several names, each of which counts once.
    linked: BTreeSet<(u32, u32, u64)>,
}

impl Count {
    fn of(folder: &Path, since: Since, end: Option<Instant>) -> Self {
        let (changed, new) = (Growth::default(), Growth::default());
        let mut count = Self { since, end, changed, new, linked: BTreeSet::new() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(folder, flags, Mode::empty()) {
            Ok(folder) => count.folder(folder, 0),
            Err(_) => count.changed = Growth::ALL,
        }
        count
    }

    fn folder(&mut self, folder: OwnedFd, depth: usize) {
        let Ok(entries) = Dir::read_from(&folder) else { return self.changed = Growth::ALL };
        for entry in entries {
            if self.end.is_some_and(|end| Instant::now() >= end) {
                return;
            }
            let Ok(entry) = entry else { return self.changed = Growth::ALL };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
            // What is gone by now is not there to be counted.
            let Ok(found) = statx(&folder, name, AtFlags::SYMLINK_NOFOLLOW, wanted) else { continue };
            self.file(&found);
            if FileType::from_raw_mode(found.stx_mode.into()) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match openat(&folder, name, flags, Mode::empty()) {
                    Ok(_) if depth >= DEPTH_MAX => self.changed = Growth::ALL,
                    Ok(below) => self.folder(below, depth + 1),
                    Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {}
                    // A folder that its owner closed against reading.
                    Err(_) => self.changed = Growth::ALL,
                }
            }
        }
    }

    fn file(&mut self, found: &Statx) {
        let one = Growth { bytes: found.stx_blocks.saturating_mul(BLOCK_BYTES), files: 1 };
        if self.since.is_before_change(found) {
            self.changed = self.changed.plus(one);
        }
        if !self.since.is_before_birth(found) {
            return;
        }
        let is_folder = FileType::from_raw_mode(found.stx_mode.into()) == FileType::Directory;
        let which = (found.stx_dev_major, found.stx_dev_minor, found.stx_ino);
        if is_folder || found.stx_nlink == 1 || self.linked.insert(which) {
            self.new = self.new.plus(one);
        }
    }
}

/// Counts what the processes hold open and nobody can find by a name.
fn unlinked(processes: &OwnedFd) -> Growth {
    let mut seen = BTreeSet::new();
    let mut sum = Growth::default();
    let Ok(folders) = process_folders(processes) else { return Growth::ALL };
    for process in folders {
        for entry in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            let Ok(found) = fs::metadata(entry.path()) else { continue };
            if found.is_file() && found.nlink() == 0 && seen.insert((found.dev(), found.ino())) {
                sum = sum.plus(Growth { bytes: found.blocks().saturating_mul(BLOCK_BYTES), files: 1 });
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed_since(folder: &Path, s: i64) -> Growth {
        Count::of(folder, Since { s, ns: 0 }, None).changed
    }

    #[test]
    fn what_was_written_since_counts_and_links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("a")).unwrap();
        fs::write(place.path().join("a/file"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/usr", place.path().join("link")).unwrap();
        let now = Since::now().s - 1;
        let grown = changed_since(place.path(), now);
        assert_eq!(grown.files, 3);
        assert!((100_000..300_000).contains(&grown.bytes), "{grown:?}");
        assert_eq!(changed_since(place.path(), now + 60), Growth::default());
    }

    #[test]
    fn what_can_not_be_looked_at_counts_as_everything() {
        assert_eq!(changed_since(Path::new("/no/such/folder"), 0), Growth::ALL);
    }

    #[test]
    fn what_was_there_before_is_not_new_however_it_is_changed_and_a_new_file_is_new_once() {
        let place = tempfile::tempdir().unwrap();
        for name in ["before", "touched"] {
            fs::write(place.path().join(name), "x").unwrap();
        }
        let last = fs::metadata(place.path().join("touched")).unwrap().created().unwrap();
        let last = last.duration_since(std::time::UNIX_EPOCH).unwrap();
        let since = Since { s: last.as_secs().try_into().unwrap(), ns: last.subsec_nanos() + 1 };
        fs::write(place.path().join("touched"), "y").unwrap();
        // A file that is made within the same tick may look as old as the one before.
        let is_new = |path: &Path| Count::of(path, since, None).new.files > 0;
        while !is_new(place.path()) {
            let _ = fs::remove_file(place.path().join("new"));
            fs::write(place.path().join("new"), "z").unwrap();
        }
        fs::hard_link(place.path().join("new"), place.path().join("same")).unwrap();
        assert_eq!(Count::of(place.path(), since, None).new.files, 1);
    }

    #[test]
    fn where_others_remove_files_what_is_new_ends_the_run_all_the_same() {
        let place = tempfile::tempdir().unwrap();
        let limits = Limits { files: 10, ..Limits::default() };
        let mut watch = DiskWatch::new(vec![place.path().to_owned()], &limits);
        // As if others had removed as many meanwhile as there are.
        watch.folders[0].before = Growth::ALL;
        watch.count_at += Duration::from_secs(3_600);
        let processes = OwnedFd::from(fs::File::open("/proc").unwrap());
        for number in 0..11 {
            fs::write(place.path().join(number.to_string()), "").unwrap();
        }
        assert!(!watch.is_exceeded(&processes), "it is not time to count");
        assert!(watch.is_exceeded_at_end());
        watch.count_at = Instant::now();
        assert!(watch.is_exceeded(&processes));
    }
}
