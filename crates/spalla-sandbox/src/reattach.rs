//! In a supervisor whose command survives: the line to whoever wanted the command, and, when they are gone, to whoever
//! shows within the grace that it is theirs.
//!
//! Whatever is said is written down as well, and said again to who comes later. The end of the line is no wish to end: only
//! a word is, and the end of the grace.

use crate::order::{self, Word};
use crate::survival::{Claim, Survival};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::net::RecvFlags;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long somebody may take to show their claim, and to take what is said, in milliseconds.
const PATIENCE_MS: u64 = 5_000;
/// The longest claim, in bytes.
const CLAIM_BYTES_MAX: usize = 200;
/// How long nothing may happen before the thread looks around all the same, in milliseconds.
const LOOK_MS: u128 = 60_000;

/// How often the supervisor sees that the thread is there while it waits for it, in milliseconds.
const LOOK_AT_THREAD_MS: u64 = 1_000;

/// The line, as the supervisor speaks on it.
pub(crate) struct Line {
    shared: Arc<Shared>,
    waiting: Option<Tending>,
    tending: Option<(JoinHandle<()>, PipeWriter)>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    said: Vec<u8>,
    written: File,
    near: Option<UnixStream>,
    /// The last word was said to somebody.
    is_told: bool,
    /// The last word was said.
    is_over: bool,
    /// Nobody came in time.
    is_lost: bool,
}

/// What the thread has that looks after the line.
struct Tending {
    shared: Arc<Shared>,
    survival: Survival,
    listener: UnixListener,
    near: Option<UnixStream>,
    wish: PipeWriter,
}

