//! Artifacts as rows.

use super::{Fields, row};
use crate::sql::statement::Row;
use crate::tx::{ArtifactChunk, Result};
use spalla_domain::ArtifactId;
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};

/// Reads an artifact.
pub(crate) fn read(fields: &mut Fields) -> Result<Artifact> {
    Ok(Artifact {
        id: fields.id("id")?,
        run_id: fields.id("run_id")?,
        path: {
            let path = fields.text("path")?;
            ArtifactPath::new(path).map_err(|refusal| fields.odd("path", refusal.detail))?
        },
        media_type: fields.text("media_type")?,
        bytes: fields.number("bytes")?,
        sha256: fields.text("sha256")?,
        stored_at: fields.time("stored_at")?,
    })
}

/// Reads how much a run has left.
pub(crate) fn read_totals(fields: &mut Fields) -> Result<Totals> {
    Ok(Totals { count: fields.number("count")?, bytes: fields.number("bytes")? })
}

/// Writes an artifact at a path where there was none.
pub(crate) fn new(artifact: Artifact) -> Row {
    let Artifact { id, run_id, path, media_type, bytes, sha256, stored_at } = artifact;
    row![run_id, String::from(path), id, media_type, signed(bytes), sha256, stored_at]
}

/// Writes an artifact that takes the place of another one.
pub(crate) fn replaced((known, artifact): (ArtifactId, Artifact)) -> Row {
    let Artifact { id, run_id, path, media_type, bytes, sha256, stored_at } = artifact;
    row![run_id, String::from(path), known, id, media_type, signed(bytes), sha256, stored_at]
}

/// Writes a part of a file.
pub(crate) fn chunk(chunk: ArtifactChunk) -> Row {
    row![chunk.artifact_id, chunk.place, chunk.data]
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
