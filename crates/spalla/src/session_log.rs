//! The log file of a session, `orchestrator.log`: bounded, the older lines in files beside it. A process that pursues one session
//! writes all it says there; a server, which pursues many, what each pursuit says to its own.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::fmt::MakeWriter;

/// How long a file of the log grows before the next one begins, in bytes: long enough for a session of a day, short enough to be
/// opened by an editor.
const BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How many files of older lines are kept: `orchestrator.log.1` is the newest of them.
const OLDER: u32 = 3;

tokio::task_local! {
    /// The log of the session that this task pursues.
    static OWN: SessionLog;
}

/// A session's log; cheap to clone. Until it is opened nothing is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionLog(Arc<Mutex<Option<Turning>>>);

/// A file that is turned when it is full.
#[derive(Debug)]
struct Turning {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl SessionLog {
    /// Writes to this file from now on, after what it holds already.
    pub(crate) fn open(&self, path: &Path, file: File) {
        self.set(Turning::new(path, file, BYTES_MAX));
    }

    fn set(&self, turning: Turning) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(turning);
    }

    /// Carries work out whose lines go here, and not to the log of the process.
    pub(crate) async fn hear<T>(self, work: impl Future<Output = T>) -> T {
        OWN.scope(self, work).await
    }

    /// Tells whether anybody would read a line that is said now.
    pub(crate) fn is_open(&self) -> bool {
        let is_open = |log: &Self| log.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        OWN.try_with(is_open).unwrap_or_else(|_| is_open(self))
    }
}

impl<'a> MakeWriter<'a> for SessionLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        OWN.try_with(Self::clone).unwrap_or_else(|_| self.clone())
    }
}

impl Write for SessionLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(turning) => turning.write(line),
            None => Ok(line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Turning {
    fn new(path: &Path, file: File, bytes_max: u64) -> Self {
        let bytes = file.metadata().map_or(0, |data| data.len());
        Self { path: path.to_owned(), file, bytes, bytes_max }
    }

    /// Writes a line whole, to the next file where this one has no room for it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.bytes_max {
            self.turn()?;
        }
        self.file.write_all(line)?;
        self.bytes = self.bytes.saturating_add(length);
        Ok(line.len())
    }

    /// Begins the next file; the oldest one goes.
    fn turn(&mut self) -> io::Result<()> {
        for number in (1..OLDER).rev() {
            moved(&self.older(number), &self.older(number + 1))?;
        }
        moved(&self.path, &self.older(1))?;
        self.file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

/// Moves a file, where it is there.
fn moved(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(path: &Path) -> File {
        OpenOptions::new().create(true).append(true).open(path).unwrap()
    }

    fn read(path: &Path, name: &str) -> Option<String> {
        fs::read_to_string(path.with_file_name(name)).ok()
    }

    #[test]
    fn a_full_log_is_turned_whole_lines_stay_whole_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("l");
        fs::write(&path, "before\n").unwrap();
        let mut log = SessionLog::default();
        assert!(log.write_all(b"heard by nobody\n").is_ok() && !log.is_open());
        log.set(Turning::new(&path, opened(&path), 12));
        for line in ["one\n", "a line longer than a file\n", "two\n", "three\n", "four\n", "five\n", "six\n"]
        {
            log.write_all(line.as_bytes()).unwrap();
        }
        let files = ["l", "l.1", "l.2", "l.3", "l.4"].map(|name| read(&path, name));
        let wanted = [
            Some("six\n"),
            Some("four\nfive\n"),
            Some("two\nthree\n"),
            Some("a line longer than a file\n"),
            None,
        ];
        assert_eq!(files.each_ref().map(Option::as_deref), wanted);
    }

    #[tokio::test]
    async fn what_a_pursuit_says_goes_to_its_own_log_and_all_else_to_that_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, own) = (folder.path().join("whole"), folder.path().join("own"));
        let (of_process, of_session) = (SessionLog::default(), SessionLog::default());
        of_process.open(&whole, opened(&whole));
        of_session.open(&own, opened(&own));
        let say = |line: &str| of_process.make_writer().write_all(line.as_bytes()).unwrap();
        of_session.clone().hear(async { say("mine\n") }).await;
        say("else\n");
        assert_eq!(
            (read(&whole, "own").as_deref(), read(&whole, "whole").as_deref()),
            (Some("mine\n"), Some("else\n"))
        );
    }
}
