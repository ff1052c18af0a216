//! The keys that secrets are encrypted with: from the settings, in a file of the data folder that is made at the
//! first start, or in the keychain of the operating system. They are never printed; their ids may be.

use crate::clock::system_bytes;
use crate::config::{KeyStore, Settings};
use crate::data_folder::Owned;
use crate::failure::{Failure, Result};
use crate::keychain::Keychain;
use spalla_domain::fernet::{Error, FernetKey, KeyRing};
use spalla_domain::secret::Secret;

/// How a new key comes about, for those who set one.
const MEND: &str =
    "write 32 random bytes in url-safe base64, as `openssl rand -base64 32 | tr +/ -_` prints them";
/// Stands in the file where the keys are in the keychain, so that nobody takes a missing file for no keys at all.
const ELSEWHERE: &str = "keychain";

/// What the settings say of keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The keys themselves, the newest first; empty for those that are kept.
    keys: &'a str,
    /// Where new ones are kept.
    store: KeyStore,
}

impl<'a> Wanted<'a> {
    /// Takes what the settings say.
    pub(crate) fn of(settings: &'a Settings) -> Self {
        Self { keys: settings.secret_key.trim(), store: settings.secret_key_store }
    }
}

/// What is kept, and where.
struct Kept {
    of_file: Option<KeyRing>,
    of_keychain: Option<KeyRing>,
    /// Whether the keychain was looked into.
    is_in_keychain: bool,
}

/// Returns the keys. Where the settings name some, those that are kept are older ones, and so are those that are kept
/// elsewhere than wanted: whoever moves a key can still read what the one before encrypted.
pub(crate) fn key_ring(folder: &Owned, wanted: Wanted<'_>) -> Result<KeyRing> {
    let of_setting = (!wanted.keys.is_empty()).then(|| KeyRing::parse(wanted.keys)).transpose();
    let of_setting = of_setting.map_err(|error| {
        Failure::usage(format!("the setting secret_key (ORCH_SECRET_KEY) can't be used: {error}")).mend(MEND)
    })?;
    let kept = kept(folder, wanted)?;
    let of_kept = match wanted.store {
        KeyStore::File => [kept.of_file, kept.of_keychain],
        KeyStore::Keychain => [kept.of_keychain, kept.of_file],
    };
    let all = [of_setting].into_iter().chain(of_kept).flatten();
    match all.reduce(KeyRing::with_older) {
        Some(ring) => Ok(ring),
        None => make(folder, wanted),
    }
}

/// What is left to do of a rotation.
#[derive(Debug)]
pub(crate) struct Rotation {
    newest: Secret,
    was_in_keychain: bool,
}

/// Makes the newest key the one to encrypt with: a new one, kept beside those before, or the first of the setting.
pub(crate) fn renewed(folder: &Owned, wanted: Wanted<'_>) -> Result<(KeyRing, Rotation)> {
    let was_in_keychain = kept(folder, wanted)?.is_in_keychain;
    let known = key_ring(folder, wanted)?;
    if !wanted.keys.is_empty() {
        let newest = known.newest().to_text();
        return Ok((known, Rotation { newest, was_in_keychain }));
    }
    let ring = KeyRing::new(FernetKey::from_bytes(system_bytes()?), []).with_older(known);
    match wanted.store {
        KeyStore::File => folder.write_secret_key(&ring.to_text())?,
        KeyStore::Keychain => Keychain::of(folder.path()).write(&ring.to_text())?,
    }
    let newest = ring.newest().to_text();
    Ok((ring, Rotation { newest, was_in_keychain }))
}

