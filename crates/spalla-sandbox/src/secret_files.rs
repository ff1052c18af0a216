//! Files of secrets that a command gets in its own private memory: no disk ever holds them, and they go with its namespaces.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroize as _;

/// The folder in which a command finds them: part of the private folders, which are memory.
const FOLDER: &str = "/run/spalla/secrets";

/// What files hold, by their names in the folder.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretFiles(BTreeMap<String, Vec<u8>>);

impl SecretFiles {
    /// Returns where a command finds the file of a name; none where that is not the name of a file.
    pub fn path_of(name: &str) -> Option<PathBuf> {
        is_plain(name).then(|| Path::new(FOLDER).join(name))
    }

    /// Adds a file.
    pub fn put(&mut self, name: String, content: Vec<u8>) {
        if let Some(mut before) = self.0.insert(name, content) {
            before.zeroize();
        }
    }

    /// Keeps those that are wanted by their paths.
    pub fn retain(&mut self, is_wanted: impl Fn(&Path) -> bool) {
        self.0.retain(|name, _| Self::path_of(name).is_some_and(|path| is_wanted(&path)));
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Tells whether every name is one of a file in the folder.
    pub(crate) fn are_plain(&self) -> bool {
        self.names().all(is_plain)
    }

    /// Returns them as parts without a zero byte: names, each followed by what its file holds, in hexadecimal digits.
    pub(crate) fn to_parts(&self) -> Vec<(&str, String)> {
        let digits = |content: &[u8]| content.iter().map(|byte| format!("{byte:02x}")).collect();
        self.0.iter().map(|(name, content)| (name.as_str(), digits(content))).collect()
    }

    /// Reads such a part.
    pub(crate) fn put_part(&mut self, name: &[u8], digits: &[u8]) -> Option<()> {
        let name = std::str::from_utf8(name).ok()?.to_owned();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks(2))?;
        self.put(name, pairs.map(byte).collect::<Option<Vec<_>>>()?);
        Some(())
    }

    /// Writes them for their owner alone, from behind the walls: the folder is memory, and nobody else's.
    pub(crate) fn write(&self) -> io::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        DirBuilder::new().mode(0o700).create(FOLDER)?;
        for (name, content) in &self.0 {
            let mut options = OpenOptions::new();
            let path = Self::path_of(name).ok_or(io::ErrorKind::InvalidInput)?;
            options.write(true).create_new(true).mode(0o600).open(path)?.write_all(content)?;
        }
        Ok(())
    }
}

/// Tells whether a name leads nowhere else.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

impl Drop for SecretFiles {
    fn drop(&mut self) {
        self.0.values_mut().for_each(|content| content.zeroize());
    }
}

/// Shows which they are, and not what they hold.
impl fmt::Debug for SecretFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_is_never_shown_and_arrives_as_it_was() {
        let mut files = SecretFiles::default();
        files.put("A".into(), b"s3cret\0\xff".to_vec());
        assert_eq!(format!("{files:?}"), r#"{"A"}"#);
        let mut came = SecretFiles::default();
        for (name, digits) in files.to_parts() {
            came.put_part(name.as_bytes(), digits.as_bytes()).unwrap();
        }
        assert_eq!(came, files);
        assert_eq!(came.put_part(b"B", b"0"), None);
        assert_eq!(came.put_part(b"B", b"zz"), None);
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_none() {
        for name in ["", ".", "..", "../a", "a/b", "a\0b"] {
            assert_eq!(SecretFiles::path_of(name), None, "{name:?}");
        }
        assert_eq!(SecretFiles::path_of("A"), Some("/run/spalla/secrets/A".into()));
    }
}
