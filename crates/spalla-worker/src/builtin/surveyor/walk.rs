//! Lists the files of a tree in path order: `.gitignore` is respected, symbolic links are not followed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder};
use serde::Serialize;

use super::limits::Limits;
use super::survey::StopSwitch;

/// One regular file of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreeFile {
    pub path: String,
    pub bytes: u64,
}

/// What a walk left aside, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeftAside {
    /// Symbolic links: counted, never followed.
    pub symbolic_links: usize,
    /// Sockets, pipes and devices.
    pub special_files: usize,
    /// Names that are not valid UTF-8.
    pub odd_names: usize,
    /// Entries that could not be listed.
    pub unreadable: usize,
    /// Folders of installed packages, caches and build output, by path.
    pub folders: Vec<String>,
    /// Folders whose `.gitignore` is not a small regular file, by path.
    pub odd_ignore_files: Vec<String>,
    /// Folders below the limit on depth, by path.
    pub too_deep: Vec<String>,
    /// Whether the walk ended at the limit on files.
    pub cut: bool,
}

/// Folders that hold what tools installed or built; nothing a person wrote.
const TOOL_FOLDERS: &[&str] = &[
    "node_modules",
    "bower_components",
    "__pycache__",
    ".venv",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".gradle",
    ".terraform",
    ".next",
    ".nuxt",
    ".svelte-kit",
    ".yarn",
    ".pnpm-store",
    ".idea",
    ".vs",
    "Pods",
    ".dart_tool",
    ".eggs",
];

const VERSION_CONTROL: &[&str] = &[".git", ".hg", ".svn", ".jj", ".bzr", "CVS"];

/// Ignore files are lists written by hand; one past this size is an accident or an attack.
const IGNORE_FILE_BYTES_MAX: u64 = 1 << 20;

/// Folders of one kind that are kept by name; more add nothing for a reader.
const FOLDERS_NAMED_MAX: usize = 200;

/// Lists the regular files under `root`, sorted by path; not all of them once somebody wants it to end.
pub(crate) fn walk(root: &Path, limits: &Limits, stop: &StopSwitch) -> (Vec<TreeFile>, LeftAside) {
    let aside = Arc::new(Mutex::new(LeftAside::default()));
    let mut files = Vec::new();
    if !has_usable_ignore_file(root) {
        note(&aside, |aside| aside.odd_ignore_files.push(String::from(".")));
        return (files, take(&aside));
    }
    for entry in walker(root, limits, &aside).build() {
        if stop.is_stopped() {
            break;
        }
        if files.len() >= limits.files_max {
            note(&aside, |aside| aside.cut = true);
            break;
        }
        match entry {
            Ok(entry) => files.extend(file_of(root, &entry, &aside)),
            Err(_) => note(&aside, |aside| aside.unreadable += 1),
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    (files, take(&aside))
}

fn walker(root: &Path, limits: &Limits, aside: &Arc<Mutex<LeftAside>>) -> WalkBuilder {
    let aside = Arc::clone(aside);
    let root_path = root.to_path_buf();
    let depth_max = limits.depth_max;
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        // Only what lies in the tree decides, so that equal trees give equal reports everywhere.
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .ignore(false)
        .require_git(false)
        .follow_links(false)
        .max_depth(Some(limits.depth_max))
        .sort_by_file_name(std::cmp::Ord::cmp)
        .filter_entry(move |entry| enters(&root_path, entry, depth_max, &aside));
    builder
}

fn file_of(root: &Path, entry: &DirEntry, aside: &Mutex<LeftAside>) -> Option<TreeFile> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return None;
    }
    if kind.is_symlink() {
        note(aside, |aside| aside.symbolic_links += 1);
        return None;
    }
    if !kind.is_file() {
        note(aside, |aside| aside.special_files += 1);
        return None;
    }
    let Some(path) = relative(root, entry.path()) else {
        note(aside, |aside| aside.odd_names += 1);
        return None;
    };
    let Ok(metadata) = entry.metadata() else {
        note(aside, |aside| aside.unreadable += 1);
        return None;
    };
    Some(TreeFile { path, bytes: metadata.len() })
}

