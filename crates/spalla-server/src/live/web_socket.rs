//! A feed over a WebSocket: one text message for each of the feed's, and a reason at its end. What the client sends is
//! not looked at, beyond that it lives.

use super::feed::{Feed, Message, Next};
use crate::state::App;
use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::SinkExt;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// How often the client is asked whether it is still there; below what proxies commonly allow.
pub(super) const PING_EVERY: Duration = Duration::from_secs(15);
/// How long a client may say nothing at all: three of its answers are missing.
pub(super) const SILENT_MAX: Duration = Duration::from_secs(50);
/// How long the client may take nothing in before it is let go. It comes back by number and misses nothing.
const STUCK_MAX: Duration = Duration::from_secs(30);
/// How long the client may take to confirm the end.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// The largest message of a client: nothing that it says is needed.
const CLIENT_BYTES_MAX: usize = 4 * 1024;

/// Answers the handshake; the feed is sent once the connection is a WebSocket. It ends with the server, whose owner
/// waits for it and cuts it at the end of the grace.
pub(crate) fn upgrade(handshake: WebSocketUpgrade, feed: impl Feed, app: &App) -> Response {
    let (counted, owned) = (app.count_connection(), app.sockets.token());
    let (shutdown, cut) = (app.shutdown.clone(), app.cut.clone());
    let handshake = handshake.max_message_size(CLIENT_BYTES_MAX).max_frame_size(CLIENT_BYTES_MAX);
    handshake.on_upgrade(async move |socket| {
        cut.run_until_cancelled(serve(socket, feed, shutdown)).await;
        drop((counted, owned));
    })
}

async fn serve(mut socket: WebSocket, mut feed: impl Feed, shutdown: CancellationToken) {
    let mut heard = Instant::now();
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let goes_on = tokio::select! {
            () = shutdown.cancelled() => {
                return leave(socket, close_code::AWAY, "the server is shutting down").await;
            }
            said = socket.recv() => {
                heard = Instant::now();
                // Also when the client closes, whose frame the library answers.
                matches!(said, Some(Ok(_)))
            }
            _ = ping.tick() => heard.elapsed() < SILENT_MAX && send(&mut socket, [Frame::Ping("".into())]).await,
            next = feed.next() => match next {
                Ok(Next::Messages(messages)) => send(&mut socket, messages.iter().map(frame)).await,
                Ok(Next::Over(reason)) => return leave(socket, close_code::NORMAL, &reason).await,
                Ok(Next::Closed) => return leave(socket, close_code::AWAY, "the server is shutting down").await,
                Err(error) => {
                    tracing::warn!(%error, "a stream ends because the store could not answer");
                    return leave(socket, close_code::ERROR, "the store could not answer").await;
                }
            },
        };
        if !goes_on {
            return;
        }
    }
}

pub(super) fn frame(message: &Message) -> Frame {
    // It is JSON that was written here, so it is text.
    Frame::Text(Utf8Bytes::try_from(message.data()).unwrap_or_default())
}

/// Sends frames together; false when the client is gone or takes nothing in.
pub(super) async fn send(socket: &mut WebSocket, frames: impl IntoIterator<Item = Frame>) -> bool {
    let sent = async {
        for frame in frames {
            socket.feed(frame).await?;
        }
        socket.flush().await
    };
    matches!(timeout(STUCK_MAX, sent).await, Ok(Ok(())))
}

/// Says why there is nothing more, and waits until the client has heard it.
pub(super) async fn leave(mut socket: WebSocket, code: u16, reason: &str) {
    let close = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
    let farewell = async {
        if socket.send(close).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // Whoever does not answer is let go all the same.
    let _ = timeout(FAREWELL_MAX, farewell).await;
}
