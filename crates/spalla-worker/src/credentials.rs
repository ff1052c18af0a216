//! What a person answered to one run, as its steps need it: variables, and private files that go when the run ends.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use spalla_domain::secret::Secret;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The folder of all runs' files, below the data folder; in it one for each process, by its number.
const FOLDER: &str = "credentials";

/// The values of one run.
pub(crate) struct Credentials {
    folder: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Credentials {
    /// Makes the folder of a run, for its owner alone.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&folder)?;
        Ok(Self { folder, variables: BTreeMap::new() })
    }

    /// Gives the steps a value as a variable.
    pub(crate) fn put_variable(&mut self, name: &str, value: &Secret) {
        let value = String::from_utf8_lossy(value.expose()).into_owned();
        self.variables.insert(name.to_owned(), value);
    }

    /// Gives the steps a value as a file that nobody else can read, and its path as a variable.
    pub(crate) fn put_file(&mut self, variable: &str, name: &str, value: &Secret) -> io::Result<()> {
        let path = self.folder.join(name);
        // A step that goes on may be reading it.
        if std::fs::read(&path).map(Secret::from).is_ok_and(|there| there.expose() != value.expose()) {
            std::fs::remove_file(&path)?;
        }
        if !path.exists() {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            options.open(&path)?.write_all(value.expose())?;
        }
        self.variables.insert(variable.to_owned(), path.to_string_lossy().into_owned());
        Ok(())
    }

    /// Returns the folder of the files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the variables.
    pub(crate) const fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "files of a run that ended were not removed");
        }
    }
}

/// Returns the folder of the runs of this process.
pub(crate) fn own_folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER).join(std::process::id().to_string())
}

/// Removes what runs left behind whose worker was killed. Another worker that is alive may use the same data folder.
pub(crate) fn sweep(data_dir: &Path) -> io::Result<()> {
    let folders = match std::fs::read_dir(data_dir.join(FOLDER)) {
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
    fn a_file_is_for_its_owner_alone_and_goes_with_the_run() {
        let data = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::open(folder(data.path())).unwrap();
        credentials.put_variable("TOKEN", &Secret::from("s3cret"));
        credentials.put_file("KUBECONFIG", "KUBECONFIG_CONTENT", &Secret::from("apiVersion: v1")).unwrap();
        let path = PathBuf::from(&credentials.variables()["KUBECONFIG"]);
        assert_eq!(credentials.variables()["TOKEN"], "s3cret");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "apiVersion: v1");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o600, 0o700]);
        drop(credentials);
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }

    #[test]
    fn what_a_killed_worker_left_is_swept() {
        let data = tempfile::tempdir().unwrap();
        let mut credentials = Credentials::open(folder(data.path())).unwrap();
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
