//! The reviews that people ask for: a file beside the record, to which whoever asks adds a line, so that the record stays that
//! of the one process that pursues the session.

use super::folder::SessionFolder;
use crate::failure::{Failure, Result, file};
use spalla_crash::crash_point;
use spalla_domain::session::Asked;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

/// The file, in a session's folder.
const ASKED: &str = "asked.jsonl";
/// How many reviews can be asked for in one session: each may cost money.
const ASKED_MAX: usize = 1_000;

/// Asks for a review.
pub(crate) fn ask(folder: &SessionFolder, asked: &Asked) -> Result<()> {
    if all(folder).len() >= ASKED_MAX {
        return Err(Failure::usage(format!("{ASKED_MAX} reviews were asked for in this session already")));
    }
    let path = folder.beside(ASKED);
    let line = serde_json::to_string(asked)
        .map_err(|error| Failure::failed(format!("writing what is asked: {error}")))?;
    let opened = crash_point!(
        "session.asked.create",
        File::options().create(true).append(true).mode(0o600).open(&path)
    );
    let mut opened = opened.map_err(file("opening", &path))?;
    let written = crash_point!("session.asked.append", opened.write_all(format!("{line}\n").as_bytes()));
    written.map_err(file("writing", &path))
}

/// Returns all that was asked for. A line that is not whole is none.
pub(super) fn all(folder: &SessionFolder) -> Vec<Asked> {
    let path = folder.beside(ASKED);
    match fs::read_to_string(&path) {
        Ok(text) => text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "what people ask for can't be read");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::Timestamp;

    #[test]
    fn what_is_asked_for_is_added_and_half_a_line_is_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (folder, _) = SessionFolder::make(data.path(), "stamp").unwrap();
        assert_eq!(all(&folder), []);
        let first = Asked { at: Timestamp::from_ms(1), worker: None };
        let second = Asked { at: Timestamp::from_ms(2), worker: Some("codex".into()) };
        ask(&folder, &first).unwrap();
        ask(&folder, &second).unwrap();
        let path = folder.beside(ASKED);
        let half = format!("{}{{\"at\":", fs::read_to_string(&path).unwrap());
        fs::write(&path, half).unwrap();
        assert_eq!(all(&folder), [first, second]);
    }
}
