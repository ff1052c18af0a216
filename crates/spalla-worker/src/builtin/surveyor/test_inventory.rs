//! Where the tests are, how many, and how to run them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::inspect::FileFacts;
use super::manifest::{Ecosystem, Manifest};
use super::packages::{Package, Packages};
use super::paths;
use super::role::Role;

/// The tests of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestInventory {
    /// Files that hold tests, among them source files with tests inside.
    pub files: usize,
    /// Test cases, by the marks of the test tools; cases made at run time count once.
    pub cases: usize,
    /// Lines of test code.
    pub code_lines: usize,
    /// Lines of test code per hundred lines of product code.
    pub lines_per_hundred: usize,
    /// Folders by test cases, the most first.
    pub folders: Vec<TestFolder>,
    /// How the tests are run, as far as the tree says.
    pub commands: Vec<TestCommand>,
    /// Packages of the product with code and without any test in their folder.
    pub packages_without_tests: Vec<String>,
}

/// The tests of one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestFolder {
    /// The folder, relative to the root.
    pub folder: String,
    /// Files that hold tests.
    pub files: usize,
    /// Test cases.
    pub cases: usize,
}

/// A command that runs tests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TestCommand {
    /// Where to run it, relative to the root; empty for the root.
    pub folder: String,
    /// What to type.
    pub command: String,
    /// Where the tree says so.
    pub told_by: String,
}

/// Counts the tests and finds out how to run them.
pub(crate) fn take(files: &[FileFacts], packages: &Packages) -> TestInventory {
    let tests: Vec<&FileFacts> = files.iter().filter(|file| holds_tests(file)).collect();
    let lines =
        |file: &FileFacts| if file.role == Role::Test { file.lines.code } else { file.lines.test_code };
    let code_lines = files.iter().filter(|file| file.role.is_own_code()).map(lines).sum::<usize>();
    let product: usize =
        files.iter().filter(|file| file.is_product_code()).map(FileFacts::product_lines).sum();
    let cases = tests.iter().map(|file| file.test_cases).sum();
    TestInventory {
        files: tests.len(),
        cases,
        code_lines,
        lines_per_hundred: code_lines * 100 / product.max(1),
        folders: folders(&tests),
        commands: commands(files, !tests.is_empty()),
        packages_without_tests: without_tests(packages, &tests),
    }
}

/// Helpers of tests hold none themselves; where a language's marks are unknown, the role decides.
fn holds_tests(file: &FileFacts) -> bool {
    file.role.is_own_code()
        && (file.test_cases > 0
            || (file.role == Role::Test && file.language.is_some_and(|l| !counts_cases(l.name))))
}

fn counts_cases(language: &str) -> bool {
    matches!(
        language,
        "Rust"
            | "Go"
            | "Python"
            | "JavaScript"
            | "TypeScript"
            | "Java"
            | "Kotlin"
            | "Scala"
            | "Groovy"
            | "C#"
            | "Ruby"
            | "PHP"
            | "Swift"
            | "Elixir"
            | "Dart"
            | "Zig"
            | "Shell"
            | "C"
            | "C++"
            | "Tcl"
            | "HTML"
            | "CSS"
            | "Sass"
            | "Makefile"
            | "Dockerfile"
            | "CMake"
    )
}

fn folders(tests: &[&FileFacts]) -> Vec<TestFolder> {
    let mut rows: BTreeMap<&str, TestFolder> = BTreeMap::new();
    for file in tests {
        let folder = shallow(paths::folder(&file.path));
        let row = rows.entry(folder).or_default();
        row.folder = folder.to_owned();
        row.files += 1;
        row.cases += file.test_cases;
    }
    let mut rows: Vec<TestFolder> = rows.into_values().collect();
    rows.sort_by(|a, b| (b.cases, b.files).cmp(&(a.cases, a.files)).then_with(|| a.folder.cmp(&b.folder)));
    rows
}

/// Three levels are enough to find a test.
fn shallow(folder: &str) -> &str {
    folder.match_indices('/').nth(2).map_or(folder, |(at, _)| &folder[..at])
}

fn without_tests(packages: &Packages, tests: &[&FileFacts]) -> Vec<String> {
    // A package of a few lines has nothing to test.
    const CODE_LINES_MIN: usize = 50;
    let holds_others = |package: &Package| {
        packages
            .own
            .iter()
            .any(|other| other.folder != package.folder && paths::is_within(&other.folder, &package.folder))
    };
    let tested: BTreeSet<usize> = tests.iter().filter_map(|file| packages.of_file(&file.path)).collect();
    let bare = packages.own.iter().enumerate().filter(|(index, package)| {
        package.role == Role::Source
            && package.code_lines >= CODE_LINES_MIN
            && !tested.contains(index)
            && !holds_others(package)
    });
    bare.map(|(_, package)| package.name.clone()).collect()
}

