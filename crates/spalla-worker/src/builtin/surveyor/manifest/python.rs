//! pyproject.toml, requirements, setup.py, setup.cfg and Pipfile.

use std::sync::LazyLock;

use regex::Regex;
use toml::{Table, Value};

use super::{Declared, Ecosystem, Manifest, Scope, Target, TargetKind};
use crate::builtin::surveyor::paths;

/// Reads a pyproject.toml of the standard form, of Poetry, or of both.
pub(super) fn read_pyproject(path: &str, text: &str) -> Option<Manifest> {
    let root: Table = toml::from_str(text).ok()?;
    let mut manifest = Manifest::new(path, Ecosystem::Python);
    let tools = table(&root, "tool");
    manifest.tools = tools.into_iter().flat_map(Table::keys).cloned().collect();
    if let Some(project) = table(&root, "project") {
        read_head(project, &mut manifest);
        manifest.dependencies.extend(requirements(project.get("dependencies"), Scope::Normal));
        for extra in table(project, "optional-dependencies").into_iter().flat_map(Table::values) {
            manifest.dependencies.extend(requirements(Some(extra), Scope::Optional));
        }
        for section in ["scripts", "gui-scripts"] {
            read_scripts(project, section, &mut manifest);
        }
    }
    for group in table(&root, "dependency-groups").into_iter().flat_map(Table::values) {
        manifest.dependencies.extend(requirements(Some(group), Scope::Dev));
    }
    if let Some(build) = table(&root, "build-system") {
        manifest.dependencies.extend(requirements(build.get("requires"), Scope::Build));
    }
    if let Some(poetry) = tools.and_then(|tools| table(tools, "poetry")) {
        read_poetry(poetry, &mut manifest);
    }
    Some(manifest)
}

fn table<'t>(parent: &'t Table, key: &str) -> Option<&'t Table> {
    parent.get(key)?.as_table()
}

fn read_head(project: &Table, manifest: &mut Manifest) {
    let string = |key: &str| project.get(key).and_then(Value::as_str).map(|text| text.trim().to_owned());
    manifest.package = string("name").or(manifest.package.take());
    manifest.version = string("version").or(manifest.version.take());
    manifest.description = string("description").or(manifest.description.take());
}

fn read_scripts(parent: &Table, section: &str, manifest: &mut Manifest) {
    for (name, place) in table(parent, section).into_iter().flatten() {
        if let Some(place) = place.as_str() {
            let (name, place) = (name.clone(), place.to_owned());
            manifest.targets.push(Target { kind: TargetKind::Binary, name, place });
        }
    }
}

fn read_poetry(poetry: &Table, manifest: &mut Manifest) {
    read_head(poetry, manifest);
    read_scripts(poetry, "scripts", manifest);
    let mut add = |rows: Option<&Table>, scope| {
        for (name, value) in rows.into_iter().flatten().filter(|(name, _)| *name != "python") {
            let details = value.as_table();
            let version = details.map_or(Some(value), |details| details.get("version"));
            let mut declared =
                Declared::new(name, version.and_then(Value::as_str).unwrap_or_default(), scope);
            declared.folder = details.and_then(|details| details.get("path")?.as_str().map(str::to_owned));
            manifest.dependencies.push(declared);
        }
    };
    add(table(poetry, "dependencies"), Scope::Normal);
    add(table(poetry, "dev-dependencies"), Scope::Dev);
    for group in table(poetry, "group").into_iter().flat_map(Table::values).filter_map(Value::as_table) {
        add(table(group, "dependencies"), Scope::Dev);
    }
}

fn requirements(list: Option<&Value>, scope: Scope) -> Vec<Declared> {
    let rows = list.and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|row| requirement(row.as_str()?, scope)).collect()
}

static REQUIREMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;#]*)").expect("constant pattern")
});

/// Reads one requirement: a name, extras, versions; markers are left out.
fn requirement(text: &str, scope: Scope) -> Option<Declared> {
    let captures = REQUIREMENT.captures(text)?;
    let versions = captures.get(2).map_or("", |versions| versions.as_str()).trim().trim_end_matches(')');
    Some(Declared::new(&captures[1], versions, scope))
}

/// Reads a list of requirements.
pub(super) fn read_requirements(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::new(path, Ecosystem::Python);
    let lower = path.to_ascii_lowercase();
    let for_work = ["dev", "test", "doc", "lint", "ci", "typing", "build", "style", "type"]
        .iter()
        .any(|word| paths::stem(&lower).split(['-', '_', '.']).any(|part| part.starts_with(word)));
    let scope = if for_work { Scope::Dev } else { Scope::Normal };
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['-', '#']) && !line.is_empty()) {
        manifest.dependencies.extend(requirement(line, scope));
    }
    Some(manifest)
}

static REQUIRED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)\binstall_requires\s*=\s*\[(.*?)\]").expect("constant pattern"));
static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"["']([^"'\n]+)["']"#).expect("constant pattern"));
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\bname\s*=\s*["']([^"'\n]+)["']"#).expect("constant pattern"));

/// Reads what a setup.py says in plain literals; what it computes stays unknown.
pub(super) fn read_setup_script(path: &str, text: &str) -> Option<Manifest> {
    if !text.contains("setup(") {
        return None;
    }
    let mut manifest = Manifest::new(path, Ecosystem::Python);
    manifest.package = NAME.captures(text).map(|captures| captures[1].to_owned());
    if let Some(list) = REQUIRED.captures(text) {
        let rows = QUOTED.captures_iter(list.get(1).map_or("", |list| list.as_str()));
        manifest.dependencies = rows.filter_map(|row| requirement(&row[1], Scope::Normal)).collect();
    }
    Some(manifest)
}

/// Reads the parts of a setup.cfg that describe a package.
pub(super) fn read_setup_cfg(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::new(path, Ecosystem::Python);
    let (mut section, mut key) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
        if let Some(name) = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            manifest.tools.push(name.split(':').next().unwrap_or_default().to_owned());
            continue;
        }
        let continues = line.starts_with([' ', '\t']);
        let value = if continues {
            line.trim()
        } else {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            key = name.trim().to_owned();
            value.trim()
        };
        match (section.as_str(), key.as_str()) {
            ("metadata", "name") if !value.is_empty() => manifest.package = Some(value.to_owned()),
            ("options", "install_requires") => {
                manifest.dependencies.extend(requirement(value, Scope::Normal))
            }
            ("options.extras_require", _) => {
                manifest.dependencies.extend(requirement(value, Scope::Optional))
            }
            _ => {}
        }
    }
    (manifest.package.is_some() || !manifest.dependencies.is_empty() || !manifest.tools.is_empty())
        .then_some(manifest)
}

/// Reads a Pipfile.
pub(super) fn read_pipfile(path: &str, text: &str) -> Option<Manifest> {
    let root: Table = toml::from_str(text).ok()?;
    let mut manifest = Manifest::new(path, Ecosystem::Python);
    for (section, scope) in [("packages", Scope::Normal), ("dev-packages", Scope::Dev)] {
        for (name, value) in table(&root, section).into_iter().flatten() {
            let version = value.as_table().map_or(Some(value), |details| details.get("version"));
            let requirement = version.and_then(Value::as_str).unwrap_or_default();
            manifest.dependencies.push(Declared::new(name, requirement, scope));
        }
    }
    Some(manifest)
}
