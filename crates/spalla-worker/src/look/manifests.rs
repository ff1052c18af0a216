//! What stands at the top of a workspace, as far as steps are inferred from it: the names, and the texts of manifests.

use crate::beneath::Beneath;
use serde::{Deserialize, Serialize};
use spalla_domain::recipe::infer::TEXTS;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

/// How much of a file steps are inferred from, in bytes; a manifest is far smaller.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;
/// The most names that are told; nobody keeps more at the top of a project.
const NAMES_MAX: usize = 10_000;

/// The top of a workspace.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifests {
    /// The names of all that stands there, in order.
    pub(crate) names: Vec<String>,
    /// The texts of the manifests among them; one that is too large, or no text, has none.
    pub(crate) texts: BTreeMap<String, String>,
}

/// Reads the top of a workspace.
pub(super) fn read(workspace: &Path) -> Manifests {
    let entries = fs::read_dir(workspace).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).take(NAMES_MAX).collect();
    names.sort_unstable();
    let text = |name: &str| Some((name.to_owned(), text_of(workspace, name)?));
    Manifests { names, texts: TEXTS.into_iter().filter_map(text).collect() }
}

fn text_of(workspace: &Path, name: &str) -> Option<String> {
    let file = Beneath::open(workspace).ok()?.file(name).ok()?;
    let mut text = String::new();
    file.take(TEXT_BYTES_MAX + 1).read_to_string(&mut text).ok()?;
    (text.len() as u64 <= TEXT_BYTES_MAX).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_manifests_are_read_and_no_link_is_followed() {
        let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let top = workspace.path();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::write(top.join("Makefile"), "test:\n").unwrap();
        fs::write(top.join("notes.txt"), "private").unwrap();
        fs::write(top.join("tox.ini"), "x".repeat(TEXT_BYTES_MAX as usize + 1)).unwrap();
        symlink(outside.path().join("secret"), top.join("package.json")).unwrap();
        let seen = read(top);
        assert_eq!(seen.names, ["Makefile", "notes.txt", "package.json", "tox.ini"]);
        assert_eq!(seen.texts, [("Makefile".to_owned(), "test:\n".to_owned())].into());
    }
}
