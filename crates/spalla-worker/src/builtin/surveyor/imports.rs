//! What a file takes from other files, as its language writes it. Finding the files is `links`' part.

mod rust;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::views::Views;

pub(crate) use rust::REEXPORT;

/// What a file names of other files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Imports {
    /// Modules, packages or paths it uses, in the notation of the language, sorted.
    pub targets: Vec<String>,
    /// Package or namespace it adds to.
    pub provides: Option<String>,
}

/// Marks an import that does not happen when the module is loaded: of types only, or inside a function.
pub(crate) const DEFERRED: &str = "later ";

/// Imports kept of one file; beyond, a file was written by a tool.
const IMPORTS_PER_FILE_MAX: usize = 2_000;

/// Languages whose internal dependencies are understood.
pub(crate) const UNDERSTOOD: &[&str] = &[
    "Rust",
    "JavaScript",
    "TypeScript",
    "Vue",
    "Svelte",
    "Python",
    "Go",
    "Java",
    "Kotlin",
    "Scala",
    "Groovy",
    "C",
    "C++",
    "Objective-C",
    "C#",
    "PHP",
    "Ruby",
    "Dart",
    "Zig",
];

/// Reads the imports of a file; `product` is its code without what is compiled for tests only.
pub(crate) fn extract(language: &str, views: &Views<'_>, product: &str) -> Imports {
    let mut targets = BTreeSet::new();
    let mut provides = None;
    match language {
        "Rust" => rust::extract(product, &mut targets),
        "JavaScript" | "TypeScript" | "Vue" | "Svelte" => quoted(&SCRIPT, views, &mut targets),
        "Python" => python(&views.code, &mut targets),
        "Go" => go(&views.uncommented, &mut targets),
        "Java" | "Kotlin" | "Scala" | "Groovy" => {
            plain(&JVM_IMPORT, &views.code, &mut targets);
            provides = first(&JVM_PACKAGE, &views.code);
        }
        "C#" => {
            plain(&CSHARP_USING, &views.code, &mut targets);
            provides = first(&CSHARP_NAMESPACE, &views.code);
        }
        "PHP" => {
            plain(&PHP_USE, &views.code, &mut targets);
            targets =
                targets.into_iter().map(|name| name.trim_start_matches('\\').replace('\\', ".")).collect();
            provides = first(&PHP_NAMESPACE, &views.code).map(|name| name.replace('\\', "."));
        }
        "C" | "C++" | "Objective-C" => includes(&views.uncommented, &mut targets),
        "Ruby" => ruby(views, &mut targets),
        "Dart" => quoted(&DART, views, &mut targets),
        "Zig" => quoted(&ZIG, views, &mut targets),
        _ => {}
    }
    Imports { targets: targets.into_iter().take(IMPORTS_PER_FILE_MAX).collect(), provides }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

static SCRIPT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"\b(?:import|export)\b(\s+type\s+[\w{*])?(?:[^'"`;]*?\bfrom)?\s*['"]([^'"\n]+)['"]|\b(?:require|import)\s*\(\s*['"]([^'"\n]+)['"]"#,
    )
});
static DART: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^\s*(?:import|export|part)\b()\s+['"]([^'"\n]+)['"]"#));
static ZIG: LazyLock<Regex> = LazyLock::new(|| pattern(r#"@import\(()"([^"\n]+)"\)"#));
static FROM: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^([ \t]*)from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n;]+)"));
static IMPORT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^([ \t]*)import[ \t]+([\w., \t]+)"));
static GO_ONE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?m)^import\s+(?:[\w.]+\s+)?"([^"\n]+)""#));
static GO_BLOCK: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^import\s*\(([^)]*)\)"));
static GO_PATH: LazyLock<Regex> = LazyLock::new(|| pattern(r#""([^"\n]+)""#));
static JVM_IMPORT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*import\s+(?:static\s+)?([\w.]+)"));
static JVM_PACKAGE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*package\s+([\w.]+)"));
static CSHARP_USING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^\s*(?:global\s+)?using\s+(?:static\s+)?([\w.]+)\s*;"));
static CSHARP_NAMESPACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*namespace\s+([\w.]+)"));
static PHP_USE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^use\s+(?:function\s+|const\s+)?([\w\\]+)"));
static PHP_NAMESPACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*namespace\s+([\w\\]+)"));
static INCLUDE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^[ \t]*#[ \t]*(?:include|import)[ \t]*(["<])([^">\n]+)[">]"#));
static RUBY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^\s*(require|require_relative)\s*\(?\s*['"]([^'"\n#]+)['"]"#));

fn plain(pattern: &Regex, code: &str, targets: &mut BTreeSet<String>) {
    targets.extend(pattern.captures_iter(code).map(|row| row[1].to_owned()));
}

fn first(pattern: &Regex, code: &str) -> Option<String> {
    pattern.captures(code).map(|row| row[1].to_owned())
}

/// Takes what stands in quotes after a keyword that stands in code. Group 1 says that only types are taken.
fn quoted(pattern: &Regex, views: &Views<'_>, targets: &mut BTreeSet<String>) {
    for row in pattern.captures_iter(&views.uncommented) {
        let is_code = row.get(0).is_some_and(|whole| views.is_code(whole.start()));
        if let Some(target) = row.get(2).or_else(|| row.get(3)).filter(|_| is_code) {
            let only_types = row.get(1).is_some_and(|word| !word.is_empty());
            targets.insert(when(only_types, target.as_str()));
        }
    }
}

fn when(is_deferred: bool, target: &str) -> String {
    if is_deferred { format!("{DEFERRED}{target}") } else { target.to_owned() }
}

/// An indented import stands in a function, or under a check for type checkers.
fn python(code: &str, targets: &mut BTreeSet<String>) {
    for row in FROM.captures_iter(code) {
        let (is_deferred, module) = (!row[1].is_empty(), &row[2]);
        for name in row[3].trim_matches(['(', ')']).split(',') {
            let name = name.split_whitespace().next().unwrap_or_default();
            let dot = if module.is_empty() || module.ends_with('.') { "" } else { "." };
            match name {
                "" => {}
                "*" => drop(targets.insert(when(is_deferred, module))),
                name => drop(targets.insert(when(is_deferred, &format!("{module}{dot}{name}")))),
            }
        }
    }
    for row in IMPORT.captures_iter(code) {
        let names = row[2].split(',').filter_map(|part| part.split_whitespace().next());
        targets.extend(names.map(|name| when(!row[1].is_empty(), name)));
    }
}

fn go(uncommented: &str, targets: &mut BTreeSet<String>) {
    plain(&GO_ONE, uncommented, targets);
    for block in GO_BLOCK.captures_iter(uncommented) {
        plain(&GO_PATH, &block[1], targets);
    }
}

/// Keeps the quote or bracket in front: it says where a compiler looks first.
fn includes(uncommented: &str, targets: &mut BTreeSet<String>) {
    targets.extend(INCLUDE.captures_iter(uncommented).map(|row| format!("{}{}", &row[1], &row[2])));
}

fn ruby(views: &Views<'_>, targets: &mut BTreeSet<String>) {
    for row in RUBY.captures_iter(&views.uncommented) {
        let prefix = if &row[1] == "require_relative" { "./" } else { "" };
        targets.insert(format!("{prefix}{}", &row[2]));
    }
}

#[cfg(test)]
mod tests {
    use super::super::language;
    use super::*;

    fn targets(language: &str, text: &str) -> Vec<String> {
        let syntax = language::named(language).expect("in the table").syntax;
        let views = Views::new(text, syntax);
        extract(language, &views, &views.code).targets
    }

    #[test]
    fn imports_are_read_in_the_notation_of_each_language() {
        let table: &[(&str, &str, &[&str])] = &[
            (
                "TypeScript",
                "import a, { b } from './a';\nimport type C from \"c/d\";\nimport 'side';\nconst e = await import('./e');\nconst f = require('f');\n// import 'no'\nconst s = \"import 'no'\";\nexport * from './g'\n",
                &["./a", "./e", "./g", "f", "later c/d", "side"],
            ),
            (
                "Python",
                "import os, sys as s\nfrom . import x\nfrom .y import (a as b,\n  c)\nfrom z.w import *\n\"\"\"\nimport no\n\"\"\"\ndef f():\n    from v import u\n",
                &[".x", ".y.a", ".y.c", "later v.u", "os", "sys", "z.w"],
            ),
            ("Go", "import \"fmt\"\nimport (\n\tx \"a.b/c\"\n\t_ \"d\"\n)\n", &["a.b/c", "d", "fmt"]),
            ("Java", "package p.q;\nimport a.b.C;\nimport static d.E.f;\n", &["a.b.C", "d.E.f"]),
            ("C", "#include \"x/y.h\"\n# include <z.h>\n// #include \"no.h\"\n", &["\"x/y.h", "<z.h"]),
            ("PHP", "<?php\nnamespace A\\B;\nuse C\\D;\n", &["C.D"]),
            ("Ruby", "require 'json'\nrequire_relative 'a/b'\n", &["./a/b", "json"]),
            ("C#", "using System;\nusing A.B;\nnamespace C.D;\nusing (x) {}\n", &["A.B", "System"]),
        ];
        for (language, text, expected) in table {
            assert_eq!(targets(language, text), *expected, "{language}");
        }
    }

    #[test]
    fn package_of_a_file_is_read() {
        let views = Views::new("package p.q;\n", language::named("Java").expect("in the table").syntax);
        assert_eq!(extract("Java", &views, &views.code).provides.as_deref(), Some("p.q"));
    }
}
