//! The repository's files as the checks see them: what git tracks or would track, read once.

use super::finding::Finding;
use super::rust_source::RustSource;
use anyhow::{Context, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// One file of the repository.
pub(crate) struct File {
    /// Path from the repository's root, with `/` between the parts.
    pub(crate) path: String,
    /// The content; empty where the file is not text.
    pub(crate) text: String,
    /// What the compiler would see, for Rust files that can be read.
    pub(crate) rust: Option<RustSource>,
    /// Whether the file exists for tests only.
    pub(crate) is_test: bool,
}

/// All files of the repository, in the order of their paths.
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
    folders: BTreeSet<String>,
    unreadable: Vec<Finding>,
}

impl Tree {
    /// Reads what git tracks, and what it would track if everything were added.
    pub(crate) fn load(root: &Path) -> anyhow::Result<Self> {
        let mut texts = Vec::new();
        for path in paths_of(root)? {
            let full = root.join(&path);
            // A tracked file may be deleted in the working tree, and a link may lead anywhere.
            if !full.is_file() || full.is_symlink() {
                continue;
            }
            let bytes = std::fs::read(&full).with_context(|| format!("reading {}", full.display()))?;
            texts.push((path, String::from_utf8(bytes).unwrap_or_default()));
        }
        Ok(Self::of(texts))
    }

    /// Returns a tree of the given paths and texts.
    pub(crate) fn of<P: Into<String>, T: Into<String>>(texts: impl IntoIterator<Item = (P, T)>) -> Self {
        let mut tree = Self { files: BTreeMap::new(), folders: BTreeSet::new(), unreadable: Vec::new() };
        for (path, text) in texts {
            tree.add(path.into(), text.into());
        }
        tree.mark_test_modules();
        tree
    }

    /// Returns every file.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// Returns every Rust file that could be read, with its content.
    pub(crate) fn rust_files(&self) -> impl Iterator<Item = (&File, &RustSource)> {
        self.files().filter_map(|file| file.rust.as_ref().map(|rust| (file, rust)))
    }

    /// Tells whether a file or folder of that path exists.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.files.contains_key(path) || self.folders.contains(path)
    }

    /// Returns a finding for each Rust file that the compiler could not read either.
    pub(crate) fn unreadable(&self) -> Vec<Finding> {
        self.unreadable.clone()
    }

    fn add(&mut self, path: String, text: String) {
        for (end, _) in path.match_indices('/') {
            self.folders.insert(path[..end].to_owned());
        }
        let mut rust = None;
        if path.ends_with(".rs") {
            match RustSource::read(&text) {
                Ok(source) => rust = Some(source),
                Err((line, why)) => {
                    let message = format!("cannot be read as Rust: {why}");
                    self.unreadable.push(Finding::fault(&path, line, message));
                }
            }
        }
        let is_test = is_test_path(&path);
        self.files.insert(path.clone(), File { path, text, rust, is_test });
    }

    /// A file behind `#[cfg(test)] mod name;` is a test whatever it is called, and so is what lies below it.
    fn mark_test_modules(&mut self) {
        let modules: Vec<String> = self
            .rust_files()
            .flat_map(|(file, rust)| {
                let folder = module_folder(&file.path);
                rust.test_modules.iter().map(move |name| format!("{folder}/{name}"))
            })
            .collect();
        for file in self.files.values_mut() {
            let below = |module: &String| {
                file.path
                    .strip_prefix(module.as_str())
                    .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            };
            file.is_test = file.is_test || modules.iter().any(below);
        }
    }
}

fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

/// Returns the folder in which a file's child modules live.
fn module_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.trim_end_matches(".rs") {
        "lib" | "main" => folder.to_owned(),
        stem => format!("{folder}/{stem}"),
    }
}

fn paths_of(root: &Path) -> anyhow::Result<Vec<String>> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root)
        .output()
        .context("asking git for the repository's files; is git installed?")?;
    let complaint = String::from_utf8_lossy(&listing.stderr);
    ensure!(listing.status.success(), "git ls-files in {} failed: {}", root.display(), complaint.trim());
    let paths = String::from_utf8(listing.stdout).context("a path that is not UTF-8")?;
    Ok(paths.split_terminator('\0').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn files_and_their_folders_are_known() {
        let tree = Tree::of([("docs/decisions/0001.md", "")]);
        assert!(tree.has("docs") && tree.has("docs/decisions/") && tree.has("docs/decisions/0001.md"));
        assert!(!tree.has("docs/decision"));
    }

    #[test]
    fn what_hangs_behind_cfg_test_is_a_test_whatever_its_name() {
        let tree = Tree::of([
            ("crates/a/src/lib.rs", "#[cfg(test)]\nmod fixture;\nmod real;\n"),
            ("crates/a/src/fixture.rs", ""),
            ("crates/a/src/fixture/clock.rs", ""),
            ("crates/a/src/fixtures.rs", ""),
            ("crates/a/src/real.rs", ""),
            ("crates/a/tests/it/main.rs", ""),
        ]);
        let tests: Vec<&str> = tree.files().filter(|file| file.is_test).map(|file| &*file.path).collect();
        assert_eq!(
            tests,
            ["crates/a/src/fixture.rs", "crates/a/src/fixture/clock.rs", "crates/a/tests/it/main.rs"]
        );
    }

    #[test]
    fn a_file_that_is_not_rust_is_said_so() {
        let tree = Tree::of([("crates/a/src/lib.rs", "//! a\nfn f() { \"open }\n")]);
        assert_eq!(tree.unreadable().len(), 1);
    }
}
