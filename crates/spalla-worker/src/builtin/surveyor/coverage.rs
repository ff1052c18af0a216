//! What of a tree was read and what was not, so that a reader knows what the report cannot know.

use serde::Serialize;

use super::imports;
use super::inspect::FileFacts;
use super::role::Role;
use super::walk::LeftAside;

/// What was read, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Files found.
    pub files: usize,
    /// Bytes in them.
    pub bytes: u64,
    /// Files read as text.
    pub text_files: usize,
    /// Files that are not text.
    pub binary_files: usize,
    /// Files over the limit on size, by path.
    pub oversize_files: Vec<String>,
    /// Files that are neither binary nor valid UTF-8, by path.
    pub not_utf8_files: Vec<String>,
    /// Files that could not be opened, by path.
    pub unreadable_files: Vec<String>,
    /// Manifests whose form is broken: what they declare is not known.
    pub broken_manifests: Vec<String>,
    /// Files not read because the limit on bytes was reached.
    pub files_past_total: usize,
    /// What the walk left aside.
    pub left_aside: LeftAside,
    /// Languages whose internal dependencies are not understood, with product code in this tree.
    pub languages_without_links: Vec<&'static str>,
}

/// Returns the languages in use whose imports are not read.
pub(crate) fn languages_without_links(files: &[FileFacts]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = files
        .iter()
        .filter(|file| file.role == Role::Source)
        .filter_map(|file| file.language)
        .filter(|language| is_modular(language.name) && !imports::UNDERSTOOD.contains(&language.name))
        .map(|language| language.name)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Languages that are written in modules at all.
fn is_modular(name: &str) -> bool {
    super::functions::knows(name)
        || matches!(
            name,
            "Perl"
                | "Lua"
                | "R"
                | "Julia"
                | "Haskell"
                | "Elm"
                | "OCaml"
                | "Elixir"
                | "Erlang"
                | "Clojure"
                | "F#"
                | "Nim"
        )
}
