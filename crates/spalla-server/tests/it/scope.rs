//! Scope: one project's ids in the hands of somebody who may see another one alone. On every route, and in every list.

use crate::answer::Answer;
use crate::world::{Setup, TOKEN, World};
use serde_json::{Value, json};
use spalla_server::{Access, Token};

fn guarded() -> Setup {
    Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() }
}

/// Everything that a project can have, with the numbers that each has by now.
async fn furnish(world: &World, project: i64) -> i64 {
    let item = json!({"project_id": project, "title": format!("of {project}"), "recipe": "steps: [make]"});
    let item = world.post("/work-items/", item).await.json(201)["id"].as_i64().unwrap();
    world.post(&format!("/projects/{project}/vision"), json!({"text": "- build it"})).await.json(201);
    world.post(&format!("/projects/{project}/requirements/propose"), json!({})).await.json(201);
    world.post("/scheduler/schedules", json!({"work_item_id": item, "cron": "0 6 * * *"})).await.json(201);
    world.enqueue(item).await;
    let claim = json!({"worker_id": "w1", "ttl_seconds": 3600});
    let claimed = world.post("/scheduler/claim", claim).await.json(200);
    let (run, fence) = (&claimed["runs"][0]["run_id"], &claimed["runs"][0]["fencing_token"]);
    let put = world.request("PUT", &format!("/work-items/runs/{run}/artifacts/a"));
    world.send(put.header("x-fencing-token", fence.as_i64().unwrap()).body("x")).await.json(201);
    let ask = json!({"reason": "r", "fencing_token": fence, "fields": [{"name": "A", "secret": false}]});
    world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
    world.post(&format!("/work-items/{item}/approvals"), json!({})).await.json(201);
    let note = json!({"project_id": project, "to": "w1", "type": "notification", "payload": {"text": "x"}});
    world.post("/api/messages", note).await.json(201);
    run.as_i64().unwrap()
}

async fn token(world: &World, body: Value) -> String {
    world.post("/tokens", body).await.json(201)["token"].as_str().unwrap().to_owned()
}

async fn call(world: &World, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let request = world.bare(method, path).bearer_auth(token);
    let request = match method {
        "GET" => request,
        _ if path.ends_with("/logs") => request.header("content-type", "text/plain").body("x\n"),
        _ => request.json(&body),
    };
    world.send(request).await
}

/// Returns a body that the route would take from somebody who may.
fn body(path: &str) -> Value {
    match path.rsplit('/').next().unwrap() {
        "vision" => json!({"text": "x"}),
        "tool-recipe" => json!({"yaml": "steps: [make]"}),
        "claim" => json!({"worker_id": "w"}),
        "heartbeat" => json!({"worker_id": "w1", "fencing_token": 1}),
        "release" | "token" => json!({"fencing_token": 1}),
        "info-requests" => {
            json!({"reason": "r", "fencing_token": 1, "fields": [{"name": "A", "secret": false}]})
        }
        "respond" => json!({"values": {"A": "x"}}),
        "1" | "2" if path.contains("/requirements/") => json!({"items": [{"title": "x"}]}),
        _ => json!({}),
    }
}

