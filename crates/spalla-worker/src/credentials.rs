//! What a person answered to one run, as its steps need it: variables, and private files. Behind walls a file is in the
//! private memory of each command that knows its path; without walls it lies in memory that this user shares, and goes when
//! the run ends.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::unistd::{Pid, getuid};
use spalla_domain::secret::Secret;
use spalla_sandbox::SecretFiles;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The folder of all runs' files, below the data folder; in it one for each process, by its number.
const FOLDER: &str = "credentials";
/// Where this machine keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// Where the files of a run are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the private memory of each command, behind its walls.
    Inside,
    /// In a folder, for commands without walls.
    Folder(PathBuf),
}

/// The values of one run.
#[derive(Debug)]
pub(crate) struct Credentials {
    folder: Option<PathBuf>,
    files: SecretFiles,
    variables: BTreeMap<String, String>,
}

impl Credentials {
    /// Begins with none; a folder is made for its owner alone.
    pub(crate) fn open(place: Place) -> io::Result<Self> {
        let folder = match place {
            Place::Inside => None,
            Place::Folder(folder) => {
                let mut builder = DirBuilder::new();
                builder.recursive(true).mode(0o700);
                builder.create(&folder)?;
                Some(folder)
            }
        };
        Ok(Self { folder, files: SecretFiles::default(), variables: BTreeMap::new() })
    }

    /// Gives the steps a value as a variable.
    pub(crate) fn put_variable(&mut self, name: &str, value: &Secret) {
        let value = String::from_utf8_lossy(value.expose()).into_owned();
        self.variables.insert(name.to_owned(), value);
    }

    /// Gives the steps a value as a file that nobody else can read, and its path as a variable.
    pub(crate) fn put_file(&mut self, variable: &str, name: &str, value: &Secret) -> io::Result<()> {
        let path = match &self.folder {
            Some(folder) => write(folder.join(name), value)?,
            None => {
                let path = SecretFiles::path_of(name).ok_or(io::ErrorKind::InvalidInput)?;
                self.files.put(name.to_owned(), value.expose().to_vec());
                path
            }
        };
        self.variables.insert(variable.to_owned(), path.to_string_lossy().into_owned());
        Ok(())
    }

    /// Returns the files that commands behind walls get in their memory.
    pub(crate) const fn files(&self) -> &SecretFiles {
        &self.files
    }

    /// Returns the variables.
    pub(crate) const fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }
}

/// Writes a file, unless it is there: a step that goes on may be reading it.
fn write(path: PathBuf, value: &Secret) -> io::Result<PathBuf> {
    if std::fs::read(&path).map(Secret::from).is_ok_and(|there| there.expose() != value.expose()) {
        std::fs::remove_file(&path)?;
    }
    if !path.exists() {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&path)?.write_all(value.expose())?;
    }
    Ok(path)
}

impl Drop for Credentials {
    fn drop(&mut self) {
        let Some(folder) = &self.folder else { return };
        if let Err(error) = std::fs::remove_dir_all(folder) {
            tracing::warn!(folder = %folder.display(), %error, "files of a run that ended were not removed");
        }
    }
}

/// Returns the folder of the runs of this process: in memory, where the machine has some that is a file system.
pub(crate) fn own_folder(data_dir: &Path) -> PathBuf {
    let all = in_memory(data_dir).unwrap_or_else(|| data_dir.join(FOLDER));
    all.join(std::process::id().to_string())
}

/// Returns the folder in memory of a data folder's runs, where this user alone has one.
fn in_memory(data_dir: &Path) -> Option<PathBuf> {
    if statfs(MEMORY).ok()?.filesystem_type() != TMPFS_MAGIC {
        return None;
    }
    let own = Path::new(MEMORY).join(format!("spalla-{}", getuid()));
    match DirBuilder::new().mode(0o700).create(&own) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return None,
        _ => {}
    }
    // Everybody may make folders there: one that is another user's, or a link, is not taken.
    let found = std::fs::symlink_metadata(&own).ok()?;
    let is_own = found.is_dir() && found.uid() == getuid().as_raw() && found.mode() & 0o077 == 0;
    let real = std::fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let name = blake3::hash(real.as_os_str().as_encoded_bytes()).to_hex();
    is_own.then(|| own.join(&name[..16]))
}

/// Removes what runs left behind whose worker was killed. Another worker that is alive may use the same data folder.
pub(crate) fn sweep(data_dir: &Path) -> io::Result<()> {
    in_memory(data_dir).into_iter().chain([data_dir.join(FOLDER)]).try_for_each(|all| sweep_folder(&all))
}

fn sweep_folder(all: &Path) -> io::Result<()> {
    let folders = match std::fs::read_dir(all) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        folders => folders?,
    };
    for folder in folders {
        let folder = folder?;
        let process = folder.file_name().to_str().and_then(|name| name.parse().ok());
        // Before the first run of this process, a folder under its number is of one that had the number before.
        if process.is_none_or(|process| process == std::process::id() || !is_alive(process)) {
            std::fs::remove_dir_all(folder.path())?;
        }
    }
    // Others may be using it, and then it stays.
    let _ = std::fs::remove_dir(all);
    Ok(())
}

fn is_alive(process: u32) -> bool {
    let process = i32::try_from(process).map(Pid::from_raw);
    process.is_ok_and(|process| !matches!(kill(process, None), Err(Errno::ESRCH)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn folder(data_dir: &Path) -> PathBuf {
        own_folder(data_dir).join("run-7-2")
    }

    #[test]
    fn behind_walls_a_file_is_on_no_disk() {
        let mut credentials = Credentials::open(Place::Inside).unwrap();
        credentials.put_variable("TOKEN", &Secret::from("s3cret"));
        credentials.put_file("KUBECONFIG", "KUBECONFIG_CONTENT", &Secret::from("apiVersion: v1")).unwrap();
        let expected = [("KUBECONFIG", "/run/spalla/secrets/KUBECONFIG_CONTENT"), ("TOKEN", "s3cret")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(*credentials.variables(), expected.into());
        assert_eq!(format!("{:?}", credentials.files()), r#"{"KUBECONFIG_CONTENT"}"#);
        assert!(credentials.put_file("A", "../a", &Secret::from("x")).is_err());
    }

    #[test]
    fn without_walls_a_file_is_for_its_owner_alone_and_goes_with_the_run() {
        let data = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::open(Place::Folder(folder(data.path()))).unwrap();
        credentials.put_file("KUBECONFIG", "KUBECONFIG_CONTENT", &Secret::from("apiVersion: v1")).unwrap();
        let path = PathBuf::from(&credentials.variables()["KUBECONFIG"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "apiVersion: v1");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o600, 0o700]);
        drop(credentials);
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }

    #[test]
    fn what_a_killed_worker_left_is_swept() {
        let data = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::open(Place::Folder(folder(data.path()))).unwrap();
        credentials.put_file("A", "A_FILE", &Secret::from("x")).unwrap();
        std::mem::forget(credentials);
        sweep(data.path()).unwrap();
        sweep(data.path()).unwrap();
        assert!(!own_folder(data.path()).exists());
        let alive = data.path().join(FOLDER).join("1");
        std::fs::create_dir_all(&alive).unwrap();
        sweep(data.path()).unwrap();
        assert!(alive.exists());
    }
}
