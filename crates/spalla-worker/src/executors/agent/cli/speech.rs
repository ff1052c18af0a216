//! What is said to an agent while it works: lines through a pipe with a name, which its standard input reads. The pipe stands in
//! the run's home, is opened here before the agent begins, and by nobody afterwards.

use crate::sandbox::CommandSpec;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use spalla_crash::crash_point;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::{OpenOptions, Sender};

/// The name of the pipe in the run's home.
const NAME: &str = "input";
/// How long an agent may read nothing of what it is told, before it counts as stuck.
const STUCK_MAX: Duration = Duration::from_secs(60);
/// What the shell does: opens the pipe, and becomes the agent.
const SCRIPT: &str = "from=\"$1\"; shift; exec \"$@\" <\"$from\"";

/// The way to an agent's ear.
#[derive(Debug)]
pub(super) struct Speech {
    path: PathBuf,
    pipe: Sender,
}

impl Speech {
    /// Makes the pipe in the run's home, in the place of one of an earlier turn.
    pub(super) fn make(home: &Path) -> io::Result<Self> {
        let path = home.join(NAME);
        let _ = crash_point!("worker.speech.remove", std::fs::remove_file(&path));
        crash_point!(
            "worker.speech.create",
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        )?;
        // Held open both ways, neither side waits for the other one to come.
        let pipe =
            crash_point!("worker.speech.open", OpenOptions::new().read_write(true).open_sender(&path))?;
        Ok(Self { path, pipe })
    }

    /// Lets a command read what is said.
    pub(super) fn lead_to(&self, spec: &mut CommandSpec) {
        let program = std::mem::replace(&mut spec.program, "/bin/sh".to_owned());
        let words = ["-c", SCRIPT, "sh", &self.path.to_string_lossy(), &program].map(str::to_owned);
        spec.args.splice(0..0, words);
    }

    /// Says a line.
    pub(super) async fn say(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        let said = crash_point!(
            "worker.speech.say",
            tokio::time::timeout(STUCK_MAX, self.pipe.write_all(line.as_bytes())).await
        );
        said.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Walls;
    use std::collections::BTreeMap;
    use std::process::Stdio;
    use tokio::process::Command;

    #[tokio::test]
    async fn a_command_reads_what_is_said_until_nothing_more_is() {
        let home = tempfile::tempdir().unwrap();
        for round in 1..=2 {
            let mut speech = Speech::make(home.path()).unwrap();
            let mut spec = CommandSpec {
                label: "l".into(),
                program: "cat".into(),
                args: vec!["-".into()],
                cwd: home.path().into(),
                env: BTreeMap::new(),
                stdin: vec![],
                timeout_ms: None,
                grace_ms: 0,
                walls: Walls::None,
            };
            speech.lead_to(&mut spec);
            let child = Command::new(&spec.program).args(&spec.args).stdout(Stdio::piped()).spawn().unwrap();
            speech.say("one").await.unwrap();
            speech.say(&format!("it's \"{round}\"")).await.unwrap();
            // The shell opens the pipe at some time of its own; only then is the end of it heard.
            let opened = async { while speech.pipe.writable().await.is_err() {} };
            opened.await;
            let said = tokio::spawn(child.wait_with_output());
            let whole = format!("one\nit's \"{round}\"\n");
            tokio::task::yield_now().await;
            while unread(&speech) > 0 {
                tokio::task::yield_now().await;
            }
            drop(speech);
            assert_eq!(String::from_utf8(said.await.unwrap().unwrap().stdout).unwrap(), whole);
        }
    }

    /// Returns how many bytes nobody has read yet.
    fn unread(speech: &Speech) -> u64 {
        rustix::io::ioctl_fionread(&speech.pipe).unwrap()
    }
}
