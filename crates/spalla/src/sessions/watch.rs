//! Watches the agents of a session while they work, and says when one's work wants a look.

use super::advance::is_over;
use super::follow::{LiveRun, LiveRuns};
use super::looks::{may_look, number, trigger};
use crate::clock::SystemClock;
use crate::control::{Control, ToldEvent};
use crate::failure::Result;
use spalla_domain::agent_event::DENIED;
use spalla_domain::session::{ItemKind, Look, Session, SessionItem, Trigger};
use spalla_domain::{Timestamp, run};
use spalla_store::Clock as _;
use spalla_worker::agents_at_limits;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// How often it is looked whether there is something new.
const LOOK: Duration = Duration::from_secs(1);
/// The most of what an agent said that reviewers are told, in characters.
const TEXT_CHARS_MAX: usize = 4_000;

/// When reviewers look at work that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looking {
    /// Whether they do at all.
    pub(crate) is_on: bool,
    /// After how long without an event, in milliseconds; 0 is never.
    pub(crate) silence_ms: i64,
}

/// What was heard of the runs so far.
#[derive(Debug)]
pub(super) struct Watch {
    looking: Looking,
    live: LiveRuns,
    runs: BTreeMap<i64, Heard>,
    /// The agents that are not called now, and when each will be.
    away: BTreeMap<String, jiff::Timestamp>,
}

/// What is noticed.
#[derive(Debug)]
pub(super) enum Noticed {
    /// Work that goes on wants a look.
    Looks(Vec<Look>),
    /// Which agents are not called has changed: these are not, until then.
    Away(BTreeMap<String, jiff::Timestamp>),
}

/// What was heard of one run.
#[derive(Debug)]
struct Heard {
    /// The number of the last event.
    after: i64,
    /// When something was heard last.
    at: Timestamp,
    /// The commit on which it began.
    base: Option<String>,
    /// What was not allowed, so that the same once more is known as such.
    denied: BTreeSet<String>,
    /// What wants a look, and waits for the one that goes on.
    wanted: Option<Cause>,
}

/// Why there is to be a look, when it was told, and in which words.
type Cause = (Trigger, Timestamp, String);

impl Watch {
    /// Begins to watch the runs that are followed.
    pub(super) const fn new(looking: Looking, live: LiveRuns) -> Self {
        Self { looking, live, runs: BTreeMap::new(), away: BTreeMap::new() }
    }

    /// Waits until something is noticed. Nothing is lost when this is dropped half-way and called again.
    pub(super) async fn next(&mut self, (session, data): (&Session, &Path), control: &Control) -> Noticed {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(away) = self.missed(session, data) {
                return Noticed::Away(away);
            }
            if !self.looking.is_on {
                continue;
            }
            for work in session.items.iter().filter(|item| item.kind == ItemKind::Work && !is_over(item)) {
                match self.of(session, work, control).await {
                    // Told at once: what is kept for later would be lost with this.
                    Ok(Some(look)) => return Noticed::Looks(vec![look]),
                    Ok(None) => {}
                    // A server that is away is seen to by whoever follows the items.
                    Err(failure) => tracing::debug!("watching \"{}\": {failure}", work.title),
                }
            }
        }
    }

    /// Returns the agents that are not called now, where that has changed.
    fn missed(&mut self, session: &Session, data: &Path) -> Option<BTreeMap<String, jiff::Timestamp>> {
        let now = jiff::Timestamp::from_millisecond(SystemClock.now().ms()).ok()?;
        let mut away = agents_at_limits(data, now);
        away.retain(|agent, _| session.agents.contains(agent));
        if away == self.away {
            return None;
        }
        self.away.clone_from(&away);
        Some(away)
    }

    async fn of(&mut self, session: &Session, work: &SessionItem, control: &Control) -> Result<Option<Look>> {
        let Some(item) = work.work_item_id else { return Ok(None) };
        let Some(run) = self.live.of(item) else { return Ok(None) };
        let known = self.runs.entry(run.id).or_insert_with(|| Heard::of(&run));
        let told = control.events(run.id, known.after).await?;
        let since = session.looks.iter().filter(|look| look.work == work.key).map(|look| look.at).max();
        for event in told {
            known.hear(&event);
            let is_new = since.is_none_or(|since| event.timestamp > since);
            let why = trigger(&event.kind, &event.payload).filter(|_| known.speaks(&event) && is_new);
            let text = text_of(&event);
            let why = why.filter(|why| !was_looked_at(session, work, (*why, &text)));
            known.want(why.map(|why| (why, event.timestamp, text)));
        }
        if !may_look(session, work) {
            return Ok(None);
        }
        let wanted = known.wanted.take().or_else(|| known.silent(&run, self.looking.silence_ms));
        Ok(wanted.map(|(why, at, text)| Look {
            work: work.key.clone(),
            number: number(session, work),
            run_id: run.id,
            at,
            why,
            text,
            base: known.base.clone(),
        }))
    }
}

