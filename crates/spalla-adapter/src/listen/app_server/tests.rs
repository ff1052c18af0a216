//! Conversations with `codex app-server` in which one side is written down, as it was seen to speak.

use super::*;
use crate::trouble::{Cause, Patterns};
use jiff::Timestamp;
use spalla_domain::agent_event::Bounds;
use std::sync::LazyLock;

/// Its patterns take longer to compile than all lines to hear.
static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let all = crate::definition::built_in().unwrap();
    all.into_iter().find(|definition| definition.name == "codex").unwrap().trouble
});

/// A conversation in which one side is ours and the other one is written down.
struct Talk(Dialogue);

fn opening(guard: Guard) -> Opening {
    Opening { folder: "/w".into(), prompt: "Do it".into(), guard, ..Opening::default() }
}

impl Talk {
    fn sent(&mut self) -> Vec<Value> {
        self.0.outbox().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn hears(&mut self, message: Value) -> Vec<Heard> {
        self.0.hear(
            &message,
            &Ears { patterns: &PATTERNS, bounds: Bounds::default(), now: Timestamp::UNIX_EPOCH },
        )
    }

    fn tells(&mut self, method: &str, mut params: Value) -> Vec<Heard> {
        params["threadId"] = "t".into();
        params["turnId"] = "u".into();
        self.hears(json!({ "method": method, "params": params, "emittedAtMs": 1 }))
    }

    fn opened(opening: Opening) -> (Self, Value, Value) {
        let mut talk = Self(Dialogue::new(opening));
        assert_eq!(talk.sent()[0]["method"], "initialize");
        assert_eq!(talk.hears(json!({ "id": 1, "result": { "userAgent": "x" } })), []);
        let sent = talk.sent();
        assert_eq!(sent[0]["method"], "initialized");
        let opens = sent[1].clone();
        let heard = talk.hears(json!({ "id": 2, "result": { "thread": { "id": "t" }, "model": "m" } }));
        assert_eq!(heard[0], Heard::Thread("t".into()));
        let turn = talk.sent().remove(0);
        assert_eq!(turn["method"], "turn/start");
        talk.hears(json!({ "id": 3, "result": { "turn": { "id": "u" } } }));
        (talk, opens["params"].clone(), turn["params"].clone())
    }

    fn ends(&mut self, status: &str, error: Value) -> Vec<Heard> {
        self.tells("turn/completed", json!({ "turn": { "id": "u", "status": status, "error": error } }))
    }
}

fn used(total: u64, input: u64, output: u64) -> Value {
    json!({ "tokenUsage": { "total": { "totalTokens": total },
        "last": { "inputTokens": input, "cachedInputTokens": 1, "outputTokens": output } } })
}

fn ends_with(heard: &[Heard], end: TurnEnd) -> bool {
    heard.last() == Some(&Heard::Over(end))
}

#[test]
fn a_turn_is_changes_commands_words_usage_and_an_end() {
    let (mut talk, ..) = Talk::opened(opening(Guard::Bypass));
    talk.tells("turn/started", json!({ "turn": { "id": "u" } }));
    let asked = json!({ "item": { "type": "userMessage", "id": "1", "content": [] } });
    assert_eq!(talk.tells("item/completed", asked), []);
    let change = json!({ "item": { "type": "fileChange", "id": "2", "status": "completed",
        "changes": [{ "path": "/w/hello.txt", "kind": { "type": "add" }, "diff": "hello\n" }] } });
    let heard = talk.tells("item/completed", change);
    let [Heard::Event(event), Heard::Did(_)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(event.payload.file.as_deref(), Some("/w/hello.txt"));
    let command = json!({ "item": { "type": "commandExecution", "id": "3", "command": "make", "status": "failed",
        "aggregatedOutput": "no rule", "exitCode": 2 } });
    let heard = talk.tells("item/completed", command);
    let [Heard::Event(event), Heard::Did(_)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(
        (event.kind, event.payload.text.as_deref()),
        (AgentEventType::Finding, Some("make: exit status 2"))
    );
    let message = json!({ "item": { "type": "agentMessage", "id": "4", "text": "Created." } });
    assert_eq!(talk.tells("item/completed", message), [Heard::Words("Created.".into())]);
    // The same count may be told twice.
    for (total, input, output) in [(10, 8, 2), (10, 8, 2), (30, 17, 3)] {
        talk.tells("thread/tokenUsage/updated", used(total, input, output));
    }
    let heard = talk.ends("completed", Value::Null);
    let wanted = Spent {
        input_tokens: Some(25),
        cached_input_tokens: Some(2),
        output_tokens: Some(5),
        ..Spent::default()
    };
    assert!(heard.contains(&Heard::Spent(wanted)) && ends_with(&heard, TurnEnd::Completed), "{heard:?}");
}

#[test]
fn what_is_wished_is_said_with_the_thread_and_the_turn() {
    for (guard, approval, sandbox) in [
        (Guard::Bypass, "never", "danger-full-access"),
        (Guard::Guarded, "on-request", "workspace-write"),
        (Guard::ReadOnly, "on-request", "read-only"),
    ] {
        let wished = Opening {
            model: Some("m".into()),
            folders: vec!["/a".into()],
            schema: Some(r#"{"type":"object"}"#.into()),
            ..opening(guard)
        };
        let (_, thread, turn) = Talk::opened(wished);
        let wanted = json!({ "cwd": "/w", "model": "m", "approvalPolicy": approval, "sandbox": sandbox });
        assert_eq!(thread, wanted);
        assert_eq!(turn["outputSchema"], json!({ "type": "object" }));
        let roots = if guard == Guard::Guarded { json!(["/a"]) } else { Value::Null };
        assert_eq!(turn["sandboxPolicy"]["writableRoots"], roots);
    }
}

#[test]
fn failures_have_their_causes_and_only_the_last_is_final() {
    let disconnected = json!({ "responseStreamDisconnected": { "httpStatusCode": null } });
    for (text, info, cause) in [
        (
            "exceeded retry limit, last status: 429 Too Many Requests",
            json!("rateLimitExceeded"),
            Cause::RateLimit,
        ),
        ("something", json!("rateLimitExceeded"), Cause::RateLimit),
        ("something", json!("usageLimitExceeded"), Cause::Quota),
        (
            "Codex ran out of room in the model's context window.",
            json!("contextWindowExceeded"),
            Cause::ContextFull,
        ),
        ("We’re currently experiencing high demand.", json!("internalServerError"), Cause::Overloaded),
        ("something", json!("internalServerError"), Cause::ServerError),
        ("something", json!("unauthorized"), Cause::Auth),
        ("something", disconnected.clone(), Cause::Network),
        ("something", json!({ "httpConnectionFailed": { "httpStatusCode": 502 } }), Cause::ServerError),
        ("something", json!("other"), Cause::Unknown),
    ] {
        let (mut talk, ..) = Talk::opened(opening(Guard::Bypass));
        let retry = json!({ "error": { "message": "Reconnecting... 1/1", "codexErrorInfo": disconnected,
            "additionalDetails": text }, "willRetry": true });
        let mut heard = talk.tells("error", retry);
        heard.extend(talk.ends("failed", json!({ "message": text, "codexErrorInfo": info })));
        let troubles = heard.iter().filter_map(|heard| match heard {
            Heard::Trouble(trouble) => Some((trouble.cause, trouble.is_final)),
            _ => None,
        });
        let troubles: Vec<_> = troubles.collect();
        assert_eq!((troubles.len(), troubles[0].1, troubles[1]), (2, false, (cause, true)), "{text} {info}");
        assert!(ends_with(&heard, TurnEnd::Failed));
    }
}

#[test]
fn what_codex_asks_for_is_answered_as_the_guard_says_and_a_no_is_heard() {
    for (guard, decision) in
        [(Guard::Bypass, "accept"), (Guard::Guarded, "decline"), (Guard::ReadOnly, "decline")]
    {
        for method in ["item/commandExecution/requestApproval", "item/fileChange/requestApproval"] {
            let (mut talk, ..) = Talk::opened(opening(guard));
            talk.hears(json!({ "method": method, "id": 0, "params": { "itemId": "1" } }));
            assert_eq!(
                talk.sent(),
                [json!({ "jsonrpc": "2.0", "id": 0, "result": { "decision": decision } })]
            );
        }
    }
    let (mut talk, ..) = Talk::opened(opening(Guard::Guarded));
    let declined = json!({ "item": { "type": "commandExecution", "command": "make install", "status": "declined",
        "aggregatedOutput": null, "exitCode": null } });
    let heard = talk.tells("item/completed", declined);
    assert!(heard.iter().any(|heard| matches!(heard, Heard::Denied(denied) if denied.by == DeniedBy::Guard)));
    let asks =
        json!({ "method": "item/permissions/requestApproval", "id": "p", "params": { "reason": "the net" } });
    assert!(matches!(&talk.hears(asks)[..], [Heard::Denied(_)]));
    assert_eq!(talk.sent()[0]["result"]["permissions"], json!({}));
    for (server, action) in [("spalla", "accept"), ("other", "decline")] {
        let params = json!({ "serverName": server, "_meta": { "codex_approval_kind": "mcp_tool_call" } });
        talk.hears(json!({ "method": "mcpServer/elicitation/request", "id": 9, "params": params }));
        assert_eq!(talk.sent()[0]["result"]["action"], action);
    }
    talk.hears(json!({ "method": "attestation/generate", "id": 10, "params": {} }));
    assert_eq!(talk.sent()[0]["error"]["code"], NO_METHOD);
}

#[test]
fn a_thread_goes_on_with_its_own_usage_and_begins_anew_where_it_cant() {
    let goes_on =
        || Opening { thread: Some("old".into()), anew: Some("All of it".into()), ..opening(Guard::Bypass) };
    let mut talk = Talk(Dialogue::new(goes_on()));
    talk.sent();
    talk.hears(json!({ "id": 1, "result": {} }));
    let resume = &talk.sent()[1];
    assert_eq!((&resume["method"], &resume["params"]["threadId"]), (&json!("thread/resume"), &json!("old")));
    talk.hears(json!({ "id": 2, "result": { "thread": { "id": "t" } } }));
    talk.sent();
    talk.hears(json!({ "id": 3, "result": { "turn": { "id": "u" } } }));
    let mut before = used(100, 90, 10);
    (before["threadId"], before["turnId"]) = ("t".into(), "earlier".into());
    talk.hears(json!({ "method": "thread/tokenUsage/updated", "params": before }));
    talk.tells("thread/tokenUsage/updated", used(110, 7, 3));
    let heard = talk.ends("completed", Value::Null);
    assert!(heard.iter().any(|heard| matches!(heard, Heard::Spent(spent) if spent.input_tokens == Some(7))));

    let mut talk = Talk(Dialogue::new(goes_on()));
    talk.hears(json!({ "id": 1, "result": {} }));
    talk.sent();
    let refused =
        json!({ "id": 2, "error": { "code": -32600, "message": "no rollout found for thread id old" } });
    assert_eq!(talk.hears(refused), []);
    assert_eq!(talk.sent()[0]["method"], "thread/start");
    talk.hears(json!({ "id": 2, "result": { "thread": { "id": "t" } } }));
    assert_eq!(talk.sent()[0]["params"]["input"][0]["text"], "All of it");
}

#[test]
fn a_turn_is_interrupted_once_there_is_one() {
    let mut talk = Talk(Dialogue::new(opening(Guard::Bypass)));
    assert!(!talk.0.interrupt());
    let (mut talk, ..) = Talk::opened(opening(Guard::Bypass));
    assert!(talk.0.interrupt());
    let stop = &talk.sent()[0];
    assert_eq!(
        (&stop["method"], &stop["params"]),
        (&json!("turn/interrupt"), &json!({ "threadId": "t", "turnId": "u" }))
    );
    assert!(ends_with(&talk.ends("interrupted", Value::Null), TurnEnd::Interrupted));
    assert!(!talk.0.interrupt());
}

#[test]
fn another_turn_of_the_process_has_a_thread_of_its_own_and_hears_nothing_of_the_last() {
    let (mut talk, ..) = Talk::opened(opening(Guard::Bypass));
    talk.ends("completed", Value::Null);
    talk.0.again(Opening { folder: "/other".into(), prompt: "Next".into(), ..Opening::default() });
    let opens = &talk.sent()[0];
    assert_eq!((&opens["method"], &opens["params"]["cwd"]), (&json!("thread/start"), &json!("/other")));
    assert_eq!(talk.ends("completed", Value::Null), []);
    assert_eq!(talk.hears(json!({ "id": 2, "result": { "thread": { "id": "late" } } })), []);
    talk.hears(json!({ "id": 10, "result": { "thread": { "id": "t2" } } }));
    assert_eq!(talk.sent()[0]["params"]["threadId"], "t2");
    let over = json!({ "threadId": "t2", "turn": { "id": "u2", "status": "completed" } });
    assert!(ends_with(
        &talk.hears(json!({ "method": "turn/completed", "params": over })),
        TurnEnd::Completed
    ));
}

#[test]
fn what_is_refused_at_the_beginning_ends_the_turn_with_its_words() {
    for id in [1, 2, 3] {
        let mut talk = Talk(Dialogue::new(opening(Guard::Bypass)));
        for answered in 1..id {
            talk.hears(json!({ "id": answered, "result": { "thread": { "id": "t" } } }));
        }
        let heard =
            talk.hears(json!({ "id": id, "error": { "code": -32600, "message": "unknown variant `x`" } }));
        assert!(ends_with(&heard, TurnEnd::Failed), "{heard:?}");
    }
}

#[test]
fn what_is_strange_ends_nothing() {
    let (mut talk, ..) = Talk::opened(opening(Guard::Bypass));
    for odd in [
        json!([1]),
        json!({}),
        json!({ "id": 99, "result": 1 }),
        json!({ "id": -1, "error": {} }),
        json!({ "method": "item/completed", "params": { "item": [] } }),
        json!({ "method": "turn/plan/updated", "params": { "plan": 7 } }),
        json!({ "method": "thread/tokenUsage/updated", "params": null }),
        json!({ "method": "error", "params": { "error": 7 } }),
    ] {
        let heard = talk.hears(odd);
        assert!(!heard.iter().any(|heard| matches!(heard, Heard::Over(_))), "{heard:?}");
    }
    assert!(ends_with(&talk.ends("completed", Value::Null), TurnEnd::Completed));
}

#[test]
fn a_command_that_somebody_decides_on_waits_for_the_answer() {
    let (mut talk, ..) = Talk::opened(Opening { asks_commands: true, ..opening(Guard::Listed) });
    let ask = |method: &str| {
        let params = json!({ "command": "/bin/bash -lc 'git push'" });
        json!({ "id": 9, "method": format!("item/{method}/requestApproval"), "params": params })
    };
    talk.hears(ask("fileChange"));
    assert_eq!(talk.sent()[0]["result"]["decision"], "accept");
    talk.hears(ask("commandExecution"));
    assert_eq!(talk.sent(), Vec::<Value>::new());
    let asked = talk.0.commands.take().remove(0);
    assert_eq!(asked.used.input.as_deref(), Some("git push"));
    talk.0.decide(&asked.id, &Permission::Refused("no".into()));
    let answer = talk.sent().remove(0);
    assert_eq!((&answer["id"], &answer["result"]["decision"]), (&json!(9), &json!("decline")));
}
