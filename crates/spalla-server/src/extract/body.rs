//! Reading a body within its limit and its time.

use crate::problem::Problem;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::Instant;

/// How long a whole body may take to arrive: a batch of log lines over a slow line, and no more.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body that is read piece by piece may take to arrive: the largest one over a slow line.
const STREAM_TIMEOUT: Duration = Duration::from_secs(600);
/// How much of a body that is too large is still read and thrown away, so that a client which sends before it
/// listens gets to see the answer; beyond that the connection is closed.
const DISCARD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads a body of at most `max` bytes.
pub(crate) async fn read(body: Body, max: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(READ_TIMEOUT, collect(body, max)).await {
        Ok(read) => read,
        Err(_) => {
            let detail = format!("the body did not arrive within {} seconds", READ_TIMEOUT.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail).mend("send it again"))
        }
    }
}

async fn collect(mut body: Body, max: usize) -> Result<Bytes, Problem> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > max {
        discard(&mut body, expected).await;
        return Err(too_large(max));
    }
    let mut whole = Bytes::new();
    let mut more = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if whole.len() + more.len() + data.len() > max {
            discard(&mut body, 0).await;
            return Err(too_large(max));
        }
        // Most bodies come as one piece, which then is not copied.
        if whole.is_empty() && more.is_empty() {
            whole = data;
        } else {
            if more.is_empty() {
                more.reserve(expected.max(whole.len() + data.len()));
                more.extend_from_slice(&std::mem::take(&mut whole));
            }
            more.extend_from_slice(&data);
        }
    }
    Ok(if more.is_empty() { whole } else { more.into() })
}

async fn discard(body: &mut Body, expected: usize) {
    let mut read = 0;
    while expected <= DISCARD_BYTES_MAX && read <= DISCARD_BYTES_MAX {
        match body.frame().await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) | None => return,
        }
    }
}

/// Tells whether a body says at its beginning that it has more than so many bytes.
pub(crate) fn promises_more_than(body: &Body, max: u64) -> bool {
    body.size_hint().lower() > max
}

/// Reads a large body piece by piece. A client may be slow, but not stand still, and not take for ever.
pub(crate) fn stream(body: Body) -> impl Stream<Item = Result<Bytes, Problem>> + Send {
    let until = Instant::now() + STREAM_TIMEOUT;
    stream::try_unfold(body.into_data_stream(), move |mut body| async move {
        let next = tokio::time::timeout_at(until.min(Instant::now() + READ_TIMEOUT), body.next()).await;
        match next {
            Ok(Some(Ok(data))) => Ok(Some((data, body))),
            Ok(Some(Err(error))) => Err(broken(error)),
            Ok(None) => Ok(None),
            Err(_) => {
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body stood still")
                    .mend("send it again"))
            }
        }
    })
}

fn too_large(max: usize) -> Problem {
    let detail = format!("the body is larger than {max} bytes, which is the most that is read here");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail).mend("send it in smaller parts")
}

fn broken(error: axum::Error) -> Problem {
    let detail = format!("the body broke off: {error}");
    Problem::new(StatusCode::BAD_REQUEST, "broken_body", detail).mend("send the whole body")
}
