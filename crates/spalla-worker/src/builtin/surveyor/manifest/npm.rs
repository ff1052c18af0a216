//! package.json: dependencies, binaries, scripts.

use serde_json::{Map, Value};

use super::{Declared, Ecosystem, Manifest, Scope, Target, TargetKind};
use crate::builtin::surveyor::{paths, secrets};

/// Reads a package.json.
pub(super) fn read(path: &str, text: &str) -> Option<Manifest> {
    let root: Map<String, Value> = serde_json::from_str(text).ok()?;
    let mut manifest = Manifest::new(path, Ecosystem::Npm);
    manifest.package = string(&root, "name");
    manifest.version = string(&root, "version");
    manifest.description = string(&root, "description");
    let sections = [
        ("dependencies", Scope::Normal),
        ("peerDependencies", Scope::Normal),
        ("optionalDependencies", Scope::Optional),
        ("devDependencies", Scope::Dev),
    ];
    for (section, scope) in sections {
        for (name, value) in object(&root, section) {
            // A peer is often declared for development as well; it is one dependency.
            if manifest.dependencies.iter().any(|known| known.name == *name) {
                continue;
            }
            manifest.dependencies.push(declared(name, value.as_str().unwrap_or_default(), scope));
        }
    }
    read_targets(&root, &mut manifest);
    for (name, value) in object(&root, "scripts") {
        let command = secrets::redact(value.as_str().unwrap_or_default()).into_owned();
        manifest.scripts.push((name.clone(), command));
    }
    manifest.tools = object(&root, "jest").next().map(|_| String::from("jest")).into_iter().collect();
    manifest.tools.extend(string(&root, "packageManager"));
    Some(manifest)
}

fn string(root: &Map<String, Value>, key: &str) -> Option<String> {
    Some(root.get(key)?.as_str()?.trim().to_owned())
}

fn object<'v>(root: &'v Map<String, Value>, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    root.get(key).and_then(Value::as_object).into_iter().flatten()
}

fn declared(name: &str, requirement: &str, scope: Scope) -> Declared {
    let mut declared = Declared::new(name, requirement, scope);
    let folder = requirement.strip_prefix("file:").or_else(|| requirement.strip_prefix("link:"));
    declared.folder = folder.map(str::to_owned);
    declared.inherited = requirement.starts_with("workspace:") || requirement.starts_with("catalog:");
    declared
}

fn read_targets(root: &Map<String, Value>, manifest: &mut Manifest) {
    let folder = paths::folder(&manifest.path).to_owned();
    let own_name = manifest.package.clone().unwrap_or_default();
    let mut add = |kind, name: &str, place: &Value| {
        if let Some(place) = place.as_str().and_then(|place| paths::join(&folder, place)) {
            manifest.targets.push(Target { kind, name: name.to_owned(), place });
        }
    };
    match root.get("bin") {
        Some(Value::Object(bins)) => {
            bins.iter().for_each(|(name, place)| add(TargetKind::Binary, name, place))
        }
        Some(place) => add(TargetKind::Binary, &own_name, place),
        None => {}
    }
    if let Some(place) = root.get("main").or_else(|| root.get("module")) {
        add(TargetKind::Library, &own_name, place);
    }
}
