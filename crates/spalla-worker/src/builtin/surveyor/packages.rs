//! The packages of a tree, what they need of each other, and what they need from outside.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::inspect::FileFacts;
use super::language;
use super::manifest::{Declared, Ecosystem, Manifest, Scope};
use super::paths;
use super::role::{self, Role};

/// A package this tree defines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Package {
    /// Its name in its ecosystem.
    pub name: String,
    /// Where it would be published.
    pub ecosystem: Ecosystem,
    /// Its folder, relative to the root; empty for the root.
    pub folder: String,
    /// Its manifest, relative to the root.
    pub manifest: String,
    /// Version, where the manifest says one.
    pub version: Option<String>,
    /// What the manifest says it is for.
    pub description: Option<String>,
    /// Source, or the role of the folder it lies in: example, test, benchmark …
    pub role: Role,
    /// Lines of product code in its folder that belong to no package further down.
    pub code_lines: usize,
    /// The name code uses for it.
    #[serde(skip)]
    pub(crate) import_name: Option<String>,
}

/// A package from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExternalPackage {
    /// Where it comes from.
    pub ecosystem: Ecosystem,
    /// Its name there.
    pub name: String,
    /// What it is needed for; the strongest need of all manifests.
    pub scope: Scope,
    /// The versions the manifests of the product ask for, each once.
    pub requirements: Vec<String>,
    /// The manifests that declare it.
    pub declared_in: Vec<String>,
    /// Files of the product that import it; none where that cannot be told.
    pub imported_by_files: Option<usize>,
    /// The names code uses for it.
    #[serde(skip)]
    pub(crate) import_names: BTreeSet<String>,
}

/// The packages of a tree and their needs.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub own: Vec<Package>,
    /// Pairs of indices into `own`: the first declares the second.
    pub declared: BTreeSet<(usize, usize)>,
    pub external: Vec<ExternalPackage>,
    /// Packages of Cargo that the tree puts in the place of released ones.
    patched: BTreeSet<String>,
    /// The first package of each folder.
    homes: HashMap<String, usize>,
}

/// Gathers the packages from the manifests of all files.
pub(crate) fn gather(files: &[FileFacts]) -> Packages {
    let manifests: Vec<&Manifest> = files.iter().filter_map(|file| file.manifest.as_ref()).collect();
    let own = own_packages(&manifests);
    let homes =
        own.iter().enumerate().rev().map(|(index, package)| (package.folder.clone(), index)).collect();
    let patched = manifests.iter().flat_map(|manifest| manifest.patched.iter().cloned()).collect();
    let mut packages = Packages { own, homes, patched, ..Packages::default() };
    let shared = Shared::new(&manifests);
    let mut external: BTreeMap<(Ecosystem, String), ExternalPackage> = BTreeMap::new();
    for manifest in &manifests {
        for declared in &manifest.dependencies {
            let declared = shared.resolve(manifest, declared);
            match packages.own_of(manifest, &declared) {
                // What only work on a package needs is no part of the product's structure.
                Some(_) if declared.scope == Scope::Dev => {}
                Some(to) => packages.link(manifest, to),
                None => add_external(manifest, &declared, &mut external),
            }
        }
    }
    packages.external = external.into_values().collect();
    packages.count_lines(files);
    packages
}

fn own_packages(manifests: &[&Manifest]) -> Vec<Package> {
    let mut own: BTreeMap<(Ecosystem, &str), Package> = BTreeMap::new();
    for manifest in manifests {
        let Some(name) = &manifest.package else { continue };
        let folder = manifest.folder();
        own.entry((manifest.ecosystem, folder)).or_insert_with(|| Package {
            name: name.clone(),
            ecosystem: manifest.ecosystem,
            folder: folder.to_owned(),
            manifest: manifest.path.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            role: role_of(folder),
            code_lines: 0,
            import_name: manifest.import_name.clone(),
        });
    }
    own.into_values().collect()
}

/// Returns the role code in a folder has.
fn role_of(folder: &str) -> Role {
    role::by_path(&format!("{folder}/x.rs"), language::named("Rust"))
}

/// What the roots of workspaces declare for their members.
struct Shared<'m> {
    roots: Vec<(&'m Manifest, HashMap<&'m str, &'m Declared>)>,
}

impl<'m> Shared<'m> {
    fn new(manifests: &[&'m Manifest]) -> Self {
        let with_shared = manifests.iter().filter(|manifest| !manifest.shared.is_empty());
        let by_name = |manifest: &'m Manifest| {
            let rows = manifest.shared.iter();
            rows.map(|declared| (declared.alias.as_deref().unwrap_or(&declared.name), declared)).collect()
        };
        Self { roots: with_shared.map(|manifest| (*manifest, by_name(manifest))).collect() }
    }

