//! What is heard of lines that the command lines were seen to print.

use super::*;
use crate::definition::{Definition, built_in};
use crate::heard::{DeniedBy, Spent, TurnEnd};
use proptest::prelude::*;
use serde_json::json;
use std::sync::LazyLock;

/// Its patterns take longer to compile than all lines to hear.
static ADAPTERS: LazyLock<Vec<Definition>> = LazyLock::new(|| built_in().unwrap());

fn listener(name: &str) -> Listener {
    let found = ADAPTERS.iter().find(|definition| definition.name == name).unwrap();
    // What is printed is heard here; what is said in a dialogue is heard beside each of them.
    let output = found.fallback.as_ref().map_or(found.output, |fallback| fallback.output);
    Listener::new(output, found.trouble.clone())
}

/// Begins a dialogue.
fn spoken(name: &str) -> Listener {
    let found = ADAPTERS.iter().find(|definition| definition.name == name).unwrap();
    let mut listener = Listener::new(found.output, found.trouble.clone());
    listener.speak(Opening { folder: "/w".into(), prompt: "Do it".into(), ..Opening::default() });
    assert!(!listener.outbox().is_empty());
    listener
}

fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

/// Hears lines one after another.
fn heard(name: &str, lines: &[Value]) -> Vec<Heard> {
    let mut listener = listener(name);
    lines.iter().flat_map(|line| listener.hear(line.to_string().as_bytes(), now())).collect()
}

fn kinds(heard: &[Heard]) -> Vec<AgentEventType> {
    let kind = |heard: &Heard| match heard {
        Heard::Event(event) => Some(event.kind),
        _ => None,
    };
    heard.iter().filter_map(kind).collect()
}

fn troubles(heard: &[Heard]) -> Vec<(Cause, bool)> {
    let trouble = |heard: &Heard| match heard {
        Heard::Trouble(trouble) => Some((trouble.cause, trouble.is_final)),
        _ => None,
    };
    heard.iter().filter_map(trouble).collect()
}

fn denials(heard: &[Heard]) -> usize {
    heard.iter().filter(|heard| matches!(heard, Heard::Denied(_))).count()
}

fn spent(heard: &[Heard]) -> Option<Spent> {
    heard.iter().rev().find_map(|heard| match heard {
        Heard::Spent(spent) => Some(*spent),
        _ => None,
    })
}

fn files(heard: &[Heard]) -> Vec<String> {
    let file = |heard: &Heard| match heard {
        Heard::Event(event) => event.payload.file.clone(),
        _ => None,
    };
    heard.iter().filter_map(file).collect()
}

#[test]
fn a_turn_of_codex_is_a_thread_changes_words_usage_and_an_end() {
    let heard = heard(
        "codex",
        &[
            json!({"type": "thread.started", "thread_id": "01a1"}),
            json!({"type": "turn.started"}),
            json!({"type": "item.completed", "item": {"id": "item_0", "type": "file_change", "status": "completed",
                "changes": [{"path": "/w/hello.txt", "kind": "add"}]}}),
            json!({"type": "item.completed", "item": {"id": "item_1", "type": "agent_message", "text": "Created."}}),
            json!({"type": "turn.completed", "usage": {"input_tokens": 19_437, "cached_input_tokens": 7, "output_tokens": 100}}),
        ],
    );
    assert_eq!(heard[0], Heard::Thread("01a1".into()));
    assert_eq!(files(&heard), ["/w/hello.txt"]);
    assert!(heard.contains(&Heard::Words("Created.".into())));
    let wanted = Spent {
        input_tokens: Some(19_437),
        cached_input_tokens: Some(7),
        output_tokens: Some(100),
        ..Spent::default()
    };
    assert_eq!(spent(&heard), Some(wanted));
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Completed)));
    use AgentEventType::{Milestone, Progress, Status};
    assert_eq!(kinds(&heard), [Status, Progress, Milestone]);
}

