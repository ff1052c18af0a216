//! The Model Context Protocol over streamable HTTP: as a client speaks it, and as nobody should.

use crate::answer::Answer;
use crate::tokens::guarded;
use crate::world::{Setup, World};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

const BOTH: &str = "application/json, text/event-stream";

/// A client of the protocol with one token.
struct Client<'a> {
    world: &'a World,
    token: String,
    session: String,
}

fn message(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn initialize() -> Value {
    let client = json!({"name": "test", "version": "1"});
    message("initialize", json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}))
}

fn request(world: &World, token: &str, body: &Value) -> RequestBuilder {
    world.bare("POST", "/mcp").bearer_auth(token).header("accept", BOTH).json(body)
}

/// Reads the one message that an answer has, as JSON or as an event.
async fn said(response: Response) -> Value {
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut messages = lines.filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok());
    messages.next().unwrap_or_else(|| serde_json::from_str(&text).unwrap())
}

impl<'a> Client<'a> {
    async fn begin(world: &'a World, token: &str) -> Self {
        let answer = request(world, token, &initialize()).send().await.unwrap();
        let session = answer.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let begun = said(answer).await;
        assert_eq!(begun["result"]["serverInfo"]["name"], "spalla");
        assert_eq!(begun["result"]["protocolVersion"], "2025-06-18");
        let client = Self { world, token: token.to_owned(), session };
        let notified =
            client.request(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).send().await;
        assert_eq!(notified.unwrap().status(), 202);
        client
    }

    fn request(&self, body: &Value) -> RequestBuilder {
        let request = request(self.world, &self.token, body);
        request.header("mcp-session-id", &self.session).header("mcp-protocol-version", "2025-06-18")
    }

    async fn call(&self, name: &str, arguments: Value) -> Value {
        let body = message("tools/call", json!({"name": name, "arguments": arguments}));
        said(self.request(&body).send().await.unwrap()).await["result"].clone()
    }

    async fn value(&self, name: &str, arguments: Value) -> Value {
        let result = self.call(name, arguments).await;
        assert_ne!(result["isError"], true, "{result}");
        result["structuredContent"].clone()
    }
}

