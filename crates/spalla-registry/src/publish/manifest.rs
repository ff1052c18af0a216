//! The list of what was published, so that the next publication knows what is its own to remove.

use super::{Error, File, MANIFEST, at, staging};
use crate::id;
use crate::index::{BRIEF_END, DEFINITION_END, INDEX, TRIGGERS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Path → digest of everything that was published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) files: BTreeMap<String, String>,
}

impl Manifest {
    pub(super) fn of(files: &BTreeMap<String, File>) -> Self {
        let digest = |(path, file): (&String, &File)| (path.clone(), file.digest().to_hex().to_string());
        Self { files: files.iter().map(digest).collect() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        crate::index::written(self)
    }

    /// Reads the list of a folder. One that nobody can read names nothing: then nothing is removed.
    pub(super) fn read(out: &Path) -> Result<Self, Error> {
        let bytes = staging::plain_file(&out.join(MANIFEST)).map_err(at(out))?;
        let mut manifest: Self =
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        // Whoever changed the list does not make us remove something else.
        manifest.files.retain(|path, _| is_ours(path));
        Ok(manifest)
    }
}

/// Tells whether a path is one that may have been published.
fn is_ours(path: &str) -> bool {
    if [INDEX, TRIGGERS].contains(&path) {
        return true;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    let file = parts.pop().unwrap_or_default();
    let stem = file.strip_suffix(DEFINITION_END).or_else(|| file.strip_suffix(BRIEF_END));
    stem.is_some_and(id::is_id)
        && matches!(parts.len(), 1 | 2)
        && parts.iter().all(|part| id::is_folder(part))
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_paths_that_are_made_of_ids_are_ours() {
        for path in ["index.json", "data/sql-pro.codex.yaml", "game/unity/a.md"] {
            assert!(is_ours(path), "{path}");
        }
        for path in
            ["../x.md", "/etc/a.md", "a/../../b.md", "a/b/c/d.md", "a.md", "a/.md", "notes.txt", "a//b.md"]
        {
            assert!(!is_ours(path), "{path}");
        }
    }
}
