//! A CLI that is spoken with: lines of JSON in, lines of JSON out, as long as it lives.

use crate::world::{LIMIT, World};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A dialogue with one process.
pub(crate) struct Dialogue {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    last_id: u64,
}

impl Dialogue {
    /// Starts the process.
    pub(crate) fn start(command: &mut Command, arguments: &[&str]) -> Self {
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a process");
        let stdin = child.stdin.take().expect("its input");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, stdin, lines, last_id: 0 }
    }

    /// Says something.
    pub(crate) async fn say(&mut self, message: &Value) {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await.expect("a listener");
    }

    /// Makes a request of JSON-RPC without waiting for its answer; returns its id.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        id
    }

    /// Makes a request of JSON-RPC and returns its result.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        let heard = self.until(|line| line["id"] == id && line.get("method").is_none()).await;
        let answer = heard.last().expect("an answer");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Listens until something wanted is said; returns everything up to it.
    pub(crate) async fn until(&mut self, mut is_wanted: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut heard = Vec::new();
        let listening = async {
            while let Some(line) = self.lines.next_line().await.expect("a line") {
                // Gemini CLI says a few words before its first message.
                let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
                let is_last = is_wanted(&line);
                heard.push(line);
                if is_last {
                    return true;
                }
            }
            false
        };
        let was_said = tokio::time::timeout(LIMIT, listening).await;
        assert!(matches!(was_said, Ok(true)), "it was not said: {was_said:?} {heard:#?}");
        heard
    }

    /// Lets go of the process, waits for its end, and checks that nothing of it is left.
    pub(crate) async fn end(mut self, world: &World) {
        drop(self.stdin);
        tokio::time::timeout(LIMIT, self.child.wait())
            .await
            .expect("it ends with its input")
            .expect("an end");
        world.is_deserted().await;
    }
}
