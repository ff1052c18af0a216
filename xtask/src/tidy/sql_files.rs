//! A statement of SQL is a file of the store, named by table and verb, and somebody uses it.

use super::finding::Finding;
use super::tree::Tree;

const STATEMENTS: &str = "crates/spalla-store/sql/";
const MIGRATIONS: &str = "crates/spalla-store/migrations/";
const STORE: &str = "crates/spalla-store/";

/// Finds SQL files in the wrong place, under a wrong name, or without a use.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let uses: Vec<&str> = tree
        .rust_files()
        .filter(|(file, _)| file.path.starts_with(STORE))
        .flat_map(|(_, rust)| rust.texts.iter().map(|text| text.value.as_str()))
        .collect();
    tree.files()
        .filter(|file| file.path.ends_with(".sql"))
        .filter_map(|file| complaint(&file.path, &uses).map(|why| Finding::fault(&file.path, 1, why)))
        .collect()
}

fn complaint(path: &str, uses: &[&str]) -> Option<String> {
    if let Some(migration) = path.strip_prefix(MIGRATIONS) {
        return (!is_migration_name(migration))
            .then(|| "a migration is named `sqlite/NNNN_words.sql` or `postgres/NNNN_words.sql`".to_owned());
    }
    let Some(name) = path.strip_prefix(STATEMENTS) else {
        return Some(format!("SQL lives in {STATEMENTS}<table>/<verb>.sql"));
    };
    let Some(statement) = statement_name(name) else {
        return Some(
            "a statement is named `<table>/<verb>.sql`, `.sqlite.sql` or `.postgres.sql`".to_owned(),
        );
    };
    let is_used = uses.iter().any(|text| names_statement(text, name, statement));
    (!is_used).then(|| format!("no source of spalla-store names `{statement}`: use it or remove it"))
}

fn is_migration_name(name: &str) -> bool {
    let Some((database, file)) = name.split_once('/') else {
        return false;
    };
    let Some((number, words)) = file.strip_suffix(".sql").and_then(|stem| stem.split_once('_')) else {
        return false;
    };
    ["sqlite", "postgres"].contains(&database)
        && number.len() == 4
        && number.chars().all(|digit| digit.is_ascii_digit())
        && is_plain(words)
}

/// Returns `<table>/<verb>`, without the ending.
fn statement_name(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".sql")?;
    let stem = stem.strip_suffix(".sqlite").or_else(|| stem.strip_suffix(".postgres")).unwrap_or(stem);
    let (table, verb) = stem.split_once('/')?;
    (is_plain(table) && is_plain(verb)).then_some(stem)
}

fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

/// A use is the file's whole name, or the statement's where a macro adds the ending.
fn names_statement(text: &str, file: &str, statement: &str) -> bool {
    let goes_on = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    let ends = |wanted: &str, (at, _): (usize, &str)| !text[at + wanted.len()..].starts_with(goes_on);
    [file, statement].into_iter().any(|wanted| text.match_indices(wanted).any(|hit| ends(wanted, hit)))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    fn found(path: &str, source: &str) -> Vec<String> {
        let tree = Tree::of([(path, ""), ("crates/spalla-store/src/run.rs", source)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_statement_is_used_by_its_file_or_by_its_name() {
        let path = "crates/spalla-store/sql/run/insert.sqlite.sql";
        assert!(found(path, "const S: &str = include_str!(\"../sql/run/insert.sqlite.sql\");").is_empty());
        assert!(found(path, "fn f() { statement!(\"run/insert\") }").is_empty());
        let unused = found(path, "const S: &str = include_str!(\"../sql/run/insert.postgres.sql\");");
        assert_eq!(
            unused,
            [format!("{path}:1: no source of spalla-store names `run/insert`: use it or remove it")]
        );
        assert_eq!(found(path, "// run/insert\nfn f() { statement!(\"run/insert_many\") }").len(), 1);
    }

    #[test]
    fn a_statement_under_a_wrong_name_is_found() {
        for name in ["insert.sql", "run/insert.mysql.sql", "run/a/b.sql", "run/Insert.sql"] {
            let path = format!("crates/spalla-store/sql/{name}");
            assert!(found(&path, "")[0].contains("a statement is named"), "{name}");
        }
    }

    #[test]
    fn sql_outside_the_store_is_found() {
        assert!(found("crates/spalla-engine/sql/run/insert.sql", "")[0].contains("SQL lives in"));
    }

    #[test]
    fn migrations_are_numbered_per_database() {
        assert!(found("crates/spalla-store/migrations/sqlite/0001_init.sql", "").is_empty());
        assert_eq!(found("crates/spalla-store/migrations/0001_init.sql", "").len(), 1);
        assert_eq!(found("crates/spalla-store/migrations/postgres/1_init.sql", "").len(), 1);
    }
}
