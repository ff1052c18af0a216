//! Reads the manifests of package ecosystems into one form: a package, what it declares, how it starts.

mod cargo;
mod dotnet;
mod go;
mod jvm;
mod lists;
mod lock;
mod npm;
mod python;

use serde::Serialize;

use super::paths;
use super::secrets;

pub(crate) use lock::read as read_lock;
pub use lock::{Duplicate, LockFile};

/// Where packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ecosystem {
    /// Rust's packages.
    Cargo,
    /// npm, yarn, pnpm, bun.
    Npm,
    /// PyPI and its installers.
    Python,
    /// Go modules.
    Go,
    /// Maven and Gradle.
    Maven,
    /// RubyGems.
    Ruby,
    /// Packagist.
    Composer,
    /// NuGet.
    Nuget,
    /// Hex.
    Hex,
    /// pub.dev.
    Pub,
    /// Swift packages.
    Swift,
    /// Container images.
    Container,
    /// GitHub Actions.
    Actions,
}

impl Ecosystem {
    /// Returns the name for a person.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cargo => "Cargo",
            Self::Npm => "npm",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::Maven => "Maven",
            Self::Ruby => "Ruby",
            Self::Composer => "Composer",
            Self::Nuget => "NuGet",
            Self::Hex => "Hex",
            Self::Pub => "pub",
            Self::Swift => "Swift",
            Self::Container => "container images",
            Self::Actions => "GitHub Actions",
        }
    }
}

/// What a dependency is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The product itself.
    Normal,
    /// The product, when a feature asks for it.
    Optional,
    /// Building the product.
    Build,
    /// Working on the product.
    Dev,
    /// Needed by another dependency only.
    Indirect,
}

/// One dependency, as a manifest declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    pub name: String,
    /// The name the code uses, where it differs.
    pub alias: Option<String>,
    pub requirement: String,
    pub scope: Scope,
    /// A folder of this tree, relative to the manifest.
    pub folder: Option<String>,
    /// Whether the workspace's root says the rest.
    pub inherited: bool,
}

impl Declared {
    fn new(name: impl Into<String>, requirement: impl Into<String>, scope: Scope) -> Self {
        let requirement: String = requirement.into();
        let requirement = secrets::redact(requirement.trim()).into_owned();
        Self { name: name.into(), alias: None, requirement, scope, folder: None, inherited: false }
    }
}

/// A way into a package that its manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub kind: TargetKind,
    pub name: String,
    /// A path, a module or a command, as the manifest has it; a path is relative to the root.
    pub place: String,
}

/// What sort of way in a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Binary,
    Library,
}

/// One manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub path: String,
    pub ecosystem: Ecosystem,
    pub package: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    /// The name other code of the ecosystem uses for it, where it differs.
    pub import_name: Option<String>,
    pub dependencies: Vec<Declared>,
    /// What members of a workspace inherit.
    pub shared: Vec<Declared>,
    pub targets: Vec<Target>,
    /// Packages whose released versions a folder of this tree replaces.
    pub patched: Vec<String>,
    /// Named commands.
    pub scripts: Vec<(String, String)>,
    /// Tools that are configured here.
    pub tools: Vec<String>,
}

impl Manifest {
    fn new(path: &str, ecosystem: Ecosystem) -> Self {
        Self {
            path: path.to_owned(),
            ecosystem,
            package: None,
            version: None,
            description: None,
            import_name: None,
            dependencies: Vec::new(),
            shared: Vec::new(),
            targets: Vec::new(),
            patched: Vec::new(),
            scripts: Vec::new(),
            tools: Vec::new(),
        }
    }

    /// Returns the folder the manifest speaks for.
    pub(crate) fn folder(&self) -> &str {
        paths::folder(&self.path)
    }
}

/// Dependencies kept of one manifest; more were not declared by hand.
const DEPENDENCIES_MAX: usize = 5_000;

/// Reads a manifest; `None` when the file is none, or is broken beyond use.
pub(crate) fn read(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = by_name(path, text)?;
    manifest.dependencies.truncate(DEPENDENCIES_MAX);
    manifest.shared.truncate(DEPENDENCIES_MAX);
    manifest.targets.truncate(DEPENDENCIES_MAX);
    Some(manifest)
}

fn by_name(path: &str, text: &str) -> Option<Manifest> {
    let name = paths::name(path);
    match name {
        "Cargo.toml" => cargo::read(path, text),
        "package.json" => npm::read(path, text),
        "pyproject.toml" => python::read_pyproject(path, text),
        "setup.py" => python::read_setup_script(path, text),
        "setup.cfg" => python::read_setup_cfg(path, text),
        "Pipfile" => python::read_pipfile(path, text),
        "go.mod" => go::read(path, text),
        "pom.xml" => jvm::read_pom(path, text),
        "build.gradle" | "build.gradle.kts" => jvm::read_gradle(path, text),
        "libs.versions.toml" => jvm::read_catalog(path, text),
        "Gemfile" => lists::read_gemfile(path, text),
        "composer.json" => lists::read_composer(path, text),
        "mix.exs" => lists::read_mix(path, text),
        "pubspec.yaml" => lists::read_pubspec(path, text),
        "Package.swift" => lists::read_swift(path, text),
        _ if name.ends_with(".csproj") || name.ends_with(".fsproj") => dotnet::read(path, text),
        _ if name.ends_with(".gemspec") => lists::read_gemspec(path, text),
        _ if is_requirements(path) => python::read_requirements(path, text),
        _ if is_dockerfile(name) => lists::read_dockerfile(path, text),
        _ if is_workflow(path) => lists::read_workflow(path, text),
        _ => None,
    }
}

/// Says whether a path is that of a manifest whose form is strict, so that one which can't be read is broken.
pub(crate) fn has_strict_form(path: &str) -> bool {
    let strict = ["Cargo.toml", "package.json", "pyproject.toml", "go.mod", "composer.json"];
    strict.contains(&paths::name(path))
}

fn is_requirements(path: &str) -> bool {
    let name = paths::name(path);
    let in_folder = paths::name(paths::folder(path)) == "requirements";
    paths::extension(name) == "txt"
        && (name.starts_with("requirements") || name.ends_with("requirements.txt") || in_folder)
}

fn is_dockerfile(name: &str) -> bool {
    name.starts_with("Dockerfile") || name.starts_with("Containerfile") || name.ends_with(".dockerfile")
}

/// Says whether a path is a workflow of GitHub Actions.
pub(crate) fn is_workflow(path: &str) -> bool {
    path.starts_with(".github/workflows/") && matches!(paths::extension(path), "yml" | "yaml")
}

#[cfg(test)]
mod tests;
