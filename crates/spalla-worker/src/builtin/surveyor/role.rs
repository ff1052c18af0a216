//! What part a file plays: source, test, vendored, generated … so that what people did not write
//! does not crowd out what they did.

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Serialize;

use super::language::{Language, LanguageKind};
use super::paths;

/// The part a file plays in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Written by people, part of the product.
    Source,
    /// Tests the product.
    Test,
    /// Shows how the product is used.
    Example,
    /// Measures the product.
    Benchmark,
    /// Input or expected output of a test.
    Fixture,
    /// Text for people.
    Documentation,
    /// Settings and data.
    Configuration,
    /// Written by a tool.
    Generated,
    /// Copied from another project.
    Vendored,
    /// Resolved versions of dependencies.
    Lock,
}

impl Role {
    /// Says whether people of this project wrote the file as code.
    pub(crate) fn is_own_code(self) -> bool {
        matches!(self, Self::Source | Self::Test | Self::Example | Self::Benchmark)
    }

    /// Says whether the file is part of what is built or deployed.
    pub(crate) fn is_product(self) -> bool {
        matches!(self, Self::Source | Self::Configuration)
    }

    /// Says whether the file came from elsewhere: a tool or another project.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Generated | Self::Vendored | Self::Lock)
    }
}

const LOCK_NAMES: &[&str] = &[
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "Pipfile.lock",
    "go.sum",
    "go.work.sum",
    "Gemfile.lock",
    "composer.lock",
    "mix.lock",
    "pubspec.lock",
    "packages.lock.json",
    "Package.resolved",
    "gradle.lockfile",
    "flake.lock",
    ".terraform.lock.hcl",
];

const VENDORED: &[&str] = &[
    "vendor",
    "vendored",
    "_vendor",
    "third_party",
    "third-party",
    "thirdparty",
    "3rdparty",
    "node_modules",
    "bower_components",
    "site-packages",
];
const FIXTURES: &[&str] = &[
    "fixtures",
    "fixture",
    "__fixtures__",
    "testdata",
    "test-data",
    "test_data",
    "testfixtures",
    "golden",
    "goldens",
    "snapshots",
    "__snapshots__",
    "__mocks__",
    "cassettes",
    "testassets",
    "corpus",
];
const TESTS: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "integration_tests",
    "integration-tests",
    "e2e",
    "unittests",
    "androidTest",
    "fuzz",
    "fuzzing",
];
/// Names that only mean tests, examples or measurements outside the sources.
const TESTS_OUTSIDE: &[&str] = &["spec", "specs", "testing"];
const EXAMPLES: &[&str] = &[
    "examples",
    "example",
    "samples",
    "sample",
    "demo",
    "demos",
    "tutorial",
    "tutorials",
    "_examples",
    "playground",
];
const BENCHMARKS: &[&str] = &["benches", "bench", "benchmark", "benchmarks", "benchsuite"];
const DOCUMENTS: &[&str] = &["docs", "doc", "documentation", "website"];

/// Tells the role of a file from its path and language.
pub(crate) fn by_path(path: &str, language: Option<&Language>) -> Role {
    let name = paths::name(path);
    if LOCK_NAMES.contains(&name) {
        return Role::Lock;
    }
    let kind = language.map(|language| language.kind);
    let is_code = matches!(kind, Some(LanguageKind::Programming | LanguageKind::Markup));
    let folders = || paths::folder(path).split('/');
    let within = |names: &[&str]| folders().any(|part| names.contains(&part));
    // Below the sources such names are names of the product: a command, a package of a company.
    let outside = |names: &[&str]| {
        folders().take_while(|part| !matches!(*part, "src" | "app" | "lib")).any(|part| names.contains(&part))
    };
    // Elsewhere than at the top, `deps` is an ordinary name.
    if outside(VENDORED) || within(&VENDORED[1..]) || path.starts_with("deps/") {
        return Role::Vendored;
    }
    if is_generated_name(name) {
        return Role::Generated;
    }
    if within(FIXTURES) || name.ends_with(".snap") {
        return Role::Fixture;
    }
    let is_test_folder = |part: &str| {
        part.starts_with("tests-")
            || part.starts_with("__test")
            || part.ends_with("-tests")
            || part.ends_with("_tests")
    };
    if within(TESTS)
        || outside(TESTS_OUTSIDE)
        || folders().any(is_test_folder)
        || is_test_name(name, language)
    {
        return if is_code { Role::Test } else { Role::Fixture };
    }
    if outside(BENCHMARKS) {
        return Role::Benchmark;
    }
    // Templates of a generator are samples of what others will write.
    if outside(EXAMPLES) || folders().any(|part| part.starts_with("template-")) {
        return Role::Example;
    }
    if is_settings_script(name, language) {
        return Role::Configuration;
    }
    let at_top = folders().next().is_some_and(|part| DOCUMENTS.contains(&part));
    match kind {
        Some(LanguageKind::Programming | LanguageKind::Markup) if at_top => Role::Example,
        Some(LanguageKind::Programming | LanguageKind::Markup) => Role::Source,
        Some(LanguageKind::Prose) => Role::Documentation,
        None if within(DOCUMENTS) => Role::Documentation,
        Some(LanguageKind::Data) | None => Role::Configuration,
    }
}

