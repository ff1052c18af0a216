//! The data folder: what a server keeps between its lives, and how one process at a time owns it. Everything in it
//! is for its owner alone: folders 0700, files 0600.

use crate::clock::random_hex;
use crate::failure::{Failure, Result, file, in_words};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use spalla_crash::crash_point;
use spalla_domain::secret::Secret;
use spalla_domain::{Timestamp, WorkerId};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

const LOCK: &str = "lock";
const TOKEN: &str = "token";
const WORKER_ID: &str = "worker-id";
const SECRET_KEY: &str = "secret.key";
const SERVER: &str = "server.json";
const SCRATCHPADS: &str = "scratchpad";

/// 64-bit words of the administrator token: 256 bits can't be guessed.
const TOKEN_WORDS: usize = 4;
/// How long a token at least is that somebody else made: 32 hexadecimal digits are 128 bits, which can't be guessed.
const TOKEN_LETTERS_MIN: usize = 32;
/// What to do about a file that somebody else may have read: mostly another one is as good.
const REPLACED: &str = "remove it for a new one";
/// Of the secret key only its place is taken by another one: what it encrypted still needs it.
const PRECEDED: &str = "write a new key before the old one in it";
/// What others may not do with anything in the folder.
const OTHERS: u32 = 0o077;

/// How long a lock is waited for whose owner is dead: a child that was just being born when it died holds it until it
/// becomes another program.
const INHERITED_LOCK: Duration = Duration::from_secs(2);
/// How often it is tried meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// A data folder, owned or not.
#[derive(Debug, Clone)]
pub(crate) struct DataFolder {
    path: PathBuf,
}

/// A data folder that this process alone serves, until this is dropped.
#[derive(Debug)]
pub(crate) struct Owned {
    folder: DataFolder,
    lock: Flock<File>,
}

/// The server that works on a data folder, as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerFile {
    /// Where it listens.
    pub(crate) url: String,
    /// Its process.
    pub(crate) pid: u32,
    /// When it was ready.
    pub(crate) started_at: Timestamp,
}

impl DataFolder {
    /// Names a folder; touches nothing.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether a server worked on it before.
    pub(crate) fn was_used(&self) -> bool {
        self.path.join(LOCK).is_file()
    }

    /// Makes the folder where it is missing, and owns it until the answer is dropped.
    pub(crate) fn own(self) -> Result<Owned> {
        self.make()?;
        let path = self.path.join(LOCK);
        let opened = crash_point!(
            "data_folder.lock.create",
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)
        );
        let mut lock_file = opened.map_err(file("the data folder can't be written:", &path))?;
        let began = Instant::now();
        loop {
            lock_file = match Flock::lock(lock_file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Owned { folder: self, lock }.sign(),
                Err((other, Errno::EWOULDBLOCK)) => other,
                Err((_, errno)) => return Err(file("locking", &path)(errno.into())),
            };
            let owner = owner(&mut lock_file);
            if began.elapsed() >= INHERITED_LOCK || owner.trim().parse().is_ok_and(is_alive) {
                return Err(self.taken(owner.trim()));
            }
            look_again_later();
        }
    }

    /// Returns the folder's absolute path, made where it is missing. A new one belongs to its owner alone; one that
    /// was there keeps its mode unless it is plainly ours, because it may be somebody's home.
    fn make(&self) -> Result<()> {
        let is_ours = self.path.join(LOCK).exists() || !self.path.exists() || is_empty(&self.path);
        let made = crash_point!(
            "data_folder.create",
            DirBuilder::new().recursive(true).mode(0o700).create(&self.path)
        );
        made.map_err(|error| self.not_made(error))?;
        let mode = fs::metadata(&self.path).map_err(file("reading", &self.path))?.mode();
        if mode & OTHERS == 0 {
            return Ok(());
        }
        if is_ours {
            return fs::set_permissions(&self.path, Permissions::from_mode(0o700))
                .map_err(file("closing to others the data folder", &self.path));
        }
        tracing::warn!(folder = %self.path.display(), mode = format!("{:o}", mode & 0o777), "others can look into the data folder: chmod 700 it");
        Ok(())
    }

    fn not_made(&self, error: std::io::Error) -> Failure {
        let failure = if self.path.is_file() {
            Failure::usage(format!("the data folder {} is a file", self.path.display()))
        } else {
            file("making the data folder", &self.path)(error)
        };
        failure.mend("name another folder with --data DIR")
    }

    fn taken(&self, owner: &str) -> Failure {
        let by = match owner {
            "" => "another process".to_owned(),
            pid => format!("process {pid}"),
        };
        let address =
            self.server().map(|server| format!(", which listens on {}", server.url)).unwrap_or_default();
        Failure::usage(format!("the data folder {} is in use by {by}{address}", self.path.display()))
            .mend("use that server, stop it, or name another folder with --data DIR")
    }

    /// Makes a folder of its own below this one.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let made = crash_point!(
            "data_folder.below.create",
            DirBuilder::new().recursive(true).mode(0o700).create(&path)
        );
        made.map_err(file("making", &path))?;
        Ok(path)
    }

    /// Reads the administrator token; none when no server has made one.
    pub(crate) fn token(&self) -> Result<Option<String>> {
        read_if_there(&self.path.join(TOKEN), REPLACED)
    }

    /// Reads what the server of this folder says of itself; none when there is none.
    pub(crate) fn server(&self) -> Option<ServerFile> {
        let text = fs::read_to_string(self.path.join(SERVER)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Returns the mode of the folder and of every file in it that others may use.
    pub(crate) fn open_to_others(&self) -> std::io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.path)?.filter_map(std::result::Result::ok).map(|entry| entry.path());
        // Nobody else comes as far as the scratchpads, whose folders have a mode of their own.
        let scratchpads = self.path.join(SCRATCHPADS);
        let looked_at = std::iter::once(self.path.clone()).chain(entries.filter(|path| *path != scratchpads));
        Ok(looked_at
            .filter(|path| fs::symlink_metadata(path).is_ok_and(|data| data.mode() & OTHERS != 0))
            .collect())
    }
}

