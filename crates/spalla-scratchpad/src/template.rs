//! What a scratchpad is made of: folders that every one has, and what a person keeps as a template.

use crate::error::{Error, io};
use crate::folder::{FOLDER_MODE, Folder};
use crate::scratchpads::Options;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The folders that every scratchpad has.
pub(crate) const FOLDERS: [&str; 3] = ["test", "output", "drafts"];
/// The template that is always there: nothing but the folders.
pub(crate) const DEFAULT: &str = "default";
/// The longest name of a template, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// Finds a template by its name: its folder, or none for the one that is always there.
pub(crate) fn find(options: &Options, name: &str) -> Result<Option<(Folder, PathBuf)>, Error> {
    check(name)?;
    for place in &options.templates {
        let path = place.join(name);
        match Folder::open(&path) {
            Ok(folder) => return Ok(Some((folder, path))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io("opening the template", &path)(error)),
        }
    }
    if name == DEFAULT {
        return Ok(None);
    }
    let places: Vec<_> =
        options.templates.iter().map(|place| place.join(name).display().to_string()).collect();
    Err(Error::Invalid(format!("there is no template {name:?}: {} is not there", places.join(" or "))))
}

/// Makes the folders that every scratchpad has.
pub(crate) fn make_folders(top: &Folder) -> std::io::Result<()> {
    FOLDERS.iter().try_for_each(|name| top.make(name.as_ref(), FOLDER_MODE).map(drop))
}

fn check(name: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(is_plain)
    {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    Err(Error::Invalid(format!("{shown:?} is no name of a template: letters, digits, `.`, `_` and `-`")))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn the_name_of_a_template_leads_nowhere_else() {
        for bad in ["", "..", ".x", "a/b", "-x", "a\0", "a b", &"x".repeat(101)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check("rust-crate.v2").is_ok());
    }
}
