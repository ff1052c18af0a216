//! What agents do just now: derived from what is known of runs and workers, and kept so that each change can be told with
//! what was before.

use crate::{EventSeq, ProjectId, RunId, Timestamp, WorkItemId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It could work, and has nothing to do.
    Idle,
    /// It works.
    Busy,
    /// The last that it did failed.
    Error,
    /// No worker that carries out what agents do was heard of lately.
    Offline,
}

impl State {
    /// Derives the state: whoever works is busy, whatever came before; who can't be called is offline.
    pub const fn of(is_working: bool, has_worker: bool, failed_last: bool) -> Self {
        match (is_working, has_worker, failed_last) {
            (true, _, _) => Self::Busy,
            (false, false, _) => Self::Offline,
            (false, true, true) => Self::Error,
            (false, true, false) => Self::Idle,
        }
    }
}

/// What was seen of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub agent: String,
    /// What it does.
    pub state: State,
    /// At what it works: the oldest of its runs that are held.
    pub current: Option<(WorkItemId, RunId)>,
}

/// What is known of the agents of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStates {
    /// Whose.
    pub project_id: ProjectId,
    /// Up to which event what is known was seen.
    pub as_of: EventSeq,
    /// The agents by name.
    pub agents: BTreeMap<String, Known>,
}

/// What is known of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What it does.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// At what it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<(WorkItemId, RunId)>,
}

/// A change of what an agent does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub agent: String,
    /// What it did before; none where nothing was known of it.
    pub before: Option<State>,
    /// What it does.
    pub after: State,
    /// At what it works.
    pub current: Option<(WorkItemId, RunId)>,
}

impl AgentStates {
    /// Begins with none.
    pub const fn new(project_id: ProjectId) -> Self {
        Self { project_id, as_of: EventSeq(0), agents: BTreeMap::new() }
    }

    /// Takes note of what was seen, and returns what changed; none where it is older than what is known already, and is left.
    pub fn take(&mut self, as_of: EventSeq, seen: &[Seen], now: Timestamp) -> Option<Vec<Change>> {
        if as_of < self.as_of {
            return None;
        }
        self.as_of = as_of;
        let mut changes = vec![];
        for Seen { agent, state, current } in seen {
            let before = self.agents.get(agent);
            let is_same = before.is_some_and(|known| known.state == *state);
            if is_same && before.is_some_and(|known| known.current == *current) {
                continue;
            }
            let since = before.filter(|_| is_same).map_or(now, |known| known.since);
            let (before, known) =
                (before.map(|known| known.state), Known { state: *state, since, current: *current });
            self.agents.insert(agent.clone(), known);
            changes.push(Change { agent: agent.clone(), before, after: *state, current: *current });
        }
        Some(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000);

    fn seen(state: State, run: Option<i64>) -> Seen {
        Seen { agent: "codex".into(), state, current: run.map(|run| (WorkItemId(1), RunId(run))) }
    }

    #[test]
    fn whoever_works_is_busy_and_a_failure_shows_until_the_next_work() {
        assert_eq!(State::of(true, false, true), State::Busy);
        assert_eq!(State::of(false, false, true), State::Offline);
        assert_eq!(State::of(false, true, true), State::Error);
        assert_eq!(State::of(false, true, false), State::Idle);
    }

    #[test]
    fn each_change_is_told_once_with_what_was_before() {
        let mut states = AgentStates::new(ProjectId(1));
        let mut take = |seq, seen, now| states.take(EventSeq(seq), &[seen], now).unwrap();
        let first = take(1, seen(State::Idle, None), NOW);
        assert_eq!((first[0].before, first[0].after), (None, State::Idle));
        assert_eq!(take(2, seen(State::Idle, None), NOW.plus_ms(5)), []);
        let second = take(3, seen(State::Busy, Some(7)), NOW.plus_ms(9));
        assert_eq!((second[0].before, second[0].after), (Some(State::Idle), State::Busy));
        let other = take(4, seen(State::Busy, Some(8)), NOW.plus_ms(11));
        assert_eq!(other[0].current, Some((WorkItemId(1), RunId(8))));
        assert_eq!(states.agents["codex"].since, NOW.plus_ms(9), "another run is the same state");
    }

    #[test]
    fn what_was_seen_earlier_comes_too_late() {
        let mut states = AgentStates::new(ProjectId(1));
        states.take(EventSeq(5), &[seen(State::Busy, Some(1))], NOW);
        assert_eq!(states.take(EventSeq(4), &[seen(State::Idle, None)], NOW), None);
        assert_eq!(states.agents["codex"].state, State::Busy);
    }
}