#[test]
fn failures_of_codex_have_their_causes_and_only_the_last_is_final() {
    for (text, cause) in [
        ("exceeded retry limit, last status: 429 Too Many Requests", Cause::RateLimit),
        ("Quota exceeded. Check your plan and billing details.", Cause::Quota),
        ("You've hit your usage limit. Try again in 3 hours 12 minutes.", Cause::Quota),
        ("Codex ran out of room in the model's context window. Start a new thread", Cause::ContextFull),
        ("We’re currently experiencing high demand, which may cause temporary errors.", Cause::Overloaded),
        ("Missing environment variable: `FAKE_OPENAI_KEY`.", Cause::Auth),
        ("unexpected status 401 Unauthorized: bad key, url: http://127.0.0.1:1/v1/responses", Cause::Auth),
        ("stream disconnected before completion: closed", Cause::Network),
    ] {
        let heard = heard(
            "codex",
            &[
                json!({"type": "error", "message": text}),
                json!({"type": "turn.failed", "error": {"message": text}}),
            ],
        );
        assert_eq!(troubles(&heard), [(cause, false), (cause, true)], "{text}");
        assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Failed)));
    }
}

#[test]
fn what_codex_was_not_allowed_is_heard_though_it_ends_well() {
    let command = json!({"type": "item.completed", "item": {"type": "command_execution", "command": "/bin/bash -lc 'echo hi > /x.txt'",
        "aggregated_output": "/bin/bash: line 1: /x.txt: Read-only file system\n", "exit_code": 1, "status": "failed"}});
    let over = json!({"type": "turn.completed", "usage": {}});
    let by = |heard: &[Heard]| match heard.iter().find(|heard| matches!(heard, Heard::Denied(_))) {
        Some(Heard::Denied(denied)) => (denied.paths.clone(), denied.by),
        _ => panic!("{heard:?}"),
    };
    let heard = self::heard("codex", &[command.clone(), over.clone()]);
    use AgentEventType::{Finding, Milestone};
    assert_eq!((kinds(&heard), denials(&heard)), (vec![Finding, Milestone], 1));
    assert_eq!(by(&heard), (vec!["/x.txt".into()], DeniedBy::Output { was_passed: false }));
    let later = json!({"type": "item.completed", "item": {"type": "command_execution", "command": "tee here/x.txt", "exit_code": 0}});
    let heard = self::heard("codex", &[command, later, over]);
    assert_eq!(by(&heard).1, DeniedBy::Output { was_passed: true });
    let line = b"2026-11-20T08:47:34Z ERROR codex_core::tools::router: error=patch rejected: writing is blocked by read-only sandbox";
    let heard = listener("codex").hear_error(line, now());
    assert_eq!(denials(&heard), 1);
    assert_eq!(listener("codex").hear_error(b"Reading additional input from stdin...", now()), []);
}

#[test]
fn a_turn_of_claude_is_a_thread_changes_words_usage_and_an_end() {
    let heard = heard(
        "claude",
        &[
            json!({"type": "system", "subtype": "init", "session_id": "f7bb", "model": "claude-opus"}),
            json!({"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t1", "name": "Write",
                "input": {"file_path": "/w/hello.txt", "content": "hello\n"}}]}}),
            json!({"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t1", "content": "File created"}]}}),
            json!({"type": "assistant", "message": {"content": [{"type": "text", "text": "Created."}]}}),
            json!({"type": "result", "subtype": "success", "is_error": false, "result": "Created.", "total_cost_usd": 0.25,
                "usage": {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 4},
                "permission_denials": []}),
        ],
    );
    assert_eq!(heard[0], Heard::Thread("f7bb".into()));
    assert_eq!(files(&heard), ["/w/hello.txt"]);
    let wanted = Spent {
        input_tokens: Some(18),
        cached_input_tokens: Some(3),
        output_tokens: Some(4),
        cost_usd: Some(0.25),
        is_cost_of_process: true,
    };
    assert_eq!(spent(&heard), Some(wanted));
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Completed)));
}

