//! Cargo.toml: packages, workspaces, dependencies of all sorts, binaries.

use toml::{Table, Value};

use super::{Declared, Ecosystem, Manifest, Scope, Target, TargetKind};
use crate::builtin::surveyor::paths;

/// Reads a Cargo.toml.
pub(super) fn read(path: &str, text: &str) -> Option<Manifest> {
    let root: Table = toml::from_str(text).ok()?;
    let mut manifest = Manifest::new(path, Ecosystem::Cargo);
    if let Some(package) = table(&root, "package") {
        manifest.package = string(package, "name");
        manifest.version = string(package, "version");
        manifest.description = string(package, "description");
    }
    read_targets(&root, &mut manifest);
    read_sections(&root, &mut manifest.dependencies);
    for target in table(&root, "target").into_iter().flat_map(Table::values).filter_map(Value::as_table) {
        read_sections(target, &mut manifest.dependencies);
    }
    if let Some(shared) = table(&root, "workspace").and_then(|workspace| table(workspace, "dependencies")) {
        manifest.shared = shared.iter().map(|(name, value)| declared(name, value, Scope::Normal)).collect();
    }
    let patches = table(&root, "patch").into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let local = patches.flatten().filter(|(_, value)| value.get("path").is_some());
    manifest.patched = local.map(|(name, _)| name.clone()).collect();
    Some(manifest)
}

fn table<'t>(parent: &'t Table, key: &str) -> Option<&'t Table> {
    parent.get(key)?.as_table()
}

fn string(parent: &Table, key: &str) -> Option<String> {
    Some(parent.get(key)?.as_str()?.trim().to_owned())
}

fn read_sections(root: &Table, dependencies: &mut Vec<Declared>) {
    let sections = [
        ("dependencies", Scope::Normal),
        ("build-dependencies", Scope::Build),
        ("dev-dependencies", Scope::Dev),
    ];
    for (section, scope) in sections {
        let rows = table(root, section).into_iter().flatten();
        dependencies.extend(rows.map(|(name, value)| declared(name, value, scope)));
    }
}

fn declared(name: &str, value: &Value, scope: Scope) -> Declared {
    let Some(details) = value.as_table() else {
        return Declared::new(name, value.as_str().unwrap_or_default(), scope);
    };
    let flag = |key| details.get(key).and_then(Value::as_bool) == Some(true);
    let source = string(details, "git").map(|url| format!("git {url}"));
    let requirement = string(details, "version").or(source).unwrap_or_default();
    let real_name = string(details, "package");
    let scope = if flag("optional") && scope == Scope::Normal { Scope::Optional } else { scope };
    let mut declared = Declared::new(real_name.as_deref().unwrap_or(name), requirement, scope);
    declared.alias = real_name.map(|_| name.to_owned());
    declared.folder = string(details, "path");
    declared.inherited = flag("workspace");
    declared
}

fn read_targets(root: &Table, manifest: &mut Manifest) {
    let folder = paths::folder(&manifest.path).to_owned();
    let place = |details: &Table, default: &str| {
        let path = string(details, "path").unwrap_or_else(|| default.to_owned());
        paths::join(&folder, &path).unwrap_or_default()
    };
    if let Some(lib) = table(root, "lib") {
        manifest.import_name = string(lib, "name");
        let name = manifest.import_name.clone().or_else(|| manifest.package.clone()).unwrap_or_default();
        manifest.targets.push(Target { kind: TargetKind::Library, name, place: place(lib, "src/lib.rs") });
    }
    for bin in root.get("bin").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table) {
        let name = string(bin, "name").unwrap_or_default();
        let default = format!("src/bin/{name}.rs");
        let is_main = manifest.package.as_deref() == Some(name.as_str());
        let place = place(bin, if is_main { "src/main.rs" } else { &default });
        manifest.targets.push(Target { kind: TargetKind::Binary, name, place });
    }
}
