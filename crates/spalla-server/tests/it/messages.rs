//! Messages between agents, and between agents and people.

use crate::tokens::{get, guarded, post};
use crate::world::World;
use serde_json::{Value, json};
use spalla_domain::ProjectId;
use spalla_domain::message::{Address, MessageType, NewMessage, PEOPLE, Priority};
use spalla_domain::run_event::PAYLOAD_BYTES_MAX;
use spalla_store::command::Sender;
use spalla_store::{Command, Reply};

/// Claims a run of an agent in a session of the first project, and returns it with its fence and its own token.
async fn agent(world: &World, name: &str, session: &str) -> (i64, i64, String) {
    let item = json!({"executor": "agent", "agent": name, "labels": [format!("session:{session}")], "project_id": 1});
    let (run, fence) = world.claimed_run(item).await;
    let path = format!("/work-items/runs/{run}/token");
    let shown = world.post(&path, json!({"fencing_token": fence})).await.json(200);
    (run, fence, shown["token"].as_str().unwrap().to_owned())
}

fn ids(messages: &Value) -> Vec<i64> {
    messages.as_array().unwrap().iter().map(|message| message["id"].as_i64().unwrap()).collect()
}

fn note(to: &str, priority: &str) -> Value {
    json!({"to": to, "type": "notification", "payload": {"text": priority}, "priority": priority})
}

#[tokio::test]
async fn two_agents_ask_and_answer_and_each_message_comes_until_it_is_acknowledged() {
    for world in World::on_both_stores_with(guarded).await {
        world.project().await;
        let (run, _, codex) = agent(&world, "codex", "orch_1").await;
        let (_, _, claude) = agent(&world, "claude", "orch_1").await;
        let ask = json!({"to": "claude", "type": "request", "payload": {"text": "why?", "own": [1.5]}});
        let asked = post(&world, &codex, "/api/messages", ask).await.json(201);
        let expected = json!({"id": 1, "from": "codex", "to": "claude", "type": "request",
            "payload": {"text": "why?", "own": [1.5]}, "timestamp": "2023-11-14T22:13:20.000Z",
            "priority": "medium", "in_reply_to": null, "status": "pending", "acknowledged_at": null,
            "project_id": 1, "session_id": "orch_1", "run_id": run});
        assert_eq!(asked, expected);
        for _ in 0..2 {
            let inbox = get(&world, &claude, "/api/messages/inbox").await.json(200);
            assert_eq!(inbox, json!([expected]), "it comes again");
        }
        let answer = json!({"type": "response", "payload": {"text": "so"}, "in_reply_to": 1});
        assert_eq!(post(&world, &claude, "/api/messages", answer).await.json(201)["to"], "codex");
        let taken = post(&world, &claude, "/api/messages/1/ack", json!({})).await.json(200);
        assert_eq!((&taken["status"], taken["acknowledged_at"].is_string()), (&json!("acknowledged"), true));
        post(&world, &claude, "/api/messages/1/ack", json!({})).await.json(200);
        assert_eq!(get(&world, &claude, "/api/messages/inbox").await.json(200), json!([]));
        assert_eq!(ids(&get(&world, &codex, "/api/messages/inbox").await.json(200)), [2]);
        let listed = world.get("/api/messages?project_id=1&session_id=orch_1").await.json(200);
        assert_eq!(ids(&listed), [2, 1]);
        for (query, expected) in [
            ("status=pending", vec![2]),
            ("from=codex", vec![1]),
            ("to=codex", vec![2]),
            ("session_id=x", vec![]),
        ] {
            let listed = world.get(&format!("/api/messages?{query}&count=true")).await;
            assert_eq!(ids(&listed.json(200)), expected, "{query}");
            assert_eq!(listed.header("x-total-count"), expected.len().to_string());
        }
    }
}

#[tokio::test]
async fn the_most_urgent_comes_first_and_people_take_part() {
    for world in World::on_both_stores().await {
        world.project().await;
        for priority in ["low", "critical", "medium", "high"] {
            let mut message = note("codex", priority);
            message["project_id"] = json!(1);
            let sent = world.post("/api/messages", message).await.json(201);
            assert_eq!((&sent["from"], &sent["session_id"]), (&json!("people"), &Value::Null));
        }
        let inbox = async |query: &str| world.get(&format!("/api/messages/inbox?{query}")).await;
        assert_eq!(ids(&inbox("project_id=1&agent=codex").await.json(200)), [2, 4, 3, 1]);
        assert_eq!(ids(&inbox("project_id=1&agent=codex&limit=2").await.json(200)), [2, 4]);
        assert_eq!(ids(&inbox("project_id=1").await.json(200)), [0; 0]);
        let mut message = note("people", "low");
        message["project_id"] = json!(1);
        message["from"] = json!("codex");
        world.post("/api/messages", message).await.json(201);
        assert_eq!(ids(&inbox("project_id=1").await.json(200)), [5]);
        inbox("project_id=9").await.problem(404, "not_found");
        assert_eq!(inbox("agent=codex").await.invalid(), ["project_id"]);
    }
}

