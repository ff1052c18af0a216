//! Sessions over HTTP and over the WebSocket. Who keeps them and pursues them is played; the real one is tested with the binary.

use crate::viewer::web_socket;
use crate::world::{Setup, TOKEN, World};
use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use spalla_domain::Timestamp;
use spalla_domain::claim::Usage;
use spalla_domain::review::{Decision, Opinion, Verdict};
use spalla_domain::session::{
    Decomposer, ItemKind, Proposal, Selector, Session, SessionDecision, SessionItem, SessionRun,
    SessionStatus, Vote,
};
use spalla_domain::session_event::{SessionChange, SessionNews};
use spalla_server::{Access, Control, Found, Sessions, Token, Unfollowed, Wanted};
use spalla_store::view::EventFilter;
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Keeps sessions in memory, the newest in front, and what was wished of them.
#[derive(Default)]
struct Kept {
    all: Mutex<Vec<Found>>,
    wishes: Mutex<Vec<(String, Option<String>, Control)>>,
    split_by: Mutex<Vec<Decomposer>>,
    agreed: Mutex<Vec<(String, Option<String>)>>,
}

impl Sessions for Kept {
    fn list(&self) -> Result<Vec<Found>, Unfollowed> {
        Ok(self.all.lock().unwrap().clone())
    }

    fn find(&self, id: Option<&str>) -> Result<Found, Unfollowed> {
        let all = self.all.lock().unwrap();
        let found = all.iter().find(|found| id.is_none_or(|id| found.session.id == id));
        found.cloned().ok_or_else(|| Unfollowed::Unknown(id.unwrap_or_default().into()))
    }

    fn begin(&self, wanted: Wanted) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        let begun = match wanted.goal.as_str() {
            "impossible" => Err(Unfollowed::Invalid("goal: it needs a model".into())),
            _ => {
                let mut begun = found("orch_new", 1);
                let session = Arc::make_mut(&mut begun.session);
                session.goal = wanted.goal;
                session.agents = wanted.agents;
                session.selector = wanted.selector;
                self.split_by.lock().unwrap().push(wanted.decomposer);
                session.by_server = Some(wanted.request);
                self.all.lock().unwrap().insert(0, begun.clone());
                Ok(begun)
            }
        };
        Box::pin(async { begun })
    }

    fn control(
        &self,
        id: String,
        worker: Option<String>,
        control: Control,
    ) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        let found = self.find(Some(&id));
        self.wishes.lock().unwrap().push((id, worker, control));
        Box::pin(async { found })
    }

    fn agree(&self, id: String, plan: Option<String>) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        let agreed = match plan.as_deref() {
            Some(plan) if !plan.contains("items") => Err(Unfollowed::Invalid("plan: it has no items".into())),
            _ => self.find(Some(&id)),
        };
        self.agreed.lock().unwrap().push((id, plan));
        Box::pin(async { agreed })
    }
}

fn run(run_id: i64, result: Value) -> SessionRun {
    SessionRun {
        run_id,
        attempt: 1,
        started_at: Some(Timestamp::from_ms(1)),
        ended_at: Some(Timestamp::from_ms(2)),
        usage: Some(Usage { input_tokens: Some(100), output_tokens: Some(7), cost_usd: None }),
        sandbox: None,
        result: Some(result),
        error: None,
    }
}

fn item(key: &str, kind: ItemKind, agent: &str, status: &str, runs: Vec<SessionRun>) -> SessionItem {
    SessionItem {
        key: key.into(),
        kind,
        title: format!("title of {key}"),
        prompt: "p".into(),
        agent: agent.into(),
        why: None,
        model: None,
        depends_on: if kind == ItemKind::Work { vec![] } else { vec!["1".into()] },
        acceptance: None,
        definition: None,
        timeout_ms: None,
        wishes: Default::default(),
        part: spalla_domain::plan::Part::default(),
        tag: None,
        work_item_id: Some(5),
        status: Some(status.into()),
        runs,
    }
}

