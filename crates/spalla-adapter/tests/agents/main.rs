//! The real agent CLIs, called as their adapters say by their own help, and heard. `make test-agents` installs them and runs
//! this where only loopback can be reached.

mod warm;

#[expect(dead_code, reason = "the other tests of these CLIs use the rest of it")]
#[path = "../../../spalla-fake-model/tests/agents/world.rs"]
mod world;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use spalla_adapter::command_line::{Guard, Wishes, command_line};
use spalla_adapter::definition::{Definition, built_in};
use spalla_adapter::heard::{Heard, TurnEnd};
use spalla_adapter::installed::Installed;
use spalla_adapter::listen::{Listener, Opening};
use spalla_adapter::tools::ToolRules;
use spalla_adapter::trouble::{Cause, Certainty, Trouble};
use spalla_domain::agent_policy::Tools;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
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

/// Returns the ways in which a CLI that is installed here is spoken with: the one that its own help leads to, and the other.
async fn ways(world: &World, name: &str) -> [(Definition, Installed); 2] {
    let definition = adapter(name);
    let version = said(world, name, &definition.version).await;
    let mut help = String::new();
    for args in &definition.help {
        help.push_str(&said(world, name, args).await);
    }
    let installed = Installed::read(&definition, &version, &help);
    assert!(installed.is_told && installed.version.is_some(), "{version} {help}");
    let way = definition.way(&installed, &Wishes::default());
    assert!(way.is_dialogue(), "{name}: {help}");
    let other = way.other_way().unwrap();
    [(way, installed.clone()), (other, installed)]
}

/// A CLI at work, called as one of its ways says.
struct Work {
    listener: Listener,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    heard: Vec<Heard>,
}

impl Work {
    fn begin(world: &World, way: &(Definition, Installed), guard: Guard) -> Self {
        Self::begin_with(world, way, guard, None)
    }

    /// Begins in a conversation that an earlier process had.
    fn go_on(world: &World, way: &(Definition, Installed), thread: &str) -> Self {
        Self::begin_with(world, way, Guard::Bypass, Some(thread.to_owned()))
    }

    fn begin_with(
        world: &World,
        (way, installed): &(Definition, Installed),
        guard: Guard,
        resume: Option<String>,
    ) -> Self {
        let name = &way.name;
        // Without a model the Gemini CLI asks another one first which it should be, and waits for an answer of a shape.
        let model = (name == "gemini").then(|| "gemini-2.5-pro".to_owned());
        let wishes = Wishes { guard, model, resume: resume.clone(), ..Wishes::default() };
        let line = command_line(way, installed, &wishes, "Do it.");
        assert_eq!(line.unmet, [], "{name}");
        let opening = Opening { thread: resume, ..opening(world, guard, "Do it.") };
        Self::start(world, way, &line.args, opening)
    }

    /// Begins with a list of the tools that it may use.
    fn begin_by(world: &World, (way, installed): &(Definition, Installed), rules: &ToolRules) -> Self {
        let guard = Guard::Bypass.with_list();
        let model = (way.name == "gemini").then(|| "gemini-2.5-pro".to_owned());
        let wishes = Wishes { guard, model, ..Wishes::default() }.with_tools(rules, way);
        let line = command_line(way, installed, &wishes, "Do it.");
        let tools = Some(rules.clone());
        Self::start(world, way, &line.args, Opening { tools, ..opening(world, guard, "Do it.") })
    }

