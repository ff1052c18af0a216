//! Paths in Rust code: `use` trees, and paths written where they are used.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// Marks a path that is only passed on: a parent that re-exports its child does not depend on it.
pub(crate) const REEXPORT: &str = "pub ";

static USE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(pub(?:\s*\([^)]*\))?\s+)?use\s+([^;]+);").expect("constant pattern"));
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b([a-z_]\w*(?:\s*::\s*[A-Za-z_]\w*)+)").expect("constant pattern"));
static EXTERN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bextern\s+crate\s+([a-z_]\w*)").expect("constant pattern"));

/// Names one `use` may bring in; macros write longer ones, people do not.
const NAMES_PER_USE_MAX: usize = 500;

/// Deepest nesting of braces that is followed in one `use`.
const DEPTH_MAX: usize = 16;

/// Reads all paths of a file.
pub(super) fn extract(code: &str, targets: &mut BTreeSet<String>) {
    let mut rest = String::with_capacity(code.len());
    let mut from = 0;
    for row in USE.captures_iter(code) {
        let (Some(whole), Some(tree)) = (row.get(0), row.get(2)) else { continue };
        rest.push_str(&code[from..whole.start()]);
        from = whole.end();
        let prefix = if row.get(1).is_some() { REEXPORT } else { "" };
        let mut names = Vec::new();
        let tree: String = tree.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
        expand(&tree, "", 0, &mut names);
        targets.extend(names.into_iter().map(|name| format!("{prefix}{name}")));
    }
    rest.push_str(&code[from..]);
    targets.extend(EXTERN.captures_iter(code).map(|row| row[1].to_owned()));
    targets.extend(PATH.captures_iter(&rest).map(|row| row[1].split_whitespace().collect()));
}

/// Spells a tree out into its paths, without the names they are given.
fn expand(tree: &str, prefix: &str, depth: usize, names: &mut Vec<String>) {
    if names.len() >= NAMES_PER_USE_MAX || depth > DEPTH_MAX {
        return;
    }
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree).trim();
        let path = path.trim_end_matches('*').trim_end_matches("::");
        if !(path.is_empty() && prefix.is_empty()) {
            names.push(join(prefix, path));
        }
        return;
    };
    let head = tree[..open].trim().trim_end_matches("::");
    let inside = tree[open + 1..].trim_end().trim_end_matches('}');
    // One closing brace belongs to this level; the others were taken off with it and do not matter for the
    // names.
    let prefix = join(prefix, head);
    for part in split_outside_braces(inside) {
        expand(part, &prefix, depth + 1, names);
    }
}

fn join(prefix: &str, path: &str) -> String {
    let path = path.trim().trim_start_matches("::").replace(' ', "");
    match (prefix, path.as_str()) {
        ("", _) => path,
        (_, "" | "self") => prefix.to_owned(),
        _ => format!("{prefix}::{path}"),
    }
}

fn split_outside_braces(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0usize, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(code: &str) -> Vec<String> {
        let mut targets = BTreeSet::new();
        extract(code, &mut targets);
        targets.into_iter().collect()
    }

    #[test]
    fn use_trees_are_spelled_out() {
        let code = "use crate::{a::{self, B}, c::*};\nuse super::d as e;\npub use self::f::G;\nuse ::serde::{Serialize, de::{X, Y}};\n";
        assert_eq!(
            targets(code),
            [
                "crate::a",
                "crate::a::B",
                "crate::c",
                "pub self::f::G",
                "serde::Serialize",
                "serde::de::X",
                "serde::de::Y",
                "super::d"
            ]
        );
    }

    #[test]
    fn paths_in_the_code_count_and_types_do_not() {
        assert_eq!(
            targets("fn f() { app::run(); String::new(); x.y(); crate::z::W }"),
            ["app::run", "crate::z::W"]
        );
    }

    #[test]
    fn endless_nesting_is_cut() {
        let code = format!("use a::{}b{};", "{c::".repeat(5_000), "}".repeat(5_000));
        assert!(targets(&code).len() <= NAMES_PER_USE_MAX);
    }
}
