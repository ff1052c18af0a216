//! Imports of small trees and the files they mean.

use super::super::inspect::{TreeContext, inspect};
use super::super::packages;
use super::super::role::Attributes;
use super::*;

/// Returns the links of a small tree as pairs of paths, and the names of the outside packages it imports.
fn links_of(tree: &[(&str, &str)]) -> (Vec<(String, String)>, Vec<String>) {
    let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse("") };
    let files: Vec<FileFacts> = tree.iter().map(|(path, text)| inspect(path, text, &context)).collect();
    let packages = packages::gather(&files);
    let links = resolve(&files, &packages);
    let pairs =
        links.files.iter().map(|(from, to)| (files[*from].path.clone(), files[*to].path.clone())).collect();
    (pairs, links.external.keys().map(|index| packages.external[*index].name.clone()).collect())
}

fn pairs(tree: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut pairs = links_of(tree).0;
    pairs.sort();
    pairs
}

fn expect(tree: &[(&str, &str)], expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(pairs(tree), expected);
}

#[test]
fn rust_paths_lead_to_modules_and_to_other_crates() {
    let tree = [
        ("x/Cargo.toml", "[package]\nname=\"x-tool\"\n[dependencies]\ny-lib={path=\"../y\"}\nserde=\"1\"\n"),
        ("x/src/main.rs", "mod a;\nuse a::run;\nfn main() { y_lib::deep::go(); }\n"),
        ("x/src/a.rs", "use self::b::C;\nuse serde::Serialize;\n"),
        ("x/src/a/b.rs", "use super::super::z::Q;\nuse super::run;\n"),
        ("x/src/z/mod.rs", "fn q() {}\n"),
        ("y/Cargo.toml", "[package]\nname=\"y-lib\"\n"),
        ("y/src/deep.rs", "use crate::Root;\n"),
        ("y/src/lib.rs", "pub mod deep;\npub use deep::go;\n"),
    ];
    expect(
        &tree,
        &[
            ("x/src/a.rs", "x/src/a/b.rs"),
            ("x/src/a/b.rs", "x/src/a.rs"),
            ("x/src/a/b.rs", "x/src/z/mod.rs"),
            ("x/src/main.rs", "x/src/a.rs"),
            ("x/src/main.rs", "y/src/deep.rs"),
            ("y/src/deep.rs", "y/src/lib.rs"),
        ],
    );
    assert_eq!(links_of(&tree).1, ["serde"]);
}

#[test]
fn script_imports_lead_to_files_and_workspace_packages() {
    let tree = [
        ("app/package.json", "{\"name\":\"app\",\"dependencies\":{\"@s/ui\":\"*\",\"react\":\"18\"}}"),
        (
            "app/src/index.ts",
            "import { a } from './a.js';\nimport b from '@/b';\nimport '@s/ui';\nimport x from 'react/jsx';\n",
        ),
        ("app/src/a.ts", "export const a = 1;\n"),
        ("app/src/b/index.tsx", "export default 1;\n"),
        ("ui/package.json", "{\"name\":\"@s/ui\"}"),
        ("ui/src/index.ts", "export {};\n"),
    ];
    expect(
        &tree,
        &[
            ("app/src/index.ts", "app/src/a.ts"),
            ("app/src/index.ts", "app/src/b/index.tsx"),
            ("app/src/index.ts", "ui/src/index.ts"),
        ],
    );
    assert_eq!(links_of(&tree).1, ["react"]);
}

#[test]
fn python_imports_lead_to_modules_relative_and_absolute() {
    let tree = [
        ("requirements.txt", "PyYAML\n"),
        ("src/pkg/__init__.py", "from .core import run\n"),
        ("src/pkg/core.py", "import yaml\nfrom pkg.sub import thing\nfrom . import other\n"),
        ("src/pkg/other.py", "x = 1\n"),
        ("src/pkg/sub/__init__.py", "thing = 1\n"),
    ];
    expect(
        &tree,
        &[
            ("src/pkg/__init__.py", "src/pkg/core.py"),
            ("src/pkg/core.py", "src/pkg/other.py"),
            ("src/pkg/core.py", "src/pkg/sub/__init__.py"),
        ],
    );
    assert_eq!(links_of(&tree).1, ["PyYAML"]);
}

#[test]
fn go_packages_java_packages_and_headers_are_found() {
    expect(
        &[
            ("go.mod", "module ex.org/m\n"),
            ("cmd/main.go", "package main\nimport \"ex.org/m/inner\"\nfunc main() {}\n"),
            ("inner/a.go", "package inner\n"),
            ("inner/a_test.go", "package inner\nimport \"ex.org/m/cmd\"\n"),
        ],
        &[("cmd/main.go", "inner/a.go")],
    );
    expect(
        &[
            ("src/main/java/a/A.java", "package a;\nimport b.B;\nimport java.util.List;\n"),
            ("src/main/java/b/A.java", "package b;\n"),
            ("src/main/java/b/B.java", "package b;\n"),
        ],
        &[("src/main/java/a/A.java", "src/main/java/b/B.java")],
    );
    expect(
        &[
            ("include/x/y.h", "int y;\n"),
            ("src/a.c", "#include \"a.h\"\n#include <x/y.h>\n#include <string.h>\n"),
            ("src/a.h", "int a;\n"),
            ("src/string.h", "int no;\n"),
        ],
        &[("src/a.c", "include/x/y.h"), ("src/a.c", "src/a.h")],
    );
}
