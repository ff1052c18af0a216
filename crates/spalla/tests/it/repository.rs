//! A person's git repository, and a way to see that nobody touched it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a repository with one commit and something that is not committed.
pub(crate) fn make(folder: &Path) {
    fs::create_dir_all(folder.join("src")).expect("a folder");
    fs::write(folder.join("src/main.rs"), "fn main() {\n    println!(\"hello\");\n}\n").expect("a file");
    fs::write(folder.join("Cargo.toml"), "[package]\nname = \"hello\"\nversion = \"0.1.0\"\n")
        .expect("a file");
    git(folder, &["init", "--quiet", "--initial-branch=main"]);
    git(folder, &["add", "--all"]);
    git(folder, &["-c", "user.name=Me", "-c", "user.email=me@localhost", "commit", "--quiet", "-m", "first"]);
    fs::write(folder.join("notes.txt"), "not committed\n").expect("a file");
}

pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.env("GIT_OPTIONAL_LOCKS", "0").output().expect("git runs");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Everything in a folder, `.git` too: each path with its mode and its bytes.
pub(crate) fn picture(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut open = vec![folder.to_owned()];
    let mut seen = BTreeMap::new();
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let data = fs::symlink_metadata(&path).expect("its kind");
            let bytes = if data.is_file() { fs::read(&path).expect("its bytes") } else { Vec::new() };
            if data.is_dir() {
                open.push(path.clone());
            }
            seen.insert(path, (data.mode(), bytes));
        }
    }
    seen
}
