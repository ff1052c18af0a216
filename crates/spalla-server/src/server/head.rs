//! Follows the framing of HTTP/1 requests byte by byte, to see what the HTTP library mends in silence: two lengths
//! for one body. It judges heads and refuses nothing itself.

/// More of a head than this is not kept: the HTTP library refuses it anyway.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with a request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadFault {
    /// The body's length is said twice, though perhaps by the same number.
    TwoLengths,
    /// The body's length is said, and that it comes in chunks.
    LengthAndChunks,
    /// The body comes in another form than chunks, which nothing here reads, or that is said twice.
    OtherCoding,
}

impl HeadFault {
    /// Says what is wrong.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::TwoLengths => "the request has two Content-Lengths",
            Self::LengthAndChunks => "the request has both a Content-Length and a Transfer-Encoding",
            Self::OtherCoding => "the request has a Transfer-Encoding other than chunked, or two of them",
        }
    }
}

/// Where in a request the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The head.
    Head,
    /// A body, or a chunk with its line end, of which this many bytes are left.
    Body { left: u64, then: After },
    /// The line that says how long a chunk is.
    ChunkSize { size: u64, in_digits: bool },
    /// The lines after the last chunk.
    Trailer { line_is_empty: bool },
    /// Nobody knows: from here on nothing is judged.
    Lost,
}

/// What follows a run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The next request.
    Head,
    /// The next chunk.
    Chunk,
}

/// The framing of one connection so far.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
    head: Vec<u8>,
}

impl Framing {
    /// Begins before the first request.
    pub(super) const fn new() -> Self {
        Self { place: Place::Head, head: Vec::new() }
    }

    /// Tells whether a head has begun and is not complete.
    pub(super) fn is_within_head(&self) -> bool {
        self.place == Place::Head && !self.head.is_empty()
    }

    /// Takes what arrived, and calls `judge` for each head that it completes.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut judge: impl FnMut(Option<HeadFault>)) {
        while !bytes.is_empty() {
            let (taken, place) = match self.place {
                Place::Head => self.feed_head(bytes, &mut judge),
                Place::Body { left, then } => feed_body(left, then, bytes),
                Place::ChunkSize { size, in_digits } => feed_size(size, in_digits, bytes[0]),
                Place::Trailer { line_is_empty } => feed_trailer(line_is_empty, bytes[0]),
                Place::Lost => return,
            };
            self.place = place;
            bytes = &bytes[taken..];
        }
    }

    fn feed_head(&mut self, bytes: &[u8], judge: &mut impl FnMut(Option<HeadFault>)) -> (usize, Place) {
        let line_end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = line_end.map_or(bytes.len(), |at| at + 1);
        self.head.extend_from_slice(&bytes[..taken]);
        if line_end.is_none() || !ends_with_empty_line(&self.head) {
            let place = if self.head.len() > KEPT_BYTES_MAX { Place::Lost } else { Place::Head };
            return (taken, place);
        }
        // Empty lines before a request belong to none.
        if self.head.iter().all(u8::is_ascii_whitespace) {
            self.head.clear();
            return (taken, Place::Head);
        }
        let (fault, place) = read_head(&self.head);
        self.head.clear();
        judge(fault);
        (taken, place)
    }
}

fn ends_with_empty_line(head: &[u8]) -> bool {
    let Some(before) = head.strip_suffix(b"\n") else { return false };
    let before = before.strip_suffix(b"\r").unwrap_or(before);
    before.is_empty() || before.ends_with(b"\n")
}

/// Judges a whole head, and says what comes after it.
fn read_head(head: &[u8]) -> (Option<HeadFault>, Place) {
    let (mut lengths, mut length, mut codings, mut is_chunked) = (0, 0, 0, false);
    let mut is_upgrade = false;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            lengths += 1;
            length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(0);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            codings += 1;
            is_chunked = value.eq_ignore_ascii_case(b"chunked");
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            is_upgrade = true;
        }
    }
    let fault = match (lengths, codings) {
        (2.., _) => Some(HeadFault::TwoLengths),
        (1, 1..) => Some(HeadFault::LengthAndChunks),
        (0, 1..) if codings > 1 || !is_chunked => Some(HeadFault::OtherCoding),
        _ => None,
    };
    let place = match (fault, codings > 0, length) {
        (Some(_), ..) => Place::Lost,
        // What follows may be no HTTP any more; where it still is, the entrance ends the connection.
        _ if is_upgrade => Place::Lost,
        (None, true, _) if is_chunked => Place::ChunkSize { size: 0, in_digits: true },
        (None, true, _) => Place::Lost,
        (None, false, 0) => Place::Head,
        (None, false, left) => Place::Body { left, then: After::Head },
    };
    (fault, place)
}