impl std::ops::Deref for Owned {
    type Target = DataFolder;
    fn deref(&self) -> &DataFolder {
        &self.folder
    }
}

impl Owned {
    /// Writes into the lock whose it is.
    fn sign(mut self) -> Result<Self> {
        let path = self.path.join(LOCK);
        let pid = std::process::id().to_string();
        let signed = crash_point!("data_folder.lock.empty", self.lock.set_len(0))
            .and_then(|()| crash_point!("data_folder.lock.write", self.lock.write_all(pid.as_bytes())));
        signed.map_err(file("the data folder can't be written:", &path))?;
        Ok(self)
    }

    /// Reads the administrator token, or makes it at the first start.
    pub(crate) fn make_token(&self) -> Result<String> {
        self.read_or_make(TOKEN, || random_hex(TOKEN_WORDS))
    }

    /// Takes a token that was made elsewhere for the administrator's, so that the commands of this folder send it too.
    pub(crate) fn adopt_token(&self, token: &str) -> Result<String> {
        let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.len() < TOKEN_LETTERS_MIN || !is_plain {
            return Err(Failure::usage(format!(
                "the server's token has to be {TOKEN_LETTERS_MIN} or more letters, digits and signs without blanks"
            ))
            .mend("make one with `openssl rand -hex 32`"));
        }
        if self.token()?.as_deref() != Some(token) {
            write(&self.path, TOKEN, format!("{token}\n").as_bytes())?;
        }
        Ok(token.to_owned())
    }

    /// Reads the id of the embedded worker, or makes it at the first start: it stays the same over restarts.
    pub(crate) fn worker_id(&self) -> Result<WorkerId> {
        self.worker_id_of("embedded")
    }

    /// The same for the folder of a worker of its own.
    pub(crate) fn remote_worker_id(&self) -> Result<WorkerId> {
        self.worker_id_of("worker")
    }

    fn worker_id_of(&self, kind: &str) -> Result<WorkerId> {
        let text = self.read_or_make(WORKER_ID, || format!("{kind}-{}", random_hex(1)))?;
        let path = self.path.join(WORKER_ID);
        WorkerId::new(text).map_err(|wrong| {
            Failure::usage(format!("{} holds no worker id: {wrong}", path.display())).mend("remove the file")
        })
    }

