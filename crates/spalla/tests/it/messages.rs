//! Messages as a person writes and reads them, by the real binary.

use crate::databases::Database;
use crate::process::{Home, Server, Setup};
use serde_json::{Value, json};

#[test]
fn a_person_writes_to_an_agent_and_reads_what_it_answers() {
    let home = Home::new();
    let _server =
        Server::start(&home, &Setup { database: &Database::Sqlite, args: &["up", "--no-worker"], env: &[] });
    home.run(&["project", "create", "one"]).good();
    let send = ["message", "send", "is it done?", "--to", "codex", "--project", "1", "--priority", "high"];
    assert_eq!(home.run(&send).good().trim(), "message 1 waits for codex");
    let read = |agent: &str| -> Value {
        let read = ["message", "read", "--project", "1", "--agent", agent, "--json"];
        serde_json::from_str(&home.run(&read).good()).expect("JSON")
    };
    let waiting = read("codex");
    assert_eq!((&waiting[0]["from"], &waiting[0]["priority"]), (&json!("people"), &json!("high")));
    assert_eq!(waiting[0]["payload"], json!({"text": "is it done?"}));
    let answer =
        ["message", "send", "yes", "--from", "codex", "--reply-to", "1", "--type", "response", "--json"];
    let answered: Value = serde_json::from_str(&home.run(&answer).good()).expect("JSON");
    assert_eq!((&answered["to"], &answered["in_reply_to"]), (&json!("people"), &json!(1)));
    home.run(&["message", "ack", "1"]).good();
    assert_eq!(read("codex"), json!([]));
    assert_eq!(read("people")[0]["payload"], json!({"text": "yes"}));
    let listed = home.run(&["message", "list", "--status", "acknowledged"]).good();
    assert!(listed.contains("codex") && !listed.contains("yes"), "{listed}");
    assert_eq!(home.run(&["message", "send", "to nobody", "--project", "1"]).status, Some(2));
}
