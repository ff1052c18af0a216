//! The wishes of a person or of the system to end: SIGTERM and SIGINT, counted.

use crate::failure::{Failure, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens to both signals; from its making on they no longer end the process by themselves.
#[derive(Debug)]
pub(crate) struct Signals(Option<Heard>);

#[derive(Debug)]
struct Heard {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen() -> Result<Self> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::failed(format!("listening to signals: {error}")));
        let heard = Heard {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        };
        Ok(Self(Some(heard)))
    }

    /// Never hears of any: for what the process itself ends.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Waits for the next signal and returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        let Some(heard) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = heard.terminate.recv() => "SIGTERM",
            _ = heard.interrupt.recv() => "SIGINT",
        }
    }

    /// Waits for the next signal; not at all where one has come that ended everything.
    pub(crate) async fn wait_unless(&mut self, has_come: bool) {
        if !has_come {
            self.wait().await;
        }
    }

    /// Waits for the next signal, whichever it is.
    pub(crate) async fn wait(&mut self) {
        self.next().await;
    }
}
