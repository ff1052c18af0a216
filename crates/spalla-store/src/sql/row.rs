//! Rows on their way between the database and the domain: values on one side, fields read in order on the other. A
//! field that does not hold what the program wrote is named in the error.

pub(crate) mod approval;
pub(crate) mod artifact;
pub(crate) mod audit;
pub(crate) mod document;
pub(crate) mod place;
pub(crate) mod project;
pub(crate) mod run;
pub(crate) mod work_item;
pub(crate) mod worker;

use super::statement::{Row, Value};
use crate::error::StoreError;
use crate::tx::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use spalla_domain::{
    ApprovalId, ArtifactId, AuditId, EntryId, EventSeq, Fence, ProjectId, QueueId, RunId, Timestamp,
    WorkItemId, WorkerId,
};
use std::vec::IntoIter;

/// The fields of a row, taken one after another in the order of the statement's columns.
pub(crate) struct Fields {
    table: &'static str,
    values: IntoIter<Value>,
}

impl Fields {
    /// Begins to read a row; the table is for errors only.
    pub(crate) fn new(table: &'static str, row: Row) -> Self {
        Self { table, values: row.into_iter() }
    }

    /// Says what a column holds that it should not.
    pub(crate) fn odd(&self, column: &str, why: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt(format!("{}.{column} {why}", self.table))
    }

    fn next(&mut self, column: &str) -> Result<Value> {
        self.values.next().ok_or_else(|| self.odd(column, "is missing from the answer"))
    }

    fn is_missing(&self, column: &str) -> StoreError {
        self.odd(column, "has no value")
    }

    /// Takes an integer that may be missing.
    pub(crate) fn maybe_int(&mut self, column: &str) -> Result<Option<i64>> {
        match self.next(column)? {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(number)),
            Value::Text(_) | Value::Blob(_) => Err(self.odd(column, "is not an integer")),
        }
    }

    /// Takes an integer.
    pub(crate) fn int(&mut self, column: &str) -> Result<i64> {
        self.maybe_int(column)?.ok_or_else(|| self.is_missing(column))
    }

    /// Takes an integer of a smaller kind that may be missing.
    pub(crate) fn maybe_number<T: TryFrom<i64>>(&mut self, column: &str) -> Result<Option<T>> {
        let Some(number) = self.maybe_int(column)? else { return Ok(None) };
        let fits =
            T::try_from(number).map_err(|_| self.odd(column, format!("is {number}, which is out of range")));
        fits.map(Some)
    }

    /// Takes an integer of a smaller kind.
    pub(crate) fn number<T: TryFrom<i64>>(&mut self, column: &str) -> Result<T> {
        self.maybe_number(column)?.ok_or_else(|| self.is_missing(column))
    }

    /// Takes a flag.
    pub(crate) fn flag(&mut self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// Takes a flag that may be missing.
    pub(crate) fn maybe_flag(&mut self, column: &str) -> Result<Option<bool>> {
        Ok(self.maybe_int(column)?.map(|flag| flag != 0))
    }

    /// Takes an id.
    pub(crate) fn id<T: From<i64>>(&mut self, column: &str) -> Result<T> {
        self.int(column).map(T::from)
    }

    /// Takes an id that may be missing.
    pub(crate) fn maybe_id<T: From<i64>>(&mut self, column: &str) -> Result<Option<T>> {
        Ok(self.maybe_int(column)?.map(T::from))
    }

    /// Takes a moment.
    pub(crate) fn time(&mut self, column: &str) -> Result<Timestamp> {
        self.int(column).map(Timestamp::from_ms)
    }

    /// Takes a moment that may be missing.
    pub(crate) fn maybe_time(&mut self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_ms))
    }

    /// Takes a text that may be missing.
    pub(crate) fn maybe_text(&mut self, column: &str) -> Result<Option<String>> {
        match self.next(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(without_escapes(text))),
            Value::Int(_) | Value::Blob(_) => Err(self.odd(column, "is not a text")),
        }
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, column: &str) -> Result<String> {
        self.maybe_text(column)?.ok_or_else(|| self.is_missing(column))
    }

    /// Takes bytes.
    pub(crate) fn blob(&mut self, column: &str) -> Result<Vec<u8>> {
        match self.next(column)? {
            Value::Blob(bytes) => Ok(bytes),
            Value::Null | Value::Int(_) | Value::Text(_) => Err(self.odd(column, "holds no bytes")),
        }
    }

    /// Takes a word of a closed list that may be missing.
    pub(crate) fn maybe_word<T>(
        &mut self,
        column: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(word) = self.maybe_text(column)? else { return Ok(None) };
        parse(&word).map(Some).ok_or_else(|| self.odd(column, format!("is {word:?}, which is not known")))
    }

    /// Takes a word of a closed list.
    pub(crate) fn word<T>(&mut self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.maybe_word(column, parse)?.ok_or_else(|| self.is_missing(column))
    }

    /// Takes JSON that may be missing.
    pub(crate) fn maybe_json<T: DeserializeOwned>(&mut self, column: &str) -> Result<Option<T>> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| self.odd(column, format!("does not parse: {error}")))
    }

    /// Takes JSON.
    pub(crate) fn json<T: DeserializeOwned>(&mut self, column: &str) -> Result<T> {
        self.maybe_json(column)?.ok_or_else(|| self.is_missing(column))
    }

    /// Takes JSON of any shape that may be missing.
    pub(crate) fn maybe_raw(&mut self, column: &str) -> Result<Option<Box<RawValue>>> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        RawValue::from_string(text)
            .map(Some)
            .map_err(|error| self.odd(column, format!("does not parse: {error}")))
    }

    /// Takes a worker's id that may be missing.
    pub(crate) fn maybe_worker(&mut self, column: &str) -> Result<Option<WorkerId>> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        WorkerId::new(text).map(Some).map_err(|why| self.odd(column, format!("is no worker: {why}")))
    }
}

