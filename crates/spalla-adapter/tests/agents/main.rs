//! The real agent CLIs, called as their adapters say by their own help, and heard. `make test-agents` installs them and runs
//! this where only loopback can be reached.

#[expect(dead_code, reason = "the other tests of these CLIs use the rest of it")]
#[path = "../../../spalla-fake-model/tests/agents/world.rs"]
mod world;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use spalla_adapter::command_line::{Guard, Wishes, command_line};
use spalla_adapter::definition::{Definition, built_in};
use spalla_adapter::heard::{Heard, TurnEnd};
use spalla_adapter::installed::Installed;
use spalla_adapter::listen::Listener;
use spalla_adapter::trouble::{Cause, Trouble};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use world::{LIMIT, World};

const CLIS: [&str; 3] = ["codex", "claude", "gemini"];

#[expect(clippy::disallowed_methods, reason = "a CLI tells moments by the real clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn adapter(name: &str) -> Definition {
    built_in().unwrap().into_iter().find(|definition| definition.name == name).unwrap()
}

fn command(world: &World, name: &str) -> Command {
    let mut command = match name {
        "codex" => world.codex(),
        "claude" => world.claude(),
        _ => world.gemini(),
    };
    // Moments are told in the zone of the machine.
    command.env("TZ", "UTC").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What the program says of itself.
async fn said(world: &World, name: &str, args: &[String]) -> String {
    let output = tokio::time::timeout(LIMIT, command(world, name).args(args).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{name} {args:?} did not end")).unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Lets a CLI work on a prompt, called as its adapter says, and returns what is heard of it.
async fn heard(world: &World, name: &str, guard: Guard) -> Vec<Heard> {
    let definition = adapter(name);
    let version = said(world, name, &definition.version).await;
    let mut help = String::new();
    for args in &definition.help {
        help.push_str(&said(world, name, args).await);
    }
    let installed = Installed::read(&definition, &version, &help);
    assert!(installed.is_told && installed.version.is_some(), "{version} {help}");
    // Without a model the Gemini CLI asks another one first which it should be, and waits for an answer of a shape.
    let model = (name == "gemini").then(|| "gemini-2.5-pro".to_owned());
    let wishes = Wishes { guard, model, ..Wishes::default() };
    let line = command_line(&definition, &installed, &wishes, "Do it.");
    assert_eq!(line.unmet, [], "{help}");
    let mut child = command(world, name).args(&line.args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(line.stdin.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("{name} did not end: {:?}", world.answers())).unwrap();
    world.is_deserted().await;
    let mut listener = Listener::new(definition.output, definition.trouble);
    let now = now();
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let mut heard: Vec<Heard> = lines.flat_map(|line| listener.hear(line, now)).collect();
    heard.extend(output.stderr.split(|byte| *byte == b'\n').flat_map(|line| listener.hear_error(line, now)));
    heard
}

async fn heard_of(name: &str, acts: Value, guard: Guard) -> (World, Vec<Heard>) {
    let world = World::of_acts(acts);
    let heard = heard(&world, name, guard).await;
    (world, heard)
}

fn last_trouble(heard: &[Heard]) -> Option<&Trouble> {
    heard.iter().rev().find_map(|heard| match heard {
        Heard::Trouble(trouble) if trouble.is_final => Some(trouble),
        _ => None,
    })
}

#[tokio::test]
async fn each_cli_called_by_its_adapter_does_the_work_and_is_heard() {
    for name in CLIS {
        let acts = json!([
            { "write": { "path": "src/hello.txt", "text": "hello\n" } },
            { "usage": { "input": 1_000, "cached": 600, "output": 50 } },
            { "say": "It is written." },
        ]);
        let (world, heard) = heard_of(name, acts, Guard::Bypass).await;
        assert_eq!(world.file("src/hello.txt").as_deref(), Some("hello\n"), "{name}: {heard:?}");
        let mut files = heard.iter().filter_map(|heard| match heard {
            Heard::Event(event) => event.payload.file.as_deref(),
            _ => None,
        });
        assert!(files.any(|file| file.ends_with("src/hello.txt")), "{name}: {heard:?}");
        assert!(heard.iter().any(|heard| matches!(heard, Heard::Thread(_))), "{name}: {heard:?}");
        assert!(heard.contains(&Heard::Words("It is written.".into())), "{name}: {heard:?}");
        assert!(heard.contains(&Heard::Over(TurnEnd::Completed)), "{name}: {heard:?}");
        let spent = heard.iter().find_map(|heard| match heard {
            Heard::Spent(spent) => Some(spent),
            _ => None,
        });
        assert!(spent.unwrap().input_tokens.unwrap() >= 1_000, "{name}: {heard:?}");
        let is_odd = |heard: &Heard| matches!(heard, Heard::Trouble(_) | Heard::Denied(_));
        assert!(!heard.iter().any(is_odd), "{name}: {heard:?}");
    }
}

#[tokio::test]
async fn what_ends_a_turn_of_each_cli_has_its_cause() {
    for (name, kind, cause) in [
        ("codex", "unauthorized", Cause::Auth),
        ("claude", "unauthorized", Cause::Auth),
        ("gemini", "unauthorized", Cause::Auth),
        ("codex", "context_too_long", Cause::ContextFull),
        ("claude", "context_too_long", Cause::ContextFull),
        ("gemini", "context_too_long", Cause::ContextFull),
        ("codex", "rate_limit", Cause::RateLimit),
        ("claude", "rate_limit", Cause::RateLimit),
        ("codex", "quota_exhausted", Cause::Quota),
        ("claude", "quota_exhausted", Cause::Quota),
        ("gemini", "quota_exhausted", Cause::Quota),
        ("codex", "overloaded", Cause::Overloaded),
        ("claude", "server_error", Cause::ServerError),
    ] {
        let (_, heard) = heard_of(name, json!([{ "fail": { "kind": kind } }]), Guard::Bypass).await;
        let trouble = last_trouble(&heard).unwrap_or_else(|| panic!("{name}, {kind}: {heard:?}"));
        assert_eq!(trouble.cause, cause, "{name}, {kind}: {heard:?}");
        assert!(heard.contains(&Heard::Over(TurnEnd::Failed)), "{name}, {kind}: {heard:?}");
    }
}

#[tokio::test]
async fn the_end_of_codex_usage_limit_is_heard() {
    let fail = json!([{ "fail": { "kind": "usage_limit", "retry_after_seconds": 7_200 } }]);
    let (_, heard) = heard_of("codex", fail, Guard::Bypass).await;
    let trouble = last_trouble(&heard).unwrap();
    let wait = trouble.resets_at.unwrap_or_else(|| panic!("{trouble:?}")).duration_since(now());
    // It is told by the minute.
    let least = SignedDuration::from_secs(7_200 - 120);
    assert!(
        trouble.cause == Cause::Quota && wait > least && wait <= SignedDuration::from_secs(7_200),
        "{trouble:?}"
    );
}

#[tokio::test]
async fn a_cli_that_may_change_nothing_changes_nothing() {
    for name in CLIS {
        let acts = json!([{ "write": { "path": "no.txt", "text": "x\n" } }, { "say": "Tried." }]);
        let (world, heard) = heard_of(name, acts, Guard::ReadOnly).await;
        assert_eq!(world.file("no.txt"), None, "{name}: {heard:?}");
        // It was asked, worked, and came to its end all the same.
        assert!(!world.asked().is_empty(), "{name}: {heard:?}");
        assert!(heard.contains(&Heard::Over(TurnEnd::Completed)), "{name}: {heard:?}");
    }
}