/// Scripts that only configure a tool are settings in the form of code.
fn is_settings_script(name: &str, language: Option<&Language>) -> bool {
    let is_script = language.is_some_and(|language| matches!(language.name, "JavaScript" | "TypeScript"));
    is_script
        && (name.contains(".config.")
            || name.starts_with('.')
            || matches!(paths::stem(name), "gulpfile" | "Gruntfile"))
}

fn is_test_name(name: &str, language: Option<&Language>) -> bool {
    let lower = paths::stem(name).to_ascii_lowercase();
    let helpers = [
        "tests",
        "test",
        "conftest",
        "testutil",
        "testutils",
        "test_util",
        "test_utils",
        "test_helpers",
        "test_support",
    ];
    if helpers.contains(&lower.as_str())
        || ["_test", "_tests", ".test", ".spec", "_spec", ".cy"].iter().any(|end| lower.ends_with(end))
    {
        return true;
    }
    let language = language.map_or("", |language| language.name);
    match language {
        // Here a name that begins so is a name like any other.
        "Rust" | "Go" | "Swift" | "Dart" | "Zig" => false,
        "Java" | "Kotlin" | "C#" | "Scala" | "Groovy" | "PHP" => {
            ["Test", "Tests", "IT", "Spec"].iter().any(|end| paths::stem(name).ends_with(end))
        }
        _ => lower.starts_with("test_") || lower.starts_with("tests_"),
    }
}

/// Scripts that build tools put into a project so that it can be built without them.
const WRAPPERS: &[&str] = &["mvnw", "mvnw.cmd", "gradlew", "gradlew.bat", ".pnp.cjs", ".pnp.loader.mjs"];

fn is_generated_name(name: &str) -> bool {
    if WRAPPERS.contains(&name) {
        return true;
    }
    [
        ".min.js",
        ".min.css",
        ".min.mjs",
        ".map",
        ".pb.go",
        ".pb.cc",
        ".pb.h",
        "_pb2.py",
        "_pb2_grpc.py",
        ".g.dart",
        ".freezed.dart",
        ".designer.cs",
        ".g.cs",
        "_generated.rs",
        "_generated.go",
        ".generated.ts",
    ]
    .iter()
    .any(|end| name.to_ascii_lowercase().ends_with(end))
}

/// Tells from the text whether a tool wrote a file that its path gives to people.
pub(crate) fn is_generated_text(language: &Language, text: &str) -> bool {
    announces_a_generator(text) || is_minified(language, text)
}

/// Generators announce themselves in the first lines, by custom in these words.
fn announces_a_generator(text: &str) -> bool {
    // Ten lines leave room for a licence header of the usual length.
    text.lines().take(10).any(|line| {
        let bytes = &line[..line.floor_char_boundary(300)];
        let line = bytes.to_ascii_lowercase();
        line.contains("@generated")
            || (line.contains("generated") && line.contains("do not edit"))
            || line.contains("automatically generated by")
            || line.contains("autogenerated by")
            || line.contains("auto-generated by")
    })
}

/// A line of more bytes was not typed. The bound also keeps every later look at a line cheap.
const LINE_BYTES_MAX: usize = 20_000;

/// Lines no person writes: very long on average, or one of many kilobytes.
fn is_minified(language: &Language, text: &str) -> bool {
    let longest = text.lines().map(str::len).max().unwrap_or(0);
    if longest > LINE_BYTES_MAX {
        return true;
    }
    if !matches!(language.name, "JavaScript" | "TypeScript" | "CSS" | "HTML") {
        return false;
    }
    let lines = text.lines().count().max(1);
    text.len() > 2_000 && text.len() / lines > 250
}

