//! One supervisor that was started before anybody wanted a command, so that the first one of a run need not wait until a
//! program is loaded. Nothing was said to it, so that it holds nothing of any run; it serves one command and leaves with it.

use super::line::Line;
use super::{Sandbox, Supervisor};
use spalla_sandbox::{HIDDEN_ARG, WAIT};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The line to a supervisor, and the ends of the pipes that its command writes to.
pub(super) type Opened = (Line, [OwnedFd; 2]);

/// What people see of it in the list of processes until it is told whom it serves; long enough to be written over.
const LABEL: &str = "waits                                                           ";

/// The place of the supervisor that waits.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Place>);

#[derive(Debug, Default)]
enum Place {
    /// Nobody said that one is to wait.
    #[default]
    Off,
    /// None waits, and the next one may.
    Empty,
    /// One waits.
    Taken(Box<Opened>),
    /// The worker leaves, and wants none any more.
    Closed,
}

impl Waiting {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the one that waits, unless it is gone.
    fn take(&self) -> Option<Opened> {
        let mut place = self.place();
        if !matches!(*place, Place::Taken(_)) {
            return None;
        }
        let Place::Taken(opened) = std::mem::replace(&mut *place, Place::Empty) else { return None };
        opened.0.is_open().then_some(*opened)
    }
}

impl Sandbox {
    /// Has a supervisor wait for the next command from now on. Without one, commands only start later.
    pub fn get_ready(&self) {
        let mut place = self.waiting.place();
        if matches!(*place, Place::Off) {
            *place = Place::Empty;
        }
        drop(place);
        self.refill();
    }

    /// Starts a supervisor that waits, where one is to and none does.
    pub(super) fn refill(&self) {
        let mut place = self.waiting.place();
        if !matches!(*place, Place::Empty) {
            return;
        }
        let supervisor = Supervisor {
            program: self.supervisor.program.clone(),
            args: [HIDDEN_ARG, WAIT].map(str::to_owned).to_vec(),
        };
        match Line::open(&supervisor, LABEL, None) {
            Ok(opened) => *place = Place::Taken(Box::new(opened)),
            Err(error) => tracing::debug!(%error, "no supervisor waits for the next command"),
        }
    }

    /// Ends the supervisor that waits, and starts none any more.
    pub async fn leave(&self) {
        let before = std::mem::replace(&mut *self.waiting.place(), Place::Closed);
        if let Place::Taken(opened) = before {
            opened.0.close().await;
        }
    }

    /// Opens the line to a supervisor for a command: the one that waits, or a new one.
    pub(super) fn open(&self, label: &str) -> io::Result<Opened> {
        match self.waiting.take() {
            Some(opened) => Ok(opened),
            None => Line::open(&self.supervisor, label, None),
        }
    }
}