/// Forgets the keys that nothing needs any more. Where the setting names the newest, which is nowhere written down, the
/// file gets one that encrypted nothing.
pub(crate) fn forget_older(folder: &Owned, wanted: Wanted<'_>, rotation: &Rotation) -> Result<()> {
    let Rotation { newest, was_in_keychain } = rotation;
    let keychain = Keychain::of(folder.path());
    if wanted.keys.is_empty() && wanted.store == KeyStore::Keychain {
        keychain.write(newest)?;
        return folder.write_secret_key(&ELSEWHERE.into());
    }
    match wanted.keys.is_empty() {
        true => folder.write_secret_key(newest)?,
        false => folder.write_secret_key(&FernetKey::from_bytes(system_bytes()?).to_text())?,
    }
    if *was_in_keychain { keychain.remove() } else { Ok(()) }
}

fn kept(folder: &Owned, wanted: Wanted<'_>) -> Result<Kept> {
    let text = folder.secret_key()?;
    let is_elsewhere =
        text.as_ref().is_some_and(|text| text.expose_text().is_ok_and(|text| text.trim() == ELSEWHERE));
    let of_file = match &text {
        Some(text) if !is_elsewhere => Some(read(folder, text)?),
        _ => None,
    };
    // Without a word of it nobody asks a keychain: most machines have none.
    let is_in_keychain = is_elsewhere || (wanted.store == KeyStore::Keychain && wanted.keys.is_empty());
    let of_keychain = if is_in_keychain { Keychain::of(folder.path()).read()? } else { None };
    if is_elsewhere && of_keychain.is_none() {
        let shown = folder.secret_key_path();
        let shown = shown.display();
        let what = format!(
            "{shown} says that the secret key is in the keychain, and the keychain has none for this folder"
        );
        return Err(Failure::usage(what).mend(format!(
            "open the keychain of whoever made it; or remove {shown} for a new key, and what the old one encrypted can't \
             be read again"
        )));
    }
    let of_keychain = of_keychain.map(|text| of_text(&text)).transpose().map_err(|error| {
        Failure::usage(format!("the keychain's entry for this data folder can't be used: {error}"))
            .mend("restore it; or remove it for a new key, and what it encrypted can't be read again")
    })?;
    Ok(Kept { of_file, of_keychain, is_in_keychain })
}

fn of_text(text: &Secret) -> Result<KeyRing, Error> {
    text.expose_text().map_err(|_| Error::Key).and_then(KeyRing::parse)
}

fn read(folder: &Owned, text: &Secret) -> Result<KeyRing> {
    of_text(text).map_err(|error| {
        let path = folder.secret_key_path();
        let shown = path.display();
        Failure::usage(format!("the key file {shown} can't be used: {error}")).mend(
            "restore it from a copy; or remove it for a new key, and what it encrypted can't be read again",
        )
    })
}

