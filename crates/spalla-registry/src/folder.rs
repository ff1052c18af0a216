//! Finds and reads the agents' files of a folder. Links that lead out of it are not followed, and nothing waits for a file
//! that is none.

use crate::front_matter::FILE_BYTES_MAX;
use crate::problem::{Problem, Severity};
use crate::publish::is_published;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many files of one folder are read.
pub const FILES_MAX: usize = 50_000;
/// How deep folders are searched.
const DEPTH_MAX: usize = 16;

/// A file that may be an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path below the folder, divided by `/`.
    pub path: String,
    /// What tells one state of it from another: its change in nanoseconds, its size and its number.
    pub stamp: (u128, u64, u64),
}

/// What a folder holds.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Its files, in the order of their paths.
    pub files: Vec<Found>,
    /// What can't be read.
    pub problems: Vec<Problem>,
    /// The newest change of a file or of a folder that holds one, in seconds since 1970.
    pub newest_s: i64,
}

/// Lists the files `**/*.md` of a folder, without those in hidden folders and in `skip`.
pub fn list(root: &Path, skip: Option<&Path>) -> io::Result<Listing> {
    let real = root.canonicalize()?;
    let mut listing = Listing::default();
    let mut open = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = open.pop() {
        let data = match fs::metadata(&folder) {
            Ok(data) => data,
            // It went in the meantime; only the first has to be there.
            Err(_) if depth > 0 => continue,
            Err(error) => return Err(error),
        };
        listing.newest_s = listing.newest_s.max(seconds(&data));
        for entry in names(&folder, &prefix, &mut listing)? {
            let path = folder.join(&entry);
            let below = format!("{prefix}{entry}");
            if entry.starts_with('.') {
                continue;
            }
            let kind = match fs::symlink_metadata(&path) {
                Ok(data) => data.file_type(),
                // It went in the meantime.
                Err(_) => continue,
            };
            if kind.is_dir() {
                if skip.is_some_and(|skip| path.canonicalize().is_ok_and(|path| path == skip)) {
                    continue;
                }
                if is_published(&path) {
                    let mend = "publish it elsewhere with --out";
                    listing.warn(&below, "published", "it is a publication, which is not read", mend);
                    continue;
                }
                if depth + 1 >= DEPTH_MAX {
                    listing.problem(
                        &below,
                        "deep",
                        format!("folders are read {DEPTH_MAX} deep"),
                        "move it up",
                    );
                    continue;
                }
                open.push((path, format!("{below}/"), depth + 1));
            } else if kind.is_symlink() && path.is_dir() {
                // It may lead out, or in a circle.
                let message = "it is a link to a folder, which is not followed";
                listing.warn(&below, "link", message, "copy the folder, or name it with --source");
            } else if is_named_like_an_agent(Path::new(&entry)) {
                listing.file(&real, &path, below, kind.is_symlink());
            }
        }
        if listing.files.len() > FILES_MAX {
            let what = format!("the folder has more than {FILES_MAX} files");
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
    }
    listing.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listing)
}

/// Returns the names in a folder. One below the first that can't be read is told, and costs nothing but itself.
fn names(folder: &Path, prefix: &str, listing: &mut Listing) -> io::Result<Vec<String>> {
    match entries(folder, prefix, listing) {
        Err(error) if prefix.is_empty() => Err(error),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => {
            let why = format!("the folder can't be read: {error}");
            listing.problem(prefix.trim_end_matches('/'), "unreadable", why, "look at its permissions");
            Ok(Vec::new())
        }
        names => names,
    }
}

fn entries(folder: &Path, prefix: &str, listing: &mut Listing) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // What can't be an agent may be called as it likes.
        let may_be_one = is_named_like_an_agent(Path::new(&entry.file_name())) || entry.path().is_dir();
        match entry.file_name().into_string() {
            Ok(name) if !name.chars().any(char::is_control) => names.push(name),
            _ if !may_be_one => {}
            Ok(name) => {
                let shown = format!("{prefix}{}", name.escape_debug());
                listing.problem(&shown, "file-name", "the name has control characters".into(), "rename it");
            }
            Err(name) => {
                let shown = format!("{prefix}{}", name.to_string_lossy());
                listing.problem(&shown, "file-name", "the name is not UTF-8".into(), "rename it");
            }
        }
    }
    names.sort();
    Ok(names)
}

fn is_named_like_an_agent(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("md"))
}

impl Listing {
    fn problem(&mut self, path: &str, code: &'static str, message: String, mend: &str) {
        self.problems.push(Problem::new(path, Severity::Error, code, message).mend(mend));
    }

    fn warn(&mut self, path: &str, code: &'static str, message: &str, mend: &str) {
        self.problems.push(Problem::new(path, Severity::Warning, code, message).mend(mend));
    }

    fn file(&mut self, real: &Path, path: &Path, below: String, is_link: bool) {
        if is_link {
            match path.canonicalize() {
                Ok(target) if target.starts_with(real) => {}
                Ok(_) => {
                    let message = "it is a link that leads out of the folder".to_owned();
                    return self.problem(&below, "link", message, "copy the file into the folder");
                }
                Err(_) => return self.problem(&below, "link", "it is a link to nothing".into(), "remove it"),
            }
        }
        let Ok(data) = fs::metadata(path) else { return };
        if data.is_dir() {
            return;
        }
        if !data.is_file() {
            return self.problem(&below, "no-file", "it is no file".into(), "remove it");
        }
        self.newest_s = self.newest_s.max(seconds(&data));
        self.files.push(Found { path: below, stamp: stamp(&data) });
    }
}

/// Reads a file, or as much of it as is more than may be read.
pub fn read(root: &Path, found: &Found) -> io::Result<Vec<u8>> {
    let mut bytes =
        Vec::with_capacity(usize::try_from(found.stamp.1.min(FILE_BYTES_MAX)).unwrap_or_default() + 1);
    File::open(path(root, &found.path))?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the path of a file that was listed.
pub fn path(root: &Path, below: &str) -> PathBuf {
    below.split('/').fold(root.to_owned(), |path, part| path.join(part))
}

fn stamp(data: &Metadata) -> (u128, u64, u64) {
    use std::os::unix::fs::MetadataExt;
    // The time of the inode: nobody sets it back, as they may that of the content.
    let since =
        Duration::new(data.ctime().try_into().unwrap_or(0), data.ctime_nsec().try_into().unwrap_or(0));
    (since.as_nanos(), data.len(), data.ino())
}

fn seconds(data: &Metadata) -> i64 {
    let since = |at: SystemTime| at.duration_since(UNIX_EPOCH).ok();
    let changed = data.modified().ok().and_then(since).map_or(0, |since| since.as_secs());
    i64::try_from(changed).unwrap_or(i64::MAX)
}
