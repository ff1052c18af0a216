//! `claude --print`: what the model does, and what Claude Code tells of it, line by line and in a dialogue.

use crate::dialogue::Dialogue;
use crate::world::{Ended, LIMIT, World, run};
use serde_json::{Value, json};

const PRINT: &[&str] = &["--print", "--verbose", "--output-format", "stream-json", "--strict-mcp-config"];
const UNASKED: &str = "--dangerously-skip-permissions";

pub(crate) async fn print(world: &World, arguments: &[&str]) -> Ended {
    run(world, &mut world.claude(), &[PRINT, &[UNASKED], arguments].concat()).await
}

/// The last line: how it ended.
pub(crate) fn result(ended: &Ended) -> Value {
    ended.of_type("result").pop().unwrap_or_else(|| panic!("there is no result: {ended:?}"))
}

#[tokio::test]
async fn claude_writes_the_file_that_the_script_says() {
    let world = World::of_acts(json!([
        { "say": "I write it." },
        { "write": { "path": "src/hello.txt", "text": "hello" } },
        { "usage": { "input": 1000, "cached": 600, "output": 50 } },
        { "say": "It is written." },
    ]));
    let ended = print(&world, &["Write a greeting."]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.file("src/hello.txt").as_deref(), Some("hello"));
    let result = result(&ended);
    assert_eq!((&result["result"], &result["num_turns"]), (&json!("It is written."), &json!(2)));
    assert_eq!(result["usage"]["cache_read_input_tokens"].as_u64().map(|tokens| tokens >= 600), Some(true));
    let asked = world.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].user.as_str(), asked[0].key.as_str()), ("Write a greeting.", "key-of-anthropic"));
    assert_eq!(asked[0].folder.as_deref(), world.work().to_str());
    assert!(asked[0].tools.contains(&"Bash".to_owned()), "{:?}", asked[0].tools);
    assert_eq!(asked[0].run, asked[1].run);
}

#[tokio::test]
async fn claude_replaces_a_file_after_it_has_read_it() {
    let world = World::of_acts(json!([
        { "write": { "path": "a.txt", "text": "new\n", "replaces": true } },
        { "run": "cat a.txt; exit 3" },
        { "say": "Done." },
    ]));
    std::fs::write(world.work().join("a.txt"), "old\n").expect("a file");
    let ended = print(&world, &["Replace it."]).await;
    assert_eq!(world.file("a.txt").as_deref(), Some("new\n"), "{ended:?}");
    let told = world.asked().pop().expect("an entry").results;
    assert!(told.last().expect("a result").contains("Exit code 3\nnew"), "{told:?}");
    assert_eq!(world.answers(), ["write a.txt", "run cat a.txt; exit 3", "say Done."]);
}

#[tokio::test]
async fn claude_answers_in_the_form_that_was_asked_for() {
    let world = World::of_acts(json!([{ "json": { "verdict": "approved" } }, { "say": "Told." }]));
    let schema = r#"{"type":"object","properties":{"verdict":{"type":"string"}},"required":["verdict"]}"#;
    let ended = print(&world, &["--json-schema", schema, "--", "Judge."]).await;
    assert_eq!(result(&ended)["structured_output"], json!({ "verdict": "approved" }), "{ended:?}");
}

#[tokio::test]
async fn claude_without_permission_refuses_the_tool_and_ends_well() {
    let world =
        World::of_acts(json!([{ "write": { "path": "a.txt", "text": "x\n" } }, { "say": "I tried." }]));
    let ended = run(&world, &mut world.claude(), &[PRINT, &["Write it."]].concat()).await;
    let result = result(&ended);
    assert_eq!((ended.code, world.file("a.txt")), (Some(0), None), "{ended:?}");
    assert_eq!(result["permission_denials"][0]["tool_name"], "Write");
    assert!(world.asked()[1].results[0].contains("haven't granted it"), "{:?}", world.asked());
}

