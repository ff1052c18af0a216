//! One process of an agent's command line: started behind the walls, heard line by line, and ended with all that it started.

use super::lines::Lines;
use super::repeats::Repeats;
use super::speech::Speech;
use super::told::Told;
use crate::run::{End, Failure, Run};
use crate::sandbox::{CHUNK_BYTES, Child, CommandSpec, Ended, PipeReader};
use spalla_adapter::heard::{Denied, Heard, Spent, TurnEnd};
use spalla_adapter::listen::Listener;
use spalla_adapter::trouble::Trouble;
use spalla_domain::agent_event::AgentEventType;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many lines the readers may be ahead of whoever understands them.
const LINES_AHEAD: usize = 64;
/// How long an agent has to go by itself once its turn is over and nothing more is said to it.
const FAREWELL: Duration = Duration::from_secs(2);
/// The most words of an agent that are kept as its answer, in bytes.
const WORDS_BYTES_MAX: usize = 256 * 1024;
/// The most denials and troubles that are kept, each.
const KEPT_MAX: usize = 200;

/// What a turn came to.
#[derive(Debug)]
pub(super) struct Turn {
    /// The agent's last words.
    pub(super) words: Option<String>,
    /// The name of the conversation.
    pub(super) thread: Option<String>,
    /// What it used; none where nothing was told.
    pub(super) spent: Option<Spent>,
    /// What was not allowed.
    pub(super) denied: Vec<Denied>,
    /// What went wrong outside the work.
    pub(super) troubles: Vec<Trouble>,
    /// How the agent says that it ended.
    pub(super) end: Option<TurnEnd>,
    /// What it did again and again, where it was ended for that.
    pub(super) loops: Option<String>,
    /// How its process ended.
    pub(super) ended: Ended,
}