#[test]
fn a_failure_of_claude_is_one_though_its_subtype_says_success() {
    for (text, status, cause) in [
        ("API Error: Request rejected (429) · scripted rate limit", 429, Cause::RateLimit),
        ("API Error: 500 scripted. This is a server-side issue, usually temporary", 500, Cause::ServerError),
        ("API Error: 529 Overloaded", 529, Cause::Overloaded),
        ("Failed to authenticate. API Error: 401 bad key", 401, Cause::Auth),
        ("Prompt is too long · the request is ~250000 tokens", 400, Cause::ContextFull),
        ("API Error: 400 scripted", 400, Cause::BadRequest),
        ("Not logged in · Please run /login", 0, Cause::Auth),
        ("API Error: Unable to connect to API (ConnectionRefused)", 0, Cause::Network),
        ("Claude AI usage limit reached|1795176000", 429, Cause::Quota),
    ] {
        let status = (status > 0).then_some(status);
        let result = json!({"type": "result", "subtype": "success", "is_error": true, "api_error_status": status,
            "result": text, "terminal_reason": "completed"});
        let heard = heard("claude", &[result]);
        assert_eq!(troubles(&heard), [(cause, true)], "{text}");
        assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Failed)));
    }
}

#[test]
fn each_denial_of_claude_is_heard_once_in_either_version() {
    let asked = "Claude requested permissions to write to /w/no.txt, but you haven't granted it yet.";
    let call = json!({"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t1", "name": "Write",
        "input": {"file_path": "/w/no.txt"}}]}});
    let said = json!({"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": asked}]}});
    let told = json!({"type": "system", "subtype": "permission_denied", "tool_name": "Write", "tool_use_id": "t1", "message": asked});
    let result = json!({"type": "result", "subtype": "success", "is_error": false, "result": "I was refused.",
        "permission_denials": [{"tool_name": "Write", "tool_use_id": "t1", "tool_input": {}},
            {"tool_name": "Bash", "tool_use_id": "t2", "tool_input": {"command": "rm"}}]});
    for lines in [vec![&call, &said, &result], vec![&call, &told, &said, &result]] {
        let lines: Vec<Value> = lines.into_iter().cloned().collect();
        assert_eq!(denials(&heard("claude", &lines)), 2);
    }
}

#[test]
fn an_interrupted_turn_of_claude_is_no_failure() {
    let result = json!({"type": "result", "subtype": "error_during_execution", "is_error": true, "terminal_reason": "aborted_tools"});
    let heard = heard("claude", &[result]);
    assert_eq!((troubles(&heard), heard.last()), (vec![], Some(&Heard::Over(TurnEnd::Interrupted))));
}

#[test]
fn a_turn_of_gemini_gathers_the_pieces_of_its_words() {
    let heard = heard(
        "gemini",
        &[
            json!({"type": "init", "session_id": "ece9", "model": "gemini-2.5-pro"}),
            json!({"type": "message", "role": "user", "content": "Please do it."}),
            json!({"type": "tool_use", "tool_name": "write_file", "tool_id": "w1", "parameters": {"file_path": "hello.txt"}}),
            json!({"type": "tool_result", "tool_id": "w1", "status": "success"}),
            json!({"type": "message", "role": "assistant", "content": "Crea", "delta": true}),
            json!({"type": "message", "role": "assistant", "content": "ted.", "delta": true}),
            json!({"type": "result", "status": "success", "stats": {"input_tokens": 24_779, "output_tokens": 36, "cached": 2}}),
        ],
    );
    assert_eq!(heard[0], Heard::Thread("ece9".into()));
    assert_eq!(files(&heard), ["hello.txt"]);
    let spoken: Vec<_> = heard.iter().filter(|heard| matches!(heard, Heard::Words(_))).collect();
    assert_eq!(spoken, [&Heard::Words("Created.".into())]);
    assert_eq!(spent(&heard).unwrap().input_tokens, Some(24_779));
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Completed)));
}

#[test]
fn what_gemini_was_not_allowed_is_heard_though_it_ends_well() {
    let outside =
        "Path not in workspace: Attempted path \"/x\" resolves outside the allowed workspace directories: /w";
    let heard = heard(
        "gemini",
        &[
            json!({"type": "tool_use", "tool_name": "write_file", "tool_id": "w1", "parameters": {"file_path": "/x"}}),
            json!({"type": "tool_result", "tool_id": "w1", "status": "error", "output": outside,
                "error": {"type": "invalid_tool_params", "message": outside}}),
            json!({"type": "tool_use", "tool_name": "shell", "tool_id": "w2", "parameters": {}}),
            json!({"type": "tool_result", "tool_id": "w2", "status": "error",
                "error": {"type": "tool_not_registered", "message": "Tool \"shell\" not found."}}),
        ],
    );
    assert_eq!(denials(&heard), 2);
    let shell = json!({"type": "tool_result", "tool_id": "w1", "status": "success", "output": "Command exited with code: 3"});
    let call = json!({"type": "tool_use", "tool_name": "run_shell_command", "tool_id": "w1", "parameters": {"command": "exit 3"}});
    let heard = self::heard("gemini", &[call, shell]);
    assert_eq!(kinds(&heard), [AgentEventType::Progress, AgentEventType::Finding]);
}

