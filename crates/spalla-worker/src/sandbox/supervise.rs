//! The supervisor: a process of one thread between the worker and one command. It starts the command, becomes the
//! parent of whatever the command leaves behind, and goes only when nothing of it is left.

use super::order::{Order, Report};
use super::tree::{self, KILL_MS_MAX};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal as UnixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rustix::process::Signal;
use spalla_crash::crash_point;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The hidden first argument that makes the program a supervisor.
pub const SUPERVISE_ARG: &str = "__supervise";
/// How often the tree is killed again while the last of it goes, in milliseconds.
const KILL_AGAIN_MS: u64 = 10;
/// How long nothing may happen before the supervisor looks around all the same, in milliseconds.
const LOOK_MS: u64 = 60_000;

/// Runs as a supervisor. Its standard input is the socket to the worker; the arguments are only for a person who
/// reads the list of processes.
pub fn supervise_main(_args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match supervise() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "spalla: the supervisor can't go on: {error}");
            ExitCode::FAILURE
        }
    }
}

fn supervise() -> io::Result<()> {
    close_foreign_descriptors()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (order, stdin) = Order::read(&socket)?;
    nix::sys::prctl::set_child_subreaper(true)?;
    let main = match start(&order, &stdin) {
        Ok(pid) => pid,
        Err(error) => {
            let missing = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
            return Report::NotStarted { reason: error.to_string(), missing }.write(&socket);
        }
    };
    // Blocked only now, since the command would have inherited it.
    let mut signals = SigSet::empty();
    for signal in [UnixSignal::SIGCHLD, UnixSignal::SIGTERM, UnixSignal::SIGINT, UnixSignal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    // A worker that is gone is seen by the watch as the end of the socket.
    let _ = Report::Started { pid: main }.write(&socket);
    let grace = Duration::from_millis(order.grace_ms.max(0).unsigned_abs());
    let report =
        Watch { socket: &socket, signals, main, grace, exit: None, leftovers: 0, ending: None }.run()?;
    let _ = report.write(&socket);
    Ok(())
}

/// Closes what the worker itself was born with and never meant to hand on. Nothing of ours is open yet.
fn close_foreign_descriptors() -> io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The folder that was just read is among them, and closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

fn start(order: &Order, stdin: &[u8]) -> io::Result<u32> {
    let input = if stdin.is_empty() { Stdio::null() } else { Stdio::from(memory_file(stdin)?) };
    // The folder is entered by the child, and its absence looks like that of the program.
    if !std::fs::metadata(&order.cwd)?.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    let mut command = Command::new(&order.program);
    command.args(&order.args).current_dir(&order.cwd).env_clear().envs(&order.env);
    command.stdin(input).process_group(0);
    let child = crash_point!("supervisor.command.spawn", command.spawn())?;
    Ok(child.id())
}

fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("stdin", rustix::fs::MemfdFlags::CLOEXEC)?);
    io::copy(&mut &*bytes, &mut file)?;
    file.rewind()?;
    Ok(file)
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
    socket: &'a UnixStream,
    signals: SignalFd,
    main: u32,
    grace: Duration,
    exit: Option<Exit>,
    leftovers: u32,
    ending: Option<Ending>,
}

impl Watch<'_> {
    fn run(mut self) -> io::Result<Report> {
        let mut connected = true;
        loop {
            let all_gone = self.reap()?;
            if all_gone {
                return Ok(self.report(0));
            }
            if self.exit.is_some() && self.ending.is_none() {
                self.leftovers = u32::try_from(self.living().len()).unwrap_or(u32::MAX);
                self.end();
            }
            if self.is_given_up() {
                let survivors = u32::try_from(self.living().len()).unwrap_or(u32::MAX);
                return Ok(self.report(survivors));
            }
            let (spoken, signalled) = self.wait(connected)?;
            if spoken {
                connected = false;
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
            let ended =
                match crash_point!("supervisor.command.reap", waitpid(None, Some(WaitPidFlag::WNOHANG))) {
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
        tree::descendants(std::process::id())
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
            tree::signal_descendants(std::process::id(), Signal::TERM);
            tree::signal_descendants(std::process::id(), Signal::CONT);
        }
    }

    fn is_given_up(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| Instant::now() >= ending.give_up_at)
    }

    /// Waits for a word of the worker, a signal, or the time to kill; kills when that has come.
    fn wait(&self, connected: bool) -> io::Result<(bool, bool)> {
        let timeout_ms = match &self.ending {
            None => LOOK_MS,
            Some(ending) => match ending.kill_at.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => {
                    u64::try_from(left.as_millis()).unwrap_or(LOOK_MS).clamp(1, LOOK_MS)
                }
                _ => {
                    tree::signal_descendants(std::process::id(), Signal::KILL);
                    KILL_AGAIN_MS
                }
            },
        };
        let mut ready = [
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
        ];
        let watched = if connected { &mut ready[..] } else { &mut ready[..1] };
        match poll(watched, u16::try_from(timeout_ms).unwrap_or(u16::MAX)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let spoken = connected && watched[1].any().unwrap_or(true);
        if spoken {
            let _ = (&mut &*self.socket).read(&mut [0; 16]);
        }
        Ok((spoken, watched[0].any().unwrap_or(true)))
    }

    /// Reads the signals that came; tells whether one asked the supervisor itself to go.
    fn was_told_to_go(&self) -> bool {
        let mut told = false;
        while let Ok(Some(signal)) = self.signals.read_signal() {
            told |= signal.ssi_signo != UnixSignal::SIGCHLD as u32;
        }
        told
    }

    fn report(&self, survivors: u32) -> Report {
        let (code, signal) = self.exit.unwrap_or((0, Some(UnixSignal::SIGKILL as i32)));
        Report::Ended { code, signal, leftovers: self.leftovers, survivors }
    }
}
