//! Notices an agent that does the same again and again and comes to nothing new.

use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use std::collections::VecDeque;

/// How many acts are looked back on.
const ACTS_KEPT: usize = 64;
/// The longest round of acts that is noticed.
const ROUND_MAX: usize = 3;
/// How often a round is done until it is a loop.
const ROUNDS: usize = 12;

/// What was done last.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    acts: VecDeque<String>,
}

impl Repeats {
    /// Sees an event; returns what is repeated once it has been done too often in a row.
    pub(super) fn see(&mut self, event: &AgentEvent) -> Option<String> {
        let is_act = matches!(event.kind, AgentEventType::Progress | AgentEventType::Finding);
        if !is_act {
            return None;
        }
        let (text, file) = (event.payload.text.as_deref(), event.payload.file.as_deref());
        let more = serde_json::to_string(&event.payload.more).unwrap_or_default();
        let act = format!("{} {} {more}", text.unwrap_or_default(), file.unwrap_or_default());
        self.acts.push_back(act);
        if self.acts.len() > ACTS_KEPT {
            self.acts.pop_front();
        }
        (1..=ROUND_MAX).find_map(|round| self.rounds_of(round))
    }

    fn rounds_of(&self, round: usize) -> Option<String> {
        let wanted = round * ROUNDS;
        if self.acts.len() < wanted {
            return None;
        }
        let last: Vec<&String> = self.acts.range(self.acts.len() - wanted..).collect();
        let is_loop = last.iter().skip(round).zip(&last).all(|(later, earlier)| later == earlier);
        is_loop.then(|| last[last.len() - 1].trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(text: &str) -> AgentEvent {
        AgentEvent::new(AgentEventType::Progress, text)
    }

    fn first_loop(acts: impl IntoIterator<Item = String>) -> Option<usize> {
        let mut repeats = Repeats::default();
        acts.into_iter().position(|text| repeats.see(&act(&text)).is_some())
    }

    #[test]
    fn the_same_act_or_round_of_acts_again_and_again_is_a_loop() {
        assert_eq!(first_loop((0..100).map(|_| "ls".into())), Some(ROUNDS - 1));
        assert_eq!(first_loop((0..100).map(|n| format!("{}", n % 3))), Some(3 * ROUNDS - 1));
    }

    #[test]
    fn work_that_comes_to_something_new_is_none() {
        assert_eq!(first_loop((0..1_000).map(|n| format!("{}", n % 4))), None);
        assert_eq!(first_loop((0..1_000).map(|n| format!("{}", n / 11))), None);
    }

    #[test]
    fn words_are_no_acts() {
        let mut repeats = Repeats::default();
        let words = AgentEvent::new(AgentEventType::Status, "thinking");
        assert!((0..100).all(|_| repeats.see(&words).is_none()));
    }
}
