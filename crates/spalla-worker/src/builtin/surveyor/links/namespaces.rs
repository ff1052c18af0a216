//! Resolves imports of languages whose unit is a package or a namespace, not a file.

use std::collections::HashMap;

use super::Index;
use crate::builtin::surveyor::manifest::Ecosystem;
use crate::builtin::surveyor::packages::Packages;
use crate::builtin::surveyor::paths;
use crate::builtin::surveyor::role::Role;

/// The packages of Java and its kin, and the namespaces of C# and PHP; one file stands for each.
pub(super) struct Namespaces {
    first_file: HashMap<String, usize>,
}

impl Namespaces {
    pub(super) fn new(index: &Index<'_>) -> Self {
        let mut first_file = HashMap::new();
        for (at, file) in index.files.iter().enumerate().filter(|(_, file)| file.role == Role::Source) {
            if let Some(name) = &file.imports.provides {
                first_file.entry(name.clone()).or_insert(at);
            }
        }
        Self { first_file }
    }

    /// Takes the longest leading part that is a package here; what follows names a class, by custom in a file
    /// of its name.
    pub(super) fn find(&self, index: &Index<'_>, target: &str) -> Option<usize> {
        let mut name = target;
        loop {
            if let Some(first) = self.first_file.get(name) {
                let class =
                    target[name.len()..].trim_start_matches('.').split('.').next().unwrap_or_default();
                let path = index.files[*first].path.as_str();
                let of_class = format!("{class}.{}", paths::extension(path));
                let file = paths::join(paths::folder(path), &of_class).and_then(|path| index.at(&path));
                return Some(file.unwrap_or(*first));
            }
            name = &name[..name.rfind('.')?];
        }
    }
}

/// The Go packages of the tree by the paths they are imported with.
pub(super) struct GoModules {
    by_path: HashMap<String, usize>,
}

impl GoModules {
    pub(super) fn new(index: &Index<'_>, packages: &Packages) -> Self {
        let modules: Vec<_> =
            packages.own.iter().filter(|package| package.ecosystem == Ecosystem::Go).collect();
        let mut by_path = HashMap::new();
        for (at, file) in index.files.iter().enumerate() {
            if file.role != Role::Source || paths::extension(&file.path) != "go" {
                continue;
            }
            let above = modules.iter().filter(|module| paths::is_within(&file.path, &module.folder));
            let Some(module) = above.max_by_key(|module| module.folder.len()) else { continue };
            let folder = paths::folder(&file.path);
            let inner = if folder == module.folder { "" } else { paths::relative_to(folder, &module.folder) };
            let path = format!("{}/{inner}", module.name);
            by_path.entry(path.trim_end_matches('/').to_owned()).or_insert(at);
        }
        Self { by_path }
    }

    pub(super) fn find(&self, target: &str) -> Option<usize> {
        self.by_path.get(target).copied()
    }
}
