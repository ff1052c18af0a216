//! Lints are not silenced for good and tests are not switched off.

use super::finding::Finding;
use super::rust_source::Attribute;
use super::tree::Tree;

const ALLOW: &str =
    "`allow` hides a lint for good: use #[expect(lint, reason = \"…\")], which ends with its cause";
const IGNORE: &str = "a test that does not run proves nothing: mend it or remove it";

/// Finds `allow` and `ignore` attributes, also behind `cfg_attr`.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        for attribute in &rust.attributes {
            if let Some(message) = complaint(attribute) {
                findings.push(Finding::fault(&file.path, attribute.line, message));
            }
        }
    }
    findings
}

fn complaint(attribute: &Attribute) -> Option<&'static str> {
    let (first, rest) = attribute.words.split_first()?;
    let is =
        |wanted: &str| first == wanted || (first == "cfg_attr" && rest.iter().any(|word| word == wanted));
    if is("allow") {
        Some(ALLOW)
    } else if is("ignore") {
        Some(IGNORE)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    fn lines(text: &str) -> Vec<String> {
        check(&Tree::of([("a.rs", text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn allow_is_found_in_every_form() {
        let text = "#![allow(dead_code)]\n#[allow(clippy::all, reason = \"no\")]\nfn f() {}\n#[cfg_attr(unix, allow(x))]\nfn g() {}\n";
        let found = lines(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[1].starts_with("a.rs:2: `allow` hides"));
    }

    #[test]
    fn a_switched_off_test_is_found_inside_its_module() {
        let found =
            lines("#[cfg(test)]\nmod tests {\n    #[test]\n    #[ignore = \"slow\"]\n    fn f() {}\n}\n");
        assert!(found[0].starts_with("a.rs:4: a test that does not run"), "{found:?}");
    }

    #[test]
    fn expect_and_words_in_text_pass() {
        assert!(lines("/// #[allow(x)]\n#[expect(x, reason = \"allow\")]\nfn f() {}\n").is_empty());
        assert!(lines("#[serde(default, allow = \"x\")]\nstruct A;\n").is_empty());
    }
}
