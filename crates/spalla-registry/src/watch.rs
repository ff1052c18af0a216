//! Tells when a folder changes, as the kernel says it (inotify).

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a folder has to be quiet before it is read: an editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(20);
/// How long one waits for that.
const QUIET_MAX: Duration = Duration::from_millis(100);
/// How many folders are watched: as many as the kernel lets one person have by default, and no more.
const FOLDERS_MAX: usize = 8_192;
/// Room for what is told at a time, in bytes.
const TOLD_BYTES: usize = 16 * 1024;

/// Watches a folder and everything below it but what is hidden.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    told: OwnedFd,
}

impl Watch {
    /// Begins to watch.
    pub fn begin(root: &Path) -> io::Result<Self> {
        let told = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let watch = Self { root: root.to_owned(), told };
        watch.add()?;
        Ok(watch)
    }

    /// Waits for a change, and then until it is over; returns whether there was one in that time.
    pub fn changed(&self, wait: Duration) -> io::Result<bool> {
        if !self.is_told(wait)? {
            return Ok(false);
        }
        let until = Instant::now() + QUIET_MAX;
        self.take()?;
        while Instant::now() < until && self.is_told(QUIET)? {
            self.take()?;
        }
        Ok(true)
    }

    fn is_told(&self, wait: Duration) -> io::Result<bool> {
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let mut told = [PollFd::new(&self.told, PollFlags::IN)];
        match poll(&mut told, Some(&wait)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes everything that is told; what is new below is watched from then on.
    fn take(&self) -> io::Result<()> {
        let mut room = [MaybeUninit::uninit(); TOLD_BYTES];
        let mut reader = inotify::Reader::new(&self.told, &mut room);
        let mut has_folders = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    has_folders |= event.events().intersects(ReadFlags::ISDIR | ReadFlags::QUEUE_OVERFLOW)
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        if has_folders { self.add() } else { Ok(()) }
    }

    /// Watches every folder that there is; one that is watched already stays so.
    fn add(&self) -> io::Result<()> {
        let mut open = vec![self.root.clone()];
        let mut count = 0;
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO;
        while let Some(folder) = open.pop() {
            count += 1;
            if count > FOLDERS_MAX {
                return Err(io::Error::other(format!("more than {FOLDERS_MAX} folders can't be watched")));
            }
            match inotify::add_watch(&self.told, &folder, flags) {
                Ok(_) => {}
                // It went in the meantime; its own folder tells of that.
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) if folder != self.root => continue,
                Err(error) => return Err(error.into()),
            }
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                if !is_hidden && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push(entry.path());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_deep_in_a_new_folder_is_told() {
        let root = tempfile::tempdir().unwrap();
        let watch = Watch::begin(root.path()).unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        assert!(watch.changed(Duration::from_secs(10)).unwrap());
        std::fs::write(root.path().join("a/b/c.md"), "x").unwrap();
        assert!(watch.changed(Duration::from_secs(10)).unwrap());
        while watch.changed(QUIET_MAX).unwrap() {}
        std::fs::remove_file(root.path().join("a/b/c.md")).unwrap();
        assert!(watch.changed(Duration::from_secs(10)).unwrap());
        assert!(Watch::begin(&root.path().join("none")).is_err());
    }
}
