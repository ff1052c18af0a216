//! The line to a supervisor: its process, orders one way and words the other. Closing it ends whatever the supervisor
//! has put up, by a word where the command would survive its end.

use super::{Supervisor, TREE_VARIABLE};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use spalla_crash::crash_point;
use spalla_sandbox::{SupervisedOrder, Word};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// How long a supervisor may take to leave after its last report, in milliseconds; it has nothing left to do.
const LEAVE_MS: u16 = 5_000;
/// The longest word of a supervisor, in bytes: an attestation with its policy.
const WORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The line to one supervisor.
#[derive(Debug)]
pub(super) struct Line {
    /// None where the supervisor is gone, and only what it said is left.
    socket: Option<UnixStream>,
    unread: Vec<u8>,
    supervisor: Supervised,
    /// Whether the end of the line alone would not be the wish to end.
    is_survived: bool,
}

/// The supervisor's process.
#[derive(Debug)]
enum Supervised {
    /// A child of this process.
    Own(Child),
    /// The child of an earlier one.
    Earlier(Pid, OwnedFd),
    /// It is gone.
    Gone,
}

impl Line {
    /// Starts a supervisor, and returns the ends of the pipes that its command writes to. The mark is in its environment.
    pub(super) fn open(
        supervisor: &Supervisor,
        label: &str,
        mark: Option<&str>,
    ) -> io::Result<(Self, [OwnedFd; 2])> {
        let (near, far) = StdUnixStream::pair()?;
        let (stdout, stdout_writer) = io::pipe()?;
        let (stderr, stderr_writer) = io::pipe()?;
        let mut command = Command::new(&supervisor.program);
        command
            .arg0("spalla")
            .args(&supervisor.args)
            .arg(label)
            .env_clear()
            .envs(mark.map(|mark| (TREE_VARIABLE, mark)))
            // A supervisor has points of its own; what it starts has none of these variables.
            .envs(spalla_crash::for_supervisor())
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(far)))
            .stdout(Stdio::from(stdout_writer))
            .stderr(Stdio::from(stderr_writer))
            // Its own group: a Ctrl-C at the terminal is the worker's to answer, by draining.
            .process_group(0);
        let supervisor = Supervised::Own(crash_point!("worker.sandbox.supervisor.spawn", command.spawn())?);
        near.set_nonblocking(true)?;
        let socket = Some(UnixStream::from_std(near)?);
        let line = Self { socket, unread: Vec::new(), supervisor, is_survived: false };
        Ok((line, [stdout.into(), stderr.into()]))
    }

    /// Makes the line to a supervisor that an earlier process started, once it was connected to.
    pub(super) fn again(near: StdUnixStream) -> io::Result<Self> {
        let peer = rustix::net::sockopt::socket_peercred(&near)?;
        let supervisor = Supervised::Earlier(peer.pid, pidfd_open(peer.pid, PidfdFlags::empty())?);
        near.set_nonblocking(true)?;
        let socket = Some(UnixStream::from_std(near)?);
        Ok(Self { socket, unread: Vec::new(), supervisor, is_survived: true })
    }

    /// Makes a line on which a supervisor that is gone says once more what it said.
    pub(super) fn of_gone(said: Vec<u8>) -> Self {
        Self { socket: None, unread: said, supervisor: Supervised::Gone, is_survived: false }
    }

    /// From now on the supervisor takes only a word for the wish to end.
    pub(super) fn survive(&mut self) {
        self.is_survived = true;
    }

    /// Hands over an order, and what its command reads.
    pub(super) async fn send(&mut self, order: &SupervisedOrder, stdin: &[u8]) -> io::Result<()> {
        let bytes = order.to_bytes(stdin)?;
        let Some(socket) = &mut self.socket else { return Err(io::ErrorKind::NotConnected.into()) };
        crash_point!("worker.sandbox.order.send", socket.write_all(&bytes).await)
    }

    /// Asks for the end of the command.
    pub(super) async fn wish_end(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        // A supervisor that is gone already answers by its silence, which the next word is.
        let _ = crash_point!("worker.sandbox.end.send", socket.write_all(b"!").await);
    }

    /// Returns the next word; none when the supervisor is gone. Nothing is lost when this is dropped half-way.
    pub(super) async fn word(&mut self) -> Option<Word> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            let mut chunk = [0; 1024];
            match self.socket.as_mut()?.read(&mut chunk).await {
                Ok(n) if n > 0 && self.unread.len() < WORD_BYTES_MAX => {
                    self.unread.extend_from_slice(&chunk[..n]);
                }
                _ => return None,
            }
        }
    }

    /// Tells whether the supervisor still holds its end.
    pub(super) fn is_open(&self) -> bool {
        let Some(socket) = &self.socket else { return false };
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peeked = rustix::net::recv(socket, &mut [0_u8; 1][..], flags);
        !matches!(peeked, Ok((0, _)) | Err(Errno::CONNRESET))
    }

    /// Returns the supervisor's process; none once it is reaped.
    pub(super) fn supervisor(&self) -> Option<u32> {
        match &self.supervisor {
            Supervised::Own(child) => child.id(),
            Supervised::Earlier(pid, _) => u32::try_from(pid.as_raw_nonzero().get()).ok(),
            Supervised::Gone => None,
        }
    }

    /// Ends a supervisor that does not end its command itself.
    pub(super) fn kill(&mut self) {
        match &mut self.supervisor {
            Supervised::Own(child) => drop(child.start_kill()),
            Supervised::Earlier(_, handle) => drop(pidfd_send_signal(handle, Signal::KILL)),
            Supervised::Gone => {}
        }
    }

    /// Closes the line and waits until the supervisor is gone.
    pub(super) async fn close(mut self) {
        // Of its command nothing is left, so that there is nothing to wish.
        self.is_survived = false;
        self.socket = None;
        match std::mem::replace(&mut self.supervisor, Supervised::Gone) {
            Supervised::Own(child) => reap(child).await,
            Supervised::Earlier(_, handle) => {
                let _ = tokio::task::spawn_blocking(move || see_out(&handle)).await;
            }
            Supervised::Gone => {}
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let (true, Some(socket)) = (self.is_survived, &self.socket) {
            let _ = rustix::net::send(socket, b"!", SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }
}

async fn reap(mut supervisor: Child) {
    let limit = Duration::from_millis(LEAVE_MS.into());
    let reaped =
        crash_point!("worker.sandbox.supervisor.reap", tokio::time::timeout(limit, supervisor.wait()).await);
    if reaped.is_err() {
        let _ = supervisor.kill().await;
    }
}

/// Waits until a supervisor is gone that somebody else reaps, and ends it where it stays.
fn see_out(handle: &OwnedFd) {
    let mut gone = [nix::poll::PollFd::new(handle.as_fd(), nix::poll::PollFlags::POLLIN)];
    if !nix::poll::poll(&mut gone, nix::poll::PollTimeout::from(LEAVE_MS)).is_ok_and(|ready| ready > 0) {
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
}
