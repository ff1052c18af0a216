//! From a vision to work items.

use crate::world::World;
use serde_json::{Value, json};

const VISION: &str = "# Shop\n\n- Build the cart\n- Test the cart\n- Deploy the shop to kubernetes\n";

async fn propose(world: &World) -> (i64, Value) {
    let project = world.project().await;
    world.post(&format!("/projects/{project}/vision"), json!({"text": VISION})).await.json(201);
    let path = format!("/projects/{project}/requirements/propose");
    let proposed = world.send(world.request("POST", &path)).await;
    let draft = proposed.json(201);
    let location = format!("/projects/{project}/requirements/{}", draft["id"]);
    assert_eq!(proposed.header("location"), location);
    (project, draft)
}

#[tokio::test]
async fn every_version_of_a_vision_is_kept_and_the_newest_counts() {
    for world in World::on_both_stores().await {
        let path = format!("/projects/{}/vision", world.project().await);
        let other = format!("/projects/{}/vision", world.project().await);
        world.get(&path).await.problem(404, "not_found");
        for version in 1..=3 {
            let made = world.post(&path, json!({"text": format!("shop {version}")})).await;
            assert_eq!(made.header("location"), format!("{path}?version={version}"));
            assert_eq!(
                made.json(201),
                json!({"project_id": 1, "version": version, "text": format!("shop {version}"),
                       "created_at": "2023-11-14T22:13:20.000Z"})
            );
            world.post(&other, json!({"text": "another"})).await.json(201);
        }
        assert_eq!(world.get(&path).await.json(200)["text"], "shop 3");
        for version in 1..=3 {
            let shown = world.get(&format!("{path}?version={version}")).await.json(200);
            assert_eq!(shown["text"], format!("shop {version}"));
        }
        world.get(&format!("{path}?version=4")).await.problem(404, "not_found");
        assert_eq!(world.get(&format!("{path}?version=0")).await.invalid(), ["version"]);
    }
}

#[tokio::test]
async fn a_vision_that_says_nothing_or_too_much_is_refused() {
    let world = World::start().await;
    let path = format!("/projects/{}/vision", world.project().await);
    for text in [" \n ".to_owned(), "ä".repeat(140_000), "x".repeat(300_000)] {
        assert_eq!(world.post(&path, json!({"text": text})).await.invalid(), ["text"]);
    }
    assert_eq!(world.post(&path, json!({})).await.invalid(), ["text"]);
    world.post("/projects/9/vision", json!({"text": "x"})).await.problem(404, "not_found");
    world.get("/projects/9/vision").await.problem(404, "not_found");
}

#[tokio::test]
async fn the_same_vision_always_gives_the_same_draft() {
    for world in World::on_both_stores().await {
        let (project, first) = propose(&world).await;
        assert_eq!((&first["status"], &first["vision_version"]), (&json!("proposed"), &json!(1)));
        let titles: Vec<_> =
            first["items"].as_array().unwrap().iter().map(|item| item["title"].clone()).collect();
        assert_eq!(titles, ["Build the cart", "Test the cart", "Deploy the shop to kubernetes"]);
        let path = format!("/projects/{project}/requirements");
        let again = world.post(&format!("{path}/propose?decomposer=heuristic"), json!({})).await.json(201);
        assert_eq!(again["items"], first["items"]);
        let listed = world.get(&format!("{path}?count=true")).await;
        assert_eq!((listed.header("x-total-count"), listed.json(200)), ("2", json!([again, first])));
        assert_eq!(world.get(&format!("{path}?limit=1&cursor=2")).await.json(200), json!([first]));
        world.post(&format!("{path}/1/reject"), json!({})).await.json(200);
        assert_eq!(world.get(&format!("{path}?status=proposed")).await.json(200), json!([again]));
    }
}

