//! `spalla demo aws|gcp|azure` and `spalla demo seed`, on a server that runs.

use crate::databases::Database;
use crate::process::{Home, Server, Setup};
use serde_json::{Value, json};

fn json_of(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&home.run(args).good()).expect("JSON")
}

#[tokio::test]
async fn a_cloud_demo_makes_a_queued_work_item_and_prints_the_calls_that_answer_it() {
    let home = Home::new();
    let server =
        Server::start(&home, &Setup { database: &Database::Sqlite, args: &["up", "--no-worker"], env: &[] });
    for (id, (cloud, title, field)) in [
        ("aws", "Deploy to AWS", "AWS_SECRET_ACCESS_KEY"),
        ("gcp", "Deploy to GCP", "GOOGLE_APPLICATION_CREDENTIALS_JSON"),
        ("azure", "Deploy to Azure", "AZURE_SUBSCRIPTION_ID"),
    ]
    .into_iter()
    .enumerate()
    {
        let said = home.run(&["demo", cloud]).good();
        let item = server.rest.get(&format!("/work-items/{}", id + 1)).await;
        assert_eq!((&item["title"], &item["labels"]), (&json!(title), &json!([cloud])));
        assert_eq!((&item["status"], &item["project_id"]), (&json!("queued"), &json!(1)));
        let respond = format!("{}/work-items/runs/info-requests/REQUEST/respond", server.rest.url);
        for wanted in [&respond, "/info-requests\n", "spalla answer REQUEST ", field, "curl "] {
            assert!(said.contains(wanted), "{wanted:?} is missing in {said}");
        }
    }
    let made = json_of(&home, &["demo", "aws", "--json"]);
    assert_eq!((&made["project"]["id"], &made["work_item"]["id"]), (&json!(1), &json!(4)));
    assert!(made["calls"]["answer"].as_str().is_some_and(|call| call.contains("AWS_DEFAULT_REGION=")));
    assert_eq!(home.run(&["demo", "asw"]).status, Some(2));
}

#[tokio::test]
async fn sample_data_is_made_once_however_often_it_is_asked_for() {
    let home = Home::new();
    let server = Server::start(&home, &Setup { database: &Database::Sqlite, args: &["up"], env: &[] });
    let first = json_of(&home, &["demo", "seed", "--json"]);
    assert_eq!((&first["work_items_made"], &first["approval"]["status"]), (&json!(6), &json!("pending")));
    let again = json_of(&home, &["demo", "seed", "--json"]);
    assert_eq!(again["work_items_made"], 0);
    assert_eq!((&again["work_items"], &again["approval"]), (&first["work_items"], &first["approval"]));
    assert_eq!(server.rest.get("/projects/").await.as_array().map(Vec::len), Some(1));
    server.rest.until_status(4, "succeeded").await;
    assert!(home.run(&["approve", "1"]).good().contains("approved"));
    server.rest.until_status(5, "succeeded").await;
    assert!(home.run(&["demo", "seed"]).good().contains("all of it was there already"));
    assert_eq!(server.rest.get("/work-items/5/runs").await.as_array().map(Vec::len), Some(1));
}

#[test]
fn without_a_server_these_demos_say_how_to_get_one() {
    for word in ["aws", "seed"] {
        let ended = Home::new().run(&["demo", word, "--server", "http://127.0.0.1:1"]);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("spalla up"), "{ended:?}");
    }
}
