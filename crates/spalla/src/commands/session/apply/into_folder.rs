//! Brings a session's work into a folder without git: the three-way difference. A file that the session changed is
//! replaced only where it still is what the session began with; one other file, and nothing is written at all.

use super::place::{Place, Seen, last, may_stand};
use super::staged::Staged;
use super::{InTheWay, Outlook, Why};
use crate::commands::session::change::{Change, EXECUTABLE, Entry, LINK, Name, shown};
use crate::exit::Exit;
use crate::failure::{Failure, Result, file, in_words};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, renameat};
use nix::sys::stat::FileStat;
use sha1::{Digest as _, Sha1};
use spalla_crash::crash_point;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

/// How many letters the name of a content has: those of SHA-1, which is what Spalla's copies are kept with.
const OBJECT_LETTERS: usize = 40;
/// How much is read of a file at a time, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// A folder that a session's work goes into.
#[derive(Debug)]
pub(super) struct Folder<'a> {
    path: &'a Path,
    place: Place,
    _lock: Flock<File>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// What is written or removed, with what stands there now.
    pub(super) todo: Vec<(Change, Option<Mark>)>,
    /// The folders above what goes are removed where nothing is left in them.
    gone: Vec<Name>,
}

/// What tells whether a file was touched since it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    file: (u64, u64),
    size: i64,
    mode: u32,
    changed: (i64, i64),
    written: (i64, i64),
}

impl Mark {
    #[expect(clippy::useless_conversion, reason = "the fields are of other sizes on other systems")]
    fn of(stat: &FileStat) -> Self {
        Self {
            file: (u64::from(stat.st_dev), u64::from(stat.st_ino)),
            size: i64::from(stat.st_size),
            mode: u32::from(stat.st_mode),
            changed: (i64::from(stat.st_ctime), i64::from(stat.st_ctime_nsec)),
            written: (i64::from(stat.st_mtime), i64::from(stat.st_mtime_nsec)),
        }
    }
}

/// How a path of the folder compares with a change.
enum Compared {
    /// It is what the session began with.
    Old(Option<Mark>),
    /// It is what the session made of it.
    New,
    /// It is something else, and these stand in the way.
    Else(Vec<Name>),
}

impl<'a> Folder<'a> {
    /// Opens the folder, for this process alone among those that apply something.
    pub(super) fn open(path: &'a Path) -> Result<Self> {
        let place = Place::open(path).map_err(file("opening", path))?;
        let top = place.top().try_clone().map_err(file("opening", path))?;
        match Flock::lock(top, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path, place, _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => {
                let what = format!("another `spalla session apply` is at work in {}", path.display());
                Err(Failure::new(Exit::Stopped, what).mend("wait for its end"))
            }
            Err((_, errno)) => Err(file("locking", path)(errno.into())),
        }
    }

    /// Returns the folder itself.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Tells what would come of it, and changes nothing.
    pub(super) fn plan(&self, changes: &[Change]) -> Result<Outlook<Plan>> {
        refuse_unfit(changes)?;
        let removed: BTreeSet<&[u8]> = changes
            .iter()
            .filter(|change| change.is_removal())
            .map(|change| change.path.as_slice())
            .collect();
        let (mut todo, mut in_the_way) = (Vec::new(), BTreeSet::new());
        for change in changes {
            let compared = self.compare(change, &removed);
            match compared.map_err(|error| self.unread(&change.path, &error))? {
                Compared::Old(mark) => todo.push((change.clone(), mark)),
                Compared::New => {}
                Compared::Else(names) => in_the_way.extend(names),
            }
        }
        if !in_the_way.is_empty() {
            let files = in_the_way.into_iter().map(|path| InTheWay { path, why: Why::Changed });
            return Ok(Outlook::InTheWay { files: files.collect(), is_begun: false });
        }
        if todo.is_empty() {
            return Ok(Outlook::Already);
        }
        Ok(Outlook::Fits(Plan { todo, gone: removed.into_iter().map(<[u8]>::to_vec).collect() }))
    }

    /// Does what is planned: first what goes, then what comes. A process that is killed meanwhile leaves each file as it
    /// was or as it is to be, and the next one does the rest.
    pub(super) fn carry_out(&self, plan: &Plan, contents: &Staged) -> Result<()> {
        for (change, mark) in plan.todo.iter().filter(|(change, _)| change.is_removal()) {
            let removed = self.is_untouched(change, *mark).and_then(|()| self.place.remove(&change.path));
            removed.map_err(|error| self.unwritten(&change.path, &error))?;
        }
        for path in &plan.gone {
            self.place.remove_empty_above(path).map_err(|error| self.unwritten(path, &error))?;
        }
        let coming =
            plan.todo.iter().filter_map(|(change, mark)| Some((change, change.new.as_ref()?, *mark)));
        for (number, (change, new, mark)) in coming.enumerate() {
            let put =
                self.is_untouched(change, mark).and_then(|()| self.put(change, new, number, mark, contents));
            put.map_err(|error| self.unwritten(&change.path, &error))?;
        }
        Ok(())
    }

