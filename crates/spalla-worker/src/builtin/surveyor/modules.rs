//! Which module of its language a file is, or is part of.

use super::inspect::FileFacts;
use super::paths;
use super::role::Role;

/// Languages whose unit is the folder: its files see each other without imports.
const BY_FOLDER: &[&str] = &["Go", "Java", "Kotlin", "Scala", "Groovy", "C#", "PHP"];

/// Returns the module of a file of the product; none where its language's modules are not understood.
pub(crate) fn unit_of(file: &FileFacts) -> Option<String> {
    let language = file.language.filter(|_| file.role == Role::Source)?;
    if !super::imports::UNDERSTOOD.contains(&language.name) {
        return None;
    }
    let path = file.path.as_str();
    let folder = paths::folder(path);
    let stands_for_folder = matches!(paths::stem(path), "mod" | "__init__" | "index") && !folder.is_empty();
    Some(match () {
        () if BY_FOLDER.contains(&language.name) && folder.is_empty() => String::from("(root)"),
        () if BY_FOLDER.contains(&language.name) || stands_for_folder => folder.to_owned(),
        () => bare(path).to_owned(),
    })
}

/// Says whether two files belong together by their places, so that an import between them tells nothing:
/// they are one module, or a Rust module and its own submodule.
pub(crate) fn are_kin(a: &FileFacts, b: &FileFacts) -> bool {
    let both_rust = [a, b].iter().all(|file| file.language.is_some_and(|language| language.name == "Rust"));
    if both_rust {
        let (a, b) = (reach(&a.path), reach(&b.path));
        return a == b || paths::is_within(a, b) || paths::is_within(b, a);
    }
    unit_of(a).is_some_and(|unit| Some(unit) == unit_of(b))
}

/// Returns the folder whose modules a Rust file declares.
fn reach(path: &str) -> &str {
    if matches!(paths::stem(path), "mod" | "lib" | "main") { paths::folder(path) } else { bare(path) }
}

fn bare(path: &str) -> &str {
    let ending = paths::extension(path);
    path.strip_suffix(ending).map_or(path, |path| path.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::super::inspect::{TreeContext, inspect};
    use super::super::role::Attributes;
    use super::*;

    fn file(path: &str) -> FileFacts {
        let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse("") };
        inspect(path, "x\n", &context)
    }

    #[test]
    fn module_of_a_file_follows_its_language() {
        let table = [
            ("src/a.rs", Some("src/a")),
            ("src/a/mod.rs", Some("src/a")),
            ("pkg/__init__.py", Some("pkg")),
            ("x/y.go", Some("x")),
            ("y.go", Some("(root)")),
            ("src/a.h", Some("src/a")),
            ("src/a.sql", None),
            ("tests/a.rs", None),
        ];
        for (path, unit) in table {
            assert_eq!(unit_of(&file(path)).as_deref(), unit, "{path}");
        }
    }

    #[test]
    fn parents_and_halves_are_kin_and_siblings_are_not() {
        let kin = |a, b| are_kin(&file(a), &file(b));
        assert!(
            kin("src/a.rs", "src/a/b.rs")
                && kin("src/lib.rs", "src/c.rs")
                && kin("x/a.c", "x/a.h")
                && kin("x/a.go", "x/b.go")
        );
        assert!(!kin("src/a.rs", "src/b.rs") && !kin("x/a.py", "x/b.py") && !kin("a/x.go", "b/x.go"));
    }
}
