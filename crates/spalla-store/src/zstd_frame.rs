//! Compression of what the store keeps as one piece: log lines, events.

use std::cell::RefCell;
use std::io;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe;

/// Level 1: what is kept arrives faster than higher levels could follow, and repeats itself anyway.
const LEVEL: i32 = 1;

thread_local! {
    // Setting a context up takes longer than to compress what is usual, so each thread keeps one.
    static COMPRESSOR: RefCell<io::Result<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL));
    static DECOMPRESSOR: RefCell<io::Result<Decompressor<'static>>> = RefCell::new(Decompressor::new());
}

/// Compresses bytes.
pub(crate) fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| match compressor {
        Ok(compressor) => compressor.compress(plain),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    })
}

/// Decompresses what was compressed.
pub(crate) fn decompress(data: &[u8]) -> io::Result<Vec<u8>> {
    let bytes = match zstd_safe::get_frame_content_size(data) {
        Ok(Some(bytes)) => usize::try_from(bytes).map_err(io::Error::other)?,
        Ok(None) | Err(_) => return Err(io::Error::other("it does not say how long it is")),
    };
    DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor {
        Ok(decompressor) => {
            let mut plain = Vec::new();
            // A damaged frame may say that it is longer than any memory.
            plain.try_reserve_exact(bytes).map_err(io::Error::other)?;
            decompressor.decompress_to_buffer(data, &mut plain)?;
            Ok(plain)
        }
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    })
}
