//! Removes what was found. One that can't be removed keeps no other from it.

use super::Item;
use super::find::{Kind, Search};
use crate::failure::in_words;
use crate::saved::Saved;
use spalla_domain::Timestamp;
use spalla_scratchpad::{Scratchpads, remove};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// How much of a log is copied at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Removes all of it.
pub(super) fn all(items: &mut [Item], search: &Search<'_>, scratchpads: &Scratchpads, now: Timestamp) {
    let cleaned = scratchpads.clean(now, false);
    for item in items {
        let path = item.found.path.as_path();
        let done = match item.found.kind {
            Kind::Run | Kind::Worktree | Kind::Mirror => {
                remove(path).map_err(|error| format!("{}: {}", path.display(), in_words(&error)))
            }
            Kind::Log => truncate(path, search.log_bytes),
            Kind::Scratchpad => match &cleaned {
                Err(error) => Err(error.to_string()),
                Ok(cleaned) => cleaned
                    .iter()
                    .find(|one| one.path == path)
                    .and_then(|one| one.error.clone())
                    .map_or(Ok(()), Err),
            },
        };
        item.is_done = done.is_ok();
        item.error = done.err();
    }
}

/// Leaves the last bytes of a log, from the beginning of a line on.
fn truncate(path: &Path, keep: u64) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {}", path.display(), in_words(&error));
    let mut log = File::open(path).map_err(failed)?;
    let length = log.metadata().map_err(failed)?.len();
    let begin = length.saturating_sub(keep);
    log.seek(SeekFrom::Start(begin)).map_err(failed)?;
    let mut saved = Saved::begin(path).map_err(|failure| failure.to_string())?;
    let (mut piece, mut is_within_a_line) = (vec![0; PIECE_BYTES], begin > 0);
    loop {
        let read = log.read(&mut piece).map_err(failed)?;
        if read == 0 {
            return saved.finish().map_err(|failure| failure.to_string());
        }
        let mut text = &piece[..read];
        if is_within_a_line {
            let Some(end) = text.iter().position(|byte| *byte == b'\n') else { continue };
            text = &text[end + 1..];
            is_within_a_line = false;
        }
        saved.write(text).map_err(|failure| failure.to_string())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_stays_from_the_beginning_of_a_line_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orchestrator.log");
        std::fs::write(&path, "first\nsecond\nthird\n").unwrap();
        truncate(&path, 8).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "third\n");
        truncate(&path, 0).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }
}
