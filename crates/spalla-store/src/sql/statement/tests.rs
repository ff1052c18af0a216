//! What becomes of a statement's text in either dialect.

use super::Dialect::{Postgres, Sqlite};
use super::{Call, Compiled, Kind, Same, Statement, Value, compile};

fn sql(dialect: super::Dialect, text: &str) -> String {
    compile(dialect, text).unwrap().sql
}

#[test]
fn scalars_are_numbered_by_first_appearance_and_keep_their_number() {
    let text = "where a = :b and c = :a or d = :b limit :most_1";
    let compiled = compile(Postgres, text).unwrap();
    assert_eq!(compiled.sql, "where a = $1 and c = $2 or d = $1 limit $3");
    assert_eq!(compiled.scalars, ["b", "a", "most_1"]);
    assert_eq!(compiled.columns, None);
    assert_eq!(sql(Sqlite, text), "where a = ?1 and c = ?2 or d = ?1 limit ?3");
}

#[test]
fn rows_are_arrays_on_postgres_and_one_row_on_sqlite() {
    let text = "into t from :rows(a, b text,\n  c blob) where rows.a = :a";
    assert_eq!(
        compile(Postgres, text).unwrap(),
        Compiled {
            sql:
                "into t from unnest($2::bigint[], $3::text[], $4::bytea[]) as rows(a, b, c) where rows.a = $1"
                    .into(),
            scalars: vec!["a".into()],
            columns: Some(vec![("a".into(), Kind::Int), ("b".into(), Kind::Text), ("c".into(), Kind::Blob)]),
            many: None,
        }
    );
    assert_eq!(sql(Sqlite, text), "into t from (select ?2 as a, ?3 as b, ?4 as c) as rows where rows.a = ?1");
}

#[test]
fn values_are_what_an_insert_takes() {
    let text = "insert into t (x, y)\n:values(a, b text)";
    assert_eq!(sql(Sqlite, text), "insert into t (x, y)\nvalues (?1, ?2)");
    assert_eq!(
        sql(Postgres, text),
        "insert into t (x, y)\nselect rows.a, rows.b from unnest($1::bigint[], $2::text[]) as rows(a, b)"
    );
}

#[test]
fn what_is_the_same_in_all_rows_is_one_parameter_on_postgres() {
    static BOTH: Statement = Statement {
        name: "t",
        sqlite: "",
        postgres: "insert into t (x, y, z) :values(a, b text, c blob) on conflict (x) do nothing",
    };
    static JOINED: Statement =
        Statement { name: "t", sqlite: "", postgres: "from :rows(a, b text) where rows.a = :a" };
    let rows = |rows: &[[i64; 3]]| {
        let row = |row: &[i64; 3]| row.iter().map(|value| Value::Int(*value)).collect();
        Same::of(&rows.iter().map(row).collect::<Vec<_>>())
    };
    let sql = |statement: &Statement, same| statement.compile_for(same).unwrap().sql;
    assert_eq!(
        sql(&BOTH, rows(&[[1, 2, 3], [1, 4, 3]])),
        "insert into t (x, y, z) select $1::bigint, rows.b, $3::bytea from unnest($2::text[]) as rows(b) on conflict \
         (x) do nothing"
    );
    assert_eq!(
        sql(&BOTH, rows(&[[1, 2, 3]])),
        "insert into t (x, y, z) select $1::bigint, $2::text, $3::bytea on conflict (x) do nothing"
    );
    assert_eq!(
        sql(&JOINED, rows(&[[1, 2, 0], [1, 3, 0]])),
        "from (select $2::bigint as a, rows.b from unnest($3::text[]) as rows(b)) as rows where rows.a = $1"
    );
    assert_eq!(
        sql(&JOINED, rows(&[[1, 2, 0]])),
        "from (select $2::bigint as a, $3::text as b) as rows where rows.a = $1"
    );
}

#[test]
fn a_row_is_one_value_or_several_in_brackets() {
    assert_eq!(sql(Sqlite, "where a = :row(a) and b = :b"), "where a = (?2) and b = ?1");
    assert_eq!(sql(Sqlite, "where (a, b) = :row(a, b text)"), "where (a, b) = (?1, ?2)");
}

