//! Statements live in files under `sql/`. One file serves both databases where it can:
//!
//! - `:name` is a scalar parameter. Scalars are numbered in the order in which they first appear, and a call gives
//!   them in that order; a name that appears again is the same parameter.
//! - `:rows(a, b text, c blob)` stands where a table stands, is always called `rows` there, and holds the rows of the
//!   call. On Postgres it becomes one `unnest` of arrays, so a batch is one statement, and a single row a parameter for
//!   each column; on SQLite a one-row `select`, and the statement runs once for each row, which costs no round trip
//!   there. Columns are integers unless they say `text` or `blob`; their parameters are numbered after all scalars,
//!   wherever these stand.
//! - `:values(a, b text)` stands behind `insert into t (…)`: `values (…)` on SQLite, which needs no copy there to undo
//!   the statement alone, and a `select` from the rows on Postgres, where a column that is the same in all rows is one
//!   parameter.
//! - `:row(a, b)`, for SQLite alone, is the row itself: a value, or several in brackets to compare columns with.
//! - `:among(a, t.b)`, for SQLite alone, stands where a condition stands: these columns hold what a row of the call does.
//!
//! On SQLite statements with `:values` or `:among` take several rows at once where a call has many, because to begin and
//! end a statement costs as much as a row does.
//!
//! At most one of these stands in a statement; to use it twice, give it a name with `with`. Without rows the
//! statement is not run at all. Strings, quoted names and comments are passed over, and so are casts (`::bigint`).
//!
//! Postgres must be able to tell the type of every scalar: where it can't, write `:name::bigint` in the file that is
//! for Postgres, or `cast(:name as bigint)`, which both understand. Answers hold integers, booleans (as 0 and 1), text
//! and bytes; `sum` and the like are numeric on Postgres and want `cast(… as bigint)`.

mod same;

use crate::error::StoreError;
pub(crate) use same::Same;
use std::fmt::Write as _;

/// A value of one of the three kinds that both databases share.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// No value.
    Null,
    /// Also ids, flags (0, 1) and times in milliseconds.
    Int(i64),
    /// Also JSON.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A row of an answer.
pub(crate) type Row = Vec<Value>;

/// A statement in both dialects, as written in its file or files.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Its file without the ending, such as `ready/insert`. No two statements share a name: drivers keep what they
    /// prepared under it.
    pub(crate) name: &'static str,
    /// Its text for SQLite.
    pub(crate) sqlite: &'static str,
    /// Its text for Postgres.
    pub(crate) postgres: &'static str,
}

/// One statement to run with its parameters.
#[derive(Debug)]
pub(crate) struct Call {
    /// What to run.
    pub(crate) statement: &'static Statement,
    /// The scalar parameters, in the order in which they first appear in the text.
    pub(crate) scalars: Vec<Value>,
    /// The rows, for a statement with `:rows`; without any the statement is not run.
    pub(crate) rows: Vec<Row>,
    /// Whether it has to write every one of its rows: where others write as well, the database makes it fail otherwise.
    pub(crate) writes_all: bool,
}

/// What a statement answered.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// The rows that it returned, in the order of the call's rows on SQLite, in any order on Postgres.
    pub(crate) rows: Vec<Row>,
    /// How many rows it wrote, for a statement that is itself an insert, an update or a delete.
    pub(crate) written: u64,
}

/// Which database a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Parameters are `?1`, rows come one by one.
    Sqlite,
    /// Parameters are `$1`, rows come as arrays.
    Postgres,
}

/// What a column of `:rows` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Integers.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

/// A statement as a database takes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compiled {
    /// The text with numbered parameters, without comments.
    pub(crate) sql: String,
    /// The names of the scalars, in the order of their numbers.
    pub(crate) scalars: Vec<String>,
    /// The columns of `:rows`, whose parameters follow the scalars.
    pub(crate) columns: Option<Vec<(String, Kind)>>,
    /// The text that takes [`MANY`] rows at once, where there is one.
    pub(crate) many: Option<String>,
}

/// How many rows SQLite takes at once where there are so many. Twice as many would bring some hundredths more.
pub(crate) const MANY: usize = 16;

