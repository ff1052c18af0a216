//! A wish to change something: body, query and idempotency key together, since the key's digest needs all of it.

use super::params::NoParams;
use super::{ContentKind, content_kind, idempotency, json, params};
use crate::audit::Mark;
use crate::problem::Problem;
use crate::wire::{BATCH_BYTES_MAX, Body};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use serde::de::DeserializeOwned;

/// A wish with a JSON body; no body is one without members.
#[derive(Debug)]
pub(crate) struct Wish<B, Q = NoParams> {
    /// The body.
    pub(crate) body: B,
    /// The query's parameters.
    pub(crate) params: Q,
    /// What makes the wish safe to send twice, and who is named for it.
    pub(crate) key: Mark,
}

impl<S: Send + Sync, B: Body, Q: DeserializeOwned + Send> FromRequest<S> for Wish<B, Q> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let params = params::read(&parts.uri)?;
        let bytes = super::body::read(body, B::BYTES_MAX).await?;
        json::check_json(&parts.headers, bytes.is_empty())?;
        let key = idempotency::mark(&parts, &bytes)?;
        let body = json::parse(if bytes.is_empty() { b"{}" } else { &bytes });
        let body = body.map_err(|problem| if B::IS_SECRET { problem.discreet() } else { problem })?;
        Ok(Self { body, params, key })
    }
}

/// A wish with a body of lines: text or NDJSON.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The body.
    pub(crate) bytes: Bytes,
    /// What it says it is.
    pub(crate) kind: ContentKind,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// What makes the wish safe to send twice, and who is named for it.
    pub(crate) key: Mark,
}

impl<S: Send + Sync> FromRequest<S> for Batch {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let NoParams {} = params::read(&parts.uri)?;
        let bytes = super::body::read(body, BATCH_BYTES_MAX).await?;
        let kind = match content_kind(&parts.headers) {
            ContentKind::Unnamed if bytes.is_empty() => ContentKind::Text,
            kind @ (ContentKind::Text | ContentKind::Ndjson) => kind,
            kind => {
                return Err(json::unsupported(&parts.headers, kind, "text/plain or application/x-ndjson"));
            }
        };
        let key = idempotency::mark(&parts, &bytes)?;
        Ok(Self { bytes, kind, headers: parts.headers, key })
    }
}
