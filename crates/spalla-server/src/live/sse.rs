//! A feed as a stream of server-sent events.

use super::feed::{Feed, Message, Next};
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

/// Makes the response. It ends with the server, or where the store fails, and the client comes back by itself; where
/// the feed is over it says so, so that the client can stay away.
pub(crate) fn response(feed: impl Feed, shutdown: CancellationToken) -> Response {
    let state = State { feed, shutdown, step: Step::Greet };
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

/// How far the response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Greet,
    Follow,
    End,
}

struct State<F> {
    feed: F,
    shutdown: CancellationToken,
    step: Step,
}

impl<F: Feed> State<F> {
    async fn next(&mut self) -> Option<Bytes> {
        match self.step {
            Step::Greet => {
                self.step = Step::Follow;
                return Some(Bytes::from_static(GREETING));
            }
            Step::Follow => {}
            Step::End => return None,
        }
        let next = tokio::time::timeout(KEEP_ALIVE_EVERY, self.feed.next());
        match self.shutdown.run_until_cancelled(next).await? {
            Ok(Ok(Next::Messages(messages))) => Some(joined(&messages)),
            Ok(Ok(Next::Over(reason))) => {
                self.step = Step::End;
                let data = serde_json::json!({ "reason": reason });
                Some(format!("event: end\ndata: {data}\n\n").into())
            }
            Ok(Ok(Next::Closed)) => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a stream ends because the store could not answer");
                None
            }
            Err(_) => Some(Bytes::from_static(KEEP_ALIVE)),
        }
    }
}

fn joined(messages: &[Message]) -> Bytes {
    match messages {
        [one] => Bytes::clone(one.frame()),
        many => many.iter().flat_map(|message| message.frame().iter().copied()).collect(),
    }
}
