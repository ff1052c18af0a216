//! Ways into the code: programs, libraries, commands, containers, automation.

use std::collections::BTreeSet;

use serde::Serialize;

use super::inspect::FileFacts;
use super::manifest::{self, Ecosystem, Manifest, TargetKind};
use super::paths;
use super::role::Role;

/// What sort of way in it is; the order is the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Starts on its own.
    Program,
    /// Is used by other code.
    Library,
    /// A file that can be run by itself, beside its use by others.
    Script,
    /// A named command of a package.
    Command,
    /// Names of what a makefile or its like can be told to do.
    TaskRunner,
    /// What a container starts.
    Container,
    /// Runs while the package is built.
    BuildScript,
    /// Runs on a service, on every change.
    Automation,
}

impl EntryKind {
    /// Returns the words for a person.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Library => "library",
            Self::Script => "script",
            Self::Command => "command",
            Self::TaskRunner => "tasks",
            Self::Container => "container",
            Self::BuildScript => "build script",
            Self::Automation => "automation",
        }
    }
}

/// A way into the code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct EntryPoint {
    /// What sort it is.
    pub kind: EntryKind,
    /// Its name.
    pub name: String,
    /// The file to read first, relative to the root.
    pub file: String,
    /// The line to read first.
    pub line: Option<u32>,
    /// How this is known.
    pub told_by: String,
}

/// Finds the ways in, sorted by kind and name.
pub(crate) fn find(files: &[FileFacts]) -> Vec<EntryPoint> {
    let known: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut found = Found { entries: Vec::new(), known };
    for file in files.iter().filter(|file| file.role.is_product()) {
        if let Some(manifest) = &file.manifest {
            found.by_manifest(manifest);
        }
    }
    for file in files {
        found.by_file(file);
    }
    found.finish(files)
}

struct Found<'f> {
    entries: Vec<EntryPoint>,
    known: BTreeSet<&'f str>,
}

