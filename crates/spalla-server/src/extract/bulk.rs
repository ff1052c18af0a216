//! Many wishes of one kind in one request: an array of the bodies that would else come one by one.

use super::params::NoParams;
use super::{idempotency, json, params};
use crate::audit::Mark;
use crate::problem::Problem;
use crate::wire::{BULK_BYTES_MAX, BULK_ENTRIES_MAX};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

/// Wishes that are granted together or not at all.
#[derive(Debug)]
pub(crate) struct Bulk<B> {
    /// Their bodies.
    pub(crate) bodies: Vec<B>,
    /// What makes them safe to send twice, and who is named for them.
    pub(crate) key: Mark,
}

impl<S: Send + Sync, B: DeserializeOwned> FromRequest<S> for Bulk<B> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let NoParams {} = params::read(&parts.uri)?;
        let bytes = super::body::read(body, BULK_BYTES_MAX).await?;
        json::check_json(&parts.headers, bytes.is_empty())?;
        let key = idempotency::mark(&parts, &bytes)?;
        let bodies = json::parse_list(if bytes.is_empty() { b"{}" } else { &bytes })?;
        if bodies.len() > BULK_ENTRIES_MAX {
            let detail = format!("{} entries; at most {BULK_ENTRIES_MAX} are taken at once", bodies.len());
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
            return Err(problem.mend("send the rest in the next request"));
        }
        Ok(Self { bodies, key })
    }
}