fn found(id: &str, project: i64) -> Found {
    let verdict = Verdict { verdict: Opinion::Concern, severity: Some("low".into()), text: "why?".into() };
    let recovered = json!({"agent": "codex", "recoveries": [
        {"agent": "codex", "cause": "quota", "action": "next_agent", "reason": "the limit is reached"}]});
    let under_way = SessionRun { ended_at: None, usage: None, result: None, ..run(9, Value::Null) };
    let session = Session {
        id: id.into(),
        goal: "g".into(),
        target: "/t".into(),
        workspace: "/w".into(),
        tier: 4,
        agents: vec!["codex".into(), "claude".into()],
        selector: Default::default(),
        status: SessionStatus::Running,
        created_at: Timestamp::from_ms(0),
        ended_at: None,
        project_id: Some(project),
        base: None,
        proposal: None,
        items: vec![
            item("1", ItemKind::Work, "codex", "succeeded", vec![run(7, recovered)]),
            item(
                "1.review.claude",
                ItemKind::Review,
                "claude",
                "succeeded",
                vec![run(8, json!({"verdict": verdict}))],
            ),
            item("2", ItemKind::Work, "codex", "running", vec![under_way]),
        ],
        left_out: vec![],
        decisions: vec![SessionDecision {
            key: "1".into(),
            at: Timestamp::from_ms(3),
            decision: Decision::LogWarning,
            rule: "one concern".into(),
            votes: vec![Vote {
                reviewer: "claude".into(),
                weight: 1.25,
                verdict: Some(verdict),
                absent: None,
            }],
            by_rules: false,
        }],
        asked: vec![],
        looks: vec![],
        report: None,
        applied: vec![],
        in_place: false,
        by_server: None,
    };
    Found { session: session.into(), repository: None, is_pursued: true }
}

async fn world(kept: &Arc<Kept>) -> World {
    let access = Access::Token(Token::new(TOKEN));
    World::with(Setup { access, sessions: kept.clone(), ..Setup::default() }).await
}

