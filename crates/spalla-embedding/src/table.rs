//! The table of the words' vectors: read, checked against its digest, and added up for a text.

use crate::letters;
use crate::vector::{DIMENSIONS, Vector};
use crate::vocabulary::Vocabulary;

/// How much of a text is read, in bytes: more than so many words fill.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// How many pieces of words make a vector. What a text is about stands at its beginning.
pub const TOKENS_MAX: usize = 512;

const MAGIC: &[u8; 16] = b"spalla-embed-01\n";
const DIGEST_BYTES: usize = 32;
/// The magic, the digest and the length of the payload.
const HEAD_BYTES: usize = MAGIC.len() + DIGEST_BYTES + size_of::<u64>();
/// The largest payload that is unpacked: four times what is shipped.
const PAYLOAD_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Twelve bits: 512 words of the greatest weight can be added up in 31.
const WEIGHT_MAX: u16 = 4095;

/// Why a table can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is something else.
    #[error("this is no table of vectors: it does not begin as one")]
    Foreign,
    /// It says that it is too large.
    #[error("the table unpacks to {bytes} bytes, at most {PAYLOAD_BYTES_MAX}")]
    TooLarge {
        /// What it says.
        bytes: u64,
    },
    /// It can't be unpacked.
    #[error("unpacking the table: {0}")]
    Packed(String),
    /// It is not what was built.
    #[error("the table is damaged: its digest is {found}, not {wanted}")]
    Damaged {
        /// What it says, in hexadecimal digits.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// Its parts do not fit each other.
    #[error("the table's parts do not fit each other")]
    Misshapen,
}

/// A static embedding: the vectors of a vocabulary. Immutable, so that threads may share it.
#[derive(Debug)]
pub struct Embedding {
    vocabulary: Vocabulary,
    weights: Vec<u16>,
    /// A row a word, a byte with a sign a value.
    rows: Vec<u8>,
    digest: [u8; DIGEST_BYTES],
}

impl Embedding {
    /// Reads a table as `scripts/build-embedding.py` writes it. Unpacking takes some tens of milliseconds.
    ///
    /// # Errors
    /// Where it is none, or is not whole.
    pub fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        let (head, packed) = bytes.split_at_checked(HEAD_BYTES).ok_or(LoadError::Foreign)?;
        let (magic, rest) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(LoadError::Foreign);
        }
        let (digest, length) = rest.split_at(DIGEST_BYTES);
        let length = length.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if length > PAYLOAD_BYTES_MAX {
            return Err(LoadError::TooLarge { bytes: length });
        }
        let room = usize::try_from(length).map_err(|_| LoadError::TooLarge { bytes: length })?;
        let payload =
            zstd::bulk::decompress(packed, room).map_err(|error| LoadError::Packed(error.to_string()))?;
        let found = blake3::hash(&payload);
        if found.as_bytes() != digest {
            let wanted = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(LoadError::Damaged { wanted, found: found.to_hex().to_string() });
        }
        Self::read(&payload, *found.as_bytes()).ok_or(LoadError::Misshapen)
    }

    fn read(payload: &[u8], digest: [u8; DIGEST_BYTES]) -> Option<Self> {
        let mut rest = payload;
        let [count, values, words] = [number(&mut rest)?, number(&mut rest)?, number(&mut rest)?];
        let (weights, rest) = rest.split_at_checked(count.checked_mul(2)?)?;
        let (words, rows) = rest.split_at_checked(words)?;
        if values != DIMENSIONS || rows.len() != count.checked_mul(DIMENSIONS)? {
            return None;
        }
        let weights: Vec<u16> =
            weights.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        if weights.iter().any(|weight| *weight > WEIGHT_MAX) {
            return None;
        }
        Some(Self { vocabulary: Vocabulary::read(words, count)?, weights, rows: rows.to_vec(), digest })
    }

    /// Returns the digest of what it was read from: vectors of one table can be compared, those of two can't.
    #[must_use]
    pub const fn digest(&self) -> &[u8; DIGEST_BYTES] {
        &self.digest
    }

    /// Returns the vector of a text; of a long one, that of its beginning.
    #[must_use]
    pub fn embed(&self, text: &str) -> Vector {
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        let mut sum = [0; DIMENSIONS];
        let mut count = 0;
        letters::words(text, &mut |word| {
            self.vocabulary.pieces(word, &mut |piece| {
                if count < TOKENS_MAX {
                    self.add(piece as usize, &mut sum);
                    count += 1;
                }
            });
            count < TOKENS_MAX
        });
        Vector::of_sum(&sum)
    }

    /// Both factors fit 16 bits, which processors multiply eight at a time.
    fn add(&self, piece: usize, sum: &mut [i32; DIMENSIONS]) {
        let weight = i32::from(self.weights[piece]);
        let row = &self.rows[piece * DIMENSIONS..(piece + 1) * DIMENSIONS];
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += i32::from(value.cast_signed()) * weight;
        }
    }
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

#[cfg(test)]
mod tests;
