//! Whether the folders of scratchpads belong to whom they should, and let in whom they should.

use crate::error::{Error, io};
use crate::folder::{FOLDER_MODE, Folder, RECORDS_MODE, kind_of};
use crate::scratchpads::{RECORDS, Scratchpads};
use crate::template::FOLDERS;
use rustix::fs::FileType;
use rustix::process::geteuid;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A folder that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub path: PathBuf,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

impl Scratchpads {
    /// Looks at the folder of all, and at those of each; returns how many there are, and what is wrong.
    pub fn check(&self) -> Result<(usize, Vec<Fault>), Error> {
        let mut faults = Vec::new();
        let Some(data) = self.root().parent() else { return Ok((0, faults)) };
        let data = match Folder::open_chosen(data) {
            Ok(data) => data,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((0, faults)),
            Err(error) => return Err(io("opening", data)(error)),
        };
        let name = self.root().file_name().unwrap_or_default();
        let Some(root) = look(&data, name, self.root(), FOLDER_MODE, &mut faults)? else {
            return Ok((0, faults));
        };
        look(&root, RECORDS.as_ref(), &self.records_path(), RECORDS_MODE, &mut faults)?;
        let ids = self.ids()?;
        for id in &ids {
            let path = self.path(id);
            let Some(folder) = look(&root, id.as_str().as_ref(), &path, FOLDER_MODE, &mut faults)? else {
                continue;
            };
            for name in FOLDERS {
                look(&folder, name.as_ref(), &path.join(name), FOLDER_MODE, &mut faults)?;
            }
        }
        Ok((ids.len(), faults))
    }
}

/// Looks at one folder, and opens it where it is one.
fn look(
    above: &Folder,
    name: &OsStr,
    path: &Path,
    mode: u32,
    faults: &mut Vec<Fault>,
) -> Result<Option<Folder>, Error> {
    let Some(stat) = above.stat(name).map_err(io("looking at", path))? else { return Ok(None) };
    let shown = path.display();
    let mut fault = |what: String, mend: String| faults.push(Fault { path: path.to_owned(), what, mend });
    if kind_of(&stat) != FileType::Directory {
        fault("is no folder".into(), format!("see what put it there, and remove {shown}"));
        return Ok(None);
    }
    let owner = geteuid().as_raw();
    if stat.st_uid != owner {
        fault(format!("belongs to user {}", stat.st_uid), format!("run: chown {owner} {shown}"));
    }
    let found = stat.st_mode & 0o7777;
    if found != mode {
        fault(format!("has the mode {found:04o}, not {mode:04o}"), format!("run: chmod {mode:04o} {shown}"));
    }
    Ok(above.sub(name).ok())
}
