//! How a command outlives whoever wanted it: the files that its supervisor keeps meanwhile, and the way back to it.
//!
//! ```text
//! <folder>/<name>.words     all that the supervisor has said, as it said it
//! <folder>/<name>.output    what the command wrote, in frames, up to a bound
//! <folder>/<name>.socket    where whoever shows the claim takes the command up again
//! ```
//! The folder lies outside of every workspace and is its owner's alone: nothing behind walls sees it.

use crate::order::Word;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The most that is read of what a supervisor said, in bytes: an attestation with its policy, and hosts.
const WORDS_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What lets a command outlive whoever wanted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survival {
    /// The folder of its files, which is there and its owner's alone.
    pub folder: PathBuf,
    /// How the names of its files begin; no other command has it.
    pub name: String,
    /// What whoever takes it up again has to show.
    pub claim: Claim,
    /// How long it goes on alone before it is ended, in milliseconds.
    pub grace_ms: u64,
    /// How much of its output is kept, in bytes.
    pub output_bytes_max: u64,
}

/// Whose a command is: a run, under the newest of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The run.
    pub run_id: i64,
    /// The token of its lease.
    pub fencing_token: i64,
}

impl Survival {
    /// Returns the file of what the command writes.
    pub fn output(&self) -> PathBuf {
        self.file("output")
    }

    /// Returns the file of what the supervisor says.
    pub fn words(&self) -> PathBuf {
        self.file("words")
    }

    /// Returns the socket.
    pub fn socket(&self) -> PathBuf {
        self.file("socket")
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// Connects to the supervisor and shows the claim. Whoever shows a wrong one sees the connection end.
    pub fn connect(&self) -> io::Result<UnixStream> {
        let (_folder, near) = self.near()?;
        let mut stream = UnixStream::connect(near)?;
        let mut claim = serde_json::to_vec(&self.claim)?;
        claim.push(b'\n');
        stream.write_all(&claim)?;
        Ok(stream)
    }

    /// Returns what the supervisor has said; none where it never began.
    pub fn said(&self) -> Option<Vec<u8>> {
        let mut said = Vec::new();
        let opened = OpenOptions::new().read(true).open(self.words());
        opened.and_then(|file| file.take(WORDS_BYTES_MAX).read_to_end(&mut said)).ok()?;
        Some(said)
    }

    /// Sees to it that no supervisor begins any more: tells whether none had. One that comes later finds its name taken.
    pub fn forestall(&self) -> bool {
        self.create(self.words()).is_ok()
    }

    /// Makes one of the files, which must not be there, for its owner alone.
    pub(crate) fn create(&self, path: PathBuf) -> io::Result<std::fs::File> {
        OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
    }

    /// Listens at the socket.
    pub(crate) fn listen(&self) -> io::Result<UnixListener> {
        let (_folder, near) = self.near()?;
        let listener = UnixListener::bind(&near)?;
        rustix::fs::chmod(&near, Mode::RUSR | Mode::WUSR)?;
        Ok(listener)
    }

    /// Returns the socket by way of its open folder: a socket's path may have no more than 107 bytes, a folder's any
    /// number.
    fn near(&self) -> io::Result<(OwnedFd, PathBuf)> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&self.folder, flags, Mode::empty())?;
        let near = format!("/proc/self/fd/{}/{}.socket", folder.as_raw_fd(), self.name);
        Ok((folder, near.into()))
    }
}

/// Tells whether the last of a supervisor's words is among these.
pub fn says_the_end(said: &[u8]) -> bool {
    let words = said.split(|byte| *byte == b'\n');
    words.filter_map(|line| serde_json::from_slice(line).ok()).any(|word: Word| word.is_last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn survival(folder: PathBuf) -> Survival {
        let claim = Claim { run_id: 7, fencing_token: 2 };
        Survival { folder, name: "a".into(), claim, grace_ms: 1, output_bytes_max: 1 }
    }

    #[test]
    fn a_socket_is_reached_however_long_the_path_of_its_folder_is() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("x".repeat(200));
        std::fs::create_dir(&folder).unwrap();
        let survival = survival(folder);
        let listener = survival.listen().unwrap();
        let near = survival.connect().unwrap();
        let (mut far, _) = listener.accept().unwrap();
        drop(near);
        let mut shown = String::new();
        far.read_to_string(&mut shown).unwrap();
        assert_eq!(shown, "{\"run_id\":7,\"fencing_token\":2}\n");
        assert_eq!(std::fs::metadata(survival.socket()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_supervisor_that_comes_too_late_finds_its_name_taken() {
        let top = tempfile::tempdir().unwrap();
        let survival = survival(top.path().into());
        assert_eq!(survival.said(), None);
        assert!(survival.forestall() && !survival.forestall());
        assert!(survival.create(survival.words()).is_err());
        assert_eq!(survival.said(), Some(Vec::new()));
    }
}