#[tokio::test]
async fn claude_tells_its_answer_piece_by_piece() {
    let world = World::of_acts(json!([{ "say": "Three little words." }]));
    let ended = print(&world, &["--include-partial-messages", "Go."]).await;
    let pieces: String = ended
        .of_type("stream_event")
        .iter()
        .filter_map(|line| line["event"]["delta"]["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(pieces, "Three little words.", "{ended:?}");
}

fn dialogue(world: &World) -> Dialogue {
    Dialogue::start(&mut world.claude(), &[PRINT, &["--input-format", "stream-json", UNASKED]].concat())
}

fn words(text: &str) -> Value {
    json!({ "type": "user", "message": { "role": "user", "content": text } })
}

fn is_result(line: &Value) -> bool {
    line["type"] == "result"
}

#[tokio::test]
async fn claude_in_a_dialogue_plays_each_turn_and_begins_anew_when_told() {
    let world = World::new(json!([
        { "when": { "user": "First" }, "then": [{ "write": { "path": "1.txt", "text": "1\n" } }, { "say": "One." }] },
        { "when": { "user": "Second" }, "then": [{ "run": "echo 2 > 2.txt" }, { "say": "Two." }] },
        { "when": { "user": "Third" }, "then": [{ "run": "echo 3 > 3.txt" }, { "say": "Three." }] },
    ]));
    let mut dialogue = dialogue(&world);
    let mut said = Vec::new();
    for text in ["First.", "Second.", "/clear", "Third."] {
        dialogue.say(&words(text)).await;
        said.push(dialogue.until(is_result).await.pop().expect("a result"));
    }
    let results: Vec<&Value> = said.iter().map(|result| &result["result"]).collect();
    assert_eq!([results[0], results[1], results[3]], ["One.", "Two.", "Three."], "{said:#?}");
    assert_ne!(said[1]["session_id"], said[3]["session_id"]);
    let files = ["1.txt", "2.txt", "3.txt"].map(|path| world.file(path).is_some());
    assert_eq!(files, [true; 3]);
    dialogue.end(&world).await;
}

#[tokio::test]
async fn claude_in_a_dialogue_lets_a_silent_model_be_interrupted_and_goes_on() {
    let world = World::new(json!([
        { "when": { "user": "Wait" }, "then": [{ "hang": {} }, { "say": "Never said to the end." }] },
        { "then": [{ "say": "Here." }] },
    ]));
    let mut dialogue = dialogue(&world);
    dialogue.say(&words("Wait for it.")).await;
    assert!(world.model.wait_for(LIMIT, |entries| entries.iter().any(|entry| entry.answer.contains("hang"))));
    let stop = json!({ "type": "control_request", "request_id": "1", "request": { "subtype": "interrupt" } });
    dialogue.say(&stop).await;
    let stopped = dialogue.until(is_result).await.pop().expect("a result");
    assert_eq!(stopped["subtype"], "error_during_execution", "{stopped}");
    dialogue.say(&words("Are you there?")).await;
    let answered = dialogue.until(is_result).await.pop().expect("a result");
    assert_eq!(answered["result"], "Here.");
    dialogue.end(&world).await;
}

#[tokio::test]
async fn claude_in_a_dialogue_asks_before_it_writes_and_does_as_it_is_told() {
    let world = World::of_acts(json!([
        { "write": { "path": "yes.txt", "text": "x\n" } },
        { "write": { "path": "no.txt", "text": "x\n" } },
        { "say": "Done." },
    ]));
    let asking = ["--input-format", "stream-json", "--permission-prompt-tool", "stdio"];
    let mut dialogue = Dialogue::start(&mut world.claude(), &[PRINT, &asking].concat());
    dialogue.say(&words("Write both.")).await;
    for _ in 0..2 {
        let asks = |line: &Value| line["type"] == "control_request";
        let question = dialogue.until(asks).await.pop().expect("a question");
        let input = &question["request"]["input"];
        let may = input["file_path"].as_str().is_some_and(|path| path.ends_with("yes.txt"));
        let allow = json!({ "behavior": "allow", "updatedInput": input });
        let response = if may { allow } else { json!({ "behavior": "deny", "message": "Not that one." }) };
        let answer =
            json!({ "subtype": "success", "request_id": question["request_id"], "response": response });
        dialogue.say(&json!({ "type": "control_response", "response": answer })).await;
    }
    dialogue.until(is_result).await;
    assert_eq!((world.file("yes.txt").is_some(), world.file("no.txt").is_some()), (true, false));
    dialogue.end(&world).await;
}
