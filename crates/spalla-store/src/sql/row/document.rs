//! Documents as rows.

use super::{Fields, row};
use crate::document::{Document, Kind};
use crate::sql::statement::Row;
use crate::tx::Result;

/// Reads a document.
pub(crate) fn read(fields: &mut Fields) -> Result<Document> {
    Ok(Document {
        kind: fields.word("kind", Kind::parse)?,
        id: fields.int("id")?,
        owner: fields.int("owner")?,
        status: fields.text("status")?,
        due_at: fields.maybe_time("due_at")?,
        body: fields.text("body")?,
    })
}

/// Writes a document.
pub(crate) fn put(document: Document) -> Row {
    let Document { kind, id, owner, status, due_at, body } = document;
    row![kind.as_str(), id, owner, status, due_at, body]
}

/// Names a document that goes.
pub(crate) fn gone((kind, id): (Kind, i64)) -> Row {
    row![kind.as_str(), id]
}
