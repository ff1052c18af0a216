//! Lines out of pieces, for what runs beside others: each is printed whole, with the name of who said it.

/// The longest line that is held back for its end, in bytes; a longer one is handed on in pieces.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// What came so far of a line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes a piece and hands on each line that it completes, without its end.
    pub(super) fn take(&mut self, bytes: &[u8], mut hand_on: impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() >= LINE_BYTES_MAX {
                self.rest(&mut hand_on);
            }
        }
    }

    /// Hands on what is left, once nothing more comes.
    pub(super) fn rest(&mut self, mut hand_on: impl FnMut(&str)) {
        let line = std::mem::take(&mut self.begun);
        if !line.is_empty() {
            hand_on(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let mut lines = Lines::default();
        let mut heard = Vec::new();
        for piece in ["a", "b\nc\r\n", "", "\nd"] {
            lines.take(piece.as_bytes(), |line| heard.push(line.to_owned()));
        }
        lines.rest(|line| heard.push(line.to_owned()));
        lines.rest(|line| heard.push(line.to_owned()));
        assert_eq!(heard, ["ab", "c", "", "d"]);
    }
}
