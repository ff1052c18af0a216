//! How often, and how fast, the disk says that something is on it.

use measure::{Outcome, Peer};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

const SYNCS: usize = 400;

/// Measures the disk on which the folder is.
pub fn run(folder: &Path) -> Outcome {
    let peer = Peer::new("raw", "0", "disk");
    let path = folder.join("appended");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    for (metric, kib) in [("append4k_fdatasync", 4), ("append256k_fdatasync", 256)] {
        let block = vec![7_u8; kib * 1024];
        let began = Instant::now();
        for _ in 0..SYNCS {
            file.write_all(&block)?;
            file.sync_data()?;
        }
        peer.rate(metric, SYNCS, began, "syncs/s");
    }
    std::fs::remove_file(path)?;
    Ok(())
}