/// What the root's `.gitattributes` says of generated and vendored files.
#[derive(Debug)]
pub(crate) struct Attributes {
    generated: Gitignore,
    vendored: Gitignore,
    own: Gitignore,
}

impl Attributes {
    /// Reads the lines that hosts of git repositories use to leave files out of their statistics.
    pub(crate) fn parse(text: &str) -> Self {
        let mut builders = [GitignoreBuilder::new(""), GitignoreBuilder::new(""), GitignoreBuilder::new("")];
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let Some(pattern) = words.next().filter(|word| !word.starts_with(['#', '!'])) else { continue };
            for word in words {
                let index = match word {
                    "linguist-generated" | "linguist-generated=true" => 0,
                    "linguist-vendored" | "linguist-vendored=true" => 1,
                    "-linguist-generated"
                    | "linguist-generated=false"
                    | "-linguist-vendored"
                    | "linguist-vendored=false" => 2,
                    _ => continue,
                };
                // A pattern that does not parse is a pattern that matches nothing.
                let _ = builders[index].add_line(None, pattern);
            }
        }
        let [generated, vendored, own] =
            builders.map(|builder| builder.build().unwrap_or_else(|_| Gitignore::empty()));
        Self { generated, vendored, own }
    }

    /// Returns the role the attributes give a file, else the one it had.
    pub(crate) fn apply(&self, path: &str, role: Role) -> Role {
        let says =
            |list: &Gitignore| !list.is_empty() && list.matched_path_or_any_parents(path, false).is_ignore();
        if says(&self.generated) {
            Role::Generated
        } else if says(&self.vendored) {
            Role::Vendored
        } else if says(&self.own) && matches!(role, Role::Generated | Role::Vendored) {
            Role::Source
        } else {
            role
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::language;
    use super::*;

    fn role(path: &str) -> Role {
        by_path(path, language::by_path(path, false))
    }

    #[test]
    fn role_follows_from_the_path() {
        let table = [
            ("src/main.rs", Role::Source),
            ("src/parser/tests.rs", Role::Test),
            ("pkg/server_test.go", Role::Test),
            ("test/data.json", Role::Fixture),
            ("src/test/java/AppTest.java", Role::Test),
            ("web/button.spec.ts", Role::Test),
            ("src/attest.rs", Role::Source),
            ("src/contest.py", Role::Source),
            ("src/test_inventory.rs", Role::Source),
            ("pkg/test_a.py", Role::Test),
            ("src/main/java/org/samples/App.java", Role::Source),
            ("src/commands/bench/run.rs", Role::Source),
            ("web/vitest.config.e2e.ts", Role::Configuration),
            ("crates/core/doc/help.rs", Role::Source),
            ("packages/create/template-vue/main.js", Role::Example),
            ("vendor/x/y.go", Role::Vendored),
            ("static/app.min.js", Role::Generated),
            ("api/v1.pb.go", Role::Generated),
            ("Cargo.lock", Role::Lock),
            ("examples/a.rs", Role::Example),
            ("docs/guide.md", Role::Documentation),
            ("config/app.yaml", Role::Configuration),
        ];
        for (path, expected) in table {
            assert_eq!(role(path), expected, "{path}");
        }
    }

    #[test]
    fn generated_text_is_known_by_its_announcement_or_its_lines() {
        let of = |name| language::named(name).expect("in the table");
        assert!(is_generated_text(of("Go"), "// Code generated by mockgen. DO NOT EDIT.\npackage x\n"));
        assert!(is_generated_text(of("JavaScript"), &"a=1;".repeat(2_000)));
        assert!(!is_generated_text(of("Rust"), "//! Writes generated files.\n"));
    }

    #[test]
    fn git_attributes_overrule_the_path() {
        let attributes = Attributes::parse(
            "dist/** linguist-generated\n# no\n/lib/x.c linguist-vendored=true\ndeps/own -linguist-vendored\n",
        );
        assert_eq!(attributes.apply("dist/a.js", Role::Source), Role::Generated);
        assert_eq!(attributes.apply("lib/x.c", Role::Source), Role::Vendored);
        assert_eq!(attributes.apply("deps/own/a.c", Role::Vendored), Role::Source);
        assert_eq!(attributes.apply("src/a.c", Role::Source), Role::Source);
    }
}
