//! The run and the path of an artifact, as the path of a request names them.

use super::id::number;
use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use spalla_domain::RunId;
use spalla_domain::artifact::ArtifactPath;

/// A run, and where among what it left.
#[derive(Debug, Clone)]
pub(crate) struct RunFile(pub(crate) RunId, pub(crate) ArtifactPath);

impl<S: Send + Sync> FromRequestParts<S> for RunFile {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((id, path)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::invalid("path", "it is not UTF-8"))?;
        let id = number(&id).ok_or_else(|| Problem::no_id(&id))?;
        // Every path works with a slash at its end.
        let path = path.strip_suffix('/').unwrap_or(&path);
        let path = ArtifactPath::new(path).map_err(|refusal| Problem::from(refusal).naming("path"))?;
        Ok(Self(RunId(id), path))
    }
}
