//! Findings about whole files: what is too large, and what its name says it holds.

use super::coverage::Coverage;
use super::findings::{Finding, severity_in};
use super::inspect::FileFacts;
use super::language;
use super::paths;
use super::role;
use super::rules::{self, Rule, Severity};
use super::walk::TreeFile;

/// Lines of code from which a source file is large.
const HUGE_FILE_LINES: usize = 1_500;

/// Finds what is too large in a file of the product.
pub(crate) fn of_size(file: &FileFacts) -> Vec<Finding> {
    let finding = |rule: &Rule, line, excerpt| Finding {
        rule: rule.id,
        severity: severity_in(file.role, rule.severity),
        file: file.path.clone(),
        line,
        role: file.role,
        excerpt,
    };
    let mut findings = Vec::new();
    let code = file.product_lines();
    if file.is_product_code() && code > HUGE_FILE_LINES {
        findings.push(finding(&rules::HUGE_FILE, None, format!("{code} lines of code")));
    }
    for function in &file.long_functions {
        let excerpt = format!("`{}`, {} lines of code", function.name, function.code_lines);
        findings.push(finding(&rules::LONG_FUNCTION, Some(function.line), excerpt));
    }
    findings
}

/// Finds files whose names say that they hold keys.
pub(crate) fn of_name(path: &str) -> Option<Finding> {
    let name = paths::name(path).to_ascii_lowercase();
    let is_key =
        matches!(
            name.as_str(),
            "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519" | ".env" | ".netrc" | ".pgpass" | ".htpasswd"
        ) || [".p12", ".pfx", ".jks", ".keystore", ".kdbx"].iter().any(|ending| name.ends_with(ending));
    let role = role::by_path(path, language::by_path(path, false));
    (is_key && !role.is_foreign()).then(|| Finding {
        rule: rules::KEY_FILE.id,
        severity: severity_in(role, rules::KEY_FILE.severity),
        file: path.to_owned(),
        line: None,
        role,
        excerpt: String::from("by its name"),
    })
}

/// Size from which a file that is not read as text is named.
const LARGE_FILE_BYTES: u64 = 5 << 20;

/// Finds large files that are no text, or too large to be read as text.
pub(crate) fn of_bulk(listed: &[TreeFile], coverage: &Coverage) -> Vec<Finding> {
    let is_text = |path: &str| language::by_path(path, false).is_some();
    let large = listed.iter().filter(|file| file.bytes >= LARGE_FILE_BYTES);
    let kept = large.filter(|file| !is_text(&file.path) || coverage.oversize_files.contains(&file.path));
    kept.map(|file| {
        let role = role::by_path(&file.path, language::by_path(&file.path, false));
        Finding {
            rule: rules::LARGE_FILE.id,
            severity: Severity::Low,
            file: file.path.clone(),
            line: None,
            role,
            excerpt: format!("{} MiB", file.bytes >> 20),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::inspect::{TreeContext, inspect};
    use super::super::role::Attributes;
    use super::*;

    fn rules_of(path: &str, text: &str) -> Vec<(&'static str, String)> {
        let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse("") };
        of_size(&inspect(path, text, &context))
            .into_iter()
            .map(|finding| (finding.rule, finding.excerpt))
            .collect()
    }

    #[test]
    fn large_files_of_the_product_are_named_and_tests_are_not() {
        let text = "x = 1\n".repeat(1_600);
        assert_eq!(rules_of("src/a.py", &text), [("huge-file", String::from("1600 lines of code"))]);
        assert_eq!(rules_of("tests/a.py", &text), []);
        assert_eq!(rules_of("src/a.json", &text), []);
    }

    #[test]
    fn key_files_are_known_by_their_names() {
        for path in [".env", "deploy/id_rsa", "a/server.p12", "app.KEYSTORE"] {
            assert_eq!(of_name(path).map(|finding| finding.rule), Some("key-file"), "{path}");
        }
        for path in [".env.example", "src/env.rs", "vendor/x.jks"] {
            assert_eq!(of_name(path), None, "{path}");
        }
        assert_eq!(of_name("tests/data/id_rsa").map(|finding| finding.severity), Some(Severity::Low));
    }

    #[test]
    fn large_files_that_are_no_text_are_named() {
        let file = |path: &str, bytes| TreeFile { path: path.to_owned(), bytes };
        let listed = [file("logo.bin", 6 << 20), file("big.rs", 6 << 20), file("small.bin", 10)];
        let coverage = Coverage { oversize_files: vec![String::from("big.rs")], ..Coverage::default() };
        let found: Vec<String> =
            of_bulk(&listed, &coverage).into_iter().map(|finding| finding.file).collect();
        assert_eq!(found, ["logo.bin", "big.rs"]);
    }
}
