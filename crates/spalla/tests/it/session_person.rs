//! An agent that is kept from something waits for a person: agents are played by scripts.

use crate::process::until;
use crate::scripted::Place;
use serde_json::json;

const GOAL: &str = "Write with a denial";

#[test]
fn without_anybody_to_ask_the_session_ends_waiting_and_says_how_to_answer() {
    let place = Place::make();
    let ended = place.orchestrate(GOAL, &["--agents", "claude", "--yes"], &[]);
    assert_eq!(ended.status, Some(4), "{ended:?}");
    assert!(ended.stdout.contains("a person is asked: Claude Code can't go on"), "{ended:?}");
    assert!(ended.stdout.contains("to answer: spalla answer 1 decision=again"), "{ended:?}");
    let shown = place.home.run(&["session", "show", "latest", "--json"]).good();
    assert!(shown.contains(r#""status": "waiting""#), "{shown}");
}

#[tokio::test]
async fn a_servers_session_waits_for_the_answer_and_goes_on_with_it() {
    let place = Place::make();
    let server = place.up();
    let wish = json!({"goal": GOAL, "target": place.target, "agents": ["claude"]});
    server.rest.post("/api/sessions", wish).await;
    let is = async |status: &str| (server.rest.get("/api/session").await["status"] == status).then_some(());
    until("it waits for a person", || is("waiting")).await;
    let asked = server.rest.get("/work-items/runs/info-requests?status=pending").await;
    let id = asked[0]["id"].as_i64().expect("a question");
    let answer = json!({"values": {"decision": "again"}});
    server.rest.post(&format!("/work-items/runs/info-requests/{id}/respond"), answer).await;
    until("it is done", || is("done")).await;
    drop(server);
    assert_eq!(place.applied(), "mended\n");
}
