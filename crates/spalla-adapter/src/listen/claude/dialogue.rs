//! `claude --input-format stream-json`: what Claude Code is told while it works, a line of JSON each. What it says is heard
//! as without. Seen with 2.1.197 and 2.1.328.
//!
//! ```text
//! control_request mcp_set_servers ─▶ control_response: these servers of tools are there, and no others
//! user message ─▶ init, assistant, user … ─▶ result: the turn is over
//! user message `/clear` ─▶ result: the context is empty
//! control_request interrupt ─▶ result
//! ```
//!
//! The tools are named in the conversation and not in a file of the command line, so that each run has them by its own token.

use super::State;
use crate::command_line::Guard;
use crate::heard::{Heard, TurnEnd};
use crate::listen::dialogue::{AskedCommand, AskedCommands, Permission};
use crate::listen::used::input_of;
use crate::listen::{Ears, Opening, ToolServer, event, shown, str_of};
use crate::tools::Used;
use serde_json::{Value, json};
use spalla_domain::agent_event::AgentEventType;

/// What empties the context.
const CLEAR: &str = "/clear";

/// One turn after another with one process.
#[derive(Debug, Default)]
pub(in crate::listen) struct Dialogue {
    /// What the turn is about.
    opening: Opening,
    state: State,
    /// What is asked once nothing of a turn before is left.
    next: Option<String>,
    /// The request for the servers of tools that is not answered yet.
    servers: Option<String>,
    /// Whether the context is being emptied.
    is_clearing: bool,
    pub(in crate::listen) is_asked: bool,
    /// The commands that it asks about.
    pub(in crate::listen) commands: AskedCommands,
    /// How many requests were made.
    requests: u64,
    outbox: Vec<String>,
}

impl Dialogue {
    /// Begins: what is sent first stands in the outbox.
    pub(in crate::listen) fn new(opening: &Opening) -> Self {
        let next = Some(opening.prompt.clone());
        let mut dialogue = Self { opening: opening.clone(), next, ..Self::default() };
        if !opening.servers.is_empty() {
            dialogue.give(&opening.servers);
        }
        dialogue.ask_where_ready();
        dialogue
    }

    /// Begins another turn, with an empty context and the tools of this one alone.
    pub(in crate::listen) fn again(&mut self, opening: &Opening) {
        let next = Some(opening.prompt.clone());
        *self = Self { opening: opening.clone(), requests: self.requests, next, ..Self::default() };
        self.give(&opening.servers);
        self.is_clearing = true;
        self.say(CLEAR);
    }

    /// Asks for the end of the turn; tells whether there is one.
    pub(in crate::listen) fn interrupt(&mut self) -> bool {
        if !self.is_asked {
            return false;
        }
        self.request(&json!({ "subtype": "interrupt" }));
        true
    }

