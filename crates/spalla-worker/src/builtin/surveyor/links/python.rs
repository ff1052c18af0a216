//! Resolves imports of Python: relative ones from the package, absolute ones from the folders Python may look
//! in.

use std::collections::BTreeSet;

use super::Index;
use crate::builtin::surveyor::paths;

/// The folders absolute imports may start from.
pub(super) struct Roots {
    folders: Vec<String>,
}

impl Roots {
    /// A folder is a root when a package lies in it that lies in no other package.
    pub(super) fn new(index: &Index<'_>) -> Self {
        let mut folders: BTreeSet<String> = BTreeSet::from([String::new(), String::from("src")]);
        for file in index.files.iter().filter(|file| paths::name(&file.path) == "__init__.py") {
            let package = paths::folder(&file.path);
            let above = paths::folder(package);
            let is_outermost = paths::join(above, "__init__.py").is_none_or(|path| index.at(&path).is_none());
            if is_outermost && !package.is_empty() {
                folders.insert(above.to_owned());
            }
        }
        Self { folders: folders.into_iter().collect() }
    }

    pub(super) fn find(&self, index: &Index<'_>, path: &str, target: &str) -> Option<usize> {
        let dots = target.bytes().take_while(|byte| *byte == b'.').count();
        let segments: Vec<&str> = target[dots..].split('.').filter(|part| !part.is_empty()).collect();
        let here = paths::folder(path);
        if dots > 0 {
            let base = paths::join(here, &"../".repeat(dots - 1))?;
            return longest(index, &base, &segments)
                .or_else(|| index.at(&paths::join(&base, "__init__.py")?));
        }
        let roots = self.folders.iter().map(String::as_str);
        // A script also finds what lies beside it.
        roots.chain([here]).find_map(|root| longest(index, root, &segments))
    }
}

fn longest(index: &Index<'_>, root: &str, segments: &[&str]) -> Option<usize> {
    (1..=segments.len()).rev().find_map(|length| {
        let module = paths::join(root, &segments[..length].join("/"))?;
        let at = |ending: &str| index.at(&format!("{module}{ending}"));
        at(".py").or_else(|| at("/__init__.py")).or_else(|| at(".pyx"))
    })
}
