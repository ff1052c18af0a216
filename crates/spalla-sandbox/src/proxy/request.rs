//! What a client wants of the proxy: read from the head of its request, however slowly or oddly that comes.

use super::allow::Target;
use super::gateway::judge_head;
use super::{HEAD_BYTES_MAX, HEADERS_MAX, PATIENCE};
use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Instant;

/// How often a head is looked at that seems to be whole: empty lines in front of it are allowed, and few.
const LOOKS_MAX: u32 = 16;

/// What a client wants.
pub(super) struct Request {
    pub(super) target: Target,
    /// What the host gets first; nothing for a tunnel.
    pub(super) head: Option<Vec<u8>>,
    /// What the client sent behind the head.
    pub(super) rest: Vec<u8>,
}

/// A head that is being read. Each byte is looked at a bounded number of times: the proxy's time is nobody's limit.
#[derive(Debug, Default)]
struct Incoming {
    bytes: Vec<u8>,
    looks: u32,
}

/// What is known of a head.
enum Known {
    /// More has to come.
    Part,
    /// It is none.
    Nothing,
    /// It is whole.
    Whole(Request),
}

impl Request {
    /// Reads the head of a request; none where it is none, or does not come in time.
    pub(super) fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        let until = Instant::now() + PATIENCE;
        let mut incoming = Incoming::default();
        let mut chunk = [0; 4096];
        loop {
            // The time is that of the whole head, not of each piece of it.
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            client.set_read_timeout(Some(left))?;
            let length = client.read(&mut chunk)?;
            if length == 0 {
                return Ok(None);
            }
            match incoming.push(&chunk[..length]) {
                Known::Part => {}
                Known::Nothing => return Ok(None),
                Known::Whole(request) => return Ok(Some(request)),
            }
        }
    }

    fn understand(head: &httparse::Request<'_, '_>, rest: &[u8]) -> Option<Self> {
        let (method, path) = (head.method?, head.path?);
        let rest = rest.to_vec();
        if method == "CONNECT" {
            return Some(Self { target: Target::read(path, 443)?, head: None, rest });
        }
        // Whoever reads it next could find a second request in it, for somebody else on the same machine.
        judge_head(head).ok()?;
        let address = path.strip_prefix("http://")?;
        let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let target = Target::read(host, 80)?;
        let path = if path.is_empty() { "/" } else { path };
        // One request for each connection: a second one could be for another host.
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n").into_bytes();
        for header in head.headers.iter() {
            let name = header.name.to_ascii_lowercase();
            let is_own =
                matches!(name.as_str(), "host" | "connection" | "keep-alive" | "upgrade" | "http2-settings");
            if !is_own && !name.starts_with("proxy-") {
                text.extend_from_slice(header.name.as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(header.value);
                text.extend_from_slice(b"\r\n");
            }
        }
        text.extend_from_slice(b"\r\n");
        Some(Self { target, head: Some(text), rest })
    }
}

impl Incoming {
    fn push(&mut self, chunk: &[u8]) -> Known {
        // An empty line may have begun before.
        let from = self.bytes.len().saturating_sub(2);
        self.bytes.extend_from_slice(chunk);
        if ends_a_head(&self.bytes[from..]) {
            let known = self.look();
            if !matches!(known, Known::Part) {
                return known;
            }
        }
        if self.bytes.len() > HEAD_BYTES_MAX { Known::Nothing } else { Known::Part }
    }

    fn look(&mut self) -> Known {
        self.looks += 1;
        if self.looks > LOOKS_MAX {
            return Known::Nothing;
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        match head.parse(&self.bytes) {
            Ok(httparse::Status::Partial) => Known::Part,
            Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => {
                Request::understand(&head, &self.bytes[length..]).map_or(Known::Nothing, Known::Whole)
            }
            Ok(_) | Err(_) => Known::Nothing,
        }
    }
}

/// Tells whether an empty line is among these bytes.
fn ends_a_head(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(text: &str) -> Option<Request> {
        match Incoming::default().push(text.as_bytes()) {
            Known::Whole(request) => Some(request),
            Known::Nothing => None,
            Known::Part => panic!("{text}"),
        }
    }

    #[test]
    fn a_tunnel_and_a_plain_request_name_their_host() {
        let tunnel = understood("CONNECT example.org:8443 HTTP/1.1\r\nHost: other\r\n\r\nrest").unwrap();
        assert_eq!((tunnel.target.host.as_str(), tunnel.target.port), ("example.org", 8443));
        assert_eq!((tunnel.head, tunnel.rest), (None, b"rest".to_vec()));
        let plain =
            "GET http://example.org/a?b HTTP/1.1\r\nHost: other\r\nProxy-Authorization: x\r\nA: b\r\n\r\n";
        let plain = understood(plain).unwrap();
        assert_eq!((plain.target.host.as_str(), plain.target.port), ("example.org", 80));
        let head = String::from_utf8(plain.head.unwrap()).unwrap();
        assert_eq!(head, "GET /a?b HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\nA: b\r\n\r\n");
    }

    #[test]
    fn what_names_no_host_is_not_understood() {
        for text in ["GET / HTTP/1.1\r\n\r\n", "CONNECT : HTTP/1.1\r\n\r\n", "GET ftp://a/ HTTP/1.1\r\n\r\n"]
        {
            assert!(understood(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_request_in_which_another_one_could_hide_is_not_handed_on() {
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 6\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding:\x0bchunked\r\n",
        ] {
            let text = format!("POST http://example.org/ HTTP/1.1\r\nHost: example.org\r\n{lines}\r\n");
            assert!(understood(&text).is_none(), "{lines:?}");
        }
        let upgrade = "GET http://example.org/ HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n";
        let head = String::from_utf8(understood(upgrade).unwrap().head.unwrap()).unwrap();
        assert!(!head.contains("h2c") && !head.contains("HTTP2"), "{head}");
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_looked_at_once() {
        let text = format!("CONNECT a:1 HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(20_000));
        let mut incoming = Incoming::default();
        let mut known = Known::Part;
        for byte in text.as_bytes() {
            assert!(matches!(known, Known::Part));
            known = incoming.push(&[*byte]);
        }
        assert!(matches!(known, Known::Whole(_)));
        assert_eq!(incoming.looks, 1);
    }

    #[test]
    fn a_head_without_an_end_and_one_of_empty_lines_are_given_up() {
        let (mut endless, mut empty) = (Incoming::default(), Incoming::default());
        let long = b"x".repeat(HEAD_BYTES_MAX + 1);
        assert!(matches!(endless.push(&long), Known::Nothing));
        let given_up = (0..1_000).position(|_| matches!(empty.push(b"\r\n"), Known::Nothing));
        assert_eq!(given_up, Some(17));
    }
}
