//! Outside: one command from the wish to have it to the end of everything that it started.

use crate::attestation::Attestation;
use crate::blank::Blank;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::proxy::RefusedHost;
use crate::refusal::Error;
use crate::secret_files::SecretFiles;
use crate::stdio::Stdio;
use crate::used::Used;
use crate::walls::Walls;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// A command to run: all that it gets besides what the policy says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Command {
    /// The program: a path, or a name to look for.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its own variables, besides those that are built.
    pub environment: BTreeMap<String, String>,
    /// The folder it starts in, from the workspace; the workspace itself if none is named.
    pub folder: Option<PathBuf>,
    /// The bits of a mode that files which it makes do not get; 027 where nothing is said.
    pub umask: Option<u32>,
    /// The files of secrets that it finds in its private memory; only behind walls.
    #[serde(skip_serializing_if = "SecretFiles::is_empty")]
    pub secret_files: SecretFiles,
}

/// How a command ended. When this is known, everything that it started is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its own end.
    pub how: How,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
    /// The signal by which the supervisor was asked to end it.
    pub stopped_by: Option<i32>,
    /// How many processes were left when the command itself was over.
    pub leftovers: u32,
    /// The limit that it reached, in words.
    pub exceeded: Option<String>,
    /// The hosts that it asked the proxy for and did not get, with the reasons.
    pub refused_hosts: Vec<String>,
    /// How many processes even the kernel did not end.
    pub survivors: usize,
    /// Which walls stood.
    pub attestation: Attestation,
    /// How much of the machine it used.
    pub used: Used,
}

/// A command's own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It left with this status.
    Exited(i32),
    /// This signal ended it.
    Signalled(i32),
    /// It was ended with its namespace.
    Killed,
}

impl How {
    /// Returns the exit status as a shell counts it: 128 and the number for a signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(signal) => 128 + signal,
            Self::Killed => 128 + libc::SIGKILL,
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signalled(signal) => write!(f, "ended by signal {signal}"),
            Self::Killed => f.write_str("killed"),
        }
    }
}

/// What is heard of a command while it runs.
#[derive(Debug)]
pub enum Heard<'a> {
    /// It runs, behind these walls; with this process everything behind them ends.
    Started(&'a Attestation, i32),
    /// It asked the proxy for a host and did not get it.
    HostRefused(&'a RefusedHost),
}

/// Who wants to know of a command, and may want its end.
pub struct Watcher<'a> {
    /// A word on this, or its end, is the wish that the command ends.
    pub lifeline: Option<BorrowedFd<'a>>,
    /// Is told what is heard; may make threads from the start of the command on.
    pub hear: &'a mut dyn FnMut(Heard<'_>),
}

/// Runs a command to its end behind all walls that its policy asks for, or refuses. The environment is that of whoever
/// starts it; of it only what the policy lists goes inside, and to the hosts of injections their credentials.
///
/// Only for a process of one thread, which becomes the supervisor.
pub fn run(
    policy: &Policy,
    command: &Command,
    environment: &BTreeMap<String, String>,
    stdio: Stdio,
    watcher: &mut Watcher<'_>,
) -> Result<Ended, Error> {
    run_in(None, (policy, command), environment, stdio, watcher)
}

/// Does so in an inside that stands already, where there is one that fits.
pub(crate) fn run_in(
    blank: Option<Blank>,
    (policy, command): (&Policy, &Command),
    environment: &BTreeMap<String, String>,
    stdio: Stdio,
    watcher: &mut Watcher<'_>,
) -> Result<Ended, Error> {
    let (plan, start) = Plan::new(policy, command, environment)?;
    Walls::put_up(blank, plan)?.carry_out(&start, environment, stdio, watcher)
}