/// What is known of the tree when commands are sought.
struct Clues<'f> {
    files: &'f [FileFacts],
    known: BTreeSet<&'f str>,
    found: BTreeSet<TestCommand>,
}

fn commands(files: &[FileFacts], has_tests: bool) -> Vec<TestCommand> {
    let known = files.iter().map(|file| file.path.as_str()).collect();
    let mut clues = Clues { files, known, found: BTreeSet::new() };
    for file in files.iter().filter(|file| file.role.is_product()) {
        if let Some(manifest) = &file.manifest {
            clues.by_manifest(manifest);
        }
        clues.by_commands(file);
    }
    if has_tests {
        clues.by_customs();
    }
    clues.outermost()
}

impl Clues<'_> {
    fn add(&mut self, folder: &str, command: &str, told_by: &str) {
        self.found.insert(TestCommand {
            folder: folder.to_owned(),
            command: command.to_owned(),
            told_by: told_by.to_owned(),
        });
    }

    fn has(&self, folder: &str, name: &str) -> bool {
        paths::join(folder, name).is_some_and(|path| self.known.contains(path.as_str()))
    }

    fn by_manifest(&mut self, manifest: &Manifest) {
        let folder = manifest.folder();
        let path = manifest.path.as_str();
        let name = paths::name(path);
        match manifest.ecosystem {
            Ecosystem::Cargo if self.has(folder, ".config/nextest.toml") => {
                self.add(folder, "cargo nextest run", ".config/nextest.toml")
            }
            Ecosystem::Cargo => self.add(folder, "cargo test --workspace", path),
            Ecosystem::Npm => self.by_npm(manifest),
            Ecosystem::Go => self.add(folder, "go test ./...", path),
            Ecosystem::Maven if name == "pom.xml" => {
                self.add(folder, self.wrapped(folder, "mvnw", "mvn test"), path)
            }
            Ecosystem::Maven if name != "libs.versions.toml" => {
                self.add(folder, self.wrapped(folder, "gradlew", "gradle test"), path)
            }
            Ecosystem::Python
                if manifest
                    .tools
                    .iter()
                    .any(|tool| tool.starts_with("pytest") || tool.starts_with("tool:pytest")) =>
            {
                self.add(folder, "pytest", path);
            }
            Ecosystem::Hex => self.add(folder, "mix test", path),
            Ecosystem::Nuget => self.add("", "dotnet test", path),
            Ecosystem::Swift => self.add(folder, "swift test", path),
            Ecosystem::Pub => self.add(folder, "dart test", path),
            Ecosystem::Composer if manifest.scripts.iter().any(|(name, _)| name == "test") => {
                self.add(folder, "composer test", path)
            }
            _ => {}
        }
    }

    fn wrapped(&self, folder: &str, wrapper: &str, command: &'static str) -> &'static str {
        match (self.has(folder, wrapper) || self.has("", wrapper), command) {
            (true, "mvn test") => "./mvnw test",
            (true, _) => "./gradlew test",
            (false, command) => command,
        }
    }

    fn by_npm(&mut self, manifest: &Manifest) {
        let folder = manifest.folder();
        let lock = |name: &str| self.has(folder, name) || self.has("", name);
        let manager = match () {
            () if lock("pnpm-lock.yaml") => "pnpm",
            () if lock("yarn.lock") => "yarn",
            () if lock("bun.lock") || lock("bun.lockb") => "bun run",
            () => "npm run",
        };
        let wanted = |name: &str| name == "test" || name.starts_with("test:") || name.starts_with("test-");
        let scripts = manifest
            .scripts
            .iter()
            .filter(|(name, command)| wanted(name) && !command.contains("no test specified"));
        // One script often runs the others; the first few say how.
        let commands: Vec<String> = scripts.take(4).map(|(name, _)| format!("{manager} {name}")).collect();
        for command in commands {
            self.add(folder, &command, &format!("{}, scripts", manifest.path));
        }
    }

    fn by_commands(&mut self, file: &FileFacts) {
        let folder = paths::folder(&file.path);
        let runner = match file.language.map(|language| language.name) {
            Some("Makefile") if paths::extension(&file.path).is_empty() => "make",
            Some("Just") => "just",
            Some("CMake") if !file.commands.is_empty() => {
                return self.add("", "ctest --test-dir build", &file.path);
            }
            _ => return,
        };
        for command in
            file.commands.iter().filter(|command| matches!(command.as_str(), "test" | "check" | "tests"))
        {
            self.add(folder, &format!("{runner} {command}"), &file.path);
        }
    }

    /// What a file of a certain name says by being there.
    fn by_customs(&mut self) {
        let table = [
            ("pytest.ini", "pytest"),
            ("conftest.py", "pytest"),
            ("tests/conftest.py", "pytest"),
            ("tox.ini", "tox"),
            ("noxfile.py", "nox"),
            ("manage.py", "python manage.py test"),
            ("phpunit.xml", "vendor/bin/phpunit"),
            ("phpunit.xml.dist", "vendor/bin/phpunit"),
            (".rspec", "bundle exec rspec"),
            ("deno.json", "deno test"),
            ("karma.conf.js", "npx karma start"),
        ];
        for (name, command) in table {
            if self.has("", name) {
                self.add("", command, name);
            }
        }
        let is_python = self.files.iter().any(|file| {
            file.role == Role::Test && file.test_cases > 0 && paths::extension(&file.path) == "py"
        });
        if is_python
            && !self
                .found
                .iter()
                .any(|row| ["pytest", "tox", "nox", "python manage.py test"].contains(&row.command.as_str()))
        {
            self.add("", "python -m pytest", "test files in Python");
        }
    }

    /// A command in a folder above runs those below as well.
    fn outermost(self) -> Vec<TestCommand> {
        let is_covered = |row: &TestCommand| {
            self.found.iter().any(|other| {
                other.command == row.command
                    && other.folder != row.folder
                    && (other.folder.is_empty() || paths::is_within(&row.folder, &other.folder))
            })
        };
        let mut rows: Vec<TestCommand> = self.found.iter().filter(|row| !is_covered(row)).cloned().collect();
        rows.dedup_by(|later, kept| later.folder == kept.folder && later.command == kept.command);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::super::inspect::{TreeContext, inspect};
    use super::super::packages;
    use super::super::role::Attributes;
    use super::*;

    fn inventory(tree: &[(&str, &str)]) -> TestInventory {
        let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse("") };
        let mut files: Vec<FileFacts> =
            tree.iter().map(|(path, text)| inspect(path, text, &context)).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        take(&files, &packages::gather(&files))
    }

    fn typed(inventory: &TestInventory) -> Vec<(&str, &str)> {
        inventory.commands.iter().map(|row| (row.folder.as_str(), row.command.as_str())).collect()
    }

    #[test]
    fn tests_inside_and_beside_the_source_are_counted() {
        let found = inventory(&[
            ("Cargo.toml", "[package]\nname='a'\n"),
            ("src/lib.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n#[test]\nfn t() {}\n}\n"),
            ("tests/it.rs", "#[test]\nfn u() {}\nfn helper() {}\n"),
            ("tests/support.rs", "pub fn s() {}\n"),
        ]);
        assert_eq!((found.files, found.cases, found.code_lines), (2, 2, 9));
        assert_eq!(found.lines_per_hundred, 900);
        assert_eq!(typed(&found), [("", "cargo test --workspace")]);
    }

    #[test]
    fn packages_without_tests_are_named() {
        let code = "fn a() {}\n".repeat(60);
        let found = inventory(&[
            ("a/Cargo.toml", "[package]\nname='a'\n"),
            ("a/src/lib.rs", &code),
            ("b/Cargo.toml", "[package]\nname='b'\n"),
            ("b/src/lib.rs", &code),
            ("b/tests/t.rs", "#[test]\nfn t() {}\n"),
            ("Cargo.toml", "[workspace]\nmembers=['a','b']\n"),
        ]);
        assert_eq!(found.packages_without_tests, ["a"]);
        assert_eq!(typed(&found), [("", "cargo test --workspace")]);
    }

    #[test]
    fn commands_follow_the_manifests_and_lock_files() {
        let found = inventory(&[
            ("package.json", "{\"name\":\"r\",\"scripts\":{\"test\":\"vitest\",\"build\":\"x\"}}"),
            ("pnpm-lock.yaml", "a\n"),
            ("api/pyproject.toml", "[tool.pytest.ini_options]\n"),
            ("svc/go.mod", "module x\n"),
            ("Makefile", "test:\n\ttrue\n"),
            (
                "old/package.json",
                "{\"scripts\":{\"test\":\"echo \\\"Error: no test specified\\\" && exit 1\"}}",
            ),
        ]);
        assert_eq!(
            typed(&found),
            [("", "make test"), ("", "pnpm test"), ("api", "pytest"), ("svc", "go test ./...")]
        );
    }
}