#[test]
fn a_row_among_others_is_a_condition_for_each_of_its_columns() {
    let compiled = compile(Sqlite, "from t where kind = :kind and :among(t.a, b text)").unwrap();
    assert_eq!(compiled.sql, "from t where kind = ?1 and ((t.a = ?2 and b = ?3))");
    assert_eq!(compiled.columns, Some(vec![("a".into(), Kind::Int), ("b".into(), Kind::Text)]));
    let many = compiled.many.unwrap();
    assert!(
        many.starts_with("from t where kind = ?1 and ((t.a = ?2 and b = ?3) or (t.a = ?4 and b = ?5)"),
        "{many}"
    );
    assert!(many.ends_with(" or (t.a = ?32 and b = ?33))"), "{many}");
}

#[test]
fn sqlite_takes_many_rows_at_once_where_a_statement_can() {
    let many = |dialect, text: &str| compile(dialect, text).unwrap().many;
    let values = many(Sqlite, "insert into t (x, y) :values(a, b)").unwrap();
    assert!(values.starts_with("insert into t (x, y) values (?1, ?2), (?3, ?4)"), "{values}");
    assert!(values.ends_with(", (?31, ?32)"), "{values}");
    for text in ["select 1", "from :rows(a)", "where a = :row(a)"] {
        assert_eq!(many(Sqlite, text), None, "{text}");
    }
    assert_eq!(many(Postgres, "insert into t (x) :values(a)"), None);
}

#[test]
fn strings_names_casts_and_slices_are_left_alone() {
    for text in ["'it''s :not' || \":nor\"", "x::text[1:2]", "'naïve :é' || ':x'"] {
        assert_eq!(
            compile(Postgres, text).unwrap(),
            Compiled { sql: text.into(), scalars: vec![], columns: None, many: None }
        );
    }
    assert_eq!(sql(Postgres, ":a::bigint"), "$1::bigint");
}

#[test]
fn comments_are_left_out_with_what_they_hold() {
    let text = "-- why :not :rows(a)\nvalues (:a) /* :nor ' */ -- the end";
    let compiled = compile(Sqlite, text).unwrap();
    assert_eq!(compiled.sql, "values (?1)");
    assert_eq!(compiled.scalars, ["a"]);
}

#[test]
fn what_is_wrong_is_said() {
    for (text, why) in [
        (":rows(a) :rows(b)", "more than one `:rows`"),
        ("from :rows", "`:rows` wants its columns in brackets right behind it"),
        (":rows(a real)", "`a real` is no column: write `name`, `name text` or `name blob`"),
        (":rows()", "`` is no column: write `name`, `name text` or `name blob`"),
        (":rows(a-b)", "`a-b` is no name of a column"),
        ("'open", "a ' is never closed"),
        ("/* open", "a comment is never closed"),
        ("/*/", "a comment is never closed"),
    ] {
        assert_eq!(compile(Postgres, text).unwrap_err(), why);
    }
}

#[test]
fn a_call_that_does_not_fit_is_told_apart() {
    static STATEMENT: Statement =
        Statement { name: "t", sqlite: ":a :rows(b, c)", postgres: ":a :rows(b, c)" };
    let compiled = STATEMENT.compile(Sqlite).unwrap();
    let call = |scalars: usize, rows: &[usize]| Call {
        statement: &STATEMENT,
        scalars: vec![Value::Null; scalars],
        rows: rows.iter().map(|width| vec![Value::Null; *width]).collect(),
        writes_all: false,
    };
    assert_eq!(compiled.misfit(&call(1, &[])), None);
    assert_eq!(compiled.misfit(&call(1, &[2, 2])), None);
    assert_eq!(compiled.misfit(&call(2, &[])).unwrap(), "2 scalars given, 1 wanted (a)");
    assert_eq!(compiled.misfit(&call(1, &[2, 1])).unwrap(), "a row of 1 values given, 2 wanted");
}
