//! In a supervisor whose command survives: reads what the command writes into its file, in a thread, so that the command
//! needs nobody else to read it.

use crate::output_file::{FRAME_BYTES_MAX, OutputStream, OutputWriter};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::thread::{self, JoinHandle};

/// The most that is read of a stream when nothing of the command is left, in bytes: the most that a pipe can hold.
const REST_BYTES_MAX: usize = 1024 * 1024;

/// How many bytes are thrown away at a stretch,
const STRETCH_BYTES: u64 = 512 * 1024;
/// and how long the command waits then, in milliseconds: one that writes without end leaves the processors to others.
const PAUSE_MS: u8 = 4;

/// The thread, and the end of the pipe by whose end it knows that nothing of the command is left.
pub(crate) struct Pump {
    thread: JoinHandle<u64>,
    over: PipeWriter,
}

/// What the thread has.
struct Pumping {
    pipes: [(OutputStream, Option<PipeReader>); 2],
    over: PipeReader,
    output: OutputWriter,
    chunk: Vec<u8>,
    /// How much was thrown away at the last pause.
    paused_at: u64,
}

impl Pump {
    /// Begins to read both pipes to their ends.
    pub(crate) fn start([stdout, stderr]: [PipeReader; 2], output: OutputWriter) -> io::Result<Self> {
        for pipe in [&stdout, &stderr] {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        let (ended, over) = io::pipe()?;
        let pipes = [(OutputStream::Stdout, Some(stdout)), (OutputStream::Stderr, Some(stderr))];
        let pumping = Pumping { pipes, over: ended, output, chunk: vec![0; FRAME_BYTES_MAX], paused_at: 0 };
        Ok(Self { thread: thread::spawn(move || pumping.run()), over })
    }

    /// Nothing of the command is left: reads what it wrote last, and returns how many bytes are not in the file. A pipe
    /// that somebody else still holds is not waited for.
    pub(crate) fn finish(self) -> u64 {
        drop(self.over);
        self.thread.join().unwrap_or_default()
    }
}

impl Pumping {
    fn run(mut self) -> u64 {
        while self.pipes.iter().any(|(_, pipe)| pipe.is_some()) {
            let is_over = self.wait();
            for at in 0..self.pipes.len() {
                let mut rest = if is_over { REST_BYTES_MAX } else { 1 };
                while rest > 0 {
                    match self.read(at) {
                        0 => break,
                        read => rest = rest.saturating_sub(read),
                    }
                }
            }
            if is_over {
                break;
            }
        }
        self.output.dropped()
    }

    /// Waits for something to read; tells whether nothing of the command is left.
    fn wait(&self) -> bool {
        let mut ready = vec![PollFd::new(self.over.as_fd(), PollFlags::POLLIN)];
        let open = self.pipes.iter().filter_map(|(_, pipe)| pipe.as_ref());
        ready.extend(open.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        while let Err(nix::errno::Errno::EINTR) = poll(&mut ready, PollTimeout::NONE) {}
        ready.first().is_none_or(|over| over.any().unwrap_or(true))
    }

    /// Reads what one pipe has now; 0 where that is nothing.
    fn read(&mut self, at: usize) -> usize {
        let Some((stream, pipe)) = self.pipes.get_mut(at) else { return 0 };
        let Some(open) = pipe else { return 0 };
        match rustix::io::retry_on_intr(|| rustix::io::read(&*open, &mut self.chunk[..])) {
            Ok(read) if read > 0 => {
                self.output.add(*stream, &self.chunk[..read]);
                if self.output.dropped() >= self.paused_at + STRETCH_BYTES {
                    self.paused_at = self.output.dropped();
                    let _ = poll(&mut [], PollTimeout::from(PAUSE_MS));
                }
                read
            }
            Err(rustix::io::Errno::AGAIN) => 0,
            _ => {
                *pipe = None;
                0
            }
        }
    }
}
