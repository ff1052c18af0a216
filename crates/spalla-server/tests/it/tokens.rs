//! Tokens: who is let in as what, for how long, and what each may do.

use crate::answer::Answer;
use crate::world::{AGENT_SECRET, Setup, TOKEN, World};
use serde_json::{Value, json};
use spalla_server::{Access, Token};

pub(crate) fn guarded() -> Setup {
    Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() }
}

/// Makes a token and returns what is shown, with its id.
async fn made(world: &World, body: Value) -> (String, i64) {
    let made = world.post("/tokens", body).await.json(201);
    (made["token"].as_str().unwrap().to_owned(), made["id"].as_i64().unwrap())
}

pub(crate) async fn call(
    world: &World,
    token: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let request = world.bare(method, path).bearer_auth(token);
    world.send(body.map_or(request.try_clone().unwrap(), |body| request.json(&body))).await
}

pub(crate) async fn get(world: &World, token: &str, path: &str) -> Answer {
    call(world, token, "GET", path, None).await
}

pub(crate) async fn post(world: &World, token: &str, path: &str, body: Value) -> Answer {
    call(world, token, "POST", path, Some(body)).await
}

#[tokio::test]
async fn a_token_is_shown_once_and_opens_until_it_is_revoked_or_its_time_is_over() {
    for world in World::on_both_stores_with(guarded).await {
        let wish = json!({"name": "ada", "role": "viewer", "expires_in_seconds": 60});
        let answer = world.post("/tokens", wish).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let shown = answer.json(201);
        let token = shown["token"].as_str().unwrap();
        assert_eq!((&shown["principal"], &shown["status"]), (&json!("user:ada#1"), &json!("active")));
        assert!(token.starts_with("spl_1_") && token.len() == 70, "{token}");
        let list = world.get("/tokens").await;
        assert!(!list.text.contains(&token[6..]), "{}", list.text);
        get(&world, token, "/projects/").await.json(200);
        let me = get(&world, token, "/whoami").await.json(200);
        assert_eq!((&me["kind"], &me["token"]["role"]), (&json!("user"), &json!("viewer")));
        world.clock.advance(60_000);
        get(&world, token, "/projects/").await.problem(401, "unauthorized");
        assert_eq!(world.get("/tokens/1").await.json(200)["status"], "expired");

        let (token, id) = made(&world, json!({"name": "bob", "role": "viewer"})).await;
        get(&world, &token, "/projects/").await.json(200);
        assert_eq!(world.delete(&format!("/tokens/{id}")).await.status, 204);
        get(&world, &token, "/projects/").await.problem(401, "unauthorized");
        assert_eq!(world.get(&format!("/tokens/{id}")).await.json(200)["status"], "revoked");
        world.delete("/tokens/99").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn what_is_almost_a_token_opens_nothing() {
    let world = World::with(guarded()).await;
    let (token, _) = made(&world, json!({"name": "ada", "role": "admin"})).await;
    let (head, secret) = token.split_at(6);
    let flipped = if secret.ends_with('0') { "1" } else { "0" };
    let wrong = [
        format!("{head}{}{flipped}", &secret[..63]),
        format!("spl_2_{secret}"),
        format!("spl_01_{secret}"),
        format!("{token}0"),
        token[1..].to_owned(),
        token.to_uppercase(),
        format!("spr_1_1_{secret}"),
        "spl_1_".to_owned(),
    ];
    for wrong in wrong {
        get(&world, &wrong, "/projects/").await.problem(401, "unauthorized");
    }
    let twice = world.bare("GET", "/projects/").bearer_auth(&token).header("authorization", "Bearer x");
    world.send(twice).await.problem(401, "unauthorized");
    get(&world, &token, "/projects/").await.json(200);
}

#[tokio::test]
async fn a_repeated_request_shows_no_token_and_makes_no_second_one() {
    let world = World::with(guarded()).await;
    let make = || {
        let request = world.request("POST", "/tokens").header("idempotency-key", "k");
        world.send(request.json(&json!({"name": "ada", "role": "viewer"})))
    };
    assert!(make().await.json(201)["token"].is_string());
    assert_eq!(make().await.json(201)["token"], Value::Null);
    assert_eq!(world.get("/tokens").await.json(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_fits_no_token_is_refused_by_the_name_of_the_member() {
    let world = World::with(guarded()).await;
    for (body, member) in [
        (json!({"name": "a b", "role": "viewer"}), "name"),
        (json!({"name": "a"}), "role"),
        (json!({"name": "a", "role": "owner"}), "role"),
        (json!({"name": "a", "role": "worker"}), "role"),
        (json!({"name": "a", "kind": "worker", "role": "admin"}), "role"),
        (json!({"name": "a", "role": "viewer", "expires_in_seconds": 0}), "expires_in_seconds"),
        (json!({"name": "a", "role": "viewer", "project_ids": []}), "project_ids"),
        (json!({"name": "a", "policies": [{"resource": "runs", "actions": ["read"]}]}), "resource"),
        (json!({"name": "a", "policies": [{"resource": "run", "actions": ["claim"]}]}), "policies"),
    ] {
        let wrong = world.post("/tokens", body.clone()).await.invalid();
        assert!(wrong.iter().any(|path| path.contains(member)), "{body}: {wrong:?}");
    }
    world
        .post("/tokens", json!({"name": "a", "role": "viewer", "project_ids": [9]}))
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn each_role_may_do_its_part_and_no_more() {
    for world in World::on_both_stores_with(guarded).await {
        let item = world.item(json!({})).await;
        let approvals = format!("/work-items/{item}/approvals");
        world.post(&approvals, json!({})).await.json(201);
        let (viewer, _) = made(&world, json!({"name": "v", "role": "viewer"})).await;
        let (operator, _) = made(&world, json!({"name": "o", "role": "operator"})).await;
        let (approver, _) = made(&world, json!({"name": "a", "role": "approver"})).await;
        let (admin, _) = made(&world, json!({"name": "r", "role": "admin"})).await;
        for token in [&viewer, &operator, &approver, &admin] {
            get(&world, token, &format!("/work-items/{item}")).await.json(200);
            get(&world, token, "/openapi.json").await.json(200);
        }
        let refused = async |token: &str, path: &str| {
            post(&world, token, path, json!({})).await.problem(403, "forbidden");
        };
        let approve = "/work-items/approvals/1/approve";
        for token in [&viewer, &operator] {
            refused(token, approve).await;
        }
        for token in [&viewer, &approver] {
            refused(token, &format!("/work-items/{item}/start")).await;
            refused(token, "/scheduler/tick").await;
            post(&world, token, "/scheduler/enqueue", json!({"work_item_id": item}))
                .await
                .problem(403, "forbidden");
        }
        for token in [&viewer, &operator, &approver] {
            for path in ["/audit", "/audit/export", "/tokens", "/webhooks"] {
                get(&world, token, path).await.problem(403, "forbidden");
            }
            post(&world, token, "/tokens", json!({"name": "x", "role": "admin"}))
                .await
                .problem(403, "forbidden");
            post(&world, token, "/projects/1/quota", json!({})).await.problem(403, "forbidden");
            post(&world, token, "/scheduler/claim", json!({"worker_id": "w"}))
                .await
                .problem(403, "forbidden");
        }
        // Nobody says yes in somebody else's name.
        let decided = post(&world, &approver, approve, json!({"by": "mallory"})).await.json(200);
        assert_eq!((&decided["status"], &decided["decided_by"]), (&json!("approved"), &json!("user:a#3")));
        post(&world, &operator, "/scheduler/enqueue", json!({"work_item_id": item})).await.json(201);
        post(&world, &admin, "/tokens", json!({"name": "x", "role": "viewer"})).await.json(201);
        let audited = get(&world, &admin, "/audit?principal=user:o%232&outcome=refused").await.json(200);
        let refused = audited.as_array().unwrap();
        assert!(refused.iter().any(|entry| entry["resource"] == approve && entry["code"] == "forbidden"));
    }
}

#[tokio::test]
async fn an_approval_that_asks_for_a_role_hears_only_who_has_it() {
    let world = World::with(guarded()).await;
    let item = world.item(json!({})).await;
    world.post(&format!("/work-items/{item}/approvals"), json!({"role": "lead"})).await.json(201);
    let (plain, _) = made(&world, json!({"name": "a", "role": "approver"})).await;
    let (lead, _) = made(&world, json!({"name": "b", "role": "approver", "approval_roles": ["lead"]})).await;
    let approve = "/work-items/approvals/1/approve";
    post(&world, &plain, approve, json!({})).await.problem(409, "role_required");
    assert_eq!(post(&world, &lead, approve, json!({})).await.json(200)["status"], "approved");
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let world = World::with(guarded()).await;
    let project = world.project().await;
    let of_project = json!({"name": "a", "role": "admin", "project_ids": [project]});
    let (token, _) = made(&world, of_project).await;
    let maker = json!({"name": "b", "policies": [{"resource": "token", "actions": ["create", "read"]}]});
    let (maker, _) = made(&world, maker).await;
    for token in [&token, &maker] {
        post(&world, token, "/tokens", json!({"name": "x", "role": "admin"})).await.problem(403, "forbidden");
    }
    get(&world, &maker, "/tokens").await.json(200);
    get(&world, &token, "/tokens").await.problem(403, "forbidden");
    post(&world, &token, "/projects/", json!({"name": "x"})).await.problem(403, "forbidden");
    get(&world, &token, &format!("/projects/{project}")).await.json(200);
}

#[tokio::test]
async fn policies_allow_what_they_name_where_they_name_it() {
    let world = World::with(guarded()).await;
    let (one, two) = (world.item(json!({})).await, world.item(json!({})).await);
    let policy =
        json!({"resource": "work_item", "actions": ["read"], "conditions": {"work_item_ids": [one]}});
    let (token, _) = made(&world, json!({"name": "a", "policies": [policy]})).await;
    get(&world, &token, &format!("/work-items/{one}")).await.json(200);
    get(&world, &token, &format!("/work-items/{two}")).await.problem(404, "not_found");
    get(&world, &token, "/work-items/").await.problem(403, "forbidden");
    get(&world, &token, "/projects/").await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_worker_takes_runs_and_sees_those_alone_that_it_holds() {
    for world in World::on_both_stores_with(guarded).await {
        let other = world.claimed_run(json!({})).await;
        world.queued(json!({"title": "mine"})).await;
        let (token, _) = made(&world, json!({"name": "build", "kind": "worker"})).await;
        let claim = json!({"worker_id": "w1", "max": 5});
        let claimed = post(&world, &token, "/scheduler/claim", claim).await.json(200);
        let (run, fence) = (&claimed["runs"][0]["run_id"], &claimed["runs"][0]["fencing_token"]);
        let path = format!("/work-items/runs/{run}");
        assert_eq!(get(&world, &token, &path).await.json(200)["worker_id"], "build.1/w1");
        let heartbeat = json!({"worker_id": "w1", "fencing_token": fence});
        post(&world, &token, &format!("{path}/heartbeat"), heartbeat).await.json(200);
        let log = world.bare("POST", &format!("{path}/logs")).bearer_auth(&token);
        let log = log.header("x-fencing-token", fence.as_i64().unwrap()).header("content-type", "text/plain");
        world.send(log.body("a\n")).await.json(200);
        assert!(get(&world, &token, &format!("{path}/logs")).await.text.ends_with("a\n"));

        // What another worker holds does not exist for this one, also when it guesses the number of the lease.
        let (run, fence) = other;
        let foreign = format!("/work-items/runs/{run}");
        for path in ["", "/logs", "/artifacts", "/info-requests"] {
            get(&world, &token, &format!("{foreign}{path}")).await.problem(404, "not_found");
        }
        let end = json!({"fencing_token": fence});
        post(&world, &token, &format!("{foreign}/complete?success=true"), end.clone())
            .await
            .problem(404, "not_found");
        post(&world, &token, &format!("{foreign}/release"), end).await.problem(404, "not_found");
        let spoofed = json!({"worker_id": "w1", "fencing_token": fence});
        post(&world, &token, &format!("{foreign}/heartbeat"), spoofed).await.problem(404, "not_found");
        let exchange = json!({"worker_id": "w1", "max": 0,
            "completed": [{"run_id": run, "fencing_token": fence, "success": true}]});
        let answer = post(&world, &token, "/scheduler/exchange", exchange).await.json(200);
        assert_eq!(answer["refused"][0]["reason"], "not_found");
        assert_eq!(world.get(&foreign).await.json(200)["status"], "running");

        for (method, path) in [
            ("GET", "/projects/"),
            ("GET", "/work-items/"),
            ("GET", "/work-items/runs"),
            ("GET", "/scheduler/queue"),
            ("GET", "/events"),
            ("POST", "/work-items/approvals/1/approve"),
            ("POST", "/tokens"),
            ("POST", "/scheduler/enqueue"),
        ] {
            let answer = call(&world, &token, method, path, Some(json!({}))).await;
            answer.problem(403, "forbidden");
        }
        post(&world, &token, "/scheduler/tick", json!({})).await.json(200);
    }
}

#[tokio::test]
async fn a_worker_of_a_project_takes_nothing_of_others_also_when_it_waits() {
    let world = World::with(guarded()).await;
    let (own, foreign) = (world.project().await, world.project().await);
    let (token, _) = made(&world, json!({"name": "b", "kind": "worker", "project_ids": [own]})).await;
    let claim = post(&world, &token, "/scheduler/claim", json!({"worker_id": "w", "wait_seconds": 20}));
    let make = async {
        for project in [foreign, own] {
            let item = json!({"project_id": project, "title": "x"});
            let id = world.post("/work-items/", item).await.json(201)["id"].as_i64().unwrap();
            world.enqueue(id).await;
        }
    };
    let (claimed, ()) = tokio::join!(claim, make);
    let runs = claimed.json(200)["runs"].clone();
    assert_eq!((runs.as_array().unwrap().len(), &runs[0]["project_id"]), (1, &json!(own)));
    let nothing = post(&world, &token, "/scheduler/claim", json!({"worker_id": "w"})).await.json(200);
    assert_eq!(nothing["runs"], json!([]));
}

/// Claims a run and returns it with the token of its agent.
pub(crate) async fn agent(world: &World) -> (i64, i64, String) {
    let (run, fence) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/token");
    let shown = world.post(&path, json!({"fencing_token": fence})).await.json(200);
    (run, fence, shown["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_agent_of_a_run_reports_asks_and_reads_its_own() {
    for world in World::on_both_stores_with(guarded).await {
        let (run, fence, token) = agent(&world).await;
        let shown = world.get(&format!("/work-items/runs/{run}")).await.json(200);
        let path = format!("/work-items/runs/{run}");
        let me = get(&world, &token, "/whoami").await.json(200);
        assert_eq!((&me["kind"], &me["principal"]), (&json!("run"), &json!(format!("run:{run}#{fence}"))));
        for path in [
            path.clone(),
            format!("/work-items/{}", shown["work_item_id"]),
            format!("/projects/{}", shown["project_id"]),
            format!("{path}/artifacts"),
            format!("{path}/info-requests"),
        ] {
            get(&world, &token, &path).await.json(200);
        }
        // Its token stands for the lease, so that it need not know its number.
        let log = world
            .bare("POST", &format!("{path}/logs"))
            .bearer_auth(&token)
            .header("content-type", "text/plain");
        world.send(log.body("said\n")).await.json(200);
        let put = world.bare("PUT", &format!("{path}/artifacts/a.txt")).bearer_auth(&token);
        world.send(put.body("x")).await.json(201);
        let ask = json!({"reason": "which key", "fields": [{"name": "KEY", "secret": true}]});
        let asked = post(&world, &token, &format!("{path}/info-requests"), ask).await.json(201);
        let asked = format!("/work-items/runs/info-requests/{}", asked["id"]);
        world.post(&format!("{asked}/respond"), json!({"values": {"KEY": "hunter2"}})).await.json(200);
        let revealed = get(&world, &token, &format!("{asked}?reveal=true")).await.json(200);
        assert_eq!(revealed["values"]["KEY"], "hunter2");
        let read =
            world.get(&format!("/audit?principal=run:{run}%23{fence}&resource={asked}")).await.json(200);
        assert_eq!(read[0]["operation"], "GET /work-items/runs/info-requests/{id}");

        // What the worker asked for is the worker's.
        let ask =
            json!({"reason": "for me", "fencing_token": fence, "fields": [{"name": "KEY", "secret": true}]});
        let asked = world.post(&format!("{path}/info-requests"), ask).await.json(201);
        let asked = format!("/work-items/runs/info-requests/{}", asked["id"]);
        get(&world, &token, &format!("{asked}?reveal=true")).await.problem(403, "forbidden");
        world.post(&format!("{asked}/respond"), json!({"values": {"KEY": "hunter3"}})).await.json(200);
        get(&world, &token, &format!("{asked}?reveal=true")).await.problem(403, "forbidden");
        assert!(!get(&world, &token, &asked).await.text.contains("hunter3"));
    }
}

#[tokio::test]
async fn workers_whose_tokens_have_one_name_are_strangers() {
    let world = World::with(guarded()).await;
    world.queued(json!({})).await;
    let wish = json!({"name": "build", "kind": "worker"});
    let ((first, _), (second, _)) = (made(&world, wish.clone()).await, made(&world, wish).await);
    let claim = json!({"worker_id": "w1"});
    let claimed = post(&world, &first, "/scheduler/claim", claim).await.json(200)["runs"][0].clone();
    let path = format!("/work-items/runs/{}", claimed["run_id"]);
    get(&world, &first, &path).await.json(200);
    get(&world, &second, &path).await.problem(404, "not_found");
    let end = json!({"fencing_token": claimed["fencing_token"]});
    post(&world, &second, &format!("{path}/complete?success=true"), end).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_worker_says_nothing_of_a_run_without_the_token_of_its_lease() {
    let world = World::with(guarded()).await;
    world.queued(json!({})).await;
    let (token, _) = made(&world, json!({"name": "build", "kind": "worker"})).await;
    let claimed = post(&world, &token, "/scheduler/claim", json!({"worker_id": "w1"})).await.json(200);
    let path = format!("/work-items/runs/{}", claimed["runs"][0]["run_id"]);
    let end = json!({"fencing_token": claimed["runs"][0]["fencing_token"]});
    post(&world, &token, &format!("{path}/complete?success=true"), end).await.json(200);
    let put = world.bare("PUT", &format!("{path}/artifacts/a.txt")).bearer_auth(&token).body("another");
    world.send(put).await.problem(409, "stale_token");
}

#[tokio::test]
async fn nobody_but_a_worker_is_given_the_right_to_claim_by_a_policy() {
    let world = World::with(guarded()).await;
    for (resource, action) in [("run", "claim"), ("run", "*"), ("*", "*"), ("*", "claim")] {
        let policy = json!({"resource": resource, "actions": [action]});
        let wish = json!({"name": "eve", "policies": [policy]});
        world.post("/tokens", wish).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn the_agent_of_a_run_approves_nothing_ends_nothing_and_sees_nothing_of_others() {
    for world in World::on_both_stores_with(guarded).await {
        let (run, fence, token) = agent(&world).await;
        let (other, other_fence, _) = agent(&world).await;
        let item =
            world.get(&format!("/work-items/runs/{run}")).await.json(200)["work_item_id"].as_i64().unwrap();
        world.post(&format!("/work-items/{item}/approvals"), json!({})).await.json(201);
        let ask = json!({"reason": "which key", "fencing_token": other_fence, "fields": [{"name": "KEY", "secret": true}]});
        world.post(&format!("/work-items/runs/{other}/info-requests"), ask).await.json(201);
        let own = format!("/work-items/runs/{run}");
        for (path, body) in [
            ("/work-items/approvals/1/approve".to_owned(), json!({})),
            ("/work-items/approvals/1/reject".to_owned(), json!({})),
            (format!("{own}/complete?success=true"), json!({"fencing_token": fence})),
            (format!("{own}/cancel"), json!({})),
            (format!("{own}/pause"), json!({})),
            (format!("{own}/claim"), json!({"worker_id": "w"})),
            (format!("{own}/heartbeat"), json!({"worker_id": "w1", "fencing_token": fence})),
            (format!("{own}/release"), json!({"fencing_token": fence})),
            (format!("{own}/token"), json!({"fencing_token": fence})),
            ("/work-items/runs/info-requests/1/respond".to_owned(), json!({"values": {"KEY": "x"}})),
            (format!("/work-items/{item}/approvals"), json!({})),
            (format!("/work-items/{item}/policy"), json!({"max_retries": 9})),
            (format!("/work-items/{item}/start"), json!({})),
            ("/work-items/bulk".to_owned(), json!([{"project_id": 1, "title": "x"}])),
            ("/scheduler/enqueue".to_owned(), json!({"work_item_id": item})),
            ("/scheduler/tick".to_owned(), json!({})),
            ("/tokens".to_owned(), json!({"name": "x", "role": "admin"})),
            ("/webhooks".to_owned(), json!({"url": "http://a/", "events": ["*"]})),
            ("/projects/1/quota".to_owned(), json!({})),
        ] {
            post(&world, &token, &path, body).await.problem(403, "forbidden");
        }
        for path in ["/audit", "/tokens", "/events", "/work-items/runs", "/scheduler/queue", "/metrics"] {
            get(&world, &token, path).await.problem(403, "forbidden");
        }
        let foreign = format!("/work-items/runs/{other}");
        for path in ["", "/logs", "/logs/sse", "/artifacts", "/artifacts/a", "/info-requests"] {
            get(&world, &token, &format!("{foreign}{path}")).await.problem(404, "not_found");
        }
        let log = world.bare("POST", &format!("{foreign}/logs")).bearer_auth(&token);
        let log = log.header("x-fencing-token", other_fence).header("content-type", "text/plain");
        world.send(log.body("forged\n")).await.problem(404, "not_found");
        let put = world.bare("PUT", &format!("{foreign}/artifacts/a")).bearer_auth(&token);
        world.send(put.header("x-fencing-token", other_fence).body("x")).await.problem(404, "not_found");
        let secret = world.bare("GET", "/work-items/runs/info-requests/1?reveal=true").bearer_auth(&token);
        let secret = secret.header("x-agent-secret", AGENT_SECRET).header("x-fencing-token", other_fence);
        world.send(secret).await.problem(404, "not_found");
        assert_eq!(world.get("/work-items/approvals/1").await.json(200)["status"], "pending");
        assert_eq!(world.get(&own).await.json(200)["status"], "running");
    }
}

#[tokio::test]
async fn the_token_of_a_run_ends_with_its_lease_and_is_forged_by_nobody() {
    for world in World::on_both_stores_with(guarded).await {
        let (run, fence, token) = agent(&world).await;
        let path = format!("/work-items/runs/{run}");
        let forged = token.replacen(&format!("spr_{run}_"), &format!("spr_{}_", run + 1), 1);
        let later = token.replacen(&format!("_{fence}_"), &format!("_{}_", fence + 1), 1);
        for wrong in [forged, later, format!("{token}0"), token[..token.len() - 1].to_owned()] {
            get(&world, &wrong, &path).await.problem(401, "unauthorized");
        }
        let stale = world.post(&format!("{path}/token"), json!({"fencing_token": fence + 1})).await;
        stale.problem(409, "stale_token");
        get(&world, &token, &path).await.json(200);
        world.complete(run, fence).await;
        get(&world, &token, &path).await.problem(401, "unauthorized");

        let (run, _, token) = agent(&world).await;
        let path = format!("/work-items/runs/{run}");
        get(&world, &token, &path).await.json(200);
        world.clock.advance(300_001);
        get(&world, &token, &path).await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn streams_end_when_the_token_that_opened_them_is_revoked() {
    let world = World::with(guarded()).await;
    let (run, _) = world.claimed_run(json!({})).await;
    let (token, id) = made(&world, json!({"name": "a", "role": "viewer"})).await;
    let mut streams = vec![];
    for path in ["/events".to_owned(), format!("/work-items/runs/{run}/logs/sse?follow=true")] {
        let stream = world.bare("GET", &path).bearer_auth(&token).send().await.unwrap();
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    world.delete(&format!("/tokens/{id}")).await;
    for stream in streams {
        let text = stream.text().await.unwrap();
        assert!(text.contains("the token opens no longer"), "{text}");
    }
}

#[tokio::test]
async fn each_principal_has_its_own_idempotency_keys() {
    let world = World::with(guarded()).await;
    let (one, _) = made(&world, json!({"name": "a", "role": "operator"})).await;
    let (two, _) = made(&world, json!({"name": "b", "role": "operator"})).await;
    let mut ids = vec![];
    for token in [&one, &two, &one] {
        let request = world.bare("POST", "/projects/").bearer_auth(token).header("idempotency-key", "k");
        ids.push(world.send(request.json(&json!({"name": "same"}))).await.json(201)["id"].as_i64().unwrap());
    }
    assert!(ids[0] != ids[1] && ids[0] == ids[2], "{ids:?}");
}
