//! New contents on their way into a folder: git hands them over one after another, byte for byte, into files in a folder
//! of their own beside their places.

use super::place::Place;
use crate::commands::session::change::Entry;
use crate::commands::session::git::Git;
use crate::failure::{Failure, Result, file, in_words};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use spalla_crash::crash_point;
use spalla_domain::log::Stream;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// The bits of a file's mode that let it be executed.
const EXECUTE: u32 = 0o111;
/// The longest path that a symbolic link may have, in bytes.
const LINK_BYTES_MAX: u64 = 64 * 1024;

/// A folder of new contents.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    folder: OwnedFd,
}

impl Staged {
    /// Makes the folder, and removes what a killed process left in it.
    pub(super) fn make(place: &Place, target: &Path, session: &str) -> Result<Self> {
        let name = name_of(session);
        let path = target.join(&name);
        remove(&path)?;
        let made = crash_point!(
            "session.apply.staged.create",
            mkdirat(place.top(), name.as_str(), Mode::from_bits_truncate(0o700))
        );
        made.map_err(|errno| file("making", &path)(errno.into()))?;
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY;
        let folder = openat(place.top(), name.as_str(), flags, Mode::empty())
            .map_err(|errno| file("opening", &path)(errno.into()))?;
        Ok(Self { path, folder })
    }

    /// Returns the folder itself.
    pub(super) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Takes the contents of all that comes, each into a file whose name is its number.
    pub(super) async fn fill(&self, git: &Git, coming: &[&Entry]) -> Result<()> {
        let objects: String = coming.iter().map(|entry| format!("{}\n", entry.object)).collect();
        let (filling, enough) = (RefCell::new(Filling::new(self)), CancellationToken::new());
        let take = |stream, bytes: &[u8]| {
            let mut filling = filling.borrow_mut();
            if stream == Stream::Stdout && filling.take(bytes).is_err() {
                enough.cancel();
            }
        };
        let status =
            git.relay(&["cat-file", "--batch"], objects.into_bytes(), take, enough.cancelled()).await?;
        let filling = filling.into_inner();
        if let Some(error) = filling.failure {
            return Err(Failure::usage(format!("writing in {}: {}", self.path.display(), in_words(&error))));
        }
        if status != Some(0) || filling.number != coming.len() || filling.open.is_some() {
            return Err(Failure::failed("the session's repository does not have all that its branch names"));
        }
        Ok(())
    }

    /// Gives a content the mode that it is to have, which is that of its forerunner but for who may execute it.
    pub(super) fn finish(&self, number: usize, is_executable: bool, was: Option<u32>) -> io::Result<String> {
        let name = number.to_string();
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let content = File::from(openat(&self.folder, name.as_str(), flags, Mode::empty())?);
        let here = content.metadata()?.permissions().mode();
        let mode = mode_of(was.unwrap_or(here) & 0o777, is_executable);
        let mode = Mode::from_bits_truncate(mode);
        crash_point!("session.apply.staged.mode", fchmod(&content, mode))?;
        Ok(name)
    }

    /// Makes a symbolic link of a content.
    pub(super) fn make_link(&self, number: usize) -> io::Result<String> {
        let (content, name) = (number.to_string(), format!("{number}-link"));
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let file = File::from(openat(&self.folder, content.as_str(), flags, Mode::empty())?);
        let mut to = Vec::new();
        file.take(LINK_BYTES_MAX).read_to_end(&mut to)?;
        crash_point!(
            "session.apply.link.create",
            symlinkat(OsStr::from_bytes(&to), &self.folder, name.as_str())
        )?;
        crash_point!(
            "session.apply.link.content",
            unlinkat(&self.folder, content.as_str(), UnlinkatFlags::NoRemoveDir)
        )?;
        Ok(name)
    }

    /// Removes the folder.
    pub(super) fn end(self) -> Result<()> {
        remove(&self.path)
    }

