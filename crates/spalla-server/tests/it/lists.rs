//! What all lists have in common.

use crate::world::World;
use serde_json::{Value, json};

fn ids(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|entry| entry["id"].as_i64().unwrap()).collect()
}

const LISTS: [&str; 16] = [
    "/projects/",
    "/work-items/",
    "/work-items/1/runs",
    "/work-items/1/approvals",
    "/work-items/runs",
    "/scheduler/queue",
    "/scheduler/dead-letters",
    "/observability/traces",
    "/work-items",
    "/projects/1/requirements",
    "/observability/usage",
    "/scheduler/schedules",
    "/work-items/runs/info-requests",
    "/work-items/runs/1/info-requests",
    "/work-items/runs/1/artifacts",
    "/audit",
];

#[tokio::test]
async fn every_list_is_an_array_with_a_link_and_a_count_only_when_asked_for() {
    let world = World::start().await;
    world.pending_run(json!({})).await;
    for path in LISTS {
        let list = world.get(path).await;
        assert!(list.json(200).is_array(), "{path}");
        assert_eq!(list.header("link"), format!("<{path}>; rel=\"first\""));
        assert_eq!(list.header("x-total-count"), "", "{path}");
        let counted = world.get(&format!("{path}?count=true")).await;
        assert_eq!(
            counted.header("x-total-count"),
            counted.json(200).as_array().unwrap().len().to_string(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn every_list_bounds_its_limit() {
    let world = World::start().await;
    world.pending_run(json!({})).await;
    for path in LISTS {
        world.get(&format!("{path}?limit=500")).await.json(200);
        for limit in ["0", "501", "-1", "x", ""] {
            assert_eq!(
                world.get(&format!("{path}?limit={limit}")).await.invalid(),
                ["limit"],
                "{path} {limit}"
            );
        }
        assert_eq!(world.get(&format!("{path}?colour=red")).await.invalid(), ["colour"], "{path}");
        assert_eq!(world.get(&format!("{path}?limit=1&limit=2")).await.invalid(), ["limit"], "{path}");
    }
}

#[tokio::test]
async fn following_the_links_shows_every_entry_once() {
    let world = World::start().await;
    for _ in 0..5 {
        world.project().await;
    }
    let (mut path, mut seen) = ("/projects/?limit=2".to_owned(), vec![]);
    loop {
        let page = world.get(&path).await;
        seen.extend(ids(&page.json(200)));
        let next =
            page.header("link").split(", ").find(|link| link.ends_with("rel=\"next\"")).map(str::to_owned);
        let Some(next) = next else { break };
        path = next.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    assert_eq!(ids(&world.get("/projects/?offset=3").await.json(200)), [2, 1]);
    assert_eq!(ids(&world.get("/projects/?cursor=3&limit=1").await.json(200)), [2]);
}

#[tokio::test]
async fn work_items_are_chosen_by_project_status_label_and_text() {
    let world = World::start().await;
    let first = world.item(json!({"title": "Deploy the app", "labels": ["k8s", "prod"]})).await;
    let second = world.queued(json!({"title": "build", "prompt": "make the APP", "labels": ["prod"]})).await;
    let archived = world.item(json!({})).await;
    world.delete(&format!("/work-items/{archived}")).await;
    let find = async |query: &str| ids(&world.get(&format!("/work-items/?{query}")).await.json(200));
    assert_eq!(find("").await, [second, first]);
    assert_eq!(find("project_id=1").await, [first]);
    assert_eq!(find("status=queued").await, [second]);
    assert_eq!(find("status=archived").await, [archived]);
    assert_eq!(find("label=prod").await, [second, first]);
    assert_eq!(find("label=k8s&q=app").await, [first]);
    assert_eq!(find("q=app").await, [second, first]);
    assert_eq!(find("q=100%25").await, [] as [i64; 0]);
}

#[tokio::test]
async fn the_default_page_has_fifty_entries() {
    let world = World::start().await;
    for _ in 0..51 {
        world.project().await;
    }
    let page = world.get("/projects/").await;
    assert_eq!(page.json(200).as_array().unwrap().len(), 50);
    assert_eq!(page.header("link"), "</projects/>; rel=\"first\", </projects/?cursor=2>; rel=\"next\"");
}