    /// Fills in what a manifest leaves to its workspace; a folder becomes relative to the root of the tree.
    fn resolve(&self, manifest: &Manifest, declared: &Declared) -> Declared {
        let mut resolved = declared.clone();
        let mut base = manifest.folder();
        if declared.inherited {
            let key = declared.alias.as_deref().unwrap_or(&declared.name);
            let found = self.roots.iter().filter(|(root, _)| root.ecosystem == manifest.ecosystem);
            if let Some((root, row)) = found.filter_map(|(root, rows)| Some((root, rows.get(key)?))).next() {
                resolved.name.clone_from(&row.name);
                resolved.requirement.clone_from(&row.requirement);
                resolved.folder.clone_from(&row.folder);
                resolved.alias = (row.name != key).then(|| key.to_owned());
                base = root.folder();
            }
        }
        resolved.folder = resolved.folder.and_then(|folder| paths::join(base, &folder));
        resolved
    }
}

impl Packages {
    /// Returns the package of this tree that a declaration means.
    fn own_of(&self, manifest: &Manifest, declared: &Declared) -> Option<usize> {
        let same = |package: &Package| package.ecosystem == manifest.ecosystem;
        if let Some(folder) = &declared.folder {
            return self.own.iter().position(|package| same(package) && package.folder == *folder);
        }
        let by_name = |name: &str| self.own.iter().position(|package| same(package) && package.name == name);
        match manifest.ecosystem {
            // Cargo takes a folder of the tree only where a manifest names it.
            Ecosystem::Cargo => by_name(&declared.name).filter(|_| self.patched.contains(&declared.name)),
            Ecosystem::Python => {
                let name = plain_python_name(&declared.name);
                self.own.iter().position(|package| same(package) && plain_python_name(&package.name) == name)
            }
            Ecosystem::Maven => {
                let (_, artifact) = declared.name.rsplit_once(':')?;
                // A module of the same build needs no version of its own, or shares the build's.
                let shares = declared.requirement.is_empty() || declared.requirement.contains("${");
                by_name(artifact).filter(|_| shares)
            }
            _ => by_name(&declared.name),
        }
    }

    fn link(&mut self, manifest: &Manifest, to: usize) {
        let from = self.own.iter().position(|package| {
            package.ecosystem == manifest.ecosystem && package.folder == manifest.folder()
        });
        if let Some(from) = from.filter(|from| *from != to) {
            self.declared.insert((from, to));
        }
    }

    /// Returns the package a file belongs to: the one whose folder is nearest above it.
    pub(crate) fn of_file(&self, path: &str) -> Option<usize> {
        paths::ancestors(path).find_map(|folder| self.homes.get(folder)).copied()
    }

    fn count_lines(&mut self, files: &[FileFacts]) {
        let homes: Vec<Option<usize>> = files
            .iter()
            .map(|file| file.is_product_code().then(|| self.of_file(&file.path)).flatten())
            .collect();
        for (file, home) in files.iter().zip(homes) {
            if let Some(home) = home {
                self.own[home].code_lines += file.product_lines();
            }
        }
    }
}

/// Names of Python packages differ only in case and in which mark joins their words.
pub(crate) fn plain_python_name(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

fn add_external(
    manifest: &Manifest,
    declared: &Declared,
    external: &mut BTreeMap<(Ecosystem, String), ExternalPackage>,
) {
    let is_python = manifest.ecosystem == Ecosystem::Python;
    let key = if is_python { plain_python_name(&declared.name) } else { declared.name.clone() };
    let is_of_product = role_of(manifest.folder()) == Role::Source;
    let scope = if is_of_product { declared.scope } else { Scope::Dev };
    let entry = external.entry((manifest.ecosystem, key)).or_insert_with(|| ExternalPackage {
        ecosystem: manifest.ecosystem,
        name: declared.name.clone(),
        scope,
        requirements: Vec::new(),
        declared_in: Vec::new(),
        imported_by_files: None,
        import_names: BTreeSet::new(),
    });
    entry.scope = entry.scope.min(scope);
    entry.import_names.insert(declared.alias.clone().unwrap_or_else(|| declared.name.clone()));
    // Examples pin what they like; what the product asks for is told apart by leaving them out.
    let asks = is_of_product && !declared.requirement.is_empty();
    if asks && !entry.requirements.contains(&declared.requirement) {
        entry.requirements.push(declared.requirement.clone());
        entry.requirements.sort();
    }
    if entry.declared_in.last() != Some(&manifest.path) {
        entry.declared_in.push(manifest.path.clone());
    }
}