#[tokio::test]
async fn on_every_route_another_projects_ids_do_not_exist() {
    for world in World::on_both_stores_with(guarded).await {
        let (own, foreign) = (world.project().await, world.project().await);
        furnish(&world, own).await;
        furnish(&world, foreign).await;
        let admin = token(&world, json!({"name": "a", "role": "admin", "project_ids": [own]})).await;
        let document = world.get("/openapi.json").await.json(200);
        let mut tried = 0;
        for (template, item) in document["paths"].as_object().unwrap() {
            if !template.contains("{id}")
                || template.starts_with("/tokens")
                || template.starts_with("/webhooks")
                || template.starts_with("/api/scratchpads")
                || template.starts_with("/api/agents")
            {
                continue;
            }
            for method in ["get", "post", "put", "patch", "delete"] {
                if item.get(method).is_none() {
                    continue;
                }
                // Every kind of thing has been made twice, so that the second one is the foreign one's.
                let path = template.replace("{id}", "2").replace("{draft}", "2").replace("{path}", "a");
                let path = if path.ends_with("/complete") { format!("{path}?success=true") } else { path };
                let answer = call(&world, &admin, &method.to_uppercase(), &path, body(&path)).await;
                let problem = answer.problem(404, "not_found");
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.ends_with("2 does not exist"), "{method} {path}: {detail}");
                tried += 1;
                // It is there for whoever may see it: otherwise nothing would have been hidden.
                if method == "get" && !path.contains("/sse") && !path.contains("/ws") {
                    assert_eq!(world.request("GET", &path).send().await.unwrap().status(), 200, "{path}");
                }
            }
        }
        assert!(tried > 40, "{tried}");
        // Escapes and other spellings lead to the same place.
        for path in ["/projects/%32", "/projects/2/", "/work-items/%32/", "/work-items/runs/%32/logs"] {
            call(&world, &admin, "GET", path, json!({})).await.problem(404, "not_found");
        }
        // A foreign draft under an own project is none of the project.
        call(&world, &admin, "GET", "/projects/1/requirements/2", json!({})).await.problem(404, "not_found");
        // Nothing was changed by any of it.
        assert_eq!(world.get("/work-items/runs/2").await.json(200)["status"], "awaiting_input");
        assert_eq!(world.get("/work-items/approvals/2").await.json(200)["status"], "pending");
    }
}

#[tokio::test]
async fn ids_in_bodies_are_looked_at_as_well() {
    for world in World::on_both_stores_with(guarded).await {
        let (own, foreign) = (world.project().await, world.project().await);
        furnish(&world, own).await;
        furnish(&world, foreign).await;
        let admin = token(&world, json!({"name": "a", "role": "admin", "project_ids": [own]})).await;
        for (path, body) in [
            ("/work-items/", json!({"project_id": foreign, "title": "x"})),
            ("/work-items/", json!({"project_id": own, "title": "x", "depends_on": [2]})),
            (
                "/work-items/bulk",
                json!([{"project_id": own, "title": "x"}, {"project_id": foreign, "title": "x"}]),
            ),
            ("/scheduler/enqueue", json!({"work_item_id": 2})),
            ("/scheduler/enqueue", json!({"work_item_id": 1, "depends_on_work_item_id": 2})),
            ("/scheduler/enqueue/bulk", json!([{"work_item_id": 2}])),
            ("/scheduler/requeue/work-item", json!({"work_item_id": 2})),
            ("/scheduler/schedules", json!({"work_item_id": 2, "cron": "0 6 * * *"})),
        ] {
            let answer = call(&world, &admin, "POST", path, body.clone()).await;
            let problem = answer.problem(404, "not_found");
            assert!(
                problem["detail"].as_str().unwrap().contains("does not exist"),
                "{path} {body}: {problem}"
            );
        }
        let patch = json!({"work_item_id": 2});
        call(&world, &admin, "PATCH", "/scheduler/schedules/1", patch).await.problem(404, "not_found");
        assert_eq!(world.get("/work-items/").await.json(200).as_array().unwrap().len(), 2);
    }
}

const LISTS: [&str; 9] = [
    "/projects/",
    "/work-items/",
    "/work-items/runs",
    "/work-items/runs/info-requests",
    "/scheduler/dead-letters",
    "/scheduler/schedules",
    "/scheduler/queue",
    "/observability/traces",
    "/observability/usage",
];

