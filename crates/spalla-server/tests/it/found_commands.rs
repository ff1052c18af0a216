//! What the command policy finds in the steps of a run, as its worker reports it.

use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spalla_store::view::EventFilter;

fn push(level: &str) -> Value {
    json!({"step": 1, "level": level, "digest": "a1".repeat(32), "command": "git push", "folder": ".",
        "rule": "git-push", "reason": "sends commits to others"})
}

fn report(token: i64, commands: &[Value]) -> Value {
    json!({"worker_id": "w1", "fencing_token": token, "commands": commands})
}

#[tokio::test]
async fn a_command_that_needs_a_yes_holds_its_run_until_somebody_says_it() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        let path = format!("/work-items/runs/{run}/commands");
        let answer = world.post(&path, report(token, &[push("confirm"), push("watched")])).await.json(200);
        assert_eq!(answer, json!({"pending": [1], "rejected": []}));
        let asked = world.get("/work-items/approvals/1").await.json(200);
        let subject = json!({"digest": "a1".repeat(32), "command": "git push", "folder": ".",
            "reason": "sends commits to others"});
        assert_eq!((&asked["kind"], &asked["subject"]), (&json!("command"), &subject));

        let release = json!({"worker_id": "w1", "fencing_token": token});
        world.post(&format!("/work-items/runs/{run}/release"), release).await.json(200);
        let claim = async || world.post("/scheduler/claim", json!({"worker_id": "w2"})).await.json(200);
        assert_eq!(claim().await["runs"], json!([]));
        world.post("/work-items/approvals/1/approve", json!({"by": "ada"})).await.json(200);
        let next = claim().await["runs"][0].clone();
        assert_eq!(next["run_id"], run);
        let again = report(next["fencing_token"].as_i64().unwrap(), &[push("confirm")]);
        assert_eq!(world.post(&path, again).await.json(200), json!({"pending": [], "rejected": []}));
        world.post(&path, report(token, &[push("confirm")])).await.problem(409, "stale_token");
    }
}

#[tokio::test]
async fn what_is_blocked_is_in_the_audit_and_among_the_events() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/commands");
    world.post(&path, report(token, &[push("blocked")])).await.json(200);
    let audit = world.get("/audit?outcome=refused").await.json(200);
    assert_eq!(
        (&audit[0]["operation"], &audit[0]["code"]),
        (&json!("command blocked"), &json!("command_blocked"))
    );
    assert_eq!(audit[0]["resource"], "git push");
}

#[tokio::test]
async fn a_report_that_does_not_fit_is_refused_by_its_name() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/commands");
    let mut odd = push("confirm");
    odd["digest"] = json!("nothing");
    world.post(&path, report(token, &[odd])).await.problem(422, "invalid");
    let mut odd = push("confirm");
    odd["level"] = json!("perhaps");
    assert_eq!(world.post(&path, report(token, &[odd])).await.invalid(), ["commands[0].level"]);
    world.post("/work-items/runs/99/commands", report(token, &[])).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_was_answered_to_a_run_is_nowhere_in_what_is_kept_of_its_commands() {
    const SECRET: &str = "hunter2-very-secret";
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        let fields = json!([{"name": "PIN", "secret": true}]);
        let ask = json!({"reason": "r", "fencing_token": token, "fields": fields});
        world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
        let answer = json!({"values": {"PIN": SECRET}});
        world.post("/work-items/runs/info-requests/1/respond", answer).await.json(200);
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        let forms = [SECRET.to_owned(), STANDARD.encode(SECRET), hex, SECRET.replace('-', "%2D")];
        let mut commands = vec![];
        for (level, form) in ["watched", "confirm", "blocked", "confirm"].into_iter().zip(&forms) {
            let said = format!("curl -u ada:{form} https://example.org");
            let digest = format!("{:02x}", commands.len()).repeat(32);
            commands
                .push(json!({"step": 1, "level": level, "digest": digest, "command": said, "folder": form,
                "rule": said, "reason": format!("{said}: sends it to others")}));
        }
        // Its worker cut it in the middle of the secret.
        let cut = format!("{}{}", "x".repeat(4_088), &SECRET[..8]);
        let mut long = push("confirm");
        long["command"] = json!(cut);
        commands.push(long);
        world.post(&format!("/work-items/runs/{run}/commands"), report(token, &commands)).await.json(200);
        let events = world.store.read().events(EventFilter::default(), 100).await.unwrap();
        let mut kept = vec![format!("{events:?}"), world.get("/audit?limit=100").await.text];
        for approval in 1..=3 {
            kept.push(world.get(&format!("/work-items/approvals/{approval}")).await.text);
        }
        for text in kept {
            for form in forms.iter().map(String::as_str).chain([&SECRET[..8]]) {
                assert!(!text.contains(form), "{form}: {text}");
            }
            assert!(text.contains("[redacted:PIN]") || text.contains("xxxx"), "{text}");
        }
    }
}
