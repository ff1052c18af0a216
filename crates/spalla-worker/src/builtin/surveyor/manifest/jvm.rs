//! Maven's pom.xml, Gradle's build files and its version catalogue.

use std::sync::LazyLock;

use regex::Regex;
use toml::{Table, Value};

use super::{Declared, Ecosystem, Manifest, Scope};
use crate::builtin::surveyor::paths;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

static NESTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?s)<!--.*?-->|<(?:parent|build|profiles|reporting|dependencyManagement|pluginRepositories)>.*?</(?:parent|build|profiles|reporting|dependencyManagement|pluginRepositories)>",
    )
});
static DEPENDENCY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<dependency>(.*?)</dependency>"));
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"<(\w+)>\s*([^<]*?)\s*</"));
static EXCLUSIONS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<exclusions>.*?</exclusions>"));

/// Reads the head and the dependencies of a pom.xml; profiles and plugins are left out.
pub(super) fn read_pom(path: &str, text: &str) -> Option<Manifest> {
    if !text.contains("<project") {
        return None;
    }
    let own = NESTED.replace_all(text, "");
    let mut manifest = Manifest::new(path, Ecosystem::Maven);
    let head = DEPENDENCY.replace_all(&own, "");
    let element = |name: &str| {
        let found = ELEMENT.captures_iter(&head).find(|captures| &captures[1] == name);
        found.map(|captures| captures[2].to_owned()).filter(|value| !value.is_empty())
    };
    manifest.package = element("artifactId");
    manifest.version = element("version");
    manifest.description =
        element("description").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    for found in DEPENDENCY.captures_iter(&own) {
        manifest.dependencies.extend(pom_dependency(&EXCLUSIONS.replace_all(&found[1], "")));
    }
    Some(manifest)
}

fn pom_dependency(block: &str) -> Option<Declared> {
    let element = |name: &str| {
        let found = ELEMENT.captures_iter(block).find(|captures| &captures[1] == name);
        found.map(|captures| captures[2].to_owned())
    };
    let scope = match (element("scope").as_deref(), element("optional").as_deref()) {
        (Some("test"), _) => Scope::Dev,
        (Some("provided"), _) => Scope::Build,
        (_, Some("true")) => Scope::Optional,
        _ => Scope::Normal,
    };
    let name = format!("{}:{}", element("groupId")?, element("artifactId")?);
    Some(Declared::new(name, element("version").unwrap_or_default(), scope))
}

static GRADLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?m)^\s*(\w*(?:[iI]mplementation|[aA]pi|[cC]ompileOnly|[rR]untimeOnly|kapt|ksp|[aA]nnotationProcessor|classpath|compile))\s*\(?\s*(?:platform\s*\(\s*)?(?:["']([\w.-]+:[\w.-]+)(?::([^"'@]+))?[^"']*["']|libs\.([\w.]+)|project\s*\(\s*(?:path\s*[:=]\s*)?["']:?([\w:.-]+)["'])"#,
    )
});

/// Reads the dependencies of a Gradle build file that stand in plain literals.
pub(super) fn read_gradle(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::new(path, Ecosystem::Maven);
    let folder = paths::folder(path);
    manifest.package = Some(paths::name(folder).to_owned()).filter(|name| !name.is_empty());
    for captures in GRADLE.captures_iter(text) {
        let configuration = captures[1].to_ascii_lowercase();
        let scope = match () {
            () if configuration.contains("test") => Scope::Dev,
            () if ["kapt", "ksp", "annotation", "classpath", "compileonly"]
                .iter()
                .any(|word| configuration.contains(word)) =>
            {
                Scope::Build
            }
            () => Scope::Normal,
        };
        let group = |index: usize| captures.get(index).map(|found| found.as_str());
        let declared = match (group(2), group(4), group(5)) {
            (Some(name), _, _) => Declared::new(name, group(3).unwrap_or_default(), scope),
            (_, Some(entry), _) => {
                Declared { inherited: true, ..Declared::new(entry.replace('.', "-"), "", scope) }
            }
            (_, _, Some(project)) => {
                let name = project.rsplit(':').next().unwrap_or(project);
                // The colons of a project path are folders below the root, wherever the build file lies.
                let up = "../".repeat(folder.split('/').filter(|part| !part.is_empty()).count());
                let target = format!("{up}{}", project.replace(':', "/"));
                Declared { folder: Some(target), ..Declared::new(name, "", scope) }
            }
            _ => continue,
        };
        manifest.dependencies.push(declared);
    }
    Some(manifest)
}

/// Reads a version catalogue: what the build files name `libs.…`.
pub(super) fn read_catalog(path: &str, text: &str) -> Option<Manifest> {
    let root: Table = toml::from_str(text).ok()?;
    let mut manifest = Manifest::new(path, Ecosystem::Maven);
    let versions = root.get("versions").and_then(Value::as_table);
    for (alias, value) in root.get("libraries").and_then(Value::as_table).into_iter().flatten() {
        manifest.shared.extend(catalog_entry(alias, value, versions));
    }
    Some(manifest)
}

fn catalog_entry(alias: &str, value: &Value, versions: Option<&Table>) -> Option<Declared> {
    let (name, version) = match value {
        Value::String(text) => {
            let (name, version) = text.rsplit_once(':')?;
            (name.to_owned(), version.to_owned())
        }
        value => {
            let part = |key: &str| value.get(key).and_then(Value::as_str);
            let name = match part("module") {
                Some(module) => module.to_owned(),
                None => format!("{}:{}", part("group")?, part("name")?),
            };
            let referred = value.get("version").and_then(|version| version.get("ref")?.as_str());
            let shared = referred.and_then(|key| versions?.get(key)?.as_str());
            (name, part("version").or(shared).unwrap_or_default().to_owned())
        }
    };
    let alias = alias.replace(['_', '.'], "-");
    Some(Declared { alias: Some(alias), ..Declared::new(name, version, Scope::Normal) })
}