/// Decides whether an entry is looked at; folders that are not are noted.
fn enters(root: &Path, entry: &DirEntry, depth_max: usize, aside: &Mutex<LeftAside>) -> bool {
    let name = entry.file_name().to_string_lossy();
    if VERSION_CONTROL.contains(&name.as_ref()) {
        return false;
    }
    if entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    let path = entry.path();
    let named = || relative(root, path).unwrap_or_else(|| name.clone().into_owned());
    if TOOL_FOLDERS.contains(&name.as_ref()) || is_marked_as_cache(path) {
        note(aside, |aside| push_bounded(&mut aside.folders, named()));
        return false;
    }
    if entry.depth() >= depth_max {
        note(aside, |aside| push_bounded(&mut aside.too_deep, named()));
        return false;
    }
    if !has_usable_ignore_file(path) {
        note(aside, |aside| push_bounded(&mut aside.odd_ignore_files, named()));
        return false;
    }
    true
}

/// Build folders carry `CACHEDIR.TAG`, Python environments `pyvenv.cfg`.
fn is_marked_as_cache(folder: &Path) -> bool {
    ["CACHEDIR.TAG", "pyvenv.cfg"].iter().any(|name| folder.join(name).exists())
}

/// A pipe or an endless file in the place of `.gitignore` would stop the walk for good.
fn has_usable_ignore_file(folder: &Path) -> bool {
    match fs::symlink_metadata(folder.join(".gitignore")) {
        Ok(metadata) => metadata.is_file() && metadata.len() <= IGNORE_FILE_BYTES_MAX,
        Err(_) => true,
    }
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    let path: PathBuf = path.strip_prefix(root).ok()?.to_path_buf();
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

fn push_bounded(list: &mut Vec<String>, item: String) {
    if list.len() < FOLDERS_NAMED_MAX {
        list.push(item);
    }
}

fn note(aside: &Mutex<LeftAside>, change: impl FnOnce(&mut LeftAside)) {
    change(&mut aside.lock().unwrap_or_else(PoisonError::into_inner));
}

fn take(aside: &Mutex<LeftAside>) -> LeftAside {
    std::mem::take(&mut aside.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("has a parent")).expect("folder is made");
            fs::write(path, text).expect("file is written");
        }
        folder
    }

    fn listed(folder: &tempfile::TempDir, limits: &Limits) -> (Vec<String>, LeftAside) {
        let (files, aside) = walk(folder.path(), limits, &StopSwitch::default());
        (files.into_iter().map(|file| file.path).collect(), aside)
    }

    #[test]
    fn ignored_installed_and_built_folders_are_left_aside() {
        let folder = tree(&[
            (".gitignore", "*.log\n/out\n"),
            ("a.rs", ""),
            ("x.log", ""),
            ("out/b.rs", ""),
            ("web/node_modules/c.js", ""),
            ("target/CACHEDIR.TAG", ""),
            ("target/d.rs", ""),
            (".git/config", ""),
            (".github/ci.yml", ""),
        ]);
        let (files, aside) = listed(&folder, &Limits::default());
        assert_eq!(files, [".github/ci.yml", ".gitignore", "a.rs"]);
        assert_eq!(aside.folders, ["target", "web/node_modules"]);
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_are_counted_and_not_followed() {
        let outside = tree(&[("secret.txt", "x")]);
        let folder = tree(&[("a.rs", "")]);
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).expect("link is made");
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("file")).expect("link is made");
        let (files, aside) = listed(&folder, &Limits::default());
        assert_eq!((files.len(), aside.symbolic_links), (1, 2));
    }

    #[cfg(unix)]
    #[test]
    fn ignore_file_that_is_a_link_keeps_its_folder_out() {
        let folder = tree(&[("a.rs", ""), ("odd/b.rs", "")]);
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("odd/.gitignore")).expect("link is made");
        let (files, aside) = listed(&folder, &Limits::default());
        assert_eq!(files, ["a.rs"]);
        assert_eq!(aside.odd_ignore_files, ["odd"]);
    }

    #[test]
    fn walk_ends_at_the_limit_on_files_and_says_so() {
        let folder = tree(&[("a", ""), ("b", ""), ("c", "")]);
        let limits = Limits { files_max: 2, ..Limits::default() };
        let (files, aside) = listed(&folder, &limits);
        assert_eq!(files, ["a", "b"]);
        assert!(aside.cut);
    }
}