#[test]
fn an_error_of_gemini_that_nothing_comes_after_ends_the_turn_whatever_its_result_is_called() {
    let error = json!({"type": "error", "severity": "error", "message": "Maximum session turns exceeded"});
    let words = json!({"type": "message", "role": "assistant", "content": "I go on."});
    let result = json!({"type": "result", "status": "success", "stats": {}});
    let is_failed = |heard: &[Heard]| heard.contains(&Heard::Over(TurnEnd::Failed));
    assert!(is_failed(&heard("gemini", &[error.clone(), result.clone()])));
    assert!(!is_failed(&heard("gemini", &[error, words, result])));
}

#[test]
fn a_file_beside_the_folder_of_claude_needs_that_folder() {
    let asked = |path: &str| {
        let reason =
            format!("Claude requested permissions to write to {path}, but you haven't granted it yet.");
        let lines = [
            json!({"type": "system", "subtype": "init", "cwd": "/w/app"}),
            json!({"type": "assistant", "message": {"content": [
                {"type": "tool_use", "id": "1", "name": "Write", "input": {"file_path": path}}]}}),
            json!({"type": "user", "message": {"content": [
                {"type": "tool_result", "tool_use_id": "1", "is_error": true, "content": reason}]}}),
        ];
        heard("claude", &lines).iter().any(
            |heard| matches!(heard, Heard::Denied(denied) if denied.reason.ends_with("directories: /w/app")),
        )
    };
    assert!(asked("/srv/x"));
    assert!(asked("/w/application/x"));
    assert!(!asked("/w/app/x"));
}

