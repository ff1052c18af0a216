//! Somebody who looks at a log as it grows, over either transport.

use crate::world::World;
use futures_util::StreamExt;
use reqwest::Response;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How a viewer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    WebSocket,
    Events,
}

/// What a viewer sees.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Line(Value),
    /// The end, with its reason.
    End(String),
    /// The connection broke, or the server left.
    Broken,
}

/// An open connection.
pub(crate) enum Viewer {
    WebSocket(Box<WebSocketStream<TcpStream>>),
    Events { response: Response, text: String },
}

impl Viewer {
    /// Begins at a line; none where nobody answers.
    pub(crate) async fn begin(world: &World, way: Way, run: i64, query: &str) -> Option<Self> {
        match way {
            Way::WebSocket => {
                let path = format!("/work-items/runs/{run}/logs/ws?{query}");
                Some(Self::WebSocket(Box::new(web_socket(world.address, &path, &[]).await.ok()?)))
            }
            Way::Events => {
                let path = format!("/work-items/runs/{run}/logs/sse?{query}");
                let response = world.request("GET", &path).send().await.ok()?;
                assert_eq!(response.status(), 200);
                Some(Self::Events { response, text: String::new() })
            }
        }
    }

    /// Waits for what comes next.
    pub(crate) async fn next(&mut self) -> Seen {
        match self {
            Self::WebSocket(socket) => loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => return Seen::Line(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(Some(close)))) if u16::from(close.code) == 1000 => {
                        return Seen::End(close.reason.to_string());
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return Seen::Broken,
                }
            },
            Self::Events { response, text } => loop {
                if let Some((block, rest)) = text.split_once("\n\n") {
                    let (block, rest) = (block.to_owned(), rest.to_owned());
                    *text = rest;
                    if let Some(seen) = event(&block) {
                        return seen;
                    }
                    continue;
                }
                let Ok(Some(chunk)) = response.chunk().await else { return Seen::Broken };
                text.push_str(std::str::from_utf8(&chunk).unwrap());
            },
        }
    }

    /// Waits for the next line.
    pub(crate) async fn line(&mut self) -> Value {
        match self.next().await {
            Seen::Line(line) => line,
            other => panic!("no line but {other:?}"),
        }
    }

    /// Waits for so many lines and returns their numbers.
    pub(crate) async fn numbers(&mut self, count: usize) -> Vec<i64> {
        let mut numbers = vec![];
        for _ in 0..count {
            numbers.push(self.line().await["seq"].as_i64().unwrap());
        }
        numbers
    }
}

fn event(block: &str) -> Option<Seen> {
    let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let data: Value = serde_json::from_str(&line("data: ")?).unwrap();
    match line("event: ")?.as_str() {
        "line" => {
            assert_eq!(line("id: ").unwrap(), data["seq"].to_string());
            Some(Seen::Line(data))
        }
        "end" => Some(Seen::End(data["reason"].as_str().unwrap().to_owned())),
        other => panic!("{other}"),
    }
}

/// Opens a WebSocket with further headers.
pub(crate) async fn web_socket(
    address: std::net::SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await?;
    tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket)
}
