//! Documents name only what exists: links, and paths of the repository between backticks.

use super::finding::Finding;
use super::tree::{File, Tree};

/// Finds links and paths in README.md and docs/ that lead nowhere.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let is_document = |file: &&File| {
        file.path == "README.md" || (file.path.starts_with("docs/") && file.path.ends_with(".md"))
    };
    tree.files().filter(is_document).flat_map(|file| check_document(tree, file)).collect()
}

fn check_document(tree: &Tree, file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        for target in links(line).filter(|target| !link_leads_somewhere(tree, &file.path, target)) {
            findings.push(Finding::fault(
                &file.path,
                index + 1,
                format!("the link `{target}` leads nowhere"),
            ));
        }
        for path in code_spans(line).filter(|span| is_repository_path(tree, span)) {
            if !path_exists(tree, path) {
                findings.push(Finding::fault(&file.path, index + 1, format!("`{path}` does not exist")));
            }
        }
    }
    findings
}

/// Returns the targets of `[text](target)` and of `[name]: target`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let definition = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline.chain(definition)
}

fn link_leads_somewhere(tree: &Tree, document: &str, target: &str) -> bool {
    let target = target.trim_start_matches('<').trim_end_matches('>');
    let path = target.split('#').next().unwrap_or("");
    let is_elsewhere = path.contains(':') || path.is_empty();
    is_elsewhere || resolve(document, path).is_some_and(|path| tree.has(&path))
}

/// Follows a relative link from the document's folder; `None` where it leaves the repository.
fn resolve(document: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// A span is a path of ours when it is one word with a `/` and begins with one of our folders.
fn is_repository_path(tree: &Tree, span: &str) -> bool {
    let Some((first, _)) = span.split_once('/') else {
        return false;
    };
    !first.is_empty() && !span.contains(char::is_whitespace) && tree.has(first)
}

/// What follows a placeholder, a choice or a line number cannot be looked up; what stands before it can.
fn path_exists(tree: &Tree, span: &str) -> bool {
    let known = span.split(['{', '*', '<', '…', '$', ':', '#']).next().unwrap_or(span);
    if known.len() < span.len() && !span[known.len()..].starts_with([':', '#']) {
        return known.rsplit_once('/').is_none_or(|(folder, _)| tree.has(folder));
    }
    tree.has(known)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    fn found(text: &str) -> Vec<String> {
        let tree = Tree::of([
            ("docs/architecture.md", text),
            ("docs/glossary.md", ""),
            ("README.md", ""),
            ("crates/spalla/src/main.rs", ""),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_eq!(
            found("# A\nsee [b](missing.md) and [c](glossary.md#run)\n"),
            ["docs/architecture.md:2: the link `missing.md` leads nowhere"]
        );
        assert_eq!(found("[b](../../outside.md)\n").len(), 1);
        assert_eq!(found("[b]: ../crates/none\n").len(), 1);
    }

    #[test]
    fn links_elsewhere_and_to_files_and_folders_pass() {
        let text = "[a](https://example.com/x) [b](#run) [c](../README.md \"title\") [d](decisions/../glossary.md)\n";
        assert!(found(text).is_empty(), "{:?}", found(text));
        assert!(found("[e](../crates/) and ![f](./glossary.md)\n[g]: ../crates/spalla\n").is_empty());
    }

    #[test]
    fn a_path_between_backticks_is_looked_up() {
        let text = "`crates/spalla/src/main.rs:3` is there, `crates/spalla/src/gone.rs` is not\n";
        assert_eq!(found(text), ["docs/architecture.md:1: `crates/spalla/src/gone.rs` does not exist"]);
        assert_eq!(found("`crates/none/{a,b}.rs`\n").len(), 1);
        assert!(
            found("`crates/spalla/src/{a,b}.rs`, `run/insert`, `GET /runs`, `crates/*/src`\n").is_empty()
        );
    }

    #[test]
    fn drawings_in_fences_are_left_alone() {
        assert!(found("```\n`crates/none` [a](b.md)\n```\n").is_empty());
    }
}
