//! Lines of an agent's output as bytes: cut no sooner than where a line is too long to be an event, and never held longer
//! than that.

/// Cuts bytes into lines.
#[derive(Debug)]
pub(super) struct Lines {
    line: Vec<u8>,
    bytes_max: usize,
}

impl Lines {
    /// Begins to cut; a line that is longer is too long to be an event.
    pub(super) const fn of(bytes_max: usize) -> Self {
        Self { line: Vec::new(), bytes_max }
    }

    /// Takes bytes, and hands on each line that they end, without its end. Of a line that is too long, one byte more than
    /// is allowed is handed on.
    pub(super) fn push(&mut self, bytes: &[u8], mut hand_on: impl FnMut(&[u8])) {
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = (self.bytes_max + 1).saturating_sub(self.line.len()).min(part.len());
            self.line.extend_from_slice(&part[..room]);
            if parts.peek().is_some() {
                hand_on(&self.line);
                self.line.clear();
            }
        }
    }

    /// Hands on the last line when nothing ended it.
    pub(super) fn finish(self, mut hand_on: impl FnMut(&[u8])) {
        if !self.line.is_empty() {
            hand_on(&self.line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use spalla_domain::agent_event::LINE_BYTES_MAX;

    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut all) = (Lines::of(LINE_BYTES_MAX), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| all.push(line.to_vec()));
        }
        lines.finish(|line| all.push(line.to_vec()));
        all
    }

    #[test]
    fn a_line_without_end_takes_no_more_room_than_the_longest_that_is_read() {
        let piece = vec![b'x'; 300 * 1024];
        let all = cut(&[&piece[..]; 10]);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [LINE_BYTES_MAX + 1]);
    }

    proptest! {
        #[test]
        fn where_the_pieces_end_does_not_matter(bytes in prop::collection::vec(prop::sample::select(vec![b'a', b'\n']), 0..40), at in 0..40_usize) {
            let at = at.min(bytes.len());
            let whole: Vec<_> = cut(&[&bytes]);
            prop_assert_eq!(cut(&[&bytes[..at], &bytes[at..]]), whole);
        }
    }
}
