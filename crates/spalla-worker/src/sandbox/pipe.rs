//! The reading end of a command's output. It ends when the command's tree is gone and the pipe is empty, even if
//! a process outside the tree still holds the other end.

use std::io;
use std::os::fd::OwnedFd;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio_util::sync::CancellationToken;

/// The most that is read after the tree is gone, in bytes: the most that a pipe can hold.
const REST_BYTES_MAX: usize = 1024 * 1024;
/// How much is read at once, in bytes: what a pipe holds by default.
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;

/// The reading end of one pipe.
#[derive(Debug)]
pub(crate) struct PipeReader {
    pipe: Receiver,
    over: CancellationToken,
    rest_bytes: usize,
}

impl PipeReader {
    pub(super) fn new(pipe: OwnedFd, over: CancellationToken) -> io::Result<Self> {
        Ok(Self { pipe: Receiver::from_owned_fd(pipe)?, over, rest_bytes: 0 })
    }

    /// Reads some bytes; 0 is the end.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> usize {
        if !self.over.is_cancelled() {
            tokio::select! {
                biased;
                read = self.pipe.read(buffer) => return read.unwrap_or(0),
                () = self.over.cancelled() => {}
            }
        }
        if self.rest_bytes >= REST_BYTES_MAX {
            return 0;
        }
        // Asked of the kernel itself: the runtime may not have heard yet that there is something to read. The pipe
        // does not block, so an empty one that somebody still holds is an error, and the end.
        let read = rustix::io::read(&self.pipe, buffer).unwrap_or(0);
        self.rest_bytes += read;
        read
    }

    /// Reads to the end and hands on each piece as it comes.
    pub(super) async fn each(&mut self, mut hand_on: impl FnMut(&[u8])) {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            match self.read(&mut buffer).await {
                0 => return,
                read => hand_on(&buffer[..read]),
            }
        }
    }

    /// Reads to the end and keeps the beginning; tells whether there was more.
    pub(super) async fn keep(&mut self, bytes_max: usize) -> (Vec<u8>, bool) {
        let mut kept = Vec::new();
        let mut cut = false;
        let keep = |bytes: &[u8]| {
            let room = bytes.len().min(bytes_max - kept.len());
            kept.extend_from_slice(&bytes[..room]);
            cut |= room < bytes.len();
        };
        self.each(keep).await;
        (kept, cut)
    }
}
