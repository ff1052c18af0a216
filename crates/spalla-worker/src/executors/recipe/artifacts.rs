//! Lists the files that a step names as its artifacts, with size and hash. They stay where they are.

use crate::run::Run;
use globset::{GlobSet, GlobSetBuilder};
use serde::Serialize;
use spalla_domain::recipe;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The most artifacts of a run: the list is part of its result.
const ARTIFACTS_MAX: usize = 1_000;
/// The most files and folders that are looked at for one step; above it the patterns are too wide.
const LOOKED_AT_MAX: usize = 500_000;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Artifact {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) blake3: String,
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    artifacts: Vec<Artifact>,
    remarks: Vec<String>,
}

/// Adds the files of a step; one that another step named is replaced by how it is now.
pub(super) async fn collect(
    run: &Run<'_>,
    number: u32,
    patterns: &[String],
    workspace: &Path,
    all: &mut Vec<Artifact>,
) {
    if patterns.is_empty() {
        return;
    }
    let (patterns, workspace) = (patterns.to_vec(), workspace.to_owned());
    let found = tokio::task::spawn_blocking(move || find(&patterns, &workspace)).await.unwrap_or_default();
    for remark in found.remarks {
        run.log.say_of(number, format!("artifacts: {remark}")).await;
    }
    for artifact in found.artifacts {
        run.log.say_of(number, format!("artifact {} ({} bytes)", artifact.path, artifact.bytes)).await;
        all.retain(|known| known.path != artifact.path);
        if all.len() < ARTIFACTS_MAX {
            all.push(artifact);
        }
    }
}

fn find(patterns: &[String], workspace: &Path) -> Found {
    let mut found = Found::default();
    let globs = match globs_of(patterns) {
        Ok(globs) => globs,
        Err(error) => {
            found.remarks.push(error.to_string());
            return found;
        }
    };
    let mut matched = vec![false; patterns.len()];
    let mut next = vec![String::new()];
    let mut looked_at = 0;
    while let Some(folder) = next.pop() {
        for (path, is_folder) in entries(workspace, &folder) {
            looked_at += 1;
            if looked_at > LOOKED_AT_MAX {
                found.remarks.push(format!("more than {LOOKED_AT_MAX} files; the rest was not looked at"));
                return found;
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
            found.add(workspace, path);
        }
    }
    let missed = patterns.iter().zip(&matched).filter(|(_, matched)| !**matched);
    found.remarks.extend(missed.map(|(pattern, _)| format!("{pattern:?} matches no file")));
    found.artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Found {
    fn add(&mut self, workspace: &Path, path: String) {
        if self.artifacts.len() >= ARTIFACTS_MAX {
            if self.artifacts.len() == ARTIFACTS_MAX {
                self.remarks.push(format!("more than {ARTIFACTS_MAX} files match; the rest is not listed"));
            }
            return;
        }
        match hash(&workspace.join(&path)) {
            Ok((bytes, blake3)) => self.artifacts.push(Artifact { path, bytes, blake3 }),
            Err(error) => self.remarks.push(format!("reading {path:?}: {error}")),
        }
    }
}

/// Makes of patterns what finds their files.
pub(super) fn globs_of(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(recipe::glob(pattern)?);
    }
    set.build()
}

/// Returns the regular files and the folders in a folder. Links are neither, and git's own files are nobody's
/// artifacts. A name that is no text can't be written into a result.
fn entries(workspace: &Path, folder: &str) -> Vec<(String, bool)> {
    let read = fs::read_dir(workspace.join(folder)).into_iter().flatten().filter_map(Result::ok);
    read.filter_map(|entry| {
        let (name, kind) = (entry.file_name().into_string().ok()?, entry.file_type().ok()?);
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        ((kind.is_file() || kind.is_dir()) && name != ".git").then_some((path, kind.is_dir()))
    })
    .collect()
}

fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_beneath_the_workspace_are_listed_and_links_are_not_followed() {
        let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let top = workspace.path();
        fs::create_dir_all(top.join("dist/deep")).unwrap();
        fs::create_dir_all(top.join(".git")).unwrap();
        fs::write(outside.path().join("secret.txt"), "x").unwrap();
        for name in ["dist/a.txt", "dist/deep/b.txt", "dist/c.bin", "top.txt", ".git/config.txt"] {
            fs::write(top.join(name), name).unwrap();
        }
        symlink(outside.path(), top.join("dist/out")).unwrap();
        symlink(outside.path().join("secret.txt"), top.join("dist/secret.txt")).unwrap();
        let patterns = ["./dist/**/*.txt", "*.txt", "none/*"].map(str::to_owned);
        let found = find(&patterns, top);
        let paths: Vec<&str> = found.artifacts.iter().map(|artifact| artifact.path.as_str()).collect();
        assert_eq!(paths, ["dist/a.txt", "dist/deep/b.txt", "top.txt"]);
        assert_eq!(found.artifacts[0].bytes, 10);
        assert_eq!(found.artifacts[0].blake3, blake3::hash(b"dist/a.txt").to_hex().to_string());
        assert_eq!(found.remarks, ["\"none/*\" matches no file"]);
    }
}