fn make(folder: &Owned, wanted: Wanted<'_>) -> Result<KeyRing> {
    let key = FernetKey::from_bytes(system_bytes()?);
    match wanted.store {
        KeyStore::File => folder.write_secret_key(&key.to_text())?,
        KeyStore::Keychain => {
            Keychain::of(folder.path()).write(&key.to_text())?;
            folder.write_secret_key(&ELSEWHERE.into())?;
        }
    }
    tracing::debug!(key = key.id(), store = ?wanted.store, "made the key that secrets are encrypted with");
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

    fn of(keys: &str) -> Wanted<'_> {
        Wanted { keys: keys.trim(), store: KeyStore::File }
    }

    fn write(path: &Path, text: impl AsRef<[u8]>, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_is_the_same_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let first = DataFolder::at(home.path()).own().unwrap();
        let id = key_ring(&first, of("")).unwrap().newest().id().to_owned();
        let text = fs::read_to_string(first.secret_key_path()).unwrap();
        assert_eq!((text.len(), text.ends_with("=\n")), (45, true));
        assert_eq!(fs::metadata(first.secret_key_path()).unwrap().permissions().mode() & 0o777, 0o600);
        drop(first);
        let again = DataFolder::at(home.path()).own().unwrap();
        assert_eq!(key_ring(&again, of("")).unwrap().newest().id(), id);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = DataFolder::at(elsewhere.path()).own().unwrap();
        assert_ne!(key_ring(&other, of("")).unwrap().newest().id(), id);
    }

    #[test]
    fn what_a_death_left_of_a_key_is_no_key() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        write(&home.path().join("secret.key.new"), &KEY[..10], 0o600);
        key_ring(&folder, of("")).unwrap();
        assert!(!home.path().join("secret.key.new").exists());
        assert_ne!(key_ring(&folder, of("")).unwrap().newest().to_text(), KEY.into());
    }

    #[test]
    fn a_key_of_the_settings_needs_no_file_and_makes_none() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        assert_eq!(key_ring(&folder, of(&format!(" {KEY}\n"))).unwrap().newest().to_text(), KEY.into());
        assert!(!folder.secret_key_path().exists());
    }

    #[test]
    fn what_the_file_encrypted_is_read_after_the_key_moved_to_the_settings() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let sealed = key_ring(&folder, of("")).unwrap().seal(&"x".into(), Timestamp::from_ms(0), [1; 16]);
        let moved = key_ring(&folder, of(KEY)).unwrap();
        assert_eq!((moved.open(&sealed), moved.is_outdated(&sealed)), (Ok("x".into()), Ok(true)));
    }

    #[test]
    fn a_renewed_key_encrypts_and_the_older_ones_are_kept_until_nothing_needs_them() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let first = key_ring(&folder, of("")).unwrap();
        let sealed = first.seal(&"x".into(), Timestamp::from_ms(0), [1; 16]);
        let (second, rotation) = renewed(&folder, of("")).unwrap();
        assert_ne!(second.newest().id(), first.newest().id());
        let after_a_restart = key_ring(&folder, of("")).unwrap();
        assert_eq!(
            (after_a_restart.open(&sealed), after_a_restart.is_outdated(&sealed)),
            (Ok("x".into()), Ok(true))
        );
        forget_older(&folder, of(""), &rotation).unwrap();
        let last = key_ring(&folder, of("")).unwrap();
        assert_eq!(last.newest().id(), second.newest().id());
        assert!(last.open(&sealed).is_err());
        assert_eq!(fs::metadata(folder.secret_key_path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_of_the_settings_is_not_renewed_but_replaces_the_file() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let sealed = key_ring(&folder, of("")).unwrap().seal(&"x".into(), Timestamp::from_ms(0), [1; 16]);
        let (ring, rotation) = renewed(&folder, of(KEY)).unwrap();
        assert_eq!(ring.newest().to_text(), KEY.into());
        forget_older(&folder, of(KEY), &rotation).unwrap();
        let last = key_ring(&folder, of(KEY)).unwrap();
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
                let refused = key_ring(&folder, of(setting)).unwrap_err().to_string();
                let expected =
                    format!("others can use {0} (mode {mode:o}); run: chmod 600 {0};", path.display());
                assert!(refused.starts_with(&expected) && !refused.contains(&KEY[..8]), "{refused}");
            }
        }
        write(&path, KEY, 0o400);
        assert!(key_ring(&folder, of("")).is_ok());
    }

    #[test]
    fn a_malformed_key_is_refused_without_being_shown_and_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path()).own().unwrap();
        let path = folder.secret_key_path();
        for text in ["", "\n", "my password", &KEY[..40], &format!("{KEY}\nmy password")] {
            write(&path, text, 0o600);
            let refused = key_ring(&folder, of("")).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("the key file {} can't be used: ", path.display())),
                "{refused}"
            );
            assert!(!refused.contains("password") && !refused.contains(&KEY[..8]), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::remove_file(&path).unwrap();
        let refused = key_ring(&folder, of("my password")).unwrap_err().to_string();
        assert!(refused.contains("ORCH_SECRET_KEY") && refused.contains("openssl rand"), "{refused}");
        assert!(!refused.contains("password") && !path.exists(), "{refused}");
    }
}
