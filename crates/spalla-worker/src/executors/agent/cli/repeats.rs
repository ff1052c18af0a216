//! Notices an agent that does the same again and again and comes to nothing new.

use spalla_adapter::heard::Heard;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The longest round of acts that is noticed.
const ROUND_MAX: usize = 6;

/// What was done last.
#[derive(Debug)]
pub(super) struct Repeats {
    /// How often a round is done until it is a loop; 0 is never.
    rounds: usize,
    acts: VecDeque<u64>,
    /// Whether the command line tells what came of each call. Where it does not, its events are all there is.
    tells_acts: bool,
}

impl Repeats {
    /// Begins to look for rounds that are done so often; 0 looks for none.
    pub(super) fn new(rounds: u32) -> Self {
        let rounds = usize::try_from(rounds).unwrap_or(usize::MAX);
        Self { rounds, acts: VecDeque::new(), tells_acts: false }
    }

    /// Hears something; returns what is repeated once it has been done too often in a row.
    pub(super) fn hear(&mut self, heard: &Heard) -> Option<String> {
        match heard {
            Heard::Did(act) => {
                if !std::mem::replace(&mut self.tells_acts, true) {
                    self.acts.clear();
                }
                self.add(act.mark, &act.shown)
            }
            Heard::Event(event) if !self.tells_acts => {
                let is_act = matches!(event.kind, AgentEventType::Progress | AgentEventType::Finding);
                let said = event.payload.text.as_deref().unwrap_or_default();
                if is_act { self.add(Some(mark_of(event)), said) } else { None }
            }
            _ => None,
        }
    }

    /// Adds an act; one without a mark brought something new.
    fn add(&mut self, mark: Option<u64>, shown: &str) -> Option<String> {
        let Some(mark) = mark.filter(|_| self.rounds > 0) else {
            self.acts.clear();
            return None;
        };
        self.acts.push_back(mark);
        if self.acts.len() > self.rounds.saturating_mul(ROUND_MAX) {
            self.acts.pop_front();
        }
        (1..=ROUND_MAX).any(|round| self.is_loop_of(round)).then(|| shown.trim().to_owned())
    }

    fn is_loop_of(&self, round: usize) -> bool {
        let wanted = round.saturating_mul(self.rounds);
        let Some(from) = self.acts.len().checked_sub(wanted) else { return false };
        let last = self.acts.range(from..);
        last.clone().skip(round).zip(last).all(|(later, earlier)| later == earlier)
    }
}

fn mark_of(event: &AgentEvent) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(&event.payload).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use spalla_adapter::act::Act;

    const ROUNDS: u32 = 12;

    fn event(text: String) -> Heard {
        Heard::Event(AgentEvent::new(AgentEventType::Progress, text))
    }

    fn did(command: &str, outcome: &str) -> Heard {
        Heard::Did(Act::new(command, "Bash", &json!({ "command": command }), outcome))
    }

    fn first_loop(all: impl IntoIterator<Item = Heard>) -> Option<usize> {
        let mut repeats = Repeats::new(ROUNDS);
        all.into_iter().position(|heard| repeats.hear(&heard).is_some())
    }

    #[test]
    fn the_same_act_or_round_of_acts_again_and_again_is_a_loop() {
        let most = ROUNDS as usize;
        assert_eq!(first_loop((0..100).map(|_| event("ls".into()))), Some(most - 1));
        assert_eq!(first_loop((0..100).map(|n| event(format!("{}", n % 3)))), Some(3 * most - 1));
        assert_eq!(first_loop((0..100).map(|_| did("ls", "a"))), Some(most - 1));
        assert_eq!(first_loop((0..100).map(|n| did(&format!("{}", n % 6), "a"))), Some(6 * most - 1));
    }

    #[test]
    fn work_that_comes_to_something_new_is_none() {
        assert_eq!(first_loop((0..1_000).map(|n| event(format!("{}", n % 7)))), None);
        assert_eq!(first_loop((0..1_000).map(|n| event(format!("{}", n / 11)))), None);
        assert_eq!(first_loop((0..1_000).map(|n| did("tail log", &format!("{n} done")))), None);
    }

    #[test]
    fn many_changes_of_one_file_are_none_while_each_is_another() {
        let edit = |given: Value| Heard::Did(Act::new("Edit a.rs", "Edit", &given, "updated"));
        assert_eq!(first_loop((0..100).map(|n| edit(json!({ "new_string": n })))), None);
        assert_eq!(first_loop((0..100).map(|_| Heard::Did(Act::change("a.rs")))), None);
        assert!(first_loop((0..100).map(|_| edit(json!({ "new_string": 1 })))).is_some());
    }

    #[test]
    fn what_is_told_for_people_does_not_count_beside_acts() {
        let both = (0..100).flat_map(|n| [event("Edit a.rs".into()), did("cargo test", &format!("{n}"))]);
        assert_eq!(first_loop(both), None);
    }

    #[test]
    fn words_are_no_acts_and_nobody_who_said_never_is_stopped() {
        let words = || Heard::Event(AgentEvent::new(AgentEventType::Status, "thinking"));
        assert_eq!(first_loop((0..100).map(|_| words())), None);
        let mut never = Repeats::new(0);
        assert!((0..1_000).all(|_| never.hear(&did("ls", "a")).is_none()));
    }
}
