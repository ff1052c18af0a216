//! The vocabulary, and how a word is put together from its pieces: the longest piece that fits comes first (WordPiece).

use crate::letters::WORD_BYTES_MAX;

/// What pieces begin with that continue a word.
const CONTINUES: &[u8] = b"##";
const START: u64 = 0xcbf2_9ce4_8422_2325;
const CONTINUED: u64 = 0x9e37_79b9_7f4a_7c15;
/// No piece stands here.
const FREE: u32 = u32::MAX;

/// The pieces by their bytes.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// All pieces, one after another, without what marks a continuation.
    bytes: Vec<u8>,
    /// Where each begins; one more entry says where the last ends.
    starts: Vec<u32>,
    /// Whether each continues a word.
    continues: Vec<bool>,
    /// Open addressing: a piece's number at its hash, or behind it. At most half full.
    slots: Vec<u32>,
    longest: usize,
}

impl Vocabulary {
    /// Reads a vocabulary of one piece a line; the line's number is the piece's.
    pub(crate) fn read(lines: &[u8], count: usize) -> Option<Self> {
        let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
        let mut read = Self {
            bytes: Vec::with_capacity(lines.len()),
            starts: vec![0],
            continues: Vec::with_capacity(count),
            slots: vec![FREE; (count * 2).next_power_of_two()],
            longest: 0,
        };
        for line in lines.split(|byte| *byte == b'\n') {
            let piece = line.strip_prefix(CONTINUES).filter(|rest| !rest.is_empty());
            read.add(piece.unwrap_or(line), piece.is_some())?;
        }
        (read.continues.len() == count).then_some(read)
    }

    fn add(&mut self, piece: &[u8], continues: bool) -> Option<()> {
        let number = u32::try_from(self.continues.len()).ok()?;
        let hash = piece.iter().fold(seed(continues), |hash, byte| step(hash, *byte));
        let mut at = self.slot(hash);
        // One beyond the count that was promised would fill the table, and nobody would come to an end in it.
        (self.continues.len() * 2 < self.slots.len()).then_some(())?;
        while self.slots[at] != FREE {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = number;
        self.bytes.extend_from_slice(piece);
        self.starts.push(u32::try_from(self.bytes.len()).ok()?);
        self.continues.push(continues);
        self.longest = self.longest.max(piece.len());
        Some(())
    }

    /// Hands the pieces of a word on; a word that no pieces make is none.
    pub(crate) fn pieces(&self, word: &[u8], take: &mut impl FnMut(u32)) {
        if let Some(whole) = self.longest_piece(word, false).filter(|(_, length)| *length == word.len()) {
            return take(whole.0);
        }
        let mut found = [0; WORD_BYTES_MAX];
        let (mut at, mut count) = (0, 0);
        while at < word.len() {
            let Some((piece, length)) = self.longest_piece(&word[at..], at > 0) else { return };
            found[count] = piece;
            count += 1;
            at += length;
        }
        found[..count].iter().for_each(|piece| take(*piece));
    }

    /// Finds the longest piece that a text begins with, and its length.
    fn longest_piece(&self, text: &[u8], continues: bool) -> Option<(u32, usize)> {
        let mut hashes = [0; WORD_BYTES_MAX];
        let length = text.len().min(self.longest).min(WORD_BYTES_MAX);
        let mut hash = seed(continues);
        for (byte, place) in text[..length].iter().zip(&mut hashes) {
            hash = step(hash, *byte);
            *place = hash;
        }
        (1..=length).rev().find_map(|end| Some((self.find(&text[..end], hashes[end - 1], continues)?, end)))
    }

    fn find(&self, piece: &[u8], hash: u64, continues: bool) -> Option<u32> {
        let mut at = self.slot(hash);
        loop {
            let number = self.slots[at];
            if number == FREE {
                return None;
            }
            let index = number as usize;
            let own = self.starts[index] as usize..self.starts[index + 1] as usize;
            if own.len() == piece.len() && self.continues[index] == continues && self.bytes[own] == *piece {
                return Some(number);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// The upper bits of a product are the mixed ones.
    fn slot(&self, hash: u64) -> usize {
        (hash.wrapping_mul(CONTINUED) >> 32) as usize & (self.slots.len() - 1)
    }
}

const fn seed(continues: bool) -> u64 {
    if continues { CONTINUED } else { START }
}

const fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(word: &str) -> Vec<u32> {
        let vocabulary = Vocabulary::read("un\n##aff\n##able\n##a\na\n##\nü\n##üb\n".as_bytes(), 8).unwrap();
        let mut found = Vec::new();
        vocabulary.pieces(word.as_bytes(), &mut |piece| found.push(piece));
        found
    }

    #[test]
    fn the_longest_piece_comes_first() {
        assert_eq!(pieces("unaffable"), [0, 1, 2]);
        assert_eq!(pieces("una"), [0, 3]);
        assert_eq!(pieces("a"), [4]);
        assert_eq!(pieces("##"), [5]);
        assert_eq!(pieces("üüb"), [6, 7]);
    }

    #[test]
    fn a_word_that_no_pieces_make_is_none() {
        assert_eq!(pieces("unaffx"), [0; 0]);
        assert_eq!(pieces("able"), [0; 0]);
        assert_eq!(pieces(""), [0; 0]);
    }

    #[test]
    fn a_vocabulary_of_another_length_is_refused() {
        assert!(Vocabulary::read(b"a\nb\n", 3).is_none());
        assert!(Vocabulary::read(b"a\nb\nc\nd\ne\n", 1).is_none());
    }
}
