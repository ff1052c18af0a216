//! The log of one run on its way to the server: lines are gathered into batches, numbered, and sent until they
//! are accepted. A server that is away delays them, and loses none.

use crate::backoff::Backoff;
use crate::builtin::verifier::{Tally, Tests};
use crate::control::{ControlSender, Stop};
use crate::coordinator::{Coordinator, CoordinatorError};
use crate::masks::Masks;
use crate::pace::Turns;
use crate::questions::Answer;
use crate::spool::{Batch, Spool, cost_of_line};
use crate::worker::{Clock, Randomness};
use futures_util::future::BoxFuture;
use spalla_domain::claim::{Assignment, LogBatch};
use spalla_domain::log::{LINE_BYTES_MAX, LogLine, Stream};
use spalla_domain::{Fence, RunId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// As how many bytes a line counts at least.
const LINE_BYTES_MIN: usize = 16;

/// A batch is sent when it has this many bytes,
const BATCH_BYTES: usize = 32 * 1024;
/// or this many lines,
const BATCH_LINES: usize = 500;
/// or its first line has waited this long, in milliseconds.
const BATCH_MS: u64 = 250;
/// How many groups of lines, each no larger than a batch, may wait between the readers and the sender: enough to
/// keep both busy. Behind it the readers wait, and behind them the command.
const GROUPS_MAX: usize = 16;
/// How much waits for a server that answers, in bytes, until readers and command wait as well: writing the rest into a file
/// and reading it again would only take more of what others need.
const AHEAD_BYTES_MAX: usize = 1024 * 1024;
/// How often a batch that the server calls wrong is sent again before the run is given up: it may be an older
/// server in the middle of being replaced.
const REJECTIONS_MAX: u32 = 5;

/// Where a run writes its log.
#[derive(Clone)]
pub struct RunLog {
    groups: mpsc::Sender<Written>,
    clock: Clock,
    kept: Arc<Kept>,
    masks: Masks,
    /// The last lines of each step and what its test runners tell, where somebody wants them.
    ends: Arc<OnceLock<Mutex<Ends>>>,
    is_terse: bool,
}

/// How each step ended, as far as its output says so.
type Ends = BTreeMap<u32, EndOfStep>;

/// The last lines of a step, and what its test runners told.
#[derive(Debug, Default)]
struct EndOfStep {
    lines: VecDeque<String>,
    tally: Tally,
}

/// How many last lines of a step are kept for whoever wants them.
const END_LINES: usize = 200;

/// What goes to the sender.
enum Written {
    /// Lines, no more than a batch of them.
    Lines(Vec<LogLine>),
    /// The wish to know when the server has all lines in front of it, and which number comes next.
    Mark(oneshot::Sender<i64>),
    /// From now on the server numbers the lines.
    Unnumbered,
}

/// How much of the steps' output the run has kept.
#[derive(Debug)]
struct Kept {
    bytes: AtomicU64,
    bytes_max: u64,
    line_bytes_max: u64,
    cut: AtomicBool,
}

impl RunLog {
    /// Writes a line of Spalla's own, outside the steps.
    pub async fn say(&self, text: impl AsRef<str>) {
        self.system(None, text.as_ref()).await;
    }

    /// Writes a line that explains and decides nothing, unless whoever reads it is to be spared.
    pub async fn remark(&self, text: impl AsRef<str>) {
        if !self.is_terse {
            self.say(text).await;
        }
    }

    /// Writes such a line about a step.
    pub async fn remark_of(&self, step: u32, text: impl AsRef<str>) {
        if !self.is_terse {
            self.say_of(step, text).await;
        }
    }

    /// Writes a line of Spalla's own about a step.
    pub async fn say_of(&self, step: u32, text: impl AsRef<str>) {
        self.system(Some(step), text.as_ref()).await;
    }

    /// Returns what is masked in all that is written from now on, before it leaves this process or is spooled.
    pub(crate) const fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Masks what a person answered.
    pub(crate) fn mask(&self, answer: &Answer) {
        self.masks.add(answer.iter().map(|(name, value)| (name.as_str(), value)));
    }

    pub(crate) fn masked(&self, text: String) -> String {
        self.masks.text(text)
    }

    /// Waits until the server has all that was written so far, and returns the number of the line that comes next; none
    /// where that will not be.
    pub(crate) async fn settled(&self) -> Option<i64> {
        let (mark, settled) = oneshot::channel();
        self.groups.send(Written::Mark(mark)).await.ok()?;
        settled.await.ok()
    }

    /// Returns how many bytes of output count as kept, and whether the notice of the cut was written.
    pub(crate) fn kept(&self) -> (u64, bool) {
        (self.kept.bytes.load(Ordering::Relaxed), self.is_full())
    }

    /// Goes on where an earlier worker's log of the same run stood.
    pub(crate) fn go_on_from(&self, (bytes, cut): (u64, bool)) {
        self.kept.bytes.store(bytes, Ordering::Relaxed);
        self.kept.cut.store(cut, Ordering::Relaxed);
    }

    /// Lets the server number what is written from now on: nobody here can say which of its lines come next.
    pub(crate) async fn let_server_number(&self) {
        let _ = self.groups.send(Written::Unnumbered).await;
    }

    /// Keeps no more output: some of a step's is not there.
    pub(crate) async fn cut(&self, step: u32) {
        self.kept.bytes.fetch_max(self.kept.bytes_max.saturating_add(1), Ordering::Relaxed);
        self.mark_cut(step).await;
    }

    /// Keeps the last lines of each step from now on, and what its test runners tell.
    pub(crate) fn keep_ends(&self) {
        let _ = self.ends.set(Mutex::default());
    }

    /// Returns the last lines of a step, as they were masked.
    pub(crate) fn end_of(&self, step: u32) -> Vec<String> {
        let Some(ends) = self.ends.get() else { return Vec::new() };
        let ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(&step).map(|end| end.lines.iter().cloned().collect()).unwrap_or_default()
    }

    /// Returns what a step's test runners told; none where none was understood.
    pub(crate) fn tests_of(&self, step: u32) -> Option<Tests> {
        let ends = self.ends.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(&step)?.tally.tests()
    }

    fn keep_end(&self, step: u32, line: &str) {
        let Some(ends) = self.ends.get() else { return };
        let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
        let end = ends.entry(step).or_default();
        end.tally.hear(line);
        if end.lines.len() == END_LINES {
            end.lines.pop_front();
        }
        end.lines.push_back(line.to_owned());
    }

    /// Tells whether no more output is kept.
    pub fn is_full(&self) -> bool {
        self.kept.cut.load(Ordering::Relaxed)
    }

    /// Writes what a step printed, as far as the run may keep it; a notice marks the cut.
    pub async fn output(&self, stream: Stream, step: u32, texts: Vec<String>) {
        if texts.is_empty() {
            return;
        }
        let at = (self.clock)();
        let mut group = Vec::new();
        let mut bytes = 0;
        let mut texts = texts.into_iter();
        while let Some(text) = texts.next() {
            if !self.keeps(&text) {
                // What closes the output says most, and is heard also where it is kept no more.
                std::iter::once(text).chain(texts).for_each(|text| self.keep_end(step, &self.masked(text)));
                break;
            }
            let line = LogLine { at, stream, step: Some(step), text: self.masked(text) };
            self.keep_end(step, &line.text);
            bytes += cost_of_line(&line);
            group.push(line);
            if bytes >= BATCH_BYTES || group.len() >= BATCH_LINES {
                self.send(std::mem::take(&mut group)).await;
                bytes = 0;
            }
        }
        self.send(group).await;
        self.mark_cut(step).await;
    }

    fn keeps(&self, text: &str) -> bool {
        // Empty lines cost as well, wherever they are kept.
        let bytes = (text.len() + 1).max(LINE_BYTES_MIN) as u64;
        self.kept.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.kept.bytes_max
    }

    /// Returns how much of a line is kept, in bytes.
    pub(crate) fn line_bytes_max(&self) -> usize {
        usize::try_from(self.kept.line_bytes_max).unwrap_or(LINE_BYTES_MAX)
    }

    async fn mark_cut(&self, step: u32) {
        let is_over = self.kept.bytes.load(Ordering::Relaxed) > self.kept.bytes_max;
        if is_over && !self.kept.cut.swap(true, Ordering::Relaxed) {
            let max = self.kept.bytes_max;
            self.say_of(
                step,
                format!("the output is cut here: a run keeps at most {max} bytes; it goes on unseen"),
            )
            .await;
        }
    }

    /// A text of several lines becomes several lines.
    async fn system(&self, step: Option<u32>, text: &str) {
        let at = (self.clock)();
        let line = |text: &str| {
            let text = text.trim_end_matches('\r');
            let kept = text[..text.floor_char_boundary(LINE_BYTES_MAX)].to_owned();
            let text = if kept.len() < text.len() { self.masks.cut_text(kept) } else { self.masked(kept) };
            LogLine { at, stream: Stream::System, step, text }
        };
        let lines: Vec<LogLine> = text.trim_end_matches('\n').split('\n').map(line).collect();
        for group in lines.chunks(BATCH_LINES) {
            self.send(group.to_vec()).await;
        }
    }

    async fn send(&self, group: Vec<LogLine>) {
        if !group.is_empty() {
            // The sender outlives every writer of its run, and reads to the end.
            let _ = self.groups.send(Written::Lines(group)).await;
        }
    }
}

/// How the sending ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shipped {
    /// Every line is on the server.
    Whole,
    /// The server takes no more: the lease is lost, or the lines are called wrong.
    Ended,
}

