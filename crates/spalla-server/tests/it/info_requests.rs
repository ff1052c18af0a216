//! Info requests: asked by the holder of a run, answered by a person, and read by nobody but the run.

use crate::world::{AGENT_SECRET, SECRET_KEY, Setup, World};
use serde_json::{Value, json};
use spalla_domain::fernet::KeyRing;
use spalla_domain::{Fence, InfoRequestId};
use spalla_server::Vault;
use spalla_store::command::Sealed;
use spalla_store::document::{Kept, KeptInfoRequest};
use spalla_store::view::EventFilter;

const SECRET: &str = "hunter2-äöü-very-secret";
const REGION: &str = "eu-central-1";

fn question() -> Value {
    json!({"reason": "the deployment needs an account", "fields": [
        {"name": "PASSWORD", "secret": true, "description": "of the deployer", "example": "correct horse"},
        {"name": "REGION", "schema": {"type": "string", "pattern": "^[a-z]+-"}},
    ]})
}

fn answer() -> Value {
    json!({"values": {"PASSWORD": SECRET, "REGION": REGION}, "by": "ada"})
}

/// Asks in the name of a new run; returns run, token and info request.
async fn asked(world: &World) -> (i64, i64, Value) {
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/info-requests");
    let request = world.request("POST", &path).header("x-fencing-token", token).json(&question());
    (run, token, world.send(request).await.json(201))
}

async fn answered(world: &World) -> (i64, i64, Value) {
    let (run, token, request) = asked(world).await;
    let path = format!("/work-items/runs/info-requests/{}/respond", request["id"]);
    (run, token, world.post(&path, answer()).await.json(200))
}

fn reveal(world: &World, id: i64, token: i64) -> reqwest::RequestBuilder {
    let path = format!("/work-items/runs/info-requests/{id}?reveal=true");
    world.request("GET", &path).header("x-agent-secret", AGENT_SECRET).header("x-fencing-token", token)
}

#[tokio::test]
async fn a_run_waits_for_an_answer_and_goes_on_with_it() {
    for world in World::on_both_stores().await {
        let (run, token, request) = asked(&world).await;
        let fields = json!([
            {"name": "PASSWORD", "secret": true, "description": "of the deployer", "example": "correct horse",
             "schema": null},
            {"name": "REGION", "secret": false, "description": null, "example": null,
             "schema": {"type": "string", "pattern": "^[a-z]+-"}},
        ]);
        let expected = json!({
            "id": 1, "run_id": run, "work_item_id": 1, "reason": "the deployment needs an account",
            "fields": fields, "status": "pending", "requested_at": "2023-11-14T22:13:20.000Z", "closed_at": null,
            "answered_by": null, "values": null,
        });
        assert_eq!(request, expected);
        let run_path = format!("/work-items/runs/{run}");
        assert_eq!(world.get(&run_path).await.json(200)["status"], "awaiting_input");
        for path in
            ["/work-items/runs/info-requests?status=pending".into(), format!("{run_path}/info-requests")]
        {
            assert_eq!(world.get(&path).await.json(200), json!([request]));
        }

        let shown = world.post("/work-items/runs/info-requests/1/respond", answer()).await.json(200);
        assert_eq!((&shown["status"], &shown["answered_by"]), (&json!("answered"), &json!("ada")));
        assert_eq!(shown["values"], json!({"PASSWORD": "[redacted]", "REGION": "[redacted]"}));
        assert_eq!(world.get("/work-items/runs/info-requests/1").await.json(200), shown);
        assert_eq!(world.get(&run_path).await.json(200)["status"], "running");
        assert_eq!(world.get("/work-items/runs/info-requests?status=pending").await.json(200), json!([]));
        assert_eq!(
            world.get("/work-items/runs/info-requests?status=answered").await.json(200),
            json!([shown])
        );
        world
            .post("/work-items/runs/info-requests/1/respond", answer())
            .await
            .problem(409, "info_request_closed");

        let revealed = world.send(reveal(&world, 1, token)).await;
        assert_eq!(revealed.header("cache-control"), "no-store");
        assert_eq!(revealed.json(200)["values"], answer()["values"]);
    }
}

