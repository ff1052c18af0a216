//! Resolves imports of JavaScript, TypeScript and Dart: relative paths, and packages of the same workspace.

use std::collections::HashMap;

use super::Index;
use crate::builtin::surveyor::manifest::{Ecosystem, TargetKind};
use crate::builtin::surveyor::packages::Packages;
use crate::builtin::surveyor::paths;

/// The packages of a workspace by their names.
pub(super) struct Workspaces {
    npm: HashMap<String, Home>,
    dart: HashMap<String, String>,
    /// Folders of packages, the deepest first.
    folders: Vec<String>,
}

struct Home {
    folder: String,
    entry: Option<usize>,
}

const ENDINGS: &[&str] = &[
    "",
    ".ts",
    ".tsx",
    ".js",
    ".jsx",
    ".mts",
    ".cts",
    ".mjs",
    ".cjs",
    ".vue",
    ".svelte",
    ".d.ts",
    "/index.ts",
    "/index.tsx",
    "/index.js",
    "/index.jsx",
    "/index.mjs",
];
const LANGUAGES: &[&str] = &["TypeScript", "JavaScript", "Vue", "Svelte"];

impl Workspaces {
    pub(super) fn new(index: &Index<'_>, packages: &Packages) -> Self {
        let mut workspaces = Self { npm: HashMap::new(), dart: HashMap::new(), folders: Vec::new() };
        for package in &packages.own {
            let folder = package.folder.clone();
            match package.ecosystem {
                Ecosystem::Npm => {
                    workspaces.folders.push(folder.clone());
                    let entry = entry_of(index, &folder, &package.manifest);
                    workspaces.npm.insert(package.name.clone(), Home { folder, entry });
                }
                Ecosystem::Pub => drop(workspaces.dart.insert(package.name.clone(), folder)),
                _ => {}
            }
        }
        workspaces.folders.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        workspaces
    }

    pub(super) fn find(&self, index: &Index<'_>, path: &str, target: &str) -> Option<usize> {
        let target = target.split(['?', '#']).next().filter(|target| !target.is_empty()).unwrap_or(target);
        if target.starts_with('.') {
            return file_at(index, &paths::join(paths::folder(path), target)?);
        }
        let home =
            self.folders.iter().find(|folder| paths::is_within(path, folder)).map_or("", String::as_str);
        let aliased = ["@/", "~/", "#/", "$lib/"].iter().find_map(|prefix| target.strip_prefix(prefix));
        if let Some(inner) = aliased {
            let starts =
                ["src", "", "app", "src/lib"].into_iter().filter_map(|start| paths::join(home, start));
            return starts
                .filter_map(|start| paths::join(&start, inner))
                .find_map(|path| file_at(index, &path));
        }
        if let Some(found) = self.in_workspace(index, target) {
            return Some(found);
        }
        // A base folder set in the compiler's options makes bare paths relative to the sources.
        let start = paths::join(home, "src")?;
        target.contains('/').then(|| file_at(index, &paths::join(&start, target)?)).flatten()
    }

    fn in_workspace(&self, index: &Index<'_>, target: &str) -> Option<usize> {
        let name = package_of(target);
        let home = self.npm.get(name)?;
        let inner = target[name.len()..].trim_start_matches('/');
        let starts = ["", "src"].into_iter().filter_map(|start| paths::join(&home.folder, start));
        let by_path = starts.filter_map(|start| paths::join(&start, inner)).filter(|_| !inner.is_empty());
        by_path.filter_map(|path| file_at(index, &path)).next().or(home.entry)
    }

    pub(super) fn find_dart(&self, index: &Index<'_>, path: &str, target: &str) -> Option<usize> {
        match target.strip_prefix("package:") {
            Some(inner) => {
                let (package, rest) = inner.split_once('/')?;
                let folder = self.dart.get(package)?;
                index.at(&paths::join(folder, &format!("lib/{rest}"))?)
            }
            None => index.at(&paths::join(paths::folder(path), target)?),
        }
    }
}

/// Returns the file a package is entered by: as its manifest says, else by custom.
fn entry_of(index: &Index<'_>, folder: &str, manifest: &str) -> Option<usize> {
    let manifest = index.at(manifest).and_then(|file| index.files[file].manifest.as_ref());
    let named = manifest.into_iter().flat_map(|manifest| &manifest.targets);
    let named =
        named.filter(|target| target.kind == TargetKind::Library).find_map(|target| index.at(&target.place));
    let customary = ["src/index", "index", "src/main", "lib/index", "src/node/index"];
    named
        .or_else(|| customary.iter().find_map(|name| file_at(index, &paths::join(folder, name)?)))
        .or_else(|| index.first_in(&paths::join(folder, "src")?, LANGUAGES))
        .or_else(|| index.first_in(folder, LANGUAGES))
}

/// Tries the endings that the language lets a path leave out.
fn file_at(index: &Index<'_>, path: &str) -> Option<usize> {
    let is_script =
        |file: &usize| index.files[*file].language.is_some_and(|known| LANGUAGES.contains(&known.name));
    let with_endings =
        |stem: &str| ENDINGS.iter().find_map(|ending| index.at(&format!("{stem}{ending}")).filter(is_script));
    // Compiled names are written where the source has another ending.
    with_endings(path).or_else(|| {
        let stem = [".js", ".mjs", ".cjs", ".jsx"].iter().find_map(|ending| path.strip_suffix(ending))?;
        with_endings(stem)
    })
}

/// Returns the package part of an import: one component, or two when it has a scope.
pub(super) fn package_of(target: &str) -> &str {
    let components = if target.starts_with('@') { 2 } else { 1 };
    target.match_indices('/').nth(components - 1).map_or(target, |(at, _)| &target[..at])
}