    fn start(world: &World, way: &Definition, args: &[String], opening: Opening) -> Self {
        let name = &way.name;
        let mut child = command(world, name).args(args).stdin(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut listener = Listener::new(way.output, way.trouble.clone());
        if way.is_dialogue() {
            listener.speak(opening);
        }
        let stdin = child.stdin.take();
        Self { listener, child, stdin, lines, heard: Vec::new() }
    }

    /// Says what is to be said now.
    async fn say(&mut self) {
        for line in self.listener.outbox() {
            let Some(stdin) = &mut self.stdin else { return };
            stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
    }

    /// Listens and answers until something is heard, or until nothing more is.
    async fn until(&mut self, is_wanted: impl Fn(&Heard) -> bool) -> bool {
        let mut is_heard = false;
        while !is_heard {
            let line = tokio::time::timeout(LIMIT, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("nothing more is said: {:?}", self.heard)).unwrap();
            let Some(line) = line else { return false };
            let heard = self.listener.hear(line.as_bytes(), now());
            is_heard = heard.iter().any(&is_wanted);
            self.heard.extend(heard);
            self.say().await;
        }
        true
    }

    /// Lets go of it and waits for its end, with all that it started.
    async fn end(mut self, world: &World) -> Vec<Heard> {
        self.stdin = None;
        self.until(|_| false).await;
        let output = tokio::time::timeout(LIMIT, self.child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("it did not end: {:?}", world.answers())).unwrap();
        world.is_deserted().await;
        let lines = output.stderr.split(|byte| *byte == b'\n');
        self.heard.extend(lines.flat_map(|line| self.listener.hear_error(line, now())));
        self.heard
    }
}

fn opening(world: &World, guard: Guard, prompt: &str) -> Opening {
    let folder = world.work().to_string_lossy().into_owned();
    Opening { folder, prompt: prompt.to_owned(), guard, ..Opening::default() }
}

fn is_over(heard: &Heard) -> bool {
    matches!(heard, Heard::Over(_))
}

/// Lets a CLI work on a prompt, called as one of its ways says, and returns what is heard of it.
async fn heard(world: &World, way: &(Definition, Installed), guard: Guard) -> Vec<Heard> {
    let mut work = Work::begin(world, way, guard);
    if way.0.is_dialogue() {
        work.say().await;
        work.until(is_over).await;
    } else {
        work.stdin.take().unwrap().write_all(b"Do it.").await.unwrap();
    }
    work.end(world).await
}

/// Lets a CLI work in each of its ways, each in a world of its own.
async fn heard_of(name: &str, acts: Value, guard: Guard) -> [(World, Vec<Heard>); 2] {
    let mut all = Vec::new();
    for at in 0..2 {
        let world = World::of_acts(acts.clone());
        let ways = ways(&world, name).await;
        let heard = heard(&world, &ways[at], guard).await;
        all.push((world, heard));
    }
    all.try_into().unwrap_or_else(|_| unreachable!("two ways"))
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
        for (world, heard) in heard_of(name, acts, Guard::Bypass).await {
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
            // What is only guessed counts for nothing where a turn was completed.
            let is_odd = |heard: &Heard| match heard {
                Heard::Trouble(trouble) => trouble.certainty > Certainty::Guessed,
                heard => matches!(heard, Heard::Denied(_)),
            };
            assert!(!heard.iter().any(is_odd), "{name}: {heard:?}");
        }
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
        for (_, heard) in heard_of(name, json!([{ "fail": { "kind": kind } }]), Guard::Bypass).await {
            let trouble = last_trouble(&heard).unwrap_or_else(|| panic!("{name}, {kind}: {heard:?}"));
            assert_eq!(trouble.cause, cause, "{name}, {kind}: {heard:?}");
            assert!(heard.contains(&Heard::Over(TurnEnd::Failed)), "{name}, {kind}: {heard:?}");
        }
    }
}

#[tokio::test]
async fn the_end_of_codex_usage_limit_is_heard() {
    let fail = json!([{ "fail": { "kind": "usage_limit", "retry_after_seconds": 7_200 } }]);
    for (_, heard) in heard_of("codex", fail, Guard::Bypass).await {
        let trouble = last_trouble(&heard).unwrap();
        let wait = trouble.resets_at.unwrap_or_else(|| panic!("{trouble:?}")).duration_since(now());
        // It is told by the minute.
        let least = SignedDuration::from_secs(7_200 - 120);
        assert!(
            trouble.cause == Cause::Quota && wait > least && wait <= SignedDuration::from_secs(7_200),
            "{trouble:?}"
        );
    }
}

#[tokio::test]
async fn a_cli_that_may_change_nothing_changes_nothing() {
    for name in CLIS {
        let acts = json!([{ "write": { "path": "no.txt", "text": "x\n" } }, { "say": "Tried." }]);
        for (world, heard) in heard_of(name, acts, Guard::ReadOnly).await {
            assert_eq!(world.file("no.txt"), None, "{name}: {heard:?}");
            // It was asked, worked, and came to its end all the same.
            assert!(!world.asked().is_empty(), "{name}: {heard:?}");
            assert!(heard.contains(&Heard::Over(TurnEnd::Completed)), "{name}: {heard:?}");
        }
    }
}

#[tokio::test]
async fn a_cli_with_a_list_of_tools_is_held_to_it_while_it_is_spoken_with() {
    let tools =
        Tools { allowed: ["Read", "Write", "Edit"].map(str::to_owned).into(), restricted: Vec::new() };
    let rules = ToolRules::of(&tools).unwrap();
    let run = json!({ "run": "echo x > no.txt" });
    let write = json!({ "write": { "path": "yes.txt", "text": "yes\n" } });
    let say = json!({ "say": "Done." });
    for name in CLIS {
        // A model that is not offered a tool says so and ends: then what it may do is a turn of its own.
        let turns = match name {
            "codex" => vec![vec![&run, &write, &say]],
            _ => vec![vec![&run, &say], vec![&write, &say]],
        };
        for acts in turns {
            let world = World::of_acts(json!(acts));
            let way = ways(&world, name).await[0].clone();
            let mut work = Work::begin_by(&world, &way, &rules);
            work.say().await;
            work.until(is_over).await;
            let used = work.listener.used();
            let heard = work.end(&world).await;
            assert_eq!(world.file("no.txt"), None, "{name}: {heard:?}");
            if acts.contains(&&write) {
                assert_eq!(world.file("yes.txt").as_deref(), Some("yes\n"), "{name}: {heard:?}");
                // Gemini tells of a tool under a name of its own making, which is in no list.
                assert!(
                    name == "gemini" || used.iter().any(|used| rules.refuse(used).is_none()),
                    "{name}: {used:?}"
                );
            }
            let refused = used.iter().filter(|used| rules.refuse(used).is_some()).count();
            assert!(refused > 0 || name != "codex", "{name}: {used:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cli_in_a_dialogue_stops_when_it_is_asked_to_and_takes_another_turn_that_knows_nothing_of_the_first()
 {
    for name in CLIS {
        let world = World::new(json!([
            { "when": { "user": "Do it" }, "then": [{ "hang": {} }, { "say": "Never said." }] },
            { "then": [{ "write": { "path": "next.txt", "text": "next\n" } }, { "say": "Next." }] },
        ]));
        let ways = ways(&world, name).await;
        let mut work = Work::begin(&world, &ways[0], Guard::Bypass);
        work.say().await;
        assert!(work.until(|heard| matches!(heard, Heard::Thread(_))).await, "{name}");
        let begun = tokio::task::block_in_place(|| {
            world.model.wait_for(LIMIT, |asked| asked.iter().any(|entry| entry.answer.contains("hang")))
        });
        assert!(begun, "{name}: {:?}", world.answers());
        // Of a turn that the model was asked for, the CLI has told already or tells now.
        while !work.listener.interrupt() {
            assert!(work.until(|heard| matches!(heard, Heard::Event(_))).await, "{name}");
        }
        work.say().await;
        assert!(work.until(is_over).await, "{name}");
        assert_eq!(work.heard.last(), Some(&Heard::Over(TurnEnd::Interrupted)), "{name}: {:?}", work.heard);

        work.heard.clear();
        work.listener.speak(opening(&world, Guard::Bypass, "Another task."));
        work.say().await;
        assert!(work.until(is_over).await, "{name}");
        assert_eq!(work.heard.last(), Some(&Heard::Over(TurnEnd::Completed)), "{name}: {:?}", work.heard);
        assert!(work.heard.contains(&Heard::Words("Next.".into())), "{name}: {:?}", work.heard);
        assert_eq!(world.file("next.txt").as_deref(), Some("next\n"), "{name}");
        let asked = world.asked();
        assert_ne!(asked[0].run, asked[asked.len() - 1].run, "{name}: {asked:?}");
        work.end(&world).await;
    }
}

#[tokio::test]
async fn a_conversation_goes_on_in_another_process() {
    for name in CLIS {
        let world = World::of_acts(json!([{ "say": "First." }, { "say": "Second." }]));
        let way = ways(&world, name).await[0].clone();
        let mut threads: Vec<String> = Vec::new();
        for round in 0..2 {
            let mut work = match threads.first() {
                None => Work::begin(&world, &way, Guard::Bypass),
                Some(thread) => Work::go_on(&world, &way, thread),
            };
            work.say().await;
            assert!(work.until(is_over).await, "{name} {round}");
            let heard = work.end(&world).await;
            assert!(heard.contains(&Heard::Over(TurnEnd::Completed)), "{name} {round}: {heard:?}");
            threads.extend(heard.into_iter().filter_map(|heard| match heard {
                Heard::Thread(thread) => Some(thread),
                _ => None,
            }));
        }
        let asked = world.asked();
        assert_eq!(asked.len(), 2, "{name}: {:?}", world.answers());
        assert_eq!(asked[0].run, asked[1].run, "{name}: another conversation");
    }
}

#[tokio::test]
async fn a_shape_of_the_answer_is_asked_for_in_the_conversation_with_codex() {
    let world = World::of_acts(json!([{ "json": { "verdict": "approved" } }]));
    let way = ways(&world, "codex").await[0].clone();
    let mut work = Work::begin(&world, &way, Guard::ReadOnly);
    let schema = json!({ "type": "object", "properties": { "verdict": { "type": "string" } },
        "required": ["verdict"], "additionalProperties": false });
    work.listener = Listener::new(way.0.output, way.0.trouble.clone());
    work.listener
        .speak(Opening { schema: Some(schema.to_string()), ..opening(&world, Guard::ReadOnly, "Judge.") });
    work.say().await;
    assert!(work.until(is_over).await);
    assert!(work.heard.contains(&Heard::Words(r#"{"verdict":"approved"}"#.into())), "{:?}", work.heard);
    work.end(&world).await;
}