    fn put(
        &self,
        change: &Change,
        new: &Entry,
        number: usize,
        mark: Option<Mark>,
        contents: &Staged,
    ) -> io::Result<()> {
        let name = match new.mode {
            LINK => contents.make_link(number)?,
            mode => contents.finish(number, mode == EXECUTABLE, mark.map(|mark| mark.mode))?,
        };
        let parent = self.place.make_parent(&change.path)?;
        let put = crash_point!(
            "session.apply.file.rename",
            renameat(contents.folder(), name.as_str(), &parent, last(&change.path))
        );
        Ok(put?)
    }

    fn compare(&self, change: &Change, removed: &BTreeSet<&[u8]>) -> io::Result<Compared> {
        let (here, mark) = match self.place.see(&change.path)? {
            Seen::Nothing => (None, None),
            // What is above it goes as well, if it is what the session began with.
            Seen::Blocked(by) if removed.contains(by.as_slice()) => (None, None),
            Seen::Blocked(_) if change.is_removal() => return Ok(Compared::New),
            Seen::Blocked(by) => return Ok(Compared::Else(vec![by])),
            Seen::Folder if change.is_removal() => return Ok(Compared::New),
            Seen::Folder => {
                let mut others = self.place.beneath(&change.path)?;
                others.retain(|name| !removed.contains(name.as_slice()));
                if !others.is_empty() || self.place.beneath(&change.path)?.is_empty() {
                    others.push(change.path.clone());
                    return Ok(Compared::Else(others));
                }
                (None, None)
            }
            Seen::Other => return Ok(Compared::Else(vec![change.path.clone()])),
            Seen::File(stat) => (Some(self.entry_of_file(&change.path, &stat)?), Some(Mark::of(&stat))),
            Seen::Link(stat) => {
                let object = object_of(&mut &*self.place.link(&change.path)?)?;
                (Some(Entry { mode: LINK, object }), Some(Mark::of(&stat)))
            }
        };
        Ok(if here == change.new {
            Compared::New
        } else if here == change.old {
            Compared::Old(mark)
        } else {
            Compared::Else(vec![change.path.clone()])
        })
    }

    fn entry_of_file(&self, path: &[u8], stat: &FileStat) -> io::Result<Entry> {
        let mode = if stat.st_mode & 0o100 == 0 { 0o100_644 } else { EXECUTABLE };
        let object = object_of_file(&mut self.place.file(path)?)?;
        Ok(Entry { mode, object })
    }

    /// Refuses a file that is not what was looked at any more.
    fn is_untouched(&self, change: &Change, mark: Option<Mark>) -> io::Result<()> {
        let now = match self.place.see(&change.path)? {
            Seen::Nothing => None,
            Seen::File(stat) | Seen::Link(stat) => Some(Mark::of(&stat)),
            Seen::Folder | Seen::Other | Seen::Blocked(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        };
        if now == mark { Ok(()) } else { Err(io::Error::other("it was changed just now")) }
    }

    fn unread(&self, path: &[u8], error: &io::Error) -> Failure {
        let name = shown(path);
        Failure::usage(format!("reading {name} in {}: {}", self.path.display(), in_words(error)))
    }

    fn unwritten(&self, path: &[u8], error: &io::Error) -> Failure {
        let name = shown(path);
        let what = format!("writing {name} in {}: {}", self.path.display(), in_words(error));
        Failure::failed(what).mend("some of the session is there; say it again for the rest")
    }
}

/// Refuses what can't stand in a folder without git.
fn refuse_unfit(changes: &[Change]) -> Result<()> {
    if let Some(change) = changes.iter().find(|change| !may_stand(&change.path)) {
        return Err(Failure::failed(format!(
            "the session has {}, which no folder may have",
            shown(&change.path)
        )));
    }
    if let Some(change) = changes.iter().find(|change| change.has_submodule()) {
        let what =
            format!("{} is a repository of its own, of which only a commit is known", shown(&change.path));
        return Err(Failure::new(Exit::Stopped, what).mend("bring that one over by hand"));
    }
    let mut objects = changes.iter().flat_map(|change| [&change.old, &change.new]).flatten();
    if objects.any(|entry| entry.object.len() != OBJECT_LETTERS) {
        return Err(Failure::usage("the session's repository names its files otherwise than by SHA-1"));
    }
    Ok(())
}

/// Returns git's name of a content.
fn object_of(content: &mut &[u8]) -> io::Result<String> {
    let size = content.len();
    hashed(content, u64::try_from(size).unwrap_or(u64::MAX))
}

fn object_of_file(content: &mut File) -> io::Result<String> {
    let size = content.metadata()?.len();
    hashed(content, size)
}

fn hashed(content: &mut impl io::Read, size: u64) -> io::Result<String> {
    let mut hash = Sha1::new();
    hash.update(format!("blob {size}\0"));
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match content.read(&mut piece)? {
            0 => break,
            read => hash.update(&piece[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::object_of;

    #[test]
    fn a_content_is_named_as_git_names_it() {
        assert_eq!(object_of(&mut &b""[..]).unwrap(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(object_of(&mut &b"hello\n"[..]).unwrap(), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
