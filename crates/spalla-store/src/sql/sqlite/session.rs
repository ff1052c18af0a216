//! One connection to the file: how it is set up, how statements run on it, and the three steps of a transaction.

use super::fault::{commit_fault, fault, open_fault, reopen_fault};
use super::file::DatabaseFile;
use super::log_room::LogRoom;
use crate::error::StoreError;
use crate::sql::driver::Driver;
use crate::sql::statement::{Answer, Call, Compiled, Dialect, MANY, Row, Value};
use crate::tx::Result;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, ToSql};
use spalla_crash::crash_point;
use std::collections::HashMap;

/// More than there are statements, so that each is parsed once.
const STATEMENTS_MAX: usize = 512;

/// A writer of another process, such as the command line, is waited for this long.
const COMMON: &str = "
    pragma busy_timeout = 5000;
    pragma foreign_keys = off;
    pragma temp_store = memory;
";

/// Full synchronisation puts every commit on the disk before it is answered. The log goes back into the file at 4,000
/// pages (16 MiB) if it was not before, when the writer had nothing to do.
const WRITER: &str = "
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma wal_autocheckpoint = 4000;
    pragma cache_size = -16384;
";

/// Only who reads maps the file: the writer finds nearly everything in its cache, and what it maps counts as its memory.
const READER: &str = "
    pragma query_only = on;
    pragma mmap_size = 268435456;
    pragma cache_size = -16384;
";

/// Says what an error of opening the file means.
type Translate = fn(&DatabaseFile, &rusqlite::Error) -> StoreError;

/// A connection.
pub(super) struct Session {
    connection: Connection,
    file: DatabaseFile,
    room: LogRoom,
    compiled: HashMap<&'static str, Compiled>,
    has_failed: bool,
}

impl Session {
    /// Opens the connection that writes, at the start.
    pub(super) fn open_writer(file: &DatabaseFile) -> Result<Self> {
        Self::open_to_write(file, open_fault)
    }

    /// Opens it anew, while the store is in use.
    pub(super) fn reopen_writer(file: &DatabaseFile) -> Result<Self> {
        Self::open_to_write(file, reopen_fault)
    }

    fn open_to_write(file: &DatabaseFile, fault: Translate) -> Result<Self> {
        let session = Self::open(file, WRITER, fault)?;
        let mode = session.connection.query_row("pragma journal_mode", [], |row| row.get::<_, String>(0));
        match mode.map_err(|error| fault(file, &error))?.as_str() {
            "wal" => Ok(session),
            mode => Err(StoreError::Configuration(format!(
                "opening {}: its file system can't share the write-ahead log (the journal stays in mode {mode}); \
                 put the file on a local disk",
                file.path().display()
            ))),
        }
    }

    /// Opens a connection that can't write; readers come while the store is in use.
    pub(super) fn open_reader(file: &DatabaseFile) -> Result<Self> {
        Self::open(file, READER, reopen_fault)
    }

    fn open(file: &DatabaseFile, setup: &str, fault: Translate) -> Result<Self> {
        file.check_present()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(file.path(), flags).and_then(|connection| {
            connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
            connection.execute_batch(COMMON)?;
            connection.execute_batch(setup)?;
            Ok(connection)
        });
        let connection = opened.map_err(|error| fault(file, &error))?;
        let room = LogRoom::of(file);
        Ok(Self { connection, file: file.clone(), room, compiled: HashMap::new(), has_failed: false })
    }

