//! Prompt → vector, pure: a static embedding. Each word of a fixed vocabulary has a vector of 256 bytes, and a text's vector is
//! the weighted sum of its words'. No model runs; what two texts have in common is said in about a microsecond.
//!
//! ```text
//! bytes ─ table (digest checked) ─► Embedding ◄─ words (WordPiece) ◄─ letters (fold, split) ◄─ text
//!                                       └─► Vector ─ cosine
//! ```
//!
//! Everything is added up in whole numbers, so that a text has the same vector on every machine. The sentence has no order: who
//! needs to tell "from a to b" from "from b to a" looks at the words besides.

mod letters;
mod table;
mod vector;
mod vocabulary;

pub use table::{Embedding, LoadError, TEXT_BYTES_MAX, TOKENS_MAX};
pub use vector::{DIMENSIONS, Vector};

/// The digest of the payload of the table that is shipped: BLAKE3, in hexadecimal digits.
pub const SHIPPED_DIGEST: &str = "bb0e37e1189bbe19721600948eb7f13df976d8b40feba1f7c3c5da5e08466f51";

/// A static, since a constant of 6 MB may lie in the binary as often as there are places that use it.
#[cfg(feature = "shipped")]
static SHIPPED: &[u8] = include_bytes!("../assets/minilm-256.bin");

/// Returns the table that the binary carries; none where it was built without the feature `shipped`.
#[must_use]
pub fn shipped() -> Option<&'static [u8]> {
    #[cfg(feature = "shipped")]
    return Some(SHIPPED);
    #[cfg(not(feature = "shipped"))]
    None
}
