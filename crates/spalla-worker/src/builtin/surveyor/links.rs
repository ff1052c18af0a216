//! Finds the files that imports mean: which file of the tree needs which, and which packages from outside are
//! used.

mod c;
mod namespaces;
mod python;
mod rust;
mod script;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::imports::DEFERRED;
use super::inspect::FileFacts;
use super::manifest::Ecosystem;
use super::packages::{Packages, plain_python_name};
use super::paths;
use super::role::Role;

/// What the imports of a tree come to.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Pairs of indices of files: the first needs the second.
    pub files: BTreeSet<(usize, usize)>,
    /// Those of them in which the first cannot even be loaded without the second.
    pub firm: BTreeSet<(usize, usize)>,
    /// Files that import a package from outside, by index into [`Packages::external`].
    pub external: BTreeMap<usize, BTreeSet<usize>>,
}

/// The files of a tree, made ready for looking things up.
pub(super) struct Index<'f> {
    pub files: &'f [FileFacts],
    pub by_path: HashMap<&'f str, usize>,
}

impl<'f> Index<'f> {
    fn new(files: &'f [FileFacts]) -> Self {
        let by_path = files.iter().enumerate().map(|(index, file)| (file.path.as_str(), index)).collect();
        Self { files, by_path }
    }

    /// Returns the file at a path.
    pub(super) fn at(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// Returns the first file of the product in a folder, in the order of paths.
    pub(super) fn first_in(&self, folder: &str, language: &[&str]) -> Option<usize> {
        self.files.iter().position(|file| {
            file.role == Role::Source
                && paths::folder(&file.path) == folder
                && file.language.is_some_and(|known| language.contains(&known.name))
        })
    }
}

/// Resolves the imports of all files of the product.
pub(crate) fn resolve(files: &[FileFacts], packages: &Packages) -> Links {
    let index = Index::new(files);
    let resolver = Resolver::new(&index, packages);
    let external_names = external_names(packages);
    let mut links = Links::default();
    for (from, file) in files.iter().enumerate() {
        let Some(language) = file.language.filter(|_| file.role == Role::Source) else { continue };
        for target in &file.imports.targets {
            let (is_deferred, target) = match target.strip_prefix(DEFERRED) {
                Some(target) => (true, target),
                None => (false, target.as_str()),
            };
            match resolver.find(language.name, from, target) {
                Some(to)
                    if to != from && !files[to].role.is_foreign() && may_need(packages, files, from, to) =>
                {
                    links.files.insert((from, to));
                    if !is_deferred {
                        links.firm.insert((from, to));
                    }
                }
                Some(_) => {}
                None => {
                    let names = candidates(language.name, target);
                    let found = names
                        .into_iter()
                        .find_map(|(ecosystem, name)| external_names.get(&(ecosystem, name)));
                    if let Some(package) = found {
                        links.external.entry(*package).or_default().insert(from);
                    }
                }
            }
        }
    }
    links
}

/// A Rust crate reaches no other that its manifest does not name: such a path stands in code that it only
/// generates.
fn may_need(packages: &Packages, files: &[FileFacts], from: usize, to: usize) -> bool {
    let homes = [from, to].map(|file| packages.of_file(&files[file].path));
    match homes {
        [Some(a), Some(b)]
            if a != b && [a, b].iter().all(|home| packages.own[*home].ecosystem == Ecosystem::Cargo) =>
        {
            packages.declared.contains(&(a, b))
        }
        _ => true,
    }
}

struct Resolver<'i, 'f> {
    index: &'i Index<'f>,
    rust: rust::Crates,
    script: script::Workspaces,
    python: python::Roots,
    namespaces: namespaces::Namespaces,
    go: namespaces::GoModules,
    headers: c::Headers,
}

impl<'i, 'f> Resolver<'i, 'f> {
    fn new(index: &'i Index<'f>, packages: &Packages) -> Self {
        Self {
            index,
            rust: rust::Crates::new(index, packages),
            script: script::Workspaces::new(index, packages),
            python: python::Roots::new(index),
            namespaces: namespaces::Namespaces::new(index),
            go: namespaces::GoModules::new(index, packages),
            headers: c::Headers::new(index),
        }
    }

