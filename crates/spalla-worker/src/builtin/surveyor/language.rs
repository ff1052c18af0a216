//! Which language a file is written in, told by its name, its extension or its first line.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Serialize;

use super::paths;
use super::syntax::{self, Syntax};

use LanguageKind::{Data, Markup, Programming, Prose};

/// What sort of text a language is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LanguageKind {
    /// Runs, or builds what runs.
    Programming,
    /// Pages and styles.
    Markup,
    /// Configuration and data.
    Data,
    /// Text for people.
    Prose,
}

/// One language of the table.
#[derive(Debug)]
pub(crate) struct Language {
    pub name: &'static str,
    pub kind: LanguageKind,
    pub syntax: &'static Syntax,
    /// Separated by blanks, as are the names.
    extensions: &'static str,
    names: &'static str,
}

const fn row(
    name: &'static str,
    kind: LanguageKind,
    syntax: &'static Syntax,
    extensions: &'static str,
    names: &'static str,
) -> Language {
    Language { name, kind, syntax, extensions, names }
}

static LANGUAGES: [Language; 66] = [
    row("Rust", Programming, &syntax::RUST, "rs", ""),
    row("Go", Programming, &syntax::GO, "go", ""),
    row("Python", Programming, &syntax::PYTHON, "py pyi pyx pyw", "SConstruct wscript"),
    row("JavaScript", Programming, &syntax::JAVASCRIPT, "js mjs cjs jsx", ""),
    row("TypeScript", Programming, &syntax::JAVASCRIPT, "ts mts cts tsx", ""),
    row("Java", Programming, &syntax::JVM, "java", ""),
    row("Kotlin", Programming, &syntax::JVM, "kt kts", ""),
    row("Scala", Programming, &syntax::JVM, "scala sc sbt", ""),
    row("Groovy", Programming, &syntax::JVM, "groovy gradle", "Jenkinsfile"),
    row("C", Programming, &syntax::C, "c h", ""),
    row("C++", Programming, &syntax::C, "cc cpp cxx c++ hpp hh hxx h++ ipp inl cu", ""),
    row("C#", Programming, &syntax::C, "cs", ""),
    row("F#", Programming, &syntax::OCAML, "fs fsi fsx", ""),
    row("Visual Basic", Programming, &syntax::BASIC, "vb bas", ""),
    row("Objective-C", Programming, &syntax::C, "m mm", ""),
    row("Swift", Programming, &syntax::JVM, "swift", ""),
    row("Dart", Programming, &syntax::JVM, "dart", ""),
    row("Zig", Programming, &syntax::C, "zig", ""),
    row("D", Programming, &syntax::C, "d", ""),
    row("Solidity", Programming, &syntax::C, "sol", ""),
    row("Ruby", Programming, &syntax::RUBY, "rb rake gemspec ru", "Gemfile Rakefile Vagrantfile Brewfile"),
    row("PHP", Programming, &syntax::PHP, "php phtml", ""),
    row("Perl", Programming, &syntax::RUBY, "pl pm t", ""),
    row("Lua", Programming, &syntax::LUA, "lua", ""),
    row("R", Programming, &syntax::RUBY, "r R", ""),
    row("Julia", Programming, &syntax::RUBY, "jl", ""),
    row("Haskell", Programming, &syntax::HASKELL, "hs", ""),
    row("Elm", Programming, &syntax::HASKELL, "elm", ""),
    row("OCaml", Programming, &syntax::OCAML, "ml mli", ""),
    row("Elixir", Programming, &syntax::RUBY, "ex exs", ""),
    row("Erlang", Programming, &syntax::PERCENT, "erl hrl", ""),
    row("Clojure", Programming, &syntax::LISP, "clj cljs cljc edn", ""),
    row("Lisp", Programming, &syntax::LISP, "lisp el scm rkt", ""),
    row("Nim", Programming, &syntax::RUBY, "nim", ""),
    row("Tcl", Programming, &syntax::HASH, "tcl", ""),
    row("Fortran", Programming, &syntax::PLAIN, "f f90 f95", ""),
    row("Assembly", Programming, &syntax::C, "s S asm", ""),
    row("Shell", Programming, &syntax::HASH, "sh bash zsh fish ksh bats", ".bashrc .zshrc .profile"),
    row("PowerShell", Programming, &syntax::POWERSHELL, "ps1 psm1", ""),
    row("Batch", Programming, &syntax::BATCH, "bat cmd", ""),
    row("SQL", Programming, &syntax::SQL, "sql psql", ""),
    row("Makefile", Programming, &syntax::HASH, "mk mak", "Makefile makefile GNUmakefile"),
    row("Just", Programming, &syntax::HASH, "just", "justfile Justfile .justfile"),
    row("CMake", Programming, &syntax::HASH, "cmake", "CMakeLists.txt"),
    row("Starlark", Programming, &syntax::PYTHON, "bzl bazel star", "BUILD WORKSPACE Tiltfile"),
    row("Meson", Programming, &syntax::HASH, "", "meson.build"),
    row("Dockerfile", Programming, &syntax::HASH, "dockerfile", "Dockerfile Containerfile"),
    row("Terraform", Programming, &syntax::HCL, "tf tfvars hcl", ""),
    row("Nix", Programming, &syntax::HCL, "nix", ""),
    row("Protocol Buffers", Programming, &syntax::C, "proto", ""),
    row("Thrift", Programming, &syntax::PHP, "thrift", ""),
    row("GraphQL", Programming, &syntax::HASH, "graphql gql", ""),
    row("Vue", Programming, &syntax::MARKUP, "vue", ""),
    row("Svelte", Programming, &syntax::MARKUP, "svelte", ""),
    row("HTML", Markup, &syntax::MARKUP, "html htm xhtml ejs hbs j2 jinja jinja2 erb tmpl", ""),
    row("CSS", Markup, &syntax::CSS, "css", ""),
    row("Sass", Markup, &syntax::C, "scss sass less styl", ""),
    row("JSON", Data, &syntax::PLAIN, "json jsonl ndjson webmanifest ipynb", ""),
    row("JSON with comments", Data, &syntax::JAVASCRIPT, "jsonc json5", "tsconfig.json .eslintrc"),
    row("YAML", Data, &syntax::HASH, "yaml yml", ""),
    row("TOML", Data, &syntax::HASH, "toml", "Pipfile Cargo.lock poetry.lock uv.lock"),
    row("XML", Data, &syntax::MARKUP, "xml xsd xsl csproj fsproj vbproj props targets plist svg resx", ""),
    row(
        "INI",
        Data,
        &syntax::INI,
        "ini cfg conf properties env editorconfig",
        ".env .gitconfig .npmrc .editorconfig",
    ),
    row("Markdown", Prose, &syntax::PLAIN, "md mdx markdown", ""),
    row("reStructuredText", Prose, &syntax::PLAIN, "rst", ""),
    row(
        "Text",
        Prose,
        &syntax::PLAIN,
        "txt adoc asciidoc org tex",
        "README LICENSE COPYING CHANGELOG AUTHORS NOTICE",
    ),
];