#[tokio::test]
async fn a_plan_that_waits_is_shown_changed_on_its_page_and_agreed_with() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    world.get("/api/session/plan").await.problem(404, "not_found");
    kept.all.lock().unwrap().push(found("orch_settled", 1));
    world.get("/api/session/plan").await.problem(404, "not_found");
    world.get("/plan").await.problem(404, "not_found");
    assert!(!world.get("/").await.page().contains("/plan?"), "no plan waits");

    let mut waiting = found("orch_waits", 1);
    let session = Arc::make_mut(&mut waiting.session);
    session.goal = "</pre><script>alert(1)</script>".into();
    let plan = json!({"items": [{"key": "1", "prompt": "</textarea><b>"}]});
    session.proposal = Some(Proposal { plan: Some(plan.clone()), pattern: "parallel".into() });
    kept.all.lock().unwrap().insert(0, waiting);
    assert_eq!(world.get("/api/session").await.json(200)["waits_for_plan"], true);
    let shown = world.get("/api/session/plan?session_id=orch_waits").await.json(200);
    assert_eq!((&shown["plan"], &shown["agents"]), (&plan, &json!(["codex", "claude"])));
    assert!(world.get("/").await.page().contains("/plan?session_id=orch_waits"));
    let page = world.get("/plan?session_id=orch_waits").await.page();
    assert!(page.contains("&lt;/textarea&gt;") && page.contains("src=\"/plan.js\""), "{page}");
    assert!(!page.contains("<script>") && !page.contains("<b>"), "foreign words stay words: {page}");
    assert!(world.get("/plan.js").await.page().contains("/api/session/plan"));

    let body = json!({"session_id": "orch_waits", "plan": {"items": []}});
    assert_eq!(world.post("/api/session/plan", body).await.json(200)["id"], "orch_waits");
    world.post("/api/session/plan", json!({})).await.json(200);
    world.post("/api/session/plan", json!({"plan": {}})).await.problem(422, "invalid");
    world.post("/api/session/plan", json!({"plan": "text"})).await.problem(422, "invalid");
    let waits = "orch_waits".to_owned();
    let sent = |plan: Option<&str>| (waits.clone(), plan.map(str::to_owned));
    assert_eq!(*kept.agreed.lock().unwrap(), [sent(Some(r#"{"items":[]}"#)), sent(None), sent(Some("{}"))]);
}

#[tokio::test]
async fn a_session_is_begun_and_shown_with_its_parts() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    assert_eq!(world.get("/api/sessions").await.json(200), json!([]));
    world.get("/api/session").await.problem(404, "not_found");
    for path in ["/api/workers", "/api/reviews", "/api/decisions", "/api/recovery"] {
        assert_eq!(world.get(path).await.json(200), json!([]), "{path}: nothing of nothing is no mistake");
    }
    let wish = json!({"goal": "Write it", "target": "/t", "agents": ["codex", "claude"]});
    let made = world.post("/api/sessions", wish).await.json(201);
    assert_eq!(
        (&made["id"], &made["goal"], &made["project_id"]),
        (&json!("orch_new"), &json!("Write it"), &json!(1))
    );
    let shown = world.get("/api/session").await.json(200);
    assert_eq!(shown, world.get("/api/session?id=orch_new").await.json(200));
    assert_eq!(shown["usage"]["total_tokens"], 214);
    assert_eq!((&shown["pieces"], &shown["pieces_done"]), (&json!(2), &json!(1)));
    let workers = world.get("/api/workers?session_id=latest").await.json(200);
    let states: Vec<_> = workers.as_array().unwrap().iter().map(|worker| worker["status"].clone()).collect();
    assert_eq!(states, ["busy", "idle"]);
    assert_eq!((&workers[0]["key"], &workers[0]["run_id"]), (&json!("2"), &json!(9)));
    let reviews = world.get("/api/reviews").await.json(200);
    assert_eq!((&reviews[0]["reviewer"], &reviews[0]["verdict"]), (&json!("claude"), &json!("concern")));
    let decisions = world.get("/api/decisions").await.json(200);
    assert_eq!(
        (&decisions[0]["decision"], &decisions[0]["rule"]),
        (&json!("LOG_WARNING"), &json!("one concern"))
    );
    let recovery = world.get("/api/recovery").await.json(200);
    assert_eq!((&recovery[0]["cause"], &recovery[0]["action"]), (&json!("quota"), &json!("next_agent")));
    let summary = world.get("/api/summary").await.json(200);
    assert_eq!((&summary["sessions"]["running"], &summary["recoveries"]), (&json!(1), &json!(1)));
    assert_eq!((&summary["reviews"]["concern"], &summary["newest"]["id"]), (&json!(1), &json!("orch_new")));
}

#[tokio::test]
async fn a_wish_that_does_not_fit_names_what_is_wrong() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    for (wish, path) in [
        (json!({"goal": " ", "target": "/t"}), "goal"),
        (json!({"goal": "impossible", "target": "/t"}), "goal"),
        (json!({"goal": "g", "target": "t"}), "target"),
        (json!({"goal": "g", "target": "/t", "agents": vec!["a"; 17]}), "agents"),
        (json!({"goal": "g", "target": "/t", "plan": []}), "plan"),
        (json!({"goal": "g", "target": "/t", "decomposer": "large"}), "decomposer"),
        (json!({"goal": "g", "target": "/t", "selector": "llm"}), "selector"),
        (json!({"goal": "g", "target": "/t", "plan": {}, "decomposer": "tiny"}), "decomposer"),
    ] {
        let problem = world.post("/api/sessions", wish).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["path"], path, "{problem}");
    }
    world.post("/api/control/pause", json!({})).await.problem(404, "not_found");
    kept.all.lock().unwrap().push(found("orch_1", 1));
    world.post("/api/control/explode", json!({})).await.problem(404, "not_found");
    world.post("/api/control/pause", json!({"session_id": "orch_2"})).await.problem(404, "not_found");
    world.post("/api/control/pause", json!({"worker": "gemini"})).await.problem(422, "invalid");
    world.post("/api/control/stop", json!({"overrule": true})).await.problem(422, "invalid");
    assert!(kept.wishes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_wish_says_who_splits_the_goal_and_who_chooses_among_agents() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    world.post("/api/sessions", json!({"goal": "g", "target": "/t"})).await.json(201);
    for (word, wanted) in [
        ("heuristic", Decomposer::Heuristic),
        ("tiny", Decomposer::Tiny),
        ("llm", Decomposer::Llm),
        ("cloud", Decomposer::Cloud),
    ] {
        let wish = json!({"goal": "g", "target": "/t", "decomposer": word, "selector": "tiny"});
        world.post("/api/sessions", wish).await.json(201);
        assert_eq!(kept.split_by.lock().unwrap().last(), Some(&wanted));
        assert_eq!(kept.all.lock().unwrap()[0].session.selector, Selector::Tiny);
    }
    assert_eq!(kept.split_by.lock().unwrap()[0], Decomposer::default());
    assert_eq!(kept.all.lock().unwrap()[4].session.selector, Selector::default());
}

#[tokio::test]
async fn people_control_the_newest_session_or_the_one_that_they_name() {
    let kept = Arc::new(Kept::default());
    kept.all.lock().unwrap().extend([found("orch_2", 1), found("orch_1", 1)]);
    let world = world(&kept).await;
    world.post("/api/control/pause", json!({})).await.json(200);
    world.post("/api/control/resume", json!({"session_id": "orch_1", "overrule": true})).await.json(200);
    world.post("/api/control/review", json!({"worker": "codex"})).await.json(200);
    let wishes = kept.wishes.lock().unwrap().clone();
    assert_eq!(
        wishes,
        [
            ("orch_2".into(), None, Control::Pause),
            ("orch_1".into(), None, Control::Resume { overrule: true }),
            ("orch_2".into(), Some("codex".into()), Control::Review),
        ]
    );
}

#[tokio::test]
async fn whoever_is_bounded_to_a_project_sees_and_controls_its_sessions_alone() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    let (own, foreign) = (world.project().await, world.project().await);
    kept.all.lock().unwrap().extend([found("orch_2", foreign), found("orch_1", own)]);
    let token = json!({"name": "ada", "role": "operator", "project_ids": [own]});
    let token = world.post("/tokens", token).await.json(201)["token"].as_str().unwrap().to_owned();
    let call = async |method: &str, path: &str, body: Value| {
        let request = world.bare(method, path).bearer_auth(&token);
        world.send(if method == "GET" { request } else { request.json(&body) }).await
    };
    let listed = call("GET", "/api/sessions", json!({})).await.json(200);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!("orch_1")));
    assert_eq!(call("GET", "/api/session", json!({})).await.json(200)["id"], "orch_1");
    call("GET", "/api/session?id=orch_2", json!({})).await.problem(404, "not_found");
    call("POST", "/api/control/stop", json!({"session_id": "orch_2"})).await.problem(404, "not_found");
    call("POST", "/api/sessions", json!({"goal": "g", "target": "/etc"})).await.problem(403, "forbidden");
    let overrule = json!({"session_id": "orch_1", "overrule": true});
    call("POST", "/api/control/resume", overrule).await.problem(403, "forbidden");
    call("POST", "/api/control/stop", json!({})).await.json(200);
    assert_eq!(kept.wishes.lock().unwrap().len(), 1);
    let viewer = json!({"name": "bob", "role": "viewer"});
    let viewer = world.post("/tokens", viewer).await.json(201)["token"].as_str().unwrap().to_owned();
    let stop = world.bare("POST", "/api/control/stop").bearer_auth(viewer).json(&json!({}));
    world.send(stop).await.problem(403, "forbidden");
}

