//! Lock files: how many packages are resolved, and which in several versions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use serde_json::Value;

use super::Ecosystem;
use crate::builtin::surveyor::paths;

/// What a lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockFile {
    /// Path, relative to the root.
    pub path: String,
    /// Whose packages it locks.
    pub ecosystem: Ecosystem,
    /// Packages it locks, all versions; none when the file could not be read.
    pub packages: Option<usize>,
    /// Packages locked in more than one version.
    pub duplicates: Vec<Duplicate>,
}

/// A package locked in more than one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// Name of the package.
    pub name: String,
    /// Its versions, in the order of their text.
    pub versions: Vec<String>,
}

/// Returns the ecosystem of a lock file by its name.
pub(crate) fn ecosystem_of(path: &str) -> Option<Ecosystem> {
    Some(match paths::name(path) {
        "Cargo.lock" => Ecosystem::Cargo,
        "package-lock.json"
        | "npm-shrinkwrap.json"
        | "yarn.lock"
        | "pnpm-lock.yaml"
        | "bun.lock"
        | "bun.lockb"
        | "deno.lock" => Ecosystem::Npm,
        "poetry.lock" | "uv.lock" | "pdm.lock" | "Pipfile.lock" => Ecosystem::Python,
        "go.sum" => Ecosystem::Go,
        "Gemfile.lock" => Ecosystem::Ruby,
        "composer.lock" => Ecosystem::Composer,
        "packages.lock.json" => Ecosystem::Nuget,
        "mix.lock" => Ecosystem::Hex,
        "pubspec.lock" => Ecosystem::Pub,
        "Package.resolved" => Ecosystem::Swift,
        "gradle.lockfile" => Ecosystem::Maven,
        _ => return None,
    })
}

/// Duplicates kept of one lock file.
const DUPLICATES_MAX: usize = 1_000;

/// Reads a lock file; without its text only its presence is known.
pub(crate) fn read(path: &str, text: Option<&str>) -> Option<LockFile> {
    let ecosystem = ecosystem_of(path)?;
    let resolved = text.and_then(|text| versions(paths::name(path), text));
    let packages = resolved.as_ref().map(|names| names.values().map(BTreeSet::len).sum());
    let duplicates = resolved.into_iter().flatten().filter(|(_, versions)| versions.len() > 1);
    let duplicates =
        duplicates.map(|(name, versions)| Duplicate { name, versions: versions.into_iter().collect() });
    Some(LockFile {
        path: path.to_owned(),
        ecosystem,
        packages,
        duplicates: duplicates.take(DUPLICATES_MAX).collect(),
    })
}

type Versions = BTreeMap<String, BTreeSet<String>>;

fn versions(name: &str, text: &str) -> Option<Versions> {
    match name {
        "Cargo.lock" | "poetry.lock" | "uv.lock" | "pdm.lock" => toml_packages(text),
        "package-lock.json" | "npm-shrinkwrap.json" => npm_packages(text),
        "composer.lock" => composer_packages(text),
        "yarn.lock" => Some(by_pattern(&YARN, text)),
        "pnpm-lock.yaml" => Some(by_pattern(&PNPM, text)),
        "go.sum" => Some(by_pattern(&GO_SUM, text)),
        "Gemfile.lock" => Some(by_pattern(&GEMFILE, text)),
        _ => None,
    }
}

fn toml_packages(text: &str) -> Option<Versions> {
    let root: toml::Table = toml::from_str(text).ok()?;
    let mut found = Versions::new();
    for package in root.get("package")?.as_array()? {
        let part = |key: &str| package.get(key).and_then(toml::Value::as_str);
        if let (Some(name), Some(version)) = (part("name"), part("version")) {
            found.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    Some(found)
}

fn npm_packages(text: &str) -> Option<Versions> {
    let root: Value = serde_json::from_str(text).ok()?;
    let mut found = Versions::new();
    let packages = root.get("packages").or_else(|| root.get("dependencies"))?.as_object()?;
    for (place, package) in packages.iter().filter(|(place, _)| !place.is_empty()) {
        let name = place.rsplit("node_modules/").next().unwrap_or(place);
        if let Some(version) = package.get("version").and_then(Value::as_str) {
            found.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    Some(found)
}

fn composer_packages(text: &str) -> Option<Versions> {
    let root: Value = serde_json::from_str(text).ok()?;
    let mut found = Versions::new();
    let lists = ["packages", "packages-dev"].map(|key| root.get(key).and_then(Value::as_array));
    for package in lists.into_iter().flatten().flatten() {
        let part = |key: &str| package.get(key).and_then(Value::as_str);
        if let (Some(name), Some(version)) = (part("name"), part("version")) {
            found.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    Some(found)
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

static YARN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^"?(@?[^@"\s]+)@[^\n]*:\n\s+version:?\s+"?([^"\n]+)"#));
static PNPM: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^  '?/?(@?[^@'\s(]+)@(\d[^:'\s(]*)[^:\n]*:\s*(?:\{\}|$)"));
static GO_SUM: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^(\S+) (v[^\s/]+) h1:"));
static GEMFILE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^    (\S+) \(([^)]+)\)$"));

fn by_pattern(pattern: &Regex, text: &str) -> Versions {
    let mut found = Versions::new();
    for row in pattern.captures_iter(text) {
        found.entry(row[1].to_owned()).or_default().insert(row[2].to_owned());
    }
    found
}
