//! The keys that secrets are encrypted with: from the settings, or in a file of the data folder that is made at the
//! first start. They are never printed; their ids may be.

use crate::clock::system_bytes;
use crate::data_folder::Owned;
use crate::failure::{Failure, Result};
use spalla_domain::fernet::{Error, FernetKey, KeyRing};
use spalla_domain::secret::Secret;

/// How a new key comes about, for those who set one.
const MEND: &str =
    "write 32 random bytes in url-safe base64, as `openssl rand -base64 32 | tr +/ -_` prints them";

/// Returns the keys. Where the settings name some, those of the file are older ones, so that whoever moves the key
/// out of the data folder can still read what the file's encrypted.
pub(crate) fn key_ring(folder: &Owned, setting: &str) -> Result<KeyRing> {
    let of_file = folder.secret_key()?.map(|text| read(folder, &text)).transpose()?;
    let of_setting = (!setting.trim().is_empty()).then(|| KeyRing::parse(setting)).transpose();
    let of_setting = of_setting.map_err(|error| {
        Failure::usage(format!("the setting secret_key (ORCH_SECRET_KEY) can't be used: {error}")).mend(MEND)
    })?;
    match (of_setting, of_file) {
        (Some(newer), Some(older)) => Ok(newer.with_older(older)),
        (Some(ring), None) | (None, Some(ring)) => Ok(ring),
        (None, None) => make(folder),
    }
}

/// Makes the newest key the one to encrypt with: a new one, kept in the file beside those before, or the first of the
/// setting.
pub(crate) fn renewed(folder: &Owned, setting: &str) -> Result<KeyRing> {
    let known = key_ring(folder, setting)?;
    if !setting.trim().is_empty() {
        return Ok(known);
    }
    let ring = KeyRing::new(FernetKey::from_bytes(system_bytes()?), []).with_older(known);
    folder.write_secret_key(&ring.to_text())?;
    Ok(ring)
}

/// Forgets the keys of the file that nothing needs any more. Where the setting names the newest, which is nowhere
/// written down, the file gets one that encrypted nothing.
pub(crate) fn forget_older(folder: &Owned, setting: &str, newest: &Secret) -> Result<()> {
    if setting.trim().is_empty() {
        return folder.write_secret_key(newest);
    }
    folder.write_secret_key(&FernetKey::from_bytes(system_bytes()?).to_text())
}

fn read(folder: &Owned, text: &Secret) -> Result<KeyRing> {
    let keys = text.expose_text().map_err(|_| Error::Key).and_then(KeyRing::parse);
    keys.map_err(|error| {
        let path = folder.secret_key_path();
        let shown = path.display();
        Failure::usage(format!("the key file {shown} can't be used: {error}")).mend(
            "restore it from a copy; or remove it for a new key, and what it encrypted can't be read again",
        )
    })
}