impl Statement {
    /// Tells whether it reads or counts a list. What is the best way to a project's rows depends on the project, so that a
    /// plan for all of them is none for some.
    pub(crate) fn is_list(&self) -> bool {
        let verb = self.name.split_once('/').map_or(self.name, |(_, verb)| verb);
        ["list", "search", "count"].iter().any(|start| verb.starts_with(start))
    }

    /// Tells whether its rows are added as they are, and joined with nothing.
    pub(crate) fn adds_values(&self) -> bool {
        self.postgres.contains(":values(")
    }

    /// Translates the statement for a database.
    pub(crate) fn compile(&self, dialect: Dialect) -> Result<Compiled, StoreError> {
        let text = match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        };
        self.said(compile(dialect, text))
    }

    /// Translates the statement for rows on Postgres of which these columns are the same in all.
    pub(crate) fn compile_for(&self, same: Same) -> Result<Compiled, StoreError> {
        self.said(translate(Dialect::Postgres, self.postgres, same))
    }

    fn said(&self, compiled: Result<Compiled, String>) -> Result<Compiled, StoreError> {
        compiled.map_err(|why| StoreError::Corrupt(format!("statement {}: {why}", self.name)))
    }
}

impl Compiled {
    /// Tells how a call does not fit the statement: a defect of whoever made the call.
    pub(crate) fn misfit(&self, call: &Call) -> Option<String> {
        let (given, wanted) = (call.scalars.len(), self.scalars.len());
        if given != wanted {
            return Some(format!("{given} scalars given, {wanted} wanted ({})", self.scalars.join(", ")));
        }
        let width = self.columns.as_ref().map_or(0, Vec::len);
        let odd = call.rows.iter().find(|row| row.len() != width || width == 0)?;
        Some(format!("a row of {} values given, {width} wanted", odd.len()))
    }
}

/// Translates a text for a database, or says what is wrong with it.
pub(crate) fn compile(dialect: Dialect, text: &str) -> Result<Compiled, String> {
    translate(dialect, text, Same::NONE)
}

fn translate(dialect: Dialect, text: &str, same: Same) -> Result<Compiled, String> {
    let mut scalars: Vec<String> = Vec::new();
    let mut table = None;
    let pieces = split(text)?;
    for piece in &pieces {
        match piece {
            Piece::Scalar(name) if !scalars.iter().any(|known| known == name) => {
                scalars.push((*name).to_owned())
            }
            Piece::Table(_) if table.is_some() => return Err("more than one `:rows`".to_owned()),
            Piece::Table(found) => table = Some(found),
            Piece::Plain(_) | Piece::Scalar(_) => {}
        }
    }
    let render = |rows: usize| {
        let sql: String = pieces.iter().map(|piece| piece.render(dialect, &scalars, rows, same)).collect();
        sql.trim().to_owned()
    };
    let takes_many = dialect == Dialect::Sqlite
        && table.is_some_and(|table: &Table| matches!(table.shape, Shape::Values | Shape::Among));
    let columns = table.map(|table| table.columns.iter().map(|column| column.unqualified()).collect());
    Ok(Compiled { sql: render(1), many: takes_many.then(|| render(MANY)), columns, scalars })
}

/// A part of a statement's text.
enum Piece<'a> {
    /// Stands as it is.
    Plain(&'a str),
    /// A scalar parameter.
    Scalar(&'a str),
    /// `:rows(…)` and its like.
    Table(Table),
}

/// The rows of a call, as a statement declares them.
struct Table {
    columns: Vec<Column>,
    shape: Shape,
}

/// A column of them, as it is written: for `:among` perhaps with its table.
struct Column {
    name: String,
    kind: Kind,
}

impl Column {
    fn unqualified(&self) -> (String, Kind) {
        let name = self.name.rsplit_once('.').map_or(self.name.as_str(), |(_, name)| name);
        (name.to_owned(), self.kind)
    }
}

/// As what they stand there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A table.
    Rows,
    /// What an insert takes.
    Values,
    /// One row, on SQLite alone.
    Row,
    /// A condition that a row meets, on SQLite alone.
    Among,
}

