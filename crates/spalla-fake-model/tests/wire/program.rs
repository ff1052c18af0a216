//! The program: how it is started, how it says that it is ready, and how it ends.

use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const LIMIT: Duration = Duration::from_secs(30);

fn started(folder: &TempDir, script: &str) -> Child {
    let path = folder.path().join("script.json");
    std::fs::write(&path, script).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_spalla-fake-model"));
    command.arg("--script").arg(path).arg("--journal").arg(folder.path().join("journal.jsonl"));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.kill_on_drop(true).spawn().expect("a process")
}

async fn ready(child: &mut Child) -> Value {
    let stdout = child.stdout.as_mut().expect("its output");
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(LIMIT, lines.next_line())
        .await
        .expect("in time")
        .expect("whole")
        .expect("a line");
    serde_json::from_str(&line).expect("JSON")
}

async fn code(child: &mut Child) -> Option<i32> {
    tokio::time::timeout(LIMIT, child.wait()).await.expect("in time").expect("an end").code()
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_ends_with_its_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = started(&folder, r#"{ "rules": [{ "then": [{ "say": "Hi." }] }] }"#);
    let ready = ready(&mut child).await;
    let url = ready["url"].as_str().expect("text");
    assert!(url.ends_with(&format!("127.0.0.1:{}", ready["port"])), "{ready}");
    let request = reqwest::Client::new().post(format!("{url}/v1/responses"));
    let body = json!({ "model": "m", "input": "Go." }).to_string();
    assert!(request.body(body).send().await.expect("a response").status().is_success());
    drop(child.stdin.take());
    assert_eq!(code(&mut child).await, Some(0));
    let journal = std::fs::read_to_string(folder.path().join("journal.jsonl")).expect("a file");
    assert_eq!(journal.lines().count(), 1);
}

#[tokio::test]
async fn the_program_ends_when_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = started(&folder, r#"{ "rules": [{ "then": [{ "hang": {} }] }] }"#);
    ready(&mut child).await;
    let id = i32::try_from(child.id().expect("it runs")).expect("an id");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM)
        .expect("a signal");
    assert_eq!(code(&mut child).await, Some(0));
}

#[tokio::test]
async fn a_script_that_is_none_is_said_with_its_cause() {
    let folder = tempfile::tempdir().expect("a folder");
    let child = started(&folder, r#"{ "rules": [{ "then": [{ "shout": "Hi." }] }] }"#);
    let output =
        tokio::time::timeout(LIMIT, child.wait_with_output()).await.expect("in time").expect("an end");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("unknown variant `shout`"), "{told}");
}
