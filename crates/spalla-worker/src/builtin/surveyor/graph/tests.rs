//! Graphs of small trees.

use super::super::inspect::{FileFacts, TreeContext, inspect};
use super::super::role::Attributes;
use super::super::{links, packages};
use super::*;

fn dependencies(tree: &[(&str, &str)]) -> InternalDependencies {
    let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse("") };
    let files: Vec<FileFacts> = tree.iter().map(|(path, text)| inspect(path, text, &context)).collect();
    let packages = packages::gather(&files);
    let links = links::resolve(&files, &packages);
    build(&files, &packages, &links)
}

fn edges(graph: &Graph) -> Vec<(&str, &str)> {
    graph.edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str())).collect()
}

#[test]
fn packages_are_shown_when_they_are_enough() {
    let manifest = |name: &str, needs: &str| format!("[package]\nname=\"{name}\"\n[dependencies]\n{needs}\n");
    let own = |name: &str| format!("{name} = {{ path = \"../{name}\" }}\n");
    let texts = [
        manifest("a", &(own("b") + &own("c"))),
        manifest("b", &own("d")),
        manifest("c", &own("d")),
        manifest("d", "serde = \"1\""),
    ];
    let tree = [
        ("a/Cargo.toml", texts[0].as_str()),
        ("a/src/lib.rs", "use b::x;\n"),
        ("b/Cargo.toml", texts[1].as_str()),
        ("b/src/lib.rs", "pub fn x() {}\n"),
        ("c/Cargo.toml", texts[2].as_str()),
        ("c/src/lib.rs", "fn y() {}\n"),
        ("d/Cargo.toml", texts[3].as_str()),
        ("d/src/lib.rs", "fn z() {}\n"),
    ];
    let found = dependencies(&tree);
    assert_eq!(found.pictured, [Pictured::Packages, Pictured::Modules]);
    assert_eq!(edges(&found.packages), [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]);
    assert_eq!(found.packages.edges[0].imports, 1);
    assert_eq!(found.packages.cycles, Vec::<Vec<String>>::new());
}

#[test]
fn modules_are_shown_when_there_is_one_package_and_a_cycle_is_named() {
    let tree = [
        ("src/lib.rs", "mod a;\nmod b;\npub use a::A;\n"),
        ("src/a.rs", "use crate::b::B;\n"),
        ("src/b.rs", "use super::a::A;\n#[cfg(test)]\nmod tests { use crate::c; }\n"),
        ("src/c.rs", "fn c() {}\n"),
    ];
    let found = dependencies(&tree);
    assert_eq!(found.pictured, [Pictured::Modules]);
    assert_eq!(edges(&found.modules), [("a", "b"), ("b", "a")]);
    assert_eq!(found.modules.cycles, [["a", "b"]]);
    assert_eq!(found.file_cycles, [["src/a.rs", "src/b.rs"]]);
}

#[test]
fn tree_without_dependencies_shows_nothing() {
    let found = dependencies(&[("a.py", "x = 1\n"), ("b.py", "y = 2\n")]);
    assert_eq!(found.pictured, []);
    assert_eq!(found.modules.nodes.len(), 2);
}

#[test]
fn imports_of_types_make_no_circle() {
    let tree = [("src/a.ts", "import { B } from './b';\n"), ("src/b.ts", "import type { A } from './a';\n")];
    let found = dependencies(&tree);
    assert_eq!(edges(&found.modules), [("a", "b"), ("b", "a")]);
    assert_eq!((found.modules.cycles, found.file_cycles), (Vec::new(), Vec::new()));
}

#[test]
fn package_needed_for_tests_only_is_no_part_of_the_product() {
    let found = dependencies(&[
        ("a/Cargo.toml", "[package]\nname='a'\n[dev-dependencies]\nb={path='../b'}\n"),
        ("a/src/lib.rs", "fn a() {}\n"),
        ("b/Cargo.toml", "[package]\nname='b'\n[dependencies]\na='1'\n"),
        ("b/src/lib.rs", "use a::x;\n"),
        ("Cargo.toml", "[workspace]\n[patch.crates-io]\na={path='a'}\n"),
    ]);
    assert_eq!(edges(&found.packages), [("b", "a")]);
}
