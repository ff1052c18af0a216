//! Approvals as rows.

use super::{Fields, json, row};
use crate::sql::statement::Row;
use crate::tx::Result;
use crate::view::ApprovalView;
use spalla_domain::approval::{Approval, Kind, Status};

/// Reads an approval.
pub(crate) fn read(fields: &mut Fields) -> Result<Approval> {
    Ok(Approval {
        id: fields.id("id")?,
        work_item_id: fields.id("work_item_id")?,
        kind: fields.word("kind", Kind::parse)?,
        status: fields.word("status", Status::parse)?,
        requested_at: fields.time("requested_at")?,
        decided_at: fields.maybe_time("decided_at")?,
        decided_by: fields.maybe_text("decided_by")?,
        note: fields.maybe_text("note")?,
        subject: fields.maybe_json("subject")?,
    })
}

/// Reads an approval with the title of what waits for it.
pub(crate) fn read_view(fields: &mut Fields) -> Result<ApprovalView> {
    Ok(ApprovalView { approval: read(fields)?, title: fields.text("work_item.title")? })
}

/// Writes a new approval.
pub(crate) fn new(approval: Approval) -> Result<Row> {
    let Approval { id, work_item_id, kind, status, requested_at, decided_at, decided_by, note, subject } =
        approval;
    let subject = subject.as_ref().map(json).transpose()?;
    Ok(row![
        id,
        work_item_id,
        kind.as_str(),
        status.as_str(),
        requested_at,
        decided_at,
        decided_by,
        note,
        subject
    ])
}

/// Writes an approval that was decided.
pub(crate) fn decided(approval: Approval) -> Row {
    row![approval.id, approval.status.as_str(), approval.decided_at, approval.decided_by, approval.note]
}
