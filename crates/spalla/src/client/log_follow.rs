//! Follows a run's log over a WebSocket, and goes on by number when the connection breaks: no line is missed and none
//! comes twice, whatever becomes of the server meanwhile.

use super::{Client, LIMITED_WAIT_MAX, retry_after};
use crate::failure::{Failure, Result};
use futures_util::StreamExt;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long the server may be away before the command gives up: long enough for an update.
const AWAY_MAX: Duration = Duration::from_secs(120);
/// The first wait before it is looked for again,
const AGAIN_FIRST: Duration = Duration::from_millis(100);
/// and the longest.
const AGAIN_MAX: Duration = Duration::from_secs(3);
/// How long the server may say nothing at all: three of its pings are missing.
const SILENT_MAX: Duration = Duration::from_secs(50);
/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A log that is followed.
#[derive(Debug)]
pub(crate) struct LogFollow<'a> {
    client: &'a Client,
    run: i64,
    next_seq: i64,
    socket: Option<Socket>,
    /// When the connection broke, and how long to wait before the next try.
    broken: Option<(Instant, Duration)>,
    /// Whether the server was ever reached.
    was_there: bool,
}

/// What comes next.
enum Next {
    Line(Value),
    Over,
    Broken,
}

/// Why there is no connection.
enum Refused {
    /// It makes no sense to try again.
    ForGood(Failure),
    /// The server is away, or wants to be left alone.
    ForNow(Failure, Option<Duration>),
}

impl<'a> LogFollow<'a> {
    /// Begins at a line.
    pub(crate) const fn new(client: &'a Client, run: i64, next_seq: i64) -> Self {
        Self { client, run, next_seq, socket: None, broken: None, was_there: false }
    }

    /// Waits for the next line; none when the run is over and every line was returned.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            let next = match &mut self.socket {
                Some(socket) => read(socket).await,
                None => {
                    self.connect().await?;
                    continue;
                }
            };
            match next {
                Next::Line(line) => {
                    let Some(seq) = line["seq"].as_i64().filter(|seq| *seq >= self.next_seq) else {
                        continue;
                    };
                    (self.next_seq, self.broken) = (seq + 1, None);
                    return Ok(Some(line));
                }
                Next::Over => return Ok(None),
                Next::Broken => {
                    self.socket = None;
                    self.broken = self.broken.or(Some((Instant::now(), AGAIN_FIRST)));
                }
            }
        }
    }

    /// Connects, or waits a little; an error where that makes no sense any more.
    async fn connect(&mut self) -> Result<()> {
        match self.open().await {
            Ok(socket) => {
                self.socket = Some(socket);
                self.was_there = true;
                Ok(())
            }
            Err(Refused::ForGood(failure)) => Err(failure),
            // Nobody was ever there: that is a wrong address more often than a restart.
            Err(Refused::ForNow(failure, None)) if !self.was_there => Err(failure),
            Err(Refused::ForNow(failure, asked)) => {
                let (since, wait) = self.broken.unwrap_or((Instant::now(), AGAIN_FIRST));
                if since.elapsed() > AWAY_MAX {
                    return Err(failure);
                }
                if self.broken.is_none_or(|(_, wait)| wait == AGAIN_FIRST) {
                    tracing::warn!(
                        from = self.next_seq,
                        "the log breaks off; it goes on when the server is back"
                    );
                }
                self.broken = Some((since, (wait * 2).min(AGAIN_MAX)));
                tokio::time::sleep(asked.unwrap_or(wait).min(LIMITED_WAIT_MAX)).await;
                Ok(())
            }
        }
    }

    async fn open(&self) -> Result<Socket, Refused> {
        let path = format!("/work-items/runs/{}/logs/ws?from={}", self.run, self.next_seq);
        let place = &self.client.place;
        let url = format!("{}{path}", place.url.replacen("http://", "ws://", 1));
        let wrong = |error: String| Refused::ForGood(Failure::usage(format!("{url}: {error}")));
        let mut request = url.as_str().into_client_request().map_err(|error| wrong(error.to_string()))?;
        if let Some(token) = &place.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let value = value.map_err(|_| wrong("the token holds what no header can".to_owned()))?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        match timeout(CONNECT_MAX, connect_async(request)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Http(response))) => {
                let (head, body) = response.into_parts();
                let text = body.map(|body| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default();
                let failure = self.client.refusal(&path, head.status, &text);
                Err(match head.status {
                    StatusCode::TOO_MANY_REQUESTS => {
                        Refused::ForNow(failure, Some(retry_after(&head.headers)))
                    }
                    status if status.is_server_error() => Refused::ForNow(failure, None),
                    _ => Refused::ForGood(failure),
                })
            }
            Ok(Err(error)) => Err(Refused::ForNow(self.client.away(&error.to_string()), None)),
            Err(_) => Err(Refused::ForNow(self.client.away("it took too long"), None)),
        }
    }
}

async fn read(socket: &mut Socket) -> Next {
    loop {
        match timeout(SILENT_MAX, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => match serde_json::from_str(&text) {
                Ok(line) => return Next::Line(line),
                Err(error) => {
                    tracing::warn!(%error, "a line of the log is not understood");
                    return Next::Broken;
                }
            },
            Ok(Some(Ok(Message::Close(Some(close))))) if close.code == CloseCode::Normal => {
                return Next::Over;
            }
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_)))) => {}
            _ => return Next::Broken,
        }
    }
}