    /// Says where the server is, for commands of the same data folder.
    pub(crate) fn announce(&self, server: &ServerFile) -> Result<()> {
        let text = serde_json::to_string_pretty(server).unwrap_or_default();
        write(&self.path, SERVER, format!("{text}\n").as_bytes())
    }

    /// Takes back what [`Self::announce`] said.
    pub(crate) fn withdraw(&self) {
        if let Err(error) = crash_point!("data_folder.server.remove", fs::remove_file(self.path.join(SERVER)))
        {
            tracing::debug!(error = in_words(&error), "removing {SERVER}");
        }
    }

    /// Returns where the keys are that secrets are encrypted with.
    pub(crate) fn secret_key_path(&self) -> PathBuf {
        self.path.join(SECRET_KEY)
    }

    /// Reads the file of keys; none where it was never made. One that is there and empty is a text like any other:
    /// what it held is still needed.
    pub(crate) fn secret_key(&self) -> Result<Option<Secret>> {
        let path = self.secret_key_path();
        Ok(read_closed(&path, PRECEDED)?.map(Secret::from))
    }

    /// Writes the file of keys.
    pub(crate) fn write_secret_key(&self, text: &Secret) -> Result<()> {
        let line = Zeroizing::new([text.expose(), b"\n"].concat());
        write(&self.path, SECRET_KEY, &line)
    }

    fn read_or_make(&self, name: &str, make: impl FnOnce() -> String) -> Result<String> {
        if let Some(text) = read_if_there(&self.path.join(name), REPLACED)? {
            return Ok(text);
        }
        let text = make();
        write(&self.path, name, format!("{text}\n").as_bytes())?;
        Ok(text)
    }
}

/// Reads a file of one line that is closed to others; none where it is missing or empty.
fn read_if_there(path: &Path, exposed: &str) -> Result<Option<String>> {
    let text = read_closed(path, exposed)?.map(|text| text.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()))
}

/// Reads a file that is closed to others; none where it is missing. Where somebody may have read one that is not,
/// `exposed` says what to do.
fn read_closed(path: &Path, exposed: &str) -> Result<Option<String>> {
    let mut opened = match File::open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file("reading", path)(error)),
    };
    let mode = opened.metadata().map_err(file("reading", path))?.mode();
    if mode & OTHERS != 0 {
        let shown = path.display();
        return Err(Failure::usage(format!("others can use {shown} (mode {:o})", mode & 0o777))
            .mend(format!("run: chmod 600 {shown}; if somebody may have read it, {exposed}")));
    }
    let mut text = String::new();
    opened.read_to_string(&mut text).map_err(file("reading", path))?;
    Ok(Some(text))
}

/// Writes a whole file or nothing, for its owner alone. The name of the new one is always the same, so that what a
/// death leaves behind is overwritten next time: whoever writes here owns the folder, and nobody else does.
fn write(folder: &Path, name: &str, text: &[u8]) -> Result<()> {
    let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
    let made = crash_point!(
        "data_folder.file.create",
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)
    );
    let written = made.and_then(|mut file| {
        crash_point!("data_folder.file.write", file.write_all(text))?;
        crash_point!("data_folder.file.sync", file.sync_all())?;
        crash_point!("data_folder.file.rename", fs::rename(&new, &path))?;
        // The name is to outlive a power cut as what is under it does: of a key more depends on it than itself.
        crash_point!("data_folder.file.sync_name", File::open(folder)?.sync_all())
    });
    written.map_err(file("writing", &path))
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

#[expect(clippy::disallowed_methods, reason = "nothing tells when another process gives a lock back")]
fn look_again_later() {
    std::thread::sleep(LOOK);
}

/// Returns what a lock file says of its owner: a process id, or nothing yet.
fn owner(lock_file: &mut File) -> String {
    let mut pid = String::new();
    // Who can't be read is nobody known.
    let _ = lock_file.rewind().and_then(|()| lock_file.read_to_string(&mut pid));
    pid
}