/// Sends what the run writes.
pub(crate) struct Shipper {
    groups: mpsc::Receiver<Written>,
    /// The marks that were passed, each with the number of the line behind it.
    marks: Vec<(i64, oneshot::Sender<i64>)>,
    coordinator: Arc<dyn Coordinator>,
    control: ControlSender,
    run_id: RunId,
    fencing_token: Fence,
    spool: Spool,
    open: Vec<LogLine>,
    open_bytes: usize,
    next_seq: i64,
    numbered: bool,
    closed: bool,
    flush_at: Instant,
    retry_at: Option<Instant>,
    backoff: Backoff,
    turns: Turns,
    randomness: Randomness,
    rejections: u32,
}

/// Makes both ends of a run's log.
pub(crate) fn run_log(
    assignment: &Assignment,
    ([bytes_max, line_bytes_max], is_terse): ([u64; 2], bool),
    spool: Spool,
    (coordinator, control): (Arc<dyn Coordinator>, ControlSender),
    (clock, randomness): (Clock, Randomness),
) -> (RunLog, Shipper) {
    let (sender, groups) = mpsc::channel(GROUPS_MAX);
    let kept =
        Arc::new(Kept { bytes: AtomicU64::new(0), bytes_max, line_bytes_max, cut: AtomicBool::new(false) });
    let shipper = Shipper {
        groups,
        marks: Vec::new(),
        coordinator,
        control,
        run_id: assignment.run_id,
        fencing_token: assignment.fencing_token,
        spool,
        open: Vec::new(),
        open_bytes: 0,
        next_seq: assignment.next_log_seq,
        numbered: true,
        closed: false,
        flush_at: Instant::now(),
        retry_at: None,
        backoff: Backoff::default(),
        turns: Turns::default(),
        randomness,
        rejections: 0,
    };
    (RunLog { groups: sender, clock, kept, masks: Masks::default(), ends: Arc::default(), is_terse }, shipper)
}

