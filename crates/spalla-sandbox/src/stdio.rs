//! The three descriptors of a command, and descriptors that travel between init and supervisor. A command gets pipes, and
//! files in memory, never a file of the disk, the terminal or a socket of whoever started it.

use crate::identity::Identity;
use crate::injection::{INJECTIONS_MAX, LISTEN_MAX};
use crate::proxy::relay::RELAYS_MAX;
use crate::refusal::{Error, doing};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, PipeReader, PipeWriter, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How much is handed on at a time, in bytes: what a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the kernel calls the file system of pipes without a name.
const PIPES: i64 = 0x5049_5045;

/// The three descriptors of a command.
#[derive(Debug)]
pub struct Stdio {
    /// What it reads.
    pub stdin: OwnedFd,
    /// What it writes.
    pub stdout: OwnedFd,
    /// What it complains to.
    pub stderr: OwnedFd,
}

/// The other ends of a command's pipes.
#[derive(Debug)]
pub struct Pipes {
    /// What the command reads, where that is a file.
    input: Option<Input>,
    /// What the command writes.
    pub stdout: PipeReader,
    /// What it complains.
    pub stderr: PipeReader,
}

/// A file on its way to a command, which never has the file itself: whoever has a descriptor of their own file, even one to
/// read, changes its mode, its times and its attributes by it.
#[derive(Debug)]
struct Input {
    from: File,
    to: PipeWriter,
}

impl Input {
    /// Hands the file on from where it stands, which stays as it is for whoever else reads it.
    fn hand_on(mut self) {
        let Ok(mut at) = rustix::fs::tell(&self.from) else { return };
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match self.from.read_at(&mut chunk, at) {
                // When nobody reads any more, the rest is nobody's.
                Ok(length) if length > 0 && self.to.write_all(&chunk[..length]).is_ok() => {
                    at += length as u64
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl Stdio {
    /// Makes pipes for what a command writes; it reads what this process does, if that is a pipe or file, else nothing.
    pub fn piped() -> Result<(Self, Pipes), Error> {
        let piping = || doing("making the command's pipes");
        let (stdout, written) = io::pipe().map_err(piping())?;
        let (stderr, complained) = io::pipe().map_err(piping())?;
        let own = io::stdin().as_fd().try_clone_to_owned().map_err(piping())?;
        let kind = rustix::fs::fstat(&own).map(|found| rustix::fs::FileType::from_raw_mode(found.st_mode));
        let (stdin, input) = match kind {
            Ok(rustix::fs::FileType::Fifo) => (own, None),
            Ok(rustix::fs::FileType::RegularFile) => {
                let (stdin, to) = io::pipe().map_err(piping())?;
                (stdin.into(), Some(Input { from: own.into(), to }))
            }
            _ => (File::open("/dev/null").map_err(piping())?.into(), None),
        };
        let stdio = Self { stdin, stdout: written.into(), stderr: complained.into() };
        Ok((stdio, Pipes { input, stdout, stderr }))
    }

    /// Makes the pipes the command's own, so that it can open them again by their names in `/dev`. A pipe that has a name
    /// stays whose it is.
    pub(crate) fn give_to(&self, identity: &Identity) {
        if !identity.is_given_by_root {
            return;
        }
        let owner = identity.outside;
        for fd in [&self.stdin, &self.stdout, &self.stderr] {
            let is_nameless_pipe = rustix::fs::fstatfs(fd).is_ok_and(|found| found.f_type == PIPES);
            if is_nameless_pipe {
                // Without it the command writes all the same, only not by the name.
                let user = rustix::fs::Uid::from_raw(owner.user);
                let _ = rustix::fs::fchown(fd, Some(user), Some(rustix::fs::Gid::from_raw(owner.group)));
            }
        }
    }

    /// Makes them the descriptors 0, 1 and 2 of this process.
    pub(crate) fn take_place(&self) -> io::Result<()> {
        // One of them may stand where another is to be, so all are moved out of the way first.
        let away = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, 10);
        let (stdin, stdout, stderr) = (away(&self.stdin)?, away(&self.stdout)?, away(&self.stderr)?);
        rustix::stdio::dup2_stdin(stdin)?;
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)?;
        Ok(())
    }
}

impl Pipes {
    /// Hands on what the command writes to what this process writes, in threads, so that a reader who waits never
    /// delays the watch over the command.
    pub(crate) fn relay(self) -> Relay {
        if let Some(input) = self.input {
            thread::spawn(move || input.hand_on());
        }
        let (done, over) = sync_channel(2);
        let also_done = done.clone();
        thread::spawn(move || {
            let _ = done.send(hand_on(self.stdout, io::stdout()));
        });
        thread::spawn(move || {
            let _ = also_done.send(hand_on(self.stderr, io::stderr()));
        });
        Relay { over }
    }
}

/// Hands on what comes; the error is one of the side that it is handed on to.
fn hand_on(mut from: PipeReader, mut to: impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            // When nobody reads any more, the command's own pipe is closed: it hears of that as it would without us.
            Ok(length) => match to.write_all(&chunk[..length]).and_then(|()| to.flush()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(()),
        }
    }
}

/// Two threads that hand on what a command writes.
pub(crate) struct Relay {
    over: Receiver<io::Result<()>>,
}

impl Relay {
    /// Waits until all is handed on, but no longer than this; the error is why some of it was not.
    pub(crate) fn finish(self, at_most: Duration) -> io::Result<()> {
        let end = Instant::now() + at_most;
        for _ in 0..2 {
            match self.over.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(handed_on) => handed_on?,
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

/// How many descriptors travel at most: two to watch, the proxy's, and those of relays and of the gateway's doors. The
/// kernel takes 253.
const DESCRIPTORS_MAX: usize = 3 + RELAYS_MAX + INJECTIONS_MAX * LISTEN_MAX;

/// Sends descriptors, with one byte that means nothing.
pub(crate) fn send_descriptors(socket: impl AsFd, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(descriptors));
    sendmsg(socket, &[IoSlice::new(b"v")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives descriptors; gives back the message that came in their stead if there are none.
pub(crate) fn receive_descriptors(socket: impl AsFd) -> io::Result<Result<Vec<OwnedFd>, Vec<u8>>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut message = vec![0; 16 * 1024];
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(&socket, &mut [IoSliceMut::new(&mut message)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    message.truncate(received.bytes);
    let mut came: Vec<OwnedFd> = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = part {
            came.extend(descriptors);
        }
    }
    Ok(if came.is_empty() { Err(message) } else { Ok(came) })
}