fn is_alive(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_lock_that_outlives_its_owner_is_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let path = home.path().join(LOCK);
        fs::write(&path, gone.id().to_string()).unwrap();
        let lock = Flock::lock(File::open(&path).unwrap(), FlockArg::LockExclusiveNonblock).unwrap();
        let child = std::thread::spawn(move || drop(lock));
        assert!(DataFolder::at(home.path()).own().is_ok());
        child.join().unwrap();
    }

    #[test]
    fn the_folder_and_its_files_are_for_their_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        let owned = DataFolder::at(root.path().join("a/b")).own().unwrap();
        let token = owned.make_token().unwrap();
        assert_eq!((token.len(), owned.token().unwrap()), (64, Some(token.clone())));
        assert_eq!(owned.make_token().unwrap(), token);
        assert_eq!(owned.worker_id().unwrap(), owned.worker_id().unwrap());
        assert_eq!(mode(owned.path()), 0o700);
        assert_eq!(owned.open_to_others().unwrap(), Vec::<PathBuf>::new());
        fs::set_permissions(owned.path().join(TOKEN), Permissions::from_mode(0o644)).unwrap();
        assert!(owned.token().unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_token_from_elsewhere_replaces_the_folders_own_unless_it_can_be_guessed() {
        let root = tempfile::tempdir().unwrap();
        let owned = DataFolder::at(root.path()).own().unwrap();
        owned.make_token().unwrap();
        let given = "0123456789abcdef0123456789abcdef";
        assert_eq!(owned.adopt_token(given).unwrap(), given);
        assert_eq!(owned.token().unwrap().as_deref(), Some(given));
        assert_eq!(mode(&root.path().join(TOKEN)), 0o600);
        for weak in ["", "secret", &"a ".repeat(20), &"é".repeat(20)] {
            let refused = owned.adopt_token(weak).unwrap_err().to_string();
            assert!(refused.contains("32 or more") && !refused.contains("secret"), "{refused}");
        }
        assert_eq!(owned.token().unwrap().as_deref(), Some(given));
    }

    #[test]
    fn what_a_death_left_half_written_is_gone_after_the_next_start() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("token.new"), "half of a much longer token").unwrap();
        fs::set_permissions(root.path().join("token.new"), Permissions::from_mode(0o600)).unwrap();
        let owned = DataFolder::at(root.path()).own().unwrap();
        let token = owned.make_token().unwrap();
        assert_eq!(owned.token().unwrap(), Some(token));
        owned.worker_id().unwrap();
        let mut names: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["lock", "token", "worker-id"]);
    }

    #[test]
    fn a_file_is_no_folder_and_that_is_said_with_the_mend() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "").unwrap();
        let failure = DataFolder::at(&path).own().unwrap_err().to_string();
        let shown = path.display();
        assert_eq!(
            failure,
            format!("the data folder {shown} is a file; name another folder with --data DIR")
        );
        let failure = DataFolder::at(path.join("below")).own().unwrap_err().to_string();
        assert!(failure.ends_with("not a directory; name another folder with --data DIR"), "{failure}");
    }

    #[test]
    fn an_empty_folder_is_closed_and_somebodys_folder_is_left_alone() {
        let empty = tempfile::tempdir().unwrap();
        let used = tempfile::tempdir().unwrap();
        fs::write(used.path().join("theirs"), "").unwrap();
        for folder in [&empty, &used] {
            fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
            DataFolder::at(folder.path()).own().unwrap();
        }
        assert_eq!((mode(empty.path()), mode(used.path())), (0o700, 0o755));
    }

    #[test]
    fn a_second_owner_is_refused_and_told_who_the_first_is() {
        let root = tempfile::tempdir().unwrap();
        let first = DataFolder::at(root.path()).own().unwrap();
        let server =
            ServerFile { url: "http://127.0.0.1:1".into(), pid: 1, started_at: Timestamp::from_ms(0) };
        first.announce(&server).unwrap();
        assert_eq!(first.server(), Some(server));
        let refused = DataFolder::at(root.path()).own().unwrap_err().to_string();
        let expected =
            format!("is in use by process {}, which listens on http://127.0.0.1:1", std::process::id());
        assert!(refused.contains(&expected), "{refused}");
        first.withdraw();
        drop(first);
        assert!(DataFolder::at(root.path()).own().is_ok_and(|again| again.server().is_none()));
    }
}
