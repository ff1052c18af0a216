//! What goes back over the wire, and the ways in which it can go wrong there: late, broken off, silent, garbled, slow.

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{Response, StatusCode};
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// The body of a response.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A response, before it goes out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// Headers beside the type of the content.
    pub(crate) headers: Vec<(String, String)>,
    /// The type of the content.
    pub(crate) content_type: &'static str,
    /// The body: one frame for JSON, one for each event of a stream.
    pub(crate) frames: Vec<Vec<u8>>,
    /// What goes wrong on the way.
    pub(crate) faults: Faults,
}

/// What goes wrong on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// So many milliseconds before the head.
    pub(crate) delay_ms: u64,
    /// The connection closes midway.
    pub(crate) cut: bool,
    /// Nothing more comes, from here on.
    pub(crate) hang: Option<Silence>,
    /// An event in the middle is no JSON.
    pub(crate) garble: bool,
    /// Pieces of so many bytes with so many milliseconds between them.
    pub(crate) drip: Option<(usize, u64)>,
}

/// From where on nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Not even the head.
    Whole,
    /// After half of the answer.
    Midway,
}

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// Its name, where the protocol names events.
    pub(crate) name: Option<String>,
    /// Its data.
    pub(crate) data: Value,
}

impl Event {
    /// Makes an event that is named like the `type` of its data.
    pub(crate) fn named(data: Value) -> Self {
        Self { name: data["type"].as_str().map(str::to_owned), data }
    }

    /// Makes an event without a name.
    pub(crate) fn nameless(data: Value) -> Self {
        Self { name: None, data }
    }

    fn to_frame(&self) -> Vec<u8> {
        let name = self.name.as_ref().map(|name| format!("event: {name}\n")).unwrap_or_default();
        format!("{name}data: {}\n\n", self.data).into_bytes()
    }
}

/// A part of a body that is sent piece by piece.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Pause(u64),
    Cut,
    Hang,
}

impl Reply {
    /// Makes a reply of one JSON value.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json",
            frames: vec![body.to_string().into_bytes()],
            faults: Faults::default(),
        }
    }

    /// Makes a reply of server-sent events.
    pub(crate) fn events(events: &[Event]) -> Self {
        Self {
            status: 200,
            headers: vec![("cache-control".to_owned(), "no-cache".to_owned())],
            content_type: "text/event-stream",
            frames: events.iter().map(Event::to_frame).collect(),
            faults: Faults::default(),
        }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Turns events into one list of their data, as Gemini streams to who does not ask for events.
    pub(crate) fn into_list(mut self) -> Self {
        if self.content_type == "text/event-stream" {
            self.content_type = "application/json";
            let last = self.frames.len().saturating_sub(1);
            for (index, frame) in self.frames.iter_mut().enumerate() {
                let text = String::from_utf8_lossy(frame);
                let data = text.trim_end().strip_prefix("data: ").unwrap_or_default();
                let opening = if index == 0 { "[" } else { "" };
                let closing = if index == last { "]" } else { ",\n" };
                *frame = format!("{opening}{data}{closing}").into_bytes();
            }
        }
        self
    }

    /// Waits as long as the head is late, for ever where none comes.
    pub(crate) async fn wait_for_head(&self) {
        if self.faults.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.faults.delay_ms)).await;
        }
        if self.faults.hang == Some(Silence::Whole) {
            std::future::pending::<()>().await;
        }
    }

    /// Turns it into what the server sends.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut builder = Response::builder()
            .status(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            .header("content-type", self.content_type);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.body(self.body()).unwrap_or_else(|_| Response::new(whole(Vec::new())))
    }

    fn body(self) -> Body {
        let is_whole = self.content_type == "application/json" && self.faults == Faults::default();
        if is_whole { whole(self.frames.concat()) } else { piecemeal(self.parts()) }
    }

    fn parts(self) -> VecDeque<Part> {
        let Self { mut frames, faults, .. } = self;
        let middle = frames.len() / 2;
        if faults.garble
            && let Some(frame) = frames.get_mut(middle)
        {
            halve(frame);
            frame.extend_from_slice(b"\n\n");
        }
        let mut end = None;
        if faults.cut {
            frames.truncate(middle + 1);
            frames.last_mut().into_iter().for_each(halve);
            end = Some(Part::Cut);
        } else if faults.hang.is_some() {
            frames.truncate(middle.max(1));
            end = Some(Part::Hang);
        }
        let parts = match faults.drip {
            Some((bytes, every_ms)) => dripping(&frames.concat(), bytes, every_ms),
            None => frames.into_iter().map(Part::Bytes).collect::<Vec<_>>(),
        };
        parts.into_iter().chain(end).collect()
    }
}

fn halve(frame: &mut Vec<u8>) {
    frame.truncate(frame.len() / 2);
}

fn dripping(all: &[u8], bytes: usize, every_ms: u64) -> Vec<Part> {
    let pieces = all.chunks(bytes.max(1));
    pieces.flat_map(|piece| [Part::Pause(every_ms), Part::Bytes(piece.to_vec())]).skip(1).collect()
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

fn piecemeal(parts: VecDeque<Part>) -> Body {
    let frames = stream::unfold(parts, |mut parts| async move {
        loop {
            match parts.pop_front()? {
                Part::Bytes(bytes) => return Some((Ok(Frame::data(Bytes::from(bytes))), parts)),
                Part::Pause(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Part::Cut => {
                    // What was said so far goes out while this waits; without it the client would see nothing at all.
                    tokio::task::yield_now().await;
                    let cut =
                        io::Error::new(io::ErrorKind::ConnectionReset, "the script cuts the answer off");
                    return Some((Err(cut), parts));
                }
                Part::Hang => std::future::pending::<()>().await,
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}
