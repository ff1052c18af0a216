//! Statements that take many rows at once do what they do row by row.

use super::Bench;
use crate::error::StoreError;
use crate::sql::sqlite::session::Session;
use crate::sql::statement::{Answer, Call, MANY, Row, Statement, Value};

static INSERT: Statement = same("many/insert", "insert into few (a, b) :values(a, b text)");
static LOAD: Statement = same("many/load", "select a, b from few where :among(a)");
static DELETE: Statement = same("many/delete", "delete from few where :among(a, b text)");
static COUNT: Statement = same("many/count", "select count(*) from few");

const fn same(name: &'static str, text: &'static str) -> Statement {
    Statement { name, sqlite: text, postgres: text }
}

fn call(statement: &'static Statement, rows: Vec<Row>) -> Call {
    Call { statement, scalars: vec![], rows, writes_all: false }
}

fn pair(number: usize) -> Row {
    vec![Value::Int(number as i64), Value::Text(format!("text {number}"))]
}

fn table(bench: &Bench) -> Session {
    let mut session = bench.session();
    let script =
        "create table few (a integer not null primary key, b text not null check (b <> 'odd')) strict";
    session.run_script(script, "making the table").unwrap();
    session
}

#[test]
fn any_number_of_rows_is_written_found_and_removed_whole() {
    let bench = Bench::new();
    let mut session = table(&bench);
    for count in [1, MANY - 1, MANY, MANY + 1, 2 * MANY, 3 * MANY + 5] {
        let rows: Vec<_> = (0..count).map(pair).collect();
        let written = session.run_call(&call(&INSERT, rows.clone())).unwrap();
        assert_eq!(written, Answer { rows: vec![], written: count as u64 });
        let ids = (0..count + 3).map(|number| vec![Value::Int(number as i64)]).collect();
        let mut found = session.run_call(&call(&LOAD, ids)).unwrap().rows;
        found.sort_by_key(|row| if let Value::Int(id) = row[0] { id } else { i64::MAX });
        assert_eq!(found, rows);
        // One of them is not there as it is described, so that one fewer goes.
        let mut wrong = rows.clone();
        wrong[count / 2][1] = Value::Text("another".to_owned());
        assert_eq!(session.run_call(&call(&DELETE, wrong)).unwrap().written, count as u64 - 1);
        assert_eq!(session.run_call(&call(&DELETE, rows)).unwrap().written, 1);
        assert_eq!(session.run_call(&call(&COUNT, vec![])).unwrap().rows, [[Value::Int(0)]]);
    }
}

#[test]
fn one_bad_row_among_many_undoes_the_transaction() {
    let bench = Bench::new();
    let mut session = table(&bench);
    session.begin().unwrap();
    let mut rows: Vec<_> = (0..3 * MANY).map(pair).collect();
    rows[MANY + 3][1] = Value::Text("odd".to_owned());
    assert!(session.run_call(&call(&INSERT, rows)).is_err());
    assert!(matches!(session.commit(), Err(StoreError::Corrupt(_))));
    session.rollback().unwrap();
    assert_eq!(session.run_call(&call(&COUNT, vec![])).unwrap().rows, [[Value::Int(0)]]);
}
