//! A feed over a WebSocket: one text message for each of the feed's, and a reason at its end. Where somebody answers the client,
//! its messages are heard; otherwise they only show that it lives.

use super::dialogue::{Follows, Party, Said};
use super::feed::{Feed, Message, Next};
use crate::state::App;
use axum::extract::ws::{CloseFrame, Message as Frame, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures_util::SinkExt;
use std::marker::PhantomData;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// How often the client is asked whether it is still there; below what proxies commonly allow.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How long a client may say nothing at all: three of its answers are missing.
const SILENT_MAX: Duration = Duration::from_secs(50);
/// How long the client may take nothing in before it is let go. It comes back by number and misses nothing.
const STUCK_MAX: Duration = Duration::from_secs(30);
/// How long the client may take to confirm the end.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// The largest message of a client: nothing that it says is needed.
const CLIENT_BYTES_MAX: usize = 4 * 1024;

/// Answers the handshake; the feed is sent once the connection is a WebSocket. It ends with the server, whose owner
/// waits for it and cuts it at the end of the grace.
pub(crate) fn upgrade(handshake: WebSocketUpgrade, feed: impl Feed, app: &App) -> Response {
    converse(handshake, feed, Silent(PhantomData), app)
}

/// Answers the handshake for somebody who is answered as well.
pub(crate) fn converse<P: Party>(
    handshake: WebSocketUpgrade,
    feed: P::Feed,
    party: P,
    app: &App,
) -> Response {
    let (counted, owned) = (app.count_connection(), app.sockets.token());
    let (shutdown, cut) = (app.shutdown.clone(), app.cut.clone());
    let handshake = handshake.max_message_size(P::BYTES_MAX).max_frame_size(P::BYTES_MAX);
    handshake.on_upgrade(async move |socket| {
        cut.run_until_cancelled(serve(socket, Follows::Feed(feed), party, shutdown)).await;
        drop((counted, owned));
    })
}

/// Who only follows: what the client says is not looked at.
struct Silent<F>(PhantomData<fn() -> F>);

impl<F: Feed> Party for Silent<F> {
    type Feed = F;
    const BYTES_MAX: usize = CLIENT_BYTES_MAX;

    async fn hear(&mut self, _: &[u8]) -> Said<F> {
        Said { answer: None, follows: None }
    }
}

async fn serve<P: Party>(
    mut socket: WebSocket,
    mut follows: Follows<P::Feed>,
    mut party: P,
    shutdown: CancellationToken,
) {
    let mut heard = Instant::now();
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let goes_on = tokio::select! {
            () = shutdown.cancelled() => {
                return leave(socket, close_code::AWAY, "the server is shutting down").await;
            }
            message = socket.recv() => {
                heard = Instant::now();
                match message {
                    Some(Ok(Frame::Text(_) | Frame::Binary(_))) => {
                        let bytes = message.and_then(Result::ok).map(Frame::into_data).unwrap_or_default();
                        let said = party.hear(&bytes).await;
                        follows = said.follows.unwrap_or(follows);
                        send(&mut socket, said.answer.map(|answer| Frame::Text(answer.into()))).await
                    }
                    // Also when the client closes, whose frame the library answers.
                    other => matches!(other, Some(Ok(_))),
                }
            }
            _ = ping.tick() => heard.elapsed() < SILENT_MAX && send(&mut socket, [Frame::Ping("".into())]).await,
            next = follows.next() => match next {
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

fn frame(message: &Message) -> Frame {
    // It is JSON that was written here, so it is text.
    Frame::Text(Utf8Bytes::try_from(message.data()).unwrap_or_default())
}

/// Sends frames together; false when the client is gone or takes nothing in.
async fn send(socket: &mut WebSocket, frames: impl IntoIterator<Item = Frame>) -> bool {
    let sent = async {
        for frame in frames {
            socket.feed(frame).await?;
        }
        socket.flush().await
    };
    matches!(timeout(STUCK_MAX, sent).await, Ok(Ok(())))
}

/// Says why there is nothing more, and waits until the client has heard it.
async fn leave(mut socket: WebSocket, code: u16, reason: &str) {
    let close = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
    let farewell = async {
        if socket.send(close).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // Whoever does not answer is let go all the same.
    let _ = timeout(FAREWELL_MAX, farewell).await;
}