    fn find(&self, language: &str, from: usize, target: &str) -> Option<usize> {
        let path = self.index.files[from].path.as_str();
        match language {
            "Rust" => self.rust.find(self.index, path, target),
            "JavaScript" | "TypeScript" | "Vue" | "Svelte" => self.script.find(self.index, path, target),
            "Python" => self.python.find(self.index, path, target),
            "Go" => self.go.find(target),
            "Java" | "Kotlin" | "Scala" | "Groovy" | "C#" | "PHP" => self.namespaces.find(self.index, target),
            "C" | "C++" | "Objective-C" => self.headers.find(self.index, path, target),
            "Ruby" => ruby(self.index, path, target),
            "Dart" => self.script.find_dart(self.index, path, target),
            "Zig" => paths::join(paths::folder(path), target).and_then(|path| self.index.at(&path)),
            _ => None,
        }
    }
}

fn ruby(index: &Index<'_>, path: &str, target: &str) -> Option<usize> {
    let target = target.strip_suffix(".rb").unwrap_or(target);
    if target.starts_with("./") {
        return index.at(&format!("{}.rb", paths::join(paths::folder(path), target)?));
    }
    let roots = paths::ancestors(path).filter_map(|folder| paths::join(folder, "lib"));
    roots.chain([String::from("lib")]).find_map(|root| index.at(&format!("{root}/{target}.rb")))
}

type ExternalNames = HashMap<(Ecosystem, String), usize>;

/// Maps the names code uses to the packages from outside.
fn external_names(packages: &Packages) -> ExternalNames {
    let mut names = ExternalNames::new();
    for (index, package) in packages.external.iter().enumerate() {
        for name in &package.import_names {
            let name = match package.ecosystem {
                Ecosystem::Cargo => name.replace('-', "_"),
                Ecosystem::Python => plain_python_name(name),
                _ => name.clone(),
            };
            names.insert((package.ecosystem, name), index);
        }
    }
    names
}

/// Python packages whose modules have another name.
const PYTHON_MODULES: &[(&str, &str)] = &[
    ("yaml", "pyyaml"),
    ("pil", "pillow"),
    ("cv2", "opencv-python"),
    ("bs4", "beautifulsoup4"),
    ("sklearn", "scikit-learn"),
    ("dateutil", "python-dateutil"),
    ("dotenv", "python-dotenv"),
    ("jwt", "pyjwt"),
    ("attr", "attrs"),
    ("pkg-resources", "setuptools"),
    ("psycopg2", "psycopg2-binary"),
    ("mysqldb", "mysqlclient"),
    ("crypto", "pycryptodome"),
];

/// Returns the packages an import may mean, the likeliest first.
fn candidates(language: &str, target: &str) -> Vec<(Ecosystem, String)> {
    match language {
        "Rust" => {
            let path = target.strip_prefix(super::imports::REEXPORT).unwrap_or(target);
            let first = path.split("::").next().unwrap_or(path);
            vec![(Ecosystem::Cargo, first.to_owned())]
        }
        "JavaScript" | "TypeScript" | "Vue" | "Svelte" => {
            vec![(Ecosystem::Npm, script::package_of(target).to_owned())]
        }
        "Python" => {
            let module = plain_python_name(target.split('.').next().unwrap_or(target));
            let known = PYTHON_MODULES.iter().find(|(name, _)| *name == module);
            let mut names = vec![(Ecosystem::Python, module)];
            names.extend(known.map(|(_, package)| (Ecosystem::Python, (*package).to_owned())));
            names
        }
        "Go" => prefixes(target).map(|path| (Ecosystem::Go, path.to_owned())).collect(),
        _ => Vec::new(),
    }
}

/// Returns a path and all its parents, the longest first.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rfind('/').map(|at| &path[..at]))
}

/// Ecosystems whose imports name their packages plainly enough to be counted.
pub(crate) const COUNTED: &[Ecosystem] =
    &[Ecosystem::Cargo, Ecosystem::Npm, Ecosystem::Python, Ecosystem::Go];

#[cfg(test)]
mod tests;
