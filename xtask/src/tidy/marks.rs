//! Unfinished work is finished or written down elsewhere, never left as a mark in the code.

use super::exceptions::{MARKS_AS_DATA, covered};
use super::finding::Finding;
use super::rust_source::RustSource;
use super::tree::Tree;

const WORDS: &[&str] = &["TODO", "FIXME"];
const MACROS: &[&str] = &["todo", "unimplemented"];

/// Finds the marks in code, comments and strings, and the macros that stand for missing code.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        for call in rust.macros.iter().filter(|call| MACROS.contains(&call.name.as_str())) {
            let message = format!("`{}!` stands for code that is missing", call.name);
            findings.push(Finding::fault(&file.path, call.line, message));
        }
        let text = if covered(MARKS_AS_DATA, &file.path) {
            without_strings(&file.text, rust)
        } else {
            file.text.clone()
        };
        findings.extend(marked_lines(&file.path, &text));
    }
    findings
}

fn marked_lines(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in words_of(line).filter(|word| WORDS.contains(word)) {
            let message = format!("`{word}` marks unfinished work: do it, or take the mark away");
            findings.push(Finding::fault(path, index + 1, message));
        }
    }
    findings
}

fn words_of(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

/// Returns the file with its string literals blanked and every line break kept.
fn without_strings(text: &str, rust: &RustSource) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut end = 0;
    for literal in &rust.texts {
        kept.push_str(&text[end..literal.range.start]);
        kept.extend(text[literal.range.clone()].matches('\n'));
        end = literal.range.end;
    }
    kept.push_str(&text[end..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of([(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn marks_are_found_in_comments_documents_and_strings() {
        let text = "//! a\n/// TODO one\n// FIXME: two\nfn f() { g(\"TODO three\") }\n";
        let lines = found("crates/a/src/lib.rs", text);
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("crates/a/src/lib.rs:3: `FIXME` marks"));
    }

    #[test]
    fn missing_code_is_found() {
        let lines = found("a.rs", "fn f() {\n    todo!()\n}\nfn g() { unimplemented!(\"later\") }\n");
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("a.rs:2: `todo!` stands"));
    }

    #[test]
    fn longer_words_pass() {
        assert!(found("a.rs", "// TODOS and MASTODON, todo list\n").is_empty());
    }

    #[test]
    fn the_surveyor_may_name_marks_in_strings_only() {
        let path = "crates/spalla-worker/src/builtin/surveyor.rs";
        assert!(found(path, "const MARKS: &[&str] = &[\"TODO\", \"FIXME\"];\n").is_empty());
        let lines = found(path, "const A: &str = \"two\nTODO\";\n// FIXME\n");
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with(&format!("{path}:3: ")));
    }
}