/// A line of one of the two streams.
enum Line {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

/// What is heard while it goes on.
struct Hearing {
    words: Option<String>,
    thread: Option<String>,
    spent: Option<Spent>,
    denied: Vec<Denied>,
    troubles: Vec<Trouble>,
    end: Option<TurnEnd>,
    repeats: Repeats,
    loops: Option<String>,
    /// Whether all words together are the answer, and not the last ones.
    joins_words: bool,
}

/// Starts the command and hears it to its end.
pub(super) async fn take(
    run: &Run<'_>,
    spec: CommandSpec,
    listener: Listener,
    speech: Option<Speech>,
    told: &mut Told<'_>,
) -> Result<Turn, End> {
    let walls = spec.walls.clone();
    let child = run.sandbox.spawn(spec).await;
    let child = child.map_err(|error| End::from(Failure::of(run.unstarted(&walls, &error))))?;
    let Child { stdout, stderr, life } = child;
    let (sender, lines) = mpsc::channel(LINES_AHEAD);
    let is_enough = CancellationToken::new();
    let stop = async {
        tokio::select! {
            _ = run.interrupted() => {}
            () = is_enough.cancelled() => {}
        }
    };
    let heard = hear(run, lines, (listener, speech), told, &is_enough);
    let (ended, (), (), heard) = tokio::join!(
        life.ended(stop),
        read(stdout, sender.clone(), Line::Out),
        read(stderr, sender, Line::Err),
        heard
    );
    run.attest(&ended);
    for host in &ended.refused_hosts {
        run.log.say(format!("the agent was refused a host: {host}")).await;
    }
    if let (true, Some(interruption)) = (ended.stopped, run.interruption()) {
        return Err(run.end_by(interruption));
    }
    let Hearing { words, thread, spent, denied, troubles, end, loops, .. } = heard;
    Ok(Turn { words, thread, spent, denied, troubles, end, loops, ended })
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

async fn hear(
    run: &Run<'_>,
    mut lines: mpsc::Receiver<Line>,
    (mut listener, mut speech): (Listener, Option<Speech>),
    told: &mut Told<'_>,
    is_enough: &CancellationToken,
) -> Hearing {
    let mut all = Hearing::new(run.options.limits.repeats_max, listener.has_words_by_line());
    // One that is spoken with goes when nothing more is said to it, or else is sent away.
    let mut goes_until: Option<Instant> = None;
    loop {
        if !say(run, &mut speech, listener.outbox()).await {
            is_enough.cancel();
            speech = None;
        }
        let next = async {
            match goes_until {
                Some(until) => tokio::time::timeout_at(until, lines.recv()).await,
                None => Ok(lines.recv().await),
            }
        };
        let line = match next.await {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(_) => {
                is_enough.cancel();
                goes_until = None;
                continue;
            }
        };
        let now = moment(run);
        let heard = match &line {
            Line::Out(bytes) => listener.hear(bytes, now),
            Line::Err(bytes) => {
                told.complaint(bytes).await;
                listener.hear_error(bytes, now)
            }
        };
        all.keep_all(heard, told).await;
        if all.loops.is_some() {
            is_enough.cancel();
        }
        if all.end.is_some() && speech.take().is_some() {
            goes_until = Some(Instant::now() + FAREWELL);
        }
    }
    all.keep_all(listener.finish(moment(run)), told).await;
    all
}

/// Says lines to whoever is spoken with; tells whether they were taken.
async fn say(run: &Run<'_>, speech: &mut Option<Speech>, lines: Vec<String>) -> bool {
    let Some(speech) = speech else { return true };
    for line in lines {
        let said = tokio::select! {
            said = speech.say(&line) => said,
            _ = run.interrupted() => return false,
        };
        if let Err(error) = said {
            tracing::info!(%error, "an agent does not hear what it is told");
            return false;
        }
    }
    true
}

/// Returns the moment as adapters count it.
pub(super) fn moment(run: &Run<'_>) -> jiff::Timestamp {
    // A clock beyond what a calendar holds is no reason not to listen.
    jiff::Timestamp::from_millisecond((run.options.clock)().ms()).unwrap_or_default()
}

/// Marks the milestone that is the end of a turn: a review of its own follows that one.
fn marked(heard: Heard) -> Heard {
    match heard {
        Heard::Event(event) if event.kind == AgentEventType::Milestone => {
            Heard::Event(event.with("ends_turn", true))
        }
        other => other,
    }
}

impl Hearing {
    fn new(repeats_max: u32, joins_words: bool) -> Self {
        let (words, thread, spent, denied, troubles, end, loops) = Default::default();
        let repeats = Repeats::new(repeats_max);
        Self { words, thread, spent, denied, troubles, end, repeats, loops, joins_words }
    }

    async fn keep_all(&mut self, heard: Vec<Heard>, told: &mut Told<'_>) {
        let ends_turn = heard.iter().any(|heard| matches!(heard, Heard::Over(_)));
        for heard in heard {
            let heard = if ends_turn { marked(heard) } else { heard };
            told.tell(&heard).await;
            if self.loops.is_none() {
                self.loops = self.repeats.hear(&heard);
            }
            self.keep(heard);
        }
    }

    /// Keeps words that the agent said. Of a long answer in many lines the end matters, where it says what it did.
    fn keep_words(&mut self, mut words: String) {
        match &mut self.words {
            Some(all) if self.joins_words => {
                words.insert(0, '\n');
                all.push_str(&words);
                // Seldom, since what is kept moves each time.
                if all.len() > 2 * WORDS_BYTES_MAX {
                    all.drain(..all.ceil_char_boundary(all.len() - WORDS_BYTES_MAX));
                }
            }
            _ => {
                words.truncate(words.floor_char_boundary(WORDS_BYTES_MAX));
                self.words = Some(words);
            }
        }
    }

    fn keep(&mut self, heard: Heard) {
        match heard {
            Heard::Event(_) | Heard::Did(_) => {}
            Heard::Words(words) => self.keep_words(words),
            Heard::Thread(name) => self.thread = Some(name),
            Heard::Spent(spent) => self.spent = Some(spent),
            Heard::Denied(denied) if self.denied.len() < KEPT_MAX => self.denied.push(denied),
            Heard::Trouble(trouble) if self.troubles.len() < KEPT_MAX || trouble.is_final => {
                self.troubles.push(trouble);
            }
            Heard::Denied(_) | Heard::Trouble(_) => {}
            Heard::Over(end) => self.end = Some(end),
        }
    }
}
