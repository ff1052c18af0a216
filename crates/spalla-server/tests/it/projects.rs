//! Projects.

use crate::world::World;
use serde_json::json;

#[tokio::test]
async fn a_project_is_made_shown_changed_and_put_away() {
    let world = World::start().await;
    let body = json!({"name": "app", "description": "it", "repository": "/srv/app"});
    let made = world.post("/projects/", body).await;
    assert_eq!(made.header("location"), "/projects/1");
    let expected = json!({
        "id": 1, "name": "app", "description": "it", "repository": "/srv/app", "status": "active",
        "limits": null, "created_at": "2023-11-14T22:13:20.000Z", "archived_at": null,
    });
    assert_eq!(made.json(201), expected);
    assert_eq!(world.get("/projects/1").await.json(200), expected);

    let changed = world.patch("/projects/1", json!({"name": "new", "description": null})).await.json(200);
    assert_eq!((&changed["name"], &changed["description"]), (&json!("new"), &json!(null)));
    assert_eq!(changed["repository"], "/srv/app");

    assert_eq!(world.delete("/projects/1").await.status, 204);
    assert_eq!(world.get("/projects/1").await.json(200)["status"], "archived");
    assert_eq!(world.get("/projects/").await.json(200), json!([]));
}

#[tokio::test]
async fn names_may_repeat_and_ids_ascend_from_one() {
    let world = World::start().await;
    assert_eq!([world.project().await, world.project().await], [1, 2]);
    let ids: Vec<_> =
        world.get("/projects").await.json(200).as_array().unwrap().iter().map(|p| p["id"].clone()).collect();
    assert_eq!(ids, [2, 1]);
}

#[tokio::test]
async fn a_project_with_a_live_run_is_not_put_away() {
    let world = World::start().await;
    let run = world.pending_run(json!({})).await;
    world.delete("/projects/1").await.problem(409, "project_active");
    world.post(&format!("/work-items/runs/{run}/cancel"), json!({})).await.json(200);
    assert_eq!(world.delete("/projects/1").await.status, 204);
    world
        .post("/work-items/", json!({"project_id": 1, "title": "late"}))
        .await
        .problem(409, "project_archived");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_name() {
    let world = World::start().await;
    let cases = [
        (json!({}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": "x".repeat(201)}), "name"),
        (json!({"name": 1}), "name"),
        (json!({"name": null}), "name"),
        (json!({"name": "a\u{0}b"}), "name"),
        (json!({"name": "app", "repository": "app"}), "repository"),
        (json!({"name": "app", "repository": "ext::sh -c id"}), "repository"),
        (json!({"name": "app", "color": "red"}), "color"),
    ];
    for (body, path) in cases {
        assert_eq!(world.post("/projects/", body).await.invalid(), [path]);
    }
    world.project().await;
    assert_eq!(world.patch("/projects/1", json!({"name": null})).await.invalid(), ["name"]);
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let world = World::start().await;
    for path in ["/projects/1", "/projects/abc", "/projects/0", "/projects/9007199254740992"] {
        world.get(path).await.problem(404, "not_found");
        world.patch(path, json!({})).await.problem(404, "not_found");
        world.delete(path).await.problem(404, "not_found");
    }
}