impl Line {
    /// Makes the line of a command that is not started yet, over the socket of whoever wants it, and what a watch over
    /// the command takes for the lifeline: it says something when the command is to end.
    pub(crate) fn open(survival: &Survival, near: UnixStream) -> io::Result<(Self, PipeReader)> {
        // First: who finds the name taken must not begin.
        let written = survival.create(survival.words())?;
        let listener = survival.listen()?;
        near.set_write_timeout(Some(Duration::from_millis(PATIENCE_MS)))?;
        let (lifeline, wish) = io::pipe()?;
        let state = State {
            said: Vec::new(),
            written,
            near: Some(near.try_clone()?),
            is_told: false,
            is_over: false,
            is_lost: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let near = Some(near);
        let waiting =
            Tending { shared: Arc::clone(&shared), survival: survival.clone(), listener, near, wish };
        Ok((Self { shared, waiting: Some(waiting), tending: None }, lifeline))
    }

    /// Looks after the line from now on, in a thread: only once the command runs.
    pub(crate) fn tend(&mut self) {
        let (Some(tending), Ok((ended, over))) = (self.waiting.take(), io::pipe()) else { return };
        self.tending = Some((thread::spawn(move || tending.run(&ended)), over));
    }

    /// Says something, and writes it down.
    pub(crate) fn say(&self, word: &Word) {
        let Ok(line) = word.to_line() else { return };
        let mut state = self.shared.lock();
        // Without the file, whoever comes later is still told.
        let _ = state.written.write_all(&line);
        state.said.extend(&line);
        state.is_over |= word.is_last();
        if let Some(near) = &state.near {
            match order::send(&line, near) {
                Ok(()) => state.is_told |= word.is_last(),
                Err(_) => state.lose(),
            }
        }
    }

    /// Tells whether the command was ended because nobody came in time.
    pub(crate) fn is_lost(&self) -> bool {
        self.shared.lock().is_lost
    }

    /// Waits until somebody was told the last word, or the grace is over; tells whether somebody was.
    pub(crate) fn finish(mut self) -> bool {
        let Some((thread, over)) = self.tending.take() else { return self.shared.lock().is_told };
        // A thread that broke lets nobody in any more.
        while !thread.is_finished() && self.shared.lock().waits() {
            let look = Duration::from_millis(LOOK_AT_THREAD_MS);
            drop(self.shared.changed.wait_timeout_while(self.shared.lock(), look, |state| state.waits()));
        }
        let is_told = self.shared.lock().is_told;
        drop(over);
        let _ = thread.join();
        is_told
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells whether somebody may still come for the last word.
    fn waits(&self) -> bool {
        !self.is_told && !self.is_lost
    }

    /// Whoever was there is gone.
    fn lose(&mut self) {
        if let Some(near) = self.near.take() {
            let _ = near.shutdown(Shutdown::Both);
        }
    }
}

/// What ended a wait.
struct Woken {
    by_end: bool,
    by_newcomer: bool,
    by_near: bool,
}

impl Tending {
    fn run(mut self, ended: &PipeReader) {
        let grace = Duration::from_millis(self.survival.grace_ms);
        let mut alone_since: Option<Instant> = None;
        loop {
            let left = alone_since.map(|since| grace.saturating_sub(since.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return self.give_up();
            }
            let woken = self.wait(ended, left);
            if woken.by_end {
                return;
            }
            if woken.by_near {
                self.hear();
            }
            if woken.by_newcomer
                && let Ok((newcomer, _)) = self.listener.accept()
                && self.admit(&newcomer).is_ok()
            {
                self.near = Some(newcomer);
            }
            alone_since = match self.near {
                Some(_) => None,
                None => alone_since.or_else(|| Some(Instant::now())),
            };
        }
    }

    fn wait(&self, ended: &PipeReader, at_most: Option<Duration>) -> Woken {
        let mut ready = vec![
            PollFd::new(ended.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        ready.extend(self.near.as_ref().map(|near| PollFd::new(near.as_fd(), PollFlags::POLLIN)));
        let at_most_ms = at_most.map_or(LOOK_MS, |left| left.as_millis().min(LOOK_MS));
        let at_most_ms = u16::try_from(at_most_ms).unwrap_or(u16::MAX).saturating_add(1);
        let _ = poll(&mut ready, PollTimeout::from(at_most_ms));
        let by = |at: usize| ready.get(at).is_some_and(|ready| ready.any().unwrap_or(true));
        Woken { by_end: by(0), by_newcomer: by(1), by_near: by(2) }
    }

    /// Reads what whoever is there says: any word is the wish to end. Its end is no wish.
    fn hear(&mut self) {
        let Some(near) = &self.near else { return };
        match rustix::net::recv(near, &mut [0_u8; 16][..], RecvFlags::DONTWAIT) {
            Ok((length, _)) if length > 0 => self.wish_end(),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            _ => {
                self.near = None;
                self.shared.lock().lose();
            }
        }
    }

    /// Lets somebody in who is of the same user and shows the claim, in the place of whoever was there before, and says
    /// to them all that was said.
    fn admit(&self, newcomer: &UnixStream) -> io::Result<()> {
        let peer = rustix::net::sockopt::socket_peercred(newcomer)?;
        let patience = Some(Duration::from_millis(PATIENCE_MS));
        newcomer.set_read_timeout(patience)?;
        newcomer.set_write_timeout(patience)?;
        let is_own = peer.uid == rustix::process::geteuid();
        if !is_own || claim_of(newcomer)? != self.survival.claim {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let mut state = self.shared.lock();
        order::send(&state.said, newcomer)?;
        state.lose();
        state.near = Some(newcomer.try_clone()?);
        state.is_told |= state.is_over;
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn give_up(mut self) {
        self.shared.lock().is_lost = true;
        self.shared.changed.notify_all();
        self.wish_end();
    }

    fn wish_end(&mut self) {
        // The watch over the command may have ended with it.
        let _ = self.wish.write_all(b"!");
    }
}

fn claim_of(mut newcomer: &UnixStream) -> io::Result<Claim> {
    let mut line = Vec::new();
    // One byte at a time: what follows the claim is already the wish to end.
    let mut byte = [0];
    while line.len() < CLAIM_BYTES_MAX {
        newcomer.read_exact(&mut byte)?;
        match byte {
            [b'\n'] => return Ok(serde_json::from_slice(&line)?),
            [byte] => line.push(byte),
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}