type Table = HashMap<&'static str, &'static Language>;

static BY_EXTENSION: LazyLock<Table> = LazyLock::new(|| table(|language| language.extensions));
static BY_NAME: LazyLock<Table> = LazyLock::new(|| table(|language| language.names));

fn table(keys: impl Fn(&'static Language) -> &'static str) -> Table {
    let rows = LANGUAGES.iter();
    rows.flat_map(|language| keys(language).split(' ').map(move |key| (key, language)))
        .filter(|(key, _)| !key.is_empty())
        .collect()
}

/// Returns the language of that name in the table.
pub(crate) fn named(name: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.name == name)
}

/// Tells the language from the path alone; `headers_are_cpp` settles `.h`, which two languages share.
pub(crate) fn by_path(path: &str, headers_are_cpp: bool) -> Option<&'static Language> {
    let file_name = paths::name(path);
    if let Some(language) = BY_NAME.get(file_name) {
        return Some(language);
    }
    if file_name.starts_with("Dockerfile.") || file_name.starts_with("Containerfile.") {
        return named("Dockerfile");
    }
    if file_name.starts_with(".env.") {
        return named("INI");
    }
    let extension = paths::extension(file_name);
    if extension == "h" && headers_are_cpp {
        return named("C++");
    }
    BY_EXTENSION.get(extension).or_else(|| BY_EXTENSION.get(extension.to_ascii_lowercase().as_str())).copied()
}

/// Tells the language of a script from its `#!` line.
pub(crate) fn by_first_line(text: &str) -> Option<&'static Language> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_whitespace().map(paths::name);
    let program = words.find(|word| *word != "env" && !word.starts_with('-'))?;
    let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    named(match program {
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "fish" => "Shell",
        "python" | "pypy" => "Python",
        "node" | "bun" => "JavaScript",
        "deno" | "ts-node" | "tsx" => "TypeScript",
        "ruby" => "Ruby",
        "perl" => "Perl",
        "php" => "PHP",
        "lua" => "Lua",
        "Rscript" => "R",
        "pwsh" => "PowerShell",
        "make" => "Makefile",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(path: &str) -> Option<&'static str> {
        by_path(path, false).map(|language| language.name)
    }

    #[test]
    fn language_is_told_by_name_then_extension() {
        let table = [
            ("src/lib.rs", Some("Rust")),
            ("a/Dockerfile.prod", Some("Dockerfile")),
            ("CMakeLists.txt", Some("CMake")),
            ("notes.txt", Some("Text")),
            (".env.local", Some("INI")),
            ("X.PY", Some("Python")),
            ("logo.png", None),
        ];
        for (path, expected) in table {
            assert_eq!(name_of(path), expected, "{path}");
        }
    }

    #[test]
    fn header_belongs_to_the_language_of_its_tree() {
        assert_eq!(by_path("a.h", true).map(|l| l.name), Some("C++"));
        assert_eq!(by_path("a.h", false).map(|l| l.name), Some("C"));
    }

    #[test]
    fn script_without_extension_is_told_by_its_first_line() {
        let name = |text| by_first_line(text).map(|l| l.name);
        assert_eq!(name("#!/usr/bin/env -S python3.12 -u\n"), Some("Python"));
        assert_eq!(name("#!/bin/bash\n"), Some("Shell"));
        assert_eq!(name("plain text"), None);
    }
}
