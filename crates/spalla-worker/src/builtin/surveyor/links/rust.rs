//! Resolves paths of Rust: modules of the same crate by their files, other crates of the tree by their names.

use std::collections::HashMap;

use super::Index;
use crate::builtin::surveyor::imports::REEXPORT;
use crate::builtin::surveyor::manifest::{Ecosystem, TargetKind};
use crate::builtin::surveyor::packages::Packages;
use crate::builtin::surveyor::paths;

/// The crates of a tree.
pub(super) struct Crates {
    /// Folders that hold a crate's root, the deepest first.
    roots: Vec<String>,
    /// The folder and root file of each crate by the name code uses.
    by_name: HashMap<String, (String, usize)>,
}

impl Crates {
    pub(super) fn new(index: &Index<'_>, packages: &Packages) -> Self {
        let mut crates = Self { roots: Vec::new(), by_name: HashMap::new() };
        for file in index.files {
            let Some(manifest) =
                file.manifest.as_ref().filter(|manifest| manifest.ecosystem == Ecosystem::Cargo)
            else {
                continue;
            };
            crates
                .roots
                .extend(manifest.targets.iter().map(|target| paths::folder(&target.place).to_owned()));
            let Some(name) = &manifest.package else { continue };
            let source = paths::join(manifest.folder(), "src").unwrap_or_default();
            let named = manifest.targets.iter().find(|target| target.kind == TargetKind::Library);
            let lib = named.map_or_else(|| format!("{source}/lib.rs"), |target| target.place.clone());
            if let Some(root) = index.at(&lib) {
                let name = manifest.import_name.as_ref().unwrap_or(name).replace('-', "_");
                crates.by_name.insert(name, (paths::folder(&lib).to_owned(), root));
            }
            crates.roots.push(source);
        }
        // A tree without manifests may still hold a crate.
        if packages.own.is_empty() {
            crates.roots.push(String::from("src"));
        }
        crates.roots.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        crates.roots.dedup();
        crates
    }

    pub(super) fn find(&self, index: &Index<'_>, path: &str, target: &str) -> Option<usize> {
        let (is_reexport, target) = match target.strip_prefix(REEXPORT) {
            Some(target) => (true, target),
            None => (false, target),
        };
        let root = self.roots.iter().find(|root| paths::is_within(path, root))?;
        let own_module = module_of(path, root);
        let segments: Vec<&str> = target.split("::").collect();
        let (base, rest) = match segments[0] {
            "crate" => (Vec::new(), &segments[1..]),
            "self" => (own_module, &segments[1..]),
            "super" => {
                let ups = segments.iter().take_while(|segment| **segment == "super").count();
                let kept = own_module.len().saturating_sub(ups);
                (own_module[..kept].to_vec(), &segments[ups..])
            }
            first if has_child(index, root, &own_module, first) => (own_module, &segments[..]),
            first => return self.other_crate(index, first, &segments[1..]),
        };
        if is_reexport {
            return None;
        }
        let full: Vec<&str> = base.into_iter().chain(rest.iter().copied()).collect();
        longest(index, root, &full).or_else(|| root_file(index, root, path))
    }

    fn other_crate(&self, index: &Index<'_>, name: &str, rest: &[&str]) -> Option<usize> {
        let (folder, root) = self.by_name.get(name)?;
        Some(longest(index, folder, rest).unwrap_or(*root))
    }
}

/// Returns the module path of a file below its crate's folder.
fn module_of<'p>(path: &'p str, root: &str) -> Vec<&'p str> {
    let inner = paths::relative_to(path, root);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    if matches!(inner, "lib" | "main") { Vec::new() } else { inner.split('/').collect() }
}

fn file_of(index: &Index<'_>, root: &str, module: &[&str]) -> Option<usize> {
    let inner = module.join("/");
    let at = |path: String| index.at(path.trim_start_matches('/'));
    at(format!("{root}/{inner}.rs")).or_else(|| at(format!("{root}/{inner}/mod.rs")))
}

fn has_child(index: &Index<'_>, root: &str, module: &[&str], child: &str) -> bool {
    let path: Vec<&str> = module.iter().copied().chain([child]).collect();
    file_of(index, root, &path).is_some()
}

/// Returns the file of the longest leading part of a path that is a module; the rest names an item in it.
fn longest(index: &Index<'_>, root: &str, path: &[&str]) -> Option<usize> {
    (1..=path.len()).rev().find_map(|length| file_of(index, root, &path[..length]))
}

/// A path that names no module names an item of the crate's root.
fn root_file(index: &Index<'_>, root: &str, from: &str) -> Option<usize> {
    let at = |name: &str| paths::join(root, name).and_then(|path| index.at(&path));
    let roots = [at("lib.rs"), at("main.rs")];
    // Code beside both roots belongs to the library; the program's own root is told by itself.
    if paths::name(from) == "main.rs" { roots[1] } else { roots[0].or(roots[1]) }
}