/// Reads every row of an answer.
pub(crate) fn each<T>(
    table: &'static str,
    rows: Vec<Row>,
    read: impl Fn(&mut Fields) -> Result<T>,
) -> Result<Vec<T>> {
    rows.into_iter().map(|row| read(&mut Fields::new(table, row))).collect()
}

/// Writes JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    let text = serde_json::to_string(value);
    text.map(Value::Text).map_err(|error| StoreError::Corrupt(format!("writing JSON: {error}")))
}

/// Makes a row of values.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$($crate::sql::statement::Value::from($value)),*] };
}
pub(crate) use row;

macro_rules! from_ids {
    ($($id:ident),*) => { $(
        impl From<$id> for Value {
            fn from(id: $id) -> Self {
                Self::Int(id.0)
            }
        }
    )* };
}
from_ids!(ProjectId, WorkItemId, EntryId, RunId, ApprovalId, ArtifactId, AuditId, QueueId, EventSeq, Fence);

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u8> for Value {
    fn from(number: u8) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(flag.into())
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.ms())
    }
}

/// Stands before what it escapes. Postgres keeps no NUL in a text, and a character that means "substitute" is as good
/// as never in one.
const ESCAPE: char = '\u{1A}';
const ESCAPED_NUL: &str = "\u{1A}0";
const ESCAPED_ESCAPE: &str = "\u{1A}1";

fn with_escapes(text: String) -> String {
    if !text.contains(['\0', ESCAPE]) {
        return text;
    }
    text.replace(ESCAPE, ESCAPED_ESCAPE).replace('\0', ESCAPED_NUL)
}

fn without_escapes(text: String) -> String {
    if !text.contains(ESCAPE) {
        return text;
    }
    text.replace(ESCAPED_NUL, "\0").replace(ESCAPED_ESCAPE, "\u{1A}")
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(with_escapes(text))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<WorkerId> for Value {
    fn from(worker: WorkerId) -> Self {
        Self::Text(worker.into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_and_none_holds_a_nul() {
        for text in ["", "plain", "a\u{0}b", "\u{1A}", "\u{1A}0", "\u{0}\u{1A}\u{1A}0\u{0}001"] {
            let Value::Text(kept) = Value::from(text) else { panic!("a text is kept as one") };
            assert!(!kept.contains('\0'));
            assert_eq!(Fields::new("t", vec![Value::Text(kept)]).text("c").unwrap(), text);
        }
    }

    #[test]
    fn an_odd_field_is_named() {
        let error = Fields::new("run", row![7]).text("status").unwrap_err();
        assert_eq!(error.to_string(), "the store is inconsistent: run.status is not a text");
        let error = Fields::new("run", row![-1]).number::<u32>("attempt").unwrap_err();
        assert_eq!(error.to_string(), "the store is inconsistent: run.attempt is -1, which is out of range");
        let error = Fields::new("run", vec![]).int("id").unwrap_err();
        assert_eq!(error.to_string(), "the store is inconsistent: run.id is missing from the answer");
    }
}