async fn agent(world: &World, name: &str) -> (i64, i64, String) {
    let item = json!({"executor": "agent", "agent": name, "labels": ["session:orch_1"], "project_id": 1, "title": name});
    let (run, fence) = world.claimed_run(item).await;
    let path = format!("/work-items/runs/{run}/token");
    let shown = world.post(&path, json!({"fencing_token": fence})).await.json(200);
    (run, fence, shown["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn two_agents_speak_by_the_tools_each_in_its_own_name() {
    for world in World::on_both_stores_with(guarded).await {
        world.project().await;
        let (run, fence, codex) = agent(&world, "codex").await;
        let (_, _, claude) = agent(&world, "claude").await;
        let (one, two) = (Client::begin(&world, &codex).await, Client::begin(&world, &claude).await);
        assert_eq!(one.value("spalla_get_item", json!({})).await["title"], "codex");
        assert_eq!(two.value("spalla_get_item", json!({})).await["title"], "claude");
        let told = json!({"type": "finding", "payload": {"text": "found"}});
        assert_eq!(one.value("spalla_emit", told).await, json!({"kept": 1}));
        let ask = json!({"to": "claude", "type": "request", "payload": {"text": "why?"}, "priority": "high"});
        let asked = one.value("spalla_send_message", ask).await;
        assert_eq!((&asked["from"], &asked["run_id"]), (&json!("codex"), &json!(run)));
        let inbox = two.value("spalla_read_messages", json!({"wait_seconds": 5})).await;
        assert_eq!(inbox["messages"], json!([asked]));
        let answer = json!({"type": "response", "payload": {"text": "so"}, "in_reply_to": asked["id"]});
        two.value("spalla_send_message", answer).await;
        let taken = two.value("spalla_read_messages", json!({"acknowledge": [asked["id"]]})).await;
        assert_eq!(taken, json!({"messages": []}));
        let inbox = one.value("spalla_read_messages", json!({})).await;
        assert_eq!(inbox["messages"][0]["payload"], json!({"text": "so"}));
        let foreign = one.value("spalla_read_messages", json!({"acknowledge": [asked["id"]]})).await;
        assert_eq!(foreign["not_found"], json!([asked["id"]]), "it was not for this one: {foreign}");
        world.complete(run, fence).await;
        let late = one.request(&message("tools/list", json!({}))).send().await.unwrap();
        assert_eq!(late.status(), 401, "a session outlives no token");
    }
}

#[tokio::test]
async fn a_question_over_http_waits_for_a_person() {
    let world = World::with(guarded()).await;
    world.project().await;
    let (_, _, codex) = agent(&world, "codex").await;
    let client = Client::begin(&world, &codex).await;
    let ask = client.call("spalla_ask", json!({"question": "which one?"}));
    let answer = async {
        loop {
            let open = world.get("/work-items/runs/info-requests?status=pending").await.json(200);
            if !open.as_array().unwrap().is_empty() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let answered = json!({"values": {"ANSWER": "the second"}, "by": "ada"});
        world.post("/work-items/runs/info-requests/1/respond", answered).await.json(200);
    };
    let (asked, ()) = tokio::join!(ask, answer);
    assert_eq!(asked["structuredContent"]["answer"], "the second", "{asked}");
}

#[tokio::test]
async fn somebody_else_s_session_does_not_exist_and_an_ended_one_neither() {
    let world = World::with(guarded()).await;
    world.project().await;
    let (_, _, codex) = agent(&world, "codex").await;
    let (_, _, claude) = agent(&world, "claude").await;
    let client = Client::begin(&world, &codex).await;
    let list = message("tools/list", json!({}));
    let stolen = Client { world: &world, token: claude, session: client.session.clone() };
    let read = async |request: RequestBuilder| Answer::read(request.send().await.unwrap()).await;
    read(stolen.request(&list)).await.problem(404, "not_found");
    let end = |client: &Client<'_>| {
        let request = world.bare("DELETE", "/mcp").bearer_auth(&client.token);
        request.header("mcp-session-id", &client.session).header("mcp-protocol-version", "2025-06-18")
    };
    read(end(&stolen)).await.problem(404, "not_found");
    said(client.request(&list).send().await.unwrap()).await;
    assert_eq!(end(&client).send().await.unwrap().status(), 204);
    read(client.request(&list)).await.problem(404, "not_found");
    let invented = Client { session: "00000000-0000-4000-8000-000000000000".into(), ..client };
    read(invented.request(&list)).await.problem(404, "not_found");
}

#[tokio::test]
async fn hostile_requests_are_refused_and_disturb_nobody() {
    let world = World::with(guarded()).await;
    world.project().await;
    let (_, _, codex) = agent(&world, "codex").await;
    let client = Client::begin(&world, &codex).await;
    let read = async |request: RequestBuilder| Answer::read(request.send().await.unwrap()).await;
    let begin = initialize();
    let bare = || world.bare("POST", "/mcp").header("accept", BOTH);
    read(bare().json(&begin)).await.problem(401, "unauthorized");
    read(request(&world, "wrong", &begin)).await.problem(401, "unauthorized");
    let foreign = request(&world, &codex, &begin).header("origin", "https://evil.example");
    assert_eq!(read(foreign).await.problem(403, "foreign_origin")["status"], 403);
    let rebound = request(&world, &codex, &begin).header("host", "evil.example");
    assert!(rebound.send().await.unwrap().status().is_client_error());
    let one_kind = bare().bearer_auth(&codex).header("accept", "application/json").json(&begin);
    assert!([200, 406].contains(&one_kind.send().await.unwrap().status().as_u16()));
    let no_kind = world.bare("POST", "/mcp").bearer_auth(&codex).header("accept", "text/plain").json(&begin);
    read(no_kind).await.problem(406, "not_acceptable");
    let text = bare().bearer_auth(&codex).header("content-type", "text/plain").body(begin.to_string());
    read(text).await.problem(415, "unsupported_media_type");
    let raw = |body: String| bare().bearer_auth(&codex).header("content-type", "application/json").body(body);
    read(raw("{".into())).await.problem(400, "malformed_json");
    read(raw(format!("{}{}", "[".repeat(65), "]".repeat(65)))).await.problem(422, "invalid");
    let large =
        json!({"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"text": "x".repeat(1024 * 1024)}});
    read(request(&world, &codex, &large)).await.problem(413, "payload_too_large");
    for odd in [json!([]), json!([begin]), json!({}), json!({"jsonrpc": "1.0"}), json!("x"), json!(null)] {
        let status = request(&world, &codex, &odd).send().await.unwrap().status();
        assert!(status.is_client_error(), "{odd}: {status}");
    }
    let list = message("tools/list", json!({}));
    let sessionless = request(&world, &codex, &list).send().await.unwrap().status();
    assert!(sessionless.is_client_error(), "{sessionless}");
    let odd_version = request(&world, &codex, &list).header("mcp-session-id", &client.session);
    let odd_version = odd_version.header("mcp-protocol-version", "1999-01-01").send().await.unwrap();
    assert_eq!(odd_version.status(), 400);
    let unknown =
        said(client.request(&message("tools/call", json!({"name": "rm"}))).send().await.unwrap()).await;
    assert!(unknown["error"]["message"].as_str().unwrap().contains("there is no tool"), "{unknown}");
    let odd = client.call("spalla_send_message", json!({"payload": {}, "from": "claude", "to": "x"})).await;
    assert!(odd["content"][0]["text"].as_str().unwrap().contains("unknown field `from`"), "{odd}");
    let path = client.call("spalla_read_messages", json!({"limit": -1})).await;
    assert_eq!(path["isError"], true);
    assert_eq!(world.bare("GET", "/mcp").bearer_auth(&codex).send().await.unwrap().status(), 405);
    assert_eq!(client.value("spalla_get_item", json!({})).await["title"], "codex");
}

#[tokio::test]
async fn whoever_opens_many_sessions_keeps_the_newest() {
    let world = World::with(Setup { ..guarded() }).await;
    world.project().await;
    let (_, _, codex) = agent(&world, "codex").await;
    let first = Client::begin(&world, &codex).await;
    for _ in 0..32 {
        Client::begin(&world, &codex).await;
    }
    let gone = first.request(&message("tools/list", json!({}))).send().await.unwrap();
    assert_eq!(gone.status(), 404);
}
