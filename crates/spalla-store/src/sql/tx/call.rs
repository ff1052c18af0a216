//! Short ways to make calls.

use crate::sql::row::row;
use crate::sql::statement::{Call, Row, Statement, Value};

/// A call with scalars alone.
pub(crate) fn once(statement: &'static Statement, scalars: Vec<Value>) -> Call {
    Call { statement, scalars, rows: vec![], writes_all: false }
}

/// A call with rows alone.
pub(crate) fn by_rows(statement: &'static Statement, rows: Vec<Row>) -> Call {
    Call { statement, scalars: vec![], rows, writes_all: false }
}

/// A call whose rows are ids.
pub(crate) fn by_ids<T: Copy + Into<Value>>(statement: &'static Statement, ids: &[T]) -> Call {
    by_rows(statement, ids.iter().map(|id| row![(*id).into()]).collect())
}