#[tokio::test]
async fn what_becomes_of_a_session_is_an_event_of_its_project() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    let project = world.project().await;
    kept.all.lock().unwrap().push(found("orch_1", project));
    let told = json!({"session_id": "orch_1", "change": "paused", "why": "a person\nwants it"});
    world.post("/api/session/changes", told).await.json(200);
    let events = world.store.read().events(EventFilter::default(), 100).await.unwrap();
    let event = events.into_iter().next_back().unwrap();
    let news = SessionNews::new("orch_1", "g", "running", Some("a person wants it"));
    assert_eq!((event.project_id.0, event.fact), (project, news.fact(SessionChange::Paused)));
    for (wish, status) in [
        (json!({"session_id": "orch_2", "change": "paused"}), 404),
        (json!({"session_id": "orch_1", "change": "lost"}), 422),
        (json!({"change": "paused"}), 422),
    ] {
        assert_eq!(world.post("/api/session/changes", wish.clone()).await.status, status, "{wish}");
    }
}

type Socket = WebSocketStream<TcpStream>;

async fn connect(world: &World, query: &str, token: &str) -> Socket {
    let bearer = format!("Bearer {token}");
    let path = format!("/api/ws{query}");
    web_socket(world.address, &path, &[("authorization", &bearer)]).await.expect("a handshake")
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// Waits for the next message of a type.
async fn next(socket: &mut Socket, kind: &str) -> Value {
    loop {
        match socket.next().await.expect("a message").expect("a message") {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["type"] == kind {
                    return message;
                }
            }
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn over_the_web_socket_events_come_and_wishes_go() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    let project = world.project().await;
    kept.all.lock().unwrap().push(found("orch_1", project));
    let mut socket = connect(&world, "", TOKEN).await;
    let other = world.project().await;
    assert_eq!(next(&mut socket, "project.created").await["project_id"], other);
    say(&mut socket, json!({"type": "subscribe", "id": 1, "session_id": "orch_1", "after": 0})).await;
    assert_eq!(next(&mut socket, "reply").await["status"], 200);
    assert_eq!(next(&mut socket, "project.created").await["project_id"], project, "and of no other project");
    say(&mut socket, json!({"type": "control", "id": "a", "action": "pause", "worker": "codex"})).await;
    let reply = next(&mut socket, "reply").await;
    assert_eq!(
        (&reply["id"], &reply["status"], &reply["body"]["id"]),
        (&json!("a"), &json!(200), &json!("orch_1"))
    );
    assert_eq!(kept.wishes.lock().unwrap()[0], ("orch_1".into(), Some("codex".into()), Control::Pause));
    let audit = world.get("/audit").await.json(200).to_string();
    assert!(audit.contains("POST /api/control/{action}"), "a wish is recorded like a request: {audit}");
    say(&mut socket, json!({"type": "control", "id": 3, "action": "../x"})).await;
    assert_eq!(next(&mut socket, "reply").await["status"], 404);
    for bad in ["{", "[]", r#"{"type":"shout"}"#, r#"{"type":"answer","values":{"A":"hush"}}"#] {
        socket.send(Message::text(bad)).await.unwrap();
        let reply = next(&mut socket, "reply").await;
        assert!(reply["status"].as_u64().is_some_and(|status| (400..500).contains(&status)), "{reply}");
        assert!(!reply.to_string().contains("hush"), "{reply}");
    }
    say(&mut socket, json!({"type": "ping", "id": 9})).await;
    assert_eq!(next(&mut socket, "reply").await["id"], 9, "what does not fit ends nothing");
}

#[tokio::test]
async fn an_info_request_is_answered_over_the_web_socket() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    let (run, fence) = world.claimed_run(json!({})).await;
    let ask = json!({"reason": "r", "fencing_token": fence, "fields": [{"name": "A", "secret": false}]});
    let asked = world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
    let mut socket = connect(&world, "?type=none.*", TOKEN).await;
    say(
        &mut socket,
        json!({"type": "answer", "id": 1, "info_request_id": asked["id"], "values": {"B": "x"}}),
    )
    .await;
    assert_eq!(next(&mut socket, "reply").await["status"], 422);
    say(
        &mut socket,
        json!({"type": "answer", "id": 2, "info_request_id": asked["id"], "values": {"A": "x"}}),
    )
    .await;
    let reply = next(&mut socket, "reply").await;
    assert_eq!((&reply["status"], &reply["body"]["status"]), (&json!(200), &json!("answered")), "{reply}");
}

#[tokio::test]
async fn over_the_web_socket_nobody_may_more_than_by_request() {
    let kept = Arc::new(Kept::default());
    let world = world(&kept).await;
    let project = world.project().await;
    kept.all.lock().unwrap().push(found("orch_1", project));
    let viewer = json!({"name": "bob", "role": "viewer"});
    let viewer = world.post("/tokens", viewer).await.json(201)["token"].as_str().unwrap().to_owned();
    let mut socket = connect(&world, "", &viewer).await;
    say(&mut socket, json!({"type": "control", "action": "stop"})).await;
    assert_eq!(next(&mut socket, "reply").await["status"], 403);
    assert!(kept.wishes.lock().unwrap().is_empty());
    assert!(web_socket(world.address, "/api/ws", &[]).await.is_err(), "nobody without a token");
    let foreign = [("authorization", &*format!("Bearer {TOKEN}")), ("origin", "http://evil.example")];
    assert!(web_socket(world.address, "/api/ws", &foreign).await.is_err(), "no foreign page");
}