#[tokio::test]
async fn without_a_vision_or_a_model_there_is_no_draft() {
    let world = World::start().await;
    let path = format!("/projects/{}/requirements/propose", world.project().await);
    world.post(&path, json!({})).await.problem(409, "no_vision");
    let refused = world.post(&format!("{path}?decomposer=llm"), json!({})).await.problem(409, "no_provider");
    assert!(refused["detail"].as_str().unwrap().contains("no provider"));
    assert_eq!(world.post(&format!("{path}?decomposer=odd"), json!({})).await.invalid(), ["decomposer"]);
    for path in ["/projects/9/requirements/propose", "/projects/9/requirements/propose?decomposer=llm"] {
        world.post(path, json!({})).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_person_edits_a_draft_and_its_work_items_are_made_with_their_order() {
    for world in World::on_both_stores().await {
        let (project, draft) = propose(&world).await;
        let path = format!("/projects/{project}/requirements/{}", draft["id"]);
        assert_eq!(world.get(&path).await.json(200), draft);
        let same = json!({"items": draft["items"]});
        assert_eq!(world.put(&path, same).await.json(200)["items"], draft["items"]);
        let items = json!([
            {"title": "Deploy", "depends_on": [1], "priority": 7, "labels": ["prod", "k8s"]},
            {"title": "Build", "description": "all of it"},
        ]);
        let edited = world.put(&path, json!({"items": items})).await.json(200);
        assert_eq!(edited["items"][0]["labels"], json!(["k8s", "prod"]));
        let approved =
            world.post(&format!("{path}/approve?create_work_items=true"), json!({})).await.json(200);
        assert_eq!(
            (&approved["status"], &approved["decided_at"]),
            (&json!("approved"), &json!("2023-11-14T22:13:20.000Z"))
        );
        let ids = approved["work_items"].as_array().unwrap();
        let deploy = world.get(&format!("/work-items/{}", ids[0])).await.json(200);
        assert_eq!((&deploy["title"], &deploy["priority"]), (&json!("Deploy"), &json!(7)));
        assert_eq!(deploy["depends_on"], json!([{"id": ids[1], "when": "success"}]));
        for verb in ["approve", "reject"] {
            world.post(&format!("{path}/{verb}"), json!({})).await.problem(409, "already_decided");
        }
        world.put(&path, json!({"items": [{"title": "x"}]})).await.problem(409, "already_decided");
    }
}

#[tokio::test]
async fn work_items_are_made_only_where_they_are_asked_for_in_query_or_body() {
    let world = World::start().await;
    for (query, body, made) in [
        ("", json!({}), 0),
        ("", json!({"create_work_items": true}), 3),
        ("?create_work_items=true", json!({"create_work_items": true}), 3),
        ("?create_work_items=false", json!({}), 0),
    ] {
        let (project, draft) = propose(&world).await;
        let path = format!("/projects/{project}/requirements/{}/approve{query}", draft["id"]);
        let approved = world.post(&path, body).await.json(200);
        assert_eq!(approved["work_items"].as_array().unwrap().len(), made, "{query}");
    }
    let (project, draft) = propose(&world).await;
    let path = format!("/projects/{project}/requirements/{}/approve?create_work_items=true", draft["id"]);
    assert_eq!(world.post(&path, json!({"create_work_items": false})).await.invalid(), ["create_work_items"]);
}

#[tokio::test]
async fn what_is_wrong_in_a_draft_is_named_by_its_item() {
    let world = World::start().await;
    let (project, draft) = propose(&world).await;
    let path = format!("/projects/{project}/requirements/{}", draft["id"]);
    let cases = [
        (json!([]), vec!["items"]),
        (json!([{"title": " "}]), vec!["items[0].title"]),
        (json!([{"title": "a"}, {"title": "b", "depends_on": [200]}]), vec!["items[1].depends_on[0]"]),
        (
            json!([{"title": "a", "depends_on": [0]}, {"title": "b", "depends_on": [7]}]),
            vec!["items[0]", "items[1]"],
        ),
        (json!([{"title": "a", "depends_on": [1]}, {"title": "b", "depends_on": [0]}]), vec!["items[0]"]),
        (json!([{"title": "a", "executor": "agent"}]), vec!["items[0]"]),
    ];
    for (items, places) in cases {
        assert_eq!(world.put(&path, json!({"items": items})).await.invalid(), places, "{items}");
    }
    assert_eq!(world.get(&path).await.json(200), draft);
}

#[tokio::test]
async fn a_draft_belongs_to_its_project() {
    for world in World::on_both_stores().await {
        let (_, draft) = propose(&world).await;
        let other = world.project().await;
        for path in
            [format!("/projects/{other}/requirements/{}", draft["id"]), "/projects/1/requirements/9".into()]
        {
            world.get(&path).await.problem(404, "not_found");
            world.put(&path, json!({"items": [{"title": "x"}]})).await.problem(404, "not_found");
            world.post(&format!("{path}/approve"), json!({})).await.problem(404, "not_found");
            world.post(&format!("{path}/reject"), json!({})).await.problem(404, "not_found");
        }
        world.get("/projects/x/requirements/1").await.problem(404, "not_found");
        world.get("/projects/1/requirements/x").await.problem(404, "not_found");
        world.get("/projects/9/requirements").await.problem(404, "not_found");
    }
}
