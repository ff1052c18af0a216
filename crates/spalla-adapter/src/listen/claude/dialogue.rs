//! `claude --input-format stream-json`: what Claude Code is told while it works, a line of JSON each. What it says is heard
//! as without. Seen with 2.1.197 and 2.1.328.
//!
//! ```text
//! user message ─▶ init, assistant, user … ─▶ result: the turn is over
//! user message `/clear` ─▶ result: the context is empty, and the next turn is asked for
//! control_request interrupt ─▶ result
//! ```

use super::State;
use crate::command_line::Guard;
use crate::heard::Heard;
use crate::listen::{Ears, Opening, str_of};
use serde_json::{Value, json};

/// What empties the context.
const CLEAR: &str = "/clear";

/// One turn after another with one process.
#[derive(Debug, Default)]
pub(in crate::listen) struct Dialogue {
    guard: Guard,
    state: State,
    /// What is asked once the context is empty.
    next: Option<String>,
    is_asked: bool,
    interrupts: u64,
    outbox: Vec<String>,
}

impl Dialogue {
    /// Begins: what is sent first stands in the outbox.
    pub(in crate::listen) fn new(opening: &Opening) -> Self {
        let mut dialogue = Self { guard: opening.guard, ..Self::default() };
        dialogue.ask(&opening.prompt);
        dialogue
    }

    /// Begins another turn, with an empty context.
    pub(in crate::listen) fn again(&mut self, opening: &Opening) {
        *self = Self { guard: opening.guard, interrupts: self.interrupts, ..Self::default() };
        self.say(CLEAR);
        self.next = Some(opening.prompt.clone());
    }

    /// Asks for the end of the turn; tells whether there is one.
    pub(in crate::listen) fn interrupt(&mut self) -> bool {
        if !self.is_asked {
            return false;
        }
        self.interrupts += 1;
        let id = format!("interrupt-{}", self.interrupts);
        let request = json!({ "subtype": "interrupt" });
        self.send(&json!({ "type": "control_request", "request_id": id, "request": request }));
        true
    }

    /// Takes what is to be sent, a line each.
    pub(in crate::listen) fn outbox(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outbox)
    }

    /// Hears a line.
    pub(in crate::listen) fn hear(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let kind = str_of(value, "/type").unwrap_or_default();
        if kind == "control_request" {
            self.asked(value);
            return vec![];
        }
        if !self.is_asked {
            // What is said of an empty context, or after the end of a turn, is nothing of a turn.
            let next = self.next.take_if(|_| kind == "result");
            if let Some(next) = next {
                self.ask(&next);
            }
            return vec![];
        }
        self.is_asked = kind != "result";
        self.state.hear(value, ears)
    }

    fn ask(&mut self, prompt: &str) {
        self.say(prompt);
        self.is_asked = true;
    }

    fn say(&mut self, text: &str) {
        let content = json!([{ "type": "text", "text": text }]);
        self.send(&json!({ "type": "user", "message": { "role": "user", "content": content } }));
    }

    fn send(&mut self, message: &Value) {
        self.outbox.push(message.to_string());
    }

    /// It asks only where an argument of somebody's own says so. What it may do it does without.
    fn asked(&mut self, value: &Value) {
        let (id, request) = (&value["request_id"], &value["request"]);
        let response = match (str_of(request, "/subtype"), self.guard) {
            (Some("can_use_tool"), Guard::Bypass) => {
                let answer = json!({ "behavior": "allow", "updatedInput": request["input"] });
                json!({ "subtype": "success", "request_id": id, "response": answer })
            }
            (Some("can_use_tool"), _) => {
                let answer = json!({ "behavior": "deny", "message": "It may not be done here." });
                json!({ "subtype": "success", "request_id": id, "response": answer })
            }
            _ => json!({ "subtype": "error", "request_id": id, "error": "it is not offered here" }),
        };
        self.send(&json!({ "type": "control_response", "response": response }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::TurnEnd;
    use crate::trouble::Patterns;
    use jiff::Timestamp;

    fn opening(prompt: &str, guard: Guard) -> Opening {
        Opening { prompt: prompt.into(), guard, ..Opening::default() }
    }

    fn sent(dialogue: &mut Dialogue) -> Vec<Value> {
        dialogue.outbox().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn words(sent: &[Value]) -> Vec<&str> {
        sent.iter().filter_map(|line| str_of(line, "/message/content/0/text")).collect()
    }

    fn hears(dialogue: &mut Dialogue, value: &Value) -> Vec<Heard> {
        let patterns = Patterns::default();
        dialogue.hear(value, &Ears { patterns: &patterns, now: Timestamp::UNIX_EPOCH })
    }

    fn result(text: &str) -> Value {
        json!({ "type": "result", "is_error": false, "result": text, "usage": {} })
    }

    #[test]
    fn each_turn_but_the_first_is_asked_for_once_the_context_is_empty() {
        let mut talk = Dialogue::new(&opening("First", Guard::Bypass));
        assert_eq!(words(&sent(&mut talk)), ["First"]);
        assert_eq!(hears(&mut talk, &result("One")).last(), Some(&Heard::Over(TurnEnd::Completed)));
        talk.again(&opening("Second", Guard::Bypass));
        assert_eq!(words(&sent(&mut talk)), ["/clear"]);
        let init = json!({ "type": "system", "subtype": "init", "session_id": "old" });
        assert_eq!(hears(&mut talk, &init), []);
        assert_eq!(hears(&mut talk, &result("")), []);
        assert_eq!(words(&sent(&mut talk)), ["Second"]);
        let init = json!({ "type": "system", "subtype": "init", "session_id": "new" });
        assert_eq!(hears(&mut talk, &init)[0], Heard::Thread("new".into()));
        assert_eq!(hears(&mut talk, &result("Two")).last(), Some(&Heard::Over(TurnEnd::Completed)));
        assert_eq!(hears(&mut talk, &result("late")), []);
    }

    #[test]
    fn a_turn_is_interrupted_while_it_goes_on() {
        let mut talk = Dialogue::new(&opening("First", Guard::Bypass));
        sent(&mut talk);
        assert!(talk.interrupt());
        assert_eq!(sent(&mut talk)[0]["request"]["subtype"], "interrupt");
        let aborted = json!({ "type": "result", "is_error": true, "subtype": "error_during_execution",
            "terminal_reason": "aborted_streaming" });
        assert_eq!(hears(&mut talk, &aborted).last(), Some(&Heard::Over(TurnEnd::Interrupted)));
        assert!(!talk.interrupt());
    }

    #[test]
    fn what_it_asks_for_is_answered_as_the_guard_says() {
        for (guard, subtype, wanted) in [
            (Guard::Bypass, "can_use_tool", json!("allow")),
            (Guard::Guarded, "can_use_tool", json!("deny")),
            (Guard::ReadOnly, "can_use_tool", json!("deny")),
            (Guard::Bypass, "invented", Value::Null),
        ] {
            let mut talk = Dialogue::new(&opening("First", guard));
            sent(&mut talk);
            let request = json!({ "subtype": subtype, "tool_name": "Bash", "input": { "command": "make" } });
            let question = json!({ "type": "control_request", "request_id": "7", "request": request });
            assert_eq!(hears(&mut talk, &question), []);
            let answer = &sent(&mut talk)[0]["response"];
            assert_eq!((&answer["request_id"], &answer["response"]["behavior"]), (&json!("7"), &wanted));
        }
    }
}
