//! Recipes: the same check wherever one comes in.

use crate::world::World;
use serde_json::json;

const GOOD: &str =
    "tools:\n  - {name: awscli, version: 2.15.0}\nsteps:\n  - echo build\n  - {run: make test}\n";
const BAD: &str = "steps:\n  - echo build\n  - {run: make, cwdd: ./x}\n";

#[tokio::test]
async fn a_recipe_is_kept_as_it_was_written() {
    let world = World::start().await;
    let path = format!("/work-items/{}/tool-recipe", world.item(json!({})).await);
    world.get(&path).await.problem(404, "not_found");
    let set = world.post(&path, json!({"yaml": GOOD})).await;
    assert_eq!(set.header("location"), path);
    let expected = json!({
        "work_item_id": 1, "yaml": GOOD, "tools": ["awscli"], "steps": ["echo build", "make test"], "warnings": [],
    });
    assert_eq!(set.json(201), expected);
    assert_eq!(world.get(&path).await.json(200), expected);
    assert_eq!(world.get("/work-items/1").await.json(200)["has_recipe"], true);
}

#[tokio::test]
async fn a_recipe_that_breaks_a_rule_is_refused_by_line_and_column_on_every_way_in() {
    let world = World::start().await;
    let project = world.project().await;
    let item = world.item(json!({})).await;
    let answers = [
        (
            world.post("/work-items/", json!({"project_id": project, "title": "x", "recipe": BAD})).await,
            "recipe",
        ),
        (world.patch(&format!("/work-items/{item}"), json!({"recipe": BAD})).await, "recipe"),
        (world.post(&format!("/work-items/{item}/tool-recipe"), json!({"yaml": BAD})).await, "yaml"),
    ];
    for (answer, path) in answers {
        let problem = answer.problem(422, "invalid_recipe");
        let error = &problem["errors"][0];
        assert_eq!((&error["line"], &error["column"], &error["path"]), (&json!(3), &json!(17), &json!(path)));
        assert!(error["allowed"].as_array().unwrap().contains(&json!("cwd")), "{error}");
    }
    assert_eq!(world.get(&format!("/work-items/{item}")).await.json(200)["has_recipe"], false);
}

#[tokio::test]
async fn a_checksum_of_the_wrong_length_is_kept_with_a_warning() {
    let world = World::start().await;
    let path = format!("/work-items/{}/tool-recipe", world.item(json!({})).await);
    let yaml = "tools:\n  - {name: awscli, checksum: \"sha256:deadbeef\"}\n";
    let warnings = world.post(&path, json!({"yaml": yaml})).await.json(201)["warnings"].clone();
    assert_eq!((&warnings[0]["line"], warnings.as_array().unwrap().len()), (&json!(2), 1));
}
