//! The tools of the server over the Model Context Protocol, as an agent speaks it: lines of JSON-RPC on standard input and
//! output of the real binary.

use crate::databases::Database;
use crate::process::{Home, Server, Setup, text, until, worker};
use crate::rest::Rest;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// An agent that speaks to `spalla mcp`.
struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    asked: i64,
}

impl Agent {
    /// Starts the tools as a run's agent does, and says who it is.
    fn start(home: &Home, url: &str, token: &str) -> Self {
        let mut command = home.command(&["mcp"]);
        command.env("SPALLA_API_URL", url).env("SPALLA_API_TOKEN", token);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("its output"));
        Self { child, stdin, stdout: BufReader::new(stdout), asked: 0 }
    }

    fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().expect("its input");
        writeln!(stdin, "{message}").expect("it reads");
    }

    fn begin(&mut self) -> Value {
        let answer = self.ask(
            "initialize",
            json!({"protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"}}),
        );
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        answer
    }

    /// Makes a request and returns the whole answer to it.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).expect("a line") > 0, "it is gone");
            let answer: Value = serde_json::from_str(&line).expect("every line is JSON");
            if answer["id"] == id {
                return answer;
            }
        }
    }

    /// Calls a tool, and returns whether it failed, what it says, and the value.
    fn call(&mut self, name: &str, arguments: Value) -> (bool, String, Value) {
        let answer = self.ask("tools/call", json!({"name": name, "arguments": arguments}));
        let result = &answer["result"];
        assert!(result.is_object(), "{answer}");
        let said = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (result["isError"] == true, said, result["structuredContent"].clone())
    }

    fn value(&mut self, name: &str, arguments: Value) -> Value {
        let (is_error, said, value) = self.call(name, arguments);
        assert!(!is_error, "{said}");
        value
    }

    fn error(&mut self, name: &str, arguments: Value) -> String {
        let (is_error, said, value) = self.call(name, arguments);
        assert!(is_error, "{value}");
        said
    }

    /// Closes its input, and returns how it ends.
    fn end(mut self) -> Option<i32> {
        self.stdin = None;
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(home: &Home) -> Server {
    Server::start(home, &Setup { database: &Database::Sqlite, args: &["serve"], env: &[] })
}

/// Claims a run, and returns it with the tokens of its lease and of its agent.
async fn claimed(rest: &Rest) -> (i64, i64, String) {
    let project = rest.project(None).await;
    let item = json!({"project_id": project, "title": "mend it", "prompt": "mend the two tests",
        "executor": "agent", "agent": "codex"});
    let item = rest.item(item).await;
    rest.enqueue(item).await;
    let claimed = rest.post("/scheduler/claim", json!({"worker_id": "w", "wait_seconds": 30})).await;
    let run = claimed["runs"][0]["run_id"].as_i64().expect("a run");
    let fence = claimed["runs"][0]["fencing_token"].as_i64().expect("a token");
    let token = rest.post(&format!("/work-items/runs/{run}/token"), json!({"fencing_token": fence})).await;
    (run, fence, token["token"].as_str().expect("a token").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_tells_reads_and_makes_by_the_tools_of_its_run() {
    let home = Home::new();
    let server = serve(&home);
    let (run, fence, token) = claimed(&server.rest).await;
    let mut agent = Agent::start(&home, &server.rest.url, &token);
    let begun = agent.begin();
    assert_eq!(begun["result"]["serverInfo"]["name"], "spalla");
    assert!(begun["result"]["capabilities"]["tools"].is_object(), "{begun}");
    let listed = agent.ask("tools/list", json!({}));
    let tools = listed["result"]["tools"].as_array().expect("tools");
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect();
    let expected = [
        "spalla_emit",
        "spalla_ask",
        "spalla_get_item",
        "spalla_create_item",
        "spalla_list_items",
        "spalla_send_message",
        "spalla_read_messages",
    ];
    assert_eq!(names, expected);
    assert!(tools.iter().all(|tool| tool["inputSchema"]["type"] == "object"), "{listed}");

    let payload = json!({"text": "two tests fail", "own": [1]});
    let told = agent.value("spalla_emit", json!({"type": "finding", "payload": payload}));
    assert_eq!(told, json!({"kept": 1}));
    let event = server.rest.event("finding").await;
    assert_eq!((&event["run_id"], &event["agent"]), (&json!(run), &json!("codex")));
    assert_eq!(event["payload"], payload);

    let item = agent.value("spalla_get_item", json!({}));
    assert_eq!((&item["title"], &item["prompt"]), (&json!("mend it"), &json!("mend the two tests")));
    assert_eq!((&item["status"], &item["run_id"]), (&json!("running"), &json!(run)));
    let made = agent.value("spalla_create_item", json!({"title": "beside", "agent": "codex", "priority": 7}));
    assert_eq!((&made["status"], &made["priority"]), (&json!("open"), &json!(7)));
    let items = agent.value("spalla_list_items", json!({"status": "open"}));
    assert_eq!(items["items"], json!([made]));

    let path = format!("/work-items/runs/{run}/complete?success=true");
    server.rest.post(&path, json!({"fencing_token": fence})).await;
    let late = agent.error("spalla_emit", json!({"type": "status", "payload": {}}));
    assert!(late.contains("does not accept the token"), "{late}");
    assert_eq!(agent.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_waits_for_its_answer_and_not_longer_than_it_was_told() {
    let home = Home::new();
    let server = serve(&home);
    let (_, _, token) = claimed(&server.rest).await;
    let mut agent = Agent::start(&home, &server.rest.url, &token);
    agent.begin();
    let ask = json!({"question": "which one?", "timeout_seconds": 1});
    let nobody = agent.error("spalla_ask", ask.clone());
    assert!(
        nobody.contains("nobody has answered within 1 seconds") && nobody.contains("info request 1"),
        "{nobody}"
    );
    let answered = json!({"values": {"ANSWER": "the second"}, "by": "ada"});
    server.rest.post("/work-items/runs/info-requests/1/respond", answered).await;
    let answer = agent.value("spalla_ask", ask);
    assert_eq!((&answer["answer"], &answer["info_request_id"]), (&json!("the second"), &json!(1)));
    let odd = agent.error("spalla_ask", json!({"question": "x", "fields": [{"name": "no name"}]}));
    assert!(odd.contains("a field is named by"), "{odd}");
    let long = agent.error("spalla_ask", json!({"question": "x", "timeout_seconds": 86_401}));
    assert!(long.contains("timeout_seconds"), "{long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_told_in_the_servers_words_and_ends_nothing() {
    let home = Home::new();
    let server = serve(&home);
    let (_, _, token) = claimed(&server.rest).await;
    let mut agent = Agent::start(&home, &server.rest.url, &token);
    agent.begin();
    let kind = agent.error("spalla_emit", json!({"type": "surprise", "payload": {}}));
    assert!(kind.contains("type") && kind.contains("surprise"), "{kind}");
    let large = json!({"type": "status", "payload": {"text": "x".repeat(70_000)}});
    let large = agent.error("spalla_emit", large);
    assert!(large.contains("at most 65536 are kept"), "{large}");
    let lacking = agent.error("spalla_emit", json!({"type": "status"}));
    assert!(lacking.contains("missing field `payload`"), "{lacking}");
    let unknown = agent.ask("tools/call", json!({"name": "spalla_approve", "arguments": {}}));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let unheard = agent.ask("what/is/this", json!({}));
    assert_eq!(unheard["error"]["code"], -32601, "{unheard}");
    writeln!(agent.stdin.as_mut().expect("its input"), "this is no JSON").expect("it reads");
    agent.value("spalla_emit", json!({"type": "status", "payload": {}}));
    assert_eq!(agent.end(), Some(0));

    // A token of nobody's run speaks in nobody's name, unless it is told in whose.
    let own = fs::read_to_string(home.data().join("token")).expect("the token");
    let mut person = Agent::start(&home, &server.rest.url, own.trim());
    person.begin();
    let nameless = person.error("spalla_get_item", json!({}));
    assert!(nameless.contains("--run ID"), "{nameless}");
}

/// A command line of an agent that starts the tools it is given, tells an event by them, and ends its turn.
const PLAYED: &str = r#"#!/bin/sh
case "$1" in
    --version) echo "2.1.328 (Claude Code)"; exit;;
    --help) echo "--print --verbose --output-format --add-dir --strict-mcp-config --mcp-config --dangerously-skip-permissions"; exit;;
esac
while [ $# -gt 0 ]; do
    if [ "$1" = --mcp-config ]; then file=$2; fi
    shift
done
cat > /dev/null
end='{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s"}'
if [ -z "$file" ]; then echo "$end"; exit; fi
of() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/" "$file"; }
SPALLA_API_URL=$(of SPALLA_API_URL) SPALLA_API_TOKEN=$(of SPALLA_API_TOKEN)
export SPALLA_API_URL SPALLA_API_TOKEN
: > answers
{
    echo '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}'
    echo '{"jsonrpc":"2.0","method":"notifications/initialized"}'
    echo '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"spalla_emit","arguments":{"type":"review","payload":{"text":"from behind the walls"}}}}'
    until grep -q '"id":2' answers; do :; done
} | "$(of command)" mcp >> answers 2> complaints
cat answers complaints >&2
echo "$end"
"#;

/// Makes a folder in which a program plays Claude Code, and returns a PATH that begins with it.
fn played(home: &Home) -> String {
    let bin = home.path("bin");
    fs::create_dir(&bin).expect("a folder");
    let program = bin.join("claude");
    fs::write(&program, PLAYED).expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    format!("{}:{}", text(&bin), std::env::var("PATH").expect("a path"))
}

async fn queued(rest: &Rest) -> i64 {
    let project = rest.project(None).await;
    let item = json!({"project_id": project, "title": "tell", "executor": "agent", "agent": "claude",
        "labels": ["session:orch_1"]});
    let item = rest.item(item).await;
    rest.enqueue(item).await;
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_behind_its_walls_is_given_the_tools_with_its_runs_own_token() {
    for is_embedded in [true, false] {
        let home = Home::new();
        let path = played(&home);
        let env = [("PATH", path.as_str())];
        let args: &[&str] = if is_embedded { &["up"] } else { &["serve"] };
        let server = Server::start(&home, &Setup { database: &Database::Sqlite, args, env: &env });
        let token = fs::read_to_string(home.data().join("token")).expect("the token");
        let env = [("PATH", path.as_str()), ("ORCH_TOKEN", token.trim())];
        let _worker = (!is_embedded).then(|| worker(&home, &server.rest.url, &env));
        queued(&server.rest).await;
        let event = server.rest.event("review").await;
        assert_eq!(event["payload"], json!({"text": "from behind the walls"}));
        assert_eq!((&event["agent"], &event["session_id"]), (&json!("claude"), &json!("orch_1")));
        // What the command line says itself is told as well, by its worker.
        assert_eq!(server.rest.event("status").await["agent"], "claude");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_not_let_in_where_everybody_is() {
    let home = Home::new();
    let path = played(&home);
    let env = [("PATH", path.as_str())];
    for args in [&["up", "--auth", "none"][..], &["serve", "--auth", "none"]] {
        let server = Server::start(&home, &Setup { database: &Database::Sqlite, args, env: &env });
        let _worker = (args[0] == "serve").then(|| worker(&home, &server.rest.url, &env));
        let item = queued(&server.rest).await;
        let ended = until("the run is over", || async {
            server.rest.runs(item).await.into_iter().find(|run| !run["ended_at"].is_null())
        });
        let run = ended.await;
        let policy = run["sandbox"]["policy"].to_string();
        assert!(policy.contains("\"preset\"") && !policy.contains("127.0.0.1"), "{policy}");
    }
}
