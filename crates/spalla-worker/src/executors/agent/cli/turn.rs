//! One turn of an agent: what it is told and what it says until it is over, whatever becomes of its process then.

use super::asked;
use super::process::{Line, Process};
use super::repeats::Repeats;
use super::told::Told;
use crate::run::{End, Failure, Run};
use crate::sandbox::Ended;
use spalla_adapter::heard::{Denied, Heard, Spent, TurnEnd};
use spalla_adapter::listen::Format;
use spalla_adapter::trouble::{Cause, Certainty, Trouble};
use spalla_domain::agent_event::AgentEventType;
use spalla_domain::claim::Usage;
use spalla_domain::retry::ErrorClass;
use std::time::Duration;
use tokio::time::Instant;

/// How long an agent has to go by itself once its turn is over and nothing more is said to it.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long an agent that is asked to stop has to say that it did, before its process is ended.
const INTERRUPTION: Duration = Duration::from_secs(2);
/// How long an agent that is spoken with may take until its conversation begins: far above what a crowded machine needs.
const OPENING: Duration = Duration::from_secs(120);
/// The most words of an agent that are kept as its answer, in bytes.
const WORDS_BYTES_MAX: usize = 256 * 1024;
/// The most denials and troubles that are kept, each.
const KEPT_MAX: usize = 200;

/// What a turn came to.
#[derive(Debug)]
pub(super) struct Turn {
    /// What its words were understood by.
    pub(super) output: Format,
    /// The agent's last words.
    pub(super) words: Option<String>,
    /// The name of the conversation.
    pub(super) thread: Option<String>,
    /// What was not allowed.
    pub(super) denied: Vec<Denied>,
    /// What went wrong outside the work.
    pub(super) troubles: Vec<Trouble>,
    /// How the agent says that it ended.
    pub(super) end: Option<TurnEnd>,
    /// What it did again and again, where it was ended for that.
    pub(super) loops: Option<String>,
    /// How its process ended; none where it goes on.
    pub(super) ended: Option<Ended>,
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
    /// Whether the run was interrupted meanwhile.
    was_interrupted: bool,
    /// Whether it used a tool that ends the run.
    is_refused: bool,
    /// When it has told nothing for longer than it may.
    silent_at: Option<Instant>,
}

impl Turn {
    /// Returns the exit status of its process as a shell counts it; none where it goes on.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.ended.as_ref()?.how.code()
    }

    /// Says what became of its process.
    pub(super) fn how(&self) -> String {
        self.ended.as_ref().map_or_else(|| "its process goes on".to_owned(), |ended| ended.how.to_string())
    }

    /// Tells whether a conversation did not even begin, for no reason that another way of speaking would meet as well.
    pub(super) fn is_unopened(&self) -> bool {
        let of_speaking = [Cause::Usage, Cause::Unknown, Cause::Crashed, Cause::BadRequest];
        let last = self.troubles.iter().rev().find(|trouble| trouble.is_final);
        self.thread.is_none()
            && self.end != Some(TurnEnd::Completed)
            && last.is_none_or(|trouble| of_speaking.contains(&trouble.cause))
    }
}

/// Hears a process until its turn is over; it is gone then, or it goes on, where it may and took the turn well.
pub(super) async fn take(
    run: &Run<'_>,
    mut process: Process,
    (output, may_go_on): (Format, bool),
    told: &mut Told<'_>,
) -> Result<(Turn, Option<Process>), End> {
    let mut heard = hear(run, &mut process, (output, may_go_on), told).await;
    heard.spend(run, &mut process);
    if let Some(refusals) = &process.refusals {
        refusals.hand_over(&run.refusals);
    }
    let (ended, process) = match may_go_on && heard.is_well() && process.rests() {
        true => (None, Some(process)),
        false => match process.ended(FAREWELL).await {
            Some(ended) => (Some(ended), None),
            None => {
                let what = "nobody knows how the agent's process ended";
                return Err(Failure::new(ErrorClass::System, what).into());
            }
        },
    };
    match (&ended, &process) {
        (Some(ended), _) => {
            run.attest(ended);
            for host in &ended.refused_hosts {
                run.log.say(format!("the agent was refused a host: {host}")).await;
            }
        }
        (None, process) => {
            let standing = process.as_ref().and_then(|process| process.attestation.as_ref());
            standing.into_iter().for_each(|standing| run.attest_standing(standing));
        }
    }
    let was_stopped = ended.as_ref().is_some_and(|ended| ended.stopped);
    if let (true, Some(interruption)) = (was_stopped || heard.was_interrupted, run.interruption()) {
        return Err(run.end_by(interruption));
    }
    let Hearing { words, thread, denied, troubles, end, loops, .. } = heard;
    Ok((Turn { output, words, thread, denied, troubles, end, loops, ended }, process))
}

/// What becomes of a conversation besides what is heard.
struct Course {
    /// When the process is ended, if nothing comes until then.
    ends_at: Option<Instant>,
    /// Whether it is waited for the beginning of the conversation.
    is_opening: bool,
}

