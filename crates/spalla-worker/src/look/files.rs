//! Finds the files of a workspace that match patterns, with their sums. Links, devices and pipes are no files.

use crate::beneath::Beneath;
use globset::{GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spalla_domain::artifact::{ARTIFACT_BYTES_MAX, ARTIFACTS_MAX, ArtifactPath};
use spalla_domain::recipe;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// The most remarks about files that are not kept.
const REMARKS_MAX: usize = 100;
/// How much of a folder's path is shown where it can't be looked into, in bytes.
const SHOWN_BYTES_MAX: usize = 200;
/// The most files and folders that are looked at; above it the patterns are too wide.
const LOOKED_AT_MAX: usize = 500_000;

/// What was found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) artifacts: Vec<Left>,
    /// What was not, and why.
    pub(crate) remarks: Vec<String>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    /// From the workspace.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Finds the files; at most as many as a run may leave.
pub(super) fn find(patterns: &[String], workspace: &Path) -> Found {
    let mut found = Found::default();
    let (globs, beneath) = match (globs_of(patterns), Beneath::open(workspace)) {
        (Ok(globs), Ok(beneath)) => (globs, beneath),
        (Err(error), _) => return found.over(error.to_string()),
        (_, Err(error)) => return found.over(error.to_string()),
    };
    let mut matched = vec![false; patterns.len()];
    let mut next = vec![String::new()];
    let mut looked_at = 0;
    while let Some(folder) = next.pop() {
        for (path, is_folder) in found.entries(workspace, &folder) {
            looked_at += 1;
            if looked_at > LOOKED_AT_MAX {
                return found.over(format!("more than {LOOKED_AT_MAX} files; the rest was not looked at"));
            }
            if is_folder {
                next.push(path);
                continue;
            }
            let hits = globs.matches(&path);
            if hits.is_empty() {
                continue;
            }
            hits.iter().for_each(|&hit| matched[hit] = true);
            found.add(&beneath, path);
        }
    }
    let missed = patterns.iter().zip(&matched).filter(|(_, matched)| !**matched);
    found.remarks.extend(missed.map(|(pattern, _)| format!("{pattern:?} matches no file")));
    found.artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Found {
    fn over(mut self, remark: String) -> Self {
        self.remarks.push(remark);
        self
    }

    /// Takes note of a file that is not kept; beyond so many nobody reads them.
    fn remark(&mut self, remark: impl FnOnce() -> String) {
        match self.remarks.len() {
            0..REMARKS_MAX => self.remarks.push(remark()),
            REMARKS_MAX => self.remarks.push("there are more such files".to_owned()),
            _ => {}
        }
    }

    /// Returns the regular files and the folders in a folder. Links, devices and pipes are neither, and git's own files are
    /// nobody's artifacts. A name that is no text can't be written into a result, and that is said.
    fn entries(&mut self, workspace: &Path, folder: &str) -> Vec<(String, bool)> {
        let shown = if folder.is_empty() { "." } else { folder };
        let read = match fs::read_dir(workspace.join(folder)) {
            Ok(read) => read,
            Err(error) => {
                // The beginning tells where it is; one that is too deep to be opened has thousands of letters.
                let beginning = &shown[..shown.floor_char_boundary(SHOWN_BYTES_MAX)];
                self.remark(|| format!("looking into {beginning:?}: {error}"));
                return Vec::new();
            }
        };
        let mut entries = Vec::new();
        for entry in read.filter_map(Result::ok) {
            let Ok(kind) = entry.file_type() else { continue };
            if !kind.is_file() && !kind.is_dir() {
                continue;
            }
            match entry.file_name().into_string() {
                Ok(name) if name == ".git" => {}
                Ok(name) if folder.is_empty() => entries.push((name, kind.is_dir())),
                Ok(name) => entries.push((format!("{folder}/{name}"), kind.is_dir())),
                Err(name) => {
                    self.remark(|| format!("{name:?} in {shown:?} can't be kept: its name is no text"));
                }
            }
        }
        entries
    }

    fn add(&mut self, beneath: &Beneath, path: String) {
        if self.artifacts.len() as u64 >= ARTIFACTS_MAX {
            let remark = format!("more than {ARTIFACTS_MAX} files match; the rest is not kept");
            if !self.remarks.contains(&remark) {
                self.remarks.push(remark);
            }
            return;
        }
        if let Err(refusal) = ArtifactPath::new(path.as_str()) {
            return self.remark(|| format!("{path:?} can't be kept: {}", refusal.detail));
        }
        // A large one is not read to its end first: it may be a hole as large as one likes.
        match size_of(beneath, &path).and_then(|bytes| {
            if bytes > ARTIFACT_BYTES_MAX { Ok((bytes, String::new())) } else { digest(beneath, &path) }
        }) {
            Ok((bytes, _)) if bytes > ARTIFACT_BYTES_MAX => {
                self.remark(|| format!("{path:?} has more than {ARTIFACT_BYTES_MAX} bytes; it is not kept"));
            }
            Ok((bytes, sha256)) => self.artifacts.push(Left { path, bytes, sha256 }),
            Err(error) => self.remark(|| format!("reading {path:?}: {error}")),
        }
    }
}

/// Makes of patterns what finds their files.
pub(crate) fn globs_of(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(recipe::glob(pattern)?);
    }
    set.build()
}

fn size_of(beneath: &Beneath, path: &str) -> io::Result<u64> {
    Ok(beneath.file(path)?.metadata()?.len())
}

/// Reads a file as far as one may be kept.
fn digest(beneath: &Beneath, path: &str) -> io::Result<(u64, String)> {
    let mut file = beneath.file(path)?.take(ARTIFACT_BYTES_MAX + 1);
    let (mut digest, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                digest.update(&piece[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let hexadecimal = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, hexadecimal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    #[test]
    fn files_beneath_the_workspace_are_found_and_links_and_pipes_are_not() {
        let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let top = workspace.path();
        fs::create_dir_all(top.join("dist/deep")).unwrap();
        fs::create_dir_all(top.join(".git")).unwrap();
        fs::write(outside.path().join("secret.txt"), "x").unwrap();
        for name in
            ["dist/a.txt", "dist/deep/b.txt", "dist/c.bin", "top.txt", ".git/config.txt", "dist/d\\e.txt"]
        {
            fs::write(top.join(name), name).unwrap();
        }
        symlink(outside.path(), top.join("dist/out")).unwrap();
        symlink(outside.path().join("secret.txt"), top.join("dist/secret.txt")).unwrap();
        mknodat(CWD, top.join("dist/pipe.txt"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let patterns = ["./dist/**/*.txt", "*.txt", "none/*"].map(str::to_owned);
        let found = find(&patterns, top);
        let paths: Vec<&str> = found.artifacts.iter().map(|artifact| artifact.path.as_str()).collect();
        assert_eq!(paths, ["dist/a.txt", "dist/deep/b.txt", "top.txt"]);
        assert_eq!(found.artifacts[0].bytes, 10);
        let sha256: String = Sha256::digest(b"dist/a.txt").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found.artifacts[0].sha256, sha256);
        assert_eq!(found.remarks.len(), 2, "{:?}", found.remarks);
        assert!(found.remarks[0].contains("can't be kept: path: it has a backslash"), "{:?}", found.remarks);
        assert_eq!(found.remarks[1], "\"none/*\" matches no file");
    }

    #[test]
    fn what_can_not_be_named_or_reached_is_remarked() {
        use std::os::unix::ffi::OsStrExt as _;
        let workspace = tempfile::tempdir().unwrap();
        let odd = std::ffi::OsStr::from_bytes(b"odd\xff");
        fs::write(workspace.path().join(odd), "x").unwrap();
        // Deeper than any path that the kernel takes.
        let mut folder = std::os::fd::OwnedFd::from(fs::File::open(workspace.path()).unwrap());
        let name = "d".repeat(250);
        for _ in 0..20 {
            rustix::fs::mkdirat(&folder, &name, Mode::RWXU).unwrap();
            let flags = rustix::fs::OFlags::DIRECTORY;
            folder = rustix::fs::openat(&folder, &name, flags, Mode::empty()).unwrap();
        }
        let found = find(&["**".to_owned()], workspace.path());
        let said = found.remarks.join("\n");
        assert!(said.contains(r#""odd\xFF" in "." can't be kept: its name is no text"#), "{said}");
        assert!(said.contains("looking into \"ddd") && said.contains("too long"), "{said}");
        crate::scratchpad::remove_tree(&workspace.path().join(&name)).unwrap();
    }

    #[test]
    fn a_file_that_is_too_large_is_remarked_and_not_kept() {
        let workspace = tempfile::tempdir().unwrap();
        let sparse = fs::File::create(workspace.path().join("image")).unwrap();
        sparse.set_len(ARTIFACT_BYTES_MAX + 1).unwrap();
        let found = find(&["*".to_owned()], workspace.path());
        assert_eq!(found.artifacts, []);
        assert_eq!(
            found.remarks,
            [format!("\"image\" has more than {ARTIFACT_BYTES_MAX} bytes; it is not kept")]
        );
    }
}
