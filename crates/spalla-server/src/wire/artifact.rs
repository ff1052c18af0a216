//! Artifacts on the wire.

use serde::Serialize;
use spalla_domain::{Timestamp, artifact};
use utoipa::ToSchema;

/// A file that a run left, without what is in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Artifact {
    /// Its id; the same path has another one each time that it is written.
    id: i64,
    /// Who left it.
    run_id: i64,
    /// Where, among what the run left.
    path: String,
    /// What it is.
    media_type: String,
    /// How large it is.
    bytes: u64,
    /// The SHA-256 of what is in it, as hexadecimal digits; it is its ETag as well.
    sha256: String,
    /// When it was kept.
    #[schema(value_type = String, format = DateTime)]
    stored_at: Timestamp,
}

impl From<artifact::Artifact> for Artifact {
    fn from(artifact: artifact::Artifact) -> Self {
        Self {
            id: artifact.id.0,
            run_id: artifact.run_id.0,
            path: artifact.path.into(),
            media_type: artifact.media_type,
            bytes: artifact.bytes,
            sha256: artifact.sha256,
            stored_at: artifact.stored_at,
        }
    }
}
