//! The head of a request before anybody else reads it. What says its length in two ways is refused: of these the library
//! behind takes one and forgets the other, and whoever reads it next could take the other.

use crate::proxy::{HEAD_BYTES_MAX, HEADERS_MAX as PROXY_HEADERS_MAX};
use hyper::Response;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most headers of a request.
pub(super) const HEADERS_MAX: usize = PROXY_HEADERS_MAX;

/// How much is read at first, in bytes; most heads are shorter.
const CHUNK_BYTES: usize = 4096;

/// Reads up to the end of a head, and whatever came along behind it. The inner error is why it is refused.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Result<Vec<u8>, &'static str>> {
    let mut read = Vec::with_capacity(CHUNK_BYTES);
    loop {
        let length = stream.read_buf(&mut read).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match judge(&read) {
            None if read.len() <= HEAD_BYTES_MAX => {}
            None => return Ok(Err("its head is too long")),
            Some(Ok(())) => return Ok(Ok(read)),
            Some(Err(reason)) => return Ok(Err(reason)),
        }
    }
}

/// Judges a head; none as long as it is not whole.
fn judge(bytes: &[u8]) -> Option<Result<(), &'static str>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return Some(Err("it is no request")),
    }
    Some(judge_head(&head))
}

/// Refuses a head that can be read in two ways.
pub(crate) fn judge_head(head: &httparse::Request<'_, '_>) -> Result<(), &'static str> {
    let values = |name: &str| {
        let of_name = head.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        of_name.map(|header| header.value.trim_ascii()).collect::<Vec<_>>()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    match (lengths.as_slice(), codings.as_slice()) {
        _ if values("host").len() > 1 => Err("it names two hosts"),
        ([], []) => Ok(()),
        ([length], []) if length.iter().all(u8::is_ascii_digit) => Ok(()),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && head.version == Some(1) => Ok(()),
        _ => Err("its length is not said in one way"),
    }
}

/// Answers a request that nobody else is to read.
pub(super) async fn refuse(stream: &mut TcpStream, answer: Response<String>) {
    let (status, body) = (answer.status(), answer.body());
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let _ = stream.write_all(text.as_bytes()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &str) -> Option<Result<(), &'static str>> {
        judge(format!("POST /v1 HTTP/1.1\r\n{lines}").as_bytes())
    }

    #[test]
    fn a_head_that_says_its_length_in_one_way_is_served() {
        for lines in [
            "\r\n",
            "Host: a\r\nContent-Length: 5\r\n\r\nhello",
            "content-length:5 \r\n\r\n",
            "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            assert_eq!(judged(lines), Some(Ok(())), "{lines}");
        }
        assert_eq!(judged("Host: a\r\nContent-Le"), None);
    }

    #[test]
    fn a_head_that_can_be_read_in_two_ways_is_refused() {
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "Content-Length: 5\r\ncontent-length: 6\r\n\r\n",
            "Content-Length: 5, 5\r\n\r\n",
            "Content-Length: +5\r\n\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding: gzip, chunked\r\n\r\n",
            "Transfer-Encoding: identity\r\n\r\n",
            "Transfer-Encoding:\x0bchunked\r\n\r\n",
            "Transfer-Encoding : chunked\r\n\r\n",
            "Content-Length: 5\r\n Transfer-Encoding: chunked\r\n\r\n",
            "Host: a\r\nHost: b\r\n\r\n",
        ] {
            assert!(matches!(judged(lines), Some(Err(_))), "{lines:?}");
        }
        let old = judge(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(matches!(old, Some(Err(_))));
    }
}