impl Shape {
    fn of(name: &str) -> Option<Self> {
        match name {
            "rows" => Some(Self::Rows),
            "values" => Some(Self::Values),
            "row" => Some(Self::Row),
            "among" => Some(Self::Among),
            _ => None,
        }
    }
}

impl Piece<'_> {
    /// Writes the piece for so many rows at once, of which some columns are the same.
    fn render(&self, dialect: Dialect, scalars: &[String], rows: usize, same: Same) -> String {
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Scalar(name) => {
                let number = scalars.iter().position(|known| known == name).map_or(0, |at| at + 1);
                match dialect {
                    Dialect::Sqlite => format!("?{number}"),
                    Dialect::Postgres => format!("${number}"),
                }
            }
            Self::Table(table) => match (table.shape, dialect) {
                (Shape::Rows, Dialect::Sqlite) => table.as_select(scalars.len() + 1),
                (Shape::Rows, Dialect::Postgres) => table.as_rows(scalars.len() + 1, same),
                (Shape::Values, Dialect::Sqlite) => {
                    format!("values {}", table.each(scalars.len() + 1, rows, Table::as_row).join(", "))
                }
                (Shape::Values, Dialect::Postgres) => table.as_selected(scalars.len() + 1, same),
                (Shape::Row, _) => table.as_row(scalars.len() + 1),
                (Shape::Among, _) => {
                    format!("({})", table.each(scalars.len() + 1, rows, Table::as_condition).join(" or "))
                }
            },
        }
    }
}

impl Table {
    fn as_select(&self, first: usize) -> String {
        let mut sql = "(select ".to_owned();
        for (number, Column { name, .. }) in (first..).zip(&self.columns) {
            let comma = if number == first { "" } else { ", " };
            let _ = write!(sql, "{comma}?{number} as {name}");
        }
        sql + ") as rows"
    }

    /// Writes several rows, each with parameters of its own.
    fn each(&self, first: usize, rows: usize, write: fn(&Self, usize) -> String) -> Vec<String> {
        (0..rows).map(|row| write(self, first + row * self.columns.len())).collect()
    }

    fn as_condition(&self, first: usize) -> String {
        let equal = |(number, column): (usize, &Column)| format!("{} = ?{number}", column.name);
        let all: Vec<String> = (first..).zip(&self.columns).map(equal).collect();
        format!("({})", all.join(" and "))
    }

    fn as_row(&self, first: usize) -> String {
        let numbers: Vec<String> =
            (first..).zip(&self.columns).map(|(number, _)| format!("?{number}")).collect();
        format!("({})", numbers.join(", "))
    }

    /// Writes them as a table of Postgres.
    fn as_rows(&self, first: usize, same: Same) -> String {
        if same == Same::NONE {
            return self.as_unnest(first, |_| true);
        }
        let names = self.columns.iter().map(|column| column.name.as_str());
        let named = self.cells(first, same).into_iter().zip(names);
        let named = named.map(|(cell, name)| match cell.starts_with('$') {
            true => format!("{cell} as {name}"),
            false => cell,
        });
        let cells: Vec<String> = named.collect();
        format!("(select {}{}) as rows", cells.join(", "), self.those_that_differ(first, same))
    }

    /// Writes them as what an insert of Postgres takes.
    fn as_selected(&self, first: usize, same: Same) -> String {
        format!("select {}{}", self.cells(first, same).join(", "), self.those_that_differ(first, same))
    }

    fn cells(&self, first: usize, same: Same) -> Vec<String> {
        let cell = |(at, column): (usize, &Column)| match (same.has(at), column.kind) {
            (false, _) => format!("rows.{}", column.name),
            (true, Kind::Int) => format!("${}::bigint", first + at),
            (true, Kind::Text) => format!("${}::text", first + at),
            (true, Kind::Blob) => format!("${}::bytea", first + at),
        };
        self.columns.iter().enumerate().map(cell).collect()
    }