#[tokio::test]
async fn only_the_holder_that_knows_the_secret_reads_the_values() {
    for world in World::on_both_stores().await {
        let (run, token, _) = answered(&world).await;
        let path = "/work-items/runs/info-requests/1?reveal=true";
        let with = |secret: &str| world.request("GET", path).header("x-agent-secret", secret);
        for request in [world.request("GET", path), with(""), with("agent-secre"), with("agent-secrets")] {
            let refused = world.send(request.header("x-fencing-token", token)).await;
            refused.problem(403, "agent_secret_required");
        }
        let twice =
            with(AGENT_SECRET).header("x-agent-secret", AGENT_SECRET).header("x-fencing-token", token);
        assert_eq!(world.send(twice).await.status / 100, 4);
        assert_eq!(world.send(with(AGENT_SECRET)).await.invalid(), ["X-Fencing-Token"]);
        for wrong in [token - 1, token + 1] {
            world.send(reveal(&world, 1, wrong)).await.problem(409, "stale_token");
        }
        world.send(reveal(&world, 1, token)).await.json(200);
        world.clock.advance(300_000);
        world.send(reveal(&world, 1, token)).await.problem(409, "stale_token");
        let next =
            world.post(&format!("/work-items/runs/{run}/claim"), json!({"worker_id": "w2"})).await.json(200);
        let next = next["fencing_token"].as_i64().unwrap();
        world.send(reveal(&world, 1, next)).await.json(200);
        world.complete(run, next).await;
        world.send(reveal(&world, 1, next)).await.problem(409, "stale_token");
        world.send(reveal(&world, 9, next)).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn after_a_rotation_the_new_key_alone_reads_what_older_ones_encrypted() {
    const NEW: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for world in World::on_both_stores().await {
        let (_, token, _) = answered(&world).await;
        let vault = |keys: &str| {
            let keys = KeyRing::parse(keys).unwrap();
            Vault::new(keys, world.store.clone(), world.clock.clone(), world.randomness.clone())
        };
        let stranger = vault(NEW).rotate().await.unwrap();
        assert_eq!((stranger.resealed, stranger.unreadable), (0, vec![Sealed::Answer(InfoRequestId(1))]));
        let both = vault(&format!("{NEW} {SECRET_KEY}"));
        let rotated = both.rotate().await.unwrap();
        assert_eq!((rotated.resealed, rotated.unreadable), (1, vec![]));
        assert_eq!(both.rotate().await.unwrap().resealed, 0);
        let answers = vault(NEW).reveal(InfoRequestId(1), Fence(token)).await.unwrap().unwrap();
        assert_eq!(answers["PASSWORD"].expose_text(), Ok(SECRET));
        assert!(world.vault.reveal(InfoRequestId(1), Fence(token)).await.is_err());
    }
}

#[tokio::test]
async fn a_server_without_a_secret_reveals_nothing_over_http_and_all_in_process() {
    for world in World::on_both_stores_with(|| Setup { agent_secret: None, ..Setup::default() }).await {
        let (_, token, _) = answered(&world).await;
        for secret in ["", AGENT_SECRET] {
            let request = reveal(&world, 1, token).header("x-agent-secret", secret);
            assert_eq!(world.send(request).await.status / 100, 4);
        }
        world.send(reveal(&world, 1, token)).await.problem(403, "agent_secret_required");
        let answers = world.vault.reveal(InfoRequestId(1), Fence(token)).await.unwrap().unwrap();
        assert_eq!(answers["PASSWORD"].expose_text(), Ok(SECRET));
        assert!(!format!("{answers:?} {:?}", world.vault).contains("hunter2"));
        assert!(world.vault.reveal(InfoRequestId(1), Fence(token + 1)).await.is_err());
    }
}

#[tokio::test]
async fn a_question_without_an_answer_reveals_none() {
    let world = World::start().await;
    let (_, token, _) = asked(&world).await;
    assert_eq!(world.send(reveal(&world, 1, token)).await.json(200)["values"], Value::Null);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_refused_by_the_names_of_the_fields_and_never_repeated() {
    let world = World::start().await;
    asked(&world).await;
    let path = "/work-items/runs/info-requests/1/respond";
    let cases = [
        (json!({"values": {"PASSWORD": SECRET}}), vec!["values.REGION"]),
        (json!({"values": {"PASSWORD": SECRET, "REGION": REGION, "MORE": SECRET}}), vec!["values.MORE"]),
        (json!({"values": {"PASSWORD": SECRET, "REGION": "7-hunter2"}}), vec!["values.REGION"]),
        (json!({"values": {"PASSWORD": "", "REGION": REGION}}), vec!["values.PASSWORD"]),
        (json!({"values": {"PASSWORD": SECRET, "REGION": REGION, SECRET: "x"}}), vec!["values"]),
        (json!({"values": {"PASSWORD": 7_777_777, "REGION": REGION}}), vec!["values.PASSWORD"]),
        (json!({"values": {"PASSWORD": [SECRET], "REGION": REGION}}), vec!["values.PASSWORD"]),
        (json!({"values": SECRET}), vec!["values"]),
        (json!({"values": {}, SECRET: 1}), vec![""]),
        (json!({}), vec!["values"]),
        (json!(SECRET), vec![""]),
        (json!([SECRET]), vec![""]),
    ];
    for (body, places) in cases {
        let refused = world.post(path, body.clone()).await;
        assert_eq!(refused.invalid(), places, "{body}");
        assert!(!refused.text.contains("hunter2") && !refused.text.contains("7777777"), "{}", refused.text);
    }
    let large =
        json!({"values": {"PASSWORD": "x".repeat(65_000), "REGION": format!("a-{}", "x".repeat(2_000))}});
    assert_eq!(world.post(path, large).await.invalid(), ["values"]);
    world.post("/work-items/runs/info-requests/9/respond", answer()).await.problem(404, "not_found");
    assert_eq!(world.get("/work-items/runs/info-requests/1").await.json(200)["status"], "pending");
}

#[tokio::test]
async fn only_the_holder_asks_and_only_for_what_can_be_asked() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/info-requests");
    assert_eq!(world.post(&path, question()).await.invalid(), ["X-Fencing-Token"]);
    let ask = |token: i64, body: &Value| {
        let mut body = body.clone();
        body["fencing_token"] = json!(token);
        world.post(&path, body)
    };
    ask(token + 1, &question()).await.problem(409, "stale_token");
    let both = world.request("POST", &path).header("x-fencing-token", token + 1);
    let mut body = question();
    body["fencing_token"] = json!(token);
    assert_eq!(world.send(both.json(&body)).await.invalid(), ["fencing_token"]);
    let field = |field: Value| json!({"reason": "r", "fields": [{"name": "GOOD"}, field]});
    let cases = [
        (json!({"reason": " ", "fields": [{"name": "A"}]}), "reason"),
        (json!({"reason": "r", "fields": []}), "fields"),
        (field(json!({"name": "no name"})), "fields[1]"),
        (field(json!({"name": "GOOD"})), "fields[1]"),
        (field(json!({"name": "A", "schema": {"$ref": "#"}})), "fields[1]"),
        (field(json!({"name": "A", "schema": 7})), "fields[1]"),
        (field(json!({"name": "A", "secret": "yes"})), "fields[1].secret"),
        (field(json!({"secret": true})), "fields[1].name"),
    ];
    for (body, place) in cases {
        assert_eq!(ask(token, &body).await.invalid(), [place], "{body}");
    }
    ask(token, &question()).await.json(201);
    let late = world.post(
        "/work-items/runs/99/info-requests",
        json!({"reason": "r", "fields": [{"name": "A"}], "fencing_token": 1}),
    );
    late.await.problem(404, "not_found");
    world.complete(run, token).await;
    ask(token, &question()).await.problem(409, "run_ended");
    world.get("/work-items/runs/99/info-requests").await.problem(404, "not_found");
    assert_eq!(world.get("/work-items/runs/info-requests/1").await.json(200)["status"], "cancelled");
}

#[tokio::test]
async fn what_was_answered_is_masked_in_log_result_and_error_and_kept_encrypted() {
    for world in World::on_both_stores().await {
        let (run, token, _) = answered(&world).await;
        let logs = format!("/work-items/runs/{run}/logs");
        let send = |kind: &str, body: String| {
            let request =
                world.request("POST", &logs).header("x-fencing-token", token).header("content-type", kind);
            world.send(request.body(body))
        };
        send("text/plain", format!("login {SECRET} in {REGION}\nplain\n")).await.json(200);
        send(
            "application/x-ndjson",
            json!({"text": format!("again {SECRET}"), "stream": "stderr"}).to_string(),
        )
        .await
        .json(200);
        // Only the end of the secret is beyond what is kept of a line.
        send("text/plain", format!("{}{SECRET}", "x".repeat(65_536 - 12))).await.json(200);
        let log = world.get(&logs).await.text;
        assert!(
            log.contains(
                "login [redacted:PASSWORD] in [redacted:REGION]\nplain\nagain [redacted:PASSWORD]\n"
            ),
            "{log}"
        );
        let ask = json!({"reason": format!("{SECRET} is wrong"), "fencing_token": token, "fields": [{"name": "B"}]});
        let asked = world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
        assert_eq!(asked["reason"], "[redacted:PASSWORD] is wrong");
        let hosts =
            json!([{"host": format!("{SECRET}.test"), "port": 443, "reason": format!("no {SECRET}")}]);
        let told = json!({"fencing_token": token, "hosts": hosts});
        assert_eq!(world.post(&format!("/work-items/runs/{run}/refused-hosts"), told).await.status, 204);
        let end = json!({"fencing_token": token, "error": format!("no such {SECRET}"), "result": {"deep": [SECRET, 2.50]}});
        let ended =
            world.post(&format!("/work-items/runs/{run}/complete?success=false"), end).await.json(200);
        assert_eq!(ended["error"]["message"], "no such [redacted:PASSWORD]");
        assert_eq!(ended["result"], json!({"deep": ["[redacted:PASSWORD]", 2.50]}));

        let document = world.store.read().document(KeptInfoRequest::KIND, 1).await.unwrap().unwrap();
        let events = world.store.read().events(EventFilter::default(), 1_000).await.unwrap();
        let events = serde_json::to_string(&events).unwrap();
        for text in [&log, &document.body, &events, &world.get("/metrics").await.text] {
            assert!(!text.contains("hunter2") && !text.contains(REGION), "{text}");
        }
    }
}

#[tokio::test]
async fn an_exchange_masks_what_it_completes_and_a_further_answer_counts_at_once() {
    for world in World::on_both_stores().await {
        let (run, token, _) = answered(&world).await;
        let logs = format!("/work-items/runs/{run}/logs");
        let say = |text: String| {
            let request = world.request("POST", &logs).header("x-fencing-token", token);
            world.send(request.header("content-type", "text/plain").body(text))
        };
        say(format!("{SECRET} other-secret-value")).await.json(200);
        let ask = json!({"reason": "more", "fencing_token": token, "fields": [{"name": "OTHER"}]});
        world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
        let more = json!({"values": {"OTHER": "other-secret-value"}});
        world.post("/work-items/runs/info-requests/2/respond", more).await.json(200);
        say(format!("{SECRET} other-secret-value")).await.json(200);
        let log = world.get(&logs).await.text;
        assert!(
            log.ends_with("[redacted:PASSWORD] other-secret-value\n[redacted:PASSWORD] [redacted:OTHER]\n"),
            "{log}"
        );
        let completed = json!([{"run_id": run, "fencing_token": token, "success": true,
                                "result": {"key": "other-secret-value"}}]);
        world.post("/scheduler/exchange", json!({"worker_id": "w1", "completed": completed})).await.json(200);
        let ended = world.get(&format!("/work-items/runs/{run}")).await.json(200);
        assert_eq!(ended["result"], json!({"key": "[redacted:OTHER]"}));
    }
}

#[tokio::test]
async fn an_answer_that_is_sent_twice_under_one_key_is_once() {
    for world in World::on_both_stores().await {
        asked(&world).await;
        let path = "/work-items/runs/info-requests/1/respond";
        let send =
            |body: Value| world.send(world.request("POST", path).header("idempotency-key", "k").json(&body));
        let first = send(answer()).await.json(200);
        assert_eq!(send(answer()).await.json(200), first);
        let mut other = answer();
        other["values"]["PASSWORD"] = json!("another");
        send(other).await.problem(422, "idempotency_key_reused");
    }
}

#[tokio::test]
async fn what_a_person_decided_masks_nothing() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        let ask = json!({"reason": "which", "fencing_token": token, "fields": [{"name": "decision"}]});
        world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
        let values = json!({"values": {"decision": "again"}});
        world.post("/work-items/runs/info-requests/1/respond", values).await.json(200);
        let logs = format!("/work-items/runs/{run}/logs");
        let line = "src/main.rs speaks against it";
        for _ in 0..2 {
            let request = world.request("POST", &logs).header("x-fencing-token", token);
            world.send(request.header("content-type", "text/plain").body(line)).await.json(200);
        }
        let log = world.get(&logs).await.text;
        assert!(log.ends_with(&format!("{line}\n{line}\n")), "{log}");
    }
}
