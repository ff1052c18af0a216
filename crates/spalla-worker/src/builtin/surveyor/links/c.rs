//! Resolves includes of C and its kin: beside the file, below the usual folders, else by a unique ending.

use std::collections::HashMap;

use super::Index;
use crate::builtin::surveyor::paths;

/// The headers of a tree by their names.
pub(super) struct Headers {
    by_name: HashMap<String, Vec<usize>>,
}

impl Headers {
    pub(super) fn new(index: &Index<'_>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, file) in index.files.iter().enumerate() {
            if file.language.is_some_and(|known| matches!(known.name, "C" | "C++" | "Objective-C")) {
                by_name.entry(paths::name(&file.path).to_owned()).or_default().push(at);
            }
        }
        Self { by_name }
    }

    pub(super) fn find(&self, index: &Index<'_>, path: &str, target: &str) -> Option<usize> {
        let is_quoted = target.starts_with('"');
        let target = &target[1..];
        let here = paths::join(paths::folder(path), target).filter(|_| is_quoted);
        let for_all =
            &["include", "inc", "", "src", "lib"][..if is_quoted || target.contains('/') { 5 } else { 2 }];
        let usual = for_all.iter().filter_map(|folder| paths::join(folder, target));
        if let Some(found) = here.into_iter().chain(usual).find_map(|path| index.at(&path)) {
            return Some(found);
        }
        // A name alone in brackets is the system's, whatever file of this name the tree may hold.
        if !is_quoted && !target.contains('/') {
            return None;
        }
        let ending = format!("/{}", target.trim_start_matches("../"));
        let mut same = self
            .by_name
            .get(paths::name(target))?
            .iter()
            .filter(|file| index.files[**file].path.ends_with(&ending));
        match (same.next(), same.next()) {
            (Some(only), None) => Some(*only),
            _ => None,
        }
    }
}