#[test]
fn an_agent_emits_events_as_lines_of_its_words_or_of_its_output() {
    let line = r#"{"type":"blocker","payload":{"text":"no key","severity":"high"}}"#;
    let message = json!({"type": "item.completed", "item": {"type": "agent_message", "text": format!("I stop.\n{line}\nSorry.")}});
    let event = |heard: &[Heard]| match &heard[0] {
        Heard::Event(event) => (event.kind, event.payload.more["severity"].clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(event(&heard("codex", &[message])), (AgentEventType::Blocker, json!("high")));
    assert_eq!(
        event(&heard("codex", &[serde_json::from_str(line).unwrap()])),
        (AgentEventType::Blocker, json!("high"))
    );
    let mut own = Listener::new(Format::JsonlEvents, Patterns::default());
    assert_eq!(event(&own.hear(line.as_bytes(), now())), (AgentEventType::Blocker, json!("high")));
    let mut text = Listener::new(Format::Text, Patterns::default());
    assert_eq!(event(&text.hear(line.as_bytes(), now())), (AgentEventType::Blocker, json!("high")));
}

#[test]
fn an_agent_of_any_command_line_emits_an_event_by_printing_it() {
    let line = r#"{"type":"error","payload":{"text":"lost","code":7}}"#;
    for mut listener in ["codex", "claude", "gemini"].map(spoken) {
        let heard = listener.hear(line.as_bytes(), now());
        let [Heard::Event(event)] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((event.kind, event.payload.more["code"].as_u64()), (AgentEventType::Error, Some(7)));
    }
    for format in [
        Format::CodexJsonl,
        Format::ClaudeStreamJson,
        Format::GeminiStreamJson,
        Format::GeminiJson,
        Format::JsonlEvents,
        Format::Text,
    ] {
        let heard = Listener::new(format, Patterns::default()).hear(line.as_bytes(), now());
        let [Heard::Event(event)] = &heard[..] else { panic!("{format:?}: {heard:?}") };
        assert_eq!((event.kind, event.payload.more["code"].as_u64()), (AgentEventType::Error, Some(7)));
    }
}

#[test]
fn each_type_of_event_is_heard_and_what_is_not_meant_as_one_is_words() {
    let mut own = Listener::new(Format::JsonlEvents, Patterns::default());
    for kind in ["status", "progress", "finding", "task", "blocker", "milestone", "review", "error"] {
        let line = json!({"type": kind, "payload": {"text": "t", "own": [1]}}).to_string();
        let heard = own.hear(line.as_bytes(), now());
        let [Heard::Event(event)] = &heard[..] else { panic!("{kind}: {heard:?}") };
        assert_eq!(serde_json::to_value(event).unwrap(), serde_json::from_str::<Value>(&line).unwrap());
    }
    for words in ["Killed", "[info] began", r#"{"level":"info","message":"began"}"#, "42"] {
        assert_eq!(own.hear(words.as_bytes(), now()), [Heard::Words(words.into())]);
    }
    for wrong in [
        r#"{"type":"invented","payload":{}}"#,
        r#"{"type":"status"}"#,
        r#"{"type":"status","payload":"x"}"#,
        r#"{"type":"progress","payload":{"progress":"half"}}"#,
        r#"{"type":"status","payload":{}"#,
    ] {
        let heard = own.hear(wrong.as_bytes(), now());
        let [Heard::Event(event)] = &heard[..] else { panic!("{wrong}: {heard:?}") };
        assert_eq!((event.kind, &event.payload.more["excerpt"]), (AgentEventType::Error, &json!(wrong)));
    }
}

#[test]
fn what_text_says_as_an_event_is_no_words_and_all_else_is() {
    let mut text = Listener::new(Format::Text, Patterns::default());
    let event = text.hear(br#"  {"type":"milestone","payload":{"text":"built"}}"#, now());
    assert_eq!(kinds(&event), [AgentEventType::Milestone]);
    assert_eq!(event.len(), 1);
    for words in ["It is done.", "{ not an event", r#"{"type":"module","payload":1}"#] {
        assert_eq!(text.hear(words.as_bytes(), now()), [Heard::Words(words.into())]);
    }
    assert!(Format::Text.has_words_by_line() && !Format::CodexJsonl.has_words_by_line());
}

/// Hears a whole output of the Gemini CLI that is one document.
fn document(text: &[u8]) -> Vec<Heard> {
    let mut listener = Listener::new(Format::GeminiJson, ADAPTERS[2].trouble.clone());
    let lines = text.split(|byte| *byte == b'\n');
    let mut heard: Vec<Heard> = lines.flat_map(|line| listener.hear(line, now())).collect();
    heard.extend(listener.finish(now()));
    heard
}

#[test]
fn a_document_of_gemini_is_understood_when_it_is_whole() {
    let value = json!({
        "session_id": "7e40", "response": "Created.",
        "stats": {
            "models": {
                "a": {"tokens": {"prompt": 20, "cached": 2, "candidates": 3}},
                "b": {"tokens": {"prompt": 1, "cached": 0, "candidates": 1}},
            },
            "tools": {"byName": {"write_file": {"fail": 0}, "run_shell_command": {"fail": 2}}},
        },
    });
    let text = format!("warming up\n{value:#}\nbye\n");
    let heard = document(text.as_bytes());
    let wanted = Spent {
        input_tokens: Some(21),
        cached_input_tokens: Some(2),
        output_tokens: Some(4),
        ..Spent::default()
    };
    assert_eq!(spent(&heard), Some(wanted));
    assert!(heard.contains(&Heard::Thread("7e40".into())));
    let said: Vec<_> = heard.iter().filter(|heard| matches!(heard, Heard::Words(_))).collect();
    assert_eq!(
        said,
        ["warming up", "bye", "Created."].map(|said| Heard::Words(said.into())).iter().collect::<Vec<_>>()
    );
    assert_eq!(kinds(&heard), [AgentEventType::Finding, AgentEventType::Milestone]);
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Completed)));
}