    /// Takes what is to be sent, a line each.
    pub(in crate::listen) fn outbox(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outbox)
    }

    /// Hears a line.
    pub(in crate::listen) fn hear(&mut self, value: &Value, ears: &Ears<'_>) -> Vec<Heard> {
        let kind = str_of(value, "/type").unwrap_or_default();
        match kind {
            "control_request" => {
                self.asks(value);
                return vec![];
            }
            "control_response" => return self.answered(&value["response"]),
            _ => {}
        }
        if !self.is_asked {
            // What is said of an empty context, or after the end of a turn, is nothing of a turn.
            self.is_clearing &= kind != "result";
            self.ask_where_ready();
            return vec![];
        }
        self.is_asked = kind != "result";
        self.state.hear(value, ears)
    }

    fn ask_where_ready(&mut self) {
        if self.servers.is_some() || self.is_clearing {
            return;
        }
        if let Some(prompt) = self.next.take() {
            self.say(&prompt);
            self.is_asked = true;
        }
    }

    fn give(&mut self, servers: &[ToolServer]) {
        let named = servers.iter().map(|server| {
            let env: serde_json::Map<_, _> =
                server.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            let how = json!({ "type": "stdio", "command": server.command, "args": server.args, "env": env });
            (server.name.clone(), how)
        });
        let servers: serde_json::Map<_, _> = named.collect();
        self.servers = Some(self.request(&json!({ "subtype": "mcp_set_servers", "servers": servers })));
    }

    /// Who can't be given tools so is called in another way. Tools that can't be reached keep nobody from the work.
    fn answered(&mut self, response: &Value) -> Vec<Heard> {
        let id = str_of(response, "/request_id");
        if id.is_none() || self.servers.take_if(|wanted| Some(wanted.as_str()) == id).is_none() {
            return vec![];
        }
        if str_of(response, "/subtype") != Some("success") {
            self.next = None;
            let why = str_of(response, "/error").unwrap_or("no reason is given");
            let said = format!("it takes no tools in a conversation: {}", shown(why));
            return vec![event(AgentEventType::Status, said), Heard::Over(TurnEnd::Failed)];
        }
        self.ask_where_ready();
        let errors = response["response"]["errors"].as_object().into_iter().flatten();
        let said = errors.map(|(name, why)| {
            let why = why.as_str().map_or_else(|| why.to_string(), str::to_owned);
            event(AgentEventType::Status, format!("the tools of {name} are not there: {}", shown(&why)))
        });
        said.collect()
    }

    fn request(&mut self, request: &Value) -> String {
        self.requests += 1;
        let id = format!("spalla-{}", self.requests);
        self.send(&json!({ "type": "control_request", "request_id": id, "request": request }));
        id
    }

    fn say(&mut self, text: &str) {
        let content = json!([{ "type": "text", "text": text }]);
        self.send(&json!({ "type": "user", "message": { "role": "user", "content": content } }));
    }

    fn send(&mut self, message: &Value) {
        self.outbox.push(message.to_string());
    }

    /// It asks only where an argument of somebody's own says so. What it may do it does without.
    fn asks(&mut self, value: &Value) {
        let (id, request) = (&value["request_id"], &value["request"]);
        if str_of(request, "/subtype") != Some("can_use_tool") {
            let response = json!({ "subtype": "error", "request_id": id, "error": "it is not offered here" });
            return self.send(&json!({ "type": "control_response", "response": response }));
        }
        let used = Used::new(str_of(request, "/tool_name").unwrap_or_default(), input_of(&request["input"]));
        let is_free = matches!(self.opening.guard, Guard::Bypass | Guard::Listed);
        let mut may = is_free && self.opening.lists(&used);
        if may && self.opening.leaves_open(&used) {
            let folder = self.opening.folder.clone();
            let asked = AskedCommand { used, folder, id: id.clone(), question: request.clone() };
            if self.commands.keep(asked) {
                return;
            }
            may = false;
        }
        let refused = || Permission::Refused("It may not be done here.".to_owned());
        self.answer(id, request, &if may { Permission::Granted } else { refused() });
    }

    /// Answers whether a tool may be used. What is refused is told once more at the end of the turn.
    pub(in crate::listen) fn answer(
        &mut self,
        id: &Value,
        request: &Value,
        permission: &Permission,
    ) -> Vec<Heard> {
        let answer = match permission {
            Permission::Granted => json!({ "behavior": "allow", "updatedInput": request["input"] }),
            Permission::Refused(why) => json!({ "behavior": "deny", "message": why }),
        };
        let response = json!({ "subtype": "success", "request_id": id, "response": answer });
        self.send(&json!({ "type": "control_response", "response": response }));
        vec![]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::TurnEnd;
    use crate::trouble::Patterns;
    use jiff::Timestamp;
    use spalla_domain::agent_event::Bounds;

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
        dialogue
            .hear(value, &Ears { patterns: &patterns, bounds: Bounds::default(), now: Timestamp::UNIX_EPOCH })
    }

    /// The servers of tools that were asked for are there.
    fn given(request: &Value) -> Value {
        let added = json!({ "added": ["spalla"], "removed": [], "errors": {} });
        let id = &request["request_id"];
        json!({ "type": "control_response",
            "response": { "subtype": "success", "request_id": id, "response": added } })
    }

    fn with_tools(prompt: &str, token: &str) -> Opening {
        let env = vec![("TOKEN".to_owned(), token.to_owned())];
        let server = ToolServer {
            name: "spalla".into(),
            command: "/bin/spalla".into(),
            args: vec!["mcp".into()],
            env,
        };
        Opening { servers: vec![server], ..opening(prompt, Guard::Bypass) }
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
        let asked = sent(&mut talk);
        assert_eq!((words(&asked), &asked[0]["request"]["servers"]), (vec!["/clear"], &json!({})));
        let init = json!({ "type": "system", "subtype": "init", "session_id": "old" });
        assert_eq!(hears(&mut talk, &init), []);
        assert_eq!(hears(&mut talk, &result("")), []);
        assert_eq!(words(&sent(&mut talk)), [""; 0]);
        assert_eq!(hears(&mut talk, &given(&asked[0])), []);
        assert_eq!(words(&sent(&mut talk)), ["Second"]);
        let init = json!({ "type": "system", "subtype": "init", "session_id": "new" });
        assert_eq!(hears(&mut talk, &init)[0], Heard::Thread("new".into()));
        assert_eq!(hears(&mut talk, &result("Two")).last(), Some(&Heard::Over(TurnEnd::Completed)));
        assert_eq!(hears(&mut talk, &result("late")), []);
    }

    #[test]
    fn each_turn_has_the_tools_by_its_own_token_before_it_is_asked_for() {
        let mut talk = Dialogue::new(&with_tools("First", "one"));
        let asked = sent(&mut talk);
        let wanted = json!({ "spalla": { "type": "stdio", "command": "/bin/spalla", "args": ["mcp"], "env": { "TOKEN": "one" } } });
        assert_eq!(asked[0]["request"]["subtype"], "mcp_set_servers");
        assert_eq!((&asked[0]["request"]["servers"], asked.len()), (&wanted, 1));
        assert_eq!(hears(&mut talk, &given(&asked[0])), []);
        assert_eq!(words(&sent(&mut talk)), ["First"]);
        hears(&mut talk, &result("One"));
        talk.again(&with_tools("Second", "two"));
        let again = sent(&mut talk);
        assert_eq!(again[0]["request"]["servers"]["spalla"]["env"]["TOKEN"], "two");
        // What answers an earlier request answers nothing of this turn.
        assert_eq!(hears(&mut talk, &given(&asked[0])), []);
        hears(&mut talk, &given(&again[0]));
        assert_eq!(words(&sent(&mut talk)), [""; 0]);
        hears(&mut talk, &result(""));
        assert_eq!(words(&sent(&mut talk)), ["Second"]);
    }

    #[test]
    fn who_takes_no_tools_in_a_conversation_has_none_and_tools_that_are_not_there_stop_nobody() {
        let mut talk = Dialogue::new(&with_tools("First", "one"));
        let id = sent(&mut talk)[0]["request_id"].clone();
        let refused = json!({ "type": "control_response",
            "response": { "subtype": "error", "request_id": id, "error": "Unsupported control request subtype" } });
        assert_eq!(hears(&mut talk, &refused).last(), Some(&Heard::Over(TurnEnd::Failed)));
        assert_eq!(words(&sent(&mut talk)), [""; 0]);
        let mut talk = Dialogue::new(&with_tools("First", "one"));
        let mut answer = given(&sent(&mut talk)[0]);
        answer["response"]["response"]["errors"] = json!({ "spalla": "it did not start" });
        assert!(matches!(&hears(&mut talk, &answer)[..], [Heard::Event(_)]));
        assert_eq!(words(&sent(&mut talk)), ["First"]);
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

    #[test]
    fn a_command_that_somebody_decides_on_waits_for_the_answer() {
        let opening = Opening { asks_commands: true, ..opening("First", Guard::Listed) };
        let mut talk = Dialogue::new(&opening);
        sent(&mut talk);
        let ask = |tool: &str, input: Value| {
            let request = json!({ "subtype": "can_use_tool", "tool_name": tool, "input": input });
            json!({ "type": "control_request", "request_id": "7", "request": request })
        };
        hears(&mut talk, &ask("Write", json!({ "file_path": "a" })));
        assert_eq!(sent(&mut talk)[0]["response"]["response"]["behavior"], "allow");
        hears(&mut talk, &ask("Bash", json!({ "command": "git push" })));
        assert_eq!(sent(&mut talk), Vec::<Value>::new());
        let asked = talk.commands.take().remove(0);
        assert_eq!(asked.used.input.as_deref(), Some("git push"));
        talk.answer(&asked.id, &asked.question, &Permission::Refused("approval 7 was refused".into()));
        let answer = &sent(&mut talk)[0]["response"]["response"];
        assert_eq!(
            (&answer["behavior"], &answer["message"]),
            (&json!("deny"), &json!("approval 7 was refused"))
        );
    }
}
