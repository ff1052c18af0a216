//! A file that a person asked for: written beside its place, so that half of one never stands there.

use crate::failure::{Result, file};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file on its way to its place.
#[derive(Debug)]
pub(crate) struct Saved {
    open: NamedTempFile,
    place: PathBuf,
}

impl Saved {
    /// Begins a file that is to stand at a place.
    pub(crate) fn begin(place: &Path) -> Result<Self> {
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let open = NamedTempFile::new_in(folder).map_err(file("making a file in", folder))?;
        Ok(Self { open, place: place.to_owned() })
    }

    /// Writes more of it.
    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.open.write_all(piece).map_err(file("writing", &self.place))
    }

    /// Puts it in its place; what stood there goes.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { open, place } = self;
        open.persist(&place).map(drop).map_err(|error| file("writing", &place)(error.error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_there_goes_only_when_the_file_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("app");
        std::fs::write(&place, "old").unwrap();
        let mut saved = Saved::begin(&place).unwrap();
        saved.write(b"ha").unwrap();
        assert_eq!(std::fs::read_to_string(&place).unwrap(), "old");
        drop(saved);
        let mut saved = Saved::begin(&place).unwrap();
        saved.write(b"new").unwrap();
        saved.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&place).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