async fn hear(
    run: &Run<'_>,
    process: &mut Process,
    (output, may_go_on): (Format, bool),
    told: &mut Told<'_>,
) -> Hearing {
    let mut all = Hearing::new(run.options.limits.repeats_max, process.listener.has_words_by_line());
    all.heard_at(told.silence());
    let is_opening = process.speech.is_some();
    let mut course = Course { ends_at: is_opening.then(|| Instant::now() + OPENING), is_opening };
    // Claude Code is asked at once; others once their conversation began.
    if output == Format::ClaudeStreamJson {
        process.know_own();
    }
    loop {
        if !say(run, process, all.was_interrupted).await {
            process.stop();
            process.speech = None;
        }
        let line = tokio::select! {
            line = process.line() => line,
            _ = run.interrupted(), if !all.was_interrupted => {
                all.was_interrupted = true;
                // Whoever can be asked to stop is asked first, and is ended afterwards.
                let is_asked = process.speech.is_some() && process.listener.interrupt();
                match is_asked {
                    true => course.ends_at = Some(Instant::now() + INTERRUPTION),
                    false => process.stop(),
                }
                continue;
            }
            () = sleep_until_or_never(all.silent_at) => {
                all.silent_at = None;
                told.silent().await;
                continue;
            }
            () = sleep_until_or_never(course.ends_at) => {
                process.stop();
                course.ends_at = None;
                continue;
            }
        };
        let Some(line) = line else { break };
        all.hear_line(run, process, told, line).await;
        all.heard_at(told.silence());
        if all.thread.is_some() {
            process.know_own();
        }
        if may_go_on && all.is_well() {
            return all;
        }
        course.follow(process, &all);
    }
    all.keep_all(process.listener.finish(moment(run)), told).await;
    all
}

impl Course {
    /// Lets go of whoever is done, and no longer waits for what has begun.
    fn follow(&mut self, process: &mut Process, all: &Hearing) {
        if all.loops.is_some() || all.is_refused {
            process.stop();
        }
        if self.is_opening && all.thread.is_some() {
            self.is_opening = false;
            self.ends_at = None;
        }
        // One that is spoken with goes when nothing more is said to it, or else is sent away.
        if all.end.is_some() && process.speech.take().is_some() {
            self.ends_at = Some(Instant::now() + FAREWELL);
        }
    }
}

async fn sleep_until_or_never(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Says what is to be said to whoever is spoken with; tells whether it was taken.
async fn say(run: &Run<'_>, process: &mut Process, is_interrupted: bool) -> bool {
    let lines = process.listener.outbox();
    let Some(speech) = &mut process.speech else { return true };
    for line in lines {
        let said = tokio::select! {
            said = speech.say(&line) => said,
            _ = run.interrupted(), if !is_interrupted => return false,
            () = tokio::time::sleep(INTERRUPTION), if is_interrupted => return false,
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
        let (was_interrupted, is_refused) = (false, false);
        Self {
            words,
            thread,
            spent,
            denied,
            troubles,
            end,
            repeats,
            loops,
            joins_words,
            was_interrupted,
            is_refused,
            silent_at: None,
        }
    }

    /// Takes note that something was heard just now.
    fn heard_at(&mut self, silence: Option<Duration>) {
        self.silent_at = silence.map(|silence| Instant::now() + silence);
    }

    async fn hear_line(&mut self, run: &Run<'_>, process: &mut Process, told: &mut Told<'_>, line: Line) {
        let now = moment(run);
        let mut heard = match &line {
            Line::Out(bytes) => process.listener.hear(bytes, now),
            Line::Err(bytes) => {
                told.complaint(bytes).await;
                process.listener.hear_error(bytes, now)
            }
        };
        let is_asked = process.listener.is_dialogue();
        for used in process.listener.used() {
            told.used(&used, is_asked).await;
        }
        for asked in process.listener.asked_commands() {
            let permission = asked::decide(run, &asked, &process.gone()).await;
            heard.extend(process.listener.permit(&asked, &permission));
        }
        self.is_refused = told.watch.ends().is_some();
        self.keep_all(heard, told).await;
    }

    /// Tells whether the turn is over, and nothing is against another one.
    fn is_well(&self) -> bool {
        self.end == Some(TurnEnd::Completed)
            && self.loops.is_none()
            && !self.was_interrupted
            && !self.is_refused
    }

    /// Takes note of what was used, also where it came to nothing. Some tell what their process cost in all its turns.
    fn spend(&mut self, run: &Run<'_>, process: &mut Process) {
        let Some(mut spent) = self.spent.take() else { return };
        if let (true, Some(all)) = (spent.is_cost_of_process, spent.cost_usd) {
            spent.cost_usd = Some((all - process.cost_usd).max(0.0));
            process.cost_usd = all;
        }
        run.spend(Usage {
            input_tokens: spent.input_tokens,
            output_tokens: spent.output_tokens,
            cost_usd: spent.cost_usd,
        });
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
            // Of what is only guessed the last counts, and many lines of a log may look like it.
            Heard::Trouble(trouble) if trouble.certainty == Certainty::Guessed && !trouble.is_final => {
                self.troubles.retain(|kept| kept.certainty > Certainty::Guessed || kept.is_final);
                self.troubles.push(trouble);
            }
            Heard::Trouble(trouble) if self.troubles.len() < KEPT_MAX || trouble.is_final => {
                self.troubles.push(trouble);
            }
            Heard::Denied(_) | Heard::Trouble(_) => {}
            Heard::Over(end) => self.end = Some(end),
        }
    }
}
