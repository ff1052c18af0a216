//! No SQL in Rust strings: a statement is a file, so that both databases can be shown to prepare it.
//!
//! A guess by the first words of a string, in capitals or in small letters; prose that begins with the same
//! verb is told apart by what follows it.

use super::exceptions::{SQL_IN_STRINGS, covered};
use super::finding::Finding;
use super::tree::Tree;

const ARTICLES: &[&str] = &["a", "all", "an", "every", "it", "its", "that", "the", "them", "this", "your"];
const CREATED: &[&str] = &[
    "database",
    "extension",
    "function",
    "index",
    "role",
    "schema",
    "sequence",
    "table",
    "temp",
    "temporary",
    "trigger",
    "type",
    "unique",
    "unlogged",
    "user",
    "view",
    "virtual",
];

/// Finds string literals that read like a statement.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files().filter(|(file, _)| !covered(SQL_IN_STRINGS, &file.path)) {
        for text in rust.texts.iter().filter(|text| reads_like_sql(&text.value)) {
            let message = "SQL in a string: make it a file, crates/spalla-store/sql/<table>/<verb>.sql";
            findings.push(Finding::fault(&file.path, text.line, message));
        }
    }
    findings
}

fn reads_like_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some((&verb, rest)) = words.split_first() else {
        return false;
    };
    let verb_is_upper = verb.chars().all(|letter| letter.is_ascii_uppercase());
    let verb_is_lower = verb.chars().all(|letter| letter.is_ascii_lowercase());
    if !verb_is_upper && !verb_is_lower {
        return false;
    }
    let lower: Vec<String> = rest.iter().map(|word| word.to_ascii_lowercase()).collect();
    let rest: Vec<&str> = lower.iter().map(String::as_str).collect();
    match verb.to_ascii_lowercase().as_str() {
        "select" => is_selection(&rest),
        "insert" => matches!(rest.as_slice(), ["into" | "or", next, ..] if is_name(next)),
        "update" => matches!(rest.as_slice(), [table, "set", ..] | [table, _, "set", ..] if is_name(table)),
        "delete" => matches!(rest.as_slice(), ["from", table, ..] if is_name(table)),
        "create" => is_creation(&rest),
        _ => false,
    }
}

fn is_name(word: &str) -> bool {
    !ARTICLES.contains(&word)
}

fn is_creation(rest: &[&str]) -> bool {
    match rest {
        ["or", "replace", ..] => true,
        [what, second, ..] => CREATED.contains(what) && is_name(second) && *second != "for",
        _ => false,
    }
}

/// `select` is also a word of everyday; columns are single words, divided by commas, or expressions.
fn is_selection(rest: &[&str]) -> bool {
    let Some(first) = rest.first() else { return false };
    if first.starts_with(['*', '$', '?', '(', '\''])
        || first.starts_with(|digit: char| digit.is_ascii_digit())
    {
        return true;
    }
    let calls = first.find('(').is_some_and(|at| at > 0);
    let Some(from) = rest.iter().position(|word| *word == "from") else {
        return calls;
    };
    let columns = rest[..from].join(" ");
    let table_is_named = rest.get(from + 1).is_none_or(|table| is_name(table));
    table_is_named && columns.split(',').all(is_column)
}

fn is_column(column: &str) -> bool {
    let words: Vec<&str> = column.split_whitespace().filter(|word| *word != "distinct").collect();
    match words.as_slice() {
        [] => false,
        [only] => is_name(only),
        [_, "as", _] => true,
        _ => column.contains(['(', ')', '+', '|', '\'', '=', '.']),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, reads_like_sql};
    use crate::tidy::tree::Tree;

    #[test]
    fn statements_are_recognised_in_both_cases() {
        for sql in [
            "SELECT id, state FROM run WHERE id = ?1",
            "select count(*) from ready",
            "select id as run_id from run",
            "select distinct queue from ready order by 1",
            "select coalesce(max(id), 0) + 1, x from run",
            "select 1",
            "select pg_advisory_xact_lock($1)",
            "\n    insert into run(id) values ($1)",
            "INSERT OR IGNORE INTO run VALUES (1)",
            "update leased set until = $1",
            "update leased l set until = $1",
            "delete from ready where id = any($1)",
            "create table if not exists meta (k text)",
            "create unique index run_by_item on run(work_item_id)",
            "CREATE DATABASE spalla_test",
            "create or replace view x as select 1",
        ] {
            assert!(reads_like_sql(sql), "{sql}");
        }
    }

    #[test]
    fn prose_is_left_alone() {
        for prose in [
            "select an agent from the registry",
            "select one from the list",
            "select the next run",
            "Select id from run",
            "insert into the queue",
            "update the set of labels",
            "delete from the store what is older",
            "delete archives",
            "create table",
            "create index for the page",
            "create work items and dependencies",
            "selected",
            "",
        ] {
            assert!(!reads_like_sql(prose), "{prose}");
        }
    }

    #[test]
    fn a_statement_is_found_in_code_and_tests_but_not_in_documents() {
        let text = "//! select id from run\n\n/// select id from run\nfn f() { query(\n    \"select id from run\") }\n";
        let found = check(&Tree::of([("crates/a/src/lib.rs", text), ("crates/a/tests/it/main.rs", text)]));
        let places: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(places.len(), 2);
        assert!(places[0].starts_with("crates/a/src/lib.rs:5: SQL in a string"));
    }
}
