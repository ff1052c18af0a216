//! The line to a supervisor: its process, orders one way and words the other. Closing it ends whatever the supervisor
//! has put up.

use super::{Supervisor, TREE_VARIABLE};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use spalla_crash::crash_point;
use spalla_sandbox::{SupervisedOrder, Word};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

/// How long a supervisor may take to leave after its last report, in milliseconds; it has nothing left to do.
const LEAVE_MS: u64 = 5_000;
/// The longest word of a supervisor, in bytes: an attestation with its policy.
const WORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The line to one supervisor.
#[derive(Debug)]
pub(super) struct Line {
    socket: UnixStream,
    unread: Vec<u8>,
    supervisor: Child,
}

impl Line {
    /// Starts a supervisor, and returns the ends of the pipes that its command writes to.
    pub(super) fn open(
        supervisor: &Supervisor,
        label: &str,
        tree: Option<&str>,
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
            .envs(tree.map(|tree| (TREE_VARIABLE, tree)))
            // A supervisor has points of its own; what it starts has none of these variables.
            .envs(spalla_crash::for_supervisor())
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(far)))
            .stdout(Stdio::from(stdout_writer))
            .stderr(Stdio::from(stderr_writer))
            // Its own group: a Ctrl-C at the terminal is the worker's to answer, by draining.
            .process_group(0);
        let supervisor = crash_point!("worker.sandbox.supervisor.spawn", command.spawn())?;
        near.set_nonblocking(true)?;
        let line = Self { socket: UnixStream::from_std(near)?, unread: Vec::new(), supervisor };
        Ok((line, [stdout.into(), stderr.into()]))
    }

    /// Hands over an order, and what its command reads.
    pub(super) async fn send(&mut self, order: &SupervisedOrder, stdin: &[u8]) -> io::Result<()> {
        let bytes = order.to_bytes(stdin)?;
        crash_point!("worker.sandbox.order.send", self.socket.write_all(&bytes).await)
    }

    /// Asks for the end of the command.
    pub(super) async fn wish_end(&mut self) {
        // A supervisor that is gone already answers by its silence, which the next word is.
        let _ = crash_point!("worker.sandbox.end.send", self.socket.write_all(b"!").await);
    }

    /// Returns the next word; none when the supervisor is gone. Nothing is lost when this is dropped half-way.
    pub(super) async fn word(&mut self) -> Option<Word> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            let mut chunk = [0; 1024];
            match self.socket.read(&mut chunk).await {
                Ok(n) if n > 0 && self.unread.len() < WORD_BYTES_MAX => {
                    self.unread.extend_from_slice(&chunk[..n]);
                }
                _ => return None,
            }
        }
    }

    /// Tells whether the supervisor still holds its end.
    pub(super) fn is_open(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peeked = rustix::net::recv(&self.socket, &mut [0_u8; 1][..], flags);
        !matches!(peeked, Ok((0, _)) | Err(Errno::CONNRESET))
    }

    /// Returns the supervisor's process; none once it is reaped.
    pub(super) fn supervisor(&self) -> Option<u32> {
        self.supervisor.id()
    }

    /// Ends a supervisor that does not end its command itself.
    pub(super) fn kill(&mut self) {
        let _ = self.supervisor.start_kill();
    }

    /// Closes the line and waits until the supervisor is gone.
    pub(super) async fn close(mut self) {
        drop(self.socket);
        let limit = Duration::from_millis(LEAVE_MS);
        let reaped = crash_point!(
            "worker.sandbox.supervisor.reap",
            tokio::time::timeout(limit, self.supervisor.wait()).await
        );
        if reaped.is_err() {
            let _ = self.supervisor.kill().await;
        }
    }
}