fn make(folder: &Owned) -> Result<KeyRing> {
    let key = FernetKey::from_bytes(system_bytes()?);
    folder.write_secret_key(&key.to_text())?;
    tracing::debug!(key = key.id(), file = %folder.secret_key_path().display(), "made the key that secrets are encrypted with");
    Ok(KeyRing::new(key, []))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_folder::DataFolder;
    use spalla_domain::Timestamp;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

    fn write(path: &Path, text: impl AsRef<[u8]>, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_is_the_same_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let first = DataFolder::at(home.path()).own().unwrap();
        let id = key_ring(&first, "").unwrap().newest().id().to_owned();
        let text = fs::read_to_string(first.secret_key_path()).unwrap();
        assert_eq!((text.len(), text.ends_with("=\n")), (45, true));
        assert_eq!(fs::metadata(first.secret_key_path()).unwrap().permissions().mode() & 0o777, 0o600);
        drop(first);
        let again = DataFolder::at(home.path()).own().unwrap();
        assert_eq!(key_ring(&again, "").unwrap().newest().id(), id);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = DataFolder::at(elsewhere.path()).own().unwrap();
        assert_ne!(key_ring(&other, "").unwrap().newest().id(), id);
    }

    #[test]
    fn what_a_death_left_of_a_key_is_no_key() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        write(&home.path().join("secret.key.new"), &KEY[..10], 0o600);
        key_ring(&folder, "").unwrap();
        assert!(!home.path().join("secret.key.new").exists());
        assert_ne!(key_ring(&folder, "").unwrap().newest().to_text(), KEY.into());
    }

    #[test]
    fn a_key_of_the_settings_needs_no_file_and_makes_none() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        assert_eq!(key_ring(&folder, &format!(" {KEY}\n")).unwrap().newest().to_text(), KEY.into());
        assert!(!folder.secret_key_path().exists());
    }

    #[test]
    fn what_the_file_encrypted_is_read_after_the_key_moved_to_the_settings() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let sealed = key_ring(&folder, "").unwrap().seal(&"x".into(), Timestamp::from_ms(0), [1; 16]);
        let moved = key_ring(&folder, KEY).unwrap();
        assert_eq!((moved.open(&sealed), moved.is_outdated(&sealed)), (Ok("x".into()), Ok(true)));
    }

    #[test]
    fn a_renewed_key_encrypts_and_the_older_ones_are_kept_until_nothing_needs_them() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let first = key_ring(&folder, "").unwrap();
        let sealed = first.seal(&"x".into(), Timestamp::from_ms(0), [1; 16]);
        let second = renewed(&folder, "").unwrap();
        assert_ne!(second.newest().id(), first.newest().id());
        let after_a_restart = key_ring(&folder, "").unwrap();
        assert_eq!(
            (after_a_restart.open(&sealed), after_a_restart.is_outdated(&sealed)),
            (Ok("x".into()), Ok(true))
        );
        forget_older(&folder, "", &second.newest().to_text()).unwrap();
        let last = key_ring(&folder, "").unwrap();
        assert_eq!(last.newest().id(), second.newest().id());
        assert!(last.open(&sealed).is_err());
        assert_eq!(fs::metadata(folder.secret_key_path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_of_the_settings_is_not_renewed_but_replaces_the_file() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let sealed = key_ring(&folder, "").unwrap().seal(&"x".into(), Timestamp::from_ms(0), [1; 16]);
        let ring = renewed(&folder, KEY).unwrap();
        assert_eq!(ring.newest().to_text(), KEY.into());
        forget_older(&folder, KEY, &KEY.into()).unwrap();
        let last = key_ring(&folder, KEY).unwrap();
        assert_eq!(last.newest().to_text(), KEY.into());
        assert!(last.open(&sealed).is_err());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_mend() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let path = folder.secret_key_path();
        for mode in [0o640, 0o604, 0o620, 0o777] {
            write(&path, KEY, mode);
            for setting in ["", KEY] {
                let refused = key_ring(&folder, setting).unwrap_err().to_string();
                let expected =
                    format!("others can use {0} (mode {mode:o}); run: chmod 600 {0};", path.display());
                assert!(refused.starts_with(&expected) && !refused.contains(&KEY[..8]), "{refused}");
            }
        }
        write(&path, KEY, 0o400);
        assert!(key_ring(&folder, "").is_ok());
    }

    #[test]
    fn a_malformed_key_is_refused_without_being_shown_and_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let path = folder.secret_key_path();
        for text in ["", "\n", "my password", &KEY[..40], &format!("{KEY}\nmy password")] {
            write(&path, text, 0o600);
            let refused = key_ring(&folder, "").unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("the key file {} can't be used: ", path.display())),
                "{refused}"
            );
            assert!(!refused.contains("password") && !refused.contains(&KEY[..8]), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::remove_file(&path).unwrap();
        let refused = key_ring(&folder, "my password").unwrap_err().to_string();
        assert!(refused.contains("ORCH_SECRET_KEY") && refused.contains("openssl rand"), "{refused}");
        assert!(!refused.contains("password") && !path.exists(), "{refused}");
    }
}