impl Shipper {
    /// Sends until every writer is gone and every line is accepted.
    pub(crate) async fn ship(mut self) -> Shipped {
        let coordinator = Arc::clone(&self.coordinator);
        let mut sending: Option<BoxFuture<'_, Result<(), CoordinatorError>>> = None;
        loop {
            if sending.is_none() && self.retry_at.is_none() && self.turns.may_send() {
                match self.next_batch() {
                    Some(batch) => {
                        self.turns.asked(Instant::now());
                        sending = Some(coordinator.append_logs(batch));
                    }
                    None => {
                        self.turns.is_through();
                        self.answer_marks();
                        if self.closed {
                            return Shipped::Whole;
                        }
                    }
                }
            }
            let (retry_at, changes_at) = (self.retry_at, self.turns.changes_at());
            tokio::select! {
                biased;
                sent = pending_or(sending.as_mut()) => {
                    sending = None;
                    self.turns.answered(Instant::now(), self.spool.front().map_or(0, Batch::bytes));
                    if self.is_over_after(sent) {
                        return self.discard().await;
                    }
                }
                group = self.groups.recv(), if self.may_gather() => self.gather(group),
                () = tokio::time::sleep_until(self.flush_at), if !self.open.is_empty() => self.close_batch(),
                () = sleep_until_or_never(retry_at) => self.retry_at = None,
                () = sleep_until_or_never(changes_at) => self.turns.look(Instant::now()),
            }
        }
    }

