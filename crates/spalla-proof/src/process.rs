//! The processes of the soak: each has one owner, and none outlives the soak, however that ends.

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, Command};

/// A server, a worker or a database.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
}

impl Process {
    /// Starts it; what it prints is added to a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log).context("opening a log")?;
        let errors = out.try_clone().context("opening a log")?;
        command.stdin(Stdio::null()).stdout(out).stderr(errors).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).context("it ended at once")?;
        Ok(Self { child, pid: Pid::from_raw(pid) })
    }

    /// Returns its number.
    pub(crate) const fn pid(&self) -> Pid {
        self.pid
    }

    /// Ends it as a crash would, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("killing a process")
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid, signal).with_context(|| format!("sending {signal} to {}", self.pid))
    }

    /// Returns how it ended, where it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn wait(mut self) -> Result<ExitStatus> {
        self.child.wait().await.context("waiting for a process")
    }
}

/// Prepares a program that the kernel ends together with the soak, so that not even a killed soak leaves it behind.
pub(crate) fn bound(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Runs a program to its end and returns what it printed.
pub(crate) async fn output(program: &str, arguments: &[&OsStr]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.with_context(|| format!("running {program}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program} {arguments:?}: {}: {complaint}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
