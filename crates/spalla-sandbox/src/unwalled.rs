//! A command without walls, where the operator's configuration wants none: everything that it starts is still found and
//! ended. The supervisor becomes the parent of whatever the command leaves behind, and goes only when nothing is left.

use crate::attestation::Attestation;
use crate::policy::Policy;
use crate::refusal::{Error, doing};
use crate::stdio::Stdio;
use crate::supervise::{Command, Ended, Heard, How, Watcher};
use crate::tree::{self, KILL_MS_MAX};
use crate::used::Used;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal as UnixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rustix::process::Signal;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process;
use std::time::{Duration, Instant};

/// How often the tree is killed again while the last of it goes, in milliseconds.
const KILL_AGAIN_MS: u64 = 10;
/// How long nothing may happen before the supervisor looks around all the same, in milliseconds.
const LOOK_MS: u64 = 60_000;

/// Runs a command to its end. Only for a process of its own, which becomes the supervisor.
pub(crate) fn run(
    policy: &Policy,
    command: &Command,
    stdio: Stdio,
    watcher: &mut Watcher<'_>,
) -> Result<Ended, Error> {
    let watching = || doing("watching the command");
    nix::sys::prctl::set_child_subreaper(true).map_err(watching())?;
    let main = start(command, stdio)?;
    // Blocked only now, since the command would have inherited it.
    let signals: SigSet = [UnixSignal::SIGCHLD, UnixSignal::SIGTERM, UnixSignal::SIGINT, UnixSignal::SIGHUP]
        .into_iter()
        .collect();
    signals.thread_block().map_err(watching())?;
    let signals =
        SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(watching())?;
    let attestation = Attestation::of_nothing(policy);
    (watcher.hear)(Heard::Started(&attestation, i32::try_from(main).unwrap_or_default()));
    let grace = Duration::from_millis(policy.limits.grace_ms);
    let timeout_at = Instant::now().checked_add(Duration::from_millis(policy.limits.timeout_ms));
    let watch = Watch {
        lifeline: watcher.lifeline,
        signals,
        main,
        grace,
        timeout_at,
        timed_out: false,
        exit: None,
        leftovers: 0,
        ending: None,
    };
    watch.run(attestation).map_err(doing("watching the command"))
}

fn start(order: &Command, stdio: Stdio) -> Result<u32, Error> {
    let folder = order.folder.as_deref().unwrap_or(Path::new("/"));
    // The folder is entered by the child, and its absence would look like that of the program.
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            let source = io::ErrorKind::NotADirectory.into();
            return Err(Error::Path { path: folder.to_owned(), source });
        }
        Err(source) => return Err(Error::Path { path: folder.to_owned(), source }),
    }
    let mut command = process::Command::new(&order.program);
    command.args(&order.arguments).current_dir(folder).env_clear().envs(&order.environment);
    command.stdin(stdio.stdin).stdout(stdio.stdout).stderr(stdio.stderr).process_group(0);
    match command.spawn() {
        Ok(child) => Ok(child.id()),
        Err(error) if matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock) => {
            Err(doing("starting the command")(error))
        }
        Err(error) => Err(Error::Program { program: order.program.clone(), reason: error.to_string() }),
    }
}

/// The command's own end: exit status, or the signal that ended it.
type Exit = (i32, Option<i32>);

/// The tree has been asked to end.
struct Ending {
    kill_at: Instant,
    give_up_at: Instant,
}

/// The watch over one tree.
struct Watch<'a> {
    lifeline: Option<BorrowedFd<'a>>,
    signals: SignalFd,
    main: u32,
    grace: Duration,
    timeout_at: Option<Instant>,
    timed_out: bool,
    exit: Option<Exit>,
    leftovers: u32,
    ending: Option<Ending>,
}

