//! What a client follows, apart from how it gets there: messages with numbers, written out once for all clients and
//! all transports.

use axum::body::Bytes;
use spalla_store::StoreError;
use std::ops::Range;

/// One message. A clone shares the text.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    frame: Bytes,
    data: Range<usize>,
}

impl Message {
    /// Writes a message out: its number, its kind, and its JSON, which has no line breaks.
    pub(super) fn new(number: i64, kind: &str, json: &str) -> Self {
        let head = format!("id: {number}\nevent: {kind}\ndata: ");
        let data = head.len()..head.len() + json.len();
        Self { frame: format!("{head}{json}\n\n").into(), data }
    }

    /// Returns it as a server-sent event.
    pub(super) const fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Returns its JSON alone.
    pub(super) fn data(&self) -> Bytes {
        self.frame.slice(self.data.clone())
    }
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// These, in order; at least one.
    Messages(Vec<Message>),
    /// Nothing any more, for this reason: the client has all of it.
    Over(String),
    /// Nothing any more from this server.
    Closed,
}

/// What a client follows.
pub(crate) trait Feed: Send + 'static {
    /// Waits for what comes next. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Result<Next, StoreError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_frame_around_its_json() {
        let message = Message::new(7, "line", r#"{"text":"ä"}"#);
        assert_eq!(message.frame(), "id: 7\nevent: line\ndata: {\"text\":\"ä\"}\n\n");
        assert_eq!(message.data(), r#"{"text":"ä"}"#);
    }
}