#[tokio::test]
async fn an_agent_speaks_and_reads_as_itself_alone_within_its_session_and_project() {
    for world in World::on_both_stores_with(guarded).await {
        world.project().await;
        let foreign = world.project().await;
        let (run, fence, codex) = agent(&world, "codex", "orch_1").await;
        let (_, _, other) = agent(&world, "claude", "orch_2").await;
        for (member, value) in
            [("from", json!("claude")), ("session_id", json!("orch_2")), ("project_id", json!(foreign))]
        {
            let mut message = note("claude", "low");
            message[member] = value;
            post(&world, &codex, "/api/messages", message).await.problem(403, "forbidden");
        }
        let mut own = note("claude", "low");
        own["from"] = json!("codex");
        own["project_id"] = json!(1);
        let id = post(&world, &codex, "/api/messages", own).await.json(201)["id"].clone();
        assert_eq!(get(&world, &other, "/api/messages/inbox").await.json(200), json!([]), "another session");
        assert_eq!(get(&world, &other, "/api/messages").await.json(200), json!([]));
        get(&world, &other, &format!("/api/messages/{id}")).await.problem(404, "not_found");
        post(&world, &other, &format!("/api/messages/{id}/ack"), json!({})).await.problem(404, "not_found");
        let reply = json!({"type": "response", "payload": {}, "in_reply_to": id});
        post(&world, &other, "/api/messages", reply).await.problem(404, "not_found");
        get(&world, &codex, "/api/messages/inbox?agent=claude").await.problem(403, "forbidden");
        get(&world, &codex, &format!("/api/messages/{id}")).await.json(200);
        world.complete(run, fence).await;
        get(&world, &codex, "/api/messages/inbox").await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn who_may_see_a_project_alone_sees_its_messages_alone_and_a_viewer_sends_none() {
    for world in World::on_both_stores_with(guarded).await {
        let (one, two) = (world.project().await, world.project().await);
        for project in [one, two] {
            let mut message = note("codex", "low");
            message["project_id"] = json!(project);
            world.post("/api/messages", message).await.json(201);
        }
        let token = async |role: &str| {
            let new = json!({"name": role, "role": role, "project_ids": [one]});
            world.post("/tokens", new).await.json(201)["token"].as_str().unwrap().to_owned()
        };
        let (viewer, operator) = (token("viewer").await, token("operator").await);
        assert_eq!(ids(&get(&world, &viewer, "/api/messages").await.json(200)), [1]);
        get(&world, &viewer, "/api/messages/2").await.problem(404, "not_found");
        get(&world, &viewer, &format!("/api/messages/inbox?project_id={two}"))
            .await
            .problem(404, "not_found");
        let mut message = note("codex", "low");
        message["project_id"] = json!(one);
        post(&world, &viewer, "/api/messages", message.clone()).await.problem(403, "forbidden");
        post(&world, &viewer, "/api/messages/1/ack", json!({})).await.problem(403, "forbidden");
        post(&world, &operator, "/api/messages", message.clone()).await.json(201);
        message["project_id"] = json!(two);
        post(&world, &operator, "/api/messages", message.clone()).await.problem(404, "not_found");
        let reply = json!({"type": "notification", "payload": {}, "in_reply_to": 2, "from": "codex"});
        post(&world, &operator, "/api/messages", reply).await.problem(404, "not_found");
        post(&world, &operator, "/api/messages/2/ack", json!({})).await.problem(404, "not_found");
        let audit = world.get("/audit?operation=POST%20%2Fapi%2Fmessages").await.json(200);
        let outcomes: Vec<_> =
            audit.as_array().unwrap().iter().map(|entry| entry["outcome"].clone()).collect();
        let expected = ["refused", "refused", "done", "refused", "done", "done"];
        assert_eq!(outcomes, expected, "each is recorded, and each refusal");
    }
}

#[tokio::test]
async fn a_long_list_is_looked_through_piece_by_piece_and_another_project_s_is_not_looked_at() {
    let world = World::with(guarded()).await;
    let (one, two) = (world.project().await, world.project().await);
    let send = async |project: i64, from: String| {
        let address = Address { session_id: None, agent: from };
        let sender = Sender::Named { project_id: Some(ProjectId(project)), address };
        let message = NewMessage {
            to: Some(PEOPLE.into()),
            kind: MessageType::Notification,
            payload: serde_json::Map::new(),
            priority: Priority::Low,
            in_reply_to: None,
        };
        let sent = world.engine.execute(Command::SendMessage { sender, message: Box::new(message) }).await;
        let Ok(Reply::Message(id)) = sent else { panic!("{sent:?}") };
        world.engine.execute(Command::AcknowledgeMessage { id, reader: None }).await.unwrap();
    };
    send(two, "rare".into()).await;
    send(one, "rare".into()).await;
    for n in 0..2_000 {
        send(two, format!("agent-{n}")).await;
    }
    let page = world.get("/api/messages?from=rare").await;
    assert_eq!(ids(&page.json(200)), [0; 0], "so many were looked at");
    let next = page.header("link").split(", <").nth(1).unwrap().split('>').next().unwrap().to_owned();
    let next = world.get(&next).await;
    assert_eq!(ids(&next.json(200)), [2, 1]);
    assert!(!next.header("link").contains("next"));
    let new = json!({"name": "v", "role": "viewer", "project_ids": [one]});
    let viewer = world.post("/tokens", new).await.json(201)["token"].as_str().unwrap().to_owned();
    assert_eq!(ids(&get(&world, &viewer, "/api/messages").await.json(200)), [2], "at once");
    let foreign = get(&world, &viewer, &format!("/api/messages?project_id={two}")).await;
    assert_eq!(ids(&foreign.json(200)), [0; 0]);
    assert!(!foreign.header("link").contains("next"), "none of it was looked at");
    let (_, _, codex) = agent(&world, "codex", "orch_1").await;
    let own = get(&world, &codex, "/api/messages").await;
    assert_eq!(ids(&own.json(200)), [0; 0]);
    assert!(!own.header("link").contains("next"), "nothing but its project was looked at");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_at_its_place() {
    let world = World::start().await;
    world.project().await;
    let deep = (0..32).fold(json!(1), |inner, _| json!([inner]));
    for (member, value) in [
        ("to", json!("")),
        ("to", json!("a\nb")),
        ("to", json!("people")),
        ("type", json!("shout")),
        ("payload", json!("text")),
        ("payload", json!({"text": "x".repeat(PAYLOAD_BYTES_MAX)})),
        ("payload", json!({"deep": deep})),
        ("priority", json!("urgent")),
        ("session_id", json!("../x")),
        ("in_reply_to", json!(0)),
        ("surprise", json!(1)),
    ] {
        let mut message = note("codex", "low");
        message["project_id"] = json!(1);
        message[member] = value;
        assert_eq!(world.post("/api/messages", message.clone()).await.invalid(), [member], "{message:.200}");
    }
    assert_eq!(world.post("/api/messages", note("codex", "low")).await.invalid(), ["project_id"]);
    let mut unknown = note("codex", "low");
    unknown["project_id"] = json!(9);
    world.post("/api/messages", unknown).await.problem(404, "not_found");
    let response = json!({"to": "codex", "type": "response", "payload": {}, "project_id": 1});
    assert_eq!(world.post("/api/messages", response).await.invalid(), ["in_reply_to"]);
    assert_eq!(world.get("/api/messages").await.json(200), json!([]));
}

#[tokio::test]
async fn what_people_answered_to_a_run_is_masked_in_what_its_agent_says() {
    let world = World::with(guarded()).await;
    world.project().await;
    let (run, fence, codex) = agent(&world, "codex", "orch_1").await;
    let ask = json!({"reason": "which key", "fencing_token": fence, "fields": [{"name": "DEPLOYMENT_KEY", "secret": true}]});
    world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
    let answer = json!({"values": {"DEPLOYMENT_KEY": "hunter2-hunter2"}});
    world.post("/work-items/runs/info-requests/1/respond", answer).await.json(200);
    let message = json!({"to": "claude", "type": "notification",
        "payload": {"text": "it is hunter2-hunter2", "all": ["hunter2-hunter2"]}});
    let sent = post(&world, &codex, "/api/messages", message).await.json(201);
    assert!(!sent.to_string().contains("hunter2"), "{sent}");
}
