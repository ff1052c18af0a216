//! Conversations over ACP in which one side is written down.

use super::*;
use crate::trouble::{Cause, Patterns};
use jiff::Timestamp;
use spalla_domain::agent_event::Bounds;

/// A conversation in which one side is ours and the other one is written down.
struct Talk(Dialogue);

impl Talk {
    fn begin(guard: Guard, thread: Option<&str>) -> Self {
        let (folder, prompt, thread) = ("/w".to_owned(), "Do it".to_owned(), thread.map(str::to_owned));
        let anew = Some("Do it anew".to_owned());
        Self(Dialogue::new(Opening { folder, prompt, thread, anew, guard, ..Opening::default() }))
    }

    /// Returns what is sent, as methods and answers.
    fn sent(&mut self) -> Vec<Value> {
        self.0.outbox().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn hears(&mut self, message: Value) -> Vec<Heard> {
        let patterns = Patterns::default();
        let ears = Ears { patterns: &patterns, bounds: Bounds::default(), now: Timestamp::UNIX_EPOCH };
        self.0.hear(&message, &ears)
    }

    fn answers(&mut self, id: u64, result: Value) -> Vec<Heard> {
        self.hears(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
    }

    fn updates(&mut self, update: Value) -> Vec<Heard> {
        let params = json!({ "sessionId": "s", "update": update });
        self.hears(json!({ "jsonrpc": "2.0", "method": "session/update", "params": params }))
    }

    fn opened(guard: Guard) -> Self {
        let mut talk = Self::begin(guard, None);
        assert_eq!(talk.sent()[0]["method"], "initialize");
        talk.answers(1, json!({ "protocolVersion": 1 }));
        assert_eq!(talk.sent()[0]["method"], "session/new");
        assert_eq!(talk.answers(3, json!({ "sessionId": "s" })), [Heard::Thread("s".into())]);
        let prompt = &talk.sent()[0];
        assert_eq!(
            (&prompt["method"], &prompt["params"]["prompt"][0]["text"]),
            (&json!("session/prompt"), &json!("Do it"))
        );
        talk
    }
}

#[test]
fn a_turn_is_words_tools_and_an_end() {
    let mut talk = Talk::opened(Guard::Bypass);
    for text in ["I wi", "ll write."] {
        talk.updates(
            json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": text } }),
        );
    }
    let tool = json!({ "sessionUpdate": "tool_call", "title": "Writing to a.txt", "kind": "edit",
        "locations": [{ "path": "/w/a.txt" }] });
    let heard = talk.updates(tool);
    assert_eq!(heard[0], Heard::Words("I will write.".into()));
    assert!(matches!(&heard[1], Heard::Event(event) if event.payload.file.as_deref() == Some("/w/a.txt")));
    talk.updates(json!({ "sessionUpdate": "agent_message_chunk", "content": { "text": "Done." } }));
    let heard = talk
        .answers(4, json!({ "stopReason": "end_turn", "usage": { "inputTokens": 9, "outputTokens": 2 } }));
    assert_eq!(heard.first(), Some(&Heard::Words("Done.".into())));
    assert!(heard.iter().any(|heard| matches!(heard, Heard::Spent(spent) if spent.input_tokens == Some(9))));
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Completed)));
}

#[test]
fn who_asks_for_a_login_is_given_the_key_once() {
    let mut talk = Talk::begin(Guard::Bypass, None);
    talk.sent();
    talk.answers(1, json!({ "authMethods": [{ "id": "oauth" }, { "id": "gemini-api-key" }] }));
    talk.sent();
    let refusal = json!({ "jsonrpc": "2.0", "id": 3, "error": { "code": -32000, "message": "Authentication required" } });
    assert_eq!(talk.hears(refusal.clone()), []);
    let sent = talk.sent();
    assert_eq!(
        (&sent[0]["method"], &sent[0]["params"]["methodId"]),
        (&json!("authenticate"), &json!("gemini-api-key"))
    );
    talk.answers(2, json!({}));
    assert_eq!(talk.sent()[0]["method"], "session/new");
    assert_eq!(talk.hears(refusal).last(), Some(&Heard::Over(TurnEnd::Failed)));
}

#[test]
fn a_conversation_goes_on_where_the_agent_can_and_begins_anew_where_it_cant() {
    let mut talk = Talk::begin(Guard::Bypass, Some("old"));
    talk.sent();
    talk.answers(1, json!({ "agentCapabilities": { "loadSession": true } }));
    let sent = talk.sent();
    assert_eq!(
        (&sent[0]["method"], &sent[0]["params"]["sessionId"]),
        (&json!("session/load"), &json!("old"))
    );
    talk.updates(json!({ "sessionUpdate": "agent_message_chunk", "content": { "text": "of before" } }));
    assert_eq!(
        talk.hears(json!({ "jsonrpc": "2.0", "id": 3, "error": { "code": -32602, "message": "gone" } })),
        []
    );
    assert_eq!(talk.sent()[0]["method"], "session/new");
    assert_eq!(talk.answers(3, json!({ "sessionId": "new" })), [Heard::Thread("new".into())]);
    assert_eq!(talk.sent()[0]["params"]["prompt"][0]["text"], "Do it anew");
    let heard = talk.answers(4, json!({ "stopReason": "end_turn" }));
    assert!(!heard.iter().any(|heard| matches!(heard, Heard::Words(_))), "{heard:?}");
}