    /// Begins a transaction that may write; waits for another process that does.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.file.check_present()?;
        self.has_failed = false;
        crash_point!("store.sqlite.begin", self.step("begin immediate", "beginning a transaction"))
    }

    /// Commits; on an error the transaction is to be rolled back.
    pub(super) fn commit(&mut self) -> Result<()> {
        if self.has_failed {
            return Err(StoreError::Corrupt(
                "a batch went on after one of its statements had failed".to_owned(),
            ));
        }
        let committed = crash_point!("store.sqlite.commit", self.connection.execute_batch("commit"));
        committed.map_err(|error| commit_fault(&self.file, &error))?;
        self.room.keep();
        Ok(())
    }

    /// Rolls back what is open; some errors did so already.
    pub(super) fn rollback(&mut self) -> Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.step("rollback", "rolling back") }
    }

    /// Moves committed pages from the log into the file, as far as nobody reads them.
    pub(super) fn checkpoint(&mut self) -> Result<()> {
        crash_point!(
            "store.sqlite.checkpoint",
            self.step("pragma wal_checkpoint(passive)", "moving the log into the file")
        )
    }

    /// Moves all of the log into the file and empties it.
    pub(super) fn checkpoint_wholly(&mut self) -> Result<()> {
        crash_point!(
            "store.sqlite.checkpoint_wholly",
            self.step("pragma wal_checkpoint(truncate)", "moving the log into the file")
        )
    }

    /// Returns how many rows this connection has ever written.
    pub(super) fn rows_written(&self) -> u64 {
        self.connection.total_changes()
    }

    /// Runs a script of several statements.
    pub(super) fn run_script(&mut self, script: &str, doing: &str) -> Result<()> {
        self.step(script, doing)
    }

    /// Runs one statement: once for each row, or once where it takes no rows.
    pub(super) fn run_call(&mut self, call: &Call) -> Result<Answer> {
        let answer = self.try_call(call);
        self.has_failed |= answer.is_err();
        answer
    }

    fn try_call(&mut self, call: &Call) -> Result<Answer> {
        let name = call.statement.name;
        if !self.compiled.contains_key(name) {
            self.compiled.insert(name, call.statement.compile(Dialect::Sqlite)?);
        }
        let compiled = &self.compiled[name];
        if let Some(why) = compiled.misfit(call) {
            return Err(StoreError::Corrupt(format!("statement {name}: {why}")));
        }
        let doing = |error: &rusqlite::Error| fault(&self.file, &format!("statement {name}"), error);
        let mut statement = self.connection.prepare_cached(&compiled.sql).map_err(|error| doing(&error))?;
        bind(&mut statement, 1, &call.scalars).map_err(|error| doing(&error))?;
        let mut answer = Answer::default();
        if compiled.columns.is_none() {
            step_through(&self.connection, &mut statement, &mut answer).map_err(|error| doing(&error))?;
        }
        let (parts, rest) = match compiled.many {
            Some(_) => call.rows.as_chunks::<MANY>(),
            None => (&[][..], call.rows.as_slice()),
        };
        if let Some(many) = compiled.many.as_ref().filter(|_| !parts.is_empty()) {
            let mut statement = self.connection.prepare_cached(many).map_err(|error| doing(&error))?;
            bind(&mut statement, 1, &call.scalars).map_err(|error| doing(&error))?;
            for part in parts {
                let values = part.iter().flatten();
                bind(&mut statement, call.scalars.len() + 1, values).map_err(|error| doing(&error))?;
                step_through(&self.connection, &mut statement, &mut answer).map_err(|error| doing(&error))?;
            }
        }
        for row in rest {
            bind(&mut statement, call.scalars.len() + 1, row).map_err(|error| doing(&error))?;
            step_through(&self.connection, &mut statement, &mut answer).map_err(|error| doing(&error))?;
        }
        Ok(answer)
    }

    fn step(&mut self, sql: &str, doing: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(|error| fault(&self.file, doing, &error))
    }
}

/// Binds values to consecutive parameters.
fn bind<'v>(
    statement: &mut CachedStatement<'_>,
    first: usize,
    values: impl IntoIterator<Item = &'v Value>,
) -> rusqlite::Result<()> {
    (first..).zip(values).try_for_each(|(number, value)| statement.raw_bind_parameter(number, value))
}

/// Runs a statement with what is bound, to its end: only there SQLite knows how many rows it wrote.
fn step_through(
    connection: &Connection,
    statement: &mut CachedStatement<'_>,
    answer: &mut Answer,
) -> rusqlite::Result<()> {
    let width = statement.column_count();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..width).map(|column| read(row.get_ref(column)?, column));
        answer.rows.push(values.collect::<rusqlite::Result<Row>>()?);
    }
    drop(rows);
    if !statement.readonly() {
        answer.written += connection.changes();
    }
    Ok(())
}

fn read(value: ValueRef<'_>, column: usize) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
        ValueRef::Text(text) => {
            let text = str::from_utf8(text).map_err(|error| rusqlite::Error::Utf8Error(column, error))?;
            Value::Text(text.to_owned())
        }
        ValueRef::Real(_) => {
            let kind = rusqlite::types::Type::Real;
            return Err(rusqlite::Error::InvalidColumnType(column, format!("number {column}"), kind));
        }
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// The open transaction of a session.
pub(super) struct Transaction<'a>(pub(super) &'a mut Session);

impl Driver for Transaction<'_> {
    async fn run(&mut self, calls: Vec<Call>) -> Result<Vec<Answer>> {
        crash_point!("store.sqlite.statements", calls.iter().map(|call| self.0.run_call(call)).collect())
    }

    fn is_shared(&self) -> bool {
        false
    }
}
