//! One process of an agent's command line, born behind the walls: its lines as they come, what is said to it, and its end.
//! Whoever holds it hears it; somebody who outlives every run reads its pipes and ends it with all that it started.

use super::lines::Lines;
use super::speech::Speech;
use crate::executors::agent::memory::Memory;
use crate::sandbox::{CHUNK_BYTES, Child, Ended, PipeReader};
use spalla_adapter::listen::Listener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How many lines the readers may be ahead of whoever understands them.
const LINES_AHEAD: usize = 64;

/// A line of one of the two streams.
pub(super) enum Line {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

/// The hold on a process. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    /// What understands it.
    pub(super) listener: Listener,
    /// The way to its ear; none where it is not spoken with, or not any more.
    pub(super) speech: Option<Speech>,
    lines: mpsc::Receiver<Line>,
    end: CancellationToken,
    _ends_when_dropped: DropGuard,
    ended: oneshot::Receiver<Ended>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::Out(_)) { "Out" } else { "Err" })
    }
}

impl Process {
    /// Takes hold of a process that was just started.
    pub(super) fn of(child: Child, listener: Listener, speech: Option<Speech>, keeper: &Memory) -> Self {
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        let (over, ended) = oneshot::channel();
        let end = CancellationToken::new();
        let stop = end.clone();
        keeper.keep(async move {
            let Child { stdout, stderr, life } = child;
            let (ended, (), ()) = tokio::join!(
                life.ended(async move { stop.cancelled().await }),
                read(stdout, sender.clone(), Line::Out),
                read(stderr, sender, Line::Err),
            );
            // Nobody may wait for it any more.
            let _ = over.send(ended);
        });
        Self { listener, speech, lines, _ends_when_dropped: end.clone().drop_guard(), end, ended }
    }

    /// Returns the next line; none when there are no more.
    pub(super) async fn line(&mut self) -> Option<Line> {
        self.lines.recv().await
    }

    /// Wishes its end.
    pub(super) fn stop(&self) {
        self.end.cancel();
    }

    /// Waits until it and everything that it started is gone. Lines that nobody heard are lost.
    pub(super) async fn ended(mut self) -> Option<Ended> {
        self.speech = None;
        self.lines.close();
        while self.lines.recv().await.is_some() {}
        self.ended.await.ok()
    }
}

/// Reads a stream to its end. The process never waits for what is made of its lines longer than a few of them.
async fn read(mut pipe: PipeReader, lines: mpsc::Sender<Line>, of: fn(Vec<u8>) -> Line) {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut cutter = Lines::default();
    loop {
        let read = pipe.read(&mut buffer).await;
        let mut whole = Vec::new();
        if read == 0 {
            std::mem::take(&mut cutter).finish(|line| whole.push(line.to_vec()));
        } else {
            cutter.push(&buffer[..read], |line| whole.push(line.to_vec()));
        }
        for line in whole {
            // Whoever hears goes on to the end.
            let _ = lines.send(of(line)).await;
        }
        if read == 0 {
            return;
        }
    }
}