impl Found<'_> {
    fn add(&mut self, kind: EntryKind, name: &str, file: &str, line: Option<u32>, told_by: &str) {
        let told_by = told_by.to_owned();
        self.entries.push(EntryPoint { kind, name: name.to_owned(), file: file.to_owned(), line, told_by });
    }

    fn has(&self, file: &str) -> bool {
        self.entries.iter().any(|entry| entry.file == file)
    }

    fn by_manifest(&mut self, manifest: &Manifest) {
        for target in &manifest.targets {
            let kind = match target.kind {
                TargetKind::Binary => EntryKind::Program,
                TargetKind::Library => EntryKind::Library,
            };
            match self.file_of(manifest, &target.place) {
                Some(file) => self.add(kind, &target.name, &file, None, &manifest.path),
                // What a manifest names may only exist after a build.
                None => {
                    self.add(kind, &target.name, &manifest.path, None, &format!("names {}", target.place))
                }
            }
        }
        match manifest.ecosystem {
            Ecosystem::Cargo => self.by_cargo_customs(manifest),
            Ecosystem::Go => self.by_go_customs(manifest),
            Ecosystem::Python => self.by_python_customs(manifest),
            _ => {}
        }
        let wanted = ["start", "dev", "serve", "develop", "preview"];
        for (name, command) in manifest.scripts.iter().filter(|(name, _)| wanted.contains(&name.as_str())) {
            let command = super::excerpt::of(command);
            self.add(EntryKind::Command, &format!("{name}: {command}"), &manifest.path, None, "scripts");
        }
    }

    /// Cargo finds programs and libraries in places set by custom.
    fn by_cargo_customs(&mut self, manifest: &Manifest) {
        let Some(package) = &manifest.package else { return };
        let at = |inner: &str| paths::join(manifest.folder(), inner).unwrap_or_default();
        for (inner, kind) in [
            ("src/main.rs", EntryKind::Program),
            ("src/lib.rs", EntryKind::Library),
            ("build.rs", EntryKind::BuildScript),
        ] {
            let file = at(inner);
            if self.known.contains(file.as_str()) && !self.has(&file) {
                self.add(kind, package, &file, None, "Cargo's custom");
            }
        }
        let bins = at("src/bin");
        let programs: Vec<String> = self
            .known
            .iter()
            .filter(|path| paths::is_within(path, &bins))
            .filter(|path| paths::folder(path) == bins || paths::name(path) == "main.rs")
            .map(|path| (*path).to_owned())
            .collect();
        for file in programs {
            if !self.has(&file) {
                let inner = paths::relative_to(&file, &bins);
                let name = inner.split(['/', '.']).next().unwrap_or(inner).to_owned();
                self.add(EntryKind::Program, &name, &file, None, "Cargo's custom");
            }
        }
    }

    /// Code in the folder of a Go module is its library, unless it is a program.
    fn by_go_customs(&mut self, manifest: &Manifest) {
        let Some(module) = &manifest.package else { return };
        let name = paths::name(module);
        let beside = |path: &&&str| {
            paths::folder(path) == manifest.folder()
                && paths::extension(path) == "go"
                && !path.ends_with("_test.go")
        };
        let mut files: Vec<String> =
            self.known.iter().filter(beside).map(|path| (*path).to_owned()).collect();
        files.sort_by_key(|path| (paths::stem(path) != name, paths::stem(path) != "doc"));
        if let Some(file) = files.first().filter(|_| !files.iter().any(|path| paths::name(path) == "main.go"))
        {
            self.add(EntryKind::Library, name, file, None, "Go's custom");
        }
    }

    /// A folder of a Python package's own name, plain or below `src`, is what others import.
    fn by_python_customs(&mut self, manifest: &Manifest) {
        let Some(package) = &manifest.package else { return };
        let module = package.to_ascii_lowercase().replace(['-', '.'], "_");
        let places = [
            format!("{module}/__init__.py"),
            format!("src/{module}/__init__.py"),
            format!("lib/{module}/__init__.py"),
        ];
        let found = places
            .iter()
            .filter_map(|place| paths::join(manifest.folder(), place))
            .find(|file| self.known.contains(file.as_str()));
        if let Some(file) = found.filter(|file| !self.has(file)) {
            self.add(EntryKind::Library, package, &file, None, "Python's custom");
        }
    }

    /// Returns the file a manifest means: a path, or a Python module with a function.
    fn file_of(&self, manifest: &Manifest, place: &str) -> Option<String> {
        if self.known.contains(place) {
            return Some(place.to_owned());
        }
        let module = place.split(':').next()?.replace('.', "/");
        let starts = ["", "src", "lib"].iter().filter_map(|start| paths::join(manifest.folder(), start));
        let stems: Vec<String> = starts.filter_map(|start| paths::join(&start, &module)).collect();
        let endings = [".py", "/__main__.py", "/__init__.py"];
        let candidates =
            stems.iter().flat_map(|stem| endings.iter().map(move |ending| format!("{stem}{ending}")));
        candidates.into_iter().find(|path| self.known.contains(path.as_str()))
    }

    fn by_file(&mut self, file: &FileFacts) {
        let path = file.path.as_str();
        let language = file.language.map_or("", |language| language.name);
        if is_automation(path) {
            self.add(EntryKind::Automation, paths::name(path), path, None, "its place");
        }
        if file.role != Role::Source {
            return;
        }
        match (language, file.main_line) {
            ("Rust", Some(_)) if paths::name(path) == "build.rs" => {}
            ("Python", Some(line))
                if paths::name(path) != "__main__.py"
                    && paths::name(path) != "manage.py"
                    && !self.has(path) =>
            {
                self.add(EntryKind::Script, paths::stem(path), path, Some(line), "__main__ guard");
            }
            (_, Some(line)) if !self.has(path) => {
                self.add(EntryKind::Program, &name_of_program(path), path, Some(line), "main function")
            }
            ("Python", None) if paths::name(path) == "__main__.py" => {
                self.add(EntryKind::Program, paths::name(paths::folder(path)), path, None, "python -m");
            }
            _ => {}
        }
        if !file.commands.is_empty() && language != "CMake" {
            let kind = if language == "Dockerfile" { EntryKind::Container } else { EntryKind::TaskRunner };
            let shown: Vec<&str> = file.commands.iter().map(String::as_str).collect();
            self.add(kind, &shown.join(", "), path, None, language);
        }
    }

    /// Gives programs their lines and leaves every entry once.
    fn finish(mut self, files: &[FileFacts]) -> Vec<EntryPoint> {
        let has_main = |kind| matches!(kind, EntryKind::Program | EntryKind::Script | EntryKind::BuildScript);
        for entry in self.entries.iter_mut().filter(|entry| entry.line.is_none() && has_main(entry.kind)) {
            let lines = files.binary_search_by(|file| file.path.as_str().cmp(entry.file.as_str()));
            entry.line = lines.ok().and_then(|index| files[index].main_line);
        }
        // What lies near the root is likelier to be meant for everyone.
        self.entries.sort_by_cached_key(|entry| (entry.kind, entry.file.matches('/').count(), entry.clone()));
        self.entries.dedup();
        self.entries
    }
}