#[test]
fn what_an_agent_may_do_is_as_its_guard_says() {
    let ask = |kind: &str| {
        json!({ "jsonrpc": "2.0", "id": "p", "method": "session/request_permission", "params": {
            "options": [{ "kind": "allow_always", "optionId": "all" }, { "kind": "allow_once", "optionId": "yes" },
                        { "kind": "reject_once", "optionId": "no" }],
            "toolCall": { "title": "Do", "kind": kind, "rawInput": { "command": "make" } } } })
    };
    for (guard, kind, option) in [
        (Guard::Bypass, "execute", "yes"),
        (Guard::Guarded, "edit", "yes"),
        (Guard::Guarded, "execute", "no"),
        (Guard::ReadOnly, "edit", "no"),
        (Guard::ReadOnly, "read", "yes"),
    ] {
        let mut talk = Talk::opened(guard);
        let heard = talk.hears(ask(kind));
        let sent = talk.sent();
        assert_eq!(
            (&sent[0]["id"], &sent[0]["result"]["outcome"]["optionId"]),
            (&json!("p"), &json!(option))
        );
        assert_eq!(
            heard.iter().any(|heard| matches!(heard, Heard::Denied(_))),
            option == "no",
            "{guard:?} {kind}"
        );
    }
}

#[test]
fn what_is_not_offered_is_refused_and_what_is_strange_ends_nothing() {
    let mut talk = Talk::opened(Guard::Bypass);
    talk.hears(json!({ "jsonrpc": "2.0", "id": 7, "method": "fs/read_text_file", "params": {} }));
    assert_eq!(talk.sent()[0]["error"]["code"], NO_METHOD);
    for odd in [json!({ "jsonrpc": "2.0" }), json!([1]), json!({ "jsonrpc": "2.0", "id": 99, "result": 1 })] {
        talk.hears(odd);
    }
    let failed = json!({ "jsonrpc": "2.0", "id": 4, "error": { "code": 429, "message": "slow down" } });
    let heard = talk.hears(failed);
    assert!(
        heard
            .iter()
            .any(|heard| matches!(heard, Heard::Trouble(trouble) if trouble.cause == Cause::RateLimit)),
        "{heard:?}"
    );
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Failed)));
}

#[test]
fn the_tools_of_a_server_are_handed_over_with_the_conversation() {
    let server = ToolServer {
        name: "spalla".into(),
        command: "/bin/spalla".into(),
        args: vec!["mcp".into()],
        env: vec![("TOKEN".into(), "t".into())],
    };
    let wanted = json!([{ "name": "spalla", "command": "/bin/spalla", "args": ["mcp"],
        "env": [{ "name": "TOKEN", "value": "t" }] }]);
    for (thread, method) in [(None, "session/new"), (Some("old".to_owned()), "session/load")] {
        let servers = vec![server.clone()];
        let mut talk = Talk(Dialogue::new(Opening { servers, thread, ..Opening::default() }));
        talk.sent();
        talk.answers(1, json!({ "agentCapabilities": { "loadSession": true } }));
        let opens = &talk.sent()[0];
        assert_eq!((&opens["method"], &opens["params"]["mcpServers"]), (&json!(method), &wanted));
    }
}

#[test]
fn another_turn_of_the_process_has_a_conversation_of_its_own_and_hears_no_answer_of_the_last() {
    let mut talk = Talk::opened(Guard::Bypass);
    talk.answers(4, json!({ "stopReason": "end_turn" }));
    talk.0.again(Opening { folder: "/other".into(), prompt: "Next".into(), ..Opening::default() });
    let opens = &talk.sent()[0];
    assert_eq!((&opens["method"], &opens["params"]["cwd"]), (&json!("session/new"), &json!("/other")));
    assert_eq!(talk.answers(4, json!({ "stopReason": "end_turn" })), []);
    assert_eq!(talk.answers(11, json!({ "sessionId": "s2" })), [Heard::Thread("s2".into())]);
    assert_eq!(talk.sent()[0]["params"]["sessionId"], "s2");
    let heard = talk.answers(12, json!({ "stopReason": "end_turn" }));
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Completed)));
}

#[test]
fn a_turn_is_cancelled_once_there_is_one() {
    let mut talk = Talk::begin(Guard::Bypass, None);
    talk.sent();
    assert!(!talk.0.interrupt() && talk.sent().is_empty());
    let mut talk = Talk::opened(Guard::Bypass);
    assert!(talk.0.interrupt());
    let cancel = &talk.sent()[0];
    assert_eq!((&cancel["method"], &cancel["params"]["sessionId"]), (&json!("session/cancel"), &json!("s")));
    let heard = talk.answers(4, json!({ "stopReason": "cancelled" }));
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Interrupted)));
    assert!(!talk.0.interrupt());
}