    /// Tells whether more may be taken of the readers: for a server that answers not far more than it has taken.
    fn may_gather(&self) -> bool {
        let is_away = !self.backoff.is_calm() || self.turns.is_late();
        !self.closed && if is_away { self.spool.has_room() } else { self.spool.is_below(AHEAD_BYTES_MAX) }
    }

    fn gather(&mut self, written: Option<Written>) {
        let group = match written {
            Some(Written::Lines(group)) => group,
            Some(Written::Mark(mark)) => {
                self.close_batch();
                return self.marks.push((self.next_seq, mark));
            }
            Some(Written::Unnumbered) => {
                self.numbered = false;
                return;
            }
            None => {
                self.closed = true;
                return self.close_batch();
            }
        };
        for line in group {
            if self.open.is_empty() {
                self.flush_at = Instant::now() + Duration::from_millis(BATCH_MS);
            }
            self.open_bytes += cost_of_line(&line);
            self.open.push(line);
            if self.open_bytes >= BATCH_BYTES || self.open.len() >= BATCH_LINES {
                self.close_batch();
            }
        }
    }

    fn close_batch(&mut self) {
        self.open_bytes = 0;
        let lines = std::mem::take(&mut self.open);
        if lines.is_empty() {
            return;
        }
        let first_seq = self.next_seq;
        self.next_seq = first_seq.saturating_add(i64::try_from(lines.len()).unwrap_or(i64::MAX));
        self.spool.push(Batch { first_seq, lines });
    }

    /// The server has every batch. Where it numbers the lines itself, nobody here knows which comes next.
    fn answer_marks(&mut self) {
        for (next_seq, mark) in self.marks.drain(..).filter(|_| self.numbered) {
            let _ = mark.send(next_seq);
        }
    }

    fn next_batch(&mut self) -> Option<LogBatch> {
        let (run_id, fencing_token, numbered) = (self.run_id, self.fencing_token, self.numbered);
        self.spool.front().map(|batch| LogBatch {
            run_id,
            fencing_token,
            first_seq: numbered.then_some(batch.first_seq),
            lines: batch.lines.clone(),
        })
    }

    /// Takes the answer to a batch; tells whether nothing more is to be sent.
    fn is_over_after(&mut self, sent: Result<(), CoordinatorError>) -> bool {
        let run = self.run_id;
        match sent {
            Ok(()) => {
                self.spool.pop();
                self.rejections = 0;
                if self.backoff.reset() {
                    tracing::info!(%run, "the server takes the log again");
                }
            }
            Err(CoordinatorError::Unavailable { retry_after_ms, detail }) => {
                if self.backoff.is_calm() {
                    tracing::warn!(%run, detail, "the server does not take the log; it is kept and sent again");
                }
                self.retry_at = Some(Instant::now() + self.backoff.next(retry_after_ms, &self.randomness));
            }
            // The server has fewer lines than it had accepted. It numbers the rest, so that no more are lost.
            Err(CoordinatorError::Refused { code, detail }) if code == "log_gap" && self.numbered => {
                tracing::error!(%run, detail, "the server lost log lines that it had accepted");
                self.numbered = false;
            }
            Err(CoordinatorError::Refused { code, .. }) => {
                self.control.stop(Stop::LeaseLost(code));
                return true;
            }
            Err(CoordinatorError::Rejected { detail, .. }) if self.rejections >= REJECTIONS_MAX => {
                self.control
                    .stop(Stop::Broken(format!("the server does not accept the run's log: {detail}")));
                return true;
            }
            Err(CoordinatorError::Rejected { status, detail }) => {
                tracing::error!(%run, status, detail, "the server calls a batch of log lines wrong");
                self.rejections += 1;
                self.retry_at = Some(Instant::now() + self.backoff.next(None, &self.randomness));
            }
        }
        false
    }

    /// Reads on without keeping anything, so that no writer waits.
    async fn discard(mut self) -> Shipped {
        self.marks.clear();
        while self.groups.recv().await.is_some() {}
        Shipped::Ended
    }
}

async fn pending_or<T>(future: Option<&mut BoxFuture<'_, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until_or_never(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
