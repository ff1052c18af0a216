//! `codex app-server`: threads side by side, and a turn that is interrupted.

use crate::dialogue::Dialogue;
use crate::world::{LIMIT, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn server(world: &World) -> Dialogue {
    let mut dialogue = Dialogue::start(&mut world.codex(), &["app-server"]);
    let client = json!({ "clientInfo": { "name": "test", "title": "Test", "version": "1" } });
    dialogue.call("initialize", client).await;
    dialogue.say(&json!({ "jsonrpc": "2.0", "method": "initialized" })).await;
    dialogue
}

async fn thread(dialogue: &mut Dialogue, world: &World) -> String {
    let wanted = json!({
        "model": "gpt-5.5", "cwd": world.work(), "approvalPolicy": "never", "sandbox": "danger-full-access",
        "ephemeral": true,
    });
    let thread = dialogue.call("thread/start", wanted).await;
    thread["thread"]["id"].as_str().expect("an id").to_owned()
}

fn turn(thread: &str, text: &str) -> Value {
    json!({ "threadId": thread, "input": [{ "type": "text", "text": text }] })
}

fn is_end_of_turn(line: &Value) -> bool {
    line["method"] == "turn/completed"
}

#[tokio::test]
async fn codex_app_server_plays_a_script_in_each_of_its_threads_at_once() {
    let tasks = 4;
    let rule = |task: usize| {
        json!({
            "when": { "user": format!("Task {task}\\.") },
            "then": [
                { "fail": { "kind": "server_error", "times": 1 } },
                { "write": { "path": format!("{task}.txt"), "text": format!("{task}\n") } },
                { "say": format!("Did {task}.") },
            ],
        })
    };
    let world = World::new((0..tasks).map(rule).collect());
    let mut dialogue = server(&world).await;
    let mut started = BTreeMap::new();
    for task in 0..tasks {
        let thread = thread(&mut dialogue, &world).await;
        dialogue.request("turn/start", turn(&thread, &format!("Task {task}."))).await;
        started.insert(thread, task);
    }
    let mut open = tasks;
    let heard = dialogue
        .until(|line| {
            open -= usize::from(is_end_of_turn(line));
            open == 0
        })
        .await;
    for (thread, task) in &started {
        assert_eq!(world.file(&format!("{task}.txt")), Some(format!("{task}\n")));
        let said = heard.iter().filter(|line| line["params"]["threadId"] == *thread);
        let said = said.filter(|line| line["method"] == "item/completed");
        let words: Vec<&Value> = said.filter_map(|line| line["params"]["item"].get("text")).collect();
        assert!(words.contains(&&json!(format!("Did {task}."))), "{words:?}");
    }
    // Each thread met the failure that lasts for one request, and none met another's.
    let failed = world.answers().iter().filter(|answer| answer.starts_with("fail")).count();
    assert_eq!(failed, tasks);
    dialogue.end(&world).await;
}

#[tokio::test]
async fn codex_app_server_lets_a_silent_model_be_interrupted() {
    let world = World::of_acts(json!([{ "hang": {} }, { "say": "Never said." }]));
    let mut dialogue = server(&world).await;
    let thread = thread(&mut dialogue, &world).await;
    let begun = dialogue.call("turn/start", turn(&thread, "Go.")).await;
    assert!(world.model.wait_for(LIMIT, |entries| !entries.is_empty()));
    let stop = json!({ "threadId": thread, "turnId": begun["turn"]["id"] });
    dialogue.request("turn/interrupt", stop).await;
    let heard = dialogue.until(is_end_of_turn).await;
    assert_eq!(heard.last().expect("an end")["params"]["turn"]["status"], "interrupted");
    dialogue.end(&world).await;
}

#[tokio::test]
async fn codex_app_server_says_that_the_usage_limit_is_reached() {
    let world = World::of_acts(json!([{ "fail": { "kind": "usage_limit", "retry_after_seconds": 3600 } }]));
    let mut dialogue = server(&world).await;
    let thread = thread(&mut dialogue, &world).await;
    dialogue.request("turn/start", turn(&thread, "Go.")).await;
    let heard = dialogue.until(is_end_of_turn).await;
    let turn = &heard.last().expect("an end")["params"]["turn"];
    assert_eq!(turn["status"], "failed");
    assert_eq!(turn["error"]["codexErrorInfo"], "usageLimitExceeded", "{turn}");
    assert_eq!(world.asked().len(), 1);
    dialogue.end(&world).await;
}
