//! Events as a stream of server-sent ones.

use super::Subscription;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a stream is silent before it says that it is still there; below what proxies commonly allow.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
/// What is sent at once: how soon to come back, in milliseconds, and that the stream is open.
const GREETING: &[u8] = b"retry: 1000\n: the stream is open\n\n";
const KEEP_ALIVE: &[u8] = b": still here\n\n";

/// Makes the response: it ends with the server, or where the store fails, and the client comes back by itself.
pub(crate) fn response(subscription: Subscription, shutdown: CancellationToken) -> Response {
    let state = State { subscription, shutdown, greeted: false };
    let frames = stream::unfold(state, |mut state| async move {
        let frame = state.next().await?;
        Some((Ok::<Bytes, Infallible>(frame), state))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

struct State {
    subscription: Subscription,
    shutdown: CancellationToken,
    greeted: bool,
}

impl State {
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(GREETING));
        }
        let next = tokio::time::timeout(KEEP_ALIVE_EVERY, self.subscription.next());
        match self.shutdown.run_until_cancelled(next).await? {
            Ok(Ok(frames)) => frames,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a stream of events ends because the store could not answer");
                None
            }
            Err(_) => Some(Bytes::from_static(KEEP_ALIVE)),
        }
    }
}
