//! Reviewers look at work that goes on, and what they say has consequences before it is done: agents are played by scripts.

use crate::process::{Ended, until};
use crate::scripted::Place;
use serde_json::{Value, json};
use std::fs;

/// One concern is enough to give work back.
const STRICT: &str = r#"{"quorum": 1, "rules": [
    {"name": "a blocker", "when": {"blockers": 1}, "then": "STOP_AND_ESCALATE"},
    {"name": "a doubt", "when": {"concerns": 1}, "then": "PAUSE_AND_CLARIFY"},
    {"name": "good", "when": {"approved": 1}, "then": "CONTINUE"}]}"#;

/// Pursues a goal whose agent says in the middle that something stands in its way, with what the other one thinks of that.
fn with(opinion: &str) -> (Place, Ended) {
    let place = Place::make();
    fs::write(place.home.shared("opinion"), opinion).expect("a file");
    let flags = ["--agents", "codex,claude", "--yes"];
    let ended = place.orchestrate("Write with a blocker", &flags, &[("SPALLA_REVIEW_POLICY", STRICT)]);
    (place, ended)
}

fn shown(place: &Place) -> Value {
    let shown = place.home.run(&["session", "show", "latest", "--json"]).good();
    serde_json::from_str(&shown).expect("JSON")
}

#[test]
fn a_blocker_about_work_that_goes_on_stops_it_before_it_is_done() {
    let (place, ended) = with("blocker");
    assert_eq!(ended.status, Some(3), "{ended:?}");
    assert!(ended.stdout.contains("must not go on like this"), "{ended:?}");
    assert_eq!(fs::read_to_string(place.home.shared("seen")).expect("what was seen"), "half\n");
    let session = shown(&place);
    assert_eq!(session["looks"][0]["why"], "blocker", "{session}");
    assert_eq!(session["looks"][0]["text"], "the other half is missing");
    assert_eq!(session["decisions"][0]["key"], "1.look-1");
}

#[test]
fn concerns_about_work_that_goes_on_are_given_to_its_agent_at_once() {
    let (place, ended) = with("concern");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(place.applied(), "mended\n");
    let session = shown(&place);
    let again = session["items"].as_array().expect("items").iter().find(|item| item["key"] == "1.again-2");
    let prompt = again.expect("the work that was given back")["prompt"].as_str().expect("a prompt");
    assert!(prompt.contains("while you were at it") && prompt.contains("+half"), "{prompt}");
}

#[tokio::test]
async fn approved_work_goes_on_as_if_nothing_had_been_asked() {
    let place = Place::make();
    let server = place.up();
    let wish = json!({"goal": "Write with a blocker", "target": place.target, "agents": ["codex", "claude"]});
    server.rest.post("/api/sessions", wish).await;
    let read = || server.rest.get("/api/session");
    until("the look is decided", || async {
        (read().await["decisions"][0]["key"] == "1.look-1").then_some(())
    })
    .await;
    place.let_go();
    until("the session is done", || async { (read().await["status"] == "done").then_some(()) }).await;
    drop(server);
    assert_eq!(place.applied(), "half\nhello\n");
}