#[test]
fn what_gemini_used_is_heard_of_its_answer() {
    let mut talk = Talk::opened(Guard::Bypass);
    let quota = json!({ "token_count": { "input_tokens": 1_000, "output_tokens": 50 } });
    let heard = talk.answers(4, json!({ "stopReason": "end_turn", "_meta": { "quota": quota } }));
    let wanted = Spent { input_tokens: Some(1_000), output_tokens: Some(50), ..Spent::default() };
    assert!(heard.contains(&Heard::Spent(wanted)), "{heard:?}");
}

/// Leaves out what is heard for the sake of loops.
fn without_acts(mut heard: Vec<Heard>) -> Vec<Heard> {
    heard.retain(|heard| !matches!(heard, Heard::Did(_)));
    heard
}

#[test]
fn a_command_that_was_denied_something_is_told_with_the_answer_that_knows_of_it() {
    let (command, said) = ("echo hi > /etc/notes.md", "Read-only file system\nExited with code: 1");
    for (next, answer, was_passed) in [
        (None, "Done.", false),
        (Some("echo hi > ./other.md"), "Done.", false),
        (Some("tee /tmp/notes.md"), "I could not write it.", false),
        (Some("cp base.md notes.md"), "Done.", true),
    ] {
        let mut talk = Talk::opened(Guard::Bypass);
        let call = |id: &str, command: &str| {
            json!({ "sessionUpdate": "tool_call", "toolCallId": id, "kind": "execute",
            "title": command, "status": "in_progress" })
        };
        let over = |id: &str, text: &str| {
            json!({ "sessionUpdate": "tool_call_update", "toolCallId": id, "kind": "execute",
            "status": "completed", "content": [{ "type": "content", "content": { "type": "text", "text": text } }] })
        };
        talk.updates(call("1", command));
        assert_eq!(without_acts(talk.updates(over("1", said))).len(), 1);
        if let Some(next) = next {
            talk.updates(call("2", next));
            assert_eq!(without_acts(talk.updates(over("2", ""))), []);
        }
        talk.updates(json!({ "sessionUpdate": "agent_message_chunk", "content": { "text": answer } }));
        let heard = talk.answers(4, json!({ "stopReason": "end_turn" }));
        let by = heard.iter().find_map(|heard| match heard {
            Heard::Denied(denied) => Some(denied.by),
            _ => None,
        });
        assert_eq!(by, Some(DeniedBy::Output { was_passed }), "{next:?} {answer}: {heard:?}");
    }
}

/// Asks whether a tool may be used.
fn asks(talk: &mut Talk, kind: &str, input: Value) -> Vec<Heard> {
    let options =
        json!([{ "optionId": "y", "kind": "allow_once" }, { "optionId": "n", "kind": "reject_once" }]);
    let call = json!({ "toolCallId": "1", "kind": kind, "title": "t", "rawInput": input });
    let params = json!({ "sessionId": "s", "toolCall": call, "options": options });
    let method = "session/request_permission";
    talk.hears(json!({ "jsonrpc": "2.0", "id": 9, "method": method, "params": params }))
}

#[test]
fn a_command_that_somebody_decides_on_waits_for_the_answer_and_nothing_else_does() {
    for (permission, option) in
        [(Permission::Granted, "y"), (Permission::Refused("approval 7 was refused".into()), "n")]
    {
        let mut talk = Talk::opened(Guard::Listed);
        talk.0.opening.asks_commands = true;
        assert_eq!(asks(&mut talk, "edit", json!({ "path": "a" })), []);
        assert_eq!(talk.sent()[0]["result"]["outcome"]["optionId"], "y");
        assert_eq!(asks(&mut talk, "execute", json!({ "command": "git push" })), []);
        assert_eq!(talk.sent(), Vec::<Value>::new());
        let asked = talk.0.commands.take().remove(0);
        assert_eq!((asked.used.input.as_deref(), asked.folder.as_str()), (Some("git push"), "/w"));
        let heard = talk.0.answer(&asked.id, &asked.question, &permission);
        let answer = talk.sent().remove(0);
        assert_eq!((&answer["id"], &answer["result"]["outcome"]["optionId"]), (&json!(9), &json!(option)));
        let reasons: Vec<_> = heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Denied(denied) => Some(denied.reason.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(reasons.is_empty(), permission == Permission::Granted, "{heard:?}");
    }
}

#[test]
fn who_asks_about_more_commands_than_can_be_kept_is_refused() {
    let mut talk = Talk::opened(Guard::Listed);
    talk.0.opening.asks_commands = true;
    for _ in 0..100 {
        asks(&mut talk, "execute", json!({ "command": "make" }));
    }
    assert_eq!(talk.sent(), Vec::<Value>::new());
    asks(&mut talk, "execute", json!({ "command": "make" }));
    assert_eq!(talk.sent()[0]["result"]["outcome"]["optionId"], "n");
}
