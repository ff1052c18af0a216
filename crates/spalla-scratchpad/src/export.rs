//! Takes out what was made: copies the files that are new or different into a folder, each to its own path. No link is
//! followed in the scratchpad or in the folder, and what stands there stays unless somebody says otherwise.

use crate::changes::{Change, Changes};
use crate::copy::{self, Budget};
use crate::error::{Error, io};
use crate::folder::{FOLDER_MODE, Folder, kind_of};
use crate::id::Id;
use crate::manifest::FileKind;
use crate::once::Once;
use crate::scratchpads::{Scratchpads, View};
use crate::state::Step;
use crate::walk::hidden;
use rustix::fs::{FileType, RenameFlags, renameat, renameat_with};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use spalla_crash::crash_point;
use spalla_domain::Timestamp;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The folder in the data folder that is exported into for whoever asks over the network.
const EXPORTS: &str = "exports";
/// The name of a file on its way to its place.
const NEW: &str = ".spalla-export-new";
/// How many of the files in the way are named.
const NAMED_MAX: usize = 10;

/// What was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Of which.
    pub id: Id,
    /// Where to.
    pub folder: PathBuf,
    /// How many files.
    pub files: u64,
    /// How long they are together, in bytes.
    pub bytes: u64,
    /// What was made and is no file: links, pipes. It stays where it is.
    pub left_out: Vec<String>,
    /// What was removed in the scratchpad; it is removed nowhere else.
    pub deleted: Vec<String>,
    /// Whether everything was seen.
    pub is_whole: bool,
}

/// What stands in a place.
enum Seen {
    Nothing,
    File,
    Blocked,
}

impl Scratchpads {
    /// Copies what was made into a folder, made where it is missing.
    pub fn export(&self, id: &Id, folder: &Path, force: bool, now: Timestamp) -> Result<Exported, Error> {
        let _held = self.hold(id)?;
        self.may_export(id, now)?;
        let failed = || io("exporting into", folder);
        let made = crash_point!("scratchpad.export.folder", DirBuilder::new().recursive(true).create(folder));
        made.map_err(failed())?;
        let path = folder.canonicalize().map_err(failed())?;
        if self.root().canonicalize().is_ok_and(|root| path.starts_with(root)) {
            let shown = folder.display();
            return Err(Error::Invalid(format!(
                "{shown} is among the scratchpads: export into another folder"
            )));
        }
        let into = Folder::open(folder).map_err(failed())?;
        self.take_out(id, (&into, path), force, None, now)
    }

    /// Copies what was made into a folder of this name beneath `exports` in the data folder, once however often it
    /// is asked for under its key.
    pub fn export_beneath(
        &self,
        id: &Id,
        (name, force): (&str, bool),
        once: Option<Once>,
        now: Timestamp,
    ) -> Result<Exported, Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !begins || name.len() > 100 || !name.bytes().all(is_plain) {
            return Err(Error::Invalid("the folder's name has letters, digits, `.`, `_` and `-`".into()));
        }
        let _held = self.hold(id)?;
        if let (Some(once), Some((earlier, answer))) = (&once, self.record(id)?.exported_once)
            && once.is_again(Some(&earlier))?
        {
            return Ok(answer);
        }
        self.may_export(id, now)?;
        let data = &self.options().data;
        let path = data.join(EXPORTS).join(name);
        let opened = Folder::open_chosen(data)
            .and_then(|data| data.open_or_make(EXPORTS.as_ref(), 0o700))
            .and_then(|exports| exports.open_or_make(name.as_ref(), FOLDER_MODE));
        let into = opened.map_err(io("exporting into", &path))?;
        self.take_out(id, (&into, path), force, once, now)
    }

    /// Says that what was made was taken out by other ways.
    pub fn exported(&self, id: &Id, to: &str, now: Timestamp) -> Result<View, Error> {
        self.change(id, Step::Export, now, |record| record.exported_to = Some(to.to_owned()))
    }

    fn may_export(&self, id: &Id, now: Timestamp) -> Result<(), Error> {
        self.show(id, now)?;
        match self.record(id)?.state.after(Step::Export) {
            Some(_) => Ok(()),
            None => Err(Error::Conflict(format!("the scratchpad {id} is being removed"))),
        }
    }

    fn take_out(
        &self,
        id: &Id,
        (into, path): (&Folder, PathBuf),
        force: bool,
        once: Option<Once>,
        now: Timestamp,
    ) -> Result<Exported, Error> {
        let changes = self.changes(id, now)?;
        let made = || changes.created.iter().chain(&changes.changed);
        let files: Vec<Vec<u8>> = made()
            .filter(|change| change.kind == FileKind::File)
            .map(|change| hidden(&change.path))
            .collect();
        refuse_what_is_in_the_way(&files, into, &path, force)?;
        let quota = self.quota();
        let mut budget = Budget { bytes: quota.bytes, files: quota.files };
        let from = self.path(id);
        let top = Folder::open(&from).map_err(io("opening", &from))?;
        for file in &files {
            copy_file(&top, into, file, force, &mut budget, &path)?;
        }
        let others = made().filter(|change| change.kind != FileKind::File);
        let to = path.to_string_lossy().into_owned();
        let answer = exported(id, path, &changes, others);
        self.change(id, Step::Export, now, |record| {
            record.exported_to = Some(to);
            record.exported_once = once.map(|once| (once, answer.clone()));
        })?;
        Ok(answer)
    }
}