#[test]
fn a_document_of_gemini_that_is_an_error_has_its_cause() {
    let error =
        json!({"session_id": "1", "error": {"type": "Error", "code": 429, "message": "quota exceeded"}});
    let heard = document(format!("{error:#}").as_bytes());
    assert_eq!(heard.last(), Some(&Heard::Over(TurnEnd::Failed)));
    assert_eq!(troubles(&heard).len(), 1);
}

#[test]
fn a_document_that_cannot_be_read_is_an_error_and_never_an_end() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70));
    let long =
        format!("{{\n\"response\": \"{}\"\n}}", "x".repeat(spalla_domain::agent_event::LINE_BYTES_MAX));
    for text in [&b"{\"response\":"[..], b"{}", b"{\n\xff\n}", deep.as_bytes(), long.as_bytes()] {
        let heard = document(text);
        assert_eq!(kinds(&heard), [AgentEventType::Error]);
        assert_eq!(heard.len(), 1, "{heard:?}");
    }
    assert_eq!(document(b""), []);
}

#[test]
fn hostile_lines_are_heard_as_errors_with_an_excerpt() {
    let long = vec![b'{'; spalla_domain::agent_event::LINE_BYTES_MAX + 1];
    for line in [&b"\xff\xfe"[..], b"{\"type\":", b"Killed", &long, "[".repeat(70).as_bytes()] {
        for name in ["codex", "claude", "gemini"] {
            for mut listener in [listener(name), spoken(name)] {
                let heard = listener.hear(line, now());
                assert_eq!(
                    kinds(&heard),
                    [AgentEventType::Error],
                    "{:?}",
                    String::from_utf8_lossy(&line[..line.len().min(20)])
                );
            }
        }
    }
    assert_eq!(listener("codex").hear(b"  \t", now()), []);
    for name in ["jsonl", "text"] {
        for line in [&b"\xff\xfe"[..], &long] {
            assert_eq!(kinds(&listener(name).hear(line, now())), [AgentEventType::Error], "{name}");
        }
    }
    assert_eq!(kinds(&listener("jsonl").hear("[".repeat(70).as_bytes(), now())), [AgentEventType::Error]);
}

#[test]
fn a_line_of_a_kind_that_nobody_knows_is_kept() {
    for name in ["codex", "claude", "gemini"] {
        let heard = heard(name, &[json!({"type": "item.invented", "n": 7})]);
        let Heard::Event(event) = &heard[0] else { panic!("{heard:?}") };
        assert_eq!(event.payload.more["line"]["n"], 7);
    }
}

proptest! {
    #[test]
    fn no_line_makes_a_listener_fail(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        for adapter in ADAPTERS.iter() {
            listener(&adapter.name).hear(&line, now());
            listener(&adapter.name).hear_error(&line, now());
        }
        for name in ["codex", "claude", "gemini"] {
            spoken(name).hear(&line, now());
        }
        document(&line);
        document(&[&b"{"[..], &line].concat());
    }

    #[test]
    fn no_shape_makes_a_listener_fail(kind in "[a-z._]{0,20}", inner in "[a-z_]{0,12}", text in ".{0,40}", number in any::<i64>()) {
        let shapes = [
            json!({"type": kind, "item": {"type": inner, "text": text, "exit_code": number, "changes": [number]}}),
            json!({"type": "item.completed", "item": {"type": inner, "items": text, "changes": {"a": number}}}),
            json!({"type": kind, "subtype": inner, "message": {"content": [{"type": inner, "text": number}, text]}}),
            json!({"type": "result", "usage": number, "errors": [number, text], "is_error": true, "permission_denials": {"a": 1}}),
        ];
        for name in ["codex", "claude", "gemini"] {
            heard(name, &shapes);
        }
        let messages = [
            json!({"id": number, "result": {"thread": text, "sessionId": number, "stopReason": inner}}),
            json!({"id": number, "error": {"code": number, "message": number, "data": text}}),
            json!({"method": kind, "id": text, "params": number}),
            json!({"method": "item/completed", "params": {"item": {"type": inner, "changes": [number, {"kind": text}], "summary": [number]}}}),
            json!({"method": "session/update", "params": {"update": {"sessionUpdate": "tool_call", "content": [number], "kind": inner}}}),
            json!({"method": "turn/completed", "params": {"turn": {"status": inner, "error": number}}}),
            json!({"type": "control_request", "request": {"subtype": inner, "input": number}, "request_id": number}),
        ];
        for name in ["codex", "claude", "gemini"] {
            let mut listener = spoken(name);
            for mut message in messages.iter().chain(&shapes).cloned() {
                listener.hear(message.to_string().as_bytes(), now());
                message["jsonrpc"] = "2.0".into();
                listener.hear(message.to_string().as_bytes(), now());
                for line in listener.outbox() {
                    prop_assert!(serde_json::from_str::<Value>(&line).is_ok());
                }
            }
        }
    }
}