#[tokio::test]
async fn lists_show_what_somebody_may_see_and_count_no_more() {
    for world in World::on_both_stores_with(guarded).await {
        let (one, two, three) = (world.project().await, world.project().await, world.project().await);
        let mut runs = vec![];
        for project in [one, two, three] {
            runs.push(furnish(&world, project).await);
        }
        let single = token(&world, json!({"name": "a", "role": "viewer", "project_ids": [two]})).await;
        let both = token(&world, json!({"name": "b", "role": "viewer", "project_ids": [one, three]})).await;
        for path in LISTS {
            let get = async |token: &str, query: &str| {
                call(&world, token, "GET", &format!("{path}?count=true{query}"), json!({})).await
            };
            if path == "/scheduler/queue" {
                assert_eq!(get(&both, "").await.invalid(), ["project_id"]);
                get(&both, "&project_id=1").await.json(200);
                continue;
            }
            let of_all = world.get(&format!("{path}?count=true")).await;
            let all: usize = of_all.header("x-total-count").parse().unwrap();
            let (seen, seen_of_both) = (get(&single, "").await, get(&both, "").await);
            let count = |answer: &Answer| answer.json(200).as_array().unwrap().len();
            assert_eq!((count(&seen) * 3, count(&seen_of_both) * 3), (all, all * 2), "{path}");
            assert_eq!(seen.header("x-total-count"), (all / 3).to_string(), "{path}");
            assert_eq!(seen_of_both.header("x-total-count"), (all * 2 / 3).to_string(), "{path}");
        }
        let named = |query: &str| format!("/work-items/runs{query}");
        let runs_of = async |token: &str, query: &str| -> Vec<i64> {
            let list = call(&world, token, "GET", &named(query), json!({})).await.json(200);
            list.as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect()
        };
        assert_eq!(runs_of(&both, "").await, [runs[2], runs[0]]);
        assert_eq!(runs_of(&both, "?limit=1").await, [runs[2]]);
        assert_eq!(runs_of(&both, &format!("?cursor={}", runs[2])).await, [runs[0]]);
        assert_eq!(runs_of(&both, "?offset=1").await, [runs[0]]);
        assert_eq!(runs_of(&both, &format!("?project_id={two}")).await, [0; 0]);
        assert_eq!(runs_of(&both, "?project_id=99").await, [0; 0]);
        assert_eq!(runs_of(&both, &format!("?project_id={three}")).await, [runs[2]]);
        for path in ["/audit", "/metrics", "/scheduler/workers", "/scheduler/resource-pools", "/tokens"] {
            call(&world, &single, "GET", path, json!({})).await.problem(403, "forbidden");
        }
        assert_eq!(world.send(world.bare("GET", "/").bearer_auth(&single)).await.status, 401);
        assert_eq!(
            call(&world, &single, "GET", "/health", json!({})).await.json(200),
            json!({"status": "ok"})
        );
    }
}

#[tokio::test]
async fn events_and_ticks_tell_nothing_of_other_projects() {
    let world = World::with(guarded()).await;
    let (own, foreign) = (world.project().await, world.project().await);
    let operator = token(&world, json!({"name": "a", "role": "operator", "project_ids": [own]})).await;
    for project in [foreign, own] {
        let item = json!({"project_id": project, "title": "x"});
        let id = world.post("/work-items/", item).await.json(201)["id"].as_i64().unwrap();
        world.enqueue(id).await;
    }
    let tick = call(&world, &operator, "POST", "/scheduler/tick", json!({})).await.json(200);
    assert_eq!(tick["started"].as_array().unwrap().len(), 1, "{tick}");
    for query in ["?after=0".to_owned(), format!("?after=0&project_id={foreign}")] {
        let stream = world.bare("GET", &format!("/events{query}")).bearer_auth(&operator);
        let mut stream = stream.send().await.unwrap();
        let mut text = String::new();
        // The last of the own project's events is the end of what can come.
        while !text.contains("run.created") && query == "?after=0" {
            text.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
        }
        assert!(!text.contains(&format!("\"project_id\":{foreign}")), "{text}");
    }
}

#[tokio::test]
async fn errors_of_other_projects_are_neither_shown_nor_counted() {
    for world in World::on_both_stores_with(guarded).await {
        let (mine, other) = (world.project().await, world.project().await);
        for project in [mine, other] {
            let (run, fence) = world.claimed_run(json!({"project_id": project})).await;
            let end = json!({"fencing_token": fence, "error": {"class": "denied", "message": format!("of {project}")}});
            world.post(&format!("/work-items/runs/{run}/complete?success=false"), end).await.json(200);
        }
        let viewer = token(&world, json!({"name": "v", "role": "viewer", "project_ids": [mine]})).await;
        let shown = call(&world, &viewer, "GET", "/api/errors?count=true", json!(null)).await;
        assert_eq!(shown.header("x-total-count"), "1");
        assert_eq!(shown.json(200)[0]["message"], format!("of {mine}"));
        let path = format!("/api/errors?project_id={other}&count=true");
        let nothing = call(&world, &viewer, "GET", &path, json!(null)).await;
        assert_eq!((nothing.header("x-total-count"), nothing.json(200)), ("0", json!([])));
    }
}