    fn those_that_differ(&self, first: usize, same: Same) -> String {
        if (0..self.columns.len()).all(|at| same.has(at)) {
            return String::new();
        }
        " from ".to_owned() + &self.as_unnest(first, |at| !same.has(at))
    }

    fn as_unnest(&self, first: usize, is_wanted: impl Fn(usize) -> bool) -> String {
        let wanted = || self.columns.iter().enumerate().filter(|(at, _)| is_wanted(*at));
        let array = |(at, column): (usize, &Column)| match column.kind {
            Kind::Int => format!("${}::bigint[]", first + at),
            Kind::Text => format!("${}::text[]", first + at),
            Kind::Blob => format!("${}::bytea[]", first + at),
        };
        let arrays: Vec<String> = wanted().map(array).collect();
        let names: Vec<&str> = wanted().map(|(_, column)| column.name.as_str()).collect();
        format!("unnest({}) as rows({})", arrays.join(", "), names.join(", "))
    }
}

/// Splits a text into its pieces, leaving comments out.
fn split(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut plain_from = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (length, piece) = match rest.as_bytes() {
            [b'\'' | b'"', ..] => (quoted_length(rest)?, None),
            [b'-', b'-', ..] => (rest.find('\n').unwrap_or(rest.len()), Some(Piece::Plain(" "))),
            [b'/', b'*', ..] => (comment_length(rest)?, Some(Piece::Plain(" "))),
            [b':', b':', ..] => (2, None),
            [b':', next, ..] if is_name_byte(*next) && !next.is_ascii_digit() => {
                let (length, piece) = parameter(rest)?;
                (length, Some(piece))
            }
            [first, ..] if first.is_ascii() => (1, None),
            _ => (rest.chars().next().map_or(1, char::len_utf8), None),
        };
        if let Some(piece) = piece {
            pieces.push(Piece::Plain(&text[plain_from..at]));
            pieces.push(piece);
            plain_from = at + length;
        }
        at += length;
    }
    pieces.push(Piece::Plain(&text[plain_from..]));
    Ok(pieces)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Returns how long the string or quoted name is that the text begins with; a doubled quote reads as two of them.
fn quoted_length(text: &str) -> Result<usize, String> {
    let quote = &text[..1];
    text[1..].find(quote).map(|end| end + 2).ok_or_else(|| format!("a {quote} is never closed"))
}

fn comment_length(text: &str) -> Result<usize, String> {
    text[2..].find("*/").map(|end| end + 4).ok_or_else(|| "a comment is never closed".to_owned())
}

/// Reads the parameter that the text begins with, and its length.
fn parameter(text: &str) -> Result<(usize, Piece<'_>), String> {
    let name_length = text[1..].bytes().take_while(|byte| is_name_byte(*byte)).count();
    let (name, rest) = text[1..].split_at(name_length);
    let Some(shape) = Shape::of(name) else {
        return Ok((1 + name_length, Piece::Scalar(name)));
    };
    let inside = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let Some((inside, _)) = inside else {
        return Err(format!("`:{name}` wants its columns in brackets right behind it"));
    };
    let columns = inside.split(',').map(|text| column(text, shape)).collect::<Result<_, _>>()?;
    let table = Table { columns, shape };
    Ok((1 + name_length + inside.len() + 2, Piece::Table(table)))
}

fn column(text: &str, shape: Shape) -> Result<Column, String> {
    let mut words = text.split_whitespace();
    let (name, kind) = match (words.next(), words.next(), words.next()) {
        (Some(name), None, None) => (name, Kind::Int),
        (Some(name), Some("text"), None) => (name, Kind::Text),
        (Some(name), Some("blob"), None) => (name, Kind::Blob),
        _ => return Err(format!("`{}` is no column: write `name`, `name text` or `name blob`", text.trim())),
    };
    let bare =
        if shape == Shape::Among { name.rsplit_once('.').map_or(name, |(_, bare)| bare) } else { name };
    if bare.is_empty() || !bare.bytes().all(is_name_byte) {
        return Err(format!("`{name}` is no name of a column"));
    }
    Ok(Column { name: name.to_owned(), kind })
}

#[cfg(test)]
mod tests;
