//! A WebSocket that goes both ways: the client is sent what it follows, and each of its messages is answered.

use super::feed::{Feed, Next};
use super::web_socket::{PING_EVERY, SILENT_MAX, frame, leave, send};
use crate::state::App;
use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The largest message of a client: room for the answers to an info request.
const CLIENT_BYTES_MAX: usize = 256 * 1024;

/// What the server says to a message.
pub(crate) struct Said<F> {
    /// The answer, as JSON.
    pub(crate) answer: String,
    /// What the client follows from now on, where that changes.
    pub(crate) follows: Option<Follows<F>>,
}

/// What a client follows.
pub(crate) enum Follows<F> {
    /// This.
    Feed(F),
    /// Nothing.
    Nothing,
}

/// Who answers a client.
pub(crate) trait Party: Send + 'static {
    /// What the client follows.
    type Feed: Feed;

    /// Answers a message.
    fn hear(&mut self, message: &[u8]) -> impl Future<Output = Said<Self::Feed>> + Send;
}

/// Answers the handshake; both sides speak once the connection is a WebSocket.
pub(crate) fn converse<P: Party>(
    handshake: WebSocketUpgrade,
    feed: P::Feed,
    party: P,
    app: &App,
) -> Response {
    let (counted, owned) = (app.count_connection(), app.sockets.token());
    let (shutdown, cut) = (app.shutdown.clone(), app.cut.clone());
    let handshake = handshake.max_message_size(CLIENT_BYTES_MAX).max_frame_size(CLIENT_BYTES_MAX);
    handshake.on_upgrade(async move |socket| {
        cut.run_until_cancelled(serve(socket, Follows::Feed(feed), party, shutdown)).await;
        drop((counted, owned));
    })
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
                    Some(Ok(Frame::Text(text))) => {
                        let said = party.hear(text.as_bytes()).await;
                        follows = said.follows.unwrap_or(follows);
                        send(&mut socket, [Frame::Text(said.answer.into())]).await
                    }
                    Some(Ok(Frame::Binary(_))) => {
                        return leave(socket, close_code::UNSUPPORTED, "messages are text").await;
                    }
                    // Also when the client closes, whose frame the library answers.
                    other => matches!(other, Some(Ok(_))),
                }
            }
            _ = ping.tick() => heard.elapsed() < SILENT_MAX && send(&mut socket, [Frame::Ping("".into())]).await,
            next = next(&mut follows) => match next {
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

async fn next<F: Feed>(follows: &mut Follows<F>) -> Result<Next, spalla_store::StoreError> {
    match follows {
        Follows::Feed(feed) => feed.next().await,
        Follows::Nothing => std::future::pending().await,
    }
}
