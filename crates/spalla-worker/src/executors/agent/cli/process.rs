//! One process of an agent's command line, born behind the walls: its lines as they come, what is said to it, and its end.
//! Whoever holds it hears it; somebody who outlives every run reads its pipes and ends it with all that it started.

use super::lines::Lines;
use super::speech::Speech;
use crate::executors::agent::keeper::Keeper;
use crate::refusals::Refusals;
use crate::sandbox::{CHUNK_BYTES, Child, Ended, PipeReader};
use spalla_adapter::listen::Listener;
use spalla_sandbox::Attestation;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
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
    /// What hosts it is refused, where it serves several runs.
    pub(super) refusals: Option<Refusals>,
    /// What it cost until the end of its last turn, in US dollars.
    pub(super) cost_usd: f64,
    /// Which walls stand around it.
    pub(super) attestation: Option<Attestation>,
    /// The first process of its tree, and the processes that were there before it was asked for anything.
    first: i32,
    own: Option<BTreeSet<i32>>,
    /// The program that offers it the tools of the server, which it starts when it wants.
    tools: Option<PathBuf>,
    lines: mpsc::Receiver<Line>,
    end: CancellationToken,
    gone: CancellationToken,
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
    pub(super) fn of(
        child: Child,
        (listener, speech): (Listener, Option<Speech>),
        tools: Option<PathBuf>,
        keeper: &Keeper,
    ) -> Self {
        let (first, attestation) = child.life.standing();
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        let (over, ended) = oneshot::channel();
        let end = CancellationToken::new();
        let stop = end.clone();
        let gone = CancellationToken::new();
        let is_gone = gone.clone().drop_guard();
        let bytes_max = listener.bounds().bytes;
        keeper.keep(async move {
            let _is_gone = is_gone;
            let Child { stdout, stderr, life } = child;
            let (ended, (), ()) = tokio::join!(
                life.ended(async move { stop.cancelled().await }),
                read(stdout, (sender.clone(), Line::Out), bytes_max),
                read(stderr, (sender, Line::Err), bytes_max),
            );
            // Nobody may wait for it any more.
            let _ = over.send(ended);
        });
        Self {
            listener,
            speech,
            refusals: None,
            cost_usd: 0.0,
            attestation,
            first,
            own: None,
            tools,
            lines,
            _ends_when_dropped: end.clone().drop_guard(),
            end,
            gone,
            ended,
        }
    }

    /// Returns what is cancelled once it is gone with all that it started.
    pub(super) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// Returns the next line; none when there are no more.
    pub(super) async fn line(&mut self) -> Option<Line> {
        self.lines.recv().await
    }

    /// Takes note of the processes that are its own: it was asked for nothing yet.
    pub(super) fn know_own(&mut self) {
        if self.own.is_none() && self.first > 0 {
            self.own = Some(tree(self.first));
        }
    }

    /// Tells whether it lives, and nothing is left of what it did: no process that a turn began. What it still said is
    /// nothing that anybody waits for.
    pub(super) fn rests(&mut self) -> bool {
        while self.lines.try_recv().is_ok() {}
        let Some(own) = self.own.as_ref().filter(|_| !self.lines.is_closed()) else { return false };
        let is_known =
            |id: &i32| own.contains(id) || self.tools.as_ref().is_some_and(|tools| is_tools(*id, tools));
        tree(self.first).iter().all(is_known)
    }

    /// Wishes its end.
    pub(super) fn stop(&self) {
        self.end.cancel();
    }

    /// Waits until it and everything that it started is gone: nothing more is said to it, and it is sent away where it does
    /// not go within this time. Lines that nobody heard are lost.
    pub(super) async fn ended(mut self, farewell: Duration) -> Option<Ended> {
        self.speech = None;
        self.lines.close();
        let silence = async { while self.lines.recv().await.is_some() {} };
        let end = self.end.clone();
        let sent_away = async move {
            tokio::time::sleep(farewell).await;
            end.cancel();
            std::future::pending().await
        };
        tokio::select! {
            (ended, ()) = async { tokio::join!(self.ended, silence) } => ended.ok(),
            () = sent_away => None,
        }
    }
}

/// Returns the processes that come from one.
fn tree(first: i32) -> BTreeSet<i32> {
    let (mut all, mut next) = (BTreeSet::new(), vec![first]);
    while let Some(id) = next.pop() {
        if !all.insert(id) {
            continue;
        }
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            next.extend(children.split_whitespace().filter_map(|id| id.parse::<i32>().ok()));
        }
    }
    all
}

/// Tells whether a process is the program of the server's tools, called for nothing else.
fn is_tools(id: i32, program: &PathBuf) -> bool {
    let is_program = std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|file| file == *program);
    let words = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    is_program && words.split(|byte| *byte == 0).skip(1).take(2).eq([&b"mcp"[..], b""])
}

/// Where lines go, and as what.
type Onward = (mpsc::Sender<Line>, fn(Vec<u8>) -> Line);

/// Reads a stream to its end. The process never waits for what is made of its lines longer than a few of them.
async fn read(mut pipe: PipeReader, (lines, of): Onward, bytes_max: usize) {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut cutter = Lines::of(bytes_max);
    loop {
        let read = pipe.read(&mut buffer).await;
        let mut whole = Vec::new();
        if read == 0 {
            std::mem::replace(&mut cutter, Lines::of(bytes_max)).finish(|line| whole.push(line.to_vec()));
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
