//! Requests as bytes, for what no honest client sends.

use crate::world::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes and returns all that comes back until the server closes the connection.
pub(crate) async fn send(world: &World, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    let mut answer = Vec::new();
    // A server that closes on unread bytes may reset the connection after its answer.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a request line and headers; `{host}` stands for the served host, and the connection is asked to close.
pub(crate) async fn head(world: &World, lines: &[&str]) -> String {
    let mut text = lines.join("\r\n").replace("{host}", &world.address.to_string());
    text.push_str("\r\nConnection: close\r\n\r\n");
    send(world, text).await
}

/// Returns the status of an answer; 0 where there is none.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