fn exported<'a>(
    id: &Id,
    folder: PathBuf,
    changes: &Changes,
    others: impl Iterator<Item = &'a Change>,
) -> Exported {
    let made = || changes.created.iter().chain(&changes.changed).filter(|made| made.kind == FileKind::File);
    Exported {
        id: id.clone(),
        folder,
        files: made().count() as u64,
        bytes: made().map(|made| made.size).sum(),
        left_out: others.map(|change| change.path.clone()).collect(),
        deleted: changes.deleted.iter().map(|change| change.path.clone()).collect(),
        is_whole: changes.is_whole,
    }
}

/// Looks at every place before anything is written.
fn refuse_what_is_in_the_way(
    files: &[Vec<u8>],
    into: &Folder,
    shown: &Path,
    force: bool,
) -> Result<(), Error> {
    let (mut there, mut blocked) = (Vec::new(), Vec::new());
    for file in files {
        let place = || shown.join(OsStr::from_bytes(file)).display().to_string();
        match see(into, file).map_err(io("exporting into", shown))? {
            Seen::Blocked => blocked.push(place()),
            Seen::File if !force => there.push(place()),
            Seen::File | Seen::Nothing => {}
        }
    }
    let named = |list: &[String]| {
        let more = list.len().saturating_sub(NAMED_MAX);
        let named = list.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{named} and {more} more") } else { named }
    };
    if !blocked.is_empty() {
        return Err(Error::Conflict(format!("a link or a folder is in the way of {}", named(&blocked))));
    }
    if !there.is_empty() {
        let named = named(&there);
        return Err(Error::Conflict(format!("{named} would be overwritten; export with force to do so")));
    }
    Ok(())
}

fn see(into: &Folder, file: &[u8]) -> std::io::Result<Seen> {
    let (above, name) = parts(file);
    let mut opened: Option<Folder> = None;
    for part in above {
        match opened.as_ref().unwrap_or(into).sub(part) {
            Ok(below) => opened = Some(below),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Seen::Nothing),
            Err(_) => return Ok(Seen::Blocked),
        }
    }
    Ok(match opened.as_ref().unwrap_or(into).stat(name)?.as_ref().map(kind_of) {
        None => Seen::Nothing,
        Some(FileType::RegularFile) => Seen::File,
        Some(_) => Seen::Blocked,
    })
}

/// Copies one file beside its place, and puts it there when it is whole.
fn copy_file(
    from: &Folder,
    into: &Folder,
    file: &[u8],
    force: bool,
    budget: &mut Budget,
    shown: &Path,
) -> Result<(), Error> {
    let place = shown.join(OsStr::from_bytes(file));
    let failed = || io("exporting", &place);
    let (above, name) = parts(file);
    let (mut source, mut target): (Option<Folder>, Option<Folder>) = (None, None);
    for part in above {
        source = Some(source.as_ref().unwrap_or(from).sub(part).map_err(failed())?);
        target = Some(target.as_ref().unwrap_or(into).open_or_make(part, FOLDER_MODE).map_err(failed())?);
    }
    let (source, target) = (source.as_ref().unwrap_or(from), target.as_ref().unwrap_or(into));
    let source = source.file(name).map_err(failed())?;
    let mode = source.metadata().map_err(failed())?;
    let mode = if std::os::unix::fs::MetadataExt::mode(&mode) & 0o100 == 0 { 0o644 } else { 0o755 };
    target.unlink(NEW.as_ref()).map_err(failed())?;
    copy::file(&source, target, NEW.as_ref(), mode, budget).map_err(|error| error.at(&place))?;
    let placed = crash_point!("scratchpad.export.place", put(target, name, force));
    placed.map_err(|errno| {
        let _ = target.unlink(NEW.as_ref());
        match errno {
            Errno::EXIST => Error::Conflict(format!("{} would be overwritten", place.display())),
            errno => failed()(errno.into()),
        }
    })
}

fn put(target: &Folder, name: &OsStr, force: bool) -> Result<(), Errno> {
    if force {
        return renameat(target, NEW, target, name);
    }
    match renameat_with(target, NEW, target, name, RenameFlags::NOREPLACE) {
        // Not every file system can; a second name of the same file is refused as well where there is one.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(target, NEW, target, name, rustix::fs::AtFlags::empty())?;
            rustix::fs::unlinkat(target, NEW, rustix::fs::AtFlags::empty())
        }
        done => done,
    }
}

/// Returns the folders above a file, and its name.
fn parts(file: &[u8]) -> (impl Iterator<Item = &OsStr>, &OsStr) {
    let mut parts: Vec<&OsStr> = file.split(|byte| *byte == b'/').map(OsStr::from_bytes).collect();
    let name = parts.pop().unwrap_or_default();
    (parts.into_iter(), name)
}