impl Heard {
    const fn of(run: &LiveRun) -> Self {
        Self { after: 0, at: run.started_at, base: None, denied: BTreeSet::new(), wanted: None }
    }

    /// Takes note of what wants a look. What stands in the way of the work comes before what is done of it; of two that are
    /// alike, the first one counts.
    fn want(&mut self, cause: Option<Cause>) {
        let weight = |cause: &Option<Cause>| match cause {
            None => 0,
            Some((Trigger::Blocker, ..)) => 2,
            Some(_) => 1,
        };
        if weight(&cause) > weight(&self.wanted) {
            self.wanted = cause;
        }
    }

    /// Tells whether an event is the agent's own word, or something that it was kept from once more.
    fn speaks(&mut self, event: &ToldEvent) -> bool {
        event.payload[DENIED] != true || !self.denied.insert(text_of(event))
    }

    fn hear(&mut self, event: &ToldEvent) {
        self.after = event.id;
        self.at = self.at.max(event.timestamp);
        let base = event.payload["base"].as_str().filter(|base| is_commit(base));
        // The worker says it first; whoever speaks later can't change it.
        if self.base.is_none() {
            self.base = base.map(str::to_owned);
        }
    }

    /// Tells whether a run that goes on was not heard of for too long. It counts anew from there.
    fn silent(&mut self, run: &LiveRun, silence_ms: i64) -> Option<Cause> {
        let now = SystemClock.now();
        let is_at_work = run.status == run::Status::Running;
        let quiet_ms = now.ms().saturating_sub(self.at.ms());
        if !is_at_work || silence_ms == 0 || quiet_ms < silence_ms {
            return None;
        }
        self.at = now;
        Some((Trigger::Silence, now, String::new()))
    }
}

/// Tells whether there was a look for the same cause already.
fn was_looked_at(session: &Session, work: &SessionItem, (why, text): (Trigger, &str)) -> bool {
    let is_same = |look: &&Look| look.work == work.key && look.why == why && look.text == text;
    why == Trigger::Blocker && session.looks.iter().any(|look| is_same(&look))
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn text_of(event: &ToldEvent) -> String {
    event.payload["text"].as_str().unwrap_or_default().chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn heard(at: i64) -> Heard {
        Heard { after: 0, at: Timestamp::from_ms(at), base: None, denied: BTreeSet::new(), wanted: None }
    }

    #[test]
    fn a_blocker_waits_for_the_look_that_goes_on_and_comes_before_a_milestone() {
        let cause = |why, at, text: &str| Some((why, Timestamp::from_ms(at), text.to_owned()));
        let mut known = heard(0);
        known.want(cause(Trigger::Milestone, 1, "half"));
        known.want(cause(Trigger::Blocker, 2, "no key"));
        known.want(None);
        known.want(cause(Trigger::Milestone, 3, "more"));
        known.want(cause(Trigger::Blocker, 4, "no disk"));
        assert_eq!(known.wanted, cause(Trigger::Blocker, 2, "no key"));
    }

    fn run(status: run::Status) -> LiveRun {
        LiveRun { id: 7, status, started_at: Timestamp::from_ms(0) }
    }

    #[test]
    fn what_was_denied_once_is_nobodys_word_and_the_same_again_is() {
        let event = |text: &str, denied: bool| ToldEvent {
            id: 3,
            kind: "blocker".into(),
            timestamp: Timestamp::from_ms(5),
            payload: json!({ "text": text, "denied": denied }),
        };
        let mut known = heard(0);
        let told = [("rm", true), ("mv", true), ("rm", true), ("the key is missing", false)];
        let spoken = told.map(|(text, denied)| known.speaks(&event(text, denied)));
        assert_eq!(spoken, [false, false, true, true]);
    }

    #[test]
    fn an_agent_at_work_that_says_nothing_for_too_long_is_looked_at_once_for_that_time() {
        let mut quiet = heard(0);
        assert!(quiet.silent(&run(run::Status::AwaitingInput), 1).is_none());
        assert!(quiet.silent(&run(run::Status::Running), 0).is_none());
        assert!(quiet.silent(&run(run::Status::Running), 900_000).is_some());
        assert!(quiet.silent(&run(run::Status::Running), 900_000).is_none());
    }

    #[test]
    fn the_commit_is_the_one_that_was_said_first() {
        let event = |base: &str| ToldEvent {
            id: 3,
            kind: "status".into(),
            timestamp: Timestamp::from_ms(5),
            payload: json!({ "base": base }),
        };
        let mut known = heard(0);
        known.hear(&event("no commit"));
        known.hear(&event(&"a".repeat(40)));
        known.hear(&event(&"b".repeat(40)));
        assert_eq!((known.base, known.after, known.at.ms()), (Some("a".repeat(40)), 3, 5));
    }
}
