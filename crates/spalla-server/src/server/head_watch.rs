//! A socket that watches the heads of the requests that come in: a head has to be complete in time, however long the
//! connection may be idle, and heads that say two lengths are marked for the entrance.

use super::head::{Framing, HeadFault};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How long a head may take from its first byte to its last, and the first one from the beginning of the connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The watched socket.
pub(super) struct HeadWatch {
    stream: TcpStream,
    framing: Framing,
    deadline: Option<Pin<Box<Sleep>>>,
    heads: Heads,
}

/// What the watch found, for whoever answers the requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Heads(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    /// Heads that were read.
    read: u64,
    /// Heads that were answered.
    answered: u64,
    /// The number of each head that has a fault, in order. Bounded by what one read of the socket can hold, since the
    /// connection ends with the first.
    faults: VecDeque<(u64, HeadFault)>,
}

impl Heads {
    /// Returns the fault of the next request; they are asked for in the order in which they came.
    pub(super) fn next_fault(&self) -> Option<HeadFault> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = found.answered;
        found.answered += 1;
        let fault = found.faults.pop_front_if(|(faulty, _)| *faulty <= number)?;
        Some(fault.1)
    }

    fn judge(&self, fault: Option<HeadFault>) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = found.read;
        found.read += 1;
        found.faults.extend(fault.map(|fault| (number, fault)));
    }
}

impl HeadWatch {
    /// Watches a fresh connection.
    pub(super) fn new(stream: TcpStream) -> (Self, Heads) {
        let heads = Heads::default();
        let deadline = Some(Box::pin(tokio::time::sleep(HEAD_TIMEOUT)));
        (Self { stream, framing: Framing::new(), deadline, heads: heads.clone() }, heads)
    }

    /// Starts the clock at a head's first byte, and stops it at the last.
    fn watch_clock(&mut self) {
        if !self.framing.is_within_head() {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(Box::pin(tokio::time::sleep(HEAD_TIMEOUT)));
        }
    }
}

impl AsyncRead for HeadWatch {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buf) {
            Poll::Ready(Ok(())) => {
                let this = &mut *self;
                let heads = &this.heads;
                this.framing.feed(&buf.filled()[before..], |fault| heads.judge(fault));
                this.watch_clock();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let Some(deadline) = self.deadline.as_mut() else { return Poll::Pending };
                ready!(deadline.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the head of a request did not arrive in time",
                )))
            }
        }
    }
}

impl AsyncWrite for HeadWatch {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
