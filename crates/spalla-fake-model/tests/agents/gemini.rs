//! `gemini`: what the model does, and what the Gemini CLI tells of it, in one go and over ACP.

use crate::dialogue::Dialogue;
use crate::world::{Ended, LIMIT, World, run};
use serde_json::{Value, json};

pub(crate) const MODEL: &[&str] = &["-m", "gemini-2.5-pro"];
const STREAM: &[&str] = &["--output-format", "stream-json"];

pub(crate) async fn prompt(world: &World, arguments: &[&str]) -> Ended {
    run(world, &mut world.gemini(), &[MODEL, STREAM, &["--yolo"], arguments].concat()).await
}

fn said(ended: &Ended) -> String {
    let pieces = ended.of_type("message").into_iter().filter(|line| line["role"] == "assistant");
    pieces.filter_map(|line| line["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn gemini_writes_the_file_and_runs_the_command_that_the_script_says() {
    let world = World::of_acts(json!([
        { "write": { "path": "src/hello.txt", "text": "hello" } },
        { "run": "cat src/hello.txt; exit 3" },
        { "usage": { "input": 1000, "cached": 600, "output": 50, "reasoning": 10 } },
        { "say": "It is written." },
    ]));
    let ended = prompt(&world, &["-p", "Write a greeting."]).await;
    assert_eq!((ended.code, said(&ended).as_str()), (Some(0), "It is written."), "{ended:?}");
    assert_eq!(world.file("src/hello.txt").as_deref(), Some("hello"));
    let used: Vec<Value> = ended.of_type("tool_use").iter().map(|line| line["tool_name"].clone()).collect();
    assert_eq!(used, ["write_file", "run_shell_command"]);
    let asked = world.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!((asked[0].user.as_str(), asked[0].key.as_str()), ("Write a greeting.", "key-of-gemini"));
    assert_eq!(asked[0].folder.as_deref(), world.work().to_str());
    assert!(asked[2].results[1].contains("Exit Code: 3"), "{:?}", asked[2].results);
    assert!(asked.iter().all(|entry| entry.run == asked[0].run));
    let stats = &ended.of_type("result")[0]["stats"];
    assert_eq!(stats["cached"].as_u64().map(|tokens| tokens >= 600), Some(true), "{stats}");
}

#[tokio::test]
async fn gemini_tells_the_answer_as_one_json() {
    let world = World::of_acts(json!([{ "think": "Hm." }, { "say": "Hello." }]));
    let arguments = [MODEL, &["--output-format", "json", "--yolo", "-p", "Say hello."]].concat();
    let ended = run(&world, &mut world.gemini(), &arguments).await;
    let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("no JSON: {ended:?}"));
    assert_eq!(told["response"], "Hello.");
}

#[tokio::test]
async fn gemini_without_approval_offers_no_tool_that_writes() {
    let world = World::of_acts(json!([{ "write": { "path": "a.txt", "text": "x\n" } }]));
    let ended = run(&world, &mut world.gemini(), &[MODEL, STREAM, &["-p", "Write it."]].concat()).await;
    assert_eq!((ended.code, world.file("a.txt")), (Some(0), None), "{ended:?}");
    assert_eq!(said(&ended), "I have no tool here to write a.txt.");
}

#[tokio::test]
async fn gemini_over_acp_writes_through_its_client_and_lets_a_silent_model_be_cancelled() {
    let world = World::new(json!([
        { "when": { "user": "Write" }, "then": [{ "write": { "path": "a.txt", "text": "x\n" } }, { "say": "Done." }] },
        { "then": [{ "hang": {} }, { "say": "Never said." }] },
    ]));
    let mut dialogue = Dialogue::start(&mut world.gemini(), &[MODEL, &["--acp", "--yolo"]].concat());
    let files = json!({ "fs": { "readTextFile": true, "writeTextFile": true }, "terminal": false });
    dialogue.call("initialize", json!({ "protocolVersion": 1, "clientCapabilities": files })).await;
    dialogue.call("authenticate", json!({ "methodId": "gemini-api-key" })).await;
    let session = dialogue.call("session/new", json!({ "cwd": world.work(), "mcpServers": [] })).await;
    let session = session["sessionId"].clone();
    let prompt = |text: &str| json!({ "sessionId": session, "prompt": [{ "type": "text", "text": text }] });
    let turn = dialogue.request("session/prompt", prompt("Write it.")).await;
    let (written, ended) = write_for_it(&mut dialogue, turn).await;
    assert_eq!(written, [json!({ "path": world.work().join("a.txt"), "content": "x\n" })]);
    assert_eq!(ended["result"]["stopReason"], "end_turn", "{ended}");
    let turn = dialogue.request("session/prompt", prompt("Wait.")).await;
    assert!(world.model.wait_for(LIMIT, |entries| entries.iter().any(|entry| entry.answer.contains("hang"))));
    let cancel = json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": { "sessionId": session } });
    dialogue.say(&cancel).await;
    let ended = dialogue.until(|line| line["id"] == turn).await.pop().expect("an end");
    assert_eq!(ended["result"]["stopReason"], "cancelled", "{ended}");
    dialogue.end(&world).await;
}

/// Does what the agent asks of its client until the turn ends; returns what was written, and the end.
async fn write_for_it(dialogue: &mut Dialogue, turn: u64) -> (Vec<Value>, Value) {
    let mut written = Vec::new();
    loop {
        let is_next = |line: &Value| {
            let is_end = line["id"] == turn && line.get("method").is_none();
            is_end || line["method"].as_str().is_some_and(|method| method.starts_with("fs/"))
        };
        let next = dialogue.until(is_next).await.pop().expect("a message");
        let result = match next["method"].as_str() {
            Some("fs/read_text_file") => json!({ "content": "" }),
            Some(_) => {
                written.push(json!({ "path": next["params"]["path"], "content": next["params"]["content"] }));
                json!({})
            }
            None => return (written, next),
        };
        dialogue.say(&json!({ "jsonrpc": "2.0", "id": next["id"], "result": result })).await;
    }
}