/// The marks of what was done, in order.
fn marks(heard: &[Heard]) -> Vec<Option<u64>> {
    let mark = |heard: &Heard| match heard {
        Heard::Did(act) => Some(act.mark),
        _ => None,
    };
    heard.iter().filter_map(mark).collect()
}

#[test]
fn every_command_line_that_tells_its_calls_tells_when_one_was_the_same() {
    let codex = |id: &str, output: &str| {
        vec![
            json!({"type": "item.completed", "item": {"id": id, "type": "command_execution", "command": "ls",
            "aggregated_output": output, "exit_code": 0, "status": "completed"}}),
        ]
    };
    let claude = |id: &str, output: &str| {
        vec![
            json!({"type": "assistant", "message": {"content": [
                {"type": "tool_use", "id": id, "name": "Glob", "input": {"pattern": "*"}}]}}),
            json!({"type": "user", "message": {"content": [
                {"type": "tool_result", "tool_use_id": id, "content": output}]}}),
        ]
    };
    let gemini = |id: &str, output: &str| {
        vec![
            json!({"type": "tool_use", "tool_id": id, "tool_name": "glob", "parameters": {"pattern": "*"}}),
            json!({"type": "tool_result", "tool_id": id, "status": "success", "output": output}),
        ]
    };
    let calls = |of: &dyn Fn(&str, &str) -> Vec<Value>| [of("1", "a"), of("2", "a"), of("3", "b")].concat();
    for (name, lines) in [("codex", calls(&codex)), ("claude", calls(&claude)), ("gemini", calls(&gemini))] {
        let marks = marks(&heard(name, &lines));
        assert!(
            matches!(marks[..], [Some(one), Some(same), Some(other)] if one == same && one != other),
            "{name}: {marks:?}"
        );
    }
    let change = json!({"type": "item.completed", "item": {"id": "4", "type": "file_change", "status": "completed",
        "changes": [{"path": "/w/a", "kind": "update"}]}});
    assert_eq!(marks(&heard("codex", &[change])), [None], "what it changed is not told");
}

#[test]
fn lines_beyond_the_bounds_that_hold_are_heard_as_errors_in_every_way_of_speaking() {
    let narrow = Bounds { bytes: 1_024, depth: 6 };
    let event = |depth: usize, text: &str| {
        let nested = (0..depth - 2).fold(json!(1), |inner, _| json!([inner]));
        json!({"type": "finding", "payload": {"text": text, "more": nested}}).to_string()
    };
    for format in [
        Format::CodexJsonl,
        Format::ClaudeStreamJson,
        Format::GeminiStreamJson,
        Format::GeminiJson,
        Format::JsonlEvents,
    ] {
        let new = || Listener::new(format, listener("codex").patterns).within(narrow);
        assert_eq!(kinds(&new().hear(event(6, "fits").as_bytes(), now())), [AgentEventType::Finding]);
        for line in [event(7, "deep"), event(3, &"x".repeat(1_024))] {
            let mut listener = new();
            let mut heard = listener.hear(line.as_bytes(), now());
            heard.extend(listener.finish(now()));
            assert_eq!(kinds(&heard), [AgentEventType::Error], "{format:?}: {heard:?}");
        }
    }
    // Among the words of an agent what can't be an event stays words.
    let said = |depth: usize| json!({"type": "item.completed", "item": {"type": "agent_message", "text": event(depth, "a")}});
    let mut listener = listener("codex").within(narrow);
    let mut hear = |depth: usize| kinds(&listener.hear(said(depth).to_string().as_bytes(), now()));
    assert_eq!((hear(6), hear(7)), (vec![AgentEventType::Finding], vec![]));
}
