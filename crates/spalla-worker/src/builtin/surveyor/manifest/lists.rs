//! Manifests that are little more than lists: Ruby, PHP, Elixir, Dart, Swift, container images, CI actions.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::{Declared, Ecosystem, Manifest, Scope};

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// Makes a manifest of all matches: group 1 is the name, group 2, where present, the requirement.
fn listed(path: &str, ecosystem: Ecosystem, text: &str, pattern: &Regex, scope: Scope) -> Manifest {
    let mut manifest = Manifest::new(path, ecosystem);
    manifest.dependencies = pattern
        .captures_iter(text)
        .map(|row| Declared::new(&row[1], row.get(2).map_or("", |found| found.as_str()), scope))
        .collect();
    manifest
}

static GEM: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^\s*gem\s*\(?\s*["']([^"']+)["'](?:\s*,\s*["']([^"']+)["'])?"#));
static GEM_ADDED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?m)\.add_(?:runtime_)?dependency\s*\(?\s*["']([^"']+)["'](?:\s*,\s*["']([^"']+)["'])?"#)
});
static GEM_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r#"\.name\s*=\s*["']([^"']+)["']"#));

/// Reads a Gemfile.
pub(super) fn read_gemfile(path: &str, text: &str) -> Option<Manifest> {
    Some(listed(path, Ecosystem::Ruby, text, &GEM, Scope::Normal))
}

/// Reads a gemspec.
pub(super) fn read_gemspec(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = listed(path, Ecosystem::Ruby, text, &GEM_ADDED, Scope::Normal);
    manifest.package = GEM_NAME.captures(text).map(|found| found[1].to_owned());
    Some(manifest)
}

/// Reads a composer.json.
pub(super) fn read_composer(path: &str, text: &str) -> Option<Manifest> {
    let root: Map<String, Value> = serde_json::from_str(text).ok()?;
    let mut manifest = Manifest::new(path, Ecosystem::Composer);
    let string = |key: &str| root.get(key).and_then(Value::as_str).map(str::to_owned);
    (manifest.package, manifest.description) = (string("name"), string("description"));
    for (section, scope) in [("require", Scope::Normal), ("require-dev", Scope::Dev)] {
        let rows = root.get(section).and_then(Value::as_object).into_iter().flatten();
        // Names without a slash are the language itself and its extensions.
        for (name, version) in rows.filter(|(name, _)| name.contains('/')) {
            manifest.dependencies.push(Declared::new(name, version.as_str().unwrap_or_default(), scope));
        }
    }
    for (name, _) in root.get("scripts").and_then(Value::as_object).into_iter().flatten() {
        manifest.scripts.push((name.clone(), String::new()));
    }
    Some(manifest)
}

static MIX: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?m)^\s*\{\s*:(\w+)\s*,\s*(?:"([^"]+)")?"#));
static MIX_APP: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bapp:\s*:(\w+)"));

/// Reads a mix.exs.
pub(super) fn read_mix(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = listed(path, Ecosystem::Hex, text, &MIX, Scope::Normal);
    manifest.package = MIX_APP.captures(text).map(|found| found[1].to_owned());
    Some(manifest)
}

/// Reads a pubspec.yaml: two levels of indentation are all it needs.
pub(super) fn read_pubspec(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::new(path, Ecosystem::Pub);
    let mut section = "";
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim_end(), value.trim());
        if !key.starts_with(' ') {
            section = key;
            match key {
                "name" => manifest.package = Some(value.to_owned()),
                "description" => manifest.description = Some(value.trim_matches(['"', '\'']).to_owned()),
                _ => {}
            }
        } else if key.starts_with("  ") && !key.starts_with("   ") {
            let scope = match section {
                "dependencies" => Scope::Normal,
                "dev_dependencies" => Scope::Dev,
                _ => continue,
            };
            manifest.dependencies.push(Declared::new(key.trim(), value, scope));
        }
    }
    Some(manifest)
}

static SWIFT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"\.package\s*\([^)]*?url:\s*"(?:https?://)?([^"]+?)(?:\.git)?"\s*,\s*([^)]*)\)"#)
});
static SWIFT_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r#"Package\s*\(\s*name:\s*"([^"]+)""#));

/// Reads a Package.swift.
pub(super) fn read_swift(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = listed(path, Ecosystem::Swift, text, &SWIFT, Scope::Normal);
    manifest.package = SWIFT_NAME.captures(text).map(|found| found[1].to_owned());
    Some(manifest)
}

static FROM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?mi)^\s*FROM\s+(?:--\S+\s+)*([^\s:@]+(?::\d+/[^\s:@]+)?)(?:[:@](\S+))?(?:\s+AS\s+(\S+))?")
});

/// Reads the images a Dockerfile builds on; its own stages are none.
pub(super) fn read_dockerfile(path: &str, text: &str) -> Option<Manifest> {
    let stages: Vec<String> =
        FROM.captures_iter(text).filter_map(|row| Some(row.get(3)?.as_str().to_owned())).collect();
    let mut manifest = listed(path, Ecosystem::Container, text, &FROM, Scope::Build);
    manifest.dependencies.retain(|image| {
        !stages.contains(&image.name) && image.name != "scratch" && !image.name.contains('$')
    });
    Some(manifest)
}

static USES: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^\s*(?:-\s*)?uses:\s*["']?([\w.-]+/[\w./-]+)@([^\s"'#]+)"#));

/// Reads the actions a workflow uses.
pub(super) fn read_workflow(path: &str, text: &str) -> Option<Manifest> {
    Some(listed(path, Ecosystem::Actions, text, &USES, Scope::Dev))
}