/// A program in a file of a plain name is called by its folder.
fn name_of_program(path: &str) -> String {
    let stem = paths::stem(path);
    let folder = paths::name(paths::folder(path));
    let plain =
        matches!(stem.to_ascii_lowercase().as_str(), "main" | "program" | "app" | "index" | "__main__");
    if plain && !folder.is_empty() { folder.to_owned() } else { stem.to_owned() }
}

fn is_automation(path: &str) -> bool {
    manifest::is_workflow(path)
        || matches!(
            path,
            ".gitlab-ci.yml"
                | ".travis.yml"
                | ".circleci/config.yml"
                | "Jenkinsfile"
                | "azure-pipelines.yml"
                | "bitbucket-pipelines.yml"
                | ".drone.yml"
                | "appveyor.yml"
                | ".cirrus.yml"
        )
}

#[cfg(test)]
mod tests {
    use super::super::inspect::{TreeContext, inspect};
    use super::super::role::Attributes;
    use super::*;

    fn entries(tree: &[(&str, &str)]) -> Vec<(EntryKind, String, String, Option<u32>)> {
        let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse("") };
        let mut files: Vec<FileFacts> =
            tree.iter().map(|(path, text)| inspect(path, text, &context)).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        find(&files).into_iter().map(|entry| (entry.kind, entry.name, entry.file, entry.line)).collect()
    }

    fn entry(
        kind: EntryKind,
        name: &str,
        file: &str,
        line: Option<u32>,
    ) -> (EntryKind, String, String, Option<u32>) {
        (kind, name.to_owned(), file.to_owned(), line)
    }

    #[test]
    fn ways_into_a_rust_package_are_found() {
        let tree = [
            ("Cargo.toml", "[package]\nname = \"app\"\n"),
            ("src/main.rs", "\nfn main() {}\n"),
            ("src/lib.rs", "pub fn a() {}\n"),
            ("src/bin/tool.rs", "fn main() {}\n"),
            ("build.rs", "fn main() {}\n"),
            ("examples/e.rs", "fn main() {}\n"),
        ];
        assert_eq!(
            entries(&tree),
            [
                entry(EntryKind::Program, "app", "src/main.rs", Some(2)),
                entry(EntryKind::Program, "tool", "src/bin/tool.rs", Some(1)),
                entry(EntryKind::Library, "app", "src/lib.rs", None),
                entry(EntryKind::BuildScript, "app", "build.rs", Some(1)),
            ]
        );
    }

    #[test]
    fn ways_into_other_trees_are_found() {
        let tree = [
            ("pyproject.toml", "[project]\nname='p'\n[project.scripts]\nrun='p.cli:main'\n"),
            ("src/p/cli.py", "def main():\n    pass\n"),
            ("src/p/__main__.py", "from .cli import main\n"),
            (
                "web/package.json",
                "{\"name\":\"w\",\"scripts\":{\"start\":\"node x.js\",\"lint\":\"eslint\"}}",
            ),
            ("Dockerfile", "FROM x\nCMD [\"run\"]\n"),
            ("Makefile", "all:\n\ttrue\n"),
            ("cmd/srv/main.go", "package main\n\nfunc main() {}\n"),
            (".github/workflows/ci.yml", "on: push\n"),
        ];
        assert_eq!(
            entries(&tree),
            [
                entry(EntryKind::Program, "p", "src/p/__main__.py", None),
                entry(EntryKind::Program, "run", "src/p/cli.py", None),
                entry(EntryKind::Program, "srv", "cmd/srv/main.go", Some(3)),
                entry(EntryKind::Command, "start: node x.js", "web/package.json", None),
                entry(EntryKind::TaskRunner, "all", "Makefile", None),
                entry(EntryKind::Container, "[\"run\"]", "Dockerfile", None),
                entry(EntryKind::Automation, "ci.yml", ".github/workflows/ci.yml", None),
            ]
        );
    }
}