impl Watch<'_> {
    fn run(mut self, attestation: Attestation) -> io::Result<Ended> {
        loop {
            let all_gone = self.reap()?;
            if all_gone {
                return Ok(self.ended(0, attestation));
            }
            if self.exit.is_some() && self.ending.is_none() {
                self.leftovers = u32::try_from(self.living().len()).unwrap_or(u32::MAX);
                self.end();
            }
            if self.is_given_up() {
                let survivors = self.living().len();
                return Ok(self.ended(survivors, attestation));
            }
            if self.ending.is_none() && self.timeout_at.is_some_and(|at| Instant::now() >= at) {
                self.timed_out = true;
                self.end();
            }
            let (spoken, signalled) = self.wait()?;
            if spoken {
                // It says nothing more: once is enough.
                self.lifeline = None;
                self.end();
            }
            if signalled && self.was_told_to_go() {
                self.end();
            }
        }
    }

    /// Takes the status of every child that is over; tells whether none is left. A child that was orphaned by
    /// its parent became ours, so no children means no tree.
    fn reap(&mut self) -> io::Result<bool> {
        loop {
            let ended = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, (code, None)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, (0, Some(signal as i32))),
                Ok(WaitStatus::StillAlive) => return Ok(false),
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(Errno::ECHILD) => return Ok(true),
                Err(error) => return Err(error.into()),
            };
            if ended.0.as_raw().unsigned_abs() == self.main {
                self.exit = Some(ended.1);
            }
        }
    }

    fn living(&self) -> Vec<u32> {
        tree::descendants(process::id())
    }

    /// Asks the whole tree to end; what is stopped is woken, since it could not hear otherwise.
    fn end(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let now = Instant::now();
        let kill_at = now + self.grace;
        self.ending = Some(Ending { kill_at, give_up_at: kill_at + Duration::from_millis(KILL_MS_MAX) });
        if !self.grace.is_zero() {
            tree::signal_descendants(process::id(), Signal::TERM);
            tree::signal_descendants(process::id(), Signal::CONT);
        }
    }

    fn is_given_up(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| Instant::now() >= ending.give_up_at)
    }

    /// Waits for whoever holds the lifeline, a signal, or the time to kill; kills when that has come.
    fn wait(&self) -> io::Result<(bool, bool)> {
        let now = Instant::now();
        let until = |at: Instant| {
            let left = at.saturating_duration_since(now).as_millis();
            u64::try_from(left).unwrap_or(LOOK_MS).clamp(1, LOOK_MS)
        };
        let timeout_ms = match (&self.ending, self.timeout_at) {
            (Some(ending), _) if now >= ending.kill_at => {
                tree::signal_descendants(process::id(), Signal::KILL);
                KILL_AGAIN_MS
            }
            (Some(ending), _) => until(ending.kill_at),
            (None, Some(timeout_at)) => until(timeout_at),
            (None, None) => LOOK_MS,
        };
        let mut ready = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        ready.extend(self.lifeline.map(|lifeline| PollFd::new(lifeline, PollFlags::POLLIN)));
        match poll(&mut ready, u16::try_from(timeout_ms).unwrap_or(u16::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let by = |at: usize| ready.get(at).is_some_and(|ready| ready.any().unwrap_or(true));
        Ok((by(1), by(0)))
    }

    /// Reads the signals that came; tells whether one asked the supervisor itself to go.
    fn was_told_to_go(&self) -> bool {
        let mut told = false;
        while let Ok(Some(signal)) = self.signals.read_signal() {
            told |= signal.ssi_signo != UnixSignal::SIGCHLD as u32;
        }
        told
    }

    fn ended(&self, survivors: usize, attestation: Attestation) -> Ended {
        let how = match self.exit {
            Some((_, Some(signal))) => How::Signalled(signal),
            Some((code, None)) => How::Exited(code),
            None => How::Killed,
        };
        Ended {
            how,
            timed_out: self.timed_out,
            stopped_by: None,
            leftovers: self.leftovers,
            exceeded: None,
            refused_hosts: Vec::new(),
            survivors,
            attestation,
            used: Used::of(None, None, None),
        }
    }
}