fn feed_body(left: u64, then: After, bytes: &[u8]) -> (usize, Place) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let place = match (left - taken as u64, then) {
        (0, After::Head) => Place::Head,
        (0, After::Chunk) => Place::ChunkSize { size: 0, in_digits: true },
        (left, then) => Place::Body { left, then },
    };
    (taken, place)
}

fn feed_size(size: u64, in_digits: bool, byte: u8) -> (usize, Place) {
    let digit = char::from(byte).to_digit(16).filter(|_| in_digits);
    let place = match (byte, digit) {
        (b'\n', _) if size == 0 => Place::Trailer { line_is_empty: true },
        // The chunk's own line end belongs to it.
        (b'\n', _) => Place::Body { left: size.saturating_add(2), then: After::Chunk },
        (_, Some(digit)) => match size.checked_mul(16) {
            Some(size) => Place::ChunkSize { size: size + u64::from(digit), in_digits },
            None => Place::Lost,
        },
        (_, None) => Place::ChunkSize { size, in_digits: false },
    };
    (1, place)
}

const fn feed_trailer(line_is_empty: bool, byte: u8) -> (usize, Place) {
    let place = match byte {
        b'\n' if line_is_empty => Place::Head,
        b'\n' => Place::Trailer { line_is_empty: true },
        b'\r' => Place::Trailer { line_is_empty },
        _ => Place::Trailer { line_is_empty: false },
    };
    (1, place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const LONG: &str = "POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n123";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                           5;x=1\r\n\r\n\r\na\r\n1B\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n!\r\n0\r\nT: 1\r\n\r\n";
    const TWICE: &str = "POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx";
    const BOTH: &str = "POST / HTTP/1.1\nContent-Length: 1\nTransfer-Encoding: chunked\n\n";

    fn judged(pieces: &[&[u8]]) -> Vec<Option<HeadFault>> {
        let (mut framing, mut faults) = (Framing::new(), vec![]);
        for piece in pieces {
            framing.feed(piece, |fault| faults.push(fault));
        }
        faults
    }

    #[test]
    fn two_lengths_are_seen_even_when_they_agree() {
        assert_eq!(judged(&[TWICE.as_bytes()]), [Some(HeadFault::TwoLengths)]);
        assert_eq!(judged(&[BOTH.as_bytes()]), [Some(HeadFault::LengthAndChunks)]);
    }

    #[test]
    fn a_body_in_any_other_form_than_chunks_is_seen() {
        for (codings, fault) in [
            ("Transfer-Encoding: Chunked\r\n", None),
            ("Transfer-Encoding: gzip, chunked\r\n", Some(HeadFault::OtherCoding)),
            ("Transfer-Encoding: identity\r\n", Some(HeadFault::OtherCoding)),
            ("Transfer-Encoding:\x0bchunked\r\n", Some(HeadFault::OtherCoding)),
            ("Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n", Some(HeadFault::OtherCoding)),
        ] {
            let request = format!("POST / HTTP/1.1\r\n{codings}\r\n");
            assert_eq!(judged(&[request.as_bytes()]), [fault], "{codings:?}");
        }
    }

    #[test]
    fn what_looks_like_a_head_inside_a_body_is_none() {
        for request in [PLAIN, LONG, CHUNKED] {
            let text = format!("{request}\r\n{request}{TWICE}");
            assert_eq!(judged(&[text.as_bytes()]), [None, None, Some(HeadFault::TwoLengths)], "{request}");
        }
    }

    #[test]
    fn after_the_wish_for_another_protocol_nothing_is_taken_for_a_head() {
        let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
        let mut framing = Framing::new();
        let mut heads = 0;
        framing.feed(format!("{upgrade}{PLAIN}GET / HT").as_bytes(), |_| heads += 1);
        assert_eq!((heads, framing.is_within_head()), (1, false));
    }

    #[test]
    fn a_head_that_has_begun_is_known_to_be_open() {
        let mut framing = Framing::new();
        assert!(!framing.is_within_head());
        framing.feed(b"GET / HT", |_| {});
        assert!(framing.is_within_head());
        framing.feed(b"TP/1.1\r\n\r\n", |_| {});
        assert!(!framing.is_within_head());
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_changes_nothing(
            order in prop::collection::vec(0..4_usize, 1..6), cuts in prop::collection::vec(1..40_usize, 1..60),
        ) {
            let requests = [PLAIN, LONG, CHUNKED, TWICE];
            let text: String = order.iter().map(|at| requests[*at]).collect();
            let (mut rest, mut pieces) = (text.as_bytes(), vec![]);
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(judged(&pieces), judged(&[text.as_bytes()]));
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            judged(&[&bytes]);
        }
    }
}
