//! `codex exec`: what the model does, and what Codex tells of it.

use crate::world::{Ended, World, run};
use serde_json::{Value, json};

const EXEC: &[&str] =
    &["exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];

pub(crate) async fn exec(world: &World, arguments: &[&str]) -> Ended {
    run(world, &mut world.codex(), &[EXEC, arguments].concat()).await
}

pub(crate) fn items(ended: &Ended, kind: &str) -> Vec<Value> {
    let items = ended.of_type("item.completed").into_iter().map(|line| line["item"].clone());
    items.filter(|item| item["type"] == kind).collect()
}

fn last_words(ended: &Ended) -> Option<String> {
    Some(items(ended, "agent_message").last()?["text"].as_str()?.to_owned())
}

#[tokio::test]
async fn codex_writes_the_file_that_the_script_says() {
    let world = World::of_acts(json!([
        { "say": "I write it." },
        { "write": { "path": "src/hello.txt", "text": "hello\nworld\n" } },
        { "think": "That went well." },
        { "usage": { "input": 1000, "cached": 600, "output": 50, "reasoning": 20 } },
        { "say": "It is written." },
    ]));
    let ended = exec(&world, &["Write a greeting."]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.file("src/hello.txt").as_deref(), Some("hello\nworld\n"));
    let change = &items(&ended, "file_change")[0];
    assert_eq!(change["changes"][0]["path"], world.work().join("src/hello.txt").to_str().expect("text"));
    assert_eq!(last_words(&ended).as_deref(), Some("It is written."));
    assert_eq!(items(&ended, "reasoning")[0]["text"], "That went well.");
    let usage = &ended.of_type("turn.completed")[0]["usage"];
    assert_eq!(usage["reasoning_output_tokens"], 20);
    let asked = world.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].user, "Write a greeting.");
    assert_eq!((asked[0].key.as_str(), asked[0].model.as_str()), ("key-of-openai", "gpt-5.5"));
    assert_eq!(asked[0].folder.as_deref(), world.work().to_str());
    assert!(asked[0].tools.contains(&"apply_patch".to_owned()), "{:?}", asked[0].tools);
    assert_eq!(asked[0].run, asked[1].run);
}

#[tokio::test]
async fn codex_runs_the_commands_that_the_script_says() {
    let world =
        World::of_acts(json!([{ "run": "echo hi > b.txt; ls" }, { "run": "exit 3" }, { "say": "Ran." }]));
    let ended = exec(&world, &["Run it."]).await;
    let ran = items(&ended, "command_execution");
    let codes: Vec<&Value> = ran.iter().map(|item| &item["exit_code"]).collect();
    assert_eq!(codes, [0, 3], "{ended:?}");
    assert_eq!(world.file("b.txt").as_deref(), Some("hi\n"));
    let told = world.asked().pop().expect("an entry").results;
    assert!(told[0].contains("b.txt") && told[1].contains("exited with code 3"), "{told:?}");
}

#[tokio::test]
async fn codex_writes_what_no_patch_can_say_by_its_shell() {
    let text = "it's \"all\" $one line";
    let world = World::of_acts(json!([{ "write": { "path": "a b/c.txt", "text": text } }]));
    let ended = exec(&world, &["Write it."]).await;
    assert_eq!(world.file("a b/c.txt").as_deref(), Some(text), "{ended:?}");
}

#[tokio::test]
async fn codex_in_code_mode_writes_and_runs() {
    let world = World::of_acts(json!([
        { "run": "echo hi > a.txt; ls" },
        { "write": { "path": "b.txt", "text": "x\n" } },
        { "say": "Done in code mode." },
    ]));
    let ended = exec(&world, &["-m", "gpt-6-sol", "Do it."]).await;
    assert_eq!(last_words(&ended).as_deref(), Some("Done in code mode."), "{ended:?}");
    assert_eq!((world.file("a.txt").as_deref(), world.file("b.txt").as_deref()), (Some("hi\n"), Some("x\n")));
    assert!(world.asked()[1].results[0].contains("a.txt"), "{:?}", world.asked());
}

#[tokio::test]
async fn codex_with_an_unknown_model_writes_by_its_shell() {
    let world = World::of_acts(json!([{ "write": { "path": "a.txt", "text": "x\n" } }, { "say": "Done." }]));
    let ended = exec(&world, &["-m", "some-model", "Do it."]).await;
    assert_eq!(world.file("a.txt").as_deref(), Some("x\n"), "{ended:?}");
    assert!(!world.asked()[0].tools.contains(&"apply_patch".to_owned()));
}

#[tokio::test]
async fn codex_answers_in_the_form_that_was_asked_for() {
    let world = World::of_acts(json!([{ "json": { "verdict": "approved" } }]));
    let schema = json!({
        "type": "object", "properties": { "verdict": { "type": "string" } }, "required": ["verdict"],
        "additionalProperties": false,
    });
    std::fs::write(world.work().join("schema.json"), schema.to_string()).expect("a file");
    let ended = exec(&world, &["--output-schema", "schema.json", "-o", "last.txt", "Judge."]).await;
    assert_eq!(world.file("last.txt").as_deref(), Some(r#"{"verdict":"approved"}"#), "{ended:?}");
}

#[tokio::test]
async fn codex_goes_on_where_it_stopped_when_it_is_resumed() {
    let world = World::new(json!([
        { "when": { "user": "First" }, "then": [{ "run": "echo 1 >> a.txt" }, { "say": "One." }] },
        { "when": { "user": "Second" }, "then": [{ "run": "echo 2 >> a.txt" }, { "say": "Two." }] },
    ]));
    let first = exec(&world, &["First."]).await;
    let thread = first.of_type("thread.started")[0]["thread_id"].as_str().expect("an id").to_owned();
    let again = [
        "exec",
        "resume",
        "--json",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        &thread,
        "Second.",
    ];
    let second = run(&world, &mut world.codex(), &again).await;
    assert_eq!(last_words(&second).as_deref(), Some("Two."), "{second:?}");
    assert_eq!(world.file("a.txt").as_deref(), Some("1\n2\n"));
}
