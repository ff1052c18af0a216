//! The body of a host's answer, as it comes. Where it shows the credential as it was sent, stars stand in its place, one for
//! each byte, so that its length stays what it is.

use super::upstream::Line;
use crate::credential::{Credential, SEARCHED_BYTES_MIN};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// An answer's body, and the connection that it comes over, which goes on as far as the body is read.
pub(super) struct Answer {
    body: Incoming,
    line: Option<Line>,
    mask: Mask,
}

impl Answer {
    pub(super) fn new(body: Incoming, line: Option<Line>, mask: Mask) -> Self {
        Self { body, line, mask }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        loop {
            if this.line.as_mut().is_some_and(|line| line.as_mut().poll(context).is_ready()) {
                this.line = None;
            }
            let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
            let shown = match frame {
                // What comes behind a body concerns the connection.
                Some(Ok(frame)) => frame.into_data().map(|data| this.mask.pass(data)).unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let rest = this.mask.end();
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
            };
            if !shown.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(shown))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.mask.held.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let held = u64::try_from(self.mask.held.len()).unwrap_or_default();
        match self.body.size_hint().exact() {
            Some(length) => SizeHint::with_exact(length.saturating_add(held)),
            None => SizeHint::new(),
        }
    }
}

/// Masks a credential in bytes that come in pieces.
pub(super) struct Mask {
    credential: Credential,
    /// The end of what came, where a credential may begin.
    held: Vec<u8>,
}

impl Mask {
    pub(super) fn new(credential: Credential) -> Self {
        Self { credential, held: Vec::new() }
    }

    /// Takes a piece, and returns what no later one can change.
    fn pass(&mut self, piece: Bytes) -> Bytes {
        if self.held.is_empty() && masked(&piece, &self.credential).is_none() && self.begun(&piece) == 0 {
            return piece;
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(&piece);
        let mut all = masked(&all, &self.credential).unwrap_or(all);
        self.held = all.split_off(all.len() - self.begun(&all));
        all.into()
    }

    /// Returns what was held back and stays what it is.
    fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    /// Returns how much of the end a credential may begin with.
    fn begun(&self, bytes: &[u8]) -> usize {
        let wanted = self.credential.expose().as_bytes();
        if wanted.len() < SEARCHED_BYTES_MIN {
            return 0;
        }
        let longest = wanted.len().saturating_sub(1).min(bytes.len());
        (1..=longest).rev().find(|length| bytes.ends_with(&wanted[..*length])).unwrap_or(0)
    }
}

/// Returns bytes with stars for a credential; none where it is not among them, or is so short that words hold it.
pub(super) fn masked(bytes: &[u8], credential: &Credential) -> Option<Vec<u8>> {
    let wanted = credential.expose().as_bytes();
    if wanted.len() < SEARCHED_BYTES_MIN {
        return None;
    }
    let find = |bytes: &[u8]| bytes.windows(wanted.len()).position(|window| window == wanted);
    let mut at = find(bytes)?;
    let mut shown = bytes.to_vec();
    loop {
        let end = at + wanted.len();
        shown[at..end].fill(b'*');
        match find(&shown[end..]) {
            Some(next) => at = end + next,
            None => return Some(shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::injection::Injection;

    fn mask(secret: &str) -> Mask {
        let injection =
            Injection::read_all(&["api.openai.com=KEY".into()], &mut Vec::new()).unwrap().remove(0);
        let outside = [("KEY".to_owned(), secret.to_owned())].into();
        Mask::new(Credential::read(&injection, &outside).unwrap())
    }

    fn passed(secret: &str, pieces: &[&[u8]]) -> String {
        let mut mask = mask(secret);
        let mut shown: Vec<u8> =
            pieces.iter().flat_map(|piece| mask.pass(Bytes::copy_from_slice(piece))).collect();
        shown.extend(mask.end());
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn a_credential_is_masked_wherever_its_pieces_are_cut() {
        for (text, wanted) in [
            ("an abcabcab! abcabcabd.", "an abcabcab! *********."),
            ("abcabcabcabcabdabcabcabdab", "abcabc******************ab"),
            ("nothing of it", "nothing of it"),
        ] {
            let bytes = text.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    assert_eq!(passed("abcabcabd", &pieces), wanted, "{first} {second}");
                }
            }
        }
    }

    #[test]
    fn only_what_a_credential_may_begin_with_is_held_back() {
        let mut mask = mask("sk-0123456789");
        assert_eq!(mask.pass(Bytes::from_static(b"data: 1\n\n")), "data: 1\n\n");
        assert_eq!(mask.pass(Bytes::from_static(b"asks")), "ask");
        assert_eq!(mask.pass(Bytes::from_static(b"k-01")), "");
        assert_eq!(mask.pass(Bytes::from_static(b"x")), "sk-01x");
        assert_eq!(mask.end(), "");
    }

    #[test]
    fn a_credential_that_is_shorter_than_a_word_is_not_looked_for() {
        assert_eq!(passed("local", &[b"a local ", b"server"]), "a local server");
    }
}