    fn create(&self, number: usize) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let mode = Mode::from_bits_truncate(0o666);
        let name = number.to_string();
        let made =
            crash_point!("session.apply.content.create", openat(&self.folder, name.as_str(), flags, mode));
        Ok(File::from(made?))
    }
}

/// Removes what a killed process left.
pub(super) fn forget(target: &Path, session: &str) -> Result<()> {
    remove(&target.join(name_of(session)))
}

fn name_of(session: &str) -> String {
    format!(".spalla-apply-{session}")
}

fn remove(path: &Path) -> Result<()> {
    match crash_point!("session.apply.staged.remove", fs::remove_dir_all(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("removing", path)(error)),
        _ => Ok(()),
    }
}

/// Returns a mode with what may be read made executable, or nothing.
fn mode_of(mode: u32, is_executable: bool) -> u32 {
    let readable = (mode & 0o444) >> 2;
    if is_executable { mode | readable } else { mode & !EXECUTE }
}

/// Contents as they come from `git cat-file --batch`: a line with the size, that many bytes, and the end of a line.
struct Filling<'a> {
    staged: &'a Staged,
    /// How many are whole.
    number: usize,
    header: Vec<u8>,
    open: Option<(File, u64)>,
    failure: Option<io::Error>,
}

impl<'a> Filling<'a> {
    fn new(staged: &'a Staged) -> Self {
        Self { staged, number: 0, header: Vec::new(), open: None, failure: None }
    }

    fn take(&mut self, bytes: &[u8]) -> std::result::Result<(), ()> {
        if self.failure.is_some() {
            return Err(());
        }
        self.taken(bytes).map_err(|error| self.failure = Some(error))
    }

    fn taken(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let Some((file, left)) = &mut self.open else {
                bytes = self.begin(bytes)?;
                continue;
            };
            let room = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            let (piece, rest) = bytes.split_at(room);
            crash_point!("session.apply.content.write", file.write_all(piece))?;
            *left -= u64::try_from(room).unwrap_or_default();
            bytes = rest;
            // The end of the line is behind it.
            if *left == 0 && !bytes.is_empty() {
                crash_point!("session.apply.content.sync", file.sync_all())?;
                bytes = &bytes[1..];
                self.open = None;
                self.number += 1;
            }
        }
        Ok(())
    }

    /// Reads the line before a content; returns what is behind it.
    fn begin<'b>(&mut self, bytes: &'b [u8]) -> io::Result<&'b [u8]> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.header.extend(bytes);
            return Ok(&[]);
        };
        self.header.extend(&bytes[..end]);
        let header = String::from_utf8_lossy(&self.header).into_owned();
        self.header.clear();
        let size = header.rsplit(' ').next().and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| io::Error::other(format!("git does not have it: {header}")))?;
        self.open = Some((self.staged.create(self.number)?, size));
        Ok(&bytes[end + 1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_taken_byte_for_byte_however_they_come() {
        let target = tempfile::tempdir().unwrap();
        let place = Place::open(target.path()).unwrap();
        let text = b"aa blob 3\na\n\0\nbb blob 0\n\ncc blob 1\nx\n";
        for size in 1..text.len() {
            let staged = Staged::make(&place, target.path(), "s").unwrap();
            let mut filling = Filling::new(&staged);
            text.chunks(size).for_each(|piece| filling.take(piece).unwrap());
            assert_eq!((filling.number, filling.open.is_none()), (3, true), "{size}");
            let read = |name| fs::read(target.path().join(".spalla-apply-s").join(name)).unwrap();
            assert_eq!((read("0"), read("1"), read("2")), (b"a\n\0".to_vec(), vec![], b"x".to_vec()));
        }
    }

    #[test]
    fn who_may_read_may_execute() {
        assert_eq!(
            (mode_of(0o640, true), mode_of(0o755, false), mode_of(0o644, true)),
            (0o750, 0o644, 0o755)
        );
    }
}
